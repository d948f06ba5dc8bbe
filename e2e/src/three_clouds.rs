//! Azure and Google Cloud for tests and the demo: one simulator each, with a provider and a client. Emulated: what is shown with them is not proved against
//! the clouds themselves.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result};
use caretaker_arm_simulator::seed::{MACHINE, Place};
use caretaker_arm_simulator::world::{Application, Subscription};
use caretaker_arm_simulator::{World, judge as azure_judge};
use caretaker_google_simulator::{TestKey, apply_terraform, judge as google_judge};
use caretaker_testkit::operator::NAMESPACE;
use caretaker_testkit::python;
use serde_json::{Value, json};

use crate::{CONTROL, Lab};

/// The provider's tenant.
pub const PROVIDER_TENANT: &str = "aaaaaaaa-0000-4000-8000-000000000001";
/// The client's tenant.
pub const CLIENT_TENANT: &str = "bbbbbbbb-0000-4000-8000-000000000001";
/// The client's subscription.
pub const SUBSCRIPTION: &str = "cccccccc-0000-4000-8000-000000000001";
/// The client's project.
pub const PROJECT: &str = "acme-production";
const CLIENT_ID: &str = "dddddddd-0000-4000-8000-000000000001";
const PRINCIPAL_ID: &str = "eeeeeeee-0000-4000-8000-000000000001";
/// The provider's own project.
pub const PROVIDER_PROJECT: &str = "provider-project";

/// A tenant of the provider's own beside the one of its application.
pub const CONTROL_TENANT: &str = "bbbbbbbb-0000-4000-8000-000000000009";
/// A subscription of the provider's own.
pub const CONTROL_SUBSCRIPTION: &str = "cccccccc-0000-4000-8000-000000000009";
/// A project of the provider's own that clients have nothing to do with.
pub const CONTROL_PROJECT: &str = "provider-control";

/// Both clouds.
pub struct Clouds {
    runtime: tokio::runtime::Runtime,
    /// Azure.
    pub azure: caretaker_arm_simulator::Simulator,
    /// Google Cloud.
    pub google: caretaker_google_simulator::Simulator,
    google_url: String,
    ca_bundle: PathBuf,
    /// The application's secret on Azure: it must appear nowhere.
    pub azure_secret: String,
    google_key: String,
    google_principal: String,
    has_control: Mutex<bool>,
}

/// What else a client has on Azure: types with names.
const ON_AZURE: [(&str, &str); 9] = [
    ("Microsoft.Compute/disks", "web-data"),
    ("Microsoft.Compute/disks", "db-data"),
    ("Microsoft.Network/virtualNetworks", "prod"),
    ("Microsoft.Network/networkSecurityGroups", "web"),
    ("Microsoft.Storage/storageAccounts", "acmefiles"),
    ("Microsoft.Sql/servers/databases", "orders"),
    ("Microsoft.ContainerService/managedClusters", "apps"),
    ("Microsoft.KeyVault/vaults", "acme-keys"),
    ("Microsoft.RecoveryServices/vaults", "acme-backups"),
];
/// And on Google Cloud: types with what stands before the name in an asset's name, and names. A bucket's name holds no project.
const ON_GOOGLE: [(&str, &str, &str); 8] = [
    ("compute.googleapis.com/Disk", "zones/europe-west1-b/disks", "vm-data"),
    ("compute.googleapis.com/Network", "global/networks", "prod"),
    ("compute.googleapis.com/Firewall", "global/firewalls", "web"),
    ("storage.googleapis.com/Bucket", "", "acme-production-files"),
    ("sqladmin.googleapis.com/Instance", "instances", "orders"),
    ("container.googleapis.com/Cluster", "locations/europe-west1/clusters", "apps"),
    ("run.googleapis.com/Service", "locations/europe-west1/services", "api"),
    ("cloudkms.googleapis.com/CryptoKey", "locations/europe-west1/keyRings/prod/cryptoKeys", "files"),
];

/// A client's subscription with two running machines, `web` and `db`.
#[must_use]
pub fn subscription(id: &str) -> Subscription {
    let place = Place { subscription: id, ..ON_AZURE_PLACE };
    Subscription {
        tenant_id: CLIENT_TENANT.into(),
        groups: vec!["prod".into()],
        resources: ["web", "db"].into_iter().enumerate().flat_map(|(number, name)| place.running(name, number + 4)).collect(),
        ..Subscription::default()
    }
}

/// Where the client's resources on Azure stand.
const ON_AZURE_PLACE: Place<'static> = Place { subscription: SUBSCRIPTION, group: "prod", location: "westeurope" };

