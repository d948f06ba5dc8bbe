//! Power states of machines, in words that fit all clouds.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Cloud;

/// Whether a machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    /// It runs.
    Running,
    /// It is being started, or repaired by its cloud.
    Starting,
    /// It is being stopped.
    Stopping,
    /// It is switched off or put to sleep. Its disks stay.
    Stopped,
    /// It is being deleted, or it is deleted and its cloud still shows it.
    Gone,
    /// The cloud did not say, or said a word that nobody knows here.
    Unknown,
}

/// States of EC2's machines.
/// Source: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceState.html>
const AWS: [(&str, Power); 6] = [
    ("pending", Power::Starting),
    ("running", Power::Running),
    ("shutting-down", Power::Gone),
    ("stopped", Power::Stopped),
    ("stopping", Power::Stopping),
    ("terminated", Power::Gone),
];
/// Power states of Azure's machines, without `PowerState/`.
/// Source: <https://learn.microsoft.com/azure/virtual-machines/states-billing>
const AZURE: [(&str, Power); 6] = [
    ("deallocated", Power::Stopped),
    ("deallocating", Power::Stopping),
    ("running", Power::Running),
    ("starting", Power::Starting),
    ("stopped", Power::Stopped),
    ("stopping", Power::Stopping),
];
/// States of Compute Engine's machines. `TERMINATED` is a machine that was stopped, and can be started again.
/// Source: <https://cloud.google.com/compute/docs/instances/instance-lifecycle>
const GCP: [(&str, Power); 12] = [
    ("deprovisioning", Power::Gone),
    ("pending", Power::Starting),
    ("pending_stop", Power::Stopping),
    ("provisioning", Power::Starting),
    ("repairing", Power::Starting),
    ("running", Power::Running),
    ("staging", Power::Starting),
    ("stopped", Power::Stopped),
    ("stopping", Power::Stopping),
    ("suspended", Power::Stopped),
    ("suspending", Power::Stopping),
    ("terminated", Power::Stopped),
];

impl Power {
    /// The power state that a cloud's own word means, whatever its letter case.
    #[must_use]
    pub fn of(cloud: Cloud, word: &str) -> Self {
        let words: &[(&str, Self)] = match cloud {
            Cloud::Aws => &AWS,
            Cloud::Azure => &AZURE,
            Cloud::Gcp => &GCP,
        };
        words.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map_or(Self::Unknown, |(_, power)| *power)
    }

    /// The word in the inventory.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Gone => "gone",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_means_what_its_own_cloud_means_by_it() {
        for (cloud, word, power, why) in [
            (Cloud::Aws, "running", Power::Running, "it runs"),
            (Cloud::Aws, "terminated", Power::Gone, "AWS shows a deleted machine for an hour"),
            (Cloud::Aws, "shutting-down", Power::Gone, "it is being deleted"),
            (Cloud::Gcp, "TERMINATED", Power::Stopped, "on Google Cloud that is a machine which was stopped"),
            (Cloud::Gcp, "RUNNING", Power::Running, "letter case says nothing"),
            (Cloud::Gcp, "SUSPENDED", Power::Stopped, "it sleeps"),
            (Cloud::Azure, "deallocated", Power::Stopped, "it is stopped and costs nothing"),
            (Cloud::Azure, "succeeded", Power::Unknown, "the state of a deployment is no power state"),
            (Cloud::Azure, "", Power::Unknown, "nothing was said"),
            (Cloud::Aws, "deallocated", Power::Unknown, "another cloud's word"),
        ] {
            assert_eq!(Power::of(cloud, word), power, "{why}");
        }
    }

    #[test]
    fn the_word_is_the_one_that_is_stored() {
        for power in [Power::Running, Power::Starting, Power::Stopping, Power::Stopped, Power::Gone, Power::Unknown] {
            assert_eq!(serde_json::to_value(power).unwrap(), power.as_str());
        }
    }
}
