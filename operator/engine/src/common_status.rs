//! What the engine reads and writes in every kind's status.

use caretaker_api::condition::Conditions;
use caretaker_api::{
    backup_policy, change_request, cloud_account, handover, incident, managed_client, monitoring_stack, provider_profile, service_profile,
    service_report,
};

/// The part of a status that all kinds share.
pub trait CommonStatus: Clone + Default + PartialEq + serde::Serialize + Send + Sync {
    /// The conditions.
    fn conditions(&self) -> &Conditions;
    /// The conditions, to be replaced.
    fn conditions_mut(&mut self) -> &mut Conditions;
    /// Notes which generation the status speaks of and which request was handled.
    fn stamp(&mut self, generation: Option<i64>, request: Option<String>);
}

macro_rules! common_status {
    ($($status:ty),* $(,)?) => {$(
        impl CommonStatus for $status {
            fn conditions(&self) -> &Conditions {
                &self.conditions
            }
            fn conditions_mut(&mut self) -> &mut Conditions {
                &mut self.conditions
            }
            fn stamp(&mut self, generation: Option<i64>, request: Option<String>) {
                self.observed_generation = generation;
                if request.is_some() {
                    self.last_handled_request = request;
                }
            }
        }
    )*};
}

common_status!(
    backup_policy::BackupPolicyStatus,
    change_request::ChangeRequestStatus,
    cloud_account::CloudAccountStatus,
    handover::HandoverStatus,
    incident::IncidentStatus,
    managed_client::ManagedClientStatus,
    monitoring_stack::MonitoringStackStatus,
    provider_profile::ProviderProfileStatus,
    service_profile::ServiceProfileStatus,
    service_report::ServiceReportStatus,
);
