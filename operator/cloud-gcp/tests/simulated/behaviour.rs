//! The behaviour suite on the simulated Google Cloud.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use caretaker_cloud::budget::Budgets;
use caretaker_cloud::manifest::{On as Granted, gcp_permissions};
use caretaker_cloud::suite::{Capability, On, Stage as Behaviour, Trouble, When};
use caretaker_cloud::{
    AccessGrant, Address, BackupJob, CloudConnector, CloudStep, EVERYWHERE, GcpGrant, JobState, PointState, Purpose, RecoveryPoint,
    WantedPermission,
};
use caretaker_cloud_gcp::{BaseCredentials, GcpConfig, GcpConnector};
use caretaker_core::kit::gcp::wanted;
use caretaker_google_simulator::recovery::{operation, snapshot};
use caretaker_google_simulator::{Fault, FaultKind, READ_ROLE, judge, private_address};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::stage::{CELLS, PATIENCE, PROVIDER, QUOTA, Stage, key, python};

struct OnSimulator {
    stage: Stage,
    connector: Arc<GcpConnector>,
    next: AtomicU32,
}

fn gcp(grant: &AccessGrant) -> &GcpGrant {
    let AccessGrant::Gcp(grant) = grant else { panic!("a grant of Google Cloud") };
    grant
}

impl OnSimulator {
    async fn set() -> Self {
        let stage = Stage::set().await;
        let connector = Arc::new(stage.connector());
        Self { stage, connector, next: AtomicU32::new(1) }
    }

    fn us(&self) -> String {
        format!("serviceAccount:{}", self.stage.us)
    }
}

impl Drop for OnSimulator {
    /// No test can leave the judge out.
    fn drop(&mut self) {
        let exchanges = self.stage.simulator.exchanges();
        // An obligation that is skipped has said nothing.
        if !std::thread::panicking() && !exchanges.is_empty() {
            judge(&exchanges, python()).expect("every exchange is as Google describes it");
        }
    }
}

fn row(project: &str, kind: &str, (id, name): (&str, &str), place: &str) -> Value {
    let service = kind.split('/').next().unwrap_or_default();
    json!({
        "name": format!("//{service}/projects/{project}/zones/{place}-b/instances/{id}"), "assetType": kind, "displayName": name,
        "project": "projects/1", "location": format!("{place}-b"), "state": "RUNNING",
    })
}

fn machine(project: &str, name: &str, place: &str, private: &[&str], public: &[&str]) -> Value {
    let mut machine = row(project, MACHINE, (name, name), place);
    machine["additionalAttributes"] = json!({"machineType": "e2-small", "internalIPs": private});
    if !public.is_empty() {
        machine["additionalAttributes"]["externalIPs"] = json!(public);
    }
    machine
}

/// Name of another client's principal.
const STRANGER: &str = "of-another-client";
const MACHINE: &str = "compute.googleapis.com/Instance";

