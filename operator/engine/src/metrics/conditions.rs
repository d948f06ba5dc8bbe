//! How many objects are in which condition: what an alert on all clients at once is made of. No object is named.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use caretaker_core::ownership::Kind;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

/// Labels of a condition. Kinds, types and reasons are words of the API: there is a bounded number of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ConditionLabels {
    kind: String,
    condition: String,
    status: String,
    reason: String,
}

/// The conditions of all objects, each written as a number: a thousand clients have a hundred thousand conditions.
#[derive(Default)]
struct Held {
    words: Vec<ConditionLabels>,
    numbers: HashMap<ConditionLabels, u32>,
    objects: HashMap<String, Box<[u32]>>,
}

/// Objects by condition: summed up when somebody asks.
#[derive(Clone, Default)]
pub(super) struct ConditionMetrics {
    pub(super) objects: Family<ConditionLabels, Gauge>,
    held: Arc<Mutex<Held>>,
}

impl ConditionMetrics {
    pub(super) fn set(&self, kind: Kind, uid: &str, conditions: &[Condition]) {
        let mut held = self.held.lock().expect("no panic while held");
        let numbers: Box<[u32]> = conditions.iter().map(|condition| held.number(kind, condition)).collect();
        held.objects.insert(uid.into(), numbers);
    }

    pub(super) fn forget(&self, uid: &str) {
        self.held.lock().expect("no panic while held").objects.remove(uid);
    }

    pub(super) fn read(&self) {
        let held = self.held.lock().expect("no panic while held");
        let mut sums = vec![0_i64; held.words.len()];
        for number in held.objects.values().flatten() {
            sums[*number as usize] += 1;
        }
        // A word that no object has any more stands at 0, so that an alert on it ends.
        for (labels, sum) in held.words.iter().zip(sums) {
            self.objects.get_or_create(labels).set(sum);
        }
    }
}

impl Held {
    fn number(&mut self, kind: Kind, condition: &Condition) -> u32 {
        let labels = ConditionLabels {
            kind: kind.as_str().into(),
            condition: condition.type_.clone(),
            status: condition.status.clone(),
            reason: condition.reason.clone(),
        };
        if let Some(number) = self.numbers.get(&labels) {
            return *number;
        }
        let number = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        self.words.push(labels.clone());
        self.numbers.insert(labels, number);
        number
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use crate::metrics::Metrics;

    use super::*;

    #[test]
    fn objects_are_counted_by_condition_and_an_alert_ends_with_its_cause() {
        let condition = |status: &str, reason: &str| Condition {
            type_: "ExitReady".into(),
            status: status.into(),
            reason: reason.into(),
            message: "acme has no recipient".into(),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            observed_generation: None,
        };
        let metrics = Metrics::default();
        metrics.conditions(Kind::ManagedClient, "one", &[condition("False", "ExitBlocked")]);
        metrics.conditions(Kind::ManagedClient, "two", &[condition("False", "ExitBlocked")]);
        let line = |count: u32| {
            format!(r#"caretaker_conditions{{kind="ManagedClient",condition="ExitReady",status="False",reason="ExitBlocked"}} {count}"#)
        };
        assert!(metrics.render().contains(&line(2)) && !metrics.render().contains("acme"), "{}", metrics.render());
        metrics.conditions(Kind::ManagedClient, "one", &[condition("True", "Settled")]);
        metrics.forget("two");
        assert!(metrics.render().contains(&line(0)), "{}", metrics.render());
    }
}
