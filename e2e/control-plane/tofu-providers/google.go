package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

type googleProvider struct{}

func newGoogle() provider.Provider { return &googleProvider{} }

type googleSettings struct {
	Project     types.String `tfsdk:"project"`
	Impersonate types.String `tfsdk:"impersonate_service_account"`
}

func (p *googleProvider) Metadata(_ context.Context, _ provider.MetadataRequest, response *provider.MetadataResponse) {
	response.TypeName = "google"
}

func (p *googleProvider) Schema(_ context.Context, _ provider.SchemaRequest, response *provider.SchemaResponse) {
	response.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"project":                     schema.StringAttribute{Optional: true},
		"impersonate_service_account": schema.StringAttribute{Optional: true},
	}}
}

func (p *googleProvider) Configure(ctx context.Context, request provider.ConfigureRequest, response *provider.ConfigureResponse) {
	var settings googleSettings
	response.Diagnostics.Append(request.Config.Get(ctx, &settings)...)
	if response.Diagnostics.HasError() {
		return
	}
	project := settings.Project.ValueString()
	if strings.Trim(project, "0123456789") == "" {
		response.Diagnostics.AddError("Invalid project", fmt.Sprintf("%q is no id of a project", project))
		return
	}
	session := &googleSession{project: project}
	session.note().write()
	response.ResourceData = session
}

func (p *googleProvider) DataSources(context.Context) []func() datasource.DataSource { return nil }

func (p *googleProvider) Resources(context.Context) []func() resource.Resource {
	return things(googleTypes)
}

type googleSession struct{ project string }

func (s *googleSession) note() step {
	return step{Step: "configure", Provider: "google", Account: s.project}
}

func (s *googleSession) find(context.Context, string, string) error { return nil }

// check wants the provider's own project: by its number it would be another one.
func (s *googleSession) check(id string) error {
	if rest, found := strings.CutPrefix(id, "projects/"); found {
		id = rest
	}
	if !strings.HasPrefix(id, s.project+"/") {
		return fmt.Errorf("it is not of project %s", s.project)
	}
	return nil
}
