//! A simulated Azure for one test, whose every exchange is judged when the test ends.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use caretaker_arm_simulator::world::{Application, DELEGATION_DELETE, Delegation, READER, Refusal, Rule, Subscription};
use caretaker_arm_simulator::{AUDIENCE, Exchange, Simulator, World, judge};
use caretaker_cloud::{
    AccessGrant, Asset, AssetSink, AzureGrant, Cell, CloudConnector, CloudError, CloudLink, Purpose, Result, Scope, Usage, Verdict,
};
use caretaker_cloud_azure::{AzureConfig, AzureConnector, AzureCredentials};
use serde_json::{Value, json};

/// The provider's tenant.
pub const PROVIDER: &str = "aaaaaaaa-0000-4000-8000-00000000000f";
/// The client's tenant.
pub const CLIENT: &str = "bbbbbbbb-0000-4000-8000-00000000000f";
/// The client's subscription.
pub const SUBSCRIPTION: &str = "cccccccc-0000-4000-8000-00000000000f";
/// Client id of the provider's application.
pub const APPLICATION: &str = "dddddddd-0000-4000-8000-00000000000f";
/// Object id of its service principal.
pub const OBJECT: &str = "eeeeeeee-0000-4000-8000-00000000000f";
/// Its secret.
pub const SECRET: &str = "s3cret~never.shown/+=&";

/// One simulated Azure.
pub struct Stage {
    pub simulator: Simulator,
}

impl Stage {
    /// A provider with one delegated subscription of one client.
    pub async fn new() -> Self {
        let application = Application {
            tenant_id: PROVIDER.into(),
            client_id: APPLICATION.into(),
            object_id: OBJECT.into(),
            secret: Some(SECRET.into()),
            federation: None,
        };
        let subscriptions = BTreeMap::from([(SUBSCRIPTION.to_owned(), delegated())]);
        let world = World { applications: vec![application], subscriptions, ..World::default() };
        Self { simulator: Simulator::start(world).await.expect("a simulator") }
    }

    /// The same with these resources.
    pub async fn with(resources: Vec<Value>) -> Self {
        let stage = Self::new().await;
        stage.edit(|subscription| subscription.resources = resources);
        stage
    }

    /// Changes the client's subscription behind our back.
    pub fn edit(&self, change: impl FnOnce(&mut Subscription)) {
        self.simulator.change(|world| change(world.subscriptions.get_mut(SUBSCRIPTION).expect("the subscription")));
    }

    /// Adds an answer that is given instead of the right one.
    pub fn rule(&self, path: &str, body: &str, refusal: Refusal, (after, times): (u32, Option<u32>)) {
        let rule = Rule { path: path.into(), body: body.into(), refusal, after, times, each: 0, fitted: 0 };
        self.simulator.change(|world| world.rules.push(rule));
    }

    /// The provider's configuration.
    pub fn config(&self) -> AzureConfig {
        AzureConfig {
            authority_host: self.simulator.url(),
            endpoint: self.simulator.url(),
            audience: AUDIENCE.into(),
            ca_bundle_pem: Some(self.simulator.ca_pem().as_bytes().to_vec()),
            // The simulator counts nothing, so nobody has to wait.
            queries_per_second: NonZeroU32::new(100_000).expect("not zero"),
            ..AzureConfig::public(PROVIDER, APPLICATION, AzureCredentials::ClientSecret(SECRET.into()))
        }
    }

    /// The provider's connector.
    pub fn connector(&self) -> AzureConnector {
        AzureConnector::new(&self.config()).expect("a connector")
    }

    /// A session in the client's subscription.
    pub async fn link(&self, purpose: Purpose) -> Arc<dyn CloudLink> {
        self.connector().connect(&grant(), purpose).await.expect("a session")
    }

    /// Reads all of the client's subscription.
    pub async fn discover(&self) -> Gathered {
        gather(self.link(Purpose::Read).await.as_ref(), &Scope::default()).await
    }

    /// What was asked of Resource Graph so far.
    pub fn queries(&self) -> Vec<Exchange> {
        self.simulator.exchanges().into_iter().filter(|exchange| exchange.url.contains("ResourceGraph")).collect()
    }

    /// How many tokens were given out so far.
    pub fn tokens(&self) -> usize {
        self.simulator.change(|world| world.tokens.len())
    }
}

