//! What happens when a client applies a grant kit: its Terraform file is read by a parser that is not ours, and done as a project's owner would.

use anyhow::{Context as _, Result, bail};
use hcl::eval::{Context, Evaluate, FuncDef, ParamType};
use hcl::{Block, Map, Value};

use crate::world::World;

/// The organisation of every project and folder.
const ORGANIZATION: &str = "organizations/1";

/// Applies a Terraform file to a project. Every kind of resource that is not known, and every value that is not a project of this name, is an error.
///
/// # Errors
/// The file cannot be read, or holds what the simulator does not know.
pub fn apply_terraform(world: &mut World, project: &str, text: &str) -> Result<()> {
    let body = hcl::parse(text).context("read the kit")?;
    let blocks: Vec<&Block> = body.blocks().collect();
    let is_known = |block: &&Block| block.labels().len() == 2 && (block.identifier() == "resource" || is_lookup(block));
    if body.attributes().next().is_some() || !blocks.iter().all(is_known) {
        bail!("the kit holds something else than resources");
    }
    let known = names(&blocks, project)?;
    for block in blocks.into_iter().filter(|block| !is_lookup(block)) {
        apply(world, project, block, &known).with_context(|| format!("apply {:?}", block.labels()))?;
    }
    Ok(())
}

/// A folder that is looked up for the organisation that it belongs to.
fn is_lookup(block: &Block) -> bool {
    block.identifier() == "data" && block.labels()[0].as_str() == "google_folder"
}

/// What references can name: service accounts and custom roles.
fn names(blocks: &[&Block], project: &str) -> Result<Context<'static>> {
    let (mut accounts, mut roles, mut wide, mut folders) = (Map::new(), Map::new(), Map::new(), Map::new());
    let empty = Context::new();
    for block in blocks {
        let label = block.labels()[1].as_str().to_owned();
        match block.labels()[0].as_str() {
            "google_service_account" => {
                let email = format!("{}@{project}.iam.gserviceaccount.com", text(block, "account_id", &empty)?);
                let name = format!("projects/{project}/serviceAccounts/{email}");
                let shown = Map::from_iter([("email".to_owned(), Value::from(email)), ("name".to_owned(), Value::from(name))]);
                accounts.insert(label, Value::from(shown));
            }
            "google_project_iam_custom_role" => {
                let name = format!("projects/{project}/roles/{}", text(block, "role_id", &empty)?);
                roles.insert(label, Value::from(Map::from_iter([("name".to_owned(), Value::from(name))])));
            }
            "google_organization_iam_custom_role" => {
                let name = format!("{ORGANIZATION}/roles/{}", text(block, "role_id", &empty)?);
                wide.insert(label, Value::from(Map::from_iter([("name".to_owned(), Value::from(name))])));
            }
            "google_folder" => {
                folders.insert(label, Value::from(Map::from_iter([("organization".to_owned(), Value::from(ORGANIZATION))])));
            }
            _ => {}
        }
    }
    let mut known = Context::new();
    known.declare_var("google_service_account", Value::from(accounts));
    known.declare_var("google_project_iam_custom_role", Value::from(roles));
    known.declare_var("google_organization_iam_custom_role", Value::from(wide));
    known.declare_var("data", Value::from(Map::from_iter([("google_folder".to_owned(), Value::from(folders))])));
    let trim = FuncDef::builder().params([ParamType::String, ParamType::String]).build(|args| {
        let (text, prefix) = (args[0].as_str().unwrap_or_default(), args[1].as_str().unwrap_or_default());
        Ok(Value::from(text.strip_prefix(prefix).unwrap_or(text)))
    });
    known.declare_func("trimprefix", trim);
    Ok(known)
}

fn value(block: &Block, name: &str, known: &Context<'_>) -> Result<Value> {
    let attribute = block.body().attributes().find(|attribute| attribute.key() == name).with_context(|| format!("no {name}"))?;
    attribute.expr().evaluate(known).map_err(|error| anyhow::anyhow!("{name}: {error}"))
}

fn text(block: &Block, name: &str, known: &Context<'_>) -> Result<String> {
    value(block, name, known)?.as_str().map(str::to_owned).with_context(|| format!("{name} is no text"))
}

fn apply(world: &mut World, project: &str, block: &Block, known: &Context<'_>) -> Result<()> {
    let kind = block.labels()[0].as_str();
    let is_of_project =
        !matches!(kind, "google_service_account_iam_member" | "google_organization_iam_custom_role" | "google_folder_iam_member");
    if is_of_project && text(block, "project", known)? != project {
        bail!("it is for another project");
    }
    match kind {
        "google_service_account" => {
            world.add_account(&text(block, "account_id", known)?, project);
        }
        "google_project_service" => {
            world.disabled.remove(&(text(block, "service", known)?, project.to_owned()));
        }
        "google_project_iam_custom_role" => {
            let list = value(block, "permissions", known)?;
            let list = list.as_array().context("permissions is no list")?;
            let permissions = list.iter().map(|name| name.as_str().map(str::to_owned).context("a permission is no text"));
            world.roles.insert(format!("projects/{project}/roles/{}", text(block, "role_id", known)?), permissions.collect::<Result<_>>()?);
        }
        "google_project_iam_member" => {
            let (role, member) = (text(block, "role", known)?, text(block, "member", known)?);
            world.projects.get_mut(project).context("no such project")?.policy.bind(&role, &member);
        }
        "google_organization_iam_custom_role" => {
            let list = value(block, "permissions", known)?;
            let list = list.as_array().context("permissions is no list")?;
            let permissions = list.iter().map(|name| name.as_str().map(str::to_owned).context("a permission is no text"));
            let name = format!("organizations/{}/roles/{}", text(block, "org_id", known)?, text(block, "role_id", known)?);
            world.roles.insert(name, permissions.collect::<Result<_>>()?);
        }
        "google_folder_iam_member" => {
            let (folder, role) = (text(block, "folder", known)?, text(block, "role", known)?);
            let folder = world.folders.get_mut(folder.trim_start_matches("folders/")).context("no such folder")?;
            folder.policy.bind(&role, &text(block, "member", known)?);
        }
        "google_service_account_iam_member" => {
            let name = text(block, "service_account_id", known)?;
            let email = name.rsplit('/').next().unwrap_or_default();
            let (role, member) = (text(block, "role", known)?, text(block, "member", known)?);
            world.accounts.get_mut(email).context("no such service account")?.policy.bind(&role, &member);
        }
        other => bail!("the simulator does not know {other}"),
    }
    Ok(())
}
