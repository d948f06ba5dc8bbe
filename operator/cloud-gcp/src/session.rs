//! A session in a client's project: short-lived tokens of the client's service account, and the calls that are made with them. It calls no verb of the port:
//! those are in files of their own and take a session.

use std::collections::HashMap;
use std::sync::Arc;

use caretaker_cloud::budget::Work;
use caretaker_cloud::runtime::once_renewed;
use caretaker_cloud::{CloudError, ErrorClass, GcpGrant, Identity, Purpose, Result};
use reqwest::Url;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::call::Services;
use crate::call::http::{Call, url};
use crate::config::Secret;
use crate::errors::{Parties, is_plain};
use crate::session::shared::Shared;
use crate::token::{FULL_SCOPE, Held, READ_SCOPE};

pub mod shared;

/// The call that makes a token of the client's service account.
const GENERATE: &str = "iamcredentials:generateAccessToken";
/// The call that proves whose project it is.
const GET_PROJECT: &str = "cloudresourcemanager:projects.get";
/// Length of a token, in seconds: the longest that Google gives without an exception in the organisation's policy.
const LIFETIME: u64 = 3600;

/// How far a token reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Reading, where Google takes such a token.
    Read,
    /// All that the service account may. Cloud Asset and the policies of service accounts take no other, reading included.
    Full,
}

/// A session in one project or one folder, renewed once it has expired.
pub struct Session {
    pub shared: Arc<Shared>,
    /// The way in. Of a folder: the service account with the project that holds it.
    pub grant: GcpGrant,
    /// Number of the folder, where it is one.
    folder: Option<String>,
    pub parties: Parties,
    purpose: Purpose,
    identity: Identity,
    tokens: Mutex<HashMap<Reach, Held>>,
}

/// A grant that is not of the provider's own project and identity, in a form that can stand in a path.
pub async fn check_grant(shared: &Shared, grant: &GcpGrant) -> Result<()> {
    if !is_plain(&grant.project_id) || !is_plain(&grant.service_account) {
        return Err(CloudError::new(ErrorClass::Invalid, "connect", "the project's id or the service account's address is malformed"));
    }
    let services = &shared.services;
    let own = grant.project_id == services.provider_project || Some(&grant.project_id) == services.quota_project.as_ref();
    if own || shared.base.principal().await? == grant.service_account {
        let message = format!("{} with {} is the provider's own, not a client's", grant.project_id, grant.service_account);
        return Err(CloudError::new(ErrorClass::WrongAccount, "connect", message));
    }
    Ok(())
}

/// A token of the client's service account, asked for with this token of ours, or without one.
pub async fn generate(shared: &Shared, grant: &GcpGrant, reach: Reach, ours: Option<&Secret>) -> Result<Held> {
    let scope = if reach == Reach::Read { READ_SCOPE } else { FULL_SCOPE };
    let request = json!({"scope": [scope], "lifetime": format!("{LIFETIME}s")});
    let path = format!("/v1/projects/-/serviceAccounts/{}:generateAccessToken", grant.service_account);
    let url = url(&shared.services.endpoints.iam_credentials, &path, &[])?;
    let parties = Parties {
        client: vec![grant.project_id.clone()],
        provider: shared.services.provider_project.clone(),
        quota_project: None,
        by_base: true,
    };
    let call = Call { token: ours, json: Some(&request), ..Call::default() };
    let (work, budget) = (Work::once(&grant.client), shared.services.token_budget(GENERATE));
    let answer = shared.services.call(&work, &budget, (GENERATE, url, call), &parties).await.map_err(|error| no_access(error, grant))?;
    let token = answer["accessToken"].as_str().filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| CloudError::new(ErrorClass::Unreachable, GENERATE, "the answer holds no token"))?;
    Ok(Held::new(token, LIFETIME))
}

/// The same with the base identity's token. A base token that is refused is exchanged anew, once; refused again, it is the provider's
/// fault.
pub async fn generate_as_base(shared: &Shared, grant: &GcpGrant, reach: Reach) -> Result<Held> {
    let token = shared.base.token(&shared.services).await?;
    match generate(shared, grant, reach, Some(&token)).await {
        Err(error) if error.class == ErrorClass::Expired => {
            let token = shared.base.renew(&shared.services, &token).await?;
            generate(shared, grant, reach, Some(&token)).await.map_err(|mut error| {
                if error.class == ErrorClass::Expired {
                    error.class = ErrorClass::Credentials;
                }
                error
            })
        }
        other => other,
    }
}

/// Google answers 404 and 403 alike to who has no access: neither says that a thing is gone.
fn no_access(mut error: CloudError, grant: &GcpGrant) -> CloudError {
    if matches!(error.class, ErrorClass::Denied | ErrorClass::NotFound) {
        error.class = ErrorClass::Denied;
        error.message = format!("{}: no access to {} by {}, or gone", error.message, grant.project_id, grant.service_account);
    }
    error
}

/// Whose project a token of the client's leads to: the project's id and number.
pub async fn project(shared: &Shared, grant: &GcpGrant, token: &Secret) -> Result<(String, String)> {
    let path = format!("/v3/projects/{}", grant.project_id);
    let parties = parties(shared, grant, None);
    let call = Call { token: Some(token), quota_project: shared.services.quota_project.as_deref(), ..Call::default() };
    let url = url(&shared.services.endpoints.resource_manager, &path, &[])?;
    let (work, budget) = (Work::once(&grant.client), shared.services.budget(&shared.services.paying(grant), GET_PROJECT));
    let answer = shared.services.call(&work, &budget, (GET_PROJECT, url, call), &parties).await.map_err(|error| no_access(error, grant))?;
    let text = |field: &str| answer[field].as_str().unwrap_or_default().to_owned();
    let (id, number) = (text("projectId"), text("name").trim_start_matches("projects/").to_owned());
    let services = &shared.services;
    if id == services.provider_project || Some(&id) == services.quota_project.as_ref() {
        let message = format!("project {} is the provider's own, not a client's", grant.project_id);
        return Err(CloudError::new(ErrorClass::WrongAccount, GET_PROJECT, message));
    }
    if id != grant.project_id {
        let message = format!("{} leads to project {id}, not {}", grant.service_account, grant.project_id);
        return Err(CloudError::new(ErrorClass::WrongAccount, GET_PROJECT, message));
    }
    Ok((id, number))
}