fn resource(kind: &str, name: &str) -> Value {
    let mut found = ON_AZURE_PLACE.resource(kind, name, &json!({"provisioningState": "Succeeded"}));
    if let Some(parent) = kind.strip_suffix("/databases") {
        found["id"] = json!(ON_AZURE_PLACE.id(parent, &format!("acme-orders/databases/{name}")));
    }
    found
}

impl Clouds {
    /// Starts both; `folder` gets the certificate of Azure's test CA.
    ///
    /// # Errors
    /// A part does not come up.
    pub fn start(folder: &Path) -> Result<Self> {
        Self::start_on(folder, Ipv4Addr::LOCALHOST.into())
    }

    /// The same on another address of this machine, such as one that pods reach.
    ///
    /// # Errors
    /// As above.
    pub fn start_on(folder: &Path, address: IpAddr) -> Result<Self> {
        let runtime = tokio::runtime::Runtime::new()?;
        let azure_secret = format!("azure-{:032x}", rand_text());
        let application = Application {
            tenant_id: PROVIDER_TENANT.into(),
            client_id: CLIENT_ID.into(),
            object_id: PRINCIPAL_ID.into(),
            secret: Some(azure_secret.clone()),
            federation: None,
        };
        let own = Subscription { tenant_id: CONTROL_TENANT.into(), ..Subscription::default() };
        let subscriptions = BTreeMap::from([(SUBSCRIPTION.to_owned(), subscription(SUBSCRIPTION)), (CONTROL_SUBSCRIPTION.to_owned(), own)]);
        let world = World { applications: vec![application], subscriptions, ..World::default() };
        let azure = runtime.block_on(caretaker_arm_simulator::Simulator::start_on(world, (address, 0).into()))?;
        let ca_bundle = folder.join("azure-test-ca.pem");
        std::fs::write(&ca_bundle, azure.ca_pem())?;
        let (google, key) = (caretaker_google_simulator::Simulator::new(), TestKey::make()?);
        let google_principal = {
            let mut world = google.world();
            world.add_project(PROVIDER_PROJECT, "100000000001");
            world.add_project(PROJECT, "100000000002");
            world.add_project(CONTROL_PROJECT, "100000000009");
            let us = world.add_account("caretaker", PROVIDER_PROJECT);
            world.keys.insert((us.clone(), "key-1".into()), key.public());
            world.add_machines(PROJECT, 3);
            us
        };
        let google_url = runtime.block_on(google.start_on((address, 0).into()))?;
        let google_key = key.service_account_json(&google_principal, "key-1")?.to_string();
        Ok(Self {
            runtime,
            azure,
            google,
            google_url,
            ca_bundle,
            azure_secret,
            google_key,
            google_principal,
            has_control: Mutex::default(),
        })
    }

    /// Gives the client more than machines, and has one machine on each cloud looked into for patches.
    pub fn furnish(&self) {
        self.azure.change(|world| {
            let Some(subscription) = world.subscriptions.get_mut(SUBSCRIPTION) else { return };
            subscription.resources.extend(ON_AZURE.map(|(kind, name)| resource(kind, name)));
            let mut assessment = resource("Microsoft.Compute/virtualMachines/patchAssessmentResults", "latest");
            assessment["id"] = json!(format!("{}/patchAssessmentResults/latest", ON_AZURE_PLACE.id(MACHINE, "web")));
            assessment["properties"] = json!({
                "status": "Succeeded", "rebootPending": false, "lastModifiedDateTime": jiff::Timestamp::now().to_string(),
                "availablePatchCountByClassification": {"critical": 1, "security": 2, "other": 4},
            });
            subscription.patch_assessments.push(assessment);
        });
        let mut world = self.google.world();
        for (kind, within, name) in ON_GOOGLE {
            let service = kind.split('/').next().unwrap_or_default();
            let path = if within.is_empty() { name.to_owned() } else { format!("projects/{PROJECT}/{within}/{name}") };
            let row = json!({
                "name": format!("//{service}/{path}"), "assetType": kind, "displayName": name,
                "project": "projects/100000000002", "location": "europe-west1", "labels": {"env": "prod"},
            });
            world.add_row(PROJECT, row);
        }
        let machine = format!("//compute.googleapis.com/projects/{PROJECT}/zones/europe-west1-b/instances/vm-000000");
        world.add_os_inventory(PROJECT, &machine, &jiff::Timestamp::now().to_string(), 0);
    }

