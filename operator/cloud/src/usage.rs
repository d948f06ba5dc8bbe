//! What a reading used of its request budgets: plain data.

use std::time::Duration;

/// A budget whose cloud asked to wait.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeldKey {
    /// What the cloud counts, such as `aws/222222222222/eu-west-1`.
    pub key: String,
    /// How much of the wait is left.
    pub left: Duration,
}

/// What a reading used of its request budgets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls that were made, those to plan the cells included.
    pub calls: u64,
    /// Calls that the cloud answered with a request to wait.
    pub throttled: u64,
    /// Calls that may be made at the same time now: the least of all budgets that were used.
    pub concurrency: u32,
    /// Budgets that still wait because the cloud asked for it, the longest wait first.
    pub held: Vec<HeldKey>,
}
