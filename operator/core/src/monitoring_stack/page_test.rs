//! A page test: for each tier one alert of its own, and what Alertmanager says that became of it. One tier after the other, since Alertmanager counts what it
//! delivers and does not say for which receiver.
//! Source: <https://github.com/prometheus/alertmanager/blob/main/notify/notify.go> (`alertmanager_notification_requests_total` counts answered attempts).

use std::time::Duration;

use caretaker_api::MonitoringStack;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::monitoring_stack::{MonitoringStackStatus, PageResult, PageTestStatus, PageTrial};
use caretaker_api::names::PAGE_TEST_AT;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::{Answer, Observed, receiver_of, tiers_in_order};
use crate::conditions::{ConditionSet, Is};

/// Name of the alert.
pub const PAGE_TEST: &str = "CaretakerPageTest";

/// Time between two looks at a test that lasts.
pub(super) const LOOK: Duration = Duration::from_secs(5);
/// How long a page may take: Alertmanager waits 30 s before the first page of a group.
const PATIENCE: SignedDuration = SignedDuration::from_secs(120);
/// Time between two tests. Alertmanager tells the end of the alerts of the first one five minutes later, and that must not be taken for pages of the second.
const APART: SignedDuration = SignedDuration::from_mins(6);

/// What Alertmanager says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Attempts at a webhook that were answered, or came to an error.
    pub requests: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Receivers of the alert of the test.
    pub receivers: Vec<String>,
    /// Alerts that are active, but for this one and the one that always fires.
    pub others: usize,
}

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// An alert for a tier, in a group of its own.
    Begin {
        /// The tier.
        tier: String,
        /// The request, which makes the group.
        request: String,
    },
    /// The end of that alert.
    End {
        /// The tier.
        tier: String,
        /// The request.
        request: String,
    },
}

/// Whether a test is under way, or asked for.
#[must_use]
pub fn is_due(stack: &MonitoringStack) -> bool {
    let test = stack.status.as_ref().and_then(|status| status.page_test.as_ref());
    let asked = stack.annotations().get(PAGE_TEST_AT);
    test.is_some_and(|test| test.ended_at.is_none()) || asked.is_some_and(|asked| test.is_none_or(|test| test.request != *asked))
}

