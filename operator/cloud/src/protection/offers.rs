//! What each cloud's adapter can do for backups. Whoever asks for more is told so before anything is written.

use crate::asset::Cloud;

/// What the adapter of a cloud can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// Writes what makes backups each day, and puts it back; `None` where it writes nothing.
    pub plans: Option<Plans>,
    /// Reads recovery points, jobs, locks and what is switched off: without it nothing is said of protection.
    pub points: bool,
    /// Has the cloud restore a sample on a schedule.
    pub restores: bool,
}

/// How a cloud plans daily backups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plans {
    /// Whether a plan selects what has the tag by itself. Else it is attached to each disk, and a disk takes one.
    pub selects_by_tag: bool,
    /// Whether it begins at full hours only.
    pub on_the_hour: bool,
    /// Hours after its time within which a backup begins.
    pub begins_within: u8,
}

/// AWS Backup begins a job within 8 hours.
/// Source: <https://docs.aws.amazon.com/aws-backup/latest/devguide/creating-a-backup-plan.html>
const AWS: Plans = Plans { selects_by_tag: true, on_the_hour: false, begins_within: 8 };
/// A snapshot schedule of Compute Engine: one for each disk, from a full hour on, within that hour.
/// Source: <https://cloud.google.com/compute/docs/disks/about-snapshot-schedules>
const GCP: Plans = Plans { selects_by_tag: false, on_the_hour: true, begins_within: 1 };

impl Offers {
    /// Of a cloud.
    #[must_use]
    pub const fn of(cloud: Cloud) -> Self {
        match cloud {
            Cloud::Aws => Self { plans: Some(AWS), points: true, restores: true },
            Cloud::Gcp => Self { plans: Some(GCP), points: true, restores: false },
            Cloud::Azure => Self { plans: None, points: true, restores: false },
        }
    }
}
