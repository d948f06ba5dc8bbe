//! Profiles as a provider meets them: a client of ten lines, one override that is counted, a change that is shown and then goes out in waves, a profile that is
//! missing, and one that may not go.

use anyhow::{Context, Result, ensure};
use caretaker_e2e::{Client, Lab, PATIENCE, lab};
use caretaker_testkit::source_root;
use serde_json::{Value, json};

const REGION: &str = "eu-west-1";

fn profile(name: &str, more: &Value) -> Value {
    let mut spec = json!({
        "segment": "SmallBusiness",
        "defaults": {
            "monitoring": {"retentionDays": 30, "tiers": [
                {"name": "desk", "ackWithinMinutes": 10, "webhookUrl": "https://desk.provider.example/alerts"},
                {"name": "lead", "webhookUrl": "https://lead.provider.example/alerts"},
            ]},
            "quota": {"pods": 33},
        },
        "rollout": {"waveSize": 1, "pause": "2s"},
    });
    if let (Some(spec), Some(more)) = (spec.as_object_mut(), more.as_object()) {
        spec.extend(more.clone());
    }
    json!({"apiVersion": "caretaker.dev/v1alpha1", "kind": "ServiceProfile", "metadata": {"name": name}, "spec": spec})
}

/// The least that a client of a profile says.
fn document(client: &Client, profile: &str, own: &Value) -> Value {
    let mut document = client.document();
    if let Some(spec) = document["spec"].as_object_mut() {
        spec.retain(|field, _| matches!(field.as_str(), "displayName" | "contacts" | "accounts" | "exit"));
        spec.insert("profile".into(), json!({"name": profile}));
        spec.extend(own.as_object().cloned().unwrap_or_default());
    }
    document
}

fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

fn patch(lab: &Lab, object: &str, patch: &Value) -> Result<String> {
    lab.kubectl.run(&["patch", object, "--type=merge", "-p", &patch.to_string()])
}

fn held(lab: &Lab, client: &str) -> Result<Value> {
    Ok(lab.kubectl.get(&["mc", client])?["status"]["profile"].clone())
}

fn stack(lab: &Lab, client: &str) -> Result<Value> {
    Ok(lab.kubectl.get(&["ms", "main", "-n", &format!("client-{client}")])?["spec"].clone())
}

/// What holds in the client's namespace is what was resolved.
fn is_built(lab: &Lab, client: &str, days: u64) -> Result<()> {
    lab.until(&format!("{client} with {days} days"), || {
        let spec = stack(lab, client)?;
        ensure!(spec["retentionDays"] == days && spec["tiers"][0]["name"] == "desk", "{spec}");
        Ok(())
    })
}

