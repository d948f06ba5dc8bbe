//! One line of the ledger: who did what to whom, and what came of it.

use caretaker_api::contract::BreakGlass;
use caretaker_api::exit_terms::DataStore;
use caretaker_api::handover::{BundleStatus, FinalReading, Frozen, HandoverStep, RevocationStatus, StepRecord};
use caretaker_api::lifecycle::ClientBaseline;
use caretaker_cloud::{CloudStep, Receipt, RestoreTestTerms, listed};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::contract::Approval;

/// The object in whose name something is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Operation {
    /// Kind, such as `Handover`.
    pub kind: String,
    /// Name.
    pub name: String,
    /// UID: a name can be used again.
    pub uid: String,
}

/// Who asked for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Actor {
    /// Field managers that wrote the object's spec, as the API server noted them, such as `kubectl-create`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub managers: Vec<String>,
    /// The person of the client who accepted the bundle.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub accepted_by: String,
    /// The client's yes to the change that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// The emergency that stood for a yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<BreakGlass>,
}

/// Something that was decided about writes in the client's clouds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Decided {
    /// The client's yes was taken up: the change is begun.
    Approved,
    /// All of the change was done.
    Applied,
    /// A part of the change was done, and the rest is not done any more.
    Failed,
    /// The client said no.
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// What the change was planned on is not so any more.
    Void,
    /// An emergency has begun.
    EmergencyOpened,
    /// An emergency has ended.
    EmergencyEnded,
}

/// A decision, told once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// UID of the ChangeRequest, or the name of the emergency.
    pub about: String,
    /// What was decided.
    pub decided: Decided,
    /// The person; empty where time or the operator decided.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

impl Decision {
    /// One line for a person.
    fn describe(&self) -> String {
        let what = match self.decided {
            Decided::Approved => "the change was approved and is begun",
            Decided::Applied => "the change was applied",
            Decided::Failed => "the change ended before all of it was done",
            Decided::Rejected => "the change was rejected",
            Decided::Expired => "nobody decided about the change in time",
            Decided::Void => "the change is void",
            Decided::EmergencyOpened => "EMERGENCY: what waits for the client's yes is written without it",
            Decided::EmergencyEnded => "the emergency has ended",
        };
        let by = if self.by.is_empty() { String::new() } else { format!(", by {}", self.by) };
        let text = if self.text.is_empty() { String::new() } else { format!(": {}", self.text) };
        format!("{what}{by}{text}")
    }
}

impl Actor {
    fn is_nobody(&self) -> bool {
        *self == Self::default()
    }
}

/// The inventory of one account, as it was frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountBaseline {
    /// CloudAccount.
    pub account: String,
    /// The cloud's own id.
    pub id: String,
    /// SHA-256 of the assets.
    pub digest: String,
    /// Number of assets.
    pub assets: u64,
    /// Complete and planned cells.
    pub coverage: String,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// When it was written.
    pub at: Timestamp,
    /// In whose name.
    pub operation: Operation,
    /// The account or part that it is about; empty where it is about all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Actor::is_nobody")]
    pub by: Actor,
    /// What happened.
    #[serde(flatten)]
    pub body: Body,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", content = "data", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Body {
    /// A write in a client's cloud comes next. Without a receipt or a failure of the same key after it, it is not known whether it was made.
    Intent {
        /// Key of the write: a repeat under it changes nothing more.
        key: String,
        /// In words.
        what: String,
        /// What would take it back, in words; empty where nothing can.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reverse: String,
        /// The write as data.
        step: CloudStep,
    },
    /// The write was made.
    Receipt {
        /// Its key.
        key: String,
        /// What came of it.
        receipt: Receipt,
    },
    /// The write was refused, or nothing came of it.
    Failure {
        /// Its key.
        key: String,
        /// What the cloud said.
        error: String,
    },
    /// Something was decided about what may be written.
    Decision(Decision),
    /// A step of an exit began, waits, or ended.
    Step(StepRecord),
    /// The exit went back to an earlier step: the sealed file was lost before it was delivered.
    Rebuilt {
        /// The step that is done again.
        step: HandoverStep,
    },
    /// What an exit is about.
    Frozen(Frozen),
    /// The last reading of one account.
    Read(Box<FinalReading>),
    /// The bundle that was sealed.
    Sealed(BundleStatus),
    /// What is known of the end of our access to one account.
    Revocation(RevocationStatus),
    /// A write into the client's own destination of bundles.
    Destination {
        /// Address.
        to: String,
        /// In words.
        what: String,
        /// Whether it comes next, was made, or was refused.
        state: WriteState,
        /// What came of it; empty before it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
    },
    /// The erasure of one kind of data that the provider holds of the client.
    Erasure {
        /// Which data.
        store: DataStore,
        /// Whether it comes next, or a listing showed nothing any more.
        state: WriteState,
        /// Objects that were found before it.
        objects: u64,
        /// Their size in bytes, as far as they lay in the store.
        bytes: u64,
    },
    /// The inventories at the beginning of Active, frozen once.
    Baseline {
        /// Their digest and numbers.
        baseline: ClientBaseline,
        /// Each account.
        accounts: Vec<AccountBaseline>,
    },
    /// The certificate of what was erased and what is kept.
    Certified {
        /// Address, relative to the store.
        address: String,
        /// SHA-256 of its bytes, hexadecimal.
        sha256: String,
    },
}

