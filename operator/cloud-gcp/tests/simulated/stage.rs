//! A provider and a client on a simulator of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use caretaker_cloud::budget::Budgets;
use caretaker_cloud::manifest::{On as Granted, gcp_permissions};
use caretaker_cloud::{AccessGrant, Asset, AssetSink, Cell, CloudConnector, CloudLink, GcpGrant, Purpose, Result, Scope, Verdict};
use caretaker_cloud_gcp::{BaseCredentials, Endpoints, GcpConfig, GcpConnector, ServiceAccountKey};
use caretaker_google_simulator::{Fault, FaultKind, READ_ROLE, Simulator, TestKey, judge};

/// The provider's project.
pub const PROVIDER: &str = "provider-project";
/// The provider's project that pays.
pub const QUOTA: &str = "provider-quota";
/// The client's project and its number.
pub const CLIENT: (&str, &str) = ("client-project", "200000000002");

/// How long a cell waits where it is asked to: no test waits for a minute.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// The cells of a project.
pub const CELLS: [&str; 9] = ["cloudkms", "compute", "container", "functions", "iam", "os-inventories", "other", "sqladmin", "storage"];

pub struct Stage {
    pub simulator: Simulator,
    pub us: String,
    pub grant: GcpGrant,
    pub config: GcpConfig,
}

/// One key for all: making one takes a while.
pub fn key() -> &'static TestKey {
    static KEY: OnceLock<TestKey> = OnceLock::new();
    KEY.get_or_init(|| TestKey::make().expect("a key"))
}

pub fn python() -> &'static PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| caretaker_testkit::python::environment("google").expect("an environment with the discovery documents"))
}

impl Stage {
    pub async fn set() -> Self {
        let simulator = Simulator::new();
        let (us, theirs) = {
            let mut world = simulator.world();
            world.add_project(PROVIDER, "100000000001");
            world.add_project(QUOTA, "100000000003");
            world.add_project(CLIENT.0, CLIENT.1);
            let us = world.add_account("caretaker", PROVIDER);
            world.keys.insert((us.clone(), "key-1".into()), key().public());
            // At home the base identity may do everything: nothing of it must reach a client's inventory.
            let member = format!("serviceAccount:{us}");
            world.projects.get_mut(PROVIDER).expect("it is there").policy.bind("roles/owner", &member);
            world.add_machines(PROVIDER, 2);
            let theirs = world.add_client_access(CLIENT.0, QUOTA, &member);
            let held = gcp_permissions(Purpose::Read).iter().filter(|permission| permission.on == Granted::Account);
            let held = held.map(|permission| permission.name.to_owned()).filter(|name| !name.is_empty());
            world.roles.insert(format!("projects/{}/roles/{READ_ROLE}", CLIENT.0), held.collect());
            (us, theirs)
        };
        let url = simulator.start(0).await.expect("a port");
        let credentials = BaseCredentials::Key(Self::key_file(&us));
        let config = GcpConfig {
            endpoints: Endpoints::all_at(&url),
            ca_bundle_pem: None,
            provider_project: PROVIDER.into(),
            quota_project: Some(QUOTA.into()),
            credentials,
            expected_principal: us.clone(),
            calls_per_minute: 600_000,
        };
        let grant = GcpGrant { client: "acme".into(), project_id: CLIENT.0.into(), service_account: theirs };
        Self { simulator, us, grant, config }
    }

    pub fn key_file(email: &str) -> ServiceAccountKey {
        ServiceAccountKey::from_json(&key().service_account_json(email, "key-1").expect("a file")).expect("a key")
    }

    pub fn connector(&self) -> GcpConnector {
        GcpConnector::with_budgets(self.config.clone(), Budgets::with_patience(PATIENCE)).expect("a connector")
    }

    pub fn access(&self) -> AccessGrant {
        AccessGrant::Gcp(self.grant.clone())
    }

    pub async fn link(&self, purpose: Purpose) -> Arc<dyn CloudLink> {
        self.connector().connect(&self.access(), purpose).await.expect("the client lets us in")
    }

    pub fn fault(&self, fault: Fault) {
        self.simulator.world().faults.push(fault);
    }

    pub fn search_fault(&self, about: &str, kind: FaultKind) {
        self.fault(Fault::of("cloudasset.search", kind).about(about));
    }

    /// Every exchange against Google's discovery documents.
    pub async fn judged(&self) {
        let exchanges = self.simulator.exchanges();
        tokio::task::spawn_blocking(move || judge(&exchanges, python())).await.expect("no panic").expect("no violation");
    }
}

#[derive(Default)]
pub struct Gathered {
    pub assets: Vec<Asset>,
    pub cells: Vec<Cell>,
}

#[async_trait]
impl AssetSink for Gathered {
    async fn asset(&mut self, asset: Asset) -> Result<()> {
        self.assets.push(asset);
        Ok(())
    }

    async fn cell(&mut self, cell: Cell) -> Result<()> {
        self.cells.push(cell);
        Ok(())
    }
}

impl Gathered {
    /// Reads everything; every planned cell comes once, with as many assets as it says, and no asset twice.
    pub async fn of(link: &dyn CloudLink) -> Self {
        let mut gathered = Self::default();
        link.discover(&Scope::default(), &mut gathered).await.expect("the cells can be read");
        gathered.check();
        gathered
    }

    pub fn check(&self) {
        let mut services: Vec<&str> = self.cells.iter().map(|cell| cell.key.service.as_str()).collect();
        services.sort_unstable();
        assert_eq!(services, CELLS.map(|service| format!("cloud-asset/{service}")), "each cell once");
        let mut came: BTreeMap<_, u64> = BTreeMap::new();
        for asset in &self.assets {
            *came.entry(asset.cell()).or_default() += 1;
        }
        for cell in &self.cells {
            assert_eq!(came.get(&cell.key).copied().unwrap_or_default(), cell.assets, "{cell:?}");
            assert_eq!(cell.verdict == Verdict::Complete, cell.cause.is_empty(), "{cell:?}");
        }
        let ids: BTreeSet<_> = self.assets.iter().map(|asset| (asset.asset_type, asset.id.as_str())).collect();
        assert_eq!(ids.len(), self.assets.len(), "no asset twice");
    }

    pub fn cell(&self, service: &str) -> &Cell {
        let service = format!("cloud-asset/{service}");
        self.cells.iter().find(|cell| cell.key.service == service).expect("the cell is there")
    }

    /// Cells that are not Complete.
    pub fn incomplete(&self) -> Vec<&Cell> {
        self.cells.iter().filter(|cell| cell.verdict != Verdict::Complete).collect()
    }
}
