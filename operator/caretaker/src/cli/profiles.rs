//! `profiles`: the packaged baselines, how far clients deviate from them, and what a changed one would do.

use caretaker_api::service_profile::{ServiceProfileStatus, Wave};
use caretaker_api::{ManagedClient, ServiceProfile};
use caretaker_core::conditions::find;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json as value};

use super::cluster::{ClusterArgs, connect, explain};
use super::output::{Form, json, paragraph, table_within, width};

/// Which profiles.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t, global = true)]
    output: Form,
    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(clap::Subcommand)]
enum What {
    /// Show one profile: what its newest revision changes for which client, how far it has gone out, and where clients deviate from it.
    Show {
        /// Name of the ServiceProfile.
        name: String,
    },
}

/// Answers.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let kube = connect(&args.cluster).await?;
    let profiles: Api<ServiceProfile> = Api::all(kube.clone());
    let Some(What::Show { name }) = &args.what else {
        let all = profiles.list(&ListParams::default()).await.map_err(explain)?.items;
        return match args.output {
            Form::Json => json(&all),
            Form::Table => {
                out!("{}", list(&all, width()));
                Ok(())
            }
        };
    };
    let profile = profiles.get(name).await.map_err(explain)?;
    let mut clients: Vec<ManagedClient> = Api::all(kube).list(&ListParams::default()).await.map_err(explain)?.items;
    clients.retain(|client| client.spec.profile.as_ref().is_some_and(|choice| choice.name == *name));
    match args.output {
        Form::Json => json(&value!({"profile": profile, "clients": clients.iter().map(told).collect::<Vec<_>>()})),
        Form::Table => {
            out!("{}", one(&profile, &clients, width()));
            Ok(())
        }
    }
}

fn told(client: &ManagedClient) -> Value {
    let held = client.status.as_ref().and_then(|status| status.profile.as_ref());
    value!({
        "name": client.name_any(), "revision": held.map(|held| &held.revision), "deviationCount": held.map(|held| held.deviation_count),
        "deviations": held.map(|held| &held.deviations), "resolved": held.map(|held| &held.resolved),
    })
}

fn status(profile: &ServiceProfile) -> ServiceProfileStatus {
    profile.status.clone().unwrap_or_default()
}

fn dash(text: &str) -> String {
    if text.is_empty() { "-".into() } else { text.to_owned() }
}

fn list(profiles: &[ServiceProfile], width: usize) -> String {
    if profiles.is_empty() {
        return "no profiles; apply one, such as examples/service-profile-smb-standard.yaml\n".into();
    }
    let row = |profile: &ServiceProfile| {
        let status = status(profile);
        let figures = [status.clients, status.behind, status.deviations].map(|figure| figure.to_string());
        [vec![profile.name_any(), dash(&profile.spec.segment), dash(&status.revision)], figures.to_vec()].concat()
    };
    let rows: Vec<Vec<String>> = profiles.iter().map(row).collect();
    table_within(&["PROFILE", "SEGMENT", "REVISION", "CLIENTS", "BEHIND", "DEVIATIONS"], &rows, width)
        + "\nNext: kubectl caretaker profiles show PROFILE\n"
}

fn one(profile: &ServiceProfile, clients: &[ManagedClient], width: usize) -> String {
    let status = status(profile);
    let segment = if profile.spec.segment.is_empty() { String::new() } else { format!(" ({})", profile.spec.segment) };
    let mut text = format!("{}{segment}, revision {}\n", profile.name_any(), dash(&status.revision));
    if let Some(ready) = find(&status.conditions, caretaker_api::condition::ConditionType::RolledOut) {
        text += &paragraph("rollout: ", &ready.message, width);
    }
    if let Some(change) = &status.change {
        let told = format!(
            "revision {} changes {} field(s) of {} of {} client(s) that have an earlier one",
            change.revision, change.fields, change.affected, change.clients
        );
        text += "\n";
        text += &paragraph("change: ", &told, width);
        for refusal in &change.refusals {
            text += &paragraph("  cannot take it: ", refusal, width);
        }
        let rows: Vec<Vec<String>> = change
            .rows
            .iter()
            .map(|row| vec![row.client.clone(), row.path.clone(), cell(row.from.as_deref()), cell(row.to.as_deref())])
            .collect();
        text += &table_within(&["CLIENT", "FIELD", "FROM", "TO"], &rows, width);
        let more = usize::try_from(change.fields).unwrap_or(usize::MAX).saturating_sub(change.rows.len());
        if more > 0 {
            text += &format!("and {more} more\n");
        }
    }
    if let Some(wave) = &status.wave {
        text += &wave_line(wave, width);
    }
    text + &of_clients(clients, width)
}

