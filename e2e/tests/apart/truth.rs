//! Conditions tell the truth: `Ready` does not outlive failures, what others add to our objects goes again, wars slow down, and texts alone cost nothing.

use std::sync::{OnceLock, RwLock};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use caretaker_aws_shim::{Answer, Fault, SessionTags};
use caretaker_e2e::{Client, Lab, PATIENCE};
use serde_json::{Value, json};

/// Taken for writing by tests that disturb all clients.
static PEACE: RwLock<()> = RwLock::new(());

fn here() -> &'static Lab {
    static LAB: OnceLock<Lab> = OnceLock::new();
    LAB.get_or_init(|| Lab::own("truth").unwrap_or_else(|error| panic!("the lab does not stand: {error:#}")))
}

/// A Ready client.
fn ready(lab: &Lab, name: &str, account: &str) -> Result<Client> {
    let client = Client::new(name, account, "eu-north-1");
    lab.cloud.call(&["instances", account, "eu-north-1", "1"], "")?;
    lab.onboard(&client)?;
    Ok(client)
}

fn patch(lab: &Lab, object: &[&str], kind: &str, patch: &Value) -> Result<()> {
    let (kind, patch) = (format!("--type={kind}"), patch.to_string());
    let args: Vec<&str> = ["patch"].into_iter().chain(object.iter().copied()).chain([kind.as_str(), "-p", &patch]).collect();
    lab.kubectl.run(&args).map(drop)
}

/// Notes of the events of one reason at one object.
fn events(lab: &Lab, reason: &str, object: &str) -> Result<Vec<String>> {
    let events = lab.kubectl.get(&["events.events.k8s.io", "-A"])?;
    let is_it = |event: &&Value| event["reason"] == reason && event["regarding"]["name"] == object;
    let notes = events["items"].as_array().into_iter().flatten().filter(is_it);
    Ok(notes.map(|event| event["note"].as_str().unwrap_or_default().to_owned()).collect())
}

/// M1: the kit loses its owner. Reading goes on, the condition names the cure, the client is not ready, and the cure works.
#[test]
fn a_kit_that_lost_its_owner_stops_nothing_and_is_told() -> Result<()> {
    let _peace = PEACE.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let lab = here();
    ready(lab, "orphan", "200000000901")?;
    let (kit, account) = (["configmap", "prod-grant-kit", "-n", "client-orphan"], ["ca", "prod", "-n", "client-orphan"]);
    patch(lab, &kit, "json", &json!([{"op": "remove", "path": "/metadata/ownerReferences"}]))?;
    lab.cloud.call(&["instances", "200000000901", "eu-north-1", "1"], "")?;
    lab.poke("orphan")?;
    let message = lab.condition(&account, "KitPublished", "False", "NameTaken")?;
    ensure!(message.contains("prod-grant-kit") && message.contains("delete it"), "{message}");
    lab.condition(&account, "Ready", "False", "NameTaken")?;
    lab.condition(&["mc", "orphan"], "Ready", "False", "NameTaken")?;
    lab.condition(&account, "AccessProven", "True", "Proven")?;
    lab.until("the reading with two machines", || {
        let found = lab.kubectl.get(&account)?["status"]["inventory"]["byType"]["instance"].clone();
        ensure!(found == 2, "{found}");
        Ok(())
    })?;
    lab.kubectl.run(&["delete", "configmap", "prod-grant-kit", "-n", "client-orphan"])?;
    lab.kubectl.wait(&["mc/orphan"], "condition=Ready", PATIENCE)?;
    Ok(())
}

