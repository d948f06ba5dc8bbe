package main

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/hashicorp/go-azure-helpers/resourcemanager/commonids"
	"github.com/hashicorp/go-azure-helpers/resourcemanager/resourceids"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

type azureProvider struct{}

func newAzure() provider.Provider { return &azureProvider{} }

type azureSettings struct {
	SubscriptionID types.String `tfsdk:"subscription_id"`
	TenantID       types.String `tfsdk:"tenant_id"`
	Registrations  types.String `tfsdk:"resource_provider_registrations"`
	Features       []struct{}   `tfsdk:"features"`
}

func (p *azureProvider) Metadata(_ context.Context, _ provider.MetadataRequest, response *provider.MetadataResponse) {
	response.TypeName = "azurerm"
}

func (p *azureProvider) Schema(_ context.Context, _ provider.SchemaRequest, response *provider.SchemaResponse) {
	response.Schema = schema.Schema{
		Attributes: map[string]schema.Attribute{
			"subscription_id":                 schema.StringAttribute{Optional: true},
			"tenant_id":                       schema.StringAttribute{Optional: true},
			"resource_provider_registrations": schema.StringAttribute{Optional: true},
		},
		Blocks: map[string]schema.Block{"features": schema.ListNestedBlock{}},
	}
}

func (p *azureProvider) Configure(ctx context.Context, request provider.ConfigureRequest, response *provider.ConfigureResponse) {
	var settings azureSettings
	response.Diagnostics.Append(request.Config.Get(ctx, &settings)...)
	if response.Diagnostics.HasError() {
		return
	}
	if len(settings.Features) != 1 {
		response.Diagnostics.AddError("Insufficient features blocks", "the provider wants one")
		return
	}
	if _, err := commonids.ParseSubscriptionID("/subscriptions/" + settings.SubscriptionID.ValueString()); err != nil {
		response.Diagnostics.AddError("Invalid subscription", err.Error())
		return
	}
	if settings.Registrations.ValueString() != "none" {
		response.Diagnostics.AddError("A plan would register resource providers", settings.Registrations.ValueString())
		return
	}
	session := &azureSession{subscription: settings.SubscriptionID.ValueString()}
	session.note().write()
	response.ResourceData = session
}

func (p *azureProvider) DataSources(context.Context) []func() datasource.DataSource { return nil }

func (p *azureProvider) Resources(context.Context) []func() resource.Resource {
	return things(azureTypes)
}

type azureSession struct{ subscription string }

func (s *azureSession) note() step {
	return step{Step: "configure", Provider: "azurerm", Account: s.subscription}
}

func (s *azureSession) find(context.Context, string, string) error { return nil }

// check parses the id as the provider does where its helpers know the type, by the fixed parts in their own letter case.
func (s *azureSession) check(id string) error {
	if !strings.HasPrefix(id, "/subscriptions/"+s.subscription+"/") {
		return fmt.Errorf("it is not of subscription %s", s.subscription)
	}
	for _, kind := range commonids.CommonIds() {
		insensitive := resourceids.NewParserFromResourceIdType(fresh(kind))
		if _, err := insensitive.Parse(id, true); err != nil || isScope(kind) {
			continue
		}
		exact := resourceids.NewParserFromResourceIdType(fresh(kind))
		if _, err := exact.Parse(id, false); err != nil {
			return err
		}
	}
	return nil
}

func fresh(kind resourceids.ResourceId) resourceids.ResourceId {
	return reflect.New(reflect.TypeOf(kind).Elem()).Interface().(resourceids.ResourceId)
}

// isScope says whether the type takes any id.
func isScope(kind resourceids.ResourceId) bool {
	for _, segment := range kind.Segments() {
		if segment.Type == resourceids.ScopeSegmentType {
			return true
		}
	}
	return false
}
