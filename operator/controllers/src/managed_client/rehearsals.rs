//! Makes the rehearsals of an exit that are due, and removes those that have had their time.

use caretaker_api::handover::{HandoverMode, HandoverSpec};
use caretaker_api::names::client_namespace;
use caretaker_api::{Handover, ManagedClient};
use caretaker_engine::Failure;
use kube::api::{Api, DeleteParams, PostParams};
use kube::{Error, ResourceExt};

use crate::context::Context;

/// Does both. A bundle that a removed rehearsal made stays in the store.
pub async fn act(ctx: &Context, client: &ManagedClient, due: Option<&str>, worn: &[String]) -> Result<(), Failure> {
    let api: Api<Handover> = Api::namespaced(ctx.client.clone(), &client_namespace(&client.name_any()));
    if let Some(name) = due {
        let rehearsal = Handover::new(name, HandoverSpec { mode: HandoverMode::Rehearsal, ..HandoverSpec::default() });
        match api.create(&PostParams::default(), &rehearsal).await {
            Ok(_) => tracing::info!("rehearsal {name} of client {} has begun, as its schedule says", client.name_any()),
            Err(Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(Failure::kubernetes(format!("make the rehearsal {name}"))(error)),
        }
    }
    for name in worn {
        match api.delete(name, &DeleteParams::default()).await {
            Err(Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(Failure::kubernetes(format!("delete the rehearsal {name}"))(error)),
            Ok(_) => {}
        }
    }
    Ok(())
}
