//! Outages that are to become incidents.

use caretaker_api::Incident;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::incident::IncidentSpec;
use caretaker_api::names;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::ObjectMeta;

use super::Observed;
use crate::conditions::{ConditionSet, Is};
use crate::incident::MOST_OPEN;
use crate::incident::outage::Due;

/// What Prometheus knows of outages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outages {
    /// Incidents that are objects and not closed.
    pub open: usize,
    /// Outages that have none, the oldest first.
    pub due: Vec<Due>,
}

impl Outages {
    /// Those that become one: as many as there is room for.
    #[must_use]
    pub fn fit(&self) -> &[Due] {
        &self.due[..self.due.len().min(MOST_OPEN.saturating_sub(self.open))]
    }
}

/// The object of an outage; `None` where its time is none.
#[must_use]
pub fn incident(client: &str, due: &Due) -> Option<Incident> {
    let labels = [(names::MANAGED_BY, names::MANAGER), (names::CLIENT_LABEL, client)];
    let metadata = ObjectMeta {
        name: Some(due.key.name(due.opened_at)),
        namespace: Some(names::client_namespace(client)),
        labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
        ..ObjectMeta::default()
    };
    let opened_at = Time(Timestamp::from_second(due.opened_at).ok()?);
    let spec = IncidentSpec { alert: due.key.alert.clone(), labels: due.key.labels.clone(), opened_at, acknowledgement: None };
    Some(Incident { metadata, spec, status: None })
}

/// Whether every outage has its incident.
pub(super) fn tell(set: &mut ConditionSet, observed: &Observed) {
    let kind = ConditionType::IncidentsRecorded;
    match &observed.outages {
        None => {
            let message = "the operator does not ask this client's monitoring, so that no incidents are made: pages go out all the same";
            set.set(kind, Is::Unknown, Reason::NotRequested, message);
        }
        Some(Err(why)) => set.set(kind, Is::Unknown, Reason::Unreachable, format!("it is not known which alerts fire: {why}")),
        Some(Ok(outages)) if outages.fit().len() < outages.due.len() => {
            let more = outages.due.len() - outages.fit().len();
            let message = format!(
                "{more} outages have no incident, for {MOST_OPEN} of the client's are not closed: pages of them go out all the same, and nobody can take them"
            );
            set.set(kind, Is::False, Reason::TooManyIncidents, message);
        }
        Some(Ok(_)) => set.set(kind, Is::True, Reason::Settled, "every outage that Prometheus knows of has its incident"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::outage::Key;

    #[test]
    fn there_is_room_for_so_many_and_more_are_told() {
        let due = |number: i64| Due { key: Key { alert: "InstanceDown".into(), labels: [].into() }, opened_at: number };
        for (open, count, fits, status) in
            [(0, 3, 3, "True"), (MOST_OPEN - 2, 3, 2, "False"), (MOST_OPEN, 0, 0, "True"), (MOST_OPEN, 1, 0, "False")]
        {
            let outages = Outages { open, due: (0..count).map(due).collect() };
            assert_eq!(outages.fit().len(), fits);
            let mut set = ConditionSet::new(&[], super::super::CONDITIONS, 1, Timestamp::UNIX_EPOCH);
            tell(&mut set, &Observed { outages: Some(Ok(outages)), ..Observed::default() });
            assert_eq!(set.get(ConditionType::IncidentsRecorded).map(|found| found.status.as_str()), Some(status), "{open} {count}");
        }
        let made = incident("acme", &due(1_795_860_000)).unwrap();
        assert_eq!(made.metadata.namespace.as_deref(), Some("client-acme"));
    }
}
