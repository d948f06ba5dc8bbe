//! Where a client's units are in the store: with the months' service levels, so that they leave and are erased with them.

use crate::service_level::LevelsPlace;

/// A client's units. Another client of the same name has another folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitsPlace(pub LevelsPlace);

impl UnitsPlace {
    /// The folder.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("{}/units", self.0.folder())
    }

    /// Folder of the days.
    #[must_use]
    pub fn days(&self) -> String {
        format!("{}/days", self.folder())
    }

    /// The record of a day such as `2026-11-03`.
    #[must_use]
    pub fn day(&self, day: &str) -> String {
        format!("{}/{day}.json", self.days())
    }

    /// Folder of the months.
    #[must_use]
    pub fn months(&self) -> String {
        format!("{}/months", self.folder())
    }

    /// The record of a month such as `2026-11`.
    #[must_use]
    pub fn month(&self, month: &str) -> String {
        format!("{}/{month}.json", self.months())
    }

    /// The assets behind units, by the digest of the file: days on which they are the same share it.
    #[must_use]
    pub fn assets(&self, digest: &str) -> String {
        format!("{}/assets/{digest}.ndjson.zst", self.folder())
    }
}
