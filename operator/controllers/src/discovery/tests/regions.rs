//! Regions that an account lists no more, and those that a spec leaves out.

use caretaker_api::words::GapVerdict;

use super::*;

#[tokio::test]
async fn a_region_that_the_account_lists_no_more_keeps_what_was_in_it() {
    let (cloud, store) = (cloud(2), Store::in_memory());
    fn all<'a>(store: &'a Store, last: Option<&'a InventoryStatus>, time: Timestamp) -> Reading<'a> {
        Reading { scope: Scope::default(), ..reading(store, last, time) }
    }
    let first = take(&cloud, &all(&store, None, hour(0))).await.inventory;
    cloud.account(ACCOUNT, |account| account.regions.retain(|region| region != REGIONS[1]));
    let mut last = first.clone();
    for time in 1..3 {
        let now = take(&cloud, &all(&store, Some(&last), hour(time))).await.inventory;
        assert_eq!((now.assets, counts(now.since_previous.as_ref()).1), (first.assets, 0), "reading {time}");
        let services: Vec<&str> = now.coverage.gaps.iter().map(|gap| gap.service.as_str()).collect();
        assert_eq!(services, ["ec2/instances", "ec2/volumes"], "cells that had nothing in them are no gaps");
        assert_eq!(now.coverage.planned - now.coverage.complete, 2);
        let gap = &now.coverage.gaps[0];
        assert_eq!((gap.region.as_str(), gap.verdict), (REGIONS[1], GapVerdict::Disabled));
        assert!(gap.cause.contains(ACCOUNT) && gap.cause.contains("Enable us-east-1"), "{}", gap.cause);
        last = now;
    }
    cloud.account(ACCOUNT, |account| account.regions.push(REGIONS[1].into()));
    let back = take(&cloud, &all(&store, Some(&last), hour(3))).await.inventory;
    assert_eq!((back.digest.as_str(), back.coverage.complete), (first.digest.as_str(), first.coverage.planned));
    let narrowed = take(
        &cloud,
        &Reading { scope: Scope { regions: Some(vec![REGIONS[0].into()]), ..Scope::default() }, ..reading(&store, Some(&back), hour(4)) },
    )
    .await;
    assert_eq!(counts(narrowed.inventory.since_previous.as_ref()).1, 3, "what the spec leaves out goes");
}
