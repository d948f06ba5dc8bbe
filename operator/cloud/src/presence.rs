//! Whether an asset that an index lacks is still there.

/// Whether an asset is there, as its own service says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The service has shown it.
    Present,
    /// The service knows no such thing.
    Gone,
    /// How to ask the service is not known.
    Unknown,
}
