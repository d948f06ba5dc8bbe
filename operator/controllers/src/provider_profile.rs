//! `ProviderProfile`: makes the signing key, proves the provider's own identity, and keeps the list of profiles that admission knows.

use async_trait::async_trait;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::provider_profile::{ProviderProfileStatus, SigningStatus};
use caretaker_api::{ManagedClient, ProviderProfile};
use caretaker_core::outcome::{Fault, Outcome, Wait};
use caretaker_core::ownership::Kind;
use caretaker_core::provider_profile::{self as core, Done};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::access::connector;
use crate::context::Context;
use crate::signing;
use caretaker_engine::Failure;
use caretaker_engine::{Acted, CleanUp, Reconciler, Seen};

/// ConfigMap of the operator's namespace whose keys are the profiles that exist, and whose values say for whom: the admission policy's parameter.
pub const REGISTER: &str = "caretaker-profiles";

/// The reconciler.
pub struct ProviderProfiles;

#[async_trait]
impl Reconciler for ProviderProfiles {
    type Object = ProviderProfile;
    type Context = Context;
    type Observed = ();
    type Plan = bool;
    type Done = Done;
    const KIND: Kind = Kind::ProviderProfile;
    const CONDITIONS: &'static [ConditionType] = core::CONDITIONS;

    async fn observe(&self, _ctx: &Context, _profile: &ProviderProfile) -> Result<(), Failure> {
        Ok(())
    }

    fn check(&self, _profile: &ProviderProfile, _observed: &()) -> Vec<Fault> {
        Vec::new()
    }

    fn plan(&self, profile: &ProviderProfile, _observed: &(), now: Timestamp) -> bool {
        core::proves_identity(profile, now)
    }

    async fn act(&self, ctx: &Context, profile: &ProviderProfile, prove: bool) -> Acted<Done> {
        let mut done = Done::default();
        let failure = act(ctx, profile, prove, &mut done).await.err();
        Acted { done, failure }
    }

    fn status(&self, profile: &ProviderProfile, seen: Seen<'_, (), Done>) -> (ProviderProfileStatus, Outcome) {
        let (status, outcome) = core::status(profile, caretaker_cloud::is_principal, seen.done, seen.now);
        (status, seen.failure.map_or(outcome, Failure::outcome))
    }

    /// A profile that clients use stays: without it they could not even be handed over. Its key's Secret is never deleted.
    async fn clean_up(&self, ctx: &Context, profile: &ProviderProfile) -> Result<CleanUp, Failure> {
        let name = profile.name_any();
        let users: Vec<String> = ctx
            .cache
            .list_typed::<ManagedClient>(None)
            .iter()
            .filter(|client| client.spec.provider_profile == name)
            .map(ResourceExt::name_any)
            .take(10)
            .collect();
        if !users.is_empty() {
            let message = format!("used by the ManagedClients {}: hand them over or name another profile there", users.join(", "));
            return Ok(CleanUp::Waiting(Wait { reason: Reason::Deleting, message, after: std::time::Duration::from_secs(10) }));
        }
        register(ctx, &name, None).await?;
        Ok(CleanUp::Done)
    }
}

async fn act(ctx: &Context, profile: &ProviderProfile, prove: bool, done: &mut Done) -> Result<(), Failure> {
    done.definitions = Some(ctx.definitions.look(&ctx.client, &ctx.cache, ctx.now()).await.map_err(|failure| failure.to_string()));
    done.unread = core::unread(&profile.name_any(), &ctx.cache.list_typed(None));
    done.uncontrolled = core::uncontrolled(profile, &ctx.cache.list_typed(None));
    register(ctx, &profile.name_any(), Some(&core::served(&profile.spec.clients))).await?;
    done.signing = Some(signing::load_or_make(ctx, profile).await?.map(|key| SigningStatus {
        public_key: key.public().to_base64().to_owned(),
        key_id: key.public().key_id(),
        fingerprint: key.public().fingerprint(),
        secret_name: signing::secret_name(profile),
        earlier: Vec::new(),
    }));
    if !prove {
        return Ok(());
    }
    for cloud in core::clouds(profile) {
        match connector(ctx, profile, cloud).await? {
            Ok(connector) => done.identities.push((cloud, connector.base_identity().await)),
            Err(fault) => done.identity_faults.push(fault),
        }
    }
    Ok(())
}

/// Notes in the register for whom a profile is; `None` where it is going.
async fn register(ctx: &Context, name: &str, served: Option<&str>) -> Result<(), Failure> {
    let api: Api<ConfigMap> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
    let failed = |what: &str| Failure::kubernetes(format!("{what} ConfigMap {}/{REGISTER}", ctx.namespace));
    let held = api.get_opt(REGISTER).await.map_err(failed("read"))?;
    let stands = held.as_ref().and_then(|held| held.data.as_ref()).and_then(|data| data.get(name)).map(String::as_str);
    if stands == served && held.is_some() {
        return Ok(());
    }
    if held.is_none() {
        let empty = ConfigMap {
            metadata: kube::core::ObjectMeta { name: Some(REGISTER.into()), ..Default::default() },
            data: Some(Default::default()),
            ..ConfigMap::default()
        };
        match api.create(&Default::default(), &empty).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(failed("make")(error)),
        }
    }
    let patch = json!({"data": {name: served}});
    api.patch(REGISTER, &PatchParams::default(), &Patch::Merge(&patch)).await.map_err(failed("change"))?;
    ctx.metrics.write("ConfigMap", "register");
    Ok(())
}
