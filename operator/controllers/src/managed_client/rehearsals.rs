//! Makes the handovers that are due by themselves, and removes the rehearsals that have had their time.

use caretaker_api::handover::HandoverSpec;
use caretaker_api::names::client_namespace;
use caretaker_api::{Handover, ManagedClient};
use caretaker_engine::Failure;
use kube::api::{Api, DeleteParams, PostParams};
use kube::{Error, ResourceExt};

use crate::context::Context;

/// Does both. A bundle that a removed rehearsal made stays in the store.
pub async fn act(ctx: &Context, client: &ManagedClient, due: Vec<(String, HandoverSpec)>, worn: &[String]) -> Result<(), Failure> {
    let api: Api<Handover> = Api::namespaced(ctx.client.clone(), &client_namespace(&client.name_any()));
    for (name, spec) in due {
        let mode = spec.mode;
        match api.create(&PostParams::default(), &Handover::new(&name, spec)).await {
            Ok(_) => tracing::info!("{mode:?} handover {name} of client {} has begun, as its terms say", client.name_any()),
            Err(Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(Failure::kubernetes(format!("make the handover {name}"))(error)),
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
