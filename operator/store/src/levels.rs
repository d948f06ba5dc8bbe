//! Measurements, terms and reports of service levels in the store. What stands there is never written again.

use std::collections::BTreeSet;

use bytes::Bytes;
use caretaker_api::service_level::ServiceLevelTerms;
use caretaker_core::digest::sha256_hex;
use caretaker_core::service_level::{LevelsPlace, RawDay, Version};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Store, StoreError};

/// A client's service levels in the store.
#[derive(Clone, Debug)]
pub struct Levels {
    store: Store,
    place: LevelsPlace,
}

/// What came of writing something that may stand there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It was written, or the same bytes stood there.
    Same,
    /// Other bytes stand there, and stay.
    Other,
}

impl Levels {
    /// The service levels of a client.
    #[must_use]
    pub fn new(store: Store, place: LevelsPlace) -> Self {
        Self { store, place }
    }

    /// Where they are.
    #[must_use]
    pub fn place(&self) -> &LevelsPlace {
        &self.place
    }

    /// The UTC days whose measurements are kept.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn kept_days(&self) -> Result<BTreeSet<String>, StoreError> {
        let name = |address: String| address.rsplit('/').next().and_then(|file| file.strip_suffix(".json")).map(str::to_owned);
        Ok(self.store.list(&self.place.days()).await?.into_iter().filter_map(name).collect())
    }

    /// The measurements of a day, and the SHA-256 of their file.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn day(&self, day: &str) -> Result<(RawDay, String), StoreError> {
        let address = self.place.day(day);
        let bytes = self.store.get(&address).await?;
        Ok((parse(&address, &bytes)?, sha256_hex(&bytes)))
    }

    /// Keeps the measurements of a day. Where another process was first, its measurements stay.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn keep_day(&self, day: &RawDay) -> Result<(), StoreError> {
        self.store.create(&self.place.day(&day.day), line(day)).await.map(drop)
    }

    /// The versions of the terms, in order.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn versions(&self) -> Result<Vec<Version>, StoreError> {
        let mut versions = Vec::new();
        for address in self.store.list(&self.place.terms()).await? {
            versions.push(parse(&address, &self.store.get(&address).await?)?);
        }
        Ok(versions)
    }

    /// Notes terms that differ from the last version as a new one, in force from now on. Gives all versions.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn note_terms(&self, terms: &ServiceLevelTerms, now: Timestamp) -> Result<Vec<Version>, StoreError> {
        let mut versions = self.versions().await?;
        let version = Version::new(terms, now);
        if versions.last().is_some_and(|last| last.digest == version.digest) {
            return Ok(versions);
        }
        if !self.store.create(&self.place.version(versions.len() + 1), bytes(&version)).await? {
            return self.versions().await;
        }
        versions.push(version);
        Ok(versions)
    }

    /// A file of a report; `None` where it is not there.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn file(&self, address: &str) -> Result<Option<Bytes>, StoreError> {
        match self.store.get(address).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a file of a report where none stands.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn keep_file(&self, address: &str, content: Bytes) -> Result<Kept, StoreError> {
        if self.store.create(address, content.clone()).await? || self.store.get(address).await? == content {
            return Ok(Kept::Same);
        }
        Ok(Kept::Other)
    }

    /// Addresses of everything of the client's service levels but dry runs.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn everything(&self) -> Result<Vec<String>, StoreError> {
        let dry = format!("{}/dry-runs/", self.place.folder());
        Ok(self.store.list(&self.place.folder()).await?.into_iter().filter(|address| !address.starts_with(&dry)).collect())
    }
}

/// As it stands in a file: readable, with an end of line.
///
/// # Panics
/// Never: what is kept is made of structs with texts as keys, which are always JSON.
pub fn bytes<T: Serialize>(value: &T) -> Bytes {
    let mut text = serde_json::to_vec_pretty(value).expect("a struct with texts as keys is JSON");
    text.push(b'\n');
    text.into()
}

/// The same on one line: measurements are many.
fn line<T: Serialize>(value: &T) -> Bytes {
    let mut text = serde_json::to_vec(value).expect("a struct with texts as keys is JSON");
    text.push(b'\n');
    text.into()
}

pub(crate) fn parse<T: DeserializeOwned>(address: &str, bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| StoreError::Damaged(format!("{address}: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn levels() -> Levels {
        Levels::new(Store::in_memory(), LevelsPlace { client: "acme".into(), uid: "u".into() })
    }

    fn terms(target: &str) -> ServiceLevelTerms {
        let objectives = json!([{"name": "web", "target": target, "uptime": {"source": "Machines"}}]);
        serde_json::from_value(json!({"zone": "UTC", "objectives": objectives})).unwrap()
    }

    #[tokio::test]
    async fn a_version_is_noted_once_and_a_change_is_another_one() {
        let levels = levels();
        let at = |second| Timestamp::from_second(second).unwrap();
        for (target, second, expected) in [("99", 1, 1), ("99", 2, 1), ("99.9", 3, 2), ("99", 4, 3)] {
            assert_eq!(levels.note_terms(&terms(target), at(second)).await.unwrap().len(), expected, "{second}");
        }
        let since: Vec<i64> = levels.versions().await.unwrap().iter().map(|version| version.since.as_second()).collect();
        assert_eq!(since, [1, 3, 4]);
    }

    #[tokio::test]
    async fn what_is_kept_stays_as_it_was_first() {
        let levels = levels();
        let day = |read_at| RawDay { format: "f".into(), day: "2026-11-03".into(), read_at, series: Vec::new() };
        levels.keep_day(&day(Timestamp::UNIX_EPOCH)).await.unwrap();
        levels.keep_day(&day(Timestamp::MAX)).await.unwrap();
        assert_eq!(levels.day("2026-11-03").await.unwrap().0.read_at, Timestamp::UNIX_EPOCH);
        assert_eq!(levels.kept_days().await.unwrap(), BTreeSet::from(["2026-11-03".to_owned()]));
        let file = format!("{}/report.json", levels.place().report("2026-11"));
        let keep = async |text: &'static str| levels.keep_file(&file, Bytes::from_static(text.as_bytes())).await.unwrap();
        assert_eq!((keep("one").await, keep("one").await, keep("two").await), (Kept::Same, Kept::Same, Kept::Other));
        assert_eq!(levels.file(&file).await.unwrap(), Some(Bytes::from_static(b"one")));
    }
}
