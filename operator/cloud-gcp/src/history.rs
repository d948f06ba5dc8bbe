//! The record that Cloud Asset keeps of each asset for 35 days, deletions among it: <https://cloud.google.com/asset-inventory/docs/view-asset-history>. Unlike
//! the search, which merely shows no more what is gone, it says so.

use caretaker_cloud::{Asset, CloudError, ErrorClass, Presence, Result};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::http::{Call, url};
use crate::session::{Reach, Session};

/// The call that shows the record.
const HISTORY: &str = "cloudasset:batchGetAssetsHistory";
/// How far back is asked for: Google keeps 35 days and refuses to be asked for more.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 34);
/// The search may show an asset for a while after it was deleted.
const LAG: SignedDuration = SignedDuration::from_hours(24);
/// What is asked for: whether it was deleted and when, and nothing of what the asset holds.
const FIELDS: &str = "assets(window,deleted,asset(name))";

/// What the record says of an asset; `Unknown` where it holds nothing of it.
pub async fn exists(session: &Session, asset: &Asset) -> Result<Presence> {
    let base = &session.shared.services.endpoints.cloud_asset;
    let path = format!("/v1/projects/{}:batchGetAssetsHistory", session.grant.project_id);
    let since = since(asset.seen_at, Timestamp::now()).to_string();
    let query = [("contentType", "RESOURCE"), ("assetNames", &*asset.id), ("readTimeWindow.startTime", &*since), ("fields", FIELDS)];
    match session.call(HISTORY, Reach::Full, url(base, &path, &query)?, Call::default()).await {
        Ok(answer) => latest(&answer, &asset.id),
        // So Google answers for a name that the record has never held: no word on the thing.
        Err(CloudError { class: ErrorClass::Invalid | ErrorClass::NotFound, .. }) => Ok(Presence::Unknown),
        Err(error) => Err(error),
    }
}

/// From when on the record is read.
fn since(seen_at: Timestamp, now: Timestamp) -> Timestamp {
    (seen_at - LAG).max(now - KEPT)
}

/// The last word of the record on an asset.
fn latest(answer: &Value, name: &str) -> Result<Presence> {
    let mut last: Option<(Timestamp, bool)> = None;
    for entry in answer["assets"].as_array().into_iter().flatten().filter(|entry| entry["asset"]["name"] == name) {
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
    Ok(match last {
        None => Presence::Unknown,
        Some((_, true)) => Presence::Gone,
        Some((_, false)) => Presence::Present,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(name: &str, began: &str, deleted: bool) -> Value {
        json!({"asset": {"name": name}, "window": {"startTime": began}, "deleted": deleted})
    }

    #[test]
    fn the_last_entry_decides_whatever_their_order() {
        let of = |entries: &[Value]| latest(&json!({"assets": entries}), "a").unwrap();
        let (made, deleted) = (entry("a", "2026-01-01T00:00:00Z", false), entry("a", "2026-01-02T00:00:00Z", true));
        let again = entry("a", "2026-01-03T00:00:00Z", false);
        assert_eq!(of(&[made.clone(), deleted.clone()]), Presence::Gone);
        assert_eq!(of(&[deleted.clone(), made.clone()]), Presence::Gone);
        assert_eq!(of(&[made.clone(), again, deleted.clone()]), Presence::Present, "it was made again");
        assert_eq!(of(&[deleted.clone(), entry("a", "2026-01-02T00:00:00Z", false)]), Presence::Present, "two words of one time");
        assert_eq!(of(&[json!({"asset": {"name": "a"}, "window": {"startTime": "2026-01-01T00:00:00Z"}})]), Presence::Present);
        assert_eq!(of(&[entry("b", "2026-01-02T00:00:00Z", true)]), Presence::Unknown, "another asset");
        assert_eq!(latest(&json!({}), "a").unwrap(), Presence::Unknown);
        assert!(latest(&json!({"assets": [{"asset": {"name": "a"}, "deleted": true}]}), "a").is_err(), "no time, no word");
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
