//! Session tags of the base credentials, as EKS Pod Identity puts them on. They are transitive: they go with every assumption of a role.
//!
//! Sources of the words and of the order: <https://github.com/aws/aws-cdk-cli/pull/762>, <https://github.com/grafana/grafana/issues/127716>,
//! <https://github.com/aws/containers-roadmap/issues/2413>, <https://github.com/aws-actions/configure-aws-credentials/issues/1898>

use std::collections::BTreeSet;

use axum::body::{Body, Bytes};
use axum::http::Response;

use crate::call::Call;
use crate::fault::error;

/// Most characters of a session's policy; what is left of it beside the tags is counted in percent.
/// Source: <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
const MOST: usize = 2048;
/// Who the caller is in a refusal.
const CALLER: &str = "arn:aws:sts::111111111111:assumed-role/caretaker/eks-prod-caretaker-0-32ac0eb9-1c2d-4e5f-8a9b-0c1d2e3f4a5b";

/// The tags.
#[derive(Clone, Debug, Default)]
pub struct SessionTags {
    /// ARNs of the roles whose trust takes them, which only whoever made the roles knows.
    pub taken_by: BTreeSet<String>,
    /// How much they take of the packed size, in percent. Those of EKS Pod Identity take 74.
    pub percent: usize,
}

impl SessionTags {
    /// What AWS says before it looks at anything else; `None` where the emulator decides. Sessions carry the tags on, and are asked for nothing more here.
    pub(crate) fn refusal(&self, call: &Call, is_base: bool) -> Option<Response<Body>> {
        if call.service != "sts" || call.action != "AssumeRole" || !is_base {
            return None;
        }
        let role = call.parameter("RoleArn").unwrap_or_default();
        if !self.taken_by.contains(&role) {
            let message = format!("User: {CALLER} is not authorized to perform: sts:TagSession on resource: {role}");
            return Some(error(call, 403, "AccessDenied", &message, None));
        }
        let policy = call.parameter("Policy").map_or(0, |policy| policy.len());
        let packed = self.percent + policy * 100 / MOST;
        let message = match (packed > 100, policy) {
            (false, _) => return None,
            (true, 0) => format!("Packed size of session tags consumes {packed}% of allotted space."),
            (true, _) => format!("Packed policy consumes {packed}% of allotted space, please use smaller policy."),
        };
        Some(error(call, 400, "PackedPolicyTooLarge", &message, None))
    }
}

/// Of a caller with tags AWS names `sts:TagSession`, whatever it is that the role's trust does not take.
pub(crate) fn worded(call: &Call, body: Bytes) -> Bytes {
    if call.service != "sts" || call.action != "AssumeRole" {
        return body;
    }
    String::from_utf8_lossy(&body).replace("not authorized to perform: sts:AssumeRole", "not authorized to perform: sts:TagSession").into()
}
