//! Records of incidents in the store. What stands there is never written again.

use bytes::Bytes;
use caretaker_api::incident::StoredIncident;
use caretaker_core::digest::sha256_hex;
use caretaker_core::incident::{IncidentsPlace, Record};

use crate::{Store, StoreError};

/// A client's incidents in the store.
#[derive(Clone, Debug)]
pub struct Incidents {
    store: Store,
    place: IncidentsPlace,
}

impl Incidents {
    /// The incidents of a client.
    #[must_use]
    pub fn new(store: Store, place: IncidentsPlace) -> Self {
        Self { store, place }
    }

    /// Keeps the record of an incident that is closed. Where one stands already it stays, and is the one.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn keep(&self, file: &str, record: &Record) -> Result<StoredIncident, StoreError> {
        let address = self.place.record(file);
        let mut bytes = Bytes::from(record.bytes());
        if !self.store.create(&address, bytes.clone()).await? {
            bytes = self.store.get(&address).await?;
        }
        Ok(StoredIncident { sha256: sha256_hex(&bytes), address })
    }

    /// The last records by the time at which their incidents began, at most so many. One that is damaged is left out: no new outage waits for its cure.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn last(&self, most: usize) -> Result<Vec<Record>, StoreError> {
        let mut addresses = self.store.list(&self.place.closed()).await?;
        addresses.sort();
        let mut records = Vec::new();
        for address in addresses.iter().rev().take(most) {
            match self.store.get(address).await {
                Ok(bytes) => records.extend(serde_json::from_slice::<Record>(&bytes).ok()),
                Err(error) if error.is_loss() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(records)
    }

    /// Addresses of all records.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn everything(&self) -> Result<Vec<String>, StoreError> {
        self.store.list(&self.place.folder()).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(number: u32, state: &str) -> Record {
        let incident = json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "Incident", "metadata": {"name": format!("down-{number}")},
            "spec": {"alert": "InstanceDown", "openedAt": format!("2026-11-{number:02}T00:00:00Z")}, "status": {"state": state},
        });
        Record::of("acme", &serde_json::from_value(incident).unwrap())
    }

    #[tokio::test]
    async fn a_record_is_written_once_and_the_last_ones_are_found() {
        let incidents = Incidents::new(Store::in_memory(), IncidentsPlace { client: "acme".into(), uid: "u".into() });
        let first = incidents.keep("20261101-a.json", &record(1, "Closed")).await.unwrap();
        assert_eq!(incidents.keep("20261101-a.json", &record(1, "Opened")).await.unwrap(), first, "what stands there stays");
        for number in 2..5 {
            incidents.keep(&format!("202611{number:02}-a.json"), &record(number, "Closed")).await.unwrap();
        }
        let last: Vec<String> = incidents.last(2).await.unwrap().into_iter().map(|record| record.name).collect();
        assert_eq!(last, ["down-4", "down-3"]);
        assert_eq!(incidents.last(9).await.unwrap()[3], record(1, "Closed"));
        assert_eq!(incidents.everything().await.unwrap().len(), 4);
    }
}
