//! Where a client's incidents are in the store.

/// A client's folder. Another client of the same name has another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentsPlace {
    /// Name of the client.
    pub client: String,
    /// UID of its ManagedClient.
    pub uid: String,
}

impl IncidentsPlace {
    /// The folder.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("clients/{}/incidents/{}", self.client, self.uid)
    }

    /// Folder of the incidents that are closed.
    #[must_use]
    pub fn closed(&self) -> String {
        format!("{}/closed", self.folder())
    }

    /// The record of an incident that is closed.
    #[must_use]
    pub fn record(&self, file: &str) -> String {
        format!("{}/{file}", self.closed())
    }
}
