//! Whether an asset that an index lacks is still there.

/// Whether an asset is there, as its own service says, or the cloud's record of what was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The service has shown it.
    Present,
    /// The service knows no such thing.
    Gone,
    /// Nobody who could be asked knows the thing.
    Unknown,
}
