//! What stands in the simulated Azure: tenants' applications, subscriptions with their delegations and resources, tokens, and faults.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Role that reads everything.
pub const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
/// Role that ends the delegation it is part of.
pub const DELEGATION_DELETE: &str = "91c1777a-f3dc-4fae-b103-61d183457e46";

/// An application of a managing tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Application {
    /// Tenant that it is registered in.
    pub tenant_id: String,
    /// Client id.
    pub client_id: String,
    /// Object id of its service principal.
    pub object_id: String,
    /// Client secret, where it has one.
    pub secret: Option<String>,
    /// Whose projected tokens it trusts.
    pub federation: Option<Federation>,
}

/// A federated credential of an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Federation {
    /// Issuer.
    pub issuer: String,
    /// Subject, such as `system:serviceaccount:caretaker-system:caretaker`.
    pub subject: String,
    /// Key that stands for the issuer's: see [`crate::entra::assertion`].
    pub key: String,
}

/// A Lighthouse registration assignment with its definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Delegation {
    /// Name of the assignment.
    pub name: String,
    /// Managing tenant.
    pub tenant_id: String,
    /// Who may do what: object ids with role ids.
    pub authorizations: Vec<(String, String)>,
}

/// A subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subscription {
    /// Home tenant.
    pub tenant_id: String,
    /// State, such as `Disabled`; `None` for `Enabled`.
    #[serde(default)]
    pub state: Option<String>,
    /// Delegations on it.
    #[serde(default)]
    pub delegations: Vec<Delegation>,
    /// Role assignments of other principals: object ids with role ids. A principal of another tenant gets in by one as well, as a guest
    /// does.
    #[serde(default)]
    pub assignments: Vec<(String, String)>,
    /// Names of resource groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Resources as Resource Graph holds them: `id`, `name`, `type`, `location`, `resourceGroup`, `tags`, `properties`, ….
    #[serde(default)]
    pub resources: Vec<Value>,
    /// Rows of the table of patch assessments, in the same form.
    #[serde(default)]
    pub patch_assessments: Vec<Value>,
    /// Recovery Services vaults.
    #[serde(default)]
    pub vaults: Vec<crate::recovery::Vault>,
    /// Snapshots of disks, as Compute lists them: see [`crate::recovery::snapshot`].
    #[serde(default)]
    pub snapshots: Vec<Value>,
    /// Ids of resources that Resource Graph leaves out, though they are there.
    #[serde(default)]
    pub unindexed: Vec<String>,
    /// Ids of resources that Resource Graph still shows, though their own provider knows them no more.
    #[serde(default)]
    pub ghosts: Vec<String>,
    /// Delegations that were ended, and until when they let in all the same.
    #[serde(skip)]
    pub lingering: Vec<(Delegation, Instant)>,
}

impl Subscription {
    /// Whether Resource Graph shows a resource.
    #[must_use]
    pub fn is_indexed(&self, resource: &Value) -> bool {
        !has(&self.unindexed, resource)
    }

    /// The resource of an id, as its own provider knows it.
    #[must_use]
    pub fn own(&self, id: &str) -> Option<&Value> {
        let is_it = |resource: &&Value| resource["id"].as_str().is_some_and(|held| held.eq_ignore_ascii_case(id));
        self.resources.iter().find(is_it).filter(|resource| !has(&self.ghosts, resource))
    }
}

fn has(ids: &[String], resource: &Value) -> bool {
    ids.iter().any(|id| resource["id"].as_str().is_some_and(|held| held.eq_ignore_ascii_case(id)))
}

/// What Resource Graph does wrong, or by right but surprisingly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GraphFault {
    /// The first page is the only one, says that it is truncated, and has no token.
    TruncatedWithoutToken,
    /// Every page has the same token.
    RepeatedToken,
    /// An empty page with a token stands before each page.
    EmptyPages,
    /// The total counts one row more than there is.
    ShortOfTotal,
    /// Every page says that it is not truncated, also those with a token.
    NeverTruncated,
    /// The second page is cut off in the middle of its text.
    BrokenJson,
}

/// An answer that is given instead of the right one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Part of the path, without letter case. Empty: every path.
    pub path: String,
    /// Part of the request's body. Empty: every body.
    #[serde(default)]
    pub body: String,
    /// What is answered.
    pub refusal: Refusal,
    /// How many calls pass before it applies.
    #[serde(default)]
    pub after: u32,
    /// How many calls it applies to; `None`: all.
    #[serde(default)]
    pub times: Option<u32>,
    /// Of the calls that it would apply to, it does only to each one with a number that this divides. 0 stands for all.
    #[serde(default)]
    pub each: u32,
    /// Calls that it would have applied to so far.
    #[serde(skip)]
    pub fitted: u32,
}

/// Kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// 403 AuthorizationFailed.
    Denied,
    /// 429 with `Retry-After` in seconds, while the header with the remaining reads says 13,500.
    Throttled(u64),
    /// This status of the server's own failure, with an envelope.
    Server(u16),
    /// 401 ExpiredAuthenticationToken, and the caller's token is dead from now on.
    TokenEnded,
    /// The subscription's delegations are gone from now on; the call itself is answered as by right.
    DelegationRevoked,
    /// The deed is done, and the answer is a 504.
    TimeoutAfterSuccess,
}

