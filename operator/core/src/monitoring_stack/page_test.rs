//! A page test: for each tier one alert of its own, and what Alertmanager says that became of it. One tier after the other, since Alertmanager counts what it
//! delivers and does not say for which receiver.
//! Source: <https://github.com/prometheus/alertmanager/blob/main/notify/notify.go> (`alertmanager_notification_requests_total` counts answered attempts).

use std::collections::BTreeMap;
use std::time::Duration;

use caretaker_api::MonitoringStack;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::monitoring_stack::{MonitoringStackStatus, PageResult, PageTestStatus, PageTrial};
use caretaker_api::names::PAGE_TEST_AT;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::{Answer, Observed, hours, receivers_of, tiers_in_order};
use crate::conditions::{ConditionSet, Is};

/// Name of the alert.
pub const PAGE_TEST: &str = "CaretakerPageTest";

/// Time between two looks at a test that lasts.
pub(super) const LOOK: Duration = Duration::from_secs(5);
/// How long a page may take: Alertmanager waits 30 s before the first page of a group.
const PATIENCE: SignedDuration = SignedDuration::from_secs(120);
/// Time between two tests. Alertmanager tells the end of the alerts of the first one five minutes later, and that must not be taken for pages of the second.
const APART: SignedDuration = SignedDuration::from_mins(6);
/// The same after a page that was not delivered: Alertmanager tries it for five minutes more, and may tell its end five minutes after.
const APART_FROM_FAILURE: SignedDuration = SignedDuration::from_mins(11);
/// What is said of a page that was refused.
const REFUSED: &str = "Alertmanager could not deliver it: the receiver did not take it, or is not reached; its log says more";