    /// What the operator must know to reach them.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        [
            ("CARETAKER_AZURE_AUTHORITY_HOST", self.azure.url()),
            ("CARETAKER_AZURE_ENDPOINT_URL", self.azure.url()),
            ("CARETAKER_GCP_ENDPOINT_URL", self.google_url.clone()),
            ("CARETAKER_CA_BUNDLE", self.ca_bundle.display().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// The Secrets of the provider, and what its profile says of both clouds.
    #[must_use]
    pub fn provider(&self) -> (Value, Value) {
        let secret = |name: &str, data: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE}, "stringData": data});
        let secrets = json!({"apiVersion": "v1", "kind": "List", "items": [
            secret("azure-base", json!({"client_secret": self.azure_secret})),
            secret("gcp-base", json!({"key.json": self.google_key})),
        ]});
        let spec = json!({
            "azure": {
                "tenantId": PROVIDER_TENANT, "clientId": CLIENT_ID, "principalId": PRINCIPAL_ID, "credentials": {"secretName": "azure-base"},
            },
            "gcp": {"projectId": PROVIDER_PROJECT, "principal": self.google_principal, "credentials": {"secretName": "gcp-base"}},
        });
        (secrets, spec)
    }

    /// Starts the operator of a lab, or starts it again, so that it reaches both, and has the profile name the provider on both.
    ///
    /// # Errors
    /// The operator does not start, or does not get in as the provider.
    pub fn enter(&self, lab: &Lab) -> Result<()> {
        lab.stop()?;
        let environment = self.environment();
        lab.start(&environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>())?;
        let (secrets, spec) = self.provider();
        lab.kubectl.apply(&secrets.to_string())?;
        lab.kubectl.run(&["patch", "pprof", "default", "--type=merge", "-p", &json!({"spec": spec}).to_string()])?;
        lab.condition(&["pprof", "default"], "IdentityProven", "True", "Proven").map(drop)
    }

    /// Gives the lab's control client an account of the provider's own on both clouds, too. Made once.
    ///
    /// # Errors
    /// One does not let us in.
    ///
    /// # Panics
    /// Another thread of the test panicked meanwhile.
    pub fn control(&self, lab: &Lab) -> Result<()> {
        let mut is_made = self.has_control.lock().expect("no panic while held");
        if *is_made {
            return Ok(());
        }
        lab.control()?;
        let more = json!([
            {"op": "add", "path": "/spec/accounts/-", "value": {"name": "azure", "azure": {"subscriptionId": CONTROL_SUBSCRIPTION}}},
            {"op": "add", "path": "/spec/accounts/-", "value": {"name": "gcp", "gcp": {"projectId": CONTROL_PROJECT}}},
        ]);
        lab.kubectl.run(&["patch", "mc", CONTROL, "--type=json", "-p", &more.to_string()])?;
        let namespace = format!("client-{CONTROL}");
        let kit = |account: &str, file: &str| {
            lab.until(&format!("the kit of {account}"), || {
                let kit = lab.kubectl.get(&["configmap", &format!("{account}-grant-kit"), "-n", &namespace])?;
                Ok(kit["data"][file].as_str().context("the kit has the file")?.to_owned())
            })
        };
        self.apply_control(&kit("azure", "caretaker-access.azure.json")?, &kit("gcp", "caretaker-access.tf")?)?;
        for account in ["azure", "gcp"] {
            lab.kubectl.run(&["annotate", "--overwrite", "ca", account, "-n", &namespace, "caretaker.dev/requested-at=control"])?;
            lab.condition(&["ca", account, "-n", &namespace], "AccessProven", "True", "")?;
        }
        *is_made = true;
        Ok(())
    }

    /// The provider applies the kits of its own accounts.
    ///
    /// # Errors
    /// A cloud would not take its kit.
    pub fn apply_control(&self, template: &str, terraform: &str) -> Result<()> {
        self.azure.deploy(CONTROL_SUBSCRIPTION, &serde_json::from_str(template)?)?;
        apply_terraform(&mut self.google.world(), CONTROL_PROJECT, terraform)
    }

    /// The client's Owner deploys the kit for Azure.
    ///
    /// # Errors
    /// It is not JSON, or Azure would not take it.
    pub fn apply_azure(&self, template: &str) -> Result<()> {
        self.azure.deploy(SUBSCRIPTION, &serde_json::from_str(template)?)
    }

    /// The client's administrator applies the kit for Google Cloud.
    ///
    /// # Errors
    /// Google would not take it.
    pub fn apply_google(&self, terraform: &str) -> Result<()> {
        apply_terraform(&mut self.google.world(), PROJECT, terraform)
    }

    /// Has every exchange with both judged: by Microsoft's validator, and by Google's own descriptions.
    ///
    /// # Errors
    /// There is a violation.
    pub fn judge(&self) -> Result<()> {
        let _inside = self.runtime.enter();
        azure_judge::judge(&self.azure.exchanges()).context("Azure's exchanges")?;
        google_judge(&self.google.exchanges(), &python::environment("google")?).context("Google Cloud's exchanges")
    }
}

/// Something that is nowhere else.
fn rand_text() -> u128 {
    std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos()) * u128::from(std::process::id())
}
