//! What is granted beyond what is needed, and every way in: plain data.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::{CloudError, ErrorClass, Result};

/// Most ways in that are looked at one by one. Further ones are counted.
pub const MAX_WAYS: usize = 50;

/// How far a session is narrowed below what our principal is granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Narrowing {
    /// To the actions of its purpose; also where a cloud narrows no sessions, since the grant itself is as narrow there.
    #[default]
    Purpose,
    /// To whole families of actions, such as `ec2:Describe*`: the exact list is too large.
    Families,
    /// Not at all: no list fits.
    Nothing,
}

/// What our principal is granted beyond what was asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExcessReport {
    /// The statements that grant more, sorted by name.
    pub statements: Vec<ExcessStatement>,
    /// What could not be read, in words that are the same at each reading; `None`: all was read. Nothing is concluded from what was not.
    pub unknown: Option<String>,
}

/// One statement, definition or binding that grants more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExcessStatement {
    /// Where it stands, as the client finds it, such as `inline policy extra, statement All`.
    pub name: String,
    /// The permissions or roles beyond, in the cloud's own words.
    pub beyond: Vec<String>,
}

impl ExcessReport {
    /// The same in a fixed order.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.statements.sort();
        self
    }
}

/// Kind of a way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WayKind {
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

impl WayKind {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Role => "Role",
            Self::User => "User",
            Self::AccessKey => "AccessKey",
            Self::Delegation => "Delegation",
            Self::EligibleDelegation => "EligibleDelegation",
            Self::Binding => "Binding",
            Self::Impersonation => "Impersonation",
            Self::ServiceAccountKey => "ServiceAccountKey",
        }
    }
}

/// One way of the provider into the account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WayIn {
    /// Kind.
    pub kind: WayKind,
    /// Who gets in by it, in the cloud's own words.
    pub principal: String,
    /// What it leads to: role, subscription, project, service account.
    pub scope: String,
    /// Roles or policies that it grants.
    pub grants: Vec<String>,
    /// Day of its last use, where the cloud tells.
    pub last_used: Option<Date>,
    /// When it ends by itself, where it does.
    pub expires: Option<Timestamp>,
}

impl WayIn {
    /// A way of which nothing more is known yet.
    #[must_use]
    pub fn new(kind: WayKind, principal: impl Into<String>, scope: impl Into<String>) -> Self {
        Self { kind, principal: principal.into(), scope: scope.into(), grants: Vec::new(), last_used: None, expires: None }
    }
}

/// Every way of the provider into an account, as far as it could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Register {
    /// The ways, sorted.
    pub ways: Vec<WayIn>,
    /// What could not be read, each in words that are the same at each reading. An unread part is never "none".
    pub unread: Vec<String>,
}

impl Register {
    /// Takes an answer apart: what the cloud refuses for good becomes a line of what could not be read, anything else stays an error, and the whole is read
    /// again later.
    ///
    /// # Errors
    /// The answer did not come, or the cloud asked to wait.
    pub fn take<T>(&mut self, what: &str, answer: Result<T>) -> Result<Option<T>> {
        match answer {
            Ok(value) => Ok(Some(value)),
            Err(error) if is_lasting(&error) => {
                self.unread.push(unreadable(what, &error));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The same in a fixed order.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.ways.sort();
        self.unread.sort();
        self.unread.dedup();
        self
    }
}

/// Whether asking again soon would not help.
#[must_use]
pub fn is_lasting(error: &CloudError) -> bool {
    use ErrorClass::{Denied, DeniedOrGone, Invalid, NotEnabled, NotFound, Quota, Unsupported};
    matches!(error.class, Denied | DeniedOrGone | NotFound | NotEnabled | Quota | Invalid | Unsupported)
}

/// A line about what could not be read. Clouds put numbers of their own into messages, so only the code is told.
#[must_use]
pub fn unreadable(what: &str, error: &CloudError) -> String {
    let why = if error.code.is_empty() { format!("{:?}", error.class) } else { error.code.clone() };
    format!("{what}: {} was refused ({why})", error.operation)
}
