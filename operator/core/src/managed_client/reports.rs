//! The reports of a client: one for the month that lasts, and for months before it whose report has gone.

use caretaker_api::ManagedClient;
use caretaker_api::ServiceReport;
use caretaker_api::names::{OWNER_KIND_LABEL, client_namespace};
use caretaker_api::service_report::ServiceReportSpec;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

use super::Observed;
use crate::desired::{Desired, named};
use crate::service_level::{Month, terms};

/// The report of the latest month; trials are none.
pub(super) fn latest_report(reports: &[ServiceReport]) -> Option<&ServiceReport> {
    reports.iter().filter(|report| !report.spec.dry_run).max_by(|one, other| one.spec.month.cmp(&other.spec.month))
}

impl super::status::HasConditions for caretaker_api::service_report::ServiceReportStatus {
    fn list(&self) -> &[Condition] {
        &self.conditions
    }
}

/// Most months that are filled in at once.
const MOST: usize = 24;

/// The reports to be made. That of the month follows the terms; an earlier one keeps those that it has, and only comes back where it was deleted. Nothing
/// begins any more once the client has begun to leave.
#[must_use]
pub fn reports(client: &ManagedClient, observed: &Observed, now: Timestamp) -> Vec<Desired> {
    let Some(agreed) = client.spec.service_levels.as_ref().filter(|_| client.spec.monitoring.is_some()) else { return Vec::new() };
    let Some(zone) = terms::zone(agreed).filter(|_| observed.ending.is_none()) else { return Vec::new() };
    // What a person made begins no row of months.
    let is_ours = |report: &&ServiceReport| !report.spec.dry_run && report.labels().contains_key(OWNER_KIND_LABEL);
    let held: Vec<Month> = observed.reports.iter().filter(is_ours).filter_map(|report| Month::parse(&report.name_any())).collect();
    let present = Month::at(now, &zone);
    let mut month = held.iter().copied().min().unwrap_or(present);
    let mut wanted = Vec::new();
    while month < present {
        if !held.contains(&month) {
            wanted.push(month);
        }
        month = month.next();
    }
    wanted.truncate(MOST);
    wanted.push(present);
    let namespace = client_namespace(&client.name_any());
    let object = |month: Month| {
        let spec = ServiceReportSpec { month: month.text(), dry_run: false, terms: Some(agreed.clone()) };
        Desired::of(&ServiceReport { metadata: named(&namespace, month.text()), spec, status: None })
    };
    wanted.into_iter().map(object).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn client(more: &Value) -> ManagedClient {
        let mut object = json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme", "generation": 1},
            "spec": {
                "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@x.example"}}, "accounts": [],
                "exit": {"recipients": ["age1"]},
            },
        });
        object["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(object).unwrap()
    }

    fn agreed(zone: &str) -> Value {
        json!({
            "monitoring": {"tiers": [{"name": "one", "afterMinutes": 0, "webhookUrl": "https://desk.example/alerts"}]},
            "serviceLevels": {"zone": zone, "objectives": [{"name": "web", "target": "99.9", "uptime": {"source": "Machines"}}]},
        })
    }

    fn held(names: &[&str]) -> Observed {
        let report = |name: &&str| {
            let owner = if name.starts_with("20") && *name != "2020-01" { "managedclient" } else { "" };
            let labels = if owner.is_empty() { json!({}) } else { json!({"caretaker.dev/owner-kind": owner}) };
            let spec = json!({"month": "2026-09", "dryRun": name.starts_with("trial")});
            let metadata = json!({"name": name, "labels": labels});
            serde_json::from_value(
                json!({"apiVersion": "caretaker.dev/v1alpha1", "kind": "ServiceReport", "metadata": metadata, "spec": spec}),
            )
            .unwrap()
        };
        Observed { reports: names.iter().map(report).collect(), ..Observed::default() }
    }

    #[test]
    fn a_month_has_its_report_from_its_first_second_in_its_zone() {
        type Case<'a> = (&'a str, Value, &'a [&'a str], &'a str, &'a [&'a str]);
        let cases: [Case<'_>; 8] = [
            ("nothing was agreed", json!({}), &[], "2026-11-15T00:00:00Z", &[]),
            ("the present month", agreed("UTC"), &[], "2026-11-15T00:00:00Z", &["2026-11"]),
            ("its last second", agreed("UTC"), &["2026-11"], "2026-11-30T23:59:59Z", &["2026-11"]),
            (
                "the next month in its zone, while UTC has the old one",
                agreed("Europe/Zurich"),
                &["2026-11"],
                "2026-11-30T23:00:00Z",
                &["2026-12"],
            ),
            ("the operator was away for a month", agreed("UTC"), &["2026-09"], "2026-11-15T00:00:00Z", &["2026-10", "2026-11"]),
            ("a report was deleted", agreed("UTC"), &["2026-08", "2026-10"], "2026-11-15T00:00:00Z", &["2026-09", "2026-11"]),
            ("what a person made begins no row", agreed("UTC"), &["2020-01"], "2026-11-15T00:00:00Z", &["2026-11"]),
            ("a trial says nothing of months", agreed("UTC"), &["trial-2"], "2026-11-15T00:00:00Z", &["2026-11"]),
        ];
        for (reason, more, names, now, expected) in cases {
            let made: Vec<String> = reports(&client(&more), &held(names), now.parse().unwrap()).into_iter().map(|made| made.name).collect();
            assert_eq!(made, expected, "{reason}");
        }
    }
}
