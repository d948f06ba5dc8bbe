//! An incident as it stands in the store.

use std::collections::BTreeMap;

use caretaker_api::Incident;
use caretaker_api::incident::{Acknowledgement, IncidentEvent, IncidentState};
use jiff::Timestamp;
use kube::ResourceExt;
use serde::{Deserialize, Serialize};

use super::outage::{Key, Known};

/// The form of the file.
const FORMAT: &str = "caretaker-incident-1";

/// What is kept of an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The form of the file.
    pub format: String,
    /// The client.
    pub client: String,
    /// Name of the incident.
    pub name: String,
    /// Name of the alert.
    pub alert: String,
    /// Labels of all its alerts.
    pub labels: BTreeMap<String, String>,
    /// When it began.
    pub opened_at: Timestamp,
    /// How it stood when it was written.
    pub state: IncidentState,
    /// Who took it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledgement: Option<Acknowledgement>,
    /// What happened.
    pub events: Vec<IncidentEvent>,
    /// Events in the middle that are not listed.
    pub events_left_out: u32,
    /// Machines or addresses that it was about last.
    pub members: Vec<String>,
    /// Number of them.
    pub member_count: u32,
    /// Seconds from its opening until it was taken first.
    pub seconds_to_acknowledge: Option<i64>,
    /// Seconds from its opening until it was resolved last.
    pub seconds_to_resolve: Option<i64>,
    /// Seconds of them that it has waited for a vendor.
    pub seconds_with_vendor: i64,
}

impl Record {
    /// What is to be kept of an incident.
    #[must_use]
    pub fn of(client: &str, incident: &Incident) -> Self {
        let status = incident.status.clone().unwrap_or_default();
        Self {
            format: FORMAT.into(),
            client: client.into(),
            name: incident.name_any(),
            alert: incident.spec.alert.clone(),
            labels: incident.spec.labels.clone(),
            opened_at: incident.spec.opened_at.0,
            state: status.state,
            acknowledgement: incident.spec.acknowledgement.clone(),
            events: status.events,
            events_left_out: status.events_left_out,
            members: status.members,
            member_count: status.member_count,
            seconds_to_acknowledge: status.seconds_to_acknowledge,
            seconds_to_resolve: status.seconds_to_resolve,
            seconds_with_vendor: status.seconds_with_vendor,
        }
    }

    /// What it says of the outages that have an incident.
    #[must_use]
    pub fn known(&self) -> Known {
        let opened_at = self.opened_at.as_second();
        let key = Key { alert: self.alert.clone(), labels: self.labels.clone() };
        Known { key, opened_at, resolved_at: self.seconds_to_resolve.map(|seconds| opened_at + seconds) }
    }

    /// As it stands in a file.
    ///
    /// # Panics
    /// Never: the fields are texts, numbers and times, which are always JSON.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("texts, numbers and times are JSON");
        bytes.push(b'\n');
        bytes
    }
}
