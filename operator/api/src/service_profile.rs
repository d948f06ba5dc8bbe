//! `ServiceProfile`: the packaged baseline of clients of one kind.

pub(crate) mod definition;
mod tree;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{CustomResource, KubeSchema};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use tree::{at, leaves, merged, taken};

/// The packaged baseline of clients of one kind, such as small businesses or federal agencies. A ManagedClient that names it in `spec.profile` takes every value
/// that it does not set itself.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "caretaker.dev",
    version = "v1alpha1",
    kind = "ServiceProfile",
    plural = "serviceprofiles",
    shortname = "sprof",
    category = "caretaker",
    status = "ServiceProfileStatus",
    derive = "PartialEq",
    doc = "The packaged baseline of clients of one kind: a ManagedClient that names it takes every value that it does not set itself.",
    validation = Rule::new("oldSelf.hasValue() || self.metadata.name.size() <= 63").optional_old_self(true).message("metadata.name may have at most 63 characters"),
    printcolumn(name = "Segment", type_ = "string", json_path = ".spec.segment"),
    printcolumn(name = "Revision", type_ = "string", json_path = ".status.revision"),
    printcolumn(name = "Clients", type_ = "integer", json_path = ".status.clients"),
    printcolumn(name = "Behind", type_ = "integer", json_path = ".status.behind"),
    printcolumn(name = "Deviations", type_ = "integer", json_path = ".status.deviations"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceProfileSpec {
    /// For which kind of clients it is: SmallBusiness, Enterprise, Federal, Healthcare, Other, or words of the provider's own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 60))]
    pub segment: String,
    /// The part of a ManagedClient's spec that is a standard of the provider. What a client sets itself wins, field by field; lists are replaced whole.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "opaque")]
    pub defaults: Map<String, Value>,
    /// What holds for each client, whatever it sets itself.
    #[serde(default, skip_serializing_if = "ProfileLimits::is_empty")]
    pub limits: ProfileLimits,
    /// How a change of `defaults` and `limits` goes out to the clients that have an earlier revision.
    #[serde(default)]
    pub rollout: RolloutTerms,
}

/// Any object, compared and written whole. The definitions put the schema of a ManagedClient in its place where people write it.
fn opaque(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true, "x-kubernetes-map-type": "atomic"})
}

/// What holds for each client of a profile.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileLimits {
    /// Regions in which accounts may be read and backups may lie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regions: Option<AllowedRegions>,
    /// Authorizations that each client must have named in `spec.profile.authorizations`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(
        validation = Rule::new("self.all(a, self.exists_one(o, o.kind == a.kind))").message("name each kind of authorization once"),
        merge_strategy = ListMerge::Map(vec!["kind".into()])
    )]
    pub authorizations: Vec<NeededAuthorization>,
    /// Clauses of the contract, as data: they are shown in the client's status and stand in its bundle. Whether one applies is a question for lawyers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(
        validation = Rule::new("self.all(c, self.exists_one(o, o.clause == c.clause))").message("name each clause once"),
        merge_strategy = ListMerge::Map(vec!["clause".into()])
    )]
    pub clauses: Vec<Clause>,
}

impl ProfileLimits {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Regions that are allowed, by cloud, in the words of each cloud's own API. A cloud that is not named is not limited.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowedRegions {
    /// Regions of AWS, such as `us-gov-west-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 60), inner(length(min = 1, max = 32), regex(pattern = "^[a-z0-9-]+$")))]
    pub aws: Option<Vec<String>>,
    /// Locations of Azure, such as `usgovvirginia`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 32), regex(pattern = "^[a-z0-9-]+$")))]
    pub azure: Option<Vec<String>>,
    /// Locations of Google Cloud, such as `us-east4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 32), regex(pattern = "^[a-z0-9-]+$")))]
    pub gcp: Option<Vec<String>>,
}

/// An authorization that a client must have named.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeededAuthorization {
    /// Its kind, such as `FedRAMP`.
    #[schemars(length(min = 1, max = 40))]
    pub kind: String,
    /// What is to be named, such as `the package id of the agency's authorization`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 200))]
    pub what: String,
}

/// A clause of a contract.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clause {
    /// Its number, such as `52.237-3`.
    #[schemars(length(min = 1, max = 60))]
    pub clause: String,
    /// Its title.
    #[schemars(length(min = 1, max = 200))]
    pub title: String,
    /// Where it stands, or what it asks for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 500))]
    pub note: String,
}

/// How a change of a profile goes out.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RolloutTerms {
    /// Clients of one wave: a number, or a share of the profile's clients such as `25%`.
    #[serde(default = "default_wave")]
    #[schemars(schema_with = "int_or_percent")]
    #[x_kube(validation = Rule::new("type(self) == int ? self >= 1 : self.matches('^(100|[1-9][0-9]?)%$')").message("waveSize must be a number of clients from 1, or a share from 1% to 100%"))]
    pub wave_size: IntOrString,
    /// Time before the first wave, in which the preview can be read, and between two waves, such as `10m` or `1h30m`.
    #[serde(default = "default_pause")]
    #[schemars(length(min = 2, max = 20))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]{1,4}h)?([0-9]{1,4}m)?([0-9]{1,5}s)?$')").message("pause must be a time such as 10m, 1h30m or 0s"))]
    pub pause: String,
    /// Stops before the next wave. Clients whose wave has begun go on.
    #[serde(default)]
    pub paused: bool,
}

impl Default for RolloutTerms {
    fn default() -> Self {
        Self { wave_size: default_wave(), pause: default_pause(), paused: false }
    }
}

fn int_or_percent(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-int-or-string": true, "maxLength": 5})
}

