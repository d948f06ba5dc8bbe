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
        vec![Version::new(terms, Timestamp::UNIX_EPOCH)]
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
        let message = format!(
            "{} is in the store, and the measurements and terms that are kept give another one: it stays as it is",
            json_of(&folder)
        );
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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use caretaker_core::service_level::{LevelsPlace, RawDay, RawSeries, Spans, day::FORMAT};
    use caretaker_store::Store;
    use serde_json::json;

    use super::*;

    fn object(dry_run: bool, target: &str) -> ServiceReport {
        let objective = json!({"name": "web", "target": target, "uptime": {"source": "PublicAddresses"}});
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ServiceReport", "metadata": {"name": if dry_run { "trial" } else { "2026-11" }},
            "spec": {"month": "2026-11", "dryRun": dry_run, "terms": {"zone": "UTC", "objectives": [objective]}},
        }))
        .unwrap()
    }

    fn raw(number: i64) -> RawDay {
        let from = jiff::civil::date(2026, 11, 1).in_tz("UTC").unwrap().timestamp().as_second() + 86_400 * (number - 1);
        let whole = Spans::of(from, from + 86_400);
        let series = RawSeries {
            source: caretaker_api::service_level::UptimeSource::PublicAddresses,
            id: "203.0.113.7".into(),
            labels: BTreeMap::new(),
            measured: whole.clone(),
            up: whole,
            down: Spans::default(),
            stays: true,
        };
        RawDay { format: FORMAT.into(), day: format!("2026-11-{number:02}"), read_at: Timestamp::UNIX_EPOCH, series: vec![series] }
    }

    async fn filled() -> (Store, Levels, BTreeSet<String>) {
        let store = Store::in_memory();
        let levels = Levels::new(store.clone(), LevelsPlace { client: "acme".into(), uid: "u".into() });
        for number in 1..=29 {
            levels.keep_day(&raw(number)).await.unwrap();
        }
        let kept = levels.kept_days().await.unwrap();
        (store, levels, kept)
    }

    async fn make(levels: &Levels, object: &ServiceReport, kept: &BTreeSet<String>) -> Done {
        let gone = BTreeMap::from([("2026-11-30".to_owned(), "no answer".to_owned())]);
        let mut done = Done::default();
        report(levels, object, object.spec.terms.as_ref().unwrap(), (kept, &gone), &mut done).await.unwrap();
        done
    }

    /// An operator that died between the report and its status; a day that came after the report; terms and files that were changed.
    #[tokio::test]
    async fn a_report_is_made_once_known_again_and_never_replaced() {
        let (store, levels, mut kept) = filled().await;
        let object = object(false, "99");
        assert!(make(&levels, &object, &kept).await.had_no_terms, "nothing was agreed yet");
        levels.note_terms(object.spec.terms.as_ref().unwrap(), "2026-10-01T00:00:00Z".parse().unwrap()).await.unwrap();
        let (first, stored) = make(&levels, &object, &kept).await.made.unwrap();
        assert_eq!((first.days.len(), first.missing_days[0].reason.as_str()), (29, "no answer"));
        for file in ["report.json", "report.csv", "report.md", "report.html"] {
            assert!(levels.file(&format!("{}/{file}", stored.address)).await.unwrap().is_some(), "{file}");
        }
        assert_eq!(make(&levels, &object, &kept).await.made.unwrap().1, stored);
        levels.keep_day(&raw(30)).await.unwrap();
        kept.insert("2026-11-30".into());
        assert_eq!(make(&levels, &object, &kept).await.made.unwrap().1, stored, "a day that came later changes no report that was made");
        let address = json_of(&stored.address);
        let bytes = store.get(&address).await.unwrap();
        let forged = String::from_utf8(bytes.to_vec()).unwrap().replace("\"Undetermined\"", "\"Met\"");
        assert_ne!(forged.as_bytes(), &bytes[..]);
        store.put(&address, forged.clone().into()).await.unwrap();
        let done = make(&levels, &object, &kept).await;
        assert!(done.made.is_none() && done.conflict.unwrap().contains("stays as it is"));
        assert_eq!(store.get(&address).await.unwrap(), forged.into_bytes());
    }

    #[tokio::test]
    async fn a_trial_is_kept_apart_and_needs_no_terms_that_were_in_force() {
        let (_, levels, kept) = filled().await;
        let (made, stored) = make(&levels, &object(true, "90"), &kept).await.made.unwrap();
        assert!(made.dry_run && stored.address.contains("/dry-runs/trial/"), "{stored:?}");
        let (_, other) = make(&levels, &object(true, "99.9"), &kept).await.made.unwrap();
        assert_ne!(other.address, stored.address, "other terms, another trial");
        assert!(
            levels.versions().await.unwrap().is_empty()
                && !levels.everything().await.unwrap().iter().any(|address| address.contains("dry-runs"))
        );
    }
}
