//! Faults on demand.

use serde_json::{Value, json};

use crate::envelope;
use crate::request::{Answer, Request};
use crate::world::World;

/// How a call fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// 403.
    Denied,
    /// 429 with the header, with the detail, with both or with neither.
    Throttled {
        /// `Retry-After` in seconds.
        retry_after: Option<u64>,
        /// Delay of RetryInfo, such as `4s`.
        retry_info: Option<String>,
    },
    /// This status with UNAVAILABLE or INTERNAL.
    Server(u16),
    /// The call is done, and the answer is 503.
    DoneAndLost,
    /// Something else than JSON.
    Garbled,
    /// JSON, but no object, as a proxy may answer.
    NoObject,
    /// The page's token names the page itself.
    RepeatedToken,
    /// The page has no rows but a token.
    EmptyPage,
    /// An API is off in a project.
    Disabled {
        /// The API.
        service: String,
        /// `projects/ID` or `projects/NUMBER`.
        consumer: String,
    },
    /// A quota is used up.
    Exhausted {
        /// `projects/ID` or `projects/NUMBER`.
        consumer: String,
        /// Such as `1/min/{project}`.
        unit: String,
    },
    /// The caller's token expires just before the call.
    Expired,
    /// Somebody changes the service account's policy just before the call.
    ChangedMeanwhile,
}

/// A fault of some calls. The first that fits a call wins.
#[derive(Clone, Debug)]
pub struct Fault {
    /// How.
    pub kind: FaultKind,
    /// Name of the calls, or its beginning.
    pub call: String,
    /// What one of the asked asset types must contain; `None` for all questions.
    pub asset_type: Option<String>,
    /// Calls that pass before the first fails.
    pub skip: u32,
    /// Calls that fail; `None` for all.
    pub times: Option<u32>,
    /// Of the calls that fit, only each one with a number that this divides fails.
    pub each: u32,
    /// Calls that fitted so far.
    pub(crate) fitted: u32,
}

impl Fault {
    /// A fault of all calls whose name starts with `call`.
    pub fn of(call: &str, kind: FaultKind) -> Self {
        Self { kind, call: call.into(), asset_type: None, skip: 0, times: None, each: 1, fitted: 0 }
    }

    /// Only of questions for such asset types.
    #[must_use]
    pub fn about(mut self, asset_type: &str) -> Self {
        self.asset_type = Some(asset_type.into());
        self
    }

    /// Only after so many calls.
    #[must_use]
    pub fn after(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// Only of so many calls.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Only of each call with a number that this divides.
    #[must_use]
    pub fn each(mut self, each: u32) -> Self {
        self.each = each.max(1);
        self
    }

    pub(crate) fn fits(&self, request: &Request) -> bool {
        let asked = request.query.get("assetTypes").map(Vec::as_slice).unwrap_or_default();
        let is_about = self.asset_type.as_ref().is_none_or(|kind| asked.iter().any(|asked| asked.contains(kind)));
        self.times != Some(0) && request.call.starts_with(&self.call) && is_about
    }
}

/// The answer of a call that fails before anything is done.
pub fn before(world: &mut World, request: &Request, kind: &FaultKind) -> Option<Answer> {
    match kind {
        FaultKind::Denied => Some(envelope::error(403, "PERMISSION_DENIED", "The caller does not have permission")),
        FaultKind::Throttled { retry_after, retry_info } => {
            let details: Vec<Value> = retry_info.iter().map(|delay| envelope::retry_info(delay)).collect();
            let mut answer = envelope::detailed(429, "RESOURCE_EXHAUSTED", "Too many requests.", details);
            answer.retry_after = *retry_after;
            Some(answer)
        }
        FaultKind::Server(status) => {
            let name = if *status == 503 { "UNAVAILABLE" } else { "INTERNAL" };
            Some(envelope::error(*status, name, "The service is currently unavailable."))
        }
        FaultKind::Disabled { service, consumer } => Some(envelope::disabled(service, consumer)),
        FaultKind::Exhausted { consumer, unit } => Some(envelope::exhausted(consumer, unit, None)),
        FaultKind::Garbled => Some(Answer { is_garbled: true, ..Answer::ok(json!({})) }),
        FaultKind::NoObject => Some(Answer { is_garbled: true, ..Answer::ok(json!([])) }),
        FaultKind::Expired => {
            world.expire(request.bearer.as_deref());
            None
        }
        FaultKind::ChangedMeanwhile => {
            if let Some(account) = world.accounts.get_mut(&request.resource) {
                account.policy.bind("roles/iam.serviceAccountUser", "user:colleague@client.example");
            }
            None
        }
        FaultKind::DoneAndLost | FaultKind::RepeatedToken | FaultKind::EmptyPage => None,
    }
}

/// Spoils an answer of a call that is done.
pub fn after(answer: &mut Answer, request: &Request, kind: &FaultKind) {
    match kind {
        FaultKind::DoneAndLost => *answer = envelope::error(503, "UNAVAILABLE", "The service is currently unavailable."),
        FaultKind::RepeatedToken if answer.status == 200 => {
            answer.body["nextPageToken"] = request.parameter("pageToken").unwrap_or("repeated").into();
        }
        // The same question again brings the rows.
        FaultKind::EmptyPage if answer.status == 200 => {
            let same = crate::assets::token_of(request, crate::assets::offset(request).unwrap_or_default());
            answer.body = json!({"nextPageToken": same});
        }
        _ => {}
    }
}