/// T5, K17, H1: what others add is taken away, told with manager and field, and the condition does not keep saying so.
#[test]
fn what_others_add_to_our_objects_is_taken_away() -> Result<()> {
    let _peace = PEACE.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let lab = here();
    ready(lab, "added", "200000000902")?;
    let within = ["-n", "client-added"];
    let open = json!({"spec": {"podSelector": {"matchLabels": {"no": "pod"}}, "ingress": [{}], "egress": [{}]}});
    let cases: [(&str, &str, Value, &str, &str); 4] = [
        ("networkpolicy", "default-deny", open, "/spec/ingress", "added"),
        (
            "resourcequota",
            "caretaker",
            json!({"spec": {"hard": {"count/leases.coordination.k8s.io": "30"}}}),
            "/spec/hard/count~1leases.coordination.k8s.io",
            "added",
        ),
        ("configmap", "prod-grant-kit", json!({"data": {"override.tf": "resource"}}), "/data/override.tf", "prod"),
        ("ca", "prod", json!({"spec": {"member": {"parent": "x", "state": "Closed"}}}), "/spec/member", "added"),
    ];
    for (kind, name, change, pointer, owner) in cases {
        patch(lab, &[kind, name, within[0], within[1]], "merge", &change)?;
        lab.until(&format!("the repair of {kind}"), || {
            let object = lab.kubectl.get(&[kind, name, within[0], within[1]])?;
            ensure!(object.pointer(pointer).is_none(), "{object}");
            Ok(())
        })?;
        lab.until(&format!("the event about {kind}"), || {
            let notes = events(lab, "DriftRepaired", owner)?;
            let told = |note: &String| note.contains(name) && note.contains("kubectl-patch");
            notes.iter().any(told).then_some(()).context(format!("{notes:?}"))
        })?;
    }
    lab.condition(&["mc", "added"], "NamespaceReady", "True", "Settled")?;
    Ok(())
}

/// K17: a loop that writes back whenever we are right.
#[test]
fn a_war_slows_down_and_is_told() -> Result<()> {
    let _peace = PEACE.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let lab = here();
    ready(lab, "war", "200000000903")?;
    let quota = ["resourcequota", "caretaker", "-n", "client-war"];
    let mut rounds = 0;
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_secs(30) {
        if lab.kubectl.get(&quota)?["spec"]["hard"]["pods"] != "999" {
            patch(lab, &quota, "merge", &json!({"spec": {"hard": {"pods": "999"}}}))?;
            rounds += 1;
        }
    }
    ensure!((2..=4).contains(&rounds), "{rounds} rounds in 30 s: at once, after 5 s, and not before another 30 s");
    let message = lab.condition(&["mc", "war"], "NamespaceReady", "False", "Contested")?;
    ensure!(message.contains("ContestedBy kubectl-patch spec.hard.pods"), "{message}");
    ensure!(!events(lab, "Contested", "war")?.is_empty(), "no event tells of the war");
    Ok(())
}

/// K16: denials whose text is another one each time.
#[test]
fn denials_whose_text_changes_follow_the_pauses() -> Result<()> {
    let _peace = PEACE.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    let lab = here();
    ready(lab, "wordy", "200000000904")?;
    let denied = Fault {
        answer: Answer::Error { status: 403, code: "AccessDenied".into(), retry_after: None },
        ..Fault::error("sts/", 403, "AccessDenied")
    };
    lab.watch.set_faults(vec![denied]);
    lab.poke("wordy")?;
    let account = ["ca", "prod", "-n", "client-wordy"];
    lab.condition(&account, "AccessProven", "False", "WaitingForGrant")?;
    let version = || -> Result<String> { Ok(lab.kubectl.get(&account)?["metadata"]["resourceVersion"].to_string()) };
    std::thread::sleep(Duration::from_secs(3));
    let before = version()?;
    std::thread::sleep(Duration::from_secs(40));
    let after = version()?;
    lab.watch.set_faults(vec![]);
    ensure!(before == after, "a denial of the same cause wrote the status again");
    Ok(())
}

