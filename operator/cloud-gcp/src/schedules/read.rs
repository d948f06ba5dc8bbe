//! The rows of policies, machines and disks. Pure.

use std::collections::{BTreeMap, BTreeSet};

use caretaker_cloud::{Cloud, DiskState, Intent, ScheduleState};
use serde_json::Value;

/// What the names of assets begin with, which Compute's own addresses do not.
const NAMES: &str = "//compute.googleapis.com/";

/// The path of a thing, out of an address of any host and version: `projects/p/zones/z/disks/d`.
fn path(link: &str) -> Option<&str> {
    let at = link.find("projects/")?;
    (at == 0 || link[..at].ends_with('/')).then(|| &link[at..])
}

/// The path of a thing within a project; `None` of one that is in another.
pub fn within(link: &str, project: &str) -> Option<String> {
    let rest = path(link)?.strip_prefix("projects/")?.strip_prefix(project)?.strip_prefix('/')?;
    let is_plain =
        rest.split('/').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    is_plain.then(|| rest.to_owned())
}

/// A schedule of each day at this hour, in the words of the port.
pub fn daily(at: &str) -> String {
    format!("daily at {at}")
}

/// A policy as a schedule of snapshots.
pub fn schedule(row: &Value, region: &str) -> ScheduleState {
    let (schedule, retention) = (&row["snapshotSchedulePolicy"]["schedule"], &row["snapshotSchedulePolicy"]["retentionPolicy"]);
    let is_alone = schedule["hourlySchedule"].is_null() && schedule["weeklySchedule"].is_null();
    let runs = match schedule["dailySchedule"]["startTime"].as_str() {
        Some(at) if is_alone && schedule["dailySchedule"]["daysInCycle"] == 1 => daily(at),
        _ => schedule.to_string(),
    };
    ScheduleState {
        region: region.into(),
        name: row["name"].as_str().unwrap_or_default().into(),
        runs,
        retention_days: retention["maxRetentionDays"].as_u64().and_then(|days| u32::try_from(days).ok()).unwrap_or_default(),
        ends_with_disk: retention["onSourceDiskDelete"] == "APPLY_RETENTION_POLICY",
    }
}

/// The rows of an aggregated list.
pub fn scoped<'a>(page: &'a Value, what: &'a str) -> impl Iterator<Item = &'a Value> {
    let scopes = page["items"].as_object().into_iter().flatten();
    scopes.flat_map(move |(_, scope)| scope[what].as_array().into_iter().flatten())
}

/// What a page of an aggregated list leaves out, where it does: a place that did not answer is a warning there, and no error.
pub fn cut(page: &Value) -> Option<String> {
    let scopes = page["items"].as_object().into_iter().flatten();
    let warned = scopes.filter_map(|(scope, held)| Some((scope, held["warning"]["code"].as_str()?)));
    let bad = warned.filter(|(_, code)| *code != "NO_RESULTS_ON_PAGE").map(|(scope, code)| format!("{scope}: {code}")).next();
    bad.or_else(|| page["unreachables"].as_array()?.first()?.as_str().map(|scope| format!("{scope} did not answer")))
}

/// The disks of a machine that is selected, by their names.
pub fn disks_of(row: &Value, sources: &BTreeSet<String>) -> Option<Vec<String>> {
    let machine = format!("{NAMES}{}", path(row["selfLink"].as_str()?)?);
    if !sources.contains(&machine) {
        return None;
    }
    // A machine's own store goes with the machine, and can have no schedule.
    let disks = row["disks"].as_array().into_iter().flatten().filter(|disk| disk["type"] != "SCRATCH");
    Some(disks.filter_map(|disk| path(disk["source"].as_str()?).map(|path| format!("{NAMES}{path}"))).collect())
}

/// Region and name of each policy that is attached to a disk.
pub fn attached(row: &Value) -> impl Iterator<Item = (&str, &str)> {
    let links = row["resourcePolicies"].as_array().into_iter().flatten().filter_map(Value::as_str);
    links.map(|link| {
        let mut parts = link.rsplit('/');
        let name = parts.next().unwrap_or_default();
        (parts.nth(1).unwrap_or_default(), name)
    })
}

/// A disk that is selected, or that has our schedule, where it is in a region of the intent. What is attached and is known to be no schedule does not count.
pub fn disk(row: &Value, of: &Intent, (by_machine, kinds): (&BTreeSet<String>, &BTreeMap<(String, String), bool>)) -> Option<DiskState> {
    let path = path(row["selfLink"].as_str()?)?;
    let region = Cloud::Gcp.region_of(path.split('/').nth(3)?).to_owned();
    if !of.regions.contains(&region) {
        return None;
    }
    let id = format!("{NAMES}{path}");
    let is_schedule = |(region, name): &(&str, &str)| kinds.get(&((*region).to_owned(), (*name).to_owned())) != Some(&false);
    let mut schedules: Vec<String> = attached(row).filter(is_schedule).map(|(_, name)| name.to_owned()).collect();
    schedules.sort();
    let is_selected = of.sources.contains(&id) || by_machine.contains(&id);
    (is_selected || schedules.contains(&of.name)).then_some(DiskState { region, id, is_selected, schedules })
}

