//! Backups on Azure and Google Cloud: watched by recovery points as on AWS, for a client that has no account on AWS at all. Both clouds are emulated.

use anyhow::{Context, Result, ensure};
use caretaker_arm_simulator::recovery::{Job, Point, Vault, snapshot as disk_snapshot};
use caretaker_arm_simulator::seed::{MACHINE, Place};
use caretaker_arm_simulator::world::Subscription;
use caretaker_e2e::shared::shared;
use caretaker_e2e::three_clouds::{CLIENT_TENANT, Clouds};
use caretaker_e2e::{Client, Lab, PATIENCE};
use caretaker_google_simulator::apply_terraform;
use caretaker_google_simulator::recovery::{instance, operation, run, snapshot, vault as google_vault};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const SUBSCRIPTION: &str = "cccccccc-0000-4000-8000-000000001501";
const PROJECT: &str = "seen-1501";
const NAMESPACE: &str = "client-seen";
const POLICY: [&str; 4] = ["bp", "main", "-n", NAMESPACE];
const PLACE: Place<'static> = Place { subscription: SUBSCRIPTION, group: "prod", location: "westeurope" };
const SHOP: &str = "zones/europe-west1-b/instances/shop";
const DISK: &str = "zones/europe-west1-b/disks/data";

fn ago(hours: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(hours)
}

/// Two machines and a disk of one of them on Azure; a disk, a machine and a database on Google Cloud. All have the tag, in the letter case that each cloud has
/// for it.
fn furnish(clouds: &Clouds) {
    let tagged = |mut row: Value| {
        row["tags"] = json!({"Backup": "daily"});
        row
    };
    let mut disk = PLACE.resource("Microsoft.Compute/disks", "web-data", &json!({"provisioningState": "Succeeded", "diskSizeGB": 8}));
    disk["managedBy"] = PLACE.id(MACHINE, "web").into();
    let machines = [PLACE.machine("web", "running"), PLACE.machine("db", "running")];
    clouds.azure.change(|world| {
        let subscription = Subscription {
            tenant_id: CLIENT_TENANT.into(),
            groups: vec!["prod".into()],
            resources: machines.into_iter().chain([disk]).map(tagged).collect(),
            ..Subscription::default()
        };
        world.subscriptions.insert(SUBSCRIPTION.into(), subscription);
    });
    let mut world = clouds.google.world();
    world.add_project(PROJECT, "100000001501");
    let row = json!({
        "name": format!("//compute.googleapis.com/projects/{PROJECT}/{DISK}"), "assetType": "compute.googleapis.com/Disk", "displayName": "data",
        "project": "projects/100000001501", "location": "europe-west1-b", "labels": {"backup": "daily"}, "createTime": "2026-01-01T00:00:00Z",
    });
    world.add_row(PROJECT, row);
    let row = json!({
        "name": format!("//compute.googleapis.com/projects/{PROJECT}/{SHOP}"), "assetType": "compute.googleapis.com/Instance",
        "displayName": "shop", "project": "projects/100000001501", "location": "europe-west1-b", "labels": {"backup": "daily"},
        "createTime": "2026-01-01T00:00:00Z", "state": "RUNNING", "additionalAttributes": {"internalIPs": ["10.0.0.9"]},
    });
    world.add_row(PROJECT, row);
    let row = json!({
        "name": format!("//cloudsql.googleapis.com/projects/{PROJECT}/instances/orders"), "assetType": "sqladmin.googleapis.com/Instance",
        "displayName": "orders", "project": "projects/100000001501", "location": "europe-west1", "labels": {"backup": "daily"},
    });
    world.add_row(PROJECT, row);
}

fn kit(lab: &Lab, account: &str, file: &str) -> Result<String> {
    lab.until(&format!("the kit of {account}"), || {
        let kit = lab.kubectl.get(&["configmap", &format!("{account}-grant-kit"), "-n", NAMESPACE])?;
        Ok(kit["data"][file].as_str().context("the kit has the file")?.to_owned())
    })
}

