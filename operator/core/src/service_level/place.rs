//! Where a client's measurements, terms and reports are in the store.

/// A client's folder. Another client of the same name has another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelsPlace {
    /// Name of the client.
    pub client: String,
    /// UID of its ManagedClient.
    pub uid: String,
}

impl LevelsPlace {
    /// The folder.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("clients/{}/service-levels/{}", self.client, self.uid)
    }

    /// The measurements of a UTC day such as `2026-11-03`.
    #[must_use]
    pub fn day(&self, day: &str) -> String {
        format!("{}/days/{day}.json", self.folder())
    }

    /// Folder of all measurements.
    #[must_use]
    pub fn days(&self) -> String {
        format!("{}/days", self.folder())
    }

    /// Folder of the versions of the terms.
    #[must_use]
    pub fn terms(&self) -> String {
        format!("{}/terms", self.folder())
    }

    /// A version of the terms, from 1.
    #[must_use]
    pub fn version(&self, number: usize) -> String {
        format!("{}/{number:06}.json", self.terms())
    }

    /// Folder of a month's report.
    #[must_use]
    pub fn report(&self, month: &str) -> String {
        format!("{}/reports/{month}", self.folder())
    }

    /// Folder of a dry run. Its name holds what it is made of, so that one that says something else stands elsewhere.
    #[must_use]
    pub fn dry_run(&self, name: &str, digest: &str) -> String {
        format!("{}/dry-runs/{name}/{}", self.folder(), digest.get(..16).unwrap_or(digest))
    }
}
