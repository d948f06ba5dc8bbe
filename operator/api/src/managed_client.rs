//! `ManagedClient`: one client of the provider.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agreements::{Agreement, RegulatedData};
use crate::backup_policy::BackupTerms;
use crate::billing::{BillingStatus, BillingTerms};
use crate::cloud_account::{Capability, CloudTarget, default_baseline, default_interval, default_profile, default_retention};
use crate::compliance::{ComplianceTerms, ResponsibilityStatus};
use crate::contract::{BreakGlass, DeliveryModel, DeliveryStatus, DomainTerms};
use crate::destination::{Destination, DestinationStatus};
use crate::exit_terms::{ContractTerms, Deadline, Disposition, ErasureStatus, LegalHold, Regime};
use crate::external_services::ExternalService;
use crate::isolation::IsolationStatus;
use crate::lifecycle::{Gate, LifecycleStatus, LifecycleTerms};
use crate::monitoring_stack::MonitoringTerms;
use crate::provider_profile::Contact;
pub use crate::quota::QuotaTerms;
pub use crate::reading::{ManagedClient, Reading};
use crate::scope::ScopeTerms;
use crate::service_level::ServiceLevelTerms;
use crate::service_profile::{ProfileChoice, ProfileStatus};

/// One client: who they are, which cloud accounts are looked after, how they are monitored and backed up, and on which terms they
/// leave. The operator makes the namespace `client-<name>` with its guards and all other objects from it.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "caretaker.dev",
    version = "v1alpha1",
    kind = "ManagedClient",
    root = "ManagedClientDefinition",
    plural = "managedclients",
    shortname = "mc",
    category = "caretaker",
    status = "ManagedClientStatus",
    derive = "PartialEq",
    doc = "One client: who they are, which cloud accounts are looked after, how they are monitored and backed up, and on which terms they leave.",
    // A name is judged once: an object from before the rule must be left with a way to be confirmed and deleted.
    validation = Rule::new("oldSelf.hasValue() || self.metadata.name.size() <= 56").optional_old_self(true).message("metadata.name may have at most 56 characters: the namespace client-<name> has room for 63"),
    validation = Rule::new("oldSelf.hasValue() || self.metadata.name.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')").optional_old_self(true).message("metadata.name takes lower-case letters, digits and -: it becomes the namespace client-<name>"),
    printcolumn(name = "Client", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.lifecycle.phase"),
    printcolumn(name = "Accounts", type_ = "integer", json_path = ".status.accounts"),
    printcolumn(name = "Assets", type_ = "integer", json_path = ".status.assets"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    // A rule of the spec, not of the object: it is not asked again where the spec stays, so that what is dying can die.
    validation = Rule::new("has(self.profile) || !has(self.serviceLevels) || has(self.monitoring)").message("spec.serviceLevels: what is not monitored cannot be measured; add spec.monitoring"),
    validation = Rule::new("!has(self.deliveryModel) || self.deliveryModel != 'StaffAugmentation' || !has(self.serviceLevels)").message("spec.serviceLevels: staff augmentation is no managed service and has neither service levels nor credits; remove them, or choose another deliveryModel"),
    validation = Rule::new("!has(self.deliveryModel) || self.deliveryModel != 'StaffAugmentation' || self.accounts.all(a, !has(a.allow) || a.allow.all(c, c == 'Revoke'))").message("spec.accounts[].allow: with staff augmentation the operator only observes; allow nothing but Revoke, or choose another deliveryModel"),
    validation = Rule::new("has(self.profile) || !has(self.monitoring) || !has(self.monitoring.storage) || !has(self.monitoring.storage.sizeGib) || self.monitoring.storage.sizeGib + (has(self.monitoring.storage.alertmanagerSizeGib) ? self.monitoring.storage.alertmanagerSizeGib : 1) <= (has(self.quota) && has(self.quota.storageGib) ? self.quota.storageGib : 100)").message("spec.monitoring.storage: sizeGib and alertmanagerSizeGib together are more than spec.quota.storageGib (100 where it is not given): raise spec.quota.storageGib, or ask for less"),
    validation = Rule::new("has(self.profile) || !has(self.domains) || (has(self.deliveryModel) && self.deliveryModel == 'CoManaged')").message("spec.domains: an authority for each domain belongs to deliveryModel CoManaged"),
    validation = Rule::new("has(self.profile) || !has(self.breakGlass) || (has(self.deliveryModel) && self.deliveryModel == 'CoManaged')").message("spec.breakGlass: only where writes wait for the client's yes, with deliveryModel CoManaged, is there something to open"),
    validation = Rule::new("!has(self.compliance) || !has(self.compliance.overrides) || !has(self.deliveryModel) || self.deliveryModel != 'StaffAugmentation' || self.compliance.overrides.all(o, o.responsible in ['Client', 'Cloud'])").message("spec.compliance.overrides[].responsible: with staff augmentation the provider is responsible for nothing; name Client or Cloud, or choose another deliveryModel"),
)]
pub struct ManagedClientSpec {
    /// Name of the client as people say it.
    #[schemars(length(min = 1, max = 120))]
    pub display_name: String,
    /// Name of the ProviderProfile that serves this client. Where each client has one with principals of its own, it is also proved that those of other
    /// clients are refused.
    #[serde(default = "default_profile")]
    #[schemars(length(min = 1, max = 253))]
    pub provider_profile: String,
    /// The ServiceProfile whose values hold where this spec says nothing. Without it the spec stands alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileChoice>,
    /// People of the client.
    pub contacts: ClientContacts,
    /// Groups of the cluster's users that may look into, or work in, the client's namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub groups: Vec<GroupAccess>,
    /// Limits of the client's namespace.
    #[serde(default)]
    pub quota: QuotaTerms,
    /// The client's cloud accounts, and parents that stand for all their accounts.
    #[schemars(length(min = 1, max = 50))]
    #[x_kube(
        validation = Rule::new("self.all(a, self.exists_one(o, o.name == a.name))").message("each account needs a name of its own"),
        merge_strategy = ListMerge::Map(vec!["name".into()])
    )]
    pub accounts: Vec<AccountTerms>,
    /// Which assets of the accounts are looked after. Without it all are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeTerms>,
    /// How the client is monitored. Without it no monitoring is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring: Option<MonitoringTerms>,
    /// What is backed up. Without it no backup is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backups: Option<BackupTerms>,
    /// Service levels that were agreed. Without them no report is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_levels: Option<ServiceLevelTerms>,
    /// What is billed. Without it nothing is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing: Option<BillingTerms>,
    /// How provider and client share the work.
    #[serde(default, skip_serializing_if = "DeliveryModel::is_default")]
    pub delivery_model: DeliveryModel,
    /// Who decides in each domain, with `deliveryModel: CoManaged`. A domain that is not named is Joint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    #[x_kube(
        validation = Rule::new("self.all(d, self.exists_one(o, o.name == d.name))").message("each domain stands once"),
        merge_strategy = ListMerge::Map(vec!["name".into()])
    )]
    pub domains: Vec<DomainTerms>,
    /// An emergency: for at most 24 hours, what waits for the client's yes in a Joint domain is written without it. It is on the ledger from its first
    /// second, and ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.until > self.from && self.until - self.from <= duration('24h')").message("breakGlass.until must be later than breakGlass.from, by 24 hours at most"))]
    pub break_glass: Option<BreakGlass>,
    /// How far the two sides are with each other, and what the contract leaves out. Without it the contract stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<LifecycleTerms>,
    /// Data in the scope of the service that a rule protects. An agreement that it needs and that is not in force keeps the client from Active.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    #[x_kube(validation = Rule::new("self.all(r, self.exists_one(o, o == r))").message("name each kind of data once"))]
    pub regulated_data: Vec<RegulatedData>,
    /// Agreements and qualifications of both sides, those that have expired included. `status.deadlines` warns before each expires.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 40))]
    #[x_kube(validation = Rule::new("self.all(a, self.exists_one(o, o.kind == a.kind && o.party == a.party && o.reference == a.reference))").message("each agreement of a party needs a reference of its own"))]
    pub agreements: Vec<Agreement>,
    /// Frameworks of controls for which the bundle says who does what. Without it, it says so by domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compliance: Option<ComplianceTerms>,
    /// Services that no inventory of the accounts shows. They stand in the bundle with what an exit does with them, and `status.deadlines` warns before each
    /// one's term ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 60))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub external_services: Vec<ExternalService>,
    /// On which terms the client leaves.
    pub exit: ExitTerms,
}

