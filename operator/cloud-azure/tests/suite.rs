//! The behaviour suite on the simulated Azure. Emulated: nothing here was proved against Azure.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use caretaker_arm_simulator::recovery::{Item, Job, Point, Vault};
use caretaker_arm_simulator::seed::{Configuration, Place};
use caretaker_arm_simulator::world::{Application, GraphFault, READER, Refusal, Rule, Subscription};
use caretaker_cloud::manifest::azure_actions;
use caretaker_cloud::suite::{Capability, On, Stage as Behaviour, Trouble, When};
use caretaker_cloud::{
    AccessGrant, Address, AzureGrant, BackupJob, CloudConnector, CloudStep, EVERYWHERE, JobState, PointState, Purpose, RecoveryPoint,
    WantedPermission,
};
use caretaker_cloud_azure::{AzureConfig, AzureConnector};
use common::{PROVIDER, SECRET, Stage, delegated, delegation};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The cells of a subscription.
const CELLS: [&str; 12] = [
    "compute",
    "databases",
    "disks",
    "identity",
    "keyvault",
    "kubernetes",
    "network",
    "other",
    "recoveryservices",
    "storage",
    "web",
    "patches",
];
/// Client id and object id of another client's application in the provider's tenant.
const STRANGER: (&str, &str) = ("dddddddd-0000-4000-8000-0000000000ff", "eeeeeeee-0000-4000-8000-0000000000ff");
/// Part of the query of machines, and of no other.
const MACHINES: &str = "where type in~ ('microsoft.compute/virtualmachines'";

struct OnSimulator {
    stage: Stage,
    connector: Arc<AzureConnector>,
    next: AtomicU32,
}

impl OnSimulator {
    async fn set() -> Self {
        let stage = Stage::new().await;
        let connector = Arc::new(stage.connector());
        Self { stage, connector, next: AtomicU32::new(1) }
    }

    /// Adds resources to a grant's subscription.
    fn add(&self, grant: &AccessGrant, location: &str, rows: impl FnOnce(Place<'_>) -> Vec<Value>) {
        let rows = rows(Place { subscription: grant.account(), group: "prod", location });
        let id = grant.account().to_owned();
        self.stage.simulator.change(|world| world.subscriptions.get_mut(&id).expect("it was made").resources.extend(rows));
    }

    fn rule(&self, (path, body): (&str, &str), refusal: Refusal, (after, times, each): (u32, Option<u32>, u32)) {
        let rule = Rule { path: path.into(), body: body.into(), refusal, after, times, each, fitted: 0 };
        self.stage.simulator.change(|world| world.rules.push(rule));
    }
}

#[async_trait]
impl Behaviour for OnSimulator {
    fn name(&self) -> &'static str {
        "Azure"
    }

