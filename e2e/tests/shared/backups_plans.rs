//! One policy on three clouds: a plan on AWS, a snapshot schedule on Google Cloud, nothing on Azure. What a cloud cannot do is told, and what is somebody
//! else's is left alone. Azure and Google Cloud are emulated.

use anyhow::{Context, Result, ensure};
use caretaker_arm_simulator::world::Subscription;
use caretaker_e2e::shared::shared;
use caretaker_e2e::three_clouds::{CLIENT_TENANT, Clouds};
use caretaker_e2e::{Client, Lab};
use caretaker_google_simulator::apply_terraform;
use caretaker_google_simulator::recovery::instance;
use caretaker_google_simulator::schedules::{daily, policy};
use serde_json::{Value, json};

const AWS_ACCOUNT: &str = "200000002101";
const SUBSCRIPTION: &str = "cccccccc-0000-4000-8000-000000002101";
const PROJECT: &str = "planned-2101";
const REGION: &str = "europe-west1";
const NAME: &str = "planned";
const NAMESPACE: &str = "client-planned";
const POLICY: [&str; 4] = ["bp", "main", "-n", NAMESPACE];
const OURS: &str = "caretaker-planned-main";
/// Calls that change something in Compute Engine.
const WRITES: [&str; 4] = [
    "compute.resourcePolicies.insert",
    "compute.resourcePolicies.patch",
    "compute.disks.addResourcePolicies",
    "compute.disks.removeResourcePolicies",
];

fn name(kind: &str, thing: &str) -> String {
    format!("//compute.googleapis.com/projects/{PROJECT}/zones/europe-west1-b/{kind}/{thing}")
}

fn row(kind: &str, word: &str, thing: &str, labels: &Value) -> Value {
    json!({
        "name": name(kind, thing), "assetType": format!("compute.googleapis.com/{word}"), "displayName": thing, "project": "projects/100000002101",
        "location": "europe-west1-b", "labels": labels, "createTime": "2026-01-01T00:00:00Z",
    })
}

/// Two disks with the label, one of a machine that has it, and one without; the client's own people save one of them already.
fn furnish(clouds: &Clouds) {
    clouds.azure.change(|world| {
        let subscription = Subscription { tenant_id: CLIENT_TENANT.into(), groups: vec!["prod".into()], ..Subscription::default() };
        world.subscriptions.insert(SUBSCRIPTION.into(), subscription);
    });
    let mut world = clouds.google.world();
    world.add_project(PROJECT, "100000002101");
    let tagged = json!({"backup": "daily"});
    for (disk, labels) in [("data", &tagged), ("web", &tagged), ("boot", &json!({})), ("scratch", &json!({}))] {
        world.add_row(PROJECT, row("disks", "Disk", disk, labels));
    }
    let mut shop = row("instances", "Instance", "shop", &tagged);
    (shop["state"], shop["additionalAttributes"]) = (json!("RUNNING"), json!({"internalIPs": ["10.0.0.21"]}));
    world.add_row(PROJECT, shop);
    let project = world.projects.get_mut(PROJECT).expect("it is there");
    project.instances.push(instance(PROJECT, "europe-west1-b", "shop", &["zones/europe-west1-b/disks/boot"]));
    project.policies.push(policy(PROJECT, REGION, "nightly", &daily("01:00", 7)));
    project.attached.insert(name("disks", "data"), ["nightly".to_owned()].into());
}

fn kit(lab: &Lab, account: &str, file: &str) -> Result<String> {
    lab.until(&format!("the kit of {account}"), || {
        let kit = lab.kubectl.get(&["configmap", &format!("{account}-grant-kit"), "-n", NAMESPACE])?;
        Ok(kit["data"][file].as_str().context("the kit has the file")?.to_owned())
    })
}

fn read_again(lab: &Lab, account: &str) -> Result<()> {
    let stamp = format!("caretaker.dev/requested-at={}", std::time::UNIX_EPOCH.elapsed()?.as_nanos());
    lab.kubectl.run(&["annotate", "--overwrite", "ca", account, "-n", NAMESPACE, &stamp]).map(drop)
}