#[async_trait]
impl Behaviour for OnSimulator {
    fn name(&self) -> &'static str {
        "Google Cloud"
    }

    fn lacks(&self) -> &'static [Capability] {
        &[Capability::ExternalId, Capability::Backup, Capability::OwnRole, Capability::OwnQuota]
    }

    fn places(&self) -> [&'static str; 2] {
        ["europe-west1", "us-east1"]
    }

    fn cells(&self, _places: &[&str]) -> BTreeSet<(String, String)> {
        CELLS.iter().map(|service| (EVERYWHERE.to_owned(), format!("cloud-asset/{service}"))).collect()
    }

    fn machine_cell(&self, _place: &str) -> (String, String) {
        (EVERYWHERE.to_owned(), "cloud-asset/compute".to_owned())
    }

    fn connector(&self) -> Arc<dyn CloudConnector> {
        self.connector.clone()
    }

    async fn stranger(&self) -> Arc<dyn CloudConnector> {
        let email = self.stage.simulator.world().add_account(STRANGER, PROVIDER);
        self.stage.simulator.world().keys.insert((email.clone(), "key-1".into()), key().public());
        let credentials = BaseCredentials::Key(Stage::key_file(&email));
        let config = GcpConfig { credentials, expected_principal: email, ..self.stage.config.clone() };
        Arc::new(GcpConnector::with_budgets(config, Budgets::with_patience(PATIENCE)).expect("a connector"))
    }

    async fn admit(&self, grant: &AccessGrant) {
        let (role, member) =
            ("roles/iam.serviceAccountTokenCreator", format!("serviceAccount:{STRANGER}@{PROVIDER}.iam.gserviceaccount.com"));
        let mut world = self.stage.simulator.world();
        world.accounts.get_mut(&gcp(grant).service_account).expect("it was made").policy.bind(role, &member);
    }

    async fn account(&self, _purposes: &[Purpose]) -> AccessGrant {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        let id = format!("client-{number:04}");
        let mut world = self.stage.simulator.world();
        world.add_project(&id, &format!("5{number:011}"));
        let service_account = world.add_client_access(&id, QUOTA, &self.us());
        let held = gcp_permissions(Purpose::Read).iter().filter(|permission| permission.on == Granted::Account);
        let held = held.map(|permission| permission.name.to_owned()).filter(|name| !name.is_empty());
        world.roles.insert(format!("projects/{id}/roles/{READ_ROLE}"), held.collect());
        AccessGrant::Gcp(GcpGrant { client: "acme".into(), project_id: id, service_account })
    }

    fn misnamed(&self, grant: &AccessGrant) -> AccessGrant {
        // Google answers for a number too: the session is then in a project that the grant does not name.
        let number = self.stage.simulator.world().projects[grant.account()].number.clone();
        AccessGrant::Gcp(GcpGrant { project_id: number, ..gcp(grant).clone() })
    }

    async fn machines(&self, grant: &AccessGrant, place: &str, count: usize) {
        let mut world = self.stage.simulator.world();
        for number in 0..count {
            let (name, private) = (format!("vm-{number:06}"), private_address(number));
            world.add_row(grant.account(), machine(grant.account(), &name, place, &[&private], &[]));
        }
    }

    async fn described(&self, grant: &AccessGrant, place: &str) -> Vec<Address> {
        let (private, public) = (["10.0.0.4", "10.0.1.4", "fd20::4"], ["203.0.113.7", "2001:db8::7"]);
        let several = machine(grant.account(), "several", place, &private, &public);
        // A machine of Google Cloud that was stopped keeps its private address.
        let mut stopped = machine(grant.account(), "stopped", place, &["10.0.0.5"], &[]);
        stopped["state"] = "TERMINATED".into();
        let mut world = self.stage.simulator.world();
        world.add_row(grant.account(), several);
        world.add_row(grant.account(), stopped);
        let private = private.map(|ip| Address::private(ip.parse().expect("an address")));
        private.into_iter().chain(public.map(|ip| Address::public(ip.parse().expect("an address")))).collect()
    }

    async fn named(&self, grant: &AccessGrant, place: &str, names: &[&str]) {
        let mut world = self.stage.simulator.world();
        for (number, name) in names.iter().enumerate() {
            world.add_row(grant.account(), row(grant.account(), MACHINE, (&format!("vm-{number}"), name), place));
        }
    }

    fn legal_names(&self) -> Vec<&'static str> {
        vec!["-", "a\"b", "$(reboot)", "${x}", "ünïcødé 名前 🦀", "a/b", "<script>", "line\nend", "\u{202e}rtl", "a&b=c%20+d", "'; --"]
    }

    async fn unknown_type(&self, grant: &AccessGrant) -> String {
        let kind = "quantum.googleapis.com/Processor";
        self.stage.simulator.world().add_row(grant.account(), row(grant.account(), kind, ("one", "one"), "europe-west1"));
        kind.into()
    }

    async fn page_rows(&self, rows: usize) {
        self.stage.simulator.world().page_rows = Some(rows);
    }

    async fn trouble(&self, _grant: &AccessGrant, on: On<'_>, trouble: Trouble, When { after, times }: When) {
        let kind = match trouble {
            Trouble::Denied => FaultKind::Denied,
            Trouble::Throttled(wait) => FaultKind::Throttled { retry_after: Some(wait.as_secs()), retry_info: None },
            Trouble::EachOtherThrottled => FaultKind::Throttled { retry_after: None, retry_info: None },
            Trouble::Failing => FaultKind::Server(503),
            Trouble::AnswerLost => FaultKind::DoneAndLost,
            Trouble::CutOff => FaultKind::Garbled,
            Trouble::RepeatedToken => FaultKind::RepeatedToken,
            Trouble::SessionEnded => FaultKind::Expired,
        };
        let mut fault = match on {
            On::Machines(_) => Fault::of("cloudasset.search", kind).about("compute"),
            On::Lists => Fault::of("cloudasset.", kind),
            On::Write => Fault::of("iam.projects.serviceAccounts.setIamPolicy", kind),
        };
        fault = fault.after(after).each(if trouble == Trouble::EachOtherThrottled { 2 } else { 1 });
        fault.times = times;
        self.stage.fault(fault);
    }

    async fn cure(&self) {
        self.stage.simulator.world().faults.clear();
    }

    async fn revoke(&self, grant: &AccessGrant) {
        let (us, mut world) = (self.us(), self.stage.simulator.world());
        let account = &gcp(grant).service_account;
        world.accounts.get_mut(account).expect("it was made").policy.unbind(&us);
        world.projects.get_mut(grant.account()).expect("it was made").policy.unbind(&format!("serviceAccount:{account}"));
    }

    async fn clock(&self, ahead: i64) {
        self.stage.simulator.world().clock_ahead = ahead;
    }

    fn wanted(&self, grant: &AccessGrant, purpose: Purpose) -> Vec<WantedPermission> {
        wanted(&[purpose], gcp(grant))
    }

    async fn forbid(&self, grant: &AccessGrant) -> BTreeSet<String> {
        let taken = "cloudasset.assets.searchAllResources";
        let role = format!("projects/{}/roles/{READ_ROLE}", grant.account());
        self.stage.simulator.world().roles.get_mut(&role).expect("it was made").retain(|held| held != taken);
        BTreeSet::from([taken.to_owned()])
    }

    async fn forbid_asking(&self, _grant: &AccessGrant) {
        self.stage.fault(Fault::of("cloudresourcemanager.projects.testIamPermissions", FaultKind::Denied));
    }

    fn write_step(&self, grant: &AccessGrant) -> (Purpose, CloudStep) {
        (Purpose::Revoke, CloudStep::RemoveBinding { project_id: grant.account().into(), member: self.us() })
    }

    fn leaving(&self, grant: &AccessGrant) -> Vec<CloudStep> {
        vec![self.write_step(grant).1]
    }

    async fn spoil_plan(&self, _grant: &AccessGrant, _region: &str, _id: &str) {
        unreachable!("no backups yet")
    }

    async fn plant_recovery(&self, grant: &AccessGrant, points: &[RecoveryPoint], jobs: &[BackupJob], _left_out: &[(&str, &str)]) {
        let mut world = self.stage.simulator.world();
        let project = world.projects.get_mut(grant.account()).expect("it was made");
        let short = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        let disk = |source: &str| source.split_once(&format!("projects/{}/", grant.account())).map(|(_, disk)| disk.to_owned());
        for point in points {
            let status = match point.state {
                PointState::Usable => "READY",
                PointState::Creating => "UPLOADING",
                _ => "DELETING",
            };
            let disk = disk(&point.source).expect("a disk");
            project.snapshots.push(snapshot(grant.account(), (&short(&point.id), &disk), status, &point.created.to_string()));
        }
        for job in jobs {
            let status = if job.state == JobState::UnderWay { "RUNNING" } else { "DONE" };
            let (disk, zone) = (disk(&job.source).expect("a disk"), format!("{}-b", job.region));
            let (began, said) = (job.created.to_string(), job.message.as_str());
            let mut row = operation(grant.account(), &zone, (&short(&job.id), &disk), (status, &began, said));
            if let Some(ended) = job.ended {
                row["endTime"] = ended.to_string().into();
            }
            project.operations.push(row);
        }
    }

    async fn forbid_action(&self, grant: &AccessGrant, action: &str) {
        let role = format!("projects/{}/roles/{READ_ROLE}", grant.account());
        self.stage.simulator.world().roles.get_mut(&role).expect("it was made").retain(|held| held != action);
    }

    fn recovery_states(&self) -> (&'static [PointState], &'static [JobState]) {
        (&[PointState::Usable, PointState::Creating, PointState::Deleting], &[JobState::UnderWay, JobState::Completed, JobState::Failed])
    }

    fn point(&self, grant: &AccessGrant, place: &str, number: usize, (state, created): (PointState, Timestamp)) -> RecoveryPoint {
        let project = grant.account();
        RecoveryPoint {
            id: format!("projects/{project}/global/snapshots/snapshot-{number:06}"),
            region: place.into(),
            vault: "snapshots".into(),
            source: format!("//compute.googleapis.com/projects/{project}/zones/{place}-b/disks/disk-{number:06}"),
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
        let project = grant.account();
        BackupJob {
            id: format!("projects/{project}/zones/{place}-b/operations/operation-{number:06}"),
            region: place.into(),
            vault: "snapshots".into(),
            source: format!("//compute.googleapis.com/projects/{project}/zones/{place}-b/disks/disk-{number:06}"),
            state,
            created,
            ended: (state != JobState::UnderWay).then(|| created + SignedDuration::from_hours(1)),
            point: None,
            message: if state == JobState::Failed { "Quota 'SNAPSHOTS' exceeded.".into() } else { String::new() },
        }
    }

    fn recovery_actions(&self) -> &'static [&'static str] {
        &[
            "compute.snapshots.list",
            "compute.machineImages.list",
            "compute.instances.list",
            "compute.globalOperations.list",
            "cloudsql.backupRuns.list",
            "backupdr.backupVaults.list",
        ]
    }

    async fn writes(&self) -> usize {
        let is_write =
            |exchange: &&Value| exchange["call"].as_str().is_some_and(|call| call.ends_with(".setIamPolicy")) && exchange["status"] == 200;
        self.stage.simulator.exchanges().iter().filter(is_write).count()
    }
}

caretaker_cloud::behaviour_suite!(OnSimulator::set().await);