fn onboard(lab: &Lab, clouds: &Clouds) -> Result<()> {
    let mut document = Client::new("seen", "200000001501", "eu-west-1").document();
    document["spec"]["accounts"] = json!([
        {"name": "azure", "azure": {"subscriptionId": SUBSCRIPTION, "tenantId": CLIENT_TENANT}},
        {"name": "gcp", "gcp": {"projectId": PROJECT}},
    ]);
    // The simulated machines have no private address: monitoring would say that they are not watched.
    document["spec"].as_object_mut().context("a client has a spec")?.remove("monitoring");
    document["spec"]["backups"]["regions"] = json!(["westeurope", "europe-west1"]);
    lab.kubectl.apply(&document.to_string())?;
    clouds.azure.deploy(SUBSCRIPTION, &serde_json::from_str(&kit(lab, "azure", "caretaker-access.azure.json")?)?)?;
    apply_terraform(&mut clouds.google.world(), PROJECT, &kit(lab, "gcp", "caretaker-access.tf")?)?;
    for account in ["azure", "gcp"] {
        lab.kubectl.run(&["annotate", "--overwrite", "ca", account, "-n", NAMESPACE, "caretaker.dev/requested-at=kit"])?;
        lab.condition(&["ca", account, "-n", NAMESPACE], "InventoryComplete", "True", "")?;
    }
    lab.kubectl.wait(&["mc/seen"], "condition=Ready", PATIENCE).map(drop)
}

fn poke(lab: &Lab) -> Result<()> {
    let stamp = format!("caretaker.dev/requested-at={}", std::time::UNIX_EPOCH.elapsed()?.as_nanos());
    lab.kubectl.run(&["annotate", "--overwrite", "bp", "main", "-n", NAMESPACE, &stamp]).map(drop)
}

fn told(lab: &Lab, is: &str, reason: &str) -> Result<String> {
    poke(lab)?;
    lab.condition(&POLICY, "BackupsProtected", is, reason)
}

/// What the client's own people have set up: a vault that saves both machines, and a schedule of snapshots.
fn saved(clouds: &Clouds) {
    clouds.azure.change(|world| {
        let mut vault = Vault::new("prod", "acme-backups", "westeurope");
        for (name, machine) in [("p1", "web"), ("p2", "db")] {
            vault.item(&PLACE.id(MACHINE, machine)).points.push(Point { name: name.into(), at: ago(9), is_valid: true });
        }
        world.subscriptions.get_mut(SUBSCRIPTION).expect("it is there").vaults.push(vault);
    });
    let row = snapshot(PROJECT, ("data-1", DISK), "READY", &ago(5).to_string());
    let mut world = clouds.google.world();
    let project = world.projects.get_mut(PROJECT).expect("it is there");
    project.snapshots.push(row);
    project.instances.push(instance(PROJECT, "europe-west1-b", "shop", &["zones/europe-west1-b/disks/shop"]));
    project.runs.push(run(("orders", "1"), "SUCCESSFUL", &ago(4).to_string()));
    project.vaults.extend(google_vault((PROJECT, "europe-west1", "acme"), SHOP, &ago(7).to_string()));
}

fn vault(clouds: &Clouds, change: impl FnOnce(&mut Vault)) {
    clouds.azure.change(|world| change(&mut world.subscriptions.get_mut(SUBSCRIPTION).expect("it is there").vaults[0]));
}

fn points_decide(lab: &Lab, clouds: &Clouds) -> Result<()> {
    let message = told(lab, "Unknown", "Progressing")?;
    ensure!(message.starts_with("0 of 6 assets") && message.contains("of 6 the first recovery point is not due yet"), "{message}");
    saved(clouds);
    let message = told(lab, "True", "Settled")?;
    ensure!(message == "all 6 assets can be restored to a moment within 26 hours", "{message}");
    lab.condition(&["mc", "seen"], "BackupsProtected", "True", "Settled")?;
    lab.condition(&POLICY, "BackupsReady", "True", "ObserveOnly").map(drop)
}

fn a_rebuilt_machine_has_no_points_of_the_earlier_one(lab: &Lab, clouds: &Clouds) -> Result<()> {
    vault(clouds, |vault| vault.item(&PLACE.id(MACHINE, "db")).in_soft_delete = true);
    let message = told(lab, "False", "NotAllProtected")?;
    ensure!(message.contains("5 of 6 assets") && message.contains("soft delete in the vault acme-backups until"), "{message}");
    let erasable =
        lab.kubectl.get(&POLICY)?["status"]["protection"]["earliestErasure"].as_str().context("soft delete holds it")?.to_owned();
    ensure!(erasable.parse::<Timestamp>()? > ago(-24 * 13), "13 days and more remain: {erasable}");
    let shown = lab.plugin(&["backups", "seen"])?;
    let flat = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    ensure!(
        flat.contains("not before")
            && flat.contains("az backup protection undelete --ids")
            && flat.contains("6 selected: 5 protected, 1 unprotected"),
        "{shown}"
    );
    vault(clouds, |vault| vault.item(&PLACE.id(MACHINE, "db")).in_soft_delete = false);
    told(lab, "True", "Settled").map(drop)
}

