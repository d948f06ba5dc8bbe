//! Metrics with bounded labels: kinds and outcomes, never clients.

mod conditions;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use caretaker_cloud::budget::Budgets;
use caretaker_core::outcome::Outcome;
use caretaker_core::ownership::Kind;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use self::conditions::ConditionMetrics;

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

/// Label of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabel {
    kind: String,
}

/// Labels of a request to the API server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    verb: String,
    resource: String,
}

/// Labels of calls to a cloud.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallLabels {
    cloud: &'static str,
    outcome: &'static str,
}

/// Label of a cloud.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CloudLabel {
    cloud: &'static str,
}

/// Label of what can be said of an asset's backups.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BackupLabel {
    state: &'static str,
}

/// Label of a ServiceProfile: there are as many as the provider has packages.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ProfileLabel {
    profile: String,
}

/// Figures of one policy: word and number of assets.
type BackupFigures = Vec<(&'static str, u64)>;

/// Assets of all policies by what can be said of their backups: summed up when somebody asks.
#[derive(Clone, Default)]
struct BackupMetrics {
    assets: Family<BackupLabel, Gauge>,
    held: Arc<Mutex<HashMap<String, BackupFigures>>>,
}

impl BackupMetrics {
    fn read(&self) {
        let mut sums: HashMap<&'static str, u64> = HashMap::new();
        for (state, count) in self.held.lock().expect("no panic while held").values().flatten() {
            *sums.entry(state).or_default() += count;
        }
        self.assets.clear();
        for (state, count) in sums {
            self.assets.get_or_create(&BackupLabel { state }).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
}

/// What is told of clouds: read from the budgets when somebody asks.
#[derive(Clone, Default)]
struct CloudMetrics {
    calls: Family<CallLabels, Counter>,
    waited: Family<CloudLabel, Counter<f64, AtomicU64>>,
    in_flight: Family<CloudLabel, Gauge>,
    held: Family<CloudLabel, Gauge>,
}

impl CloudMetrics {
    fn register(&self, registry: &mut Registry) {
        let calls = "Calls to clouds by outcome: answered, throttled, refused or failed";
        registry.register("cloud_calls", calls, self.calls.clone());
        registry.register("cloud_wait_seconds", "Time that calls to clouds waited for their turn", self.waited.clone());
        registry.register("cloud_calls_in_flight", "Calls to clouds that are under way", self.in_flight.clone());
        registry.register("cloud_budgets_held", "Request budgets that wait because the cloud asked for it", self.held.clone());
    }

    fn read(&self, budgets: &Budgets) {
        for (cloud, figures) in budgets.figures() {
            let outcomes = [
                ("answered", figures.answered),
                ("throttled", figures.throttled),
                ("refused", figures.refused),
                ("failed", figures.failed),
            ];
            for (outcome, count) in outcomes {
                self.calls.get_or_create(&CallLabels { cloud, outcome }).inner().store(count, Ordering::Relaxed);
            }
            let of = CloudLabel { cloud };
            self.waited.get_or_create(&of).inner().store(figures.waited.as_secs_f64().to_bits(), Ordering::Relaxed);
            self.in_flight.get_or_create(&of).set(i64::from(figures.in_flight));
            self.held.get_or_create(&of).set(i64::from(figures.held));
        }
    }
}

/// All metrics of the operator.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    budgets: Budgets,
    clouds: CloudMetrics,
    backups: BackupMetrics,
    conditions: ConditionMetrics,
    visits: Family<VisitLabels, Counter>,
    writes: Family<WriteLabels, Counter>,
    refused_statuses: Family<KindLabel, Counter>,
    requests: Family<RequestLabels, Counter>,
    leader: Gauge,
    deviations: Family<ProfileLabel, Gauge>,
    behind: Family<ProfileLabel, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::of(Budgets::default())
    }
}

impl Metrics {
    /// Metrics that tell of these budgets too.
    #[must_use]
    pub fn of(budgets: Budgets) -> Self {
        let mut registry = Registry::with_prefix("caretaker");
        let visits = Family::default();
        registry.register("visits", "Visits of objects by kind and outcome", visits.clone());
        let writes = Family::default();
        registry.register("kubernetes_writes", "Objects written by kind and verb", writes.clone());
        let refused_statuses = Family::default();
        let refused = "Statuses that could not be written, by kind: what stands in them may be old";
        registry.register("status_write_failures", refused, refused_statuses.clone());
        let requests = Family::default();
        registry.register("kubernetes_requests", "Requests to the API server by verb and resource", requests.clone());
        let leader = Gauge::default();
        registry.register("leader", "1 while this process holds the lease", leader.clone());
        let deviations = Family::default();
        registry.register("profile_deviations", "Values of a ServiceProfile that its clients do not have", deviations.clone());
        let behind = Family::default();
        registry.register("profile_clients_behind", "Clients of a ServiceProfile that have an earlier revision of it", behind.clone());
        let clouds = CloudMetrics::default();
        clouds.register(&mut registry);
        let backups = BackupMetrics::default();
        let assets = "Assets that policies select, by what can be said of their recovery points";
        registry.register("backup_assets", assets, backups.assets.clone());
        let conditions = ConditionMetrics::default();
        registry.register("conditions", "Objects by kind and by the state of each of their conditions", conditions.objects.clone());
        let registry = Arc::new(registry);
        Self { registry, budgets, clouds, backups, conditions, visits, writes, refused_statuses, requests, leader, deviations, behind }
    }

    /// Counts a visit.
    pub fn visit(&self, kind: Kind, outcome: &Outcome) {
        let outcome = match outcome {
            Outcome::Settled(_) => "settled",
            Outcome::Ended(..) => "ended",
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

    /// Counts a status that could not be written.
    pub fn status_write_failure(&self, kind: Kind) {
        self.refused_statuses.get_or_create(&KindLabel { kind: kind.as_str().into() }).inc();
    }

    /// Counts a request to the API server. `resource` is written as in RBAC, such as `cloudaccounts/status`.
    pub fn request(&self, verb: &str, resource: &str) {
        self.requests.get_or_create(&RequestLabels { verb: verb.into(), resource: resource.into() }).inc();
    }

    /// Says how many assets of a policy, by its uid, are in which state of protection.
    ///
    /// # Panics
    /// Another thread panicked while it wrote figures.
    pub fn backups(&self, policy: &str, figures: &[(&'static str, u64)]) {
        self.backups.held.lock().expect("no panic while held").insert(policy.into(), figures.to_vec());
    }

    /// Forgets the figures of a policy that is gone.
    ///
    /// # Panics
    /// As [`Metrics::backups`].
    pub fn forget_backups(&self, policy: &str) {
        self.backups.held.lock().expect("no panic while held").remove(policy);
    }

    /// Says in which conditions an object, by its uid, is.
    ///
    /// # Panics
    /// Another thread panicked while it wrote conditions.
    pub fn conditions(&self, kind: Kind, uid: &str, conditions: &[Condition]) {
        self.conditions.set(kind, uid, conditions);
    }

    /// Forgets the conditions of an object that is gone.
    ///
    /// # Panics
    /// As [`Metrics::conditions`].
    pub fn forget(&self, uid: &str) {
        self.conditions.forget(uid);
    }

    /// Says how far the clients of a profile are from it.
    pub fn profile(&self, profile: &str, deviations: u32, behind: u32) {
        let label = ProfileLabel { profile: profile.into() };
        self.deviations.get_or_create(&label).set(i64::from(deviations));
        self.behind.get_or_create(&label).set(i64::from(behind));
    }

    /// Forgets a profile that is gone.
    pub fn forget_profile(&self, profile: &str) {
        let label = ProfileLabel { profile: profile.into() };
        self.deviations.remove(&label);
        self.behind.remove(&label);
    }

    /// Says whether this process leads.
    pub fn set_leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// The metrics in the OpenMetrics text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.clouds.read(&self.budgets);
        self.backups.read();
        self.conditions.read();
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use caretaker_cloud::budget::{Key, Limits, Work};
    use caretaker_cloud::{CloudError, ErrorClass};

    use super::*;

    #[test]
    fn backups_are_summed_up_over_policies_and_forgotten_with_them() {
        let metrics = Metrics::default();
        metrics.backups("uid-of-acme", &[("protected", 2), ("stale", 1)]);
        metrics.backups("uid-of-other", &[("protected", 5), ("stale", 0)]);
        metrics.backups("uid-of-acme", &[("protected", 3), ("stale", 0)]);
        let text = metrics.render();
        assert!(text.contains(r#"caretaker_backup_assets{state="protected"} 8"#), "{text}");
        assert!(text.contains(r#"caretaker_backup_assets{state="stale"} 0"#) && !text.contains("uid-of"), "{text}");
        metrics.forget_backups("uid-of-other");
        assert!(metrics.render().contains(r#"caretaker_backup_assets{state="protected"} 3"#));
    }

    #[test]
    fn a_profile_is_told_and_forgotten() {
        let metrics = Metrics::default();
        metrics.profile("smb", 3, 1);
        let text = metrics.render();
        assert!(text.contains(r#"caretaker_profile_deviations{profile="smb"} 3"#), "{text}");
        assert!(text.contains(r#"caretaker_profile_clients_behind{profile="smb"} 1"#), "{text}");
        metrics.forget_profile("smb");
        assert!(!metrics.render().contains("smb"));
    }

    #[tokio::test]
    async fn calls_to_clouds_are_told_by_outcome_and_never_by_client() {
        let budgets = Budgets::default();
        let budget = budgets.of(Key::aws("222222222222", "eu-west-1"), Limits { per_second: 100.0, burst: 10, concurrency: 2 });
        let work = Work::once("222222222222");
        work.call(&budget, "list", || async { Ok(()) }).await.unwrap();
        let wait = ErrorClass::Throttled(Some(std::time::Duration::from_secs(600)));
        assert!(work.call(&budget, "list", || async { Err::<(), _>(CloudError::new(wait, "list", "slow down")) }).await.is_err());
        let text = Metrics::of(budgets).render();
        for line in [
            r#"caretaker_cloud_calls_total{cloud="aws",outcome="answered"} 1"#,
            r#"caretaker_cloud_calls_total{cloud="aws",outcome="throttled"} 1"#,
            r#"caretaker_cloud_calls_total{cloud="aws",outcome="failed"} 0"#,
            r#"caretaker_cloud_wait_seconds_total{cloud="aws"}"#,
            r#"caretaker_cloud_calls_in_flight{cloud="aws"} 0"#,
            r#"caretaker_cloud_budgets_held{cloud="aws"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        assert!(!text.contains("222222222222"), "{text}");
    }
}
