//! What each cloud's adapter can do for backups. Whoever asks for more is told so before anything is written.

use crate::asset::Cloud;

/// What the adapter of a cloud can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// Makes vault, plan and selection, and puts them back.
    pub plans: bool,
    /// Reads recovery points, jobs, locks and what is switched off: without it nothing is said of protection.
    pub points: bool,
    /// Has the cloud restore a sample on a schedule.
    pub restores: bool,
}

impl Offers {
    /// Of a cloud.
    #[must_use]
    pub const fn of(cloud: Cloud) -> Self {
        match cloud {
            Cloud::Aws => Self { plans: true, points: true, restores: true },
            Cloud::Azure | Cloud::Gcp => Self { plans: false, points: true, restores: false },
        }
    }
}
