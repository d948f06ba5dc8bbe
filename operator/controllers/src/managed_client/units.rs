//! Counts what a client is billed for, out of the inventories in the store, and fixes months that are over.

use caretaker_api::ManagedClient;
use caretaker_api::billing::BilledMonth;
use caretaker_core::billing::{Counted, Counter, DayUnits, Due, UnitsPlace, close, counted, status_units, to_close};
use caretaker_core::cloud_account::named;
use caretaker_core::inventory::address::BUCKETS;
use caretaker_core::service_level::LevelsPlace;
use caretaker_store::inventory::Reader;
use caretaker_store::units::{Assets, Units};
use caretaker_store::{Store, StoreError};
use jiff::Timestamp;
use kube::ResourceExt;

use crate::context::Context;

/// Counts and fixes what is due. A store that does not answer keeps nothing else of the visit from being done, and is told; nor does a month that cannot be fixed,
/// such as for the damaged record of one day, keep today from being counted.
pub async fn act(ctx: &Context, client: &ManagedClient, due: &Due) -> Counted {
    let place = UnitsPlace(LevelsPlace { client: client.name_any(), uid: client.uid().unwrap_or_default() });
    let (units, mut done) = (Units::new(ctx.store.clone(), place), Counted::default());
    if due.fixes {
        match fix(&units, due, ctx.now(), &mut done.months).await {
            Ok(()) => done.has_fixed = true,
            Err(error) => done.problem = Some(format!("a month that is over cannot be fixed: {error}")),
        }
    }
    if due.counts {
        match keep(&ctx.store, (&units, due), ctx.now()).await {
            Ok(kept) => done.day = Some(kept),
            Err(error) => done.problem = Some(error.to_string()),
        }
    }
    done
}

async fn fix(units: &Units, due: &Due, now: Timestamp, fixed: &mut Vec<BilledMonth>) -> Result<(), StoreError> {
    let held = units.days().await?;
    for month in to_close(&held, &units.months().await?, due.present) {
        let mut days: Vec<DayUnits> = Vec::new();
        for day in held.iter().filter(|day| day.starts_with(&month.text())) {
            days.push(units.day(day).await?);
        }
        let Some(record) = close(month, &days, now) else { continue };
        let (record, sha256) = units.fix_month(&record).await?;
        fixed.push(BilledMonth {
            address: units.place().month(&record.month),
            month: record.month,
            state: record.state,
            units: status_units(&record.billed.units),
            day: record.billed.day,
            sha256,
        });
    }
    Ok(())
}

async fn keep(store: &Store, (units, due): (&Units, &Due), now: Timestamp) -> Result<(DayUnits, String), StoreError> {
    let (day, assets) = count(store, due, now).await?;
    units.keep_day(day, assets).await
}

/// Counts the day. What the store has lost of an inventory is told as a gap, and one shard is in memory at a time.
async fn count(store: &Store, due: &Due, now: Timestamp) -> Result<(DayUnits, Assets), StoreError> {
    let (mut counter, mut assets) = (Counter::new(&due.terms), Assets::new()?);
    for (name, why) in &due.unknown {
        counter.spoil_account(name, why);
    }
    for (account, wrong) in &due.accounts {
        counter.account(counted(account), wrong.as_deref());
        let Some(inventory) = account.status.as_ref().and_then(|status| status.inventory.as_ref()) else { continue };
        let (name, named) = (account.name_any(), named(account));
        let read = async {
            let mut reader = Reader::open(store, inventory).await?;
            reader.cells().iter().for_each(|cell| counter.cell(&named, cell));
            for bucket in 0..BUCKETS {
                for line in reader.bucket(bucket).await? {
                    if let Some(billed) = counter.take((&name, &named), &line) {
                        assets.add(&billed).map_err(|error| StoreError::local("write billed units to a temporary file", error))?;
                    }
                }
            }
            Ok(())
        };
        match read.await {
            Ok(()) => {}
            Err(error) if StoreError::is_loss(&error) => counter.spoil_account(&name, &format!("its inventory is lost: {error}")),
            Err(error) => return Err(error),
        }
    }
    Ok((counter.day(&due.day, now), assets))
}
