//! A failed call, and how its visit is tried again.

use std::time::Duration;

use caretaker_api::condition::Reason;
use caretaker_cloud::{CloudError, ErrorClass};
use caretaker_core::outcome::{FailureClass, Outcome, Wait};

/// Wait after a throttled call whose answer named none.
const THROTTLED_DEFAULT: Duration = Duration::from_secs(30);

/// Wait before a name that is taken is tried again: whoever cures it sees the effect soon.
const TAKEN_PAUSE: Duration = Duration::from_secs(30);

/// A call that failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A call to the API server.
    #[error("{operation}: {}", explain(source))]
    Kubernetes {
        /// What was tried, such as `apply ConfigMap client-a/kit`.
        operation: String,
        /// Why it failed.
        source: Box<kube::Error>,
    },
    /// A call to a cloud.
    #[error("{0}")]
    Cloud(#[source] CloudError),
    /// A call to the store.
    #[error("{0}")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A local file or computation.
    #[error("{operation}: {message}")]
    Local {
        /// What was tried.
        operation: String,
        /// Why it failed.
        message: String,
    },
    /// An object of the name exists that we did not make, or that has lost the reference to its owner.
    #[error("{0} exists and does not name this object as its owner: delete it, and it is made anew; if it is somebody else's, rename it")]
    NameTaken(String),
}

/// The API server's own words, which name the field; the error's Display repeats them with noise.
fn explain(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        other => other.to_string(),
    }
}

impl Failure {
    /// A failed call to the API server.
    pub fn kubernetes(operation: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let operation = operation.into();
        move |source| Self::Kubernetes { operation, source: Box::new(source) }
    }

    /// A failed call to the store.
    pub fn store(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Store(Box::new(error))
    }

    /// A failed local operation.
    pub fn local(operation: impl Into<String>, message: impl ToString) -> Self {
        Self::Local { operation: operation.into(), message: message.to_string() }
    }

    /// How the visit is tried again.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Kubernetes { source, .. } => match source.as_ref() {
                kube::Error::Api(status) if status.code == 409 => FailureClass::Conflict,
                _ => FailureClass::Transient,
            },
            Self::Cloud(error) => match error.class {
                ErrorClass::Throttled(after) => FailureClass::Throttled(after.unwrap_or(THROTTLED_DEFAULT)),
                _ => FailureClass::Transient,
            },
            Self::Store(_) | Self::Local { .. } | Self::NameTaken(_) => FailureClass::Transient,
        }
    }

    /// The outcome of a visit that ended with this failure. A name that is taken is a wait for a person, who is told at once.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        if let Self::NameTaken(_) = self {
            return Outcome::Waiting(Wait { reason: Reason::NameTaken, message: self.to_string(), after: TAKEN_PAUSE });
        }
        Outcome::Failed(self.class(), self.to_string())
    }
}
