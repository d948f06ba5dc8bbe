//! Answers in the form that Azure gives them.

use serde_json::{Value, json};

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers besides the content type.
    pub headers: Vec<(&'static str, String)>,
    /// Body; `Null` for none.
    pub body: Value,
    /// Cut the body's text off in the middle.
    pub cut: bool,
}

impl Reply {
    /// An answer of success.
    #[must_use]
    pub fn ok(body: Value) -> Self {
        Self { status: 200, headers: Vec::new(), body, cut: false }
    }

    /// An answer without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Value::Null, cut: false }
    }

    /// An error in Resource Manager's envelope.
    #[must_use]
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self { body: json!({"error": {"code": code, "message": message}}), ..Self::empty(status) }
    }

    /// The same with a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The subscription is not there, or the caller may not see it: Azure does not say which.
    #[must_use]
    pub fn no_subscription(id: &str) -> Self {
        Self::error(404, "SubscriptionNotFound", &format!("The subscription '{id}' could not be found."))
    }

    /// The caller may not do this.
    #[must_use]
    pub fn denied(action: &str) -> Self {
        let message =
            format!("The client does not have authorization to perform action '{action}' over the scope, or the scope is invalid.");
        Self::error(403, "AuthorizationFailed", &message)
    }
}
