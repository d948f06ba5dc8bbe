//! Points and jobs in the words of AWS, which the cloud in memory speaks as well.

use jiff::{SignedDuration, Timestamp};

use super::protection::hours_ago;
use crate::{BackupJob, JobState, PointState, RecoveryPoint};

fn vault(account: &str) -> String {
    format!("caretaker-suite-{account}")
}

pub(super) fn point(account: &str, region: &str, number: usize, (state, created): (PointState, Timestamp)) -> RecoveryPoint {
    RecoveryPoint {
        id: format!("arn:aws:backup:{region}:{account}:recovery-point:{number:08}"),
        region: region.into(),
        vault: vault(account),
        source: format!("arn:aws:ec2:{region}:{account}:volume/vol-{number:017x}"),
        state,
        created,
        deleted_at: Some(hours_ago(-24 * 30)),
        held_until: None,
        continuous: false,
        leaves_out: false,
        message: if state == PointState::Expired { "in use by ami-1".into() } else { String::new() },
    }
}

pub(super) fn job(account: &str, region: &str, number: usize, (state, created): (JobState, Timestamp)) -> BackupJob {
    BackupJob {
        id: format!("job-{number:08}"),
        region: region.into(),
        vault: vault(account),
        source: format!("arn:aws:ec2:{region}:{account}:volume/vol-{number:017x}"),
        state,
        created,
        ended: (state != JobState::UnderWay).then(|| created + SignedDuration::from_hours(1)),
        point: None,
        message: if state == JobState::Failed { "Insufficient privileges".into() } else { String::new() },
    }
}
