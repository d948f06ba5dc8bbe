//! The permission manifest: every call that Caretaker makes, by purpose, with the permission and the reason. The grant kits, the session policies, the
//! check of granted permissions and the printed list of calls are made from this one table; what reading each type needs is in
//! [`crate::catalog`].

use crate::model::Purpose;

pub(crate) mod action;
mod aws;
mod azure;
mod gcp;

pub use action::{Action, On};

use aws::{AWS_ENTRY, BACKUP, MEMBERS, READ, RESTORE_TEST, REVOKE};
use azure::{AZURE_ENTRY, AZURE_MEMBERS, AZURE_READ, AZURE_REVOKE};
use gcp::{GCP_BACKUP, GCP_ENTRY, GCP_MEMBERS, GCP_READ, GCP_REVOKE};

/// The calls by which we get into an AWS account, made with our own credentials.
#[must_use]
pub fn aws_entry() -> &'static [Action] {
    AWS_ENTRY
}

/// The actions that a purpose needs on AWS.
#[must_use]
pub fn aws_actions(purpose: Purpose) -> &'static [Action] {
    match purpose {
        Purpose::Read => &READ,
        Purpose::Backup => BACKUP,
        Purpose::RestoreTest => RESTORE_TEST,
        Purpose::Revoke => REVOKE,
        Purpose::Members => MEMBERS,
    }
}

/// The calls by which we get into a project.
#[must_use]
pub fn gcp_entry() -> &'static [Action] {
    GCP_ENTRY
}

/// The permissions that a purpose needs on Google Cloud. Reading what we hold needs none: everybody may test their own permissions.
#[must_use]
pub fn gcp_permissions(purpose: Purpose) -> &'static [Action] {
    match purpose {
        Purpose::Read => &GCP_READ,
        Purpose::Backup => GCP_BACKUP,
        // Restores are not tested on Google Cloud in this release.
        Purpose::RestoreTest => &[],
        Purpose::Revoke => GCP_REVOKE,
        Purpose::Members => GCP_MEMBERS,
    }
}

/// The calls by which we get into a subscription.
#[must_use]
pub fn azure_entry() -> &'static [Action] {
    AZURE_ENTRY
}

/// The actions that a purpose needs on Azure. Making backups there is not supported yet, so nothing is asked for it.
#[must_use]
pub fn azure_actions(purpose: Purpose) -> &'static [Action] {
    match purpose {
        Purpose::Read => &AZURE_READ,
        Purpose::Backup | Purpose::RestoreTest => &[],
        Purpose::Revoke => AZURE_REVOKE,
        Purpose::Members => AZURE_MEMBERS,
    }
}

/// A role that is built into Azure. A delegation can grant no other kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AzureRole {
    /// Id, the same in every tenant.
    pub id: &'static str,
    /// Name as Azure shows it.
    pub name: &'static str,
    /// What it is needed for, for the client's reader.
    pub why: &'static str,
}

/// Azure's role that reads everything but keys and contents.
pub const AZURE_READER: AzureRole = AzureRole {
    id: "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    name: "Reader",
    why: "read the inventory and our own permissions; no keys, no contents",
};

/// Azure's role that ends the delegation it is part of.
pub const AZURE_DELEGATION_DELETE: AzureRole = AzureRole {
    id: "91c1777a-f3dc-4fae-b103-61d183457e46",
    name: "Managed Services Registration assignment Delete Role",
    why: "end our own delegation when the contract ends; without it only you can",
};

/// The roles that hold the actions of a purpose.
#[must_use]
pub fn azure_roles(purpose: Purpose) -> &'static [AzureRole] {
    match purpose {
        Purpose::Read => &[AZURE_READER],
        Purpose::Backup | Purpose::RestoreTest => &[],
        Purpose::Revoke => &[AZURE_DELEGATION_DELETE],
        // What lists is part of the role for reading.
        Purpose::Members => &[],
    }
}

/// Where the register of ways in looks, and where it does not: what is not named in either is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// What is read.
    pub looked_at: &'static [&'static str],
    /// Further places where a provider can have a way in, which a person must look at.
    pub not_looked_at: &'static [&'static str],
}

/// The register's sight on AWS.
pub const AWS_SIGHT: Sight = Sight {
    looked_at: &[
        "every role whose trust policy names the provider's account or principal, or everybody",
        "users, with their access keys, whose name begins with caretaker or whose path names caretaker or the provider's account",
    ],
    not_looked_at: &[
        "IAM users under other names, and what a user's policies and groups allow",
        "SAML and OIDC providers, and IAM Identity Center",
        "policies of single resources (buckets, keys, queues, vaults), grants of keys, RAM shares",
        "delegated administrators and roles in other accounts of the organisation",
    ],
};

/// The register's sight on Azure.
pub const AZURE_SIGHT: Sight = Sight {
    looked_at: &["every Lighthouse delegation of the subscription to the provider's tenant, standing and eligible authorizations"],
    not_looked_at: &[
        "role assignments of guests, service principals and managed identities in the client's own tenant",
        "delegations of management groups, GDAP relationships, and a reseller's administrators",
        "diagnostic settings, keys of stores, and secrets of applications",
    ],
};

/// The register's sight on Google Cloud.
pub const GCP_SIGHT: Sight = Sight {
    looked_at: &[
        "bindings on the project of our service account, of the provider's principal, and of service accounts of the provider's project",
        "everybody who may use our service account, and its keys that people made, with the day of their last use",
    ],
    not_looked_at: &[
        "bindings inherited from folders and the organisation, and those of single resources",
        "groups that somebody of the provider's is a member of, and keys of other service accounts",
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_says_what_is_called_and_why_and_no_wildcard_is_asked_for() {
        let purposes = [Purpose::Read, Purpose::Backup, Purpose::RestoreTest, Purpose::Revoke, Purpose::Members];
        for table in [aws_actions, azure_actions, gcp_permissions] {
            for action in purposes.into_iter().flat_map(table) {
                assert!(!action.name.is_empty() && !action.name.contains(['*', '?']), "{action:?}");
            }
            for purpose in purposes {
                let mut names: Vec<&str> = table(purpose).iter().map(|action| action.name).collect();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), table(purpose).len(), "a permission stands once in a purpose: {purpose:?}");
            }
        }
        let entries = [aws_entry(), azure_entry(), gcp_entry()];
        let all = purposes.into_iter().flat_map(|purpose| [aws_actions(purpose), azure_actions(purpose), gcp_permissions(purpose)]);
        for action in entries.into_iter().chain(all).flatten() {
            assert!(!action.call.is_empty() && !action.why.is_empty(), "{action:?}");
        }
    }
}