pub fn parties(shared: &Shared, grant: &GcpGrant, number: Option<String>) -> Parties {
    Parties {
        client: std::iter::once(grant.project_id.clone()).chain(number).collect(),
        provider: shared.services.provider_project.clone(),
        quota_project: shared.services.quota_project.clone(),
        by_base: false,
    }
}

impl Session {
    /// Gets in and proves that the project is the grant's, before any other call.
    pub async fn open(shared: Arc<Shared>, grant: GcpGrant, purpose: Purpose) -> Result<Self> {
        let held = generate_as_base(&shared, &grant, Reach::Read).await?;
        let (account, number) = project(&shared, &grant, &held.token).await?;
        let identity = Identity { account, principal: grant.service_account.clone() };
        let parties = parties(&shared, &grant, Some(number));
        Ok(Self { shared, grant, folder: None, parties, purpose, identity, tokens: Mutex::new(HashMap::from([(Reach::Read, held)])) })
    }

    /// A session in a folder that was proved to be readable.
    pub fn of_folder(
        shared: Arc<Shared>,
        (grant, parties): (GcpGrant, Parties),
        purpose: Purpose,
        (identity, held): (Identity, Held),
    ) -> Self {
        let folder = Some(identity.account.clone());
        Self { shared, grant, folder, parties, purpose, identity, tokens: Mutex::new(HashMap::from([(Reach::Read, held)])) }
    }

    /// Who the session is.
    pub fn who(&self) -> &Identity {
        &self.identity
    }

    /// Number of the folder that it is in, where it is in one.
    pub fn folder(&self) -> Option<&str> {
        self.folder.as_deref()
    }

    /// What the grant is on, as Google names it.
    pub fn scope(&self) -> String {
        self.folder.as_ref().map_or_else(|| format!("projects/{}", self.grant.project_id), |folder| format!("folders/{folder}"))
    }

    /// Whether the proof is recent enough for new work.
    pub async fn is_fresh(&self) -> bool {
        self.tokens.lock().await.get(&Reach::Read).is_some_and(Held::is_fresh)
    }

    /// A token, the held one where it is fresh.
    async fn token(&self, reach: Reach) -> Result<Secret> {
        let mut tokens = self.tokens.lock().await;
        if let Some(held) = tokens.get(&reach).filter(|held| held.is_fresh()) {
            return Ok(held.token.clone());
        }
        self.put_fresh(&mut tokens, reach).await
    }

    /// A token in place of one that was refused. Many cells may find it refused; only the first asks for another.
    async fn renew(&self, reach: Reach, refused: &Secret) -> Result<Secret> {
        let mut tokens = self.tokens.lock().await;
        if let Some(held) = tokens.get(&reach).filter(|held| held.token != *refused) {
            return Ok(held.token.clone());
        }
        self.put_fresh(&mut tokens, reach).await
    }

    async fn put_fresh(&self, tokens: &mut HashMap<Reach, Held>, reach: Reach) -> Result<Secret> {
        let held = generate_as_base(&self.shared, &self.grant, reach).await?;
        let token = held.token.clone();
        tokens.insert(reach, held);
        Ok(token)
    }

    /// One call with this token, for which the quota project pays.
    async fn once(&self, work: &Work, operation: &str, token: &Secret, (url, call): (Url, Call<'_>)) -> Result<Value> {
        let services = &self.shared.services;
        let quota_project = services.quota_project.as_deref().filter(|_| !call.pays_itself);
        let paying = if call.pays_itself { Services::home(&self.grant) } else { services.paying(&self.grant) };
        let parties = Parties { quota_project: quota_project.map(str::to_owned), ..self.parties.clone() };
        let call = Call { token: Some(token), quota_project, ..call };
        services.call(work, &services.budget(&paying, operation), (operation, url, call), &parties).await
    }

    /// A call as part of a piece of work, with a new token once where the held one has expired: page tokens outlive sessions. A new token that is refused as
    /// well is a refusal.
    pub async fn call_for(&self, work: &Work, operation: &str, reach: Reach, (url, call): (Url, Call<'_>)) -> Result<Value> {
        let once = |token: Secret| {
            let url = url.clone();
            async move { self.once(work, operation, &token, (url, call)).await }
        };
        let renew = |refused: Secret| async move { self.renew(reach, &refused).await };
        once_renewed(self.token(reach).await?, once, renew).await.map_err(|mut error| {
            if error.class == ErrorClass::Expired {
                error.class = ErrorClass::Denied;
            }
            error
        })
    }

    /// A call that is a piece of work of its own.
    pub async fn call(&self, operation: &str, reach: Reach, url: Url, call: Call<'_>) -> Result<Value> {
        self.call_for(&Work::once(&self.grant.client), operation, reach, (url, call)).await
    }

    /// How far writes of this session reach: one for reading is refused by Google itself.
    pub fn reach_of_writes(&self) -> Reach {
        if matches!(self.purpose, Purpose::Revoke | Purpose::Backup) { Reach::Full } else { Reach::Read }
    }
}