/// People of the client.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientContacts {
    /// The client's own person who answers for the contract: gets the bundle, accepts it, and can always be asked. Required.
    pub vendor_manager: Contact,
    /// Further people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub others: Vec<Contact>,
}

/// Access of one group to the client's namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupAccess {
    /// Name of the group as the cluster's authentication gives it.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("!self.startsWith('system:')").message("groups that start with system: belong to Kubernetes; name a group of your own"))]
    pub group: String,
    /// What the group may do.
    pub role: GroupRole,
}

/// What a group may do in the client's namespace: Kubernetes' own roles `view` and `edit`.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupRole {
    /// Read all but Secrets.
    View,
    /// Read and write, Secrets included.
    Edit,
}

/// One cloud account of the client, or one parent that stands for many.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountTerms {
    /// Name of the CloudAccount that is made. For a parent, those of its accounts begin with it.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')").message("name takes lower-case letters, digits and -"))]
    pub name: String,
    /// The account: exactly one of `aws`, `azure` and `gcp`; or a parent of many: one of `awsOrganization`, `azureTenant` and `gcpFolder`.
    #[serde(flatten)]
    pub target: CloudTarget,
    /// What the operator may change in the account. Empty means observe only: nothing is ever written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub allow: Vec<Capability>,
    /// Minutes between two readings of the inventory.
    #[serde(default = "default_interval")]
    #[schemars(range(min = 5, max = 10080))]
    pub discovery_interval_minutes: u32,
    /// Days that inventories are kept in the store. The last one, the baseline and what an unfinished handover delivers are kept longer.
    #[serde(default = "default_retention")]
    #[schemars(range(min = 1, max = 3650))]
    pub inventory_retention_days: u32,
    /// Days from the first reading after which the inventory is frozen as the baseline, which later ones are compared with. It is frozen once: the
    /// first reading without gaps, or what was read when there is none for a week more.
    #[serde(default = "default_baseline")]
    #[schemars(range(min = 0, max = 365))]
    pub baseline_after_days: u32,
}