/// N06: a first reading that lasts. What was proved is told before it begins, and a later one writes nothing before its end.
#[test]
fn what_was_proved_is_told_before_a_long_reading_begins() -> Result<()> {
    let _peace = PEACE.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let lab = here();
    let client = Client::new("long", "200000000907", "ap-south-2");
    lab.cloud.call(&["instances", &client.account, "ap-south-2", "1"], "")?;
    let late = Fault::of("ec2/ap-south-2/DescribeInstances", Answer::Late(Duration::from_secs(12)));
    let listed = || lab.watch.calls().iter().filter(|call| call.contains("ec2/ap-south-2/DescribeInstances")).count();
    let account = ["ca", "prod", "-n", "client-long"];
    let _late = lab.faults(vec![late]);
    lab.kubectl.apply(&client.document().to_string())?;
    lab.grant(&client)?;
    lab.until("the first reading", || {
        ensure!(listed() > 0, "nothing is listed yet");
        Ok(())
    })?;
    let during = lab.kubectl.get(&account)?["status"].clone();
    let told = |kind: &str| {
        let list = during["conditions"].as_array().into_iter().flatten();
        list.clone().find(|condition| condition["type"] == kind).cloned().unwrap_or_default()
    };
    ensure!(during["inventory"].is_null(), "the reading is over: {during}");
    ensure!(told("AccessProven")["status"] == "True", "{during}");
    ensure!(told("InventoryComplete")["reason"] == "Progressing", "{during}");
    ensure!(told("Ready")["message"].as_str().is_some_and(|told| told.starts_with("the first reading runs since 20")), "{during}");
    lab.kubectl.wait(&["mc/long"], "condition=Ready", PATIENCE)?;

    let version = || -> Result<String> { Ok(lab.kubectl.get(&account)?["metadata"]["resourceVersion"].to_string()) };
    let before_that = listed();
    lab.poke("long")?;
    let poked = version()?;
    lab.until("the second reading", || {
        ensure!(listed() > before_that, "nothing is listed yet");
        Ok(())
    })?;
    ensure!(version()? == poked, "a reading that follows another wrote before its end");
    lab.until("its end", || {
        ensure!(version()? != poked, "it lasts");
        Ok(())
    })
}

/// Base credentials with session tags, as those of EKS Pod Identity: a fault of the profile, and no client is asked to act; the kits allow them by a setting;
/// and the smaller policy of the sessions is told.
#[test]
fn session_tags_are_told_at_the_profile_and_allowed_by_a_setting() -> Result<()> {
    let _peace = PEACE.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    let lab = here();
    let clients = [Client::new("tags-one", "200000000908", "ap-south-1"), Client::new("tags-two", "200000000909", "ap-south-1")];
    let tags = |taken_by: &[&Client]| {
        let taken_by = taken_by.iter().map(|client| format!("arn:aws:iam::{}:role/CaretakerAccess", client.account)).collect();
        lab.watch.set_session_tags(Some(SessionTags { taken_by, percent: 74 }));
    };
    let profile = ["pprof", "default"];
    let result = (|| {
        tags(&[]);
        for client in &clients {
            lab.kubectl.apply(&client.document().to_string())?;
            lab.grant(client)?;
            let account = ["ca", "prod", "-n", &format!("client-{}", client.name)];
            let message = lab.condition(&account, "AccessProven", "Unknown", "CredentialsInvalid")?;
            ensure!(message.contains("ProviderProfile") && !message.contains("grant kit and let them apply it"), "{message}");
        }
        let message = lab.condition(&profile, "ClientsReadable", "False", "CredentialsInvalid")?;
        ensure!(message.contains("sessionTags") && message.contains("--disable-session-tags"), "{message}");
        lab.condition(&profile, "Ready", "False", "CredentialsInvalid")?;

        patch(lab, &profile, "merge", &json!({"spec": {"aws": {"sessionTags": "Allow"}}}))?;
        let kit = lab.until("the kit that takes tags", || {
            let kit = lab.kubectl.get(&["configmap", "prod-grant-kit", "-n", "client-tags-one"])?;
            let template = kit["data"]["caretaker-access.cfn.json"].as_str().context("a template")?.to_owned();
            ensure!(template.contains("sts:TagSession"), "{template}");
            Ok(template)
        })?;
        // The second client has not applied it again yet: that one is asked to, and nobody else.
        let kit: Value = serde_json::from_str(&kit)?;
        let trust = &kit["Resources"]["CaretakerAccess"]["Properties"]["AssumeRolePolicyDocument"];
        lab.cloud.call(&["set-trust", &clients[0].account, "CaretakerAccess"], &trust.to_string())?;
        tags(&[&clients[0]]);
        lab.poke("tags-one")?;
        lab.poke("tags-two")?;
        lab.condition(&["ca", "prod", "-n", "client-tags-one"], "AccessProven", "True", "Proven")?;
        let message = lab.condition(&["ca", "prod", "-n", "client-tags-two"], "AccessProven", "False", "WaitingForGrant")?;
        ensure!(message.contains("let them apply it"), "{message}");
        lab.until("the wider policy of the sessions", || {
            let access = lab.kubectl.get(&["ca", "prod", "-n", "client-tags-one"])?["status"]["access"].clone();
            ensure!(access["sessionPolicy"].is_string(), "{access}");
            Ok(())
        })?;
        let access = lab.plugin(&["access", "tags-one"])?;
        ensure!(access.contains("sessions"), "{access}");
        lab.condition(&profile, "ClientsReadable", "True", "Settled").map(drop)
    })();
    lab.watch.set_session_tags(None);
    patch(lab, &profile, "merge", &json!({"spec": {"aws": {"sessionTags": null}}}))?;
    for client in &clients {
        lab.kubectl.run(&["annotate", "mc", &client.name, &format!("caretaker.dev/confirm-deletion={}", client.name)])?;
        lab.kubectl.run(&["delete", "mc", &client.name, "--timeout=60s"])?;
    }
    result
}

