//! What Terraform and OpenTofu import: one block for each asset, under an address made from the cloud's id alone, so that one more asset changes no other line.

use std::collections::{BTreeMap, BTreeSet};

use caretaker_cloud::{Asset, AssetType, AwsType, Power};
use serde_json::{Value, json};

use crate::digest::sha256_hex;

/// An asset that is imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// The cloud's id.
    pub id: String,
    /// Its name; empty where it has none.
    pub name: String,
}

/// What the import file holds, and the report of what it does not hold.
#[derive(Debug, Default)]
pub struct Imports {
    blocks: BTreeMap<String, Block>,
    providers: BTreeSet<(String, String)>,
    skipped: Vec<Value>,
    our_roles: BTreeSet<(String, String)>,
}

/// The resource type that an asset is imported to, as the catalog of its cloud says.
fn resource_type(asset: &Asset) -> Option<&'static str> {
    AwsType::of_native_type(&asset.native_type)?.row().terraform
}

/// Why an asset has no import block.
fn skip_reason(asset: &Asset, our_roles: &BTreeSet<(String, String)>) -> Option<&'static str> {
    match asset.asset_type {
        _ if resource_type(asset).is_none() => Some("no resource type of Terraform is known for it"),
        _ if asset.id.is_empty() => Some("the cloud gave no id"),
        AssetType::Principal if asset.built_in => Some("a role of a service of AWS, which makes it itself"),
        AssetType::Principal if our_roles.contains(&(asset.account.clone(), asset.id.clone())) => {
            Some("the provider's own way in, which goes when the provider goes")
        }
        AssetType::Key if asset.built_in => Some("a key that AWS manages itself"),
        AssetType::Instance if asset.power == Some(Power::Gone) => Some("the machine is gone"),
        AssetType::Network if asset.built_in => {
            Some("the default network is managed by aws_default_vpc, which takes over without an import")
        }
        AssetType::SecurityGroup if asset.built_in => {
            Some("a default security group is managed by aws_default_security_group, which takes over without an import")
        }
        _ => None,
    }
}

/// What an address is made from. An id of EC2 is unique by itself; a name is so within its account and region only.
fn unique_id(asset: &Asset) -> String {
    if asset.service.starts_with("ec2/") { asset.id.clone() } else { format!("{}-{}-{}", asset.id, asset.account, asset.region) }
}

/// A valid name made from an id: what is not a letter or digit becomes `_`, and an id that would lose by it carries a digest.
fn address_name(id: &str) -> String {
    let plain: String = id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let faithful =
        id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') && id.starts_with(|c: char| c.is_ascii_lowercase());
    if faithful && id.len() <= 64 { plain } else { format!("x_{}_{}", plain.chars().take(40).collect::<String>(), &sha256_hex(id)[..12]) }
}

impl Imports {
    /// No asset yet. `our_roles`, as account and name, are the provider's own ways in: nobody shall manage them afterwards.
    #[must_use]
    pub fn new(our_roles: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { our_roles: our_roles.into_iter().collect(), ..Self::default() }
    }

    /// Takes one asset.
    pub fn add(&mut self, asset: &Asset) {
        if let Some(reason) = skip_reason(asset, &self.our_roles) {
            self.skipped.push(json!({"id": asset.id, "type": asset.asset_type, "region": asset.region, "reason": reason}));
            return;
        }
        let address = format!("{}.{}", resource_type(asset).unwrap_or_default(), address_name(&unique_id(asset)));
        // A network that is shared shows in every account that may use it; one address can be imported once.
        if let Some(first) = self.blocks.get(&address) {
            let reason = format!("it is imported from account {}, which shows it too", first.account);
            self.skipped.push(json!({"id": asset.id, "type": asset.asset_type, "region": asset.region, "reason": reason}));
            return;
        }
        self.providers.insert((asset.account.clone(), asset.region.clone()));
        let block = Block { account: asset.account.clone(), region: asset.region.clone(), id: asset.id.clone(), name: asset.name.clone() };
        self.blocks.insert(address, block);
    }

    /// Number of import blocks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The import blocks by the address of the resource.
    #[must_use]
    pub fn blocks(&self) -> &BTreeMap<String, Block> {
        &self.blocks
    }

    /// Account and region of each provider that the blocks name.
    #[must_use]
    pub fn providers(&self) -> &BTreeSet<(String, String)> {
        &self.providers
    }

    /// `skipped.json`: what has no import block, and why.
    #[must_use]
    pub fn skipped(&self) -> Value {
        json!({"imported": self.blocks.len(), "skipped": self.skipped})
    }
}

#[cfg(test)]
mod tests {
    use caretaker_cloud::Cloud;

    use super::*;

    fn asset(id: &str, name: &str) -> Asset {
        Asset {
            native_type: "AWS::EC2::Instance".into(),
            service: "ec2/instances".into(),
            name: name.into(),
            ..Asset::new(Cloud::Aws, "222222222222", "eu-west-1", AssetType::Instance, id)
        }
    }

    #[test]
    fn names_are_told_apart_by_account_and_region_and_what_is_not_the_client_s_is_skipped() {
        let of = |native: &str, asset_type: AssetType, service: &str, region: &str, id: &str| Asset {
            native_type: native.into(),
            asset_type,
            service: service.into(),
            region: region.into(),
            ..asset(id, id)
        };
        let function = |region: &str| of("AWS::Lambda::Function", AssetType::Function, "lambda/functions", region, "handler");
        let role = |name: &str, built_in: bool| Asset { built_in, ..of("AWS::IAM::Role", AssetType::Principal, "iam/roles", "all", name) };
        let mut imports = Imports::new([("222222222222".to_owned(), "CaretakerAccess".to_owned())]);
        for asset in [
            function("eu-west-1"),
            function("us-east-1"),
            role("deploy", false),
            role("CaretakerAccess", false),
            role("AWSServiceRoleForRDS", true),
        ] {
            imports.add(&asset);
        }
        assert_eq!((imports.len(), imports.skipped()["skipped"].as_array().unwrap().len()), (3, 2), "{:?}", imports.blocks());
        assert!(imports.blocks().contains_key("aws_iam_role.deploy_222222222222_all"), "{:?}", imports.blocks());
    }

    #[test]
    fn what_two_accounts_show_is_imported_once_and_told() {
        let mut imports = Imports::default();
        imports.add(&asset("subnet-1", "shared"));
        imports.add(&Asset { account: "333333333333".into(), ..asset("subnet-1", "shared") });
        assert_eq!(imports.len(), 1);
        assert!(imports.skipped()["skipped"][0]["reason"].as_str().unwrap().contains("222222222222"), "{}", imports.skipped());
    }

    #[test]
    fn ids_that_look_alike_get_addresses_of_their_own() {
        let ids = ["i-1", "I-1", "i_1", "i-1\"", "1i", "日本"];
        let names: BTreeSet<String> = ids.iter().map(|id| address_name(id)).collect();
        assert_eq!(names.len(), ids.len(), "{names:?}");
        assert!(
            names
                .iter()
                .all(|name| name.starts_with(|c: char| c.is_ascii_alphabetic())
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        );
    }
}
