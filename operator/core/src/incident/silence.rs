//! What Alertmanager holds back of an incident that somebody took.

use caretaker_api::Incident;
use caretaker_api::incident::IncidentStatus;
use kube::ResourceExt;

use super::fold::Step;
use crate::monitoring_stack::GROUP_BY;

/// The label that says to which tier an alert goes.
pub const LABEL: &str = "tier";

/// A silence: the key of the incident, and the tiers that were not told yet. Those that were are told of its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Labels and the values that they have; an empty one is that of a label that is not there.
    pub labels: Vec<(String, String)>,
    /// The tiers.
    pub tiers: Vec<String>,
    /// Text by which it is found again.
    pub comment: String,
}

/// The text by which the silences of an incident are found again.
#[must_use]
pub fn comment(incident: &Incident) -> String {
    format!("Caretaker: Incident {} is taken", incident.name_any())
}

impl Silence {
    /// What is held back of an incident; `None` where all tiers were told.
    #[must_use]
    pub fn of(incident: &Incident, status: &IncidentStatus, steps: &[Step]) -> Option<Self> {
        let told = steps.iter().position(|step| Some(&step.name) == status.tier.as_ref())?;
        let tiers: Vec<String> = steps.iter().skip(told + 1).map(|step| step.name.clone()).collect();
        if tiers.is_empty() {
            return None;
        }
        let value = |label: &str| match label {
            "alertname" => incident.spec.alert.clone(),
            label => incident.spec.labels.get(label).cloned().unwrap_or_default(),
        };
        let labels = GROUP_BY.iter().map(|label| ((*label).to_owned(), value(label))).collect();
        Some(Self { labels, tiers, comment: comment(incident) })
    }
}