/// An override is one deviation, and it is in force at once.
fn an_override_is_counted(lab: &Lab) -> Result<()> {
    patch(lab, "mc/pack-b", &json!({"spec": {"monitoring": {"retentionDays": 7}}}))?;
    is_built(lab, "pack-b", 7)?;
    let own = lab.until("one deviation", || {
        let own = held(lab, "pack-b")?;
        ensure!(own["deviationCount"] == 1, "{own}");
        Ok(own)
    })?;
    ensure!(own["deviations"] == json!([{"path": "monitoring.retentionDays", "profile": "30", "client": "7"}]), "{own}");
    lab.until("the sum at the profile", || {
        let profile = lab.kubectl.get(&["sprof", "pack"])?["status"].clone();
        ensure!(profile["deviations"] == 1 && profile["clients"] == 2, "{profile}");
        Ok(())
    })?;
    lab.until("the metric", || {
        ensure!(lab.metrics()?.contains(r#"caretaker_profile_deviations{profile="pack"} 1"#));
        Ok(())
    })?;
    Ok(())
}

/// A change is shown, and nothing goes out while it is paused.
fn a_change_is_shown(lab: &Lab, first: &Value) -> Result<()> {
    let change = json!({"spec": {"rollout": {"paused": true}, "defaults": {"monitoring": {"exporterPort": 9200, "retentionDays": 60}}}});
    patch(lab, "sprof/pack", &change)?;
    lab.condition(&["sprof", "pack"], "RolledOut", "False", "RolloutPaused")?;
    let told: Value = serde_json::from_str(&lab.plugin(&["profiles", "show", "pack", "-o", "json"])?)?;
    let shown = &told["profile"]["status"]["change"];
    ensure!(shown["affected"] == 2 && shown["fields"] == 3, "pack-b has its own days: {shown}");
    let row = json!({"client": "pack-a", "path": "monitoring.retentionDays", "from": "30", "to": "60"});
    ensure!(shown["rows"].as_array().is_some_and(|rows| rows.contains(&row)), "{shown}");
    let table = lab.plugin(&["profiles", "show", "pack"])?;
    ensure!(
        table.contains("changes 3 field(s) of 2 of 2 client(s)")
            && table.contains("9100")
            && table.lines().all(|line| line.chars().count() <= 100),
        "{table}"
    );
    for client in ["pack-a", "pack-b"] {
        ensure!(held(lab, client)?["revision"] == first["revision"], "{client} has moved");
        ensure!(stack(lab, client)?["exporterPort"] == 9100);
    }
    Ok(())
}

/// It goes on, one client at a time.
fn it_goes_out(lab: &Lab, first: &Value) -> Result<Value> {
    patch(lab, "sprof/pack", &json!({"spec": {"rollout": {"paused": false}}}))?;
    is_built(lab, "pack-a", 60)?;
    lab.condition(&["sprof", "pack"], "RolledOut", "True", "Settled")?;
    let (a, b) = (held(lab, "pack-a")?, held(lab, "pack-b")?);
    ensure!(a["revision"] == b["revision"] && a["revision"] != first["revision"], "{a} {b}");
    ensure!(stack(lab, "pack-b")?["retentionDays"] == 7 && stack(lab, "pack-b")?["exporterPort"] == 9200);
    let (at_a, at_b) = (a["adoptedAt"].as_str().context("a time")?, b["adoptedAt"].as_str().context("a time")?);
    let apart = at_b.parse::<jiff::Timestamp>()?.duration_since(at_a.parse()?);
    ensure!(apart.as_secs() >= 2, "two waves with a pause between them: {at_a}, {at_b}");
    Ok(a)
}

#[test]
fn a_changed_profile_is_shown_and_then_goes_out_in_waves() -> Result<()> {
    let lab = lab();
    let clients = [Client::new("pack-a", "200000002401", REGION), Client::new("pack-b", "200000002402", REGION)];
    // The client stands before its profile in the file.
    let items = [document(&clients[0], "pack", &json!({})), document(&clients[1], "pack", &json!({})), profile("pack", &json!({}))];
    lab.kubectl.apply(&list(&items))?;
    for client in &clients {
        lab.condition(&["mc", &client.name], "ProfileResolved", "True", "Settled")?;
        is_built(lab, &client.name, 30)?;
        let quota = lab.kubectl.get(&["resourcequota", "-n", &format!("client-{}", client.name)])?;
        ensure!(quota["items"][0]["spec"]["hard"]["pods"] == "33", "{quota}");
        lab.grant(client)?;
        lab.kubectl.wait(&[&format!("mc/{}", client.name)], "condition=Ready", PATIENCE).with_context(|| lab.log())?;
    }
    let first = held(lab, "pack-a")?;
    ensure!(first["deviationCount"] == 0 && first["resolved"]["monitoring"]["exporterPort"] == 9100, "{first}");
    an_override_is_counted(lab)?;
    a_change_is_shown(lab, &first)?;
    let a = it_goes_out(lab, &first)?;

    // It may not go while clients name it, and nothing of theirs changes.
    let refused = lab.kubectl.run(&["delete", "sprof", "pack", "--wait=false"]).err().map(|error| format!("{error:#}")).unwrap_or_default();
    ensure!(refused.contains("is named by 2 ManagedClient(s): name another profile"), "{refused}");
    ensure!(held(lab, "pack-a")?["revision"] == a["revision"] && stack(lab, "pack-a")?["retentionDays"] == 60);
    Ok(())
}

#[test]
fn a_profile_that_is_missing_is_told_and_nothing_is_half_built() -> Result<()> {
    let lab = lab();
    let client = Client::new("pack-late", "200000002403", REGION);
    lab.kubectl.apply(&document(&client, "pack-late", &json!({"monitoring": {"retentionDays": 9}})).to_string())?;
    let message = lab.condition(&["mc", "pack-late"], "ProfileResolved", "False", "ReferenceMissing")?;
    ensure!(message.contains("ServiceProfile pack-late does not exist: apply it, or name another"), "{message}");
    lab.condition(&["mc", "pack-late"], "Ready", "False", "ReferenceMissing")?;
    let namespaces = lab.kubectl.run(&["get", "namespaces", "-o", "name"])?;
    ensure!(!namespaces.contains("client-pack-late"), "built without its profile: {namespaces}");
    // It comes later, and is picked up at once.
    let began = std::time::Instant::now();
    lab.kubectl.apply(&profile("pack-late", &json!({})).to_string())?;
    is_built(lab, "pack-late", 9)?;
    ensure!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    // Once its client names none, it goes; what the profile gave goes from the client too.
    patch(lab, "mc/pack-late", &json!({"spec": {"profile": null, "monitoring": null}}))?;
    lab.until("the profile is free", || lab.kubectl.run(&["delete", "sprof", "pack-late", "--timeout=20s"]))?;
    lab.until("no stack", || {
        ensure!(lab.kubectl.run(&["get", "ms", "-n", "client-pack-late", "-o", "name"])?.is_empty());
        Ok(())
    })
}

#[test]
fn the_limits_of_a_profile_hold_whatever_a_client_says() -> Result<()> {
    let lab = lab();
    let limits = json!({"limits": {
        "regions": {"aws": ["us-gov-west-1"]}, "authorizations": [{"kind": "FedRAMP", "what": "the package id"}],
        "clauses": [{"clause": "52.237-3", "title": "Continuity of Services"}],
    }});
    let outside = Client::new("pack-gov", "200000002404", REGION);
    lab.kubectl.apply(&list(&[profile("pack-gov", &limits), document(&outside, "pack-gov", &json!({}))]))?;
    let message = lab.condition(&["mc", "pack-gov"], "ProfileResolved", "False", "RegionNotAllowed")?;
    ensure!(message.contains("spec.accounts[prod].aws.regions: eu-west-1 is not allowed: the profile allows us-gov-west-1"), "{message}");
    let mut inside = outside;
    inside.regions = vec!["us-gov-west-1".into()];
    lab.kubectl.apply(&document(&inside, "pack-gov", &json!({})).to_string())?;
    let message = lab.condition(&["mc", "pack-gov"], "AuthorizationsNamed", "False", "AuthorizationMissing")?;
    ensure!(message.contains("FedRAMP (the package id)"), "{message}");
    ensure!(held(lab, "pack-gov")?["limits"]["clauses"][0]["clause"] == "52.237-3");
    let named = json!({"spec": {"profile": {"authorizations": [{"kind": "FedRAMP", "reference": "FR0000000000"}]}}});
    patch(lab, "mc/pack-gov", &named)?;
    lab.condition(&["mc", "pack-gov"], "AuthorizationsNamed", "True", "")?;
    Ok(())
}

/// What cannot be meant is refused with the field, and a client without a profile is asked for all that it was asked for before.
#[test]
fn admission_knows_what_a_profile_may_say_and_what_a_client_may_leave_out() -> Result<()> {
    let lab = lab();
    let refused = |document: &Value| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), document.to_string()).expect("it is written");
        match lab.kubectl.run(&["apply", "--dry-run=server", "-f", &file.path().display().to_string()]) {
            Ok(_) => "it was taken".to_owned(),
            Err(error) => format!("{error:#}"),
        }
    };
    let with = |path: &str, value: Value| {
        let mut document = profile("pack-odd", &json!({}));
        let (parent, name) = path.rsplit_once('/').unwrap_or_default();
        if let Some(parent) = document.pointer_mut(&format!("/spec{parent}")) {
            parent[name] = value;
        }
        document
    };
    for (path, value, words) in [
        ("/defaults/displayName", json!("A"), "unknown field \"spec.defaults.displayName\""),
        ("/defaults/accounts", json!([]), "unknown field \"spec.defaults.accounts\""),
        ("/defaults/exit", json!({"recipients": []}), "unknown field \"spec.defaults.exit.recipients\""),
        ("/defaults/monitoring/retentionDays", json!(0), "spec.defaults.monitoring.retentionDays"),
        ("/rollout/waveSize", json!("0%"), "waveSize must be a number of clients from 1"),
        ("/rollout/waveSize", json!(0), "waveSize must be a number of clients from 1"),
        ("/rollout/pause", json!("soon"), "pause must be a time such as 10m"),
        ("/limits", json!({"clauses": [{"clause": "a", "title": "b"}, {"clause": "a", "title": "c"}]}), "Duplicate value"),
    ] {
        let told = refused(&with(path, value.clone()));
        ensure!(told.contains(words), "{path} {value}: {told}");
    }
    let client = Client::new("pack-odd", "200000002405", REGION);
    for (field, value, words) in [
        ("monitoring", json!({"retentionDays": 9}), "spec.monitoring.tiers is required where no profile"),
        ("backups", json!({"dailyAt": "03:30"}), "spec.backups.retentionDays is required where no profile"),
        ("billing", json!({"zone": "UTC"}), "spec.billing.units is required where no profile"),
    ] {
        let mut alone = document(&client, "pack-odd", &json!({field: value}));
        ensure!(refused(&alone) == "it was taken", "with a profile {field} may be a part: {}", refused(&alone));
        alone["spec"].as_object_mut().context("a spec")?.remove("profile");
        let told = refused(&alone);
        ensure!(told.contains(words), "{field}: {told}");
    }
    // The hours that a tier names may be the profile's.
    let tiers = json!({"monitoring": {"tiers": [{"name": "one", "webhookUrl": "https://a.example/", "hours": "office"}]}});
    ensure!(refused(&document(&client, "pack-odd", &tiers)) == "it was taken");
    let mut alone = document(&client, "pack-odd", &tiers);
    alone["spec"].as_object_mut().context("a spec")?.remove("profile");
    ensure!(refused(&alone).contains("tiers[].hours names an entry of hours"), "{}", refused(&alone));
    Ok(())
}

#[test]
fn the_packages_of_the_examples_are_taken_by_their_clients() -> Result<()> {
    let lab = lab();
    for (name, client, deviations) in
        [("smb-standard", "hornbeam", 0), ("enterprise", "sequoia", 2), ("federal", "redwood", 0), ("healthcare", "hawthorn", 1)]
    {
        let text = std::fs::read_to_string(source_root().join(format!("examples/service-profile-{name}.yaml")))?;
        lab.kubectl.apply(&text)?;
        lab.condition(&["mc", client], "ProfileResolved", "True", "Settled")?;
        lab.condition(&["mc", client], "AuthorizationsNamed", "True", "")?;
        let held = held(lab, client)?;
        ensure!(held["name"] == name && held["deviationCount"] == deviations, "{client}: {held}");
        lab.until("its monitoring", || stack(lab, client))?;
    }
    Ok(())
}