fn onboard(lab: &Lab, clouds: &Clouds) -> Result<()> {
    let client = Client::new(NAME, AWS_ACCOUNT, "eu-west-1");
    let mut document = client.document();
    let spec = &mut document["spec"];
    spec.as_object_mut().context("a client has a spec")?.remove("monitoring");
    spec["accounts"].as_array_mut().context("accounts")?.extend([
        json!({"name": "azure", "azure": {"subscriptionId": SUBSCRIPTION, "tenantId": CLIENT_TENANT}}),
        json!({"name": "gcp", "gcp": {"projectId": PROJECT}, "allow": ["Backup"]}),
    ]);
    spec["backups"]["regions"] = json!(["eu-west-1", "westeurope", REGION]);
    lab.kubectl.apply(&document.to_string())?;
    lab.grant(&client)?;
    clouds.azure.deploy(SUBSCRIPTION, &serde_json::from_str(&kit(lab, "azure", "caretaker-access.azure.json")?)?)?;
    apply_terraform(&mut clouds.google.world(), PROJECT, &kit(lab, "gcp", "caretaker-access.tf")?)?;
    for account in ["azure", "gcp"] {
        read_again(lab, account)?;
        lab.condition(&["ca", account, "-n", NAMESPACE], "InventoryComplete", "True", "")?;
    }
    Ok(())
}

/// Asks for a visit of the policy, and waits for its end.
fn visit(lab: &Lab) -> Result<()> {
    let stamp = std::time::UNIX_EPOCH.elapsed()?.as_nanos().to_string();
    lab.kubectl.run(&["annotate", "--overwrite", "bp", "main", "-n", NAMESPACE, &format!("caretaker.dev/requested-at={stamp}")])?;
    lab.until("the visit", || {
        let found = lab.kubectl.get(&POLICY)?;
        ensure!(found["status"]["lastHandledRequest"] == stamp.as_str(), "{}", found["status"]);
        Ok(())
    })
}

fn ready(lab: &Lab, is: &str, reason: &str) -> Result<String> {
    visit(lab)?;
    lab.condition(&POLICY, "BackupsReady", is, reason)
}

fn plan(lab: &Lab, account: &str) -> Result<Value> {
    let found = lab.kubectl.get(&POLICY)?;
    let plans = found["status"]["plans"].as_array().into_iter().flatten();
    plans.clone().find(|plan| plan["account"] == account).cloned().with_context(|| format!("no plan of {account}: {}", found["status"]))
}

fn attached(clouds: &Clouds, disk: &str) -> Vec<String> {
    let world = clouds.google.world();
    world.projects[PROJECT].attached.get(&name("disks", disk)).into_iter().flatten().cloned().collect()
}

/// Writes that the clouds saw: on AWS, and in the project.
fn writes(lab: &Lab, clouds: &Clouds) -> (usize, usize) {
    let exchanges = clouds.google.exchanges();
    let is_ours = |exchange: &&Value| exchange["path"].as_str().is_some_and(|path| path.contains(PROJECT));
    let is_write = |exchange: &&Value| exchange["call"].as_str().is_some_and(|call| WRITES.contains(&call));
    let aws = lab.writes_into(AWS_ACCOUNT).into_iter().filter(|call| call.starts_with("backup")).count();
    (aws, exchanges.iter().filter(is_ours).filter(is_write).count())
}

/// Half past three is no time of Google Cloud's: it is told, nothing is rounded, and AWS is written all the same.
fn a_time_that_one_cloud_lacks_is_told(lab: &Lab, clouds: &Clouds) -> Result<()> {
    let message = ready(lab, "False", "NotOffered")?;
    ensure!(message.contains("account gcp: dailyAt 03:30") && message.contains("03:00 or 04:00"), "{message}");
    ensure!(plan(lab, "prod")?["state"] == "InSync" && plan(lab, "gcp")?["state"] == "Blocked", "{}", lab.kubectl.get(&POLICY)?);
    ensure!(writes(lab, clouds) == (3, 0), "{:?}", writes(lab, clouds));
    let shown = lab.plugin(&["backups", "plan", NAME])?;
    let flat = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["next runs AWS: ", "T03:30:00Z", "no runs Google Cloud: dailyAt 03:30", "no runs Azure: no plan is written on this cloud"]
    {
        ensure!(flat.contains(part), "{part} is not in\n{shown}");
    }
    Ok(())
}

