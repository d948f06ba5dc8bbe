package main

import (
	"context"
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
)

// session is what a configured provider knows, and how it looks for a thing.
type session interface {
	// check says what is wrong with an import id here; nil where nothing is.
	check(id string) error
	// find looks for the thing; nil where it is there or nobody can be asked.
	find(ctx context.Context, kind, id string) error
	// note is what the journal says of this session.
	note() step
}

// thing is a resource of which nothing but its id is known.
type thing struct {
	name    string
	id      *regexp.Regexp
	session session
}

// things makes a resource of each type. A pattern is the form of the import id in the provider's documentation.
func things(patterns map[string]string) []func() resource.Resource {
	var all []func() resource.Resource
	for name, pattern := range patterns {
		id := regexp.MustCompile("^(?:" + pattern + ")$")
		all = append(all, func() resource.Resource { return &thing{name: name, id: id} })
	}
	return all
}

func (t *thing) Metadata(_ context.Context, _ resource.MetadataRequest, response *resource.MetadataResponse) {
	response.TypeName = t.name
}

func (t *thing) Schema(_ context.Context, _ resource.SchemaRequest, response *resource.SchemaResponse) {
	kept := []planmodifier.String{stringplanmodifier.UseStateForUnknown()}
	response.Schema = schema.Schema{Attributes: map[string]schema.Attribute{"id": schema.StringAttribute{Computed: true, PlanModifiers: kept}}}
}

func (t *thing) Configure(_ context.Context, request resource.ConfigureRequest, _ *resource.ConfigureResponse) {
	if session, ok := request.ProviderData.(session); ok {
		t.session = session
	}
}

func (t *thing) ImportState(ctx context.Context, request resource.ImportStateRequest, response *resource.ImportStateResponse) {
	note := t.session.note()
	note.Step, note.Type, note.ID = "import", t.name, request.ID
	note.write()
	if !t.id.MatchString(request.ID) {
		response.Diagnostics.AddError("Invalid import id", t.name+" is not imported by "+request.ID+"; documented is "+t.id.String())
		return
	}
	if err := t.session.check(request.ID); err != nil {
		response.Diagnostics.AddError("Invalid import id", t.name+" "+request.ID+": "+err.Error())
		return
	}
	resource.ImportStatePassthroughID(ctx, path.Root("id"), request, response)
}

func (t *thing) Read(ctx context.Context, request resource.ReadRequest, response *resource.ReadResponse) {
	var id string
	response.Diagnostics.Append(request.State.GetAttribute(ctx, path.Root("id"), &id)...)
	if response.Diagnostics.HasError() {
		return
	}
	if err := t.session.find(ctx, t.name, id); err != nil {
		response.Diagnostics.AddError("Cannot read "+t.name, id+": "+err.Error())
	}
}

// No test makes, changes or deletes anything.

func (t *thing) Create(_ context.Context, _ resource.CreateRequest, response *resource.CreateResponse) {
	response.Diagnostics.AddError("Nothing is made", t.name)
}

func (t *thing) Update(_ context.Context, _ resource.UpdateRequest, response *resource.UpdateResponse) {
	response.Diagnostics.AddError("Nothing is changed", t.name)
}

func (t *thing) Delete(_ context.Context, _ resource.DeleteRequest, response *resource.DeleteResponse) {
	response.Diagnostics.AddError("Nothing is deleted", t.name)
}
