//! Scope: which assets of a client's accounts are looked after.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// An exclusion that holds all that an inclusion names, in CEL, part by part. Letter case and names of accounts are looked at by the operator.
macro_rules! no_exclusion_holds_an_inclusion {
    () => {
        "!has(self.include) || !has(self.exclude) || !self.exclude.exists(e, self.include.exists(i, \
         (!has(e.account) || (has(i.account) && e.account == i.account)) && \
         (!has(e.region) || (has(i.region) && e.region == i.region)) && \
         (!has(e.type) || (has(i.type) && e.type == i.type)) && \
         (!has(e.resourceGroup) || (has(i.resourceGroup) && e.resourceGroup == i.resourceGroup)) && \
         (!has(e.folder) || (has(i.folder) && e.folder == i.folder)) && \
         (!has(e.tag) || (has(i.tag) && e.tag.key == i.tag.key && \
         (!has(e.tag.value) || (has(i.tag.value) && e.tag.value == i.tag.value))))))"
    };
}

/// Which assets are looked after. Each asset gets exactly one verdict: Excluded where an exclusion matches; else Covered where an inclusion matches or
/// none is given; else Unclassified. All assets are read and stand in the inventory; only covered ones are monitored.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(no_exclusion_holds_an_inclusion!())
        .message("an entry of exclude takes away all that an entry of include names: remove one of the two, or narrow the exclusion"),
)]
pub struct ScopeTerms {
    /// What is looked after. Without an entry everything that is not excluded is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 40))]
    pub include: Vec<Selector>,
    /// What is not, and why. It wins over `include`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 40))]
    pub exclude: Vec<Exclusion>,
}

/// Names assets by what they have. All parts that are given must match; at least one is given. On Azure letter case is ignored, as Azure does, and in
/// types on every cloud; a tag's value is compared exactly everywhere.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.account) || has(self.region) || has(self.tag) || has(self.type) || has(self.resourceGroup) || has(self.folder)")
        .message("an empty selector names nothing: give at least one of account, region, tag, type, resourceGroup and folder"),
)]
pub struct Selector {
    /// Name of the account's entry, or the cloud's own id: account, subscription or project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub account: Option<String>,
    /// Region or location, such as eu-west-1. On Google Cloud it holds its zones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 60))]
    pub region: Option<String>,
    /// A tag, on Google Cloud a label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<TagSelector>,
    /// Kind of asset: a word of the inventory, such as instance, volume or database, or the cloud's own type, such as AWS::EC2::Instance,
    /// sqs:queue (of what only Resource Explorer shows), Microsoft.Compute/virtualMachines or compute.googleapis.com/Instance.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 150))]
    pub kind: Option<String>,
    /// Resource group, on Azure: its name, not its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 90))]
    pub resource_group: Option<String>,
    /// Folder that holds the project, on Google Cloud: its number. A project within folders within folders is in all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40))]
    pub folder: Option<String>,
}

/// A tag or label. On AWS those of IAM's roles and users are not read, so that no tag matches there: name their types instead. Those of buckets, functions,
/// tables, keys, load balancers, vaults and trails come from an index of AWS's, which learns of a new tag some minutes later.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagSelector {
    /// Key.
    #[schemars(length(min = 1, max = 512))]
    pub key: String,
    /// Value. Without it any value matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub value: Option<String>,
}

/// Names assets that are not looked after, and says why.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exclusion {
    /// Which.
    #[serde(flatten)]
    pub selector: Selector,
    /// Why, for the client and for whoever takes over: it stands in the inventory and in the handover bundle.
    #[schemars(length(min = 1, max = 300))]
    #[x_kube(validation = Rule::new("self.trim() != ''").message("an exclusion needs a reason: say why these assets are not looked after"))]
    pub reason: String,
}
