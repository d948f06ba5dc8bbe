//! The isolation test of a client's namespace: what a pod in it tried, and what came of it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the isolation test has told.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IsolationStatus {
    /// When the last test ended, whether it told something or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_test: Option<Time>,
    /// Everything that the last test tried. Empty where it told nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 40))]
    pub attempts: Vec<IsolationAttempt>,
    /// The test that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<IsolationRun>,
    /// Value of the annotation `caretaker.dev/isolation-test-at` that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_request: Option<String>,
}

/// A test that is under way.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IsolationRun {
    /// When its pod was made.
    pub started_at: Time,
    /// UID of its pod: another pod of the same name tells nothing.
    pub pod_uid: String,
    /// Attempts that were made without the pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub attempts: Vec<IsolationAttempt>,
}

/// One attempt.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IsolationAttempt {
    /// The thing that was tried, such as `TCP 169.254.169.254:80, the metadata of clouds`.
    pub what: String,
    /// How it must end.
    pub expected: Expected,
    /// How it ended, in words.
    pub seen: String,
    /// Whether it ended as it must.
    pub as_expected: bool,
}

/// How an attempt must end.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expected {
    /// It must work: beside it a refusal proves something.
    Works,
    /// It must be refused.
    Refused,
}

impl Expected {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Works => "Works",
            Self::Refused => "Refused",
        }
    }
}
