//! Makes a report of what is kept, writes it once, and knows its own report again.

use bytes::Bytes;
use caretaker_api::ServiceReport;
use caretaker_api::service_level::ServiceLevelTerms;
use caretaker_api::service_report::StoredReport;
use caretaker_core::digest::{json_digest, sha256_hex};
use caretaker_core::service_level::{Inputs, Month, Report, Version, days, report::period};
use caretaker_core::service_report::Done;
use caretaker_documents::service_report as documents;
use caretaker_engine::Failure;
use caretaker_store::levels::{Kept, Levels, bytes};
use jiff::Timestamp;
use kube::ResourceExt;

use super::Days;

/// The file that a report is, whatever else is written of it.
pub fn json_of(folder: &str) -> String {
    format!("{folder}/report.json")
}

/// Makes the report. One that stands in the store already is this one if its own inputs give its bytes; else it stays, and that is told.
pub async fn report(
    levels: &Levels,
    object: &ServiceReport,
    terms: &ServiceLevelTerms,
    (kept, gone): Days<'_>,
    done: &mut Done,
) -> Result<(), Failure> {
    let Some(month) = Month::parse(&object.spec.month) else { return Ok(()) };
    let versions = if object.spec.dry_run {
        vec![Version::new(terms, Timestamp::MIN)]
    } else {
        levels.versions().await.map_err(Failure::store)?
    };
    let Some((_, span)) = period(&versions, month) else {
        done.had_no_terms = true;
        return Ok(());
    };
    let folder = levels.place().report(&object.spec.month);
    let held = match object.spec.dry_run {
        false => levels.file(&json_of(&folder)).await.map_err(Failure::store)?,
        true => None,
    };
    let listed: Option<Report> = held.as_ref().and_then(|held| serde_json::from_slice(held).ok());
    let named: Vec<String> = match &listed {
        Some(listed) => listed.days.iter().map(|day| day.day.clone()).collect(),
        None => days(span).iter().map(ToString::to_string).filter(|day| kept.contains(day)).collect(),
    };
    let reasons = listed.iter().flat_map(|listed| &listed.missing_days).map(|day| (day.day.clone(), day.reason.clone()));
    let missing = if listed.is_some() { reasons.collect() } else { gone.clone() };
    let mut read = Vec::new();
    for day in &named {
        read.push(levels.day(day).await.map_err(Failure::store)?);
    }
    let client = levels.place().client.clone();
    let inputs = Inputs { client: &client, month, dry_run: object.spec.dry_run, versions: &versions, days: &read, missing: &missing };
    let Some(made) = caretaker_core::service_level::report(&inputs) else {
        done.had_no_terms = true;
        return Ok(());
    };
    let json = bytes(&made);
    if held.is_some_and(|held| held != json) {
        let message = format!("{} is in the store, and the measurements and terms that are kept give another one: it stays as it is", json_of(&folder));
        done.conflict = Some(message);
        return Ok(());
    }
    let folder = if object.spec.dry_run { levels.place().dry_run(&object.name_any(), &json_digest(&made)) } else { folder };
    match write(levels, &folder, &made, json).await? {
        Some(stored) => done.made = Some((Box::new(made), stored)),
        None => done.conflict = Some(format!("{} was written by somebody else meanwhile: it stays as it is", json_of(&folder))),
    }
    Ok(())
}

/// Writes all files; `report.json` last, since it says that all are there. What people read may have been written by another release.
async fn write(levels: &Levels, folder: &str, made: &Report, json: Bytes) -> Result<Option<StoredReport>, Failure> {
    for (name, text) in documents::files(made) {
        levels.keep_file(&format!("{folder}/{name}"), text.into()).await.map_err(Failure::store)?;
    }
    let sha256 = sha256_hex(&json);
    let kept = levels.keep_file(&json_of(folder), json).await.map_err(Failure::store)?;
    Ok((kept == Kept::Same).then(|| StoredReport { address: folder.to_owned(), sha256 }))
}