/// Clients of a wave when nothing is said.
fn default_wave() -> IntOrString {
    IntOrString::String("25%".into())
}

/// Time between two waves when nothing is said.
fn default_pause() -> String {
    "10m".into()
}

/// The profile that a client names.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileChoice {
    /// Name of the ServiceProfile.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Fields of the profile that the client goes without, such as `backups` or `monitoring.heartbeat`. Each counts as a deviation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 30), inner(length(min = 1, max = 100), regex(pattern = "^[a-z][A-Za-z]*([.][a-z][A-Za-z]*)*$")))]
    pub without: Vec<String>,
    /// Authorizations of the client that the profile asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(
        validation = Rule::new("self.all(a, self.exists_one(o, o.kind == a.kind))").message("name each kind of authorization once"),
        merge_strategy = ListMerge::Map(vec!["kind".into()])
    )]
    pub authorizations: Vec<NamedAuthorization>,
}

/// An authorization that a client has.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedAuthorization {
    /// Its kind, as the profile has it, such as `FedRAMP`.
    #[schemars(length(min = 1, max = 40))]
    pub kind: String,
    /// Its reference, such as the id of a package.
    #[schemars(length(min = 1, max = 120))]
    #[x_kube(validation = Rule::new("self.trim() != ''").message("an authorization needs a reference, such as the id of its package"))]
    pub reference: String,
}

/// A value of a profile that a client does not have.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deviation {
    /// The field, such as `monitoring.retentionDays`.
    pub path: String,
    /// The profile's value as JSON, cut where it is long.
    pub profile: String,
    /// The client's value as JSON; nothing where it goes without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// The profile that is in force for a client.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileStatus {
    /// Name of the ServiceProfile.
    pub name: String,
    /// Its segment.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub segment: String,
    /// Digest of its `defaults` and `limits` as they are in force here.
    pub revision: String,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted_at: Option<Time>,
    /// The profile's `defaults` in this revision.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "opaque")]
    pub defaults: Map<String, Value>,
    /// The profile's `limits` in this revision.
    #[serde(default, skip_serializing_if = "ProfileLimits::is_empty")]
    pub limits: ProfileLimits,
    /// The resolved part of the spec: what holds for this client in every field that a profile may set.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "opaque")]
    pub resolved: Map<String, Value>,
    /// Number of values of the profile that this client does not have.
    #[serde(default)]
    pub deviation_count: u32,
    /// These values, the first hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deviations: Vec<Deviation>,
}

/// A revision that clients have.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionInUse {
    /// Digest of `defaults` and `limits`.
    pub revision: String,
    /// Number of clients that have it.
    pub clients: u32,
}

/// A field that a new revision changes for a client.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRow {
    /// The client.
    pub client: String,
    /// The field.
    pub path: String,
    /// Its value now, as JSON; nothing where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Its value after the change, as JSON; nothing where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// What a new revision would change: counted for all clients that have an earlier one.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedChange {
    /// The new revision.
    pub revision: String,
    /// When this was first shown. The first wave begins `rollout.pause` later at the earliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced_at: Option<Time>,
    /// Clients that have an earlier revision.
    #[serde(default)]
    pub clients: u32,
    /// Of these, clients for which a field changes.
    #[serde(default)]
    pub affected: u32,
    /// Fields that change, summed up over the clients.
    #[serde(default)]
    pub fields: u32,
    /// These fields, the first fifty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<ChangeRow>,
    /// Clients that could not take it, and why: the first ten. They keep the revision that they have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<String>,
}

/// A client of a wave.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaveClient {
    /// Its name.
    pub name: String,
    /// Whether it was Ready when the wave began: then it must be Ready again before the next one.
    #[serde(default)]
    pub was_ready: bool,
}

/// Clients that take a revision at the same time.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wave {
    /// Which one, from 1.
    pub number: u32,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at: Option<Time>,
    /// Since when each of its clients has the revision and is Ready again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Time>,
    /// The clients.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<WaveClient>,
}

/// What the operator found out about a profile.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceProfileStatus {
    /// Generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Standard conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Digest of `defaults` and `limits`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// Number of clients that name the profile.
    #[serde(default)]
    pub clients: u32,
    /// Of these, those that have not this revision.
    #[serde(default)]
    pub behind: u32,
    /// Values of the profile that its clients do not have, summed up.
    #[serde(default)]
    pub deviations: u32,
    /// Which revision how many clients have. An earlier one is kept in the status of each client that has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revisions: Vec<RevisionInUse>,
    /// What this revision changes for clients that have an earlier one; not there where all have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<PlannedChange>,
    /// The wave that is under way, or was the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<Wave>,
    /// Value of the annotation `caretaker.dev/requested-at` that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_request: Option<String>,
}

/// Fields of a ManagedClient's spec that a profile may set: the standards of the provider. Never who the client is, which accounts it has, who may look into its
/// namespace, who gets its bundle, or a date of the engagement.
pub const FIELDS: [&str; 16] = [
    "quota",
    "monitoring",
    "backups",
    "serviceLevels",
    "billing",
    "deliveryModel",
    "domains",
    "regulatedData",
    "exit.rehearseEveryDays",
    "exit.regimes",
    "exit.retrievalDays",
    "exit.dispositions",
    "exit.contract.zone",
    "exit.contract.noticeDays",
    "exit.contract.holidays",
    "exit.contract.transition.days",
];

/// Fields below those of [`FIELDS`] that are of one engagement alone.
pub const OF_ONE_ENGAGEMENT: [&str; 1] = ["serviceLevels.exclusions"];
