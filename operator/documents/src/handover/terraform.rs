//! `imports.tf`: import blocks for Terraform and OpenTofu.

use caretaker_core::handover::terraform::Imports;

use crate::quote::hcl;

fn alias(account: &str, region: &str) -> String {
    format!("a{account}_{}", region.replace(|c: char| !c.is_ascii_alphanumeric(), "_"))
}

/// The text, formatted as `terraform fmt` would.
#[must_use]
pub fn text(imports: &Imports) -> String {
    let mut text = String::from("terraform {\n  required_providers {\n    aws = {\n      source = \"hashicorp/aws\"\n    }\n  }\n}\n");
    for (account, region) in imports.providers() {
        let alias = alias(account, region);
        text.push_str(&format!("\nprovider \"aws\" {{\n  alias  = {}\n  region = {}\n}}\n", hcl(&alias), hcl(region)));
    }
    for (address, block) in imports.blocks() {
        let name = if block.name.is_empty() { String::new() } else { format!("# name: {}\n", comment(&block.name)) };
        text.push_str(&format!(
            "\n{name}import {{\n  to       = {address}\n  id       = {}\n  provider = aws.{}\n}}\n",
            hcl(&block.id),
            alias(&block.account, &block.region)
        ));
    }
    text
}

/// A name in a comment: in quotes and escaped, so that it stays on its line.
fn comment(name: &str) -> String {
    hcl(&name.chars().take(80).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use caretaker_cloud::{Asset, AssetType, Cloud};

    use super::*;

    fn asset(id: &str, name: &str) -> Asset {
        Asset {
            native_type: "AWS::EC2::Instance".into(),
            service: "ec2/instances".into(),
            name: name.into(),
            ..Asset::new(Cloud::Aws, "222222222222", "eu-west-1", AssetType::Instance, id)
        }
    }

    const NAMES: [&str; 9] =
        ["5Stage", "web", "web", "WEB", "", "日本", "a\"\n}\nresource \"x\" \"y\" {", "${path.module}", "%{ if true }"];

    #[test]
    fn names_of_any_kind_leave_import_provider_and_terraform_blocks_only() {
        let mut imports = Imports::default();
        for (number, name) in NAMES.iter().enumerate() {
            imports.add(&asset(&format!("i-{number:04x}"), name));
        }
        let made = text(&imports);
        assert_eq!(imports.len(), NAMES.len());
        let body = hcl::parse(&made).unwrap();
        assert!(body.blocks().all(|block| ["import", "terraform", "provider"].contains(&block.identifier())), "{made}");
        assert!(body.attributes().next().is_none(), "{made}");
    }

    #[test]
    fn every_id_evaluates_to_the_cloud_s() {
        use hcl::eval::{Context, Evaluate};
        let ids: BTreeSet<&str> =
            NAMES.into_iter().filter(|id| !id.is_empty()).chain(["i-0a", "$${x}", "%%{", "\\", "\u{7f}\u{1}"]).collect();
        let mut imports = Imports::default();
        ids.iter().for_each(|id| imports.add(&asset(id, id)));
        let body = hcl::parse(&text(&imports)).unwrap();
        let mut found = BTreeSet::new();
        for block in body.blocks().filter(|block| block.identifier() == "import") {
            let id = block.body().attributes().find(|attribute| attribute.key() == "id").unwrap();
            found.insert(id.expr().evaluate(&Context::new()).unwrap().as_str().unwrap().to_owned());
        }
        assert_eq!(found, ids.into_iter().map(str::to_owned).collect());
    }

    #[test]
    fn one_more_asset_changes_no_other_line() {
        let render = |count: usize| {
            let mut imports = Imports::default();
            (0..count).for_each(|number| imports.add(&asset(&format!("i-{number:04x}"), "web")));
            text(&imports)
        };
        let (before, after) = (render(3), render(4));
        assert!(before.lines().all(|line| after.lines().any(|other| other == line)));
    }
}