/// Code and message of an operation that failed.
pub fn failure(row: &Value) -> Option<(String, String)> {
    let error = row["error"]["errors"].as_array()?.first()?;
    let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
    Some((text("code"), text("message")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(schedule: Value, retention: Value) -> Value {
        json!({"name": "ours", "snapshotSchedulePolicy": {"schedule": schedule, "retentionPolicy": retention}})
    }

    #[test]
    fn a_schedule_is_daily_only_where_it_runs_each_day_and_at_no_other_time() {
        let runs = |schedule: Value| schedule_of(row(schedule, json!({}))).runs;
        let daily = json!({"daysInCycle": 1, "startTime": "03:00", "duration": "PT14400S"});
        assert_eq!(runs(json!({"dailySchedule": daily})), "daily at 03:00");
        for other in [
            json!({"dailySchedule": {"daysInCycle": 2, "startTime": "03:00"}}),
            json!({"dailySchedule": daily, "hourlySchedule": {"hoursInCycle": 1, "startTime": "03:00"}}),
            json!({"weeklySchedule": {"dayOfWeeks": []}}),
            Value::Null,
        ] {
            assert!(!runs(other.clone()).starts_with("daily"), "{other}");
        }
        let found = schedule_of(row(json!({}), json!({"maxRetentionDays": 7, "onSourceDiskDelete": "KEEP_AUTO_SNAPSHOTS"})));
        assert_eq!((found.retention_days, found.ends_with_disk), (7, false));
        assert_eq!(schedule_of(json!({"name": "ours"})).retention_days, 0, "without a retention it is kept for ever");
    }

    fn schedule_of(row: Value) -> ScheduleState {
        schedule(&row, "europe-west1")
    }

    fn link(path: &str) -> String {
        format!("https://www.googleapis.com/compute/v1/projects/p/{path}")
    }

    #[test]
    fn a_disk_counts_by_itself_or_by_its_machine_and_only_with_schedules() {
        let of = Intent {
            name: "ours".into(),
            regions: vec!["europe-west1".into()],
            sources: ["zones/europe-west1-b/disks/data", "zones/europe-west1-b/instances/shop"]
                .map(|path| format!("{NAMES}projects/p/{path}"))
                .into(),
        };
        let disks =
            json!([{"type": "PERSISTENT", "source": link("zones/europe-west1-b/disks/boot")}, {"type": "SCRATCH", "source": link("x/y")}]);
        let machine = |name: &str| json!({"selfLink": link(&format!("zones/europe-west1-b/instances/{name}")), "disks": disks});
        let by_machine: BTreeSet<String> = disks_of(&machine("shop"), &of.sources).unwrap().into_iter().collect();
        assert_eq!(by_machine.len(), 1, "a machine's own store is none: {by_machine:?}");
        assert_eq!(disks_of(&machine("other"), &of.sources), None);
        let place = |name: &str| ("europe-west1".to_owned(), name.to_owned());
        let kinds = BTreeMap::from([(place("ours"), true), (place("nightly"), true), (place("group"), false)]);
        let found = |path: &str, policies: &[&str]| {
            let policies: Vec<String> =
                policies.iter().map(|name| link(&format!("regions/europe-west1/resourcePolicies/{name}"))).collect();
            disk(&json!({"selfLink": link(path), "resourcePolicies": policies}), &of, (&by_machine, &kinds))
        };
        let data = found("zones/europe-west1-b/disks/data", &["nightly", "group"]).unwrap();
        assert_eq!((data.is_selected, data.schedules), (true, vec!["nightly".to_owned()]), "a group of disks is no schedule");
        assert_eq!(found("zones/europe-west1-b/disks/data", &["unheard"]).unwrap().schedules, ["unheard"], "what is not known may be one");
        assert!(found("zones/europe-west1-b/disks/boot", &[]).unwrap().is_selected);
        assert!(!found("zones/europe-west1-b/disks/lost", &["ours"]).unwrap().is_selected);
        assert_eq!(found("zones/europe-west1-b/disks/lost", &["nightly"]), None);
        assert_eq!(found("zones/europe-west2-b/disks/data", &["ours"]), None, "in another region");
    }

    #[test]
    fn a_list_that_leaves_a_place_out_is_not_whole() {
        let page = |code: &str| json!({"items": {"zones/a": {"warning": {"code": code}}, "zones/b": {"disks": []}}});
        assert_eq!(cut(&page("NO_RESULTS_ON_PAGE")), None);
        assert_eq!(cut(&page("UNREACHABLE")).as_deref(), Some("zones/a: UNREACHABLE"));
        assert!(cut(&json!({"items": {}, "unreachables": ["zones/c"]})).unwrap().contains("zones/c"));
    }

    #[test]
    fn no_path_leads_out_of_the_project() {
        assert_eq!(within(&link("zones/z/disks/d"), "p").as_deref(), Some("zones/z/disks/d"));
        for link in [link("zones/z/disks/../../x"), link("zones/z/disks/d?x=1"), link(""), "//h/projects/other/zones/z/disks/d".into()] {
            assert_eq!(within(&link, "p"), None, "{link}");
        }
        assert_eq!(within("//h/projects/pp/zones/z/disks/d", "p"), None);
    }
}
