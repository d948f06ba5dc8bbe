//! Units that are billed, in the store. The record of a day may be written anew while the day lasts; that of a month is never written again.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, BufWriter, Write};

use caretaker_core::billing::{Billed, DayUnits, MonthUnits, UnitsPlace};
use caretaker_core::digest::sha256_hex;
use tempfile::NamedTempFile;

use crate::inventory::LEVEL;
use crate::levels::{bytes, parse};
use crate::{Store, StoreError};

/// A client's units in the store.
#[derive(Clone, Debug)]
pub struct Units {
    store: Store,
    place: UnitsPlace,
}

/// The file with every covered asset of a day, while it is written.
pub struct Assets {
    file: NamedTempFile,
    encoder: zstd::Encoder<'static, BufWriter<std::fs::File>>,
}

impl Assets {
    /// An empty one.
    ///
    /// # Errors
    /// The local disk's.
    pub fn new() -> Result<Self, StoreError> {
        let file = NamedTempFile::new().map_err(local)?;
        let encoder = zstd::Encoder::new(BufWriter::new(file.reopen().map_err(local)?), LEVEL).map_err(local)?;
        Ok(Self { file, encoder })
    }

    /// Adds one line.
    ///
    /// # Errors
    /// The local disk's.
    pub fn add(&mut self, asset: &Billed) -> std::io::Result<()> {
        serde_json::to_writer(&mut self.encoder, asset)?;
        self.encoder.write_all(b"\n")
    }
}

fn local(error: std::io::Error) -> StoreError {
    StoreError::local("write billed units to a temporary file", error)
}

fn names(addresses: Vec<String>) -> BTreeSet<String> {
    let name = |address: String| address.rsplit('/').next().and_then(|file| file.strip_suffix(".json")).map(str::to_owned);
    addresses.into_iter().filter_map(name).collect()
}

impl Units {
    /// The units of a client.
    #[must_use]
    pub fn new(store: Store, place: UnitsPlace) -> Self {
        Self { store, place }
    }

    /// Where they are.
    #[must_use]
    pub fn place(&self) -> &UnitsPlace {
        &self.place
    }

