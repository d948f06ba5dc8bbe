//! The head that the statuses of all kinds share.

use crate::condition::Conditions;

/// The part of a status that all kinds share: the conditions, the generation that they speak of and the request that was handled last.
pub trait CommonStatus: Clone + Default + PartialEq + serde::Serialize + Send + Sync {
    /// The conditions.
    fn conditions(&self) -> &Conditions;
    /// The conditions, to be replaced.
    fn conditions_mut(&mut self) -> &mut Conditions;
    /// Notes which generation the status speaks of and which request was handled.
    fn stamp(&mut self, generation: Option<i64>, request: Option<String>);
}

/// Implements [`CommonStatus`] for a status whose fields have the usual names.
#[macro_export]
macro_rules! common_status {
    ($status:ty) => {
        impl $crate::status::CommonStatus for $status {
            fn conditions(&self) -> &$crate::condition::Conditions {
                &self.conditions
            }
            fn conditions_mut(&mut self) -> &mut $crate::condition::Conditions {
                &mut self.conditions
            }
            fn stamp(&mut self, generation: Option<i64>, request: Option<String>) {
                self.observed_generation = generation;
                if request.is_some() {
                    self.last_handled_request = request;
                }
            }
        }
    };
}
