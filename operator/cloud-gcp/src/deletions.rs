//! The record that Cloud Asset keeps of each asset for 35 days, deletions among it: <https://cloud.google.com/asset-inventory/docs/view-asset-history>. Unlike
//! the search, which merely shows no more what is gone, it says so. It may miss a change, so only a deletion counts, and only one after the asset was seen.

use caretaker_cloud::{Asset, CloudError, ErrorClass, Result};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::call::HISTORY;
use crate::call::http::{Call, url};
use crate::session::{Reach, Session};

/// Assets in one question. Google takes 100, but their names stand in the address.
const MOST: usize = 25;
/// How far back is asked for: Google keeps 35 days and refuses to be asked for more.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 34);
/// The search may show an asset for a while after it was deleted.
const LAG: SignedDuration = SignedDuration::from_hours(24);
/// What is asked for: whether it was deleted and when, and nothing of what the asset holds.
const FIELDS: &str = "assets(window,deleted,asset(name))";

/// Which of these were deleted after they were seen, in their order.
pub async fn deleted(session: &Session, assets: &[&Asset]) -> Result<Vec<bool>> {
    let now = Timestamp::now();
    let mut gone = vec![false; assets.len()];
    let kept: Vec<usize> = (0..assets.len()).filter(|index| assets[*index].seen_at > now - KEPT).collect();
    let mut parts: Vec<Vec<usize>> = kept.chunks(MOST).map(<[usize]>::to_vec).collect();
    while let Some(part) = parts.pop() {
        let asked: Vec<&Asset> = part.iter().map(|index| assets[*index]).collect();
        match ask(session, &asked, now).await {
            Ok(answer) => {
                for index in part {
                    gone[index] = is_deleted(&answer, assets[index])?;
                }
            }
            // So Google answers where the record has never held one of the names: no word on it, and none yet on the others.
            Err(CloudError { class: ErrorClass::Invalid | ErrorClass::NotFound, .. }) if part.len() > 1 => {
                let (some, others) = part.split_at(part.len() / 2);
                parts.extend([some.to_vec(), others.to_vec()]);
            }
            Err(CloudError { class: ErrorClass::Invalid | ErrorClass::NotFound, .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(gone)
}

async fn ask(session: &Session, assets: &[&Asset], now: Timestamp) -> Result<Value> {
    let base = &session.shared.services.endpoints.cloud_asset;
    let path = format!("/v1/projects/{}:batchGetAssetsHistory", session.grant.project_id);
    let oldest = assets.iter().map(|asset| asset.seen_at).min().unwrap_or(now);
    let since = since(oldest, now).to_string();
    let mut query = vec![("contentType", "RESOURCE"), ("readTimeWindow.startTime", &*since), ("fields", FIELDS)];
    query.extend(assets.iter().map(|asset| ("assetNames", &*asset.id)));
    session.call(HISTORY, Reach::Full, url(base, &path, &query)?, Call::default()).await
}

/// From when on the record is read.
fn since(seen_at: Timestamp, now: Timestamp) -> Timestamp {
    (seen_at - LAG).max(now - KEPT)
}

/// Whether the last word of the record on an asset is its deletion, of a time when it may have been seen for the last time.
fn is_deleted(answer: &Value, asset: &Asset) -> Result<bool> {
    let mut last: Option<(Timestamp, bool)> = None;
    for entry in answer["assets"].as_array().into_iter().flatten().filter(|entry| entry["asset"]["name"] == asset.id.as_str()) {
        let began = entry["window"]["startTime"].as_str().and_then(|text| text.parse().ok());
        let unclear = || CloudError::new(ErrorClass::Unreachable, HISTORY, "an entry of the answer does not say when it began");
        let began = began.ok_or_else(unclear)?;
        let is_deleted = entry["deleted"] == true;
        // Where two begin at once, nothing is taken for gone.
        last = match last {
            Some((time, _)) if time > began => last,
            Some((time, before)) if time == began => Some((time, before && is_deleted)),
            _ => Some((began, is_deleted)),
        };
    }
    // What was seen after its deletion was made again, whether or not the record knows.
    Ok(last.is_some_and(|(began, is_deleted)| is_deleted && began >= asset.seen_at - LAG))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(name: &str, began: &str, deleted: bool) -> Value {
        json!({"asset": {"name": name}, "window": {"startTime": began}, "deleted": deleted})
    }

    fn seen(at: &str) -> Asset {
        let asset = json!({
            "id": "a", "cloud": "gcp", "account": "p", "region": "global", "type": "other", "service": "s", "source": "", "seenAt": at,
        });
        serde_json::from_value(asset).unwrap()
    }

    #[test]
    fn the_last_entry_decides_whatever_their_order() {
        let of = |entries: &[Value]| is_deleted(&json!({"assets": entries}), &seen("2026-01-02T08:00:00Z")).unwrap();
        let (made, deleted) = (entry("a", "2026-01-01T00:00:00Z", false), entry("a", "2026-01-02T00:00:00Z", true));
        let again = entry("a", "2026-01-03T00:00:00Z", false);
        assert!(of(&[made.clone(), deleted.clone()]) && of(&[deleted.clone(), made.clone()]));
        assert!(!of(&[made.clone(), again, deleted.clone()]), "it was made again");
        assert!(!of(&[deleted.clone(), entry("a", "2026-01-02T00:00:00Z", false)]), "two words of one time");
        assert!(!of(std::slice::from_ref(&made)), "it is there");
        assert!(!of(&[json!({"asset": {"name": "a"}, "window": {"startTime": "2026-01-02T00:00:00Z"}})]), "it is not said to be deleted");
        assert!(!of(&[entry("b", "2026-01-02T00:00:00Z", true)]), "another asset");
        assert!(!of(&[]));
        let untimed = json!({"assets": [{"asset": {"name": "a"}, "deleted": true}]});
        assert!(is_deleted(&untimed, &seen("2026-01-02T08:00:00Z")).is_err(), "no time, no word");
    }

    #[test]
    fn what_was_seen_long_after_its_deletion_was_made_again() {
        let of = |at: &str| is_deleted(&json!({"assets": [entry("a", "2026-01-02T00:00:00Z", true)]}), &seen(at)).unwrap();
        assert!(of("2026-01-01T00:00:00Z") && of("2026-01-02T23:00:00Z"), "the search lags");
        assert!(!of("2026-01-04T00:00:00Z"));
    }

    #[test]
    fn the_record_is_asked_for_no_longer_than_it_is_kept() {
        let now: Timestamp = "2026-06-30T00:00:00Z".parse().unwrap();
        let of = |seen_at: &str| since(seen_at.parse().unwrap(), now).to_string();
        assert_eq!(of("2026-06-29T00:00:00Z"), "2026-06-28T00:00:00Z");
        assert_eq!(of("2026-01-01T00:00:00Z"), "2026-05-27T00:00:00Z");
        assert_eq!(of("1970-01-01T00:00:00Z"), "2026-05-27T00:00:00Z");
    }
}
