//! Makes an incident of each outage that a client's Prometheus knows of and that has none.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use caretaker_api::incident::IncidentState;
use caretaker_api::{Incident, ManagedClient, MonitoringStack};
use caretaker_core::incident::outage::{Due, Known, due};
use caretaker_core::monitoring_stack::{Observed, Outages, PROMETHEUS_PORT, State};
use caretaker_engine::Failure;
use jiff::{SignedDuration, Timestamp};
use kube::api::{Api, PostParams};
use kube::{Error, ResourceExt};

use crate::access::client_of;
use crate::context::Context;
use crate::incident::{read, records};

/// How far back is looked by a process that has just begun with a stack: what was while none ran is found then.
const FAR: SignedDuration = SignedDuration::from_hours(84);
/// How long it goes on to look that far, so that what it finds has become incidents.
const BEGINS: SignedDuration = SignedDuration::from_mins(10);
/// How far back is looked later.
const NEAR: SignedDuration = SignedDuration::from_hours(2);
/// Most records of the store that are looked at.
const RECORDS: usize = 300;

/// When each stack was read first by this process.
#[derive(Default)]
pub struct Begun(Mutex<HashMap<String, Timestamp>>);

impl Begun {
    fn from(&self, namespace: &str, now: Timestamp) -> Timestamp {
        let mut held = self.0.lock().expect("no panic while held");
        let begun = *held.entry(namespace.to_owned()).or_insert(now);
        now - if now.duration_since(begun) < BEGINS { FAR } else { NEAR }
    }

    /// Forgets a stack.
    pub fn forget(&self, namespace: &str) {
        self.0.lock().expect("no panic while held").remove(namespace);
    }
}

/// Notes the outages that have no incident.
pub async fn look(ctx: &Context, begun: &Begun, stack: &MonitoringStack, observed: &mut Observed) -> Result<(), Failure> {
    let Some(pods) = &ctx.pods else { return Ok(()) };
    let State::Runs(Some(ip)) = observed.prometheus else {
        observed.outages = Some(Err("Prometheus does not run; see MonitoringReady".into()));
        return Ok(());
    };
    let (namespace, now) = (stack.namespace().unwrap_or_default(), ctx.now());
    let from = begun.from(&namespace, now).as_second();
    let reading = match read::reading(pods, SocketAddr::new(ip, PROMETHEUS_PORT), None, from, now).await {
        Ok(reading) => reading,
        Err(why) => {
            begun.forget(&namespace);
            observed.outages = Some(Err(format!("Prometheus does not answer the operator: {why}")));
            return Ok(());
        }
    };
    let incidents = ctx.cache.list_typed::<Incident>(Some(&namespace));
    let is_open = |incident: &&Incident| incident.status.as_ref().is_none_or(|status| status.state != IncidentState::Closed);
    let open = incidents.iter().filter(is_open).count();
    let mut known: Vec<Known> = incidents.iter().map(Known::of).collect();
    let mut found = due(&reading, &known);
    if !found.is_empty()
        && let Some(client) = ctx.find::<ManagedClient>("", &client_of(stack)).await?
    {
        // An incident that is closed may be in the store alone.
        let last = records(ctx, &client).last(RECORDS).await.map_err(Failure::store)?;
        known.extend(last.iter().map(caretaker_core::incident::Record::known));
        found = due(&reading, &known);
    }
    observed.outages = Some(Ok(Outages { open, due: found }));
    Ok(())
}

/// Makes incidents. One that is there already is the same.
pub async fn open(ctx: &Context, stack: &MonitoringStack, due: &[Due]) -> Result<(), Failure> {
    let namespace = stack.namespace().unwrap_or_default();
    let api: Api<Incident> = Api::namespaced(ctx.client.clone(), &namespace);
    for due in due {
        let Some(incident) = caretaker_core::monitoring_stack::incident(&client_of(stack), due) else { continue };
        match api.create(&PostParams::default(), &incident).await {
            Ok(_) => tracing::info!("incident {namespace}/{} has begun", incident.name_any()),
            Err(Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(Failure::kubernetes(format!("make the incident {namespace}/{}", incident.name_any()))(error)),
        }
    }
    Ok(())
}