impl Drop for Stage {
    /// No test can leave the judge out.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            judge::judge(&self.simulator.exchanges()).expect("every exchange is as Microsoft defines it");
        }
    }
}

/// The grant of the client's subscription.
pub fn grant() -> AccessGrant {
    AccessGrant::Azure(AzureGrant { client: "acme".into(), subscription_id: SUBSCRIPTION.into(), home_tenant_id: None })
}

/// A delegation to the provider with these roles.
pub fn delegation(name: u8, roles: &[&str]) -> Delegation {
    let authorizations = roles.iter().map(|role| (OBJECT.to_owned(), (*role).to_owned())).collect();
    Delegation { name: format!("99999999-0000-4000-8000-0000000000{name:02}"), tenant_id: PROVIDER.into(), authorizations }
}

/// A client's subscription that is delegated as the grant kit does it.
pub fn delegated() -> Subscription {
    let delegations = vec![delegation(1, &[READER, DELEGATION_DELETE])];
    Subscription { tenant_id: CLIENT.into(), delegations, groups: vec!["Prod (1)".into()], ..Subscription::default() }
}

/// A resource of the client's subscription.
pub fn resource(kind: &str, name: &str, location: &str) -> Value {
    json!({
        "id": format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/prod/providers/{kind}/{name}"), "name": name,
        "type": kind.to_lowercase(),
        "location": location, "subscriptionId": SUBSCRIPTION, "resourceGroup": "prod", "kind": "", "managedBy": "", "tags": {"name": name},
        "properties": {"provisioningState": "Succeeded"},
    })
}

/// Machines of the client's subscription, in the order of their ids.
pub fn machines(count: usize) -> Vec<Value> {
    (0..count).map(|number| resource("Microsoft.Compute/virtualMachines", &format!("vm-{number:06}"), "westeurope")).collect()
}

/// All that came.
#[derive(Default)]
pub struct Gathered {
    pub assets: Vec<Asset>,
    pub cells: Vec<Cell>,
    /// What was used of the request budgets.
    pub usage: Option<Usage>,
    /// Number of assets after which the receiver fails.
    pub fail_after: Option<usize>,
}

#[async_trait]
impl AssetSink for Gathered {
    async fn asset(&mut self, asset: Asset) -> Result<()> {
        if self.fail_after == Some(self.assets.len()) {
            return Err(CloudError::new(caretaker_cloud::ErrorClass::Sink, "write", "the store is full"));
        }
        self.assets.push(asset);
        Ok(())
    }

    async fn cell(&mut self, cell: Cell) -> Result<()> {
        self.cells.push(cell);
        Ok(())
    }

    fn used(&mut self, usage: Usage) {
        self.usage = Some(usage);
    }
}

/// Reads a scope. Every cell comes once, and as many assets as the cells say.
pub async fn gather(link: &dyn CloudLink, scope: &Scope) -> Gathered {
    let mut gathered = Gathered::default();
    link.discover(scope, &mut gathered).await.expect("the cells can be planned");
    let services: std::collections::BTreeSet<&str> = gathered.cells.iter().map(|cell| cell.key.service.as_str()).collect();
    assert_eq!((services.len(), gathered.cells.len()), (12, 12), "each cell once: {services:?}");
    for cell in &gathered.cells {
        let of_cell = gathered.assets.iter().filter(|asset| asset.cell() == cell.key).count();
        assert_eq!(of_cell as u64, cell.assets, "{cell:?}");
        assert_eq!(cell.verdict == Verdict::Complete, cell.cause.is_empty(), "{cell:?}");
    }
    gathered
}

impl Gathered {
    /// The cell of a group.
    pub fn cell(&self, group: &str) -> &Cell {
        let service = format!("resource-graph/{group}");
        self.cells.iter().find(|cell| cell.key.service == service).expect("a cell")
    }

    /// The verdicts of all cells but the ones named.
    pub fn others(&self, groups: &[&str]) -> Vec<Verdict> {
        let others = self.cells.iter().filter(|cell| !groups.iter().any(|group| cell.key.service.ends_with(group)));
        others.map(|cell| cell.verdict).collect()
    }

    /// Asserts that every cell was read to its end.
    pub fn assert_complete(&self) {
        assert_eq!(self.others(&[]), [Verdict::Complete; 12], "{:?}", self.cells);
    }
}
