//! Errors as classes that a caller can act on.

use std::time::Duration;

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// The cloud refused. Never tried again within a run.
    Denied,
    /// The cloud refused in words that it also uses of an account that is gone: it tells nobody which of the two it is.
    DeniedOrGone,
    /// The thing does not exist.
    NotFound,
    /// The cloud asked to wait, for this long where it said so.
    Throttled(Option<Duration>),
    /// Somebody else changed it meanwhile, or it exists in another form.
    Conflict,
    /// No answer, or an answer of the server's own failure.
    Unreachable,
    /// The session has expired; a new one may help.
    Expired,
    /// The service, region or API is switched off in this account.
    NotEnabled,
    /// The session leads to another account than the grant names.
    WrongAccount,
    /// Our own credentials are missing or wrong: the provider's fault, not the client's.
    Credentials,
    /// A quota of the account is used up. Waiting does not help.
    Quota,
    /// The request was malformed: our fault.
    Invalid,
    /// This cloud or release cannot do it.
    Unsupported,
    /// The receiver of the assets failed.
    Sink,
}

/// An error from a cloud. It never holds a secret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation}: {message}")]
pub struct CloudError {
    /// What to do about it.
    pub class: ErrorClass,
    /// The call that failed, such as `sts:AssumeRole`.
    pub operation: String,
    /// The cloud's own code, such as `AccessDenied`; empty where none came.
    pub code: String,
    /// What happened, for a person.
    pub message: String,
}

/// Code of an error that is a proxy's of ours: the provider's matter, and no client's.
const OWN_PROXY: &str = "OwnProxy";

impl CloudError {
    /// No answer came, and a proxy of ours is why.
    pub fn at_own_proxy(operation: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Unreachable, operation, message).with_code(OWN_PROXY)
    }

    /// Whether a proxy of ours is why no answer came.
    #[must_use]
    pub fn is_at_own_proxy(&self) -> bool {
        self.code == OWN_PROXY
    }

    /// An error of `class` from `operation`.
    pub fn new(class: ErrorClass, operation: impl Into<String>, message: impl Into<String>) -> Self {
        Self { class, operation: operation.into(), code: String::new(), message: message.into() }
    }

    /// The same with the cloud's own code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = code.into();
        self
    }

    /// A connector was given the grant of another cloud: our own fault.
    #[must_use]
    pub fn other_cloud() -> Self {
        Self::new(ErrorClass::Invalid, "connect", "the grant is of another cloud than the connector")
    }

    /// Members were asked of a session that leads into one account.
    #[must_use]
    pub fn not_a_parent() -> Self {
        Self::new(ErrorClass::Unsupported, "members", "this session leads into one account, not to a parent of many")
    }

    /// Whether the cloud itself said no: the only classes that prove a refusal.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self.class, ErrorClass::Denied | ErrorClass::DeniedOrGone)
    }
}
