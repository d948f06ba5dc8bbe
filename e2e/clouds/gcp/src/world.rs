//! What the cloud holds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::envelope;
use crate::fault::{Fault, FaultKind};
use crate::keys::Issuer;
use crate::request::{Answer, Request};

/// Who has a role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Role.
    pub role: String,
    /// Members.
    #[serde(default)]
    pub members: Vec<String>,
    /// Condition. Only the expression `true` lets anybody in here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Value>,
}

/// A policy with its version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Bindings.
    pub bindings: Vec<Binding>,
    /// Number of changes so far: what the etag is made of.
    pub changes: u64,
    /// Bindings of before the last change, and until when they let in all the same.
    pub lingering: Option<(Vec<Binding>, Instant)>,
}

impl Policy {
    /// Adds a member to a role.
    pub fn bind(&mut self, role: &str, member: &str) {
        self.bindings.push(Binding { role: role.into(), members: vec![member.into()], condition: None });
        self.changes += 1;
    }

    /// Takes a member out of every role.
    pub fn unbind(&mut self, member: &str) {
        for binding in &mut self.bindings {
            binding.members.retain(|held| held != member);
        }
        self.bindings.retain(|binding| !binding.members.is_empty());
        self.changes += 1;
    }
}

/// A project.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// Id.
    pub id: String,
    /// Number.
    pub number: String,
    /// Policy.
    pub policy: Policy,
    /// Rows of Cloud Asset, whole.
    pub assets: Vec<Value>,
    /// Machines with what VM Manager knows of them, as Cloud Asset lists them.
    pub os_inventories: Vec<Value>,
    /// Snapshots of disks: see [`crate::recovery::snapshot`].
    pub snapshots: Vec<Value>,
    /// Machine images, as Compute lists them.
    pub images: Vec<Value>,
    /// Backup runs of databases: see [`crate::recovery::run`].
    pub runs: Vec<Value>,
    /// Vaults of Backup and DR with what is in them, by their names: see [`crate::recovery::vault`].
    pub vaults: Vec<Value>,
    /// Machines with their disks, as Compute lists them: see [`crate::recovery::instance`].
    pub instances: Vec<Value>,
    /// Operations: see [`crate::recovery::operation`].
    pub operations: Vec<Value>,
    /// Policies of regions: see [`crate::schedules::policy`].
    pub policies: Vec<Value>,
    /// Names of the policies that are attached to each disk, by its name as an asset.
    pub attached: BTreeMap<String, BTreeSet<String>>,
    /// Operations that writes have begun, by their paths.
    pub(crate) writes: BTreeMap<String, Value>,
    /// Number of the folder that it is in.
    pub folder: Option<String>,
    /// Whether its deletion was asked for.
    pub is_closed: bool,
    /// Names of assets that Cloud Asset leaves out, though they are there.
    pub unindexed: BTreeSet<String>,
    /// Names of assets that Cloud Asset still shows, though their own service knows them no more.
    pub ghosts: BTreeSet<String>,
    /// Names of what was deleted, and when: the record that Cloud Asset keeps.
    pub deleted: BTreeMap<String, String>,
}

/// A folder.
#[derive(Clone, Debug, Default)]
pub struct Folder {
    /// Number of the folder that it is in.
    pub parent: Option<String>,
    /// Policy: what is in the folder inherits it.
    pub policy: Policy,
}

/// A service account.
#[derive(Clone, Debug, Default)]
pub struct ServiceAccount {
    /// Project that it belongs to.
    pub project: String,
    /// Name for people.
    pub display_name: String,
    /// Description.
    pub description: String,
    /// Policy.
    pub policy: Policy,
    /// Unique id.
    pub unique_id: String,
}

/// A token that is out.
#[derive(Clone, Debug)]
pub struct Token {
    /// The caller, as members are written.
    pub principal: String,
    /// Scopes.
    pub scopes: Vec<String>,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
}

/// A quota of searches, counted in fixed windows.
#[derive(Clone, Debug)]
pub struct Quota {
    /// Project that pays.
    pub project: String,
    /// Calls in a window.
    pub calls: u32,
    /// Length of a window.
    pub window: Duration,
    used: u32,
    since: Instant,
}

impl Quota {
    /// So many calls in each window.
    #[must_use]
    pub fn new(project: &str, calls: u32, window: Duration) -> Self {
        Self { project: project.into(), calls, window, used: 0, since: Instant::now() }
    }
}

