//! `04-iac`: code for OpenTofu and Terraform, one folder for each account.

use std::collections::BTreeMap;

use caretaker_cloud::Cloud;
use caretaker_core::handover::iac::{Account, Export};
use serde::Serialize;

use crate::template::render;

/// The part's folder.
const PART: &str = "04-iac";
/// Letters of a name that its comment keeps.
const NAME: usize = 80;

#[derive(Serialize)]
struct Providers<'a> {
    account: &'a str,
    regions: Vec<Region<'a>>,
}

#[derive(Serialize)]
struct Region<'a> {
    alias: String,
    name: &'a str,
}

#[derive(Serialize)]
struct Imports<'a> {
    blocks: Vec<Import<'a>>,
}

#[derive(Serialize)]
struct Import<'a> {
    address: &'a str,
    id: &'a str,
    /// None where the folder has one provider block: OpenTofu refuses to find it named in the import and not in the resource that it generated.
    provider: Option<String>,
    name: String,
}

/// The files, by path: what is left out, and for each account of which something is imported its providers and imports.
#[must_use]
pub fn files(export: &Export) -> BTreeMap<String, String> {
    let mut files = BTreeMap::from([(format!("{PART}/skipped.json"), export.report().text())]);
    for account in export.accounts().filter(|account| !account.blocks().is_empty()) {
        let folder = format!("{PART}/{}", account.folder());
        files.insert(format!("{folder}/providers.tf"), providers(account));
        files.insert(format!("{folder}/imports.tf"), imports(account));
    }
    files
}

fn alias(region: &str) -> String {
    region.replace('-', "_")
}

fn providers(account: &Account) -> String {
    let template = match account.cloud {
        Cloud::Aws => "handover/iac/aws.tf",
        Cloud::Azure => "handover/iac/azure.tf",
        Cloud::Gcp => "handover/iac/gcp.tf",
    };
    let regions = account.regions().into_iter().map(|name| Region { alias: alias(name), name }).collect();
    render(template, Providers { account: &account.id, regions })
}

fn imports(account: &Account) -> String {
    let blocks = account.blocks().iter().map(|(address, block)| Import {
        address,
        id: &block.id,
        provider: (account.cloud == Cloud::Aws).then(|| format!("aws.{}", alias(account.region_of(block)))),
        name: block.name.chars().take(NAME).collect(),
    });
    render("handover/iac/imports.tf", Imports { blocks: blocks.collect() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use caretaker_cloud::{Asset, AssetType, EVERYWHERE};

    use super::*;

    fn machine(id: &str, name: &str) -> Asset {
        Asset {
            native_type: "AWS::EC2::Instance".into(),
            service: "ec2/instances".into(),
            name: name.into(),
            ..Asset::new(Cloud::Aws, "222222222222", "eu-west-1", AssetType::Instance, id)
        }
    }

    fn made(assets: impl IntoIterator<Item = Asset>) -> BTreeMap<String, String> {
        let mut export = Export::default();
        assets.into_iter().for_each(|asset| export.add(&asset));
        files(&export)
    }

    fn imports_of(files: &BTreeMap<String, String>) -> &str {
        &files["04-iac/aws-222222222222/imports.tf"]
    }

    const NAMES: [&str; 9] =
        ["5Stage", "web", "web", "WEB", "", "日本", "a\"\n}\nresource \"x\" \"y\" {", "${path.module}", "%{ if true }"];

    #[test]
    fn names_of_any_kind_leave_import_blocks_only() {
        let files = made(NAMES.iter().enumerate().map(|(number, name)| machine(&format!("i-{number:04x}"), name)));
        let body = hcl::parse(imports_of(&files)).unwrap();
        assert_eq!(body.blocks().filter(|block| block.identifier() == "import").count(), NAMES.len());
        assert_eq!((body.blocks().count(), body.attributes().count()), (NAMES.len(), 0));
    }

    #[test]
    fn every_id_evaluates_to_the_cloud_s() {
        use hcl::eval::{Context, Evaluate};
        let ids: BTreeSet<&str> =
            NAMES.into_iter().filter(|id| !id.is_empty()).chain(["i-0a", "$${x}", "%%{", "\\", "\u{7f}\u{1}"]).collect();
        let files = made(ids.iter().map(|id| machine(id, id)));
        let mut found = BTreeSet::new();
        for block in hcl::parse(imports_of(&files)).unwrap().blocks() {
            let id = block.body().attributes().find(|attribute| attribute.key() == "id").unwrap();
            found.insert(id.expr().evaluate(&Context::new()).unwrap().as_str().unwrap().to_owned());
        }
        assert_eq!(found, ids.into_iter().map(str::to_owned).collect());
    }

    #[test]
    fn one_more_asset_changes_no_other_line() {
        let before = made((0..3).map(|number| machine(&format!("i-{number:04x}"), "web")));
        let after = made((0..4).map(|number| machine(&format!("i-{number:04x}"), "web")));
        assert!(imports_of(&before).lines().all(|line| imports_of(&after).lines().any(|other| other == line)));
    }

    #[test]
    fn every_provider_that_an_import_names_is_there_and_is_held_to_its_account() {
        let role = Asset {
            native_type: "AWS::IAM::Role".into(),
            ..Asset::new(Cloud::Aws, "222222222222", EVERYWHERE, AssetType::Principal, "deploy")
        };
        let files = made([machine("i-1", ""), role]);
        let providers = hcl::parse(&files["04-iac/aws-222222222222/providers.tf"]).unwrap();
        let text = |block: &hcl::Block, key: &str| {
            block.body().attributes().find(|attribute| attribute.key() == key).map(|attribute| attribute.expr().to_string()).unwrap()
        };
        let blocks: Vec<_> = providers.blocks().filter(|block| block.identifier() == "provider").collect();
        let aliases: BTreeSet<String> = blocks.iter().map(|block| format!("aws.{}", text(block, "alias").trim_matches('"'))).collect();
        let named: BTreeSet<String> = hcl::parse(imports_of(&files)).unwrap().blocks().map(|block| text(block, "provider")).collect();
        assert_eq!(aliases, named);
        assert!(blocks.iter().all(|block| text(block, "allowed_account_ids").contains("222222222222")));
        assert!(!files.values().any(|text| text.contains("\"all\"")), "no region of AWS is called so");
    }

    #[test]
    fn an_account_without_imports_has_no_folder() {
        let files = made([machine("", "")]);
        assert_eq!(files.keys().collect::<Vec<_>>(), ["04-iac/skipped.json"]);
    }
}
