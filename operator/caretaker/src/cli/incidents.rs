//! `incidents` and `ack`: which outages there are, how they stand, and taking one.

use anyhow::{Context, bail, ensure};
use caretaker_api::Incident;
use caretaker_api::incident::{Acknowledgement, IncidentEvent, IncidentState, IncidentStatus};
use caretaker_api::names::{NAMESPACE_PREFIX, client_namespace};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde::Serialize;

use super::cluster::{ClusterArgs, connect, explain};
use super::output::{Form, json, paragraph, table, width};

/// Seconds in which the operator is expected to see what was taken.
const SEES: u32 = 20;

/// Which incidents, and how.
#[derive(clap::Args)]
pub struct Args {
    /// Name of the ManagedClient; without it those of all clients.
    client: Option<String>,
    /// Show one incident with all that happened to it.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Show those that are closed as well.
    #[arg(long)]
    all: bool,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Which incident to take.
#[derive(clap::Args)]
pub struct AckArgs {
    /// Name of the Incident.
    name: String,
    /// Name of the ManagedClient; without it the incident is looked for in all namespaces.
    #[arg(long)]
    client: Option<String>,
    /// A word on it, such as the number of a ticket or of a vendor's case; no secret.
    #[arg(long)]
    note: Option<String>,
    /// Give it back: further tiers are told again.
    #[arg(long, conflicts_with = "note")]
    undo: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Answers.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let kube = connect(&args.cluster).await?;
    if let Some(name) = &args.name {
        let incident = find(&kube, name, args.client.as_deref()).await?;
        if args.output == Form::Json {
            return json(&incident);
        }
        out!("{}", told(&incident, width()));
        return Ok(());
    }
    let api = match &args.client {
        Some(client) => Api::namespaced(kube, &client_namespace(client)),
        None => Api::all(kube),
    };
    let mut all: Vec<Incident> = api.list(&ListParams::default()).await.map_err(explain)?.items;
    all.retain(|incident| args.all || state(incident) != IncidentState::Closed);
    all.sort_by_key(|incident| std::cmp::Reverse(incident.spec.opened_at.0));
    if args.output == Form::Json {
        return json(&all);
    }
    if all.is_empty() {
        outln!("no incidents{}", if args.all { "" } else { " that are not closed; --all shows those that are" });
        return Ok(());
    }
    out!("{}", list(&all, Timestamp::now(), width()));
    if let Some(open) = all.iter().find(|incident| state(incident) < IncidentState::Acknowledged) {
        outln!("\nNext: kubectl caretaker ack {}", open.name_any());
    }
    Ok(())
}

/// Takes an incident, or gives it back.
pub async fn ack(args: AckArgs) -> anyhow::Result<()> {
    #[derive(Debug, Serialize)]
    struct Body {
        spec: Spec,
    }
    #[derive(Debug, Serialize)]
    struct Spec {
        acknowledgement: Option<Acknowledgement>,
    }
    let kube = connect(&args.cluster).await?;
    let incident = find(&kube, &args.name, args.client.as_deref()).await?;
    ensure!(state(&incident) != IncidentState::Closed, "{} is closed: there is nothing to take", args.name);
    let given = incident.spec.acknowledgement.clone();
    let acknowledgement = if args.undo {
        None
    } else {
        let now = Timestamp::from_second(Timestamp::now().as_second())?;
        // A note stays with the one who takes it over.
        let note = args.note.or_else(|| given.as_ref().and_then(|given| given.note.clone()));
        Some(Acknowledgement { by: user(&kube).await?, at: Some(Time(now)), note })
    };
    let api: Api<Incident> = Api::namespaced(kube, &incident.namespace().unwrap_or_default());
    let body = Body { spec: Spec { acknowledgement: acknowledgement.clone() } };
    let patched = api.patch(&args.name, &PatchParams::default(), &Patch::Merge(&body)).await.map_err(explain)?;
    let generation = patched.metadata.generation;
    for _ in 0..SEES {
        let seen = api.get(&args.name).await.map_err(explain)?;
        let status = seen.status.clone().unwrap_or_default();
        if status.observed_generation >= generation {
            out!("{}", paragraph("", &answer(&seen, &status, acknowledgement.as_ref(), given.as_ref()), width()));
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    bail!("it is written, and the operator has not seen it within {SEES} s: until it does, further tiers are told")
}

/// What came of it, as far as it is seen.
fn answer(incident: &Incident, status: &IncidentStatus, now: Option<&Acknowledgement>, before: Option<&Acknowledgement>) -> String {
    let name = incident.name_any();
    let Some(now) = now else { return format!("{name} is given back: further tiers are told when their time comes") };
    if !matches!(status.state, IncidentState::Acknowledged | IncidentState::Resolved) {
        let why = status.conditions.iter().find(|condition| condition.type_ == "IncidentFollowed").map_or("", |found| &found.message);
        return format!("it is written that {} takes {name}, and the operator does not hold back further pages: {why}", now.by);
    }
    let from = before.filter(|before| before.by != now.by).map(|before| format!(" from {}", before.by)).unwrap_or_default();
    let held = status.conditions.iter().find(|condition| condition.type_ == "PagesHeld");
    let pages = match (&status.pages_held_until, held) {
        (Some(_), Some(held)) if held.status == "True" => held.message.split(';').next().unwrap_or_default().to_owned(),
        (_, Some(held)) if held.status == "False" => held.message.clone(),
        _ => "all tiers were told already".into(),
    };
    format!("{name} is taken{from} by {}; {pages}", now.by)
}

/// The incident of a name.
async fn find(kube: &Client, name: &str, client: Option<&str>) -> anyhow::Result<Incident> {
    if let Some(client) = client {
        let api: Api<Incident> = Api::namespaced(kube.clone(), &client_namespace(client));
        let found = api.get_opt(name).await.map_err(explain)?;
        return found.with_context(|| format!("{client} has no incident {name}; kubectl caretaker incidents {client} --all lists them"));
    }
    let api: Api<Incident> = Api::all(kube.clone());
    let named = ListParams::default().fields(&format!("metadata.name={name}"));
    let mut found = api.list(&named).await.map_err(explain).context("give the client by --client NAME")?.items;
    ensure!(found.len() < 2, "several clients have an incident {name}; give the client by --client NAME");
    found.pop().with_context(|| format!("there is no incident {name}; kubectl caretaker incidents --all lists them"))
}

/// Who asks, as the cluster knows them.
async fn user(kube: &Client) -> anyhow::Result<String> {
    let api: Api<SelfSubjectReview> = Api::all(kube.clone());
    let review = api.create(&PostParams::default(), &SelfSubjectReview::default()).await.map_err(explain)?;
    review.status.and_then(|status| status.user_info).and_then(|user| user.username).context("the cluster does not say who you are")
}

fn state(incident: &Incident) -> IncidentState {
    incident.status.as_ref().map(|status| status.state).unwrap_or_default()
}

fn client(incident: &Incident) -> String {
    let namespace = incident.namespace().unwrap_or_default();
    namespace.strip_prefix(NAMESPACE_PREFIX).unwrap_or(&namespace).to_owned()
}

fn list(incidents: &[Incident], now: Timestamp, width: usize) -> String {
    let row = |incident: &Incident| {
        let status = incident.status.clone().unwrap_or_default();
        let by = incident.spec.acknowledgement.as_ref().map_or_else(|| "-".into(), |given| given.by.clone());
        vec![
            client(incident),
            incident.name_any(),
            state(incident).as_str().to_owned(),
            status.tier.unwrap_or_else(|| "-".into()),
            span(now.duration_since(incident.spec.opened_at.0).as_secs()),
            by,
        ]
    };
    let rows: Vec<Vec<String>> = incidents.iter().map(row).collect();
    super::output::table_within(&["CLIENT", "INCIDENT", "STATE", "TIER", "AGE", "TAKEN BY"], &rows, width)
}

/// Seconds as people read them.
fn span(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// One incident with all that happened to it.
fn told(incident: &Incident, width: usize) -> String {
    let status = incident.status.clone().unwrap_or_default();
    let labels: Vec<String> = incident.spec.labels.iter().map(|(label, value)| format!("{label} {value}")).collect();
    let about = if labels.is_empty() { String::new() } else { format!(", {}", labels.join(", ")) };
    let mut text = format!("{} of {}: {}\n", incident.name_any(), client(incident), status.state.as_str());
    text += &paragraph("", &format!("{}{about}", incident.spec.alert), width);
    if !status.members.is_empty() {
        let more = usize::try_from(status.member_count).unwrap_or_default().saturating_sub(status.members.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        text += &paragraph("About: ", &format!("{}{more}", status.members.join(", ")), width);
    }
    text.push('\n');
    let opened = incident.spec.opened_at.0;
    let row = |event: &IncidentEvent| {
        let who = event.by.clone().or_else(|| event.tier.clone()).unwrap_or_default();
        vec![
            event.at.0.to_string(),
            span(event.at.0.duration_since(opened).max(SignedDuration::ZERO).as_secs()),
            format!("{:?}", event.change),
            who,
        ]
    };
    text += &table(&["WHEN", "AFTER", "EVENT", "TIER OR PERSON"], &status.events.iter().map(row).collect::<Vec<_>>());
    if status.events_left_out > 0 {
        text += &format!("{} events in the middle are not listed\n", status.events_left_out);
    }
    let of = |what: &str, seconds: Option<i64>| seconds.map(|seconds| format!("{what} {}", span(seconds)));
    let times = [
        of("taken after", status.seconds_to_acknowledge),
        of("resolved after", status.seconds_to_resolve),
        of("with a vendor for", Some(status.seconds_with_vendor).filter(|seconds| *seconds > 0)),
    ];
    let times: Vec<String> = times.into_iter().flatten().collect();
    if !times.is_empty() {
        text += &paragraph("\nTimes: ", &times.join(", "), width);
    }
    if let Some(note) = incident.spec.acknowledgement.as_ref().and_then(|given| given.note.as_ref()) {
        text += &paragraph("Note: ", note, width);
    }
    if let Some(record) = &status.record {
        text += &paragraph("Stored: ", &format!("{}, sha256 {}", record.address, record.sha256), width);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn incident() -> Incident {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "Incident",
            "metadata": {"name": "publicaddressdown-1a2b3c4d", "namespace": "client-a-client-with-a-long-name"},
            "spec": {
                "alert": "PublicAddressDown", "openedAt": "2026-11-03T10:00:00Z",
                "acknowledgement": {"by": "system:serviceaccount:desk:mia", "note": "case 4711"},
            },
            "status": {
                "state": "Acknowledged", "tier": "desk", "members": ["203.0.113.7"], "memberCount": 3, "secondsToAcknowledge": 480,
                "pagesHeldUntil": "2026-11-03T11:00:00Z",
                "conditions": [{
                    "type": "PagesHeld", "status": "True", "reason": "Settled", "message": "Alertmanager holds back pages to lead; the time is there",
                    "lastTransitionTime": "2026-11-03T10:00:00Z",
                }],
                "events": [
                    {"at": "2026-11-03T10:00:00Z", "change": "Opened", "tier": "desk"},
                    {"at": "2026-11-03T10:08:00Z", "change": "Acknowledged", "tier": "desk", "by": "mia"},
                ],
            },
        }))
        .unwrap()
    }

    #[test]
    fn a_list_fits_a_terminal_and_one_is_told_with_its_times() {
        let text = list(&[incident()], "2026-11-03T11:05:00Z".parse().unwrap(), 80);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("1 h 5 min"), "{text}");
        let text = told(&incident(), 80);
        for part in ["About: 203.0.113.7 and 2 more", "8 min", "mia", "taken after 8 min", "Note: case 4711"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("with a vendor"), "{text}");
    }

    #[test]
    fn what_came_of_taking_one_is_told_as_it_was_seen() {
        let taken = incident();
        let now = taken.spec.acknowledgement.as_ref();
        let before = Acknowledgement { by: "jo".into(), at: None, note: None };
        let status = taken.status.clone().unwrap();
        let text = answer(&taken, &status, now, Some(&before));
        assert_eq!(
            text,
            "publicaddressdown-1a2b3c4d is taken from jo by system:serviceaccount:desk:mia; Alertmanager holds back pages to lead"
        );
        let mut failed = status.clone();
        (failed.conditions[0].status, failed.conditions[0].message) = ("False".into(), "Alertmanager cannot be asked".into());
        assert!(answer(&taken, &failed, now, None).ends_with("mia; Alertmanager cannot be asked"), "nothing is called held that is not");
        assert!(answer(&taken, &status, None, now).contains("given back"));
    }
}