/// What the cloud holds.
#[derive(Default)]
pub struct World {
    /// Policy of the organisation that all projects belong to: they inherit it.
    pub organization: Policy,
    /// Projects by id.
    pub projects: BTreeMap<String, Project>,
    /// Folders by number.
    pub folders: BTreeMap<String, Folder>,
    /// Most rows in a page of folders or projects; `None` for what is asked for.
    pub list_rows: Option<usize>,
    /// Service accounts by e-mail address.
    pub accounts: BTreeMap<String, ServiceAccount>,
    /// Custom roles: permissions by name.
    pub roles: HashMap<String, Vec<String>>,
    /// Public keys by e-mail address and key id.
    pub keys: HashMap<(String, String), Vec<u8>>,
    /// When keys end, by key id; those that are not named never do.
    pub key_ends: BTreeMap<String, String>,
    /// When keys were last used, by key id.
    pub key_uses: BTreeMap<String, String>,
    /// Trusted issuers by audience.
    pub issuers: HashMap<String, Issuer>,
    /// APIs that are off, with the project's id.
    pub disabled: BTreeSet<(String, String)>,
    /// How long what a policy bound before it was replaced still lets in.
    pub revocation_delay: Duration,
    /// Faults. The first that fits a call wins.
    pub faults: Vec<Fault>,
    /// Most rows of a page of a search; `None` for as many as Google gives.
    pub page_rows: Option<usize>,
    /// Quotas of searches, each of one paying project.
    pub quotas: Vec<Quota>,
    /// Seconds that this clock is ahead of the machine's.
    pub clock_ahead: i64,
    pub(crate) tokens: HashMap<String, Token>,
}

/// Google's predefined roles, as far as they matter here.
const ROLES: &[(&str, &[&str])] = &[
    ("roles/iam.serviceAccountTokenCreator", &["iam.serviceAccounts.getAccessToken"]),
    ("roles/serviceusage.serviceUsageConsumer", &["serviceusage.services.use"]),
    ("roles/cloudasset.viewer", &["cloudasset.assets.searchAllResources"]),
    ("roles/browser", &["resourcemanager.projects.get"]),
    (
        "roles/owner",
        &[
            "resourcemanager.projects.get",
            "resourcemanager.projects.getIamPolicy",
            "resourcemanager.projects.setIamPolicy",
            "cloudasset.assets.searchAllResources",
            "iam.serviceAccounts.create",
            "iam.serviceAccounts.get",
            "iam.serviceAccounts.delete",
            "iam.serviceAccounts.getIamPolicy",
            "iam.serviceAccounts.setIamPolicy",
            "serviceusage.services.use",
        ],
    ),
];

impl World {
    /// Adds a project.
    pub fn add_project(&mut self, id: &str, number: &str) -> &mut Project {
        let project = Project { id: id.into(), number: number.into(), ..Project::default() };
        self.projects.entry(id.to_owned()).insert_entry(project).into_mut()
    }

    /// Adds a service account to a project; its e-mail address.
    pub fn add_account(&mut self, name: &str, project: &str) -> String {
        let email = format!("{name}@{project}.iam.gserviceaccount.com");
        let unique_id = format!("{:021}", self.accounts.len() + 1);
        let account = ServiceAccount { project: project.into(), unique_id, ..ServiceAccount::default() };
        self.accounts.insert(email.clone(), account);
        email
    }

    /// Now, by this cloud's clock, in seconds since 1970.
    #[must_use]
    pub fn now(&self) -> i64 {
        jiff::Timestamp::now().as_second() + self.clock_ahead
    }

    /// A token for somebody who signs in by other means, such as an administrator.
    pub fn token_for(&mut self, principal: &str, scopes: &[&str]) -> String {
        let expires = self.now() + 3600;
        self.issue(Token { principal: principal.into(), scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(), expires })
    }

    pub(crate) fn issue(&mut self, token: Token) -> String {
        let mut bytes = [0; 24];
        SystemRandom::new().fill(&mut bytes).expect("there is randomness");
        let text = format!("ya29.{}", hex::encode(bytes));
        self.tokens.insert(text.clone(), token);
        text
    }

    pub(crate) fn expire(&mut self, bearer: Option<&str>) {
        if let Some(token) = bearer.and_then(|bearer| self.tokens.get_mut(bearer)) {
            token.expires = 0;
        }
    }

    /// The project that an id or a number names.
    #[must_use]
    pub fn project(&self, name: &str) -> Option<&Project> {
        self.projects.get(name).or_else(|| self.projects.values().find(|project| project.number == name))
    }

    pub(crate) fn fault_for(&mut self, request: &Request) -> Option<FaultKind> {
        let fault = self.faults.iter_mut().find(|fault| fault.fits(request))?;
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        fault.fitted += 1;
        if !fault.fitted.is_multiple_of(fault.each) {
            return None;
        }
        if let Some(times) = &mut fault.times {
            *times -= 1;
        }
        Some(fault.kind.clone())
    }