/// What Alertmanager says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Attempts at a receiver that were answered, or came to an error.
    pub requests: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Receivers of the alerts of the test, by tier.
    pub receivers: BTreeMap<String, Vec<String>>,
    /// Alerts that are active, but for this one and those that always fire.
    pub others: usize,
    /// Whether beats of the heartbeat may be among the attempts.
    pub has_beats: bool,
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
    /// The end of such alerts. They end together: the end of one would be a page while the next tier is tried.
    End {
        /// The tiers.
        tiers: Vec<String>,
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
    let Some(mut test) = running(stack, held.as_ref(), now) else { return (held, None) };
    let Some(counts) = observed.pages.clone() else { return (Some(test), None) };
    if let Some(trial) = test.trying.clone() {
        let Some(judged) = judge(stack, &trial, (&counts, observed), now) else { return (Some(test), None) };
        let is_refused = judged.message == REFUSED;
        test.results.push(judged);
        test.trying = None;
        if !is_refused {
            return (Some(test), None);
        }
    }
    let is_left = |name: &String| !test.results.iter().any(|result| result.tier == *name);
    let mut left: Vec<String> = tiers_in_order(&stack.spec.terms).into_iter().map(|(_, tier)| tier.name.clone()).filter(is_left).collect();
    let quiet = |name: &String| {
        let tier = stack.spec.terms.tiers.iter().find(|tier| tier.name == *name)?;
        let why = hours::is_quiet(&stack.spec.terms, tier, now)?;
        Some(result(name, now, false, format!("not tried, for the tier is not paged now: {why}")))
    };
    let quiet: Vec<PageResult> = left.iter().filter_map(quiet).collect();
    left.retain(|name| !quiet.iter().any(|result| result.tier == *name));
    test.results.extend(quiet);
    // Alertmanager goes on to try what was refused, and what it counts then says nothing of another tier.
    let refused = test.results.iter().find(|result| result.message == REFUSED).map(|result| result.tier.clone());
    if let Some(refused) = refused {
        let message =
            format!("not tried: the page to {refused} is refused and tried again and again; cure that, and make the test once more");
        test.results.extend(left.iter().map(|tier| result(tier, now, false, message.clone())));
    }
    match (left.first().filter(|tier| !test.results.iter().any(|result| result.tier == **tier)), counts) {
        (None, _) => {
            test.ended_at = Some(Time(now));
            let tiers = test.results.iter().map(|result| result.tier.clone()).collect();
            let request = test.request.clone();
            (Some(test), Some(Page::End { tiers, request }))
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

/// The test that lasts, or the one that begins now; `None` where the last one is not far enough away.
fn running(stack: &MonitoringStack, held: Option<&PageTestStatus>, now: Timestamp) -> Option<PageTestStatus> {
    if let Some(test) = held.filter(|test| test.ended_at.is_none()) {
        return Some(test.clone());
    }
    let is_refused = held.iter().flat_map(|test| &test.results).any(|result| result.message == REFUSED);
    let apart = if is_refused { APART_FROM_FAILURE } else { APART };
    if held.and_then(|test| test.ended_at.as_ref()).is_some_and(|ended| now.duration_since(ended.0) < apart) {
        return None;
    }
    let request = stack.annotations().get(PAGE_TEST_AT).cloned().unwrap_or_default();
    Some(PageTestStatus { request, began_at: Time(now), ended_at: None, trying: None, results: Vec::new() })
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
        return tell(false, REFUSED.into());
    }
    let mut own = receivers_of(stack, tier);
    own.sort();
    let mut receivers = counts.receivers.get(&trial.tier).cloned().unwrap_or_default();
    receivers.sort();
    if number(counts.requests) >= trial.requests_before + number(own.len() as u64) {
        let open =
            observed.outages.as_ref().and_then(|outages| outages.as_ref().ok()).map_or(0, |outages| outages.open + outages.due.len());
        if counts.others > 0 || open > 0 {
            return tell(
                false,
                "other pages may have gone out at the same time, so that nothing is proved: try again when no outage lasts".into(),
            );
        }
        if counts.has_beats {
            return tell(
                false,
                "this Alertmanager does not count beats and pages apart, so that nothing is proved: it takes Alertmanager 0.27".into(),
            );
        }
        if receivers == own {
            return tell(true, "delivered to its receiver without an error; whether a person has seen it, only that person can say".into());
        }
        return tell(false, format!("Alertmanager sends it to {}, and not to {} alone", named(&receivers), named(&own)));
    }
    is_late.then(|| {
        let message = format!("no page went out within {} s; Alertmanager has it for {}", PATIENCE.as_secs(), named(&receivers));
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
        let of = |tier: &str| vec![format!("client-acme/main-tier-{tier}/{tier}")];
        let receivers = if tier.is_empty() {
            BTreeMap::new()
        } else {
            ["desk", "lead"].map(|at| (at.to_owned(), of(if tier == "own" { at } else { tier }))).into()
        };
        let pages = Some(Ok(Counts { requests, failed, receivers, others, has_beats: false }));
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
        assert_eq!(step(&mut stack, &seen(7, 2, "", 0), 0), begin("desk"));
        assert_eq!(step(&mut stack, &seen(7, 2, "own", 0), 20), None, "nothing went out yet");
        assert_eq!(step(&mut stack, &seen(8, 2, "own", 0), 35), None);
        assert_eq!(told(&stack).0, "Unknown", "one tier is not all");
        assert_eq!(step(&mut stack, &seen(8, 2, "own", 0), 40), begin("lead"));
        assert_eq!(step(&mut stack, &seen(9, 2, "own", 0), 75), None);
        let end = Some(Page::End { tiers: vec!["desk".into(), "lead".into()], request: "r1".into() });
        assert_eq!(step(&mut stack, &seen(9, 2, "own", 0), 80), end, "all alerts end together");
        let (status, message, passed) = told(&stack);
        assert!(status == "True" && message.contains("was delivered") && passed == ["desk", "lead"], "{status} {message} {passed:?}");
        assert!(!is_due(&stack), "a request is handled once");
        // Another one waits until the ends of the first are told.
        stack.metadata.annotations = Some([(PAGE_TEST_AT.to_owned(), "r2".to_owned())].into());
        assert_eq!(step(&mut stack, &seen(9, 2, "", 0), 200), None);
        assert!(matches!(step(&mut stack, &seen(11, 2, "", 0), 441), Some(Page::Begin { request, .. }) if request == "r2"));
    }

    #[test]
    fn nothing_is_called_delivered_that_was_not() {
        let cases = [
            ("nothing went out", seen(7, 2, "own", 0), 121, "no page went out within 120 s"),
            ("it goes elsewhere", seen(8, 2, "lead", 0), 35, "and not to client-acme/main-tier-desk/desk alone"),
            ("nobody has it", seen(8, 2, "", 0), 35, "sends it to nobody"),
            ("another alert is active", seen(8, 2, "own", 1), 35, "nothing is proved"),
            (
                "an incident lasts",
                Observed { outages: Some(Ok(Outages { open: 1, due: Vec::new() })), ..seen(8, 2, "own", 0) },
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
        let mut refused = stack();
        step(&mut refused, &seen(7, 2, "", 0), 0);
        assert!(matches!(step(&mut refused, &seen(8, 3, "own", 0), 35), Some(Page::End { .. })), "its alert ends");
        let results = refused.status.iter().flat_map(|status| &status.page_test).flat_map(|test| &test.results);
        let messages: Vec<&str> = results.map(|result| result.message.as_str()).collect();
        assert!(messages[0].contains("could not deliver") && messages[1].contains("not tried"), "{messages:?}");
        assert_eq!((told(&refused).0.as_str(), told(&refused).2.len()), ("False", 0));
        refused.metadata.annotations = Some([(PAGE_TEST_AT.to_owned(), "r2".to_owned())].into());
        assert_eq!(step(&mut refused, &seen(9, 4, "", 0), 600), None, "the refused page may still be tried");
        assert!(matches!(step(&mut refused, &seen(9, 4, "", 0), 696), Some(Page::Begin { .. })));
        for (what, observed, second, words) in cases {
            let mut stack = stack();
            step(&mut stack, &seen(7, 2, "", 0), 0);
            assert_eq!(step(&mut stack, &observed, second), None, "{what}");
            // Lead passes: the test as a whole does not.
            step(&mut stack, &seen(8, 2, "own", 0), second + 5);
            step(&mut stack, &seen(9, 2, "own", 0), second + 40);
            step(&mut stack, &seen(9, 2, "own", 0), second + 45);
            let (status, message, passed) = told(&stack);
            assert!(status == "False" && message.starts_with("desk: ") && message.contains(words), "{what}: {status} {message}");
            assert_eq!(passed, ["lead"], "{what}");
        }
    }
}