    fn lacks(&self) -> &'static [Capability] {
        &[Capability::ExternalId, Capability::Backup, Capability::OwnRole]
    }

    fn places(&self) -> [&'static str; 2] {
        ["westeurope", "northeurope"]
    }

    fn calls_before_machines(&self) -> u32 {
        // The addresses.
        1
    }

    fn cells(&self, _places: &[&str]) -> BTreeSet<(String, String)> {
        CELLS.iter().map(|group| (EVERYWHERE.to_owned(), format!("resource-graph/{group}"))).collect()
    }

    fn machine_cell(&self, _place: &str) -> (String, String) {
        (EVERYWHERE.to_owned(), "resource-graph/compute".to_owned())
    }

    fn connector(&self) -> Arc<dyn CloudConnector> {
        self.connector.clone()
    }

    async fn stranger(&self) -> Arc<dyn CloudConnector> {
        self.stage.simulator.change(|world| {
            let (client_id, object_id, secret) = (STRANGER.0.into(), STRANGER.1.into(), Some(SECRET.into()));
            world.applications.push(Application { tenant_id: PROVIDER.into(), client_id, object_id, secret, federation: None });
        });
        let config = AzureConfig { client_id: STRANGER.0.into(), ..self.stage.config() };
        Arc::new(AzureConnector::new(&config).expect("a connector"))
    }

    async fn admit(&self, grant: &AccessGrant) {
        let id = grant.account().to_owned();
        self.stage.simulator.change(|world| {
            let subscription = world.subscriptions.get_mut(&id).expect("it was made");
            subscription.delegations[0].authorizations.push((STRANGER.1.into(), READER.into()));
        });
    }

    async fn account(&self, _purposes: &[Purpose]) -> AccessGrant {
        // The roles of a delegation are the same for every purpose.
        let id = format!("cccccccc-0000-4000-8000-{:012x}", self.next.fetch_add(1, Ordering::SeqCst));
        self.stage.simulator.change(|world| world.subscriptions.insert(id.clone(), delegated()));
        AccessGrant::Azure(AzureGrant { client: "acme".into(), subscription_id: id, home_tenant_id: None })
    }

    fn misnamed(&self, grant: &AccessGrant) -> AccessGrant {
        let home = Some("ffffffff-0000-4000-8000-00000000000f".into());
        AccessGrant::Azure(AzureGrant { client: "acme".into(), subscription_id: grant.account().into(), home_tenant_id: home })
    }

    async fn machines(&self, grant: &AccessGrant, place: &str, count: usize) {
        let rows = |place: Place<'_>| (0..count).flat_map(|number| place.running(&format!("vm-{number:06}"), number)).collect();
        self.add(grant, place, rows);
    }

    async fn described(&self, grant: &AccessGrant, place: &str) -> Vec<Address> {
        let of = |private, is_primary, public| Configuration { private, is_primary, public };
        self.add(grant, place, |place| {
            vec![
                place.machine("several", "running"),
                // Resource Graph gives the rows in the order of their ids, so that the second interface comes before the first.
                place.interface("a-second", "several", false, &[of("10.0.1.4", true, None)]),
                place.interface(
                    "b-first",
                    "several",
                    true,
                    &[of("10.0.0.4", true, Some("entry")), of("10.0.0.5", false, None), of("fd00::4", false, None)],
                ),
                place.public_address("entry", "203.0.113.7"),
                place.public_address("unused", "203.0.113.8"),
                place.machine("stopped", "deallocated"),
            ]
        });
        let private = ["10.0.0.4", "10.0.1.4", "fd00::4"].map(|ip| Address::private(ip.parse().expect("an address")));
        private.into_iter().chain([Address::public("203.0.113.7".parse().expect("an address"))]).collect()
    }

    async fn named(&self, grant: &AccessGrant, place: &str, names: &[&str]) {
        let numbered = |place: Place<'_>| {
            let rows = names.iter().enumerate().map(|(number, name)| {
                let [mut machine, _] = place.running(&format!("vm-{number:06}"), number);
                machine["name"] = json!(name);
                machine
            });
            rows.collect()
        };
        self.add(grant, place, numbered);
    }

    fn legal_names(&self) -> Vec<&'static str> {
        vec![
            "a.b_c-d(1)",
            "ünïcödé",
            "日本語",
            "emoji 🦀",
            "quote'\"\\",
            "tab\tand\nline",
            "%2F..%00",
            "{{braces}} ${x} <b>",
            "\u{202e}rtl",
        ]
    }

    async fn unknown_type(&self, grant: &AccessGrant) -> String {
        let kind = "Contoso.Rockets/engines";
        self.add(grant, "westeurope", |place| vec![place.resource(kind, "one", &json!({"provisioningState": "Succeeded"}))]);
        kind.into()
    }

    async fn page_rows(&self, rows: usize) {
        self.stage.simulator.change(|world| world.page_rows = rows);
    }

    async fn trouble(&self, _grant: &AccessGrant, on: On<'_>, trouble: Trouble, When { after, times }: When) {
        let graph = match trouble {
            Trouble::CutOff => Some(GraphFault::BrokenJson),
            Trouble::RepeatedToken => Some(GraphFault::RepeatedToken),
            _ => None,
        };
        if graph.is_some() {
            // Both befall the second page.
            assert_eq!((after, times), (1, None));
            return self.stage.simulator.change(|world| {
                world.graph_fault = graph;
                world.graph_fault_on = MACHINES.into();
            });
        }
        let calls = match on {
            On::Machines(_) => ("Microsoft.ResourceGraph", MACHINES),
            On::Lists => ("Microsoft.ResourceGraph", ""),
            On::Write => ("registrationAssignments/", ""),
        };
        let refusal = match trouble {
            Trouble::Denied => Refusal::Denied,
            Trouble::Throttled(wait) => Refusal::Throttled(wait.as_secs()),
            Trouble::EachOtherThrottled => Refusal::Throttled(0),
            Trouble::Failing => Refusal::Server(503),
            Trouble::AnswerLost => Refusal::TimeoutAfterSuccess,
            Trouble::SessionEnded => Refusal::TokenEnded,
            Trouble::CutOff | Trouble::RepeatedToken => unreachable!("these are faults of Resource Graph"),
        };
        self.rule(calls, refusal, (after, times, if trouble == Trouble::EachOtherThrottled { 2 } else { 1 }));
    }

    async fn cure(&self) {
        self.stage.simulator.change(|world| {
            world.rules.clear();
            world.graph_fault = None;
        });
    }

    async fn revoke(&self, grant: &AccessGrant) {
        let id = grant.account().to_owned();
        self.stage.simulator.change(|world| world.subscriptions.get_mut(&id).expect("it was made").delegations.clear());
    }

    async fn clock(&self, ahead: i64) {
        self.stage.simulator.change(|world| world.clock_ahead = ahead);
    }

    fn wanted(&self, _grant: &AccessGrant, purpose: Purpose) -> Vec<WantedPermission> {
        azure_actions(purpose).iter().map(|action| WantedPermission { resource: "*".into(), action: action.name.into() }).collect()
    }

    async fn forbid(&self, grant: &AccessGrant) -> BTreeSet<String> {
        let id = grant.account().to_owned();
        let without = vec![delegation(1, &[READER])];
        self.stage.simulator.change(|world| world.subscriptions.get_mut(&id).expect("it was made").delegations = without);
        BTreeSet::from(["Microsoft.ManagedServices/registrationAssignments/delete".to_owned()])
    }

    async fn forbid_asking(&self, _grant: &AccessGrant) {
        self.rule(("Microsoft.Authorization", ""), Refusal::Denied, (0, None, 1));
    }

    fn write_step(&self, grant: &AccessGrant) -> (Purpose, CloudStep) {
        (Purpose::Revoke, CloudStep::DeleteDelegation { subscription_id: grant.account().into() })
    }

    fn leaving(&self, grant: &AccessGrant) -> Vec<CloudStep> {
        vec![self.write_step(grant).1]
    }

    async fn spoil_plan(&self, _grant: &AccessGrant, _region: &str, _id: &str) {
        unreachable!("no backups yet")
    }

    async fn plant_recovery(&self, grant: &AccessGrant, points: &[RecoveryPoint], jobs: &[BackupJob], _left_out: &[(&str, &str)]) {
        let id = grant.account().to_owned();
        self.stage.simulator.change(|world| {
            let subscription = world.subscriptions.get_mut(&id).expect("it was made");
            for point in points {
                let vault = vault(subscription, &point.region);
                let name = point.id.rsplit('/').next().unwrap_or_default().to_owned();
                let is_valid = point.state == PointState::Usable;
                vault.item(&named(&id, &point.source)).points.push(Point { name, at: point.created, is_valid });
            }
            for job in jobs {
                let vault = vault(subscription, &job.region);
                let machine = named(&id, &job.source);
                vault.item(&machine);
                let status = match job.state {
                    JobState::UnderWay => "InProgress",
                    JobState::Failed => "Failed",
                    JobState::Aborted => "Cancelled",
                    _ => "Completed",
                };
                vault.jobs.push(Job {
                    name: job.id.rsplit('/').next().unwrap_or_default().into(),
                    machine: machine.rsplit('/').next().unwrap_or_default().into(),
                    status: status.into(),
                    began: job.created,
                    ended: job.ended,
                    said: job.message.clone(),
                });
            }
        });
    }

    async fn forbid_action(&self, _grant: &AccessGrant, action: &str) {
        self.rule((action, ""), Refusal::Denied, (0, None, 1));
    }

    fn recovery_states(&self) -> (&'static [PointState], &'static [JobState]) {
        (&[PointState::Usable, PointState::Expired], &[JobState::UnderWay, JobState::Completed, JobState::Failed, JobState::Aborted])
    }

    fn point(&self, grant: &AccessGrant, place: &str, number: usize, (state, created): (PointState, Timestamp)) -> RecoveryPoint {
        let (machine, vault) = (machine(grant.account(), number), Vault::new("prod", &vault_name(place), place));
        let item = Item { machine: machine.clone(), ..Item::default() }.id(&vault.id(grant.account()));
        RecoveryPoint {
            id: format!("{item}/recoveryPoints/point-{number:06}"),
            region: place.into(),
            vault: vault.name,
            source: machine.to_lowercase(),
            state,
            created,
            deleted_at: None,
            held_until: None,
            continuous: false,
            leaves_out: false,
            message: String::new(),
        }
    }

    fn job(&self, grant: &AccessGrant, place: &str, number: usize, (state, created): (JobState, Timestamp)) -> BackupJob {
        let vault = Vault::new("prod", &vault_name(place), place);
        BackupJob {
            id: format!("{}/backupJobs/job-{number:06}", vault.id(grant.account())),
            region: place.into(),
            vault: vault.name,
            source: machine(grant.account(), number).to_lowercase(),
            state,
            created,
            ended: (state != JobState::UnderWay).then(|| created + SignedDuration::from_hours(1)),
            point: None,
            message: if state == JobState::Failed { "VM agent is unable to communicate".into() } else { String::new() },
        }
    }

    fn recovery_actions(&self) -> &'static [&'static str] {
        // Parts of the paths: Azure's role Reader has no single actions that could be taken away.
        &["Microsoft.RecoveryServices/vaults", "backupProtectedItems", "recoveryPoints", "backupJobs", "Microsoft.Compute/snapshots"]
    }

    async fn writes(&self) -> usize {
        let exchanges = self.stage.simulator.exchanges();
        exchanges.iter().filter(|exchange| exchange.method == "DELETE" && exchange.status < 400).count()
    }
}

fn machine(subscription: &str, number: usize) -> String {
    format!("/subscriptions/{subscription}/resourceGroups/prod/providers/Microsoft.Compute/virtualMachines/Vm-{number:06}")
}

/// The machine's id in its own letter case.
fn named(subscription: &str, source: &str) -> String {
    let number = source.rsplit('-').next().and_then(|number| number.parse().ok()).expect("a number");
    machine(subscription, number)
}

fn vault_name(place: &str) -> String {
    format!("backups-{place}")
}

fn vault<'a>(subscription: &'a mut Subscription, place: &str) -> &'a mut Vault {
    let name = vault_name(place);
    let at = subscription.vaults.iter().position(|vault| vault.name == name).unwrap_or_else(|| {
        subscription.vaults.push(Vault::new("prod", &name, place));
        subscription.vaults.len() - 1
    });
    &mut subscription.vaults[at]
}

caretaker_cloud::behaviour_suite!(OnSimulator::set().await);