fn a_gap_has_its_cause_and_its_evidence(lab: &Lab, clouds: &Clouds) -> Result<()> {
    let said = "VM agent is unable to communicate";
    vault(clouds, |vault| {
        vault.item(&PLACE.id(MACHINE, "web")).points[0].at = ago(120);
        let (name, machine, status) = ("job-1".into(), "web".into(), "Failed".into());
        vault.jobs.push(Job { name, machine, status, began: ago(2), ended: Some(ago(1)), said: said.into() });
    });
    // Its disk is saved by a snapshot of its own.
    let own = disk_snapshot(SUBSCRIPTION, ("web-data-1", &PLACE.id("Microsoft.Compute/disks", "web-data")), "westeurope", ago(3));
    clouds.azure.change(|world| world.subscriptions.get_mut(SUBSCRIPTION).expect("it is there").snapshots.push(own));
    let failed = operation(PROJECT, "europe-west1-b", ("op-1", DISK), ("DONE", &ago(1).to_string(), "Quota 'SNAPSHOTS' exceeded."));
    clouds.google.world().projects.get_mut(PROJECT).expect("it is there").operations.push(failed);
    let message = told(lab, "False", "NotAllProtected")?;
    ensure!(message.contains("5 of 6 assets") && message.contains("5 days old") && message.contains(said), "{message}");
    let shown = lab.plugin(&["backups", "seen"])?;
    let flat = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    // The disk on Google Cloud can be restored today, and the next point will not come.
    for part in ["az backup job show --ids", "At risk", "Quota 'SNAPSHOTS' exceeded", "gcloud compute operations describe"] {
        ensure!(flat.contains(part), "{part} is not in\n{shown}");
    }
    let found = lab.kubectl.get(&POLICY)?;
    let coverage = lab.installed.volume("store").join(found["status"]["protection"]["address"].as_str().context("an address")?);
    let verdicts = std::fs::read_to_string(&coverage)?;
    ensure!(verdicts.lines().count() == 6 && verdicts.contains("\"Failing\""), "{verdicts}");
    vault(clouds, |vault| {
        vault.jobs.clear();
        vault.item(&PLACE.id(MACHINE, "web")).points[0].at = ago(3);
    });
    clouds.google.world().projects.get_mut(PROJECT).expect("it is there").operations.clear();
    told(lab, "True", "Settled")?;
    // What the clouds have forgotten is kept; both jobs may be of two days.
    let days = [1, 2].map(|hours| coverage.with_file_name("jobs").join(format!("{}.ndjson", ago(hours).strftime("%F"))));
    let kept: String = days.iter().filter_map(|day| std::fs::read_to_string(day).ok()).collect();
    ensure!(kept.contains(said) && kept.contains("SNAPSHOTS"), "{kept}");
    Ok(())
}

fn what_refuses_is_unknown(lab: &Lab, clouds: &Clouds) -> Result<()> {
    let right = "compute.snapshots.list";
    let role = {
        let mut world = clouds.google.world();
        let holds = |(name, held): &(&String, &Vec<String>)| name.contains(PROJECT) && held.iter().any(|held| held == right);
        let role = world.roles.iter().find(holds).map(|(name, _)| name.clone()).context("the kit's role for reading")?;
        world.roles.get_mut(&role).context("the role")?.retain(|held| held != right);
        role
    };
    let message = told(lab, "Unknown", "Incomplete")?;
    ensure!(message.contains("account gcp, europe-west1") && message.contains("compute:snapshots.list"), "{message}");
    clouds.google.world().roles.get_mut(&role).context("the role")?.push(right.into());
    told(lab, "True", "Settled").map(drop)
}

#[test]
fn backups_on_azure_and_google_cloud_are_true_by_recovery_points_only() -> Result<()> {
    let (lab, clouds) = (&shared().lab, &shared().clouds);
    // Without an account of the provider's own on these clouds no client of the profile could leave with a proof, which other tests ask for.
    clouds.control(lab)?;
    furnish(clouds);
    onboard(lab, clouds)?;
    points_decide(lab, clouds)?;
    a_rebuilt_machine_has_no_points_of_the_earlier_one(lab, clouds)?;
    a_gap_has_its_cause_and_its_evidence(lab, clouds)?;
    what_refuses_is_unknown(lab, clouds)?;
    let asked = clouds.azure.exchanges().into_iter().filter(|exchange| exchange.url.to_lowercase().contains(SUBSCRIPTION));
    let writes: Vec<String> = asked.filter(|exchange| exchange.method != "GET").map(|exchange| exchange.url).collect();
    ensure!(writes.iter().all(|url| url.contains("registration")), "watching wrote: {writes:?}");
    clouds.judge()
}
