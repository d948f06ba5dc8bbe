//! Metrics with bounded labels: kinds and outcomes, never clients.

use std::sync::Arc;

use caretaker_core::outcome::Outcome;
use caretaker_core::ownership::Kind;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Labels of a visit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct VisitLabels {
    kind: String,
    outcome: String,
}

/// Labels of a write.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WriteLabels {
    kind: String,
    verb: String,
}

/// Labels of a request to the API server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    verb: String,
    resource: String,
}

/// All metrics of the operator.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    visits: Family<VisitLabels, Counter>,
    writes: Family<WriteLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
    leader: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("caretaker");
        let visits = Family::default();
        registry.register("visits", "Visits of objects by kind and outcome", visits.clone());
        let writes = Family::default();
        registry.register("kubernetes_writes", "Objects written by kind and verb", writes.clone());
        let requests = Family::default();
        registry.register("kubernetes_requests", "Requests to the API server by verb and resource", requests.clone());
        let leader = Gauge::default();
        registry.register("leader", "1 while this process holds the lease", leader.clone());
        Self { registry: Arc::new(registry), visits, writes, requests, leader }
    }
}

impl Metrics {
    /// Counts a visit.
    pub fn visit(&self, kind: Kind, outcome: &Outcome) {
        let outcome = match outcome {
            Outcome::Settled(_) => "settled",
            Outcome::Waiting(_) => "waiting",
            Outcome::Refused(_) => "refused",
            Outcome::Failed(..) => "failed",
        };
        self.visits.get_or_create(&VisitLabels { kind: kind.as_str().into(), outcome: outcome.into() }).inc();
    }

    /// Counts a write of an owned object.
    pub fn write(&self, kind: &str, verb: &str) {
        self.writes.get_or_create(&WriteLabels { kind: kind.into(), verb: verb.into() }).inc();
    }

    /// Counts a request to the API server. `resource` is written as in RBAC, such as `cloudaccounts/status`.
    pub fn request(&self, verb: &str, resource: &str) {
        self.requests.get_or_create(&RequestLabels { verb: verb.into(), resource: resource.into() }).inc();
    }

    /// Says whether this process leads.
    pub fn set_leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// The metrics in the OpenMetrics text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}