/// One disk has the schedule of somebody else: it is told with the cure and left alone, and the others are written.
fn what_is_somebody_elses_is_told(lab: &Lab, clouds: &Clouds) -> Result<()> {
    let change = json!([{"op": "replace", "path": "/spec/backups/dailyAt", "value": "03:00"}]).to_string();
    lab.kubectl.run(&["patch", "mc", NAME, "--type=json", "-p", &change])?;
    let message = lab.condition(&POLICY, "BackupsReady", "False", "ScheduleTaken")?;
    let cure =
        format!("gcloud compute disks remove-resource-policies data --project={PROJECT} --zone=europe-west1-b --resource-policies=nightly");
    ensure!(message.contains("account gcp: the disk data") && message.contains(&cure), "{message}");
    ensure!(attached(clouds, "data") == ["nightly"] && attached(clouds, "scratch").is_empty());
    ensure!(attached(clouds, "web") == [OURS] && attached(clouds, "boot") == [OURS], "the disk of a machine, too");
    ensure!(plan(lab, "gcp")?["state"] == "Blocked" && plan(lab, "gcp")?["planId"] == OURS, "{}", plan(lab, "gcp")?);
    // The client's people take theirs off.
    clouds.google.world().projects.get_mut(PROJECT).expect("it is there").attached.remove(&name("disks", "data"));
    ready(lab, "True", "Settled")?;
    ensure!(attached(clouds, "data") == [OURS]);
    let shown = lab.plugin(&["backups", "plan", NAME])?;
    let flat = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    ensure!(flat.contains("next runs Google Cloud: ") && flat.contains("gcp, europe-west1: as the policy says"), "{shown}");
    Ok(())
}

fn the_second_pass_writes_nothing(lab: &Lab, clouds: &Clouds) -> Result<()> {
    let before = writes(lab, clouds);
    ready(lab, "True", "Settled")?;
    ensure!(writes(lab, clouds) == before, "{before:?}, and then {:?}", writes(lab, clouds));
    Ok(())
}

/// Somebody edits our schedule, and it is put back while it stays attached; a disk that loses its label loses the schedule.
fn what_is_edited_by_hand_is_put_back(lab: &Lab, clouds: &Clouds) -> Result<()> {
    let edit = |days: u32, change: bool| {
        let mut world = clouds.google.world();
        let held = world.projects.get_mut(PROJECT).expect("it is there").policies.iter_mut().find(|held| held["name"] == OURS);
        let retention = &mut held.expect("ours")["snapshotSchedulePolicy"]["retentionPolicy"]["maxRetentionDays"];
        if change {
            *retention = json!(days);
        }
        *retention == json!(days)
    };
    edit(3, true);
    ready(lab, "True", "Settled")?;
    ensure!(edit(35, false), "the days are as the policy says again");
    lab.until("the event", || {
        let events = lab.kubectl.run(&["get", "events", "-n", NAMESPACE, "-o", "json"])?;
        ensure!(events.contains("put the snapshot schedule caretaker-planned-main in europe-west1 back"), "{events}");
        Ok(())
    })?;
    {
        let mut world = clouds.google.world();
        let rows = &mut world.projects.get_mut(PROJECT).expect("it is there").assets;
        rows.iter_mut().filter(|row| row["displayName"] == "web").for_each(|row| row["labels"] = json!({}));
    }
    read_again(lab, "gcp")?;
    lab.until("the schedule is taken from what is selected no more", || {
        visit(lab)?;
        ensure!(attached(clouds, "web").is_empty(), "{:?}", attached(clouds, "web"));
        Ok(())
    })?;
    ensure!(attached(clouds, "boot") == [OURS]);
    let undo = lab.plugin(&["ledger", "undo-plan", NAME, "--store", &lab.installed.volume("store").display().to_string()])?;
    let flat = undo.split_whitespace().collect::<Vec<_>>().join(" ");
    ensure!(flat.contains("snapshot schedule caretaker-planned-main in europe-west1 from its disks, and then delete it"), "{undo}");
    Ok(())
}

#[test]
fn one_policy_is_written_on_each_cloud_as_far_as_the_cloud_offers_it() -> Result<()> {
    let (lab, clouds) = (&shared().lab, &shared().clouds);
    clouds.control(lab)?;
    furnish(clouds);
    onboard(lab, clouds)?;
    a_time_that_one_cloud_lacks_is_told(lab, clouds)?;
    what_is_somebody_elses_is_told(lab, clouds)?;
    the_second_pass_writes_nothing(lab, clouds)?;
    what_is_edited_by_hand_is_put_back(lab, clouds)?;
    clouds.judge()
}