/// A token that was given out.
#[derive(Clone, Debug)]
pub struct Issued {
    /// Client id of the application.
    pub client_id: String,
    /// Tenant.
    pub tenant_id: String,
    /// Object id.
    pub object_id: String,
    /// When it ends.
    pub until: Instant,
}

/// The whole.
pub struct World {
    /// Applications.
    pub applications: Vec<Application>,
    /// Subscriptions by id, in lower case.
    pub subscriptions: BTreeMap<String, Subscription>,
    /// Authorizations that can be switched on for a time.
    pub eligible: Vec<crate::eligible::Eligible>,
    /// Tokens that are good, unless they have ended.
    pub tokens: HashMap<String, Issued>,
    /// Life of a token.
    pub token_life: Duration,
    /// Seconds by which this cloud's clock is ahead of the machine's.
    pub clock_ahead: i64,
    /// Most rows of a page, at most 1,000.
    pub page_rows: usize,
    /// Most subscriptions of a page; `None` for all in one.
    pub page_subscriptions: Option<usize>,
    /// Fault of Resource Graph.
    pub graph_fault: Option<GraphFault>,
    /// Part of the queries that the fault befalls; empty for all.
    pub graph_fault_on: String,
    /// Resource Graph answers with no rows, instead of a refusal, to somebody who may read nothing.
    pub silent_graph: bool,
    /// Leave `managedByTenants` out of subscriptions.
    pub hide_managers: bool,
    /// Deletions are accepted (202) instead of done at once (200).
    pub accept_deletions: bool,
    /// How long a delegation that was ended still lets in.
    pub revocation_delay: Duration,
    /// What Azure grants; `None` for as much as anybody asks for.
    pub limits: Option<crate::limits::Limits>,
    /// Answers that are given instead of the right ones.
    pub rules: Vec<Rule>,
    /// File that every exchange is appended to, one JSON object a line.
    pub log: Option<PathBuf>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            applications: Vec::new(),
            subscriptions: BTreeMap::new(),
            eligible: Vec::new(),
            tokens: HashMap::new(),
            token_life: Duration::from_secs(3600),
            clock_ahead: 0,
            page_rows: 1000,
            page_subscriptions: None,
            graph_fault: None,
            graph_fault_on: String::new(),
            silent_graph: false,
            hide_managers: false,
            accept_deletions: false,
            revocation_delay: Duration::ZERO,
            limits: None,
            rules: Vec::new(),
            log: None,
        }
    }
}

impl World {
    /// Now, by this cloud's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_second(Timestamp::now().as_second() + self.clock_ahead).unwrap_or(Timestamp::MAX)
    }

    /// The actions that a principal has on a subscription, by its own tenant's delegations and by assignments, one entry for each role.
    #[must_use]
    pub fn roles(&self, caller: &Issued, subscription: &str) -> Vec<String> {
        let Some(found) = self.subscriptions.get(subscription) else { return Vec::new() };
        let mine = |(object, _): &&(String, String)| object.eq_ignore_ascii_case(&caller.object_id);
        let lingering = found.lingering.iter().filter(|(_, until)| *until > Instant::now()).map(|(delegation, _)| delegation);
        let stand = found.delegations.iter().chain(lingering);
        let delegated = stand.filter(|delegation| delegation.tenant_id.eq_ignore_ascii_case(&caller.tenant_id));
        let roles = delegated.flat_map(|delegation| &delegation.authorizations).chain(&found.assignments).filter(mine);
        roles.map(|(_, role)| role.to_ascii_lowercase()).collect()
    }

    /// Whether a principal may do this.
    #[must_use]
    pub fn may(&self, caller: &Issued, subscription: &str, action: Action) -> bool {
        self.roles(caller, subscription).iter().any(|role| {
            matches!(
                (role.as_str(), action),
                (READER, Action::Read | Action::ReadDelegations) | (DELEGATION_DELETE, Action::ReadDelegations | Action::DeleteDelegation)
            )
        })
    }

    /// The rule that this call falls under, if any; it is counted.
    pub fn rule(&mut self, path: &str, body: &str) -> Option<Refusal> {
        let path = path.to_ascii_lowercase();
        for rule in &mut self.rules {
            if !path.contains(&rule.path.to_ascii_lowercase()) || !body.contains(&rule.body) {
                continue;
            }
            if rule.after > 0 {
                rule.after -= 1;
                continue;
            }
            if rule.times == Some(0) {
                continue;
            }
            rule.fitted += 1;
            if rule.each > 1 && !rule.fitted.is_multiple_of(rule.each) {
                continue;
            }
            if let Some(times) = &mut rule.times {
                *times -= 1;
            }
            return Some(rule.refusal);
        }
        None
    }
}

/// What a role may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Reading resources, groups and permissions.
    Read,
    /// Reading delegations.
    ReadDelegations,
    /// Ending a delegation.
    DeleteDelegation,
}

/// Actions of a role, for the list of permissions.
#[must_use]
pub fn actions(role: &str) -> &'static [&'static str] {
    match role {
        READER => &["*/read"],
        DELEGATION_DELETE => &[
            "Microsoft.ManagedServices/registrationAssignments/read",
            "Microsoft.ManagedServices/registrationAssignments/delete",
            "Microsoft.ManagedServices/operationStatuses/read",
        ],
        _ => &[],
    }
}