fn cell(text: Option<&str>) -> String {
    text.map_or_else(|| "-".into(), |text| text.chars().take(40).collect())
}

fn wave_line(wave: &Wave, width: usize) -> String {
    let names: Vec<&str> = wave.clients.iter().map(|client| client.name.as_str()).take(10).collect();
    let state = if wave.settled_at.is_some() { "over" } else { "under way" };
    paragraph(&format!("wave {}: ", wave.number), &format!("{state}, {} client(s): {}", wave.clients.len(), names.join(", ")), width)
}

fn of_clients(clients: &[ManagedClient], width: usize) -> String {
    let mut text = "\n".to_owned();
    let (mut summed, mut rows) = (Vec::new(), Vec::new());
    for client in clients {
        let held = client.status.as_ref().and_then(|status| status.profile.clone());
        let figure = held.as_ref().map_or_else(|| "-".into(), |held| held.deviation_count.to_string());
        summed.push(vec![client.name_any(), held.as_ref().map_or_else(|| "-".into(), |held| dash(&held.revision)), figure]);
        for deviation in held.iter().flat_map(|held| &held.deviations) {
            rows.push(vec![
                client.name_any(),
                deviation.path.clone(),
                cell(Some(&deviation.profile)),
                deviation.client.as_deref().map_or_else(|| "(without)".into(), |own| cell(Some(own))),
            ]);
        }
    }
    text += &table_within(&["CLIENT", "REVISION", "DEVIATIONS"], &summed, width);
    if !rows.is_empty() {
        text += "\n";
        text += &table_within(&["CLIENT", "FIELD", "PROFILE", "CLIENT'S OWN"], &rows, width);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_profile_is_told_in_80_columns() {
        let profile: ServiceProfile = serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ServiceProfile", "metadata": {"name": "smb-standard"},
            "spec": {"segment": "SmallBusiness", "defaults": {"monitoring": {"retentionDays": 30}}},
            "status": {
                "revision": "0123456789ab", "clients": 2, "behind": 1, "deviations": 2,
                "conditions": [{"type": "RolledOut", "status": "False", "reason": "RolloutPaused", "message": "spec.rollout.paused: wave 1 does not begin, 1 client(s) keep an earlier revision", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
                "change": {
                    "revision": "0123456789ab", "clients": 1, "affected": 1, "fields": 2,
                    "rows": [{"client": "acme-with-a-name-that-is-rather-long", "path": "monitoring.tiers", "from": "x".repeat(160), "to": "y".repeat(160)}],
                    "refusals": [format!("birch: {}", "spec.accounts is outside ".repeat(9))],
                },
                "wave": {"number": 1, "clients": [{"name": "acme"}]},
            },
        }))
        .unwrap();
        let client: ManagedClient = serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme"},
            "spec": {
                "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@x.example"}}, "accounts": [],
                "profile": {"name": "smb-standard"}, "exit": {"recipients": ["age1"]},
            },
            "status": {"profile": {"name": "smb-standard", "revision": "ba9876543210", "deviationCount": 2, "deviations": [
                {"path": "backups", "profile": "{\"dailyAt\":\"03:30\"}"}, {"path": "monitoring.retentionDays", "profile": "30", "client": "7"},
            ]}},
        }))
        .unwrap();
        let text = one(&profile, std::slice::from_ref(&client), 80) + &list(&[profile], 80);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        for part in [
            "smb-standard (SmallBusiness), revision 0123456789ab",
            "and 1 more",
            "(without)",
            "wave 1: under way",
            "ba9876543210",
            "cannot take it: birch",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(list(&[], 80).contains("examples/service-profile-smb-standard.yaml"));
        assert_eq!(told(&client)["deviationCount"], 2);
    }
}
