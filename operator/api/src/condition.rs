//! Condition types and reasons, and the standard condition on the wire.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// All conditions of an object. Every type that the kind knows is present from the first visit.
pub type Conditions = Vec<Condition>;

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])* $variant:ident),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[doc = $doc])* $variant),* }
        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];
            /// The word as it stands in the API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => stringify!($variant)),* }
            }
            /// What the word means: the sentences above it.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $($name::$variant => concat!($($doc),*)),* }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What a condition speaks of.
    ConditionType {
        /// Everything asked for is in place (kstatus).
        Ready,
        /// Work is under way towards the current generation (kstatus). Never True together with `Stalled`.
        Reconciling,
        /// Nothing more happens until a person acts (kstatus).
        Stalled,
        /// The ServiceProfile that the client names is in force, in its newest revision or in an earlier one until the client's wave comes. True, with the reason
        /// NotRequested, where none is named.
        ProfileResolved,
        /// The client has named each authorization that its profile asks for.
        AuthorizationsNamed,
        /// Each client of the profile has its newest revision.
        RolledOut,
        /// The client's namespace and its guards are in place.
        NamespaceReady,
        /// A pod in the client's namespace was refused everything that it must be refused, beside things that must work and did. `Ready` is False only where
        /// something is open.
        Isolated,
        /// The grant kit for the client is in its ConfigMap.
        KitPublished,
        /// The role can be assumed and leads to the declared account.
        AccessProven,
        /// The accounts of each parent were listed completely. True, with the reason NotRequested, where there is no parent.
        MembersListed,
        /// The role refuses a caller without the ExternalId and one with a wrong one.
        ConfusedDeputyProtected,
        /// Principals that lead into other clients' accounts are refused.
        ClientsSeparated,
        /// Every permission of the manifest is granted.
        PermissionsSufficient,
        /// Nothing beyond the access profile is granted. A warning: `Ready` does not depend on it.
        LeastPrivilege,
        /// No way into the account ends within 30 days. A warning: `Ready` does not depend on it.
        AccessLasting,
        /// Every planned cell of the last discovery was read completely.
        InventoryComplete,
        /// Assets match neither `include` nor `exclude` of the scope. A warning: it keeps nothing from being Ready.
        ScopeAmbiguous,
        /// The store takes writes, and holds what it took.
        StoreReady,
        /// The client's ledger is whole: no segment is lost, altered or replaced. A warning: `Ready` does not depend on it.
        LedgerIntact,
        /// The monitoring objects are applied.
        MonitoringReady,
        /// The backup plans in the client's accounts are as the policy says.
        BackupsReady,
        /// Everything that the policy selects has a usable recovery point within the RPO. A warning: `Ready` does not depend on it.
        BackupsProtected,
        /// The last restore of a test passed, and nothing of it was left behind. A warning: `Ready` does not depend on it.
        RestoreTested,
        /// The measurements of every day of the month that is over are in the store.
        LevelsCollected,
        /// The report is in the store, as it was made.
        ReportStored,
        /// Every outage that the client's Prometheus knows of has its incident. A warning: `Ready` does not depend on it.
        IncidentsRecorded,
        /// What Prometheus knows of the outage is read up to now; of a closed incident, its record is in the store.
        IncidentFollowed,
        /// Alertmanager holds back pages of an incident that somebody took. True, with the reason NotRequested, where nothing is to be held back.
        PagesHeld,
        /// At the last page test a page for each tier was delivered to its receiver. A warning: `Ready` does not depend on it.
        PagesProven,
        /// Metrics and silences lie on volumes that are bound and as asked for, and the days that are to be kept fit. Unknown, with the reason NotRequested,
        /// where no volume is asked for. A warning: `Ready` does not depend on it.
        DataKept,
        /// The signing key of the provider is at hand.
        SigningKeyReady,
        /// The provider's own cloud identity answers and is the declared one.
        IdentityProven,
        /// No account of a client's goes unread because of the provider's own credentials or projects.
        ClientsReadable,
        /// For each account of a client there is another one that lets the same principal in: beside it a refusal after an exit proves something. A warning:
        /// `Ready` does not depend on it.
        ExitProvable,
        /// No qualification of the provider has expired or expires within 30 days. A warning: `Ready` does not depend on it.
        QualificationsCurrent,
        /// The definitions of Caretaker's kinds in the cluster hold every field of this release. A warning: `Ready` does not depend on it.
        DefinitionsCurrent,
        /// No planned write waits for the client's yes, and no emergency writes without it. A warning: `Ready` does not depend on it.
        ChangesDecided,
        /// The client has said yes to the change.
        ChangeApproved,
        /// The change was applied whole, as it was approved.
        ChangeApplied,
        /// Nothing stands in the way of an exit today. A warning: `Ready` does not depend on it.
        ExitReady,
        /// The bundle is sealed, delivered, read back and verified.
        BundleDelivered,
        /// The client accepted the bundle by its digest.
        Accepted,
        /// A fresh attempt from outside was refused for every account.
        AccessRevoked,
        /// The client was handed over for good.
        HandedOver,
        /// The agreements that regulated data needs are in force. A warning: `Ready` does not depend on it, and the gate `Agreements` does.
        AgreementsInForce,
        /// Each control of the frameworks in `spec.compliance` has somebody who does it, and no override is void. A warning: `Ready` does not depend on it.
        ResponsibilityAssigned,
        /// No deadline of the exit or of an agreement was missed. A warning: `Ready` does not depend on it.
        DeadlinesMet,
        /// The provider's copies of the client's data are erased, but for those that are kept for a stated reason.
        DataErased,
    }
}

