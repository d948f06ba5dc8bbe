//! 00: what the receiver reads first.

use caretaker_api::handover::HandoverMode;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Part, monitoring};
use crate::handover::contents::Inputs;
use crate::handover::redact;
use crate::kit::BACKUP_ROLE;

/// Hours that the receiver has for the first steps.
const SOON: SignedDuration = SignedDuration::from_hours(48);

/// The part. `documents` writes it.
pub(super) struct ReadMe;

impl Part for ReadMe {
    fn path(&self) -> &'static str {
        "00-READ-ME-FIRST.md"
    }

    fn holds(&self) -> &'static str {
        "what this is, how to check it, what to do first"
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FirstStep {
    /// What.
    pub what: String,
    /// By when, for people.
    pub by: String,
}

/// What the receiver does first, in this order.
#[must_use]
pub fn first_steps(inputs: &Inputs<'_>) -> Vec<FirstStep> {
    let at = inputs.frozen.at.as_ref().map_or(Timestamp::UNIX_EPOCH, |at| at.0);
    let soon = day(at, SOON);
    let mut steps = Vec::new();
    let mut step = |what: String, by: &str| steps.push(FirstStep { what, by: by.to_owned() });
    step("Check that the bundle is genuine and whole, as `00-READ-ME-FIRST.md` says.".into(), "before anything else");
    let gaps = inputs.gaps().len();
    step(format!("Read the {gaps} gap(s) in `14-gaps.json`, and ask the provider for what you need of them."), &soon);
    if inputs.mode == HandoverMode::Final {
        step("Accept the bundle or refuse it, as `15-acceptance.json` says. Acceptance lets the provider's access end.".into(), &soon);
        step("Close the provider's access with the scripts in `03-access`, or see that it is closed.".into(), &soon);
    }
    if !inputs.monitoring.is_empty() {
        let count = monitoring::placeholders(inputs).len();
        let what =
            format!("Apply `05-monitoring` in a cluster of your own, and put your own addresses in place of its {count} placeholder(s).");
        step(what, "before the provider's monitoring ends");
    }
    let days = inputs.policies.iter().map(|policy| policy.spec.terms.retention_days).min();
    if let Some(days) = days {
        let last = day(at, SignedDuration::from_hours(24 * i64::from(days)));
        let what = "Restore one machine from a backup, and make backups of your own: the recovery points end one by one.";
        step(what.into(), &format!("{last}, when the last point of this day ends"));
    }
    if !inputs.backup_accounts().is_empty() {
        let what = format!(
            "Keep the role `{BACKUP_ROLE}` in each account that `06-backup/keep.json` names: without it no backup is made and none restored."
        );
        step(what, "before you delete any stack of the provider's");
    }
    for service in &inputs.client.spec.external_services {
        let by = if service.renewal.is_empty() { "before the provider leaves" } else { &service.renewal };
        let owner = service.owner.as_str().to_lowercase();
        let what =
            format!("The service {} ({}), whose contract the {owner} has: {}", service.name, service.model.as_str(), service.exit_step);
        step(redact::text(&what), by);
    }
    steps
}

/// The day in UTC that lies so far behind a time.
fn day(at: Timestamp, further: SignedDuration) -> String {
    at.saturating_add(further).map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}
