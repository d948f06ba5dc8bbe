//! Words of a status that are compared: each is an enum, and in the API each value is its own name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A word of another release is read as `Unknown`: an object that could not be read at all would keep its whole kind from being served.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident),* $(,)? }) => {
        $(#[$meta])*
        #[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vmeta])* $variant,)*
            /// A word that this release does not know.
            #[default]
            #[serde(other)]
            Unknown,
        }
        impl $name {
            /// The word in the API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)*
                    Self::Unknown => "Unknown",
                }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words! {
    /// Who closes the way into an account at the end.
    RevokedBy {
        /// The operator, where it may revoke.
        Operator,
        /// The client, who runs the script.
        Client,
    }
}

words! {
    /// How far a backup policy is in one account and region.
    PlanState {
        /// All is as the policy says.
        InSync,
        /// Observe only: it is shown what would be written.
        Planned,
        /// The last write failed.
        Failed,
        /// Something stands in the way that no write of ours mends.
        Blocked,
    }
}

words! {
    /// How far a change is.
    ChangeState {
        /// It waits for the client's word.
        Proposed,
        /// The client said yes; it is begun at the next visit of its policy.
        Approved,
        /// It was begun.
        Applying,
        /// All of it was done.
        Applied,
        /// The client said no.
        Rejected,
        /// Nobody decided within its window.
        Expired,
        /// What it was planned on has changed since: nothing of it was done.
        Void,
        /// A part of it was done, and the rest is not done any more.
        Failed,
    }
}

words! {
    /// Whether an asset can be restored as its policy wants it.
    BackupState {
        /// It has a usable recovery point within the RPO.
        Protected,
        /// Its first recovery point is not due yet.
        Waiting,
        /// It has no usable recovery point.
        Unprotected,
        /// Its newest usable recovery point is older than the RPO.
        Stale,
        /// It has no usable recovery point within the RPO, and its last job failed.
        Failing,
        /// It has lost the tag, and what was saved of it runs out.
        Unselected,
    }
}

words! {
    /// What came of a restore.
    RestoreResult {
        /// The disk was restored and can be used.
        Passed,
        /// It was not restored, or cannot be used.
        Failed,
        /// It did not end.
        TimedOut,
    }
}

words! {
    /// Kind of a way into an account.
    WayKind {
        /// A role that trusts the provider.
        Role,
        /// A user of the provider's.
        User,
        /// A user's access key.
        AccessKey,
        /// A standing authorization of a delegation.
        Delegation,
        /// An authorization that a person of the provider's can switch on for a time.
        EligibleDelegation,
        /// A binding on the project.
        Binding,
        /// A right to act as our service account.
        Impersonation,
        /// A key of our service account.
        ServiceAccountKey,
    }
}

words! {
    /// Why a cell was not read completely.
    GapVerdict {
        /// Some came, not all.
        Partial,
        /// The cloud refused.
        Denied,
        /// The cloud asked to wait.
        Throttled,
        /// No answer.
        Unreachable,
        /// Switched off in this account.
        Disabled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_its_own_name_and_one_of_another_release_stops_nothing() {
        assert_eq!(serde_json::to_value(GapVerdict::Throttled).unwrap(), GapVerdict::Throttled.as_str());
        let cases = [
            ("a word of ours", "InSync", PlanState::InSync),
            ("a word of another release", "Waiting", PlanState::Unknown),
            ("no word at all", "", PlanState::Unknown),
        ];
        for (reason, word, expected) in cases {
            assert_eq!(serde_json::from_value::<PlanState>(word.into()).unwrap(), expected, "{reason}");
        }
        assert_eq!(format!("{:<8}|", PlanState::InSync), "InSync  |");
    }
}