/// How far a write is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WriteState {
    /// It comes next. Without another entry after it, it is not known whether it was made.
    Intended,
    /// It was made.
    Done,
    /// It was refused, or nothing came of it.
    Failed,
}

impl Entry {
    /// One line for a person.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.body {
            Body::Intent { what, .. } => format!("intends: {what}"),
            Body::Receipt { receipt, .. } => format!("done ({:?}): {}", receipt.outcome, receipt.calls.join(", ")),
            Body::Failure { error, .. } => format!("not done: {error}"),
            Body::Decision(decision) => decision.describe(),
            Body::Step(record) if record.message.is_empty() => format!("{:?} {:?}", record.step, record.state),
            Body::Step(record) => format!("{:?} {:?}: {}", record.step, record.state, record.message),
            Body::Rebuilt { step } => format!("goes back to {step:?}: the sealed file was lost"),
            Body::Frozen(frozen) => format!("fixed: {} account(s), {} recipient(s)", frozen.accounts.len(), frozen.recipients.len()),
            Body::Read(reading) if reading.gap.is_empty() => "read".into(),
            Body::Read(reading) => format!("not read: {}", reading.gap),
            Body::Sealed(bundle) => format!("sealed: sha256 {}", bundle.sha256),
            Body::Revocation(revocation) => match &revocation.verified_at {
                Some(at) => format!("our access has ended, proved at {}", at.0),
                None => format!("{} refusal(s); last answer: {}", revocation.refusals, revocation.last_answer),
            },
            Body::Destination { to, what, state: WriteState::Intended, .. } => format!("intends: {what} at {to}"),
            Body::Destination { to, what, state: WriteState::Done, detail } => format!("done: {what} at {to}; {detail}"),
            Body::Destination { to, what, state: WriteState::Failed, detail } => format!("not done: {what} at {to}: {detail}"),
            Body::Erasure { store, state: WriteState::Done, .. } => format!("erased {store:?}: a listing shows nothing of it"),
            Body::Erasure { store, state: WriteState::Failed, .. } => format!("not erased yet: {store:?}"),
            Body::Erasure { store, objects, bytes, .. } => format!("intends: erase {store:?}, {objects} object(s), {bytes} bytes"),
            Body::Baseline { baseline, .. } => {
                let ClientBaseline { digest, accounts, assets, coverage, .. } = baseline;
                format!("baseline frozen: {assets} asset(s) of {accounts} account(s), coverage {coverage}, sha256 {digest}")
            }
            Body::Certified { address, sha256 } => format!("certificate of erasure: {address}, sha256 {sha256}"),
        }
    }
}

/// What takes a write back, in words for the person who may have to; empty where nothing can.
#[must_use]
pub fn reverse(step: &CloudStep) -> String {
    match step {
        CloudStep::CreateVault { region, name } => format!("delete the backup vault {name} in {region}, once it holds no recovery point"),
        CloudStep::CreatePlan { region, name, .. } => format!("delete the backup plan {name} in {region}, after its selections"),
        CloudStep::UpdatePlan { region, name, .. } => {
            format!("make an earlier version of the backup plan {name} in {region} its present one (ListBackupPlanVersions keeps them)")
        }
        CloudStep::CreateSelection { region, plan, name, .. } => format!("delete the selection {name} of the plan {plan} in {region}"),
        CloudStep::DeleteSelection { region, plan_id, .. } => format!("add the selection to the plan {plan_id} in {region} again"),
        CloudStep::CreateSchedule { region, name, .. } => {
            format!("take the snapshot schedule {name} in {region} from its disks, and then delete it; its snapshots stay")
        }
        // Google Cloud keeps no earlier version; its audit log has the request.
        CloudStep::UpdateSchedule { region, name, .. } => {
            format!("set the snapshot schedule {name} in {region} to what it was, as the audit log of the project tells it")
        }
        CloudStep::AttachSchedule { region, name, disks } => {
            format!("take the snapshot schedule {name} in {region} from {}; snapshots that it made stay", listed(disks))
        }
        CloudStep::DetachSchedule { region, name, disks } => {
            format!("attach the snapshot schedule {name} in {region} to {} again", listed(disks))
        }
        CloudStep::SetRestoreTest { terms } => {
            let RestoreTestTerms { region, name, .. } = terms;
            format!("delete the selection {name} of the restore testing plan {name} in {region}, and then the plan")
        }
        // A verdict stands; what was restored is deleted by the cloud in any case.
        CloudStep::NoteRestore { .. } => String::new(),
        CloudStep::StripOwnRole { .. } | CloudStep::CloseOwnRole { .. } | CloudStep::DropLastPolicy { .. } => {
            "apply the grant kit of this account again".into()
        }
        CloudStep::DeleteDelegation { .. } => "deploy the delegation of the grant kit again".into(),
        CloudStep::RemoveBinding { .. } => "run the grant kit of this project again".into(),
    }
}
