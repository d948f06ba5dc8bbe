//! The rules: who must act, until when, and what helps. Each is a table, so that two clients with the same condition are told the same.

use caretaker_api::agreements::Party;
use caretaker_api::condition::{ConditionType, Reason};
use jiff::{SignedDuration, Timestamp};

use super::days;

/// Time to open a gate that no condition tells.
pub(super) const GATE: SignedDuration = days(14);

/// Reasons that only the client can end: its grant, its word, its cloud's refusal, and its own data.
const CLIENTS: [Reason; 11] = [
    Reason::WaitingForGrant,
    Reason::WrongAccount,
    Reason::PermissionsMissing,
    Reason::PermissionsExcess,
    Reason::NotRefused,
    Reason::Denied,
    Reason::WaitingForApproval,
    Reason::ChangeExpired,
    Reason::WaitingForAcceptance,
    Reason::WaitingForClient,
    Reason::ObserveOnly,
];

/// Who must act on a condition with this reason. What can be on either side is the provider's: it looks first.
#[must_use]
pub fn owner(kind: ConditionType, reason: &str) -> Party {
    let is_the_clients = CLIENTS.iter().any(|known| known.as_str() == reason);
    // What the isolation test found open is the cluster's, and the cluster is the provider's.
    let is_the_clusters = kind == ConditionType::Isolated;
    let is_expiring = kind == ConditionType::AccessLasting && reason == Reason::Expiring.as_str();
    if (is_the_clients && !is_the_clusters) || is_expiring { Party::Client } else { Party::Provider }
}

/// Until when a condition is to be cured that has not been as it should be since a moment.
pub(super) fn due(kind: ConditionType, since: Timestamp) -> Timestamp {
    use ConditionType as Kind;
    let within = match kind {
        // The time was over when it began.
        Kind::AgreementsInForce | Kind::DeadlinesMet => days(0),
        // Data can be lost, or be seen by others, while it lasts.
        Kind::AccessProven
        | Kind::ConfusedDeputyProtected
        | Kind::ClientsSeparated
        | Kind::Isolated
        | Kind::StoreReady
        | Kind::LedgerIntact
        | Kind::MonitoringReady
        | Kind::BackupsProtected
        | Kind::IncidentsRecorded
        | Kind::IncidentFollowed
        | Kind::PagesProven
        | Kind::AccessRevoked => days(1),
        // The service is not what was agreed.
        Kind::NamespaceReady
        | Kind::MembersListed
        | Kind::InventoryComplete
        | Kind::BackupsReady
        | Kind::SigningKeyReady
        | Kind::IdentityProven
        | Kind::ClientsReadable
        | Kind::Ready
        | Kind::Stalled => days(3),
        // It helps, and nothing waits for it.
        Kind::LeastPrivilege
        | Kind::AccessLasting
        | Kind::ScopeAmbiguous
        | Kind::RestoreTested
        | Kind::ExitReady
        | Kind::ExitProvable
        | Kind::ResponsibilityAssigned
        | Kind::QualificationsCurrent
        | Kind::DefinitionsCurrent => days(30),
        _ => days(7),
    };
    since.saturating_add(within).unwrap_or(Timestamp::MAX)
}

/// What helps.
pub(super) const fn cure(kind: ConditionType) -> &'static str {
    use ConditionType as Kind;
    match kind {
        Kind::NamespaceReady => "correct what the message names; others must not write what the operator owns",
        Kind::Isolated => "close what is open, and run kubectl caretaker isolation CLIENT --run",
        Kind::KitPublished => "see why the ConfigMap of the grant kit is not written: its name may be taken",
        Kind::AccessProven => "the client applies the grant kit: kubectl caretaker kit CLIENT --to FOLDER",
        Kind::MembersListed => "the client grants the listing of its parent: apply the parent's grant kit",
        Kind::ConfusedDeputyProtected => "the client applies the grant kit again: its role must demand the ExternalId",
        Kind::ClientsSeparated => "take the foreign principal out of the role's trust: kubectl caretaker access CLIENT",
        Kind::PermissionsSufficient => "the client applies the grant kit again: permissions of the manifest are missing",
        Kind::LeastPrivilege => "the client takes away what is too much: kubectl caretaker access CLIENT",
        Kind::AccessLasting => "renew what ends before it does: kubectl caretaker access CLIENT",
        Kind::InventoryComplete => "see which parts were not read and why: kubectl caretaker coverage CLIENT",
        Kind::ScopeAmbiguous => "say in spec.scope whether these assets are covered or excluded",
        Kind::StoreReady => "make room in the store, or let it be written: the provider's storage",
        Kind::LedgerIntact => "put the segments back from a copy of the store: kubectl caretaker ledger verify CLIENT",
        Kind::MonitoringReady => "see the MonitoringStack: kubectl caretaker status CLIENT",
        Kind::BackupsReady => "see what is planned and what waits: kubectl caretaker backups CLIENT",
        Kind::BackupsProtected => "see each asset with its cure: kubectl caretaker backups CLIENT",
        Kind::RestoreTested => "see why the restore did not pass, and repeat it",
        Kind::LevelsCollected => "see which days are missing: kubectl caretaker report CLIENT",
        Kind::ReportStored => "see the ServiceReport: the store lost it or holds another",
        Kind::IncidentsRecorded | Kind::IncidentFollowed => "see why Prometheus does not answer: kubectl caretaker incidents CLIENT",
        Kind::PagesHeld => "see why Alertmanager takes no silence: kubectl caretaker incidents CLIENT",
        Kind::PagesProven => "correct the tier's receiver, and try it: kubectl caretaker page-test CLIENT",
        Kind::ChangesDecided | Kind::ChangeApproved => "the client decides: kubectl caretaker changes CLIENT",
        Kind::ChangeApplied => "see which step failed: kubectl caretaker changes show CLIENT CHANGE",
        Kind::ExitReady => "clear what stands in the way: kubectl caretaker readiness CLIENT",
        Kind::BundleDelivered => "see the Handover: the store or the client's destination takes no bundle",
        Kind::Accepted => "the client accepts its bundle by its digest: kubectl caretaker accept CLIENT",
        Kind::AccessRevoked => "the client runs the revocation script of its bundle, or sees why it is not refused",
        Kind::AgreementsInForce => "sign the agreement, and record it in spec.agreements",
        Kind::ResponsibilityAssigned => "correct or take out the override: kubectl caretaker responsibility CLIENT",
        Kind::DeadlinesMet => "do what was missed, and tell the other side: kubectl caretaker closing CLIENT",
        Kind::DataErased => "see what keeps the data from being erased: kubectl caretaker closing CLIENT",
        _ => "see what the message says: kubectl caretaker status CLIENT",
    }
}