    /// The days that have a record.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn days(&self) -> Result<BTreeSet<String>, StoreError> {
        Ok(names(self.store.list(&self.place.days()).await?))
    }

    /// The months that have a record.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn months(&self) -> Result<BTreeSet<String>, StoreError> {
        Ok(names(self.store.list(&self.place.months()).await?))
    }

    /// The record of a day.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn day(&self, day: &str) -> Result<DayUnits, StoreError> {
        let address = self.place.day(day);
        parse(&address, &self.store.get(&address).await?)
    }

    /// The record of a month, and the SHA-256 of its file.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn month(&self, month: &str) -> Result<(MonthUnits, String), StoreError> {
        let address = self.place.month(month);
        let bytes = self.store.get(&address).await?;
        Ok((parse(&address, &bytes)?, sha256_hex(&bytes)))
    }

    /// Keeps the record of a day with its assets. A complete one that stands there is not replaced by one that is not. Gives what stands there now, and its
    /// address.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn keep_day(&self, mut day: DayUnits, assets: Assets) -> Result<(DayUnits, String), StoreError> {
        let address = self.place.day(&day.day);
        let held = match self.store.get(&address).await {
            Ok(bytes) => parse::<DayUnits>(&address, &bytes).ok(),
            Err(StoreError::NotFound(_)) => None,
            Err(error) => return Err(error),
        };
        if let Some(held) = held.filter(|held| held.complete && !day.complete) {
            return Ok((held, address));
        }
        let Assets { file, encoder } = assets;
        encoder.finish().and_then(|mut writer| writer.flush()).map_err(local)?;
        day.assets_sha256 = caretaker_bundle::sha256_file(file.path()).map_err(local)?;
        day.assets = self.place.assets(&day.assets_sha256);
        if self.store.size(&day.assets).await?.is_none() {
            self.store.put_file(&day.assets, file.path()).await?;
        }
        self.store.put(&address, bytes(&day)).await?;
        Ok((day, address))
    }

    /// Fixes a month. Where a record stands, it stays. Gives what stands there now, and the SHA-256 of its file.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn fix_month(&self, month: &MonthUnits) -> Result<(MonthUnits, String), StoreError> {
        self.store.create(&self.place.month(&month.month), bytes(month)).await?;
        self.month(&month.month).await
    }

    /// Gives every asset behind a day's units.
    ///
    /// # Errors
    /// The store's answer, [`StoreError::Damaged`] where the bytes are others than those that were stored, the local disk's or the receiver's.
    pub async fn assets(&self, day: &DayUnits, mut take: impl FnMut(Billed) -> std::io::Result<()>) -> Result<(), StoreError> {
        let file = NamedTempFile::new().map_err(local)?;
        self.store.get_file(&day.assets, file.path()).await?;
        let damaged = || StoreError::Damaged(day.assets.clone());
        if caretaker_bundle::sha256_file(file.path()).map_err(local)? != day.assets_sha256 {
            return Err(damaged());
        }
        let decoder = zstd::Decoder::new(std::fs::File::open(file.path()).map_err(local)?).map_err(local)?;
        for line in BufReader::new(decoder).lines() {
            take(serde_json::from_str(&line.map_err(local)?).map_err(|_| damaged())?).map_err(local)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use caretaker_core::billing::{Counter, close};
    use caretaker_core::service_level::{LevelsPlace, Month};
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn units() -> Units {
        Units::new(Store::in_memory(), UnitsPlace(LevelsPlace { client: "acme".into(), uid: "u".into() }))
    }

    fn day(name: &str, second: i64, complete: bool) -> DayUnits {
        let units = json!([{"name": "server", "model": "Flat", "quantity": 2}]);
        let terms = serde_json::from_value(json!({"zone": "UTC", "units": units})).unwrap();
        DayUnits { complete, ..Counter::new(&terms).day(name, Timestamp::from_second(second).unwrap()) }
    }

    fn asset(id: &str) -> Billed {
        let of = |text: &str| text.to_owned();
        let (unit, account, account_id) = (of("server"), of("prod"), of("222222222222"));
        let (kind, native_type, region, layer) = (of("instance"), of("AWS::EC2::Instance"), of("eu-west-1"), of("IaaS"));
        Billed { unit, account, account_id, id: of(id), kind, native_type, region, layer }
    }

    async fn keep(units: &Units, day: DayUnits, ids: &[&str]) -> DayUnits {
        let mut assets = Assets::new().unwrap();
        ids.iter().for_each(|id| assets.add(&asset(id)).unwrap());
        units.keep_day(day, assets).await.unwrap().0
    }

    #[tokio::test]
    async fn a_complete_count_of_a_day_is_not_replaced_by_one_that_is_not() {
        let units = units();
        for (second, complete, expected) in [(1, false, 1), (2, true, 2), (3, false, 2), (4, true, 4)] {
            let kept = keep(&units, day("2026-11-03", second, complete), &["i-1"]).await;
            assert_eq!(kept.counted_at.as_second(), expected, "{second}");
            assert_eq!(units.day("2026-11-03").await.unwrap(), kept);
        }
        assert_eq!(units.days().await.unwrap(), BTreeSet::from(["2026-11-03".to_owned()]));
    }

    #[tokio::test]
    async fn the_assets_of_a_day_come_back_and_equal_days_share_them() {
        let units = units();
        let one = keep(&units, day("2026-11-03", 1, true), &["i-1", "i-2"]).await;
        let other = keep(&units, day("2026-11-04", 2, true), &["i-1", "i-2"]).await;
        assert_eq!(one.assets, other.assets);
        let mut ids = Vec::new();
        let read = units.assets(&one, |asset| {
            ids.push(asset.id);
            Ok(())
        });
        read.await.unwrap();
        assert_eq!(ids, ["i-1", "i-2"]);
        units.store.put(&one.assets, bytes(&"other")).await.unwrap();
        assert!(matches!(units.assets(&one, |_| Ok(())).await, Err(StoreError::Damaged(_))), "other bytes are told");
    }

    #[tokio::test]
    async fn a_month_that_is_fixed_is_never_written_again() {
        let units = units();
        let month =
            |second| close(Month::parse("2026-11").unwrap(), &[day("2026-11-03", 1, true)], Timestamp::from_second(second).unwrap());
        let (first, digest) = units.fix_month(&month(1).unwrap()).await.unwrap();
        let (second, same) = units.fix_month(&month(2).unwrap()).await.unwrap();
        assert_eq!((first.fixed_at, &digest), (second.fixed_at, &same), "the first one stands");
        assert_eq!(units.months().await.unwrap(), BTreeSet::from(["2026-11".to_owned()]));
    }
}
