//! The controllers: they observe, ask `core` what to do, and do it. Each kind has a file of its own name; what all kinds share is the engine.

pub mod access;
pub mod backup_policy;
pub mod claim;
pub mod cloud_account;
pub mod context;
pub mod counted_link;
pub mod discovery;
pub mod handover;
pub mod managed_client;
pub mod monitoring_stack;
pub mod operator;
pub mod provider_identity;
pub mod provider_profile;
pub mod signing;

use caretaker_engine::Reconciler;
pub use context::Context;
pub use provider_identity::Clouds;

use tokio::sync::watch;
use tokio::task::JoinSet;

macro_rules! controllers {
    ($($reconciler:expr),* $(,)?) => {
        /// Starts the loop of every kind. A loop ends after `stop` was sent and answers its kind.
        pub(crate) fn start_all(ctx: &Context, stop: &watch::Sender<bool>, loops: &mut JoinSet<String>) {
            $(start($reconciler, ctx, stop, loops);)*
        }
        /// The kinds that have a loop.
        #[cfg(test)]
        fn started() -> Vec<caretaker_core::kinds::Kind> {
            vec![$(tests::kind_of(&$reconciler)),*]
        }
    };
}

controllers! {
    provider_profile::ProviderProfiles,
    managed_client::ManagedClients,
    cloud_account::CloudAccounts,
    backup_policy::BackupPolicies,
    monitoring_stack::MonitoringStacks::default(),
    handover::Handovers,
}

fn start<R: Reconciler<Context = Context>>(reconciler: R, ctx: &Context, stop: &watch::Sender<bool>, loops: &mut JoinSet<String>) {
    let (ctx, mut stopped) = (ctx.clone(), stop.subscribe());
    loops.spawn(async move {
        let stop = async move {
            // A sender that is gone stops as well.
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        caretaker_engine::run(reconciler, ctx, stop).await;
        R::KIND.as_str().to_owned()
    });
}

#[cfg(test)]
mod tests {
    use caretaker_core::kinds::{Kind, Kinds};

    use super::*;

    pub(super) fn kind_of<R: Reconciler>(_reconciler: &R) -> Kind {
        R::KIND
    }

    #[test]
    fn every_kind_has_a_loop() {
        let started = started();
        for kind in Kinds::OURS.iter() {
            assert_eq!(started.iter().filter(|found| **found == kind).count(), 1, "{kind:?}");
        }
    }
}
