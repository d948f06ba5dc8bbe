package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awsbase "github.com/hashicorp/aws-sdk-go-base/v2"
	"github.com/hashicorp/aws-sdk-go-base/v2/validation"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// emulator is where what is imported is looked for.
const emulator = "CARETAKER_PROVIDER_EMULATOR"

type awsProvider struct{}

func newAWS() provider.Provider { return &awsProvider{} }

type awsSettings struct {
	Region            types.String `tfsdk:"region"`
	Profile           types.String `tfsdk:"profile"`
	AllowedAccountIDs types.Set    `tfsdk:"allowed_account_ids"`
	AssumeRole        []struct {
		RoleARN types.String `tfsdk:"role_arn"`
	} `tfsdk:"assume_role"`
}

func (p *awsProvider) Metadata(_ context.Context, _ provider.MetadataRequest, response *provider.MetadataResponse) {
	response.TypeName = "aws"
}

func (p *awsProvider) Schema(_ context.Context, _ provider.SchemaRequest, response *provider.SchemaResponse) {
	response.Schema = schema.Schema{
		Attributes: map[string]schema.Attribute{
			"region":              schema.StringAttribute{Optional: true},
			"profile":             schema.StringAttribute{Optional: true},
			"allowed_account_ids": schema.SetAttribute{Optional: true, ElementType: types.StringType},
		},
		Blocks: map[string]schema.Block{
			"assume_role": schema.ListNestedBlock{NestedObject: schema.NestedBlockObject{
				Attributes: map[string]schema.Attribute{"role_arn": schema.StringAttribute{Optional: true}},
			}},
		},
	}
}

// Configure does what the AWS provider does before it reads anything: the region, then whose account it is.
func (p *awsProvider) Configure(ctx context.Context, request provider.ConfigureRequest, response *provider.ConfigureResponse) {
	var settings awsSettings
	response.Diagnostics.Append(request.Config.Get(ctx, &settings)...)
	config := awsbase.Config{
		Region:      settings.Region.ValueString(),
		Profile:     settings.Profile.ValueString(),
		MaxRetries:  5,
		CallerName:  "Provider of the tests",
		APNInfo:     &awsbase.APNInfo{PartnerName: "Caretaker"},
		StsRegion:   settings.Region.ValueString(),
		StsEndpoint: os.Getenv("AWS_ENDPOINT_URL_STS"),
		UserAgent:   awsbase.UserAgentProducts{{Name: "caretaker-tests", Version: "1"}},
	}
	for _, role := range settings.AssumeRole {
		config.AssumeRole = append(config.AssumeRole, awsbase.AssumeRole{RoleARN: role.RoleARN.ValueString()})
	}
	response.Diagnostics.Append(settings.AllowedAccountIDs.ElementsAs(ctx, &config.AllowedAccountIds, false)...)
	if response.Diagnostics.HasError() {
		return
	}
	if err := validation.SupportedRegion(config.Region); err != nil {
		response.Diagnostics.AddError("Invalid region", err.Error())
		return
	}
	if len(config.AllowedAccountIds) == 0 {
		response.Diagnostics.AddError("No account is named", "allowed_account_ids keeps one account's code out of another")
		return
	}
	ctx, made, found := awsbase.GetAwsConfig(ctx, &config)
	for _, one := range found.Errors() {
		response.Diagnostics.AddError(one.Summary(), one.Detail())
	}
	if response.Diagnostics.HasError() {
		return
	}
	account, _, found := awsbase.GetAwsAccountIDAndPartition(ctx, made, &config)
	for _, one := range found.Errors() {
		response.Diagnostics.AddError(one.Summary(), one.Detail())
	}
	if response.Diagnostics.HasError() {
		return
	}
	if err := config.VerifyAccountIDAllowed(account); err != nil {
		response.Diagnostics.AddError("Wrong account", err.Error())
		return
	}
	session := &awsSession{account: account, config: made}
	session.note().write()
	response.ResourceData = session
}

func (p *awsProvider) DataSources(context.Context) []func() datasource.DataSource { return nil }

func (p *awsProvider) Resources(context.Context) []func() resource.Resource { return things(awsTypes) }

type awsSession struct {
	account string
	config  aws.Config
}

func (s *awsSession) note() step {
	return step{Step: "configure", Provider: "aws", Account: s.account, Region: s.config.Region}
}

// check holds the places that an id names against those of the provider block.
func (s *awsSession) check(id string) error {
	if named, err := arn.Parse(id); err == nil {
		if named.AccountID != "" && named.AccountID != s.account {
			return fmt.Errorf("it is of account %s, and this is %s", named.AccountID, s.account)
		}
		if named.Region != "" && named.Region != s.config.Region {
			return fmt.Errorf("it is in %s, and this is %s", named.Region, s.config.Region)
		}
	}
	if strings.HasPrefix(id, "https://sqs.") && !strings.HasPrefix(id, "https://sqs."+s.config.Region+".") {
		return fmt.Errorf("it is not in %s", s.config.Region)
	}
	return nil
}

// query is a call that finds a thing by its id, or refuses where it is not there.
type query struct{ service, version, action, parameter string }

var queries = map[string]query{
	"aws_instance":       {"ec2", "2016-11-15", "DescribeInstances", "InstanceId.1"},
	"aws_ebs_volume":     {"ec2", "2016-11-15", "DescribeVolumes", "VolumeId.1"},
	"aws_ebs_snapshot":   {"ec2", "2016-11-15", "DescribeSnapshots", "SnapshotId.1"},
	"aws_vpc":            {"ec2", "2016-11-15", "DescribeVpcs", "VpcId.1"},
	"aws_subnet":         {"ec2", "2016-11-15", "DescribeSubnets", "SubnetId.1"},
	"aws_security_group": {"ec2", "2016-11-15", "DescribeSecurityGroups", "GroupId.1"},
	"aws_iam_role":       {"iam", "2010-05-08", "GetRole", "RoleName"},
	"aws_iam_user":       {"iam", "2010-05-08", "GetUser", "UserName"},
	"aws_db_instance":    {"rds", "2014-10-31", "DescribeDBInstances", "DBInstanceIdentifier"},
}

// find asks the emulator, where there is one.
func (s *awsSession) find(ctx context.Context, kind, id string) error {
	note := s.note()
	note.Step, note.Type, note.ID = "read", kind, id
	asked, known := queries[kind]
	endpoint := os.Getenv(emulator)
	if !known || endpoint == "" {
		return nil
	}
	note.write()
	body := url.Values{"Action": {asked.action}, "Version": {asked.version}, asked.parameter: {id}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+"/", strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	credentials, err := s.config.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(body))
	err = signer.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(digest[:]), asked.service, s.config.Region, time.Now())
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK || !bytes.Contains(said, []byte(id)) {
		return fmt.Errorf("%s answers %s: %s", asked.action, answer.Status, said)
	}
	return nil
}