    fn grants(&self, policy: &Policy, principal: &str, permission: &str) -> bool {
        let lingering = policy.lingering.iter().filter(|(_, until)| *until > Instant::now()).flat_map(|(bindings, _)| bindings);
        policy.bindings.iter().chain(lingering).any(|binding| {
            let applies = binding.condition.as_ref().is_none_or(|condition| condition["expression"] == "true");
            let predefined = ROLES.iter().any(|(role, held)| *role == binding.role && held.contains(&permission));
            let custom = self.roles.get(&binding.role).is_some_and(|held| held.iter().any(|held| held == permission));
            applies && (predefined || custom) && binding.members.iter().any(|member| member == principal)
        })
    }

    /// Whether a principal has a permission on a project.
    #[must_use]
    pub fn may_on_project(&self, principal: &str, permission: &str, project: &Project) -> bool {
        self.grants(&project.policy, principal, permission)
            || project.folder.as_ref().is_some_and(|folder| self.may_on_folder(principal, permission, folder))
            || self.grants(&self.organization, principal, permission)
    }

    /// Whether a principal has a permission on a folder: by its own policy, or by that of one above it.
    #[must_use]
    pub fn may_on_folder(&self, principal: &str, permission: &str, folder: &str) -> bool {
        let above = std::iter::successors(self.folders.get(folder), |folder| self.folders.get(folder.parent.as_ref()?));
        let policies = above.map(|folder| &folder.policy).chain([&self.organization]);
        policies.into_iter().any(|policy| self.grants(policy, principal, permission))
    }

    /// Whether a principal has a permission on a service account: by its own policy, or by its project's.
    #[must_use]
    pub fn may_on_account(&self, principal: &str, permission: &str, account: &ServiceAccount) -> bool {
        let project = self.projects.get(&account.project);
        self.grants(&account.policy, principal, permission)
            || project.is_some_and(|project| self.may_on_project(principal, permission, project))
    }

    /// Whether the call may be made at all: caller, scope, project that pays, API. The caller.
    pub(crate) fn admit(&self, request: &Request, service: &str, scopes: &[&str]) -> Result<Token, Answer> {
        let caller = self.caller(request)?;
        if !caller.scopes.iter().any(|scope| scopes.contains(&scope.rsplit('/').next().unwrap_or_default())) {
            let metadata = json!({"service": service, "method": request.call});
            let detail = envelope::info("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "googleapis.com", metadata);
            let message = "Request had insufficient authentication scopes.";
            return Err(envelope::detailed(403, "PERMISSION_DENIED", message, vec![detail]));
        }
        let paying = match &request.quota_project {
            Some(named) => {
                let project =
                    self.project(named).filter(|project| self.may_on_project(&caller.principal, "serviceusage.services.use", project));
                let Some(project) = project else {
                    let message = format!(
                        "Caller does not have required permission to use project {named}. Grant the caller the \
                         roles/serviceusage.serviceUsageConsumer role, or a custom role with the serviceusage.services.use permission."
                    );
                    let metadata = json!({"service": service, "consumer": format!("projects/{named}")});
                    let detail = envelope::info("USER_PROJECT_DENIED", "googleapis.com", metadata);
                    return Err(envelope::detailed(403, "PERMISSION_DENIED", &message, vec![detail]));
                };
                Some(project)
            }
            None => {
                let email = caller.principal.strip_prefix("serviceAccount:");
                email.and_then(|email| self.accounts.get(email)).and_then(|account| self.projects.get(&account.project))
            }
        };
        match paying {
            Some(project) if self.disabled.contains(&(service.to_owned(), project.id.clone())) => {
                Err(envelope::disabled(service, &format!("projects/{}", project.number)))
            }
            _ => Ok(caller),
        }
    }

    /// The id of the project that a call to Cloud Asset is about, where the caller may make it and the quota has room.
    pub(crate) fn asset_project(&mut self, request: &Request, permission: &str) -> Result<String, Answer> {
        let caller = self.admit(request, "cloudasset.googleapis.com", &["cloud-platform"])?;
        let project = self.project(&request.resource).filter(|project| self.may_on_project(&caller.principal, permission, project));
        let denied = || envelope::denied(permission, &format!("cloudresourcemanager.googleapis.com/projects/{}", request.resource));
        let id = project.ok_or_else(denied)?.id.clone();
        self.spend(request, &id)?;
        Ok(id)
    }

    /// Counts a search against the quota of the project that pays.
    fn spend(&mut self, request: &Request, project: &str) -> Result<(), Answer> {
        let paying = request.quota_project.as_deref().unwrap_or(project).to_owned();
        let number = self.project(&paying).map(|project| project.number.clone()).unwrap_or_default();
        let Some(quota) = self.quotas.iter_mut().find(|quota| quota.project == paying) else { return Ok(()) };
        if quota.since.elapsed() >= quota.window {
            (quota.used, quota.since) = (0, Instant::now());
        }
        quota.used += 1;
        if quota.used > quota.calls {
            return Err(envelope::exhausted(&format!("projects/{number}"), "1/min/{project}", Some("1s")));
        }
        Ok(())
    }
}