/// On which terms the client leaves.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExitTerms {
    /// Public keys that the bundle is sealed to: age X25519 recipients (`age1…`), one per entry. Ask the client to run `age-keygen` and
    /// to send the public key; never take a secret key.
    #[schemars(schema_with = "crate::recipients::recipients_schema")]
    pub recipients: Vec<String>,
    /// A bucket or container of the client's own, which every bundle is delivered to beside the provider's store. It is tried every day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Destination>,
    /// Days between two rehearsals of the exit that the operator makes by itself, the first that long after the client was made; 0 makes none. The last
    /// three are kept.
    #[serde(default = "default_rehearsal")]
    #[schemars(range(min = 0, max = 365))]
    pub rehearse_every_days: u32,
    /// When the contract ends, and which notice it wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<ContractTerms>,
    /// Rules whose deadlines `status.deadlines` shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    #[x_kube(validation = Rule::new("self.all(r, self.exists_one(o, o == r))").message("name each rule once"))]
    pub regimes: Vec<Regime>,
    /// Days after the exit in which the client can fetch the bundle once more. After them the provider's copies of the client's data are erased.
    #[serde(default = "default_retrieval")]
    #[schemars(range(min = 0, max = 3650))]
    pub retrieval_days: u32,
    /// What becomes of single kinds of data after that. Inventories, evidence of backups and service levels are returned in the bundle and then destroyed,
    /// metrics and bundles are destroyed, and the ledger is kept, where nothing else is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(
        validation = Rule::new("self.all(d, self.exists_one(o, o.store == d.store))").message("name each store once"),
        merge_strategy = ListMerge::Map(vec!["store".into()])
    )]
    pub dispositions: Vec<Disposition>,
    /// Stops all erasure of the client's data while it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_hold: Option<LegalHold>,
}