/// The next state of the test, and what is to be sent for it. `counts` is what Alertmanager said at this visit.
#[must_use]
pub fn next(stack: &MonitoringStack, observed: &Observed, now: Timestamp) -> (Option<PageTestStatus>, Option<Page>) {
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let held = stack.status.as_ref().and_then(|status| status.page_test.clone());
    if !is_due(stack) {
        return (held, None);
    }
    let running = held.clone().filter(|test| test.ended_at.is_none());
    let mut test = match running {
        Some(test) => test,
        None => {
            let ended = held.as_ref().and_then(|test| test.ended_at.as_ref());
            if ended.is_some_and(|ended| now.duration_since(ended.0) < APART) {
                return (held, None);
            }
            let request = stack.annotations().get(PAGE_TEST_AT).cloned().unwrap_or_default();
            PageTestStatus { request, began_at: Time(now), ended_at: None, trying: None, results: Vec::new() }
        }
    };
    let Some(counts) = observed.pages.clone() else { return (Some(test), None) };
    if let Some(trial) = test.trying.clone() {
        let Some(result) = judge(stack, &trial, (&counts, observed), now) else { return (Some(test), None) };
        test.results.push(result);
        test.trying = None;
        return (Some(test.clone()), Some(Page::End { tier: trial.tier, request: test.request }));
    }
    let is_left = |name: &String| !test.results.iter().any(|result| result.tier == *name);
    let left: Vec<String> = tiers_in_order(&stack.spec.terms).into_iter().map(|(_, tier)| tier.name.clone()).filter(is_left).collect();
    match (left.first(), counts) {
        (None, _) => {
            test.ended_at = Some(Time(now));
            (Some(test), None)
        }
        (Some(_), Err(why)) => {
            let message = format!("Alertmanager does not answer the operator: {why}");
            test.results.extend(left.iter().map(|tier| result(tier, now, false, message.clone())));
            test.ended_at = Some(Time(now));
            (Some(test), None)
        }
        (Some(tier), Ok(counts)) => {
            test.trying = Some(PageTrial {
                tier: tier.clone(),
                sent_at: Time(now),
                requests_before: number(counts.requests),
                failed_before: number(counts.failed),
            });
            let request = test.request.clone();
            (Some(test), Some(Page::Begin { tier: tier.clone(), request }))
        }
    }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn result(tier: &str, now: Timestamp, passed: bool, message: String) -> PageResult {
    PageResult { tier: tier.into(), at: Time(now), passed, message }
}

/// What came of a tier's page; `None` while nothing has.
fn judge(
    stack: &MonitoringStack,
    trial: &PageTrial,
    (counts, observed): (&Answer<Counts>, &Observed),
    now: Timestamp,
) -> Option<PageResult> {
    let is_late = now.duration_since(trial.sent_at.0) >= PATIENCE;
    let tell = |passed, message: String| Some(result(&trial.tier, now, passed, message));
    let Some(tier) = stack.spec.terms.tiers.iter().find(|tier| tier.name == trial.tier) else {
        return tell(false, "the tier was taken out of the spec meanwhile".into());
    };
    let counts = match counts {
        Ok(counts) => counts,
        Err(why) if is_late => return tell(false, format!("Alertmanager does not answer the operator: {why}")),
        Err(_) => return None,
    };
    if number(counts.failed) > trial.failed_before {
        return tell(false, "Alertmanager could not deliver it: the receiver did not take it, or is not reached; its log says more".into());
    }
    let own = receiver_of(stack, tier);
    if number(counts.requests) > trial.requests_before {
        let open =
            observed.outages.as_ref().and_then(|outages| outages.as_ref().ok()).map_or(0, |outages| outages.open + outages.due.len());
        if counts.others > 0 || open > 0 {
            return tell(
                false,
                "other pages may have gone out at the same time, so that nothing is proved: try again when no outage lasts".into(),
            );
        }
        if counts.receivers == [own.clone()] {
            return tell(true, "delivered to its receiver without an error; whether a person has seen it, only that person can say".into());
        }
        return tell(false, format!("Alertmanager sends it to {}, and not to {own} alone", named(&counts.receivers)));
    }
    is_late.then(|| {
        let message = format!("no page went out within {} s; Alertmanager has it for {}", PATIENCE.as_secs(), named(&counts.receivers));
        result(&trial.tier, now, false, message)
    })
}

fn named(receivers: &[String]) -> String {
    if receivers.is_empty() { "nobody".into() } else { receivers.join(", ") }
}

/// Notes the test and what it says.
pub(super) fn tell(set: &mut ConditionSet, status: &mut MonitoringStackStatus, test: Option<&PageTestStatus>) {
    let kind = ConditionType::PagesProven;
    status.page_test = test.cloned();
    let Some(test) = test else {
        return set.set(
            kind,
            Is::Unknown,
            Reason::NotRequested,
            "no page was tried: kubectl caretaker page-test CLIENT tries one for each tier",
        );
    };
    for passed in test.results.iter().filter(|result| result.passed) {
        status.pages_passed.insert(passed.tier.clone(), passed.at.clone());
    }
    if test.ended_at.is_none() {
        return set.set(kind, Is::Unknown, Reason::Progressing, "a page is tried for each tier, one after the other");
    }
    match test.results.iter().find(|result| !result.passed) {
        Some(failed) => set.set(kind, Is::False, Reason::TestFailed, format!("{}: {}", failed.tier, failed.message)),
        None => set.set(
            kind,
            Is::True,
            Reason::Proven,
            "a page for each tier was delivered to its receiver; the times are in status.pagesPassed",
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Outages;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_860_000 + second).unwrap()
    }

    fn stack() -> MonitoringStack {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "MonitoringStack",
            "metadata": {"name": "main", "namespace": "client-acme", "annotations": {PAGE_TEST_AT: "r1"}},
            "spec": {"tiers": [
                {"name": "desk", "ackWithinMinutes": 15, "webhookUrl": "https://desk.example/a"},
                {"name": "lead", "webhookUrl": "https://lead.example/a"},
            ]},
        }))
        .unwrap()
    }

    /// Attempts, failures, the tier whose receiver has the alert, other alerts.
    fn seen(requests: u64, failed: u64, tier: &str, others: usize) -> Observed {
        let receivers = if tier.is_empty() { Vec::new() } else { vec![format!("client-acme/main-tier-{tier}/{tier}")] };
        let pages = Some(Ok(Counts { requests, failed, receivers, others }));
        Observed { pages, outages: Some(Ok(Outages::default())), ..Observed::default() }
    }

    fn step(stack: &mut MonitoringStack, observed: &Observed, second: i64) -> Option<Page> {
        let (test, page) = next(stack, observed, at(second));
        let mut status = stack.status.clone().unwrap_or_default();
        let mut set = ConditionSet::new(&status.conditions, super::super::CONDITIONS, 1, at(second));
        tell(&mut set, &mut status, test.as_ref());
        status.conditions = set.finish();
        stack.status = Some(status);
        page
    }

    fn told(stack: &MonitoringStack) -> (String, String, Vec<String>) {
        let status = stack.status.as_ref().unwrap();
        let found = crate::conditions::find(&status.conditions, ConditionType::PagesProven).unwrap();
        (found.status.clone(), found.message.clone(), status.pages_passed.keys().cloned().collect())
    }

    #[test]
    fn each_tier_is_tried_by_itself_and_passes_by_its_own_receiver() {
        let mut stack = stack();
        let begin = |tier: &str| Some(Page::Begin { tier: tier.into(), request: "r1".into() });
        let end = |tier: &str| Some(Page::End { tier: tier.into(), request: "r1".into() });
        assert_eq!(step(&mut stack, &seen(7, 2, "", 0), 0), begin("desk"));
        assert_eq!(step(&mut stack, &seen(7, 2, "desk", 0), 20), None, "nothing went out yet");
        assert_eq!(step(&mut stack, &seen(8, 2, "desk", 0), 35), end("desk"));
        assert_eq!(told(&stack).0, "Unknown", "one tier is not all");
        assert_eq!(step(&mut stack, &seen(8, 2, "", 0), 40), begin("lead"));
        assert_eq!(step(&mut stack, &seen(9, 2, "lead", 0), 75), end("lead"));
        assert_eq!(step(&mut stack, &seen(9, 2, "", 0), 80), None);
        assert_eq!(
            told(&stack),
            (
                "True".into(),
                "a page for each tier was delivered to its receiver; the times are in status.pagesPassed".into(),
                vec!["desk".into(), "lead".into()]
            )
        );
        assert!(!is_due(&stack), "a request is handled once");
        // Another one waits until the ends of the first are told.
        stack.metadata.annotations = Some([(PAGE_TEST_AT.to_owned(), "r2".to_owned())].into());
        assert_eq!(step(&mut stack, &seen(9, 2, "", 0), 200), None);
        assert!(matches!(step(&mut stack, &seen(11, 2, "", 0), 441), Some(Page::Begin { request, .. }) if request == "r2"));
    }

    #[test]
    fn nothing_is_called_delivered_that_was_not() {
        let cases = [
            ("the receiver refused it", seen(8, 3, "desk", 0), 35, "could not deliver"),
            ("nothing went out", seen(7, 2, "desk", 0), 121, "no page went out within 120 s"),
            ("it goes elsewhere", seen(8, 2, "lead", 0), 35, "and not to client-acme/main-tier-desk/desk alone"),
            ("nobody has it", seen(8, 2, "", 0), 35, "sends it to nobody"),
            ("another alert is active", seen(8, 2, "desk", 1), 35, "nothing is proved"),
            (
                "an incident lasts",
                Observed { outages: Some(Ok(Outages { open: 1, due: Vec::new() })), ..seen(8, 2, "desk", 0) },
                35,
                "nothing is proved",
            ),
            ("no answer", Observed { pages: Some(Err("no connection".into())), ..Observed::default() }, 121, "does not answer"),
        ];
        let mut deaf = stack();
        let silent = Observed { pages: Some(Err("no connection".into())), ..Observed::default() };
        assert_eq!(step(&mut deaf, &silent, 0), None);
        let (status, message, passed) = told(&deaf);
        assert!(status == "False" && message.contains("no connection") && passed.is_empty() && !is_due(&deaf), "{status} {message}");
        for (what, observed, second, words) in cases {
            let mut stack = stack();
            step(&mut stack, &seen(7, 2, "", 0), 0);
            assert!(matches!(step(&mut stack, &observed, second), Some(Page::End { .. })), "{what}: its alert ends");
            // Lead passes: the test as a whole does not.
            step(&mut stack, &seen(8, 3, "", 0), second + 5);
            step(&mut stack, &seen(9, 3, "lead", 0), second + 40);
            step(&mut stack, &seen(9, 3, "", 0), second + 45);
            let (status, message, passed) = told(&stack);
            assert!(status == "False" && message.starts_with("desk: ") && message.contains(words), "{what}: {status} {message}");
            assert_eq!(passed, ["lead"], "{what}");
        }
    }
}