words! {
    /// Why a condition has its status.
    Reason {
        /// All is as asked.
        Settled,
        /// First visit: nothing is known yet.
        Pending,
        /// Work is under way.
        Progressing,
        /// The object is paused by annotation.
        Paused,
        /// The spec has faults; the message lists all of them.
        InvalidSpec,
        /// A referenced object does not exist.
        ReferenceMissing,
        /// A client cannot take the newest revision of its profile, and keeps the one that it has.
        ProfileRefused,
        /// An account is read, or a backup lies, in a region that the profile does not allow.
        RegionNotAllowed,
        /// An authorization that the profile asks for is not named.
        AuthorizationMissing,
        /// A changed profile does not go out further until somebody says so.
        RolloutPaused,
        /// An object of that name exists that Caretaker did not make.
        NameTaken,
        /// The account belongs to another client's object.
        AccountClaimed,
        /// The account is the provider's own.
        OwnAccount,
        /// A parent has more accounts than one object takes.
        TooManyMembers,
        /// The parent says that the account is suspended or closed.
        MemberClosed,
        /// The account is no longer in its parent's complete list.
        MemberGone,
        /// The role cannot be assumed yet.
        WaitingForGrant,
        /// The role leads to another account than declared.
        WrongAccount,
        /// A proof succeeded.
        Proven,
        /// A caller who must be refused was let in.
        NotRefused,
        /// Something that must be closed to pods of the client is open.
        WayOpen,
        /// Something that must work did not, so that a refusal beside it proves nothing.
        ControlFailed,
        /// There is nothing beside which a refusal would prove something.
        ControlMissing,
        /// A test could not be made, or did not end.
        TestFailed,
        /// Permissions of the manifest are missing.
        PermissionsMissing,
        /// More is granted than the access profile needs.
        PermissionsExcess,
        /// Something ends soon.
        Expiring,
        /// Some planned cells were not read completely.
        Incomplete,
        /// No cell was planned: coverage cannot be told.
        CoverageUnknown,
        /// Assets match neither `include` nor `exclude`.
        UnclassifiedAssets,
        /// An inventory is lost or damaged in the store.
        InventoryLost,
        /// A report is lost or damaged in the store.
        ReportLost,
        /// The store holds another report of the month, which stays.
        ReportConflict,
        /// More outages than objects may stand for.
        TooManyIncidents,
        /// It was called off.
        Cancelled,
        /// Something stands in the way of an exit.
        ExitBlocked,
        /// Segments of the ledger are lost, altered or replaced in the store.
        LedgerBroken,
        /// Something that the policy selects has no usable recovery point within the RPO.
        NotAllProtected,
        /// Nothing of the inventory has the tag that the policy asks for.
        NothingSelected,
        /// The lock of a vault does not let recovery points be kept as the policy wants it.
        LockForbids,
        /// A cloud cannot do what the policy asks; the message says which form works there.
        NotOffered,
        /// A disk has the schedule of somebody else, and the cloud takes one for each disk.
        ScheduleTaken,
        /// Machines that are covered and run are not watched.
        NotAllWatched,
        /// Pods do not run or are not ready.
        PodsNotReady,
        /// A volume claim has no volume.
        VolumeNotBound,
        /// A volume claim has another size or storage class than is asked for: a claim that was made keeps both.
        VolumeNotAsAsked,
        /// The days that Prometheus is to keep need more than its volume, by a rough figure.
        RetentionDoesNotFit,
        /// The quota of the client's namespace has no room for a volume that is asked for.
        QuotaTooSmall,
        /// What was asked for is not what Prometheus and Alertmanager have loaded.
        NotLoaded,
        /// A way by which a tier is paged, or by which the heartbeat goes, cannot be used: its key of the Secret is missing or holds something else.
        ReceiverUnusable,
        /// No alert of Prometheus arrives at its Alertmanager.
        AlertsLost,
        /// The cloud asked to wait.
        Throttled,
        /// The cloud did not answer.
        Unreachable,
        /// The cloud refused.
        Denied,
        /// The store has no room.
        StoreFull,
        /// The store takes no writes.
        StoreReadOnly,
        /// The store did not answer.
        StoreUnreachable,
        /// The prometheus-operator's definitions are not installed, or it does not run, or it does not watch the client's namespace.
        PrometheusOperatorMissing,
        /// Writing in the client's cloud was not granted; what would be written is shown.
        ObserveOnly,
        /// Something was changed by others and put back.
        DriftRepaired,
        /// Another manager changes a field of ours again and again: it is put back a few times an hour only.
        Contested,
        /// A definition in the cluster is older than the operator and lacks fields.
        SchemaOutdated,
        /// Not asked for.
        NotRequested,
        /// A child object is not ready.
        ChildNotReady,
        /// Waits for the client's yes to a change.
        WaitingForApproval,
        /// The client said no to a change.
        ChangeRejected,
        /// Nobody decided about a change within its window.
        ChangeExpired,
        /// What a change was planned on is not so any more.
        ChangeVoid,
        /// An emergency was declared: what waits for the client's yes is written without it.
        BreakGlass,
        /// Waits for the client's acceptance.
        WaitingForAcceptance,
        /// Waits for the client to run the revocation script.
        WaitingForClient,
        /// The access was revoked by the client, not by us.
        RevokedByClient,
        /// A rehearsal: nothing is revoked.
        Rehearsal,
        /// The client was handed over.
        HandedOver,
        /// A deadline of the exit or of an agreement has passed and was not kept.
        DeadlineMissed,
        /// An agreement that regulated data needs is missing, not yet in force, or expired.
        AgreementMissing,
        /// An override names a control that the framework's list in this release does not have any more.
        OverrideVoid,
        /// The client can still fetch its bundle: nothing is erased yet.
        RetrievalPeriod,
        /// An order keeps the client's data from being erased.
        LegalHold,
        /// A visit failed; it will be tried again.
        Failed,
        /// Credentials of the provider are missing or wrong.
        CredentialsInvalid,
        /// Being deleted.
        Deleting,
    }
}