/// Days of retrieval when nothing is said.
fn default_retrieval() -> u32 {
    30
}

/// Days between two rehearsals when nothing is said.
fn default_rehearsal() -> u32 {
    30
}

/// A question whose answer decides whether the client could leave today.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ReadinessCheck {
    /// Can the bundle be sealed to the client's keys?
    Recipients,
    /// Does every account let us in?
    Access,
    /// Was every account read completely?
    Inventory,
    /// Does the monitoring run as it would be handed over?
    Monitoring,
    /// Are the backups as the policy says?
    Backups,
    /// Does the store take a bundle?
    Store,
    /// Does the client's own bucket take a bundle?
    Destination,
    /// Can a bundle be signed?
    SigningKey,
    /// Would a refusal after the exit prove something?
    Proof,
    /// Is the log of all that was done whole?
    Ledger,
    /// Was the exit rehearsed, not too long ago?
    Rehearsal,
    /// Can the deadlines of the exit be kept?
    Deadlines,
}

/// What stands in the way of an exit today.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadinessBlocker {
    /// The question.
    pub check: ReadinessCheck,
    /// The answer, and what to do.
    pub message: String,
}

/// Whether the client could leave today.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadinessStatus {
    /// Share of the questions that nothing stands behind, in percent.
    pub score: u32,
    /// Number of those questions.
    pub passed: u32,
    /// Number of all questions.
    pub checked: u32,
    /// What stands in the way; empty where nothing does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<ReadinessBlocker>,
}

/// What the operator found out about a client.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedClientStatus {
    /// Generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Standard conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The client's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Number of cloud accounts, those of parents included.
    #[serde(default)]
    pub accounts: u32,
    /// Number of assets in the last inventories. It says nothing without the coverage of each account.
    #[serde(default)]
    pub assets: u64,
    /// The ExternalIds of the accounts by name: kept here too, so that a CloudAccount that is made again gets the same.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub external_ids: std::collections::BTreeMap<String, String>,
    /// Whether the client could leave today, and what stands in the way; not there once an exit has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness: Option<ReadinessStatus>,
    /// The last try of the client's destination of bundles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<DestinationStatus>,
    /// The end of the client's ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<crate::ledger::LedgerHead>,
    /// What the isolation test has told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<IsolationStatus>,
    /// Where the client is on its way through the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<LifecycleStatus>,
    /// What stands before the next phase, and how what stood before the present one stands now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// Dates of the exit and of agreements that somebody must keep, the next ones first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deadlines: Vec<Deadline>,
    /// What became of the client's data after the exit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erasure: Option<ErasureStatus>,
    /// What the delivery model comes to now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryStatus>,
    /// What is billed, in numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing: Option<BillingStatus>,
    /// Who does how many controls of the frameworks in `spec.compliance`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responsibility: Option<ResponsibilityStatus>,
    /// The profile that is in force, what it comes to, and where the client deviates from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileStatus>,
    /// Name of the Handover that ended the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_over_by: Option<String>,
    /// Value of the annotation `caretaker.dev/requested-at` that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_request: Option<String>,
}