/// T8: what is no region's name is refused at admission, with the field.
#[test]
fn a_region_that_is_none_is_refused_and_blames_nobody() -> Result<()> {
    let _peace = PEACE.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let lab = here();
    for region in ["x.evil.example#", "eu-west-1/../..", "eu-west-1 ", "EU-WEST-1", ""] {
        let mut client = Client::new("region", "200000000905", "eu-west-1").document();
        client["spec"]["accounts"][0]["aws"]["regions"] = json!([region]);
        let refused = lab.kubectl.apply(&client.to_string()).err().map(|error| error.to_string()).unwrap_or_default();
        ensure!(refused.contains("spec.accounts[0].aws.regions"), "{region:?}: {refused}");
    }
    lab.condition(&["pprof", "default"], "ClientsReadable", "True", "Settled")?;
    Ok(())
}

/// K10: the definitions lack a field that the operator writes.
#[test]
fn definitions_that_are_too_old_are_told_where_people_look() -> Result<()> {
    let _peace = PEACE.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    let lab = here();
    ready(lab, "schema", "200000000906")?;
    lab.condition(&["pprof", "default"], "DefinitionsCurrent", "True", "Settled")?;
    let definition = ["crd", "managedclients.caretaker.dev"];
    let whole = lab.kubectl.get(&definition)?;
    let field = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/externalIds";
    patch(lab, &definition, "json", &json!([{"op": "remove", "path": field}]))?;
    let told = (|| {
        std::thread::sleep(Duration::from_secs(65));
        lab.kubectl.run(&["annotate", "--overwrite", "mc", "schema", "caretaker.dev/requested-at=k10"])?;
        let message = lab.condition(&["mc", "schema"], "Ready", "False", "SchemaOutdated")?;
        ensure!(message.contains("ManagedClient status.externalIds") && message.contains("kubectl apply"), "{message}");
        lab.condition(&["pprof", "default"], "DefinitionsCurrent", "False", "SchemaOutdated")?;
        Ok(())
    })();
    let back = whole.pointer(field).context("the field was there")?;
    patch(lab, &definition, "json", &json!([{"op": "add", "path": field, "value": back}]))?;
    told?;
    lab.kubectl.wait(&["mc/schema"], "condition=Ready", PATIENCE * 2)?;
    Ok(())
}
