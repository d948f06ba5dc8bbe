//! Runs that are cut off, and what the next one takes over from them.

use super::*;

/// A run that notes each finished cell, and dies when some are noted.
async fn die_after(notes: usize, (cloud, inner): (&FakeCloud, &Arc<InMemory>), identity: &str) {
    let odd = Arc::new(Odd { dies_after: notes, ..Odd::of(inner) });
    let (store, link) = (Store::with(odd.clone()), link(cloud).await);
    let reading = noting(&store, identity, hour(0));
    tokio::select! {
        _ = run(link.as_ref(), &reading) => panic!("it was to die"),
        () = odd.died.notified() => {}
    }
}

fn noting<'a>(store: &'a Store, identity: &str, now: Timestamp) -> Reading<'a> {
    let run = Run { identity: identity.into(), within: SignedDuration::from_hours(1), every: Duration::ZERO };
    Reading { run, ..reading(store, None, now) }
}

#[tokio::test]
async fn a_killed_run_goes_on_from_its_finished_cells() {
    let planned = AwsType::cells(REGIONS.into_iter()).len();
    let undisturbed = {
        let (cloud, store) = (cloud(700), Store::in_memory());
        (take(&cloud, &reading(&store, None, hour(0))).await.inventory, cloud.calls("ec2:Describe"))
    };
    for dies_after in [1, 5, planned] {
        let (cloud, inner) = (cloud(700), Arc::new(InMemory::new()));
        die_after(dies_after, (&cloud, &inner), "1").await;
        let store = Store::with(inner);
        let until_death = cloud.calls("ec2:Describe");
        let taken = take(&cloud, &noting(&store, "1", hour(0))).await.inventory;
        assert_eq!(cloud.calls("ec2:Describe"), undisturbed.1, "no finished cell is read again after {dies_after} ({until_death} before)");
        assert_eq!((taken.digest.as_str(), &taken.coverage), (undisturbed.0.digest.as_str(), &undisturbed.0.coverage));
        assert!(store.list(&format!("{FOLDER}/run")).await.unwrap().is_empty(), "segments go with the run");
    }
}

#[tokio::test]
async fn only_a_run_of_the_same_kind_and_age_is_continued() {
    for (reason, identity, now, is_continued) in [
        ("the same", "1", hour(0), true),
        ("another generation, scope or request", "2", hour(0), false),
        ("a run of the last interval", "1", hour(1), false),
        ("a run from the future", "1", hour(-1), false),
    ] {
        let (cloud, inner) = (cloud(2), Arc::new(InMemory::new()));
        die_after(1, (&cloud, &inner), "1").await;
        let store = Store::with(inner);
        let before = cloud.calls("ec2:DescribeInstances");
        take(&cloud, &noting(&store, identity, now)).await;
        let again = cloud.calls("ec2:DescribeInstances") - before;
        assert_eq!(again, if is_continued { 1 } else { 2 }, "{reason}");
        assert!(store.list(&format!("{FOLDER}/run")).await.unwrap().is_empty(), "{reason}");
    }
}

#[tokio::test]
async fn a_cell_that_was_not_complete_is_read_again() {
    let (cloud, inner) = (cloud(2), Arc::new(InMemory::new()));
    let store = Store::with(inner.clone());
    cloud.fault(Fault::of("ec2:DescribeInstances", ErrorClass::Denied).in_region(REGIONS[0]).times(1));
    die_after(1, (&cloud, &inner), "1").await;
    let taken = take(&cloud, &noting(&store, "1", hour(0))).await.inventory;
    assert_eq!((taken.assets, taken.coverage.complete), (6, taken.coverage.planned));
}

#[tokio::test]
async fn a_segment_that_is_spoilt_anywhere_counts_for_nothing() {
    type Spoil = fn(&[u8]) -> Vec<u8>;
    let segments: [(&str, u64, Spoil); 7] = [
        ("whole", 0, |bytes| bytes.to_vec()),
        ("cut off", 2, |bytes| bytes[..bytes.len() - 5].to_vec()),
        ("empty", 2, |_| Vec::new()),
        ("no packed file", 2, |_| b"what is this?".to_vec()),
        ("the head, then bytes that are no packed file", 2, |bytes| [repack(bytes, |lines| lines.truncate(1)), vec![7; 64]].concat()),
        ("a line that is no asset", 2, |bytes| repack(bytes, |lines| lines.push("{}".into()))),
        ("an asset too few", 2, |bytes| repack(bytes, |lines| lines.truncate(lines.len() - 1))),
    ];
    for (what, again, spoil) in segments {
        let (cloud, inner) = (cloud(2), Arc::new(InMemory::new()));
        let store = Store::with(inner.clone());
        die_after(AwsType::cells(REGIONS.into_iter()).len(), (&cloud, &inner), "1").await;
        for segment in store.list(&format!("{FOLDER}/run")).await.unwrap() {
            let bytes = store.get(&segment).await.unwrap();
            store.put(&segment, spoil(&bytes).into()).await.unwrap();
        }
        let before = cloud.calls("ec2:DescribeInstances");
        let taken = take(&cloud, &noting(&store, "1", hour(0))).await.inventory;
        assert_eq!((taken.assets, taken.coverage.complete), (6, taken.coverage.planned), "{what}");
        assert_eq!(cloud.calls("ec2:DescribeInstances") - before, again, "{what}");
    }
}

/// A segment with other lines.
fn repack(bytes: &[u8], edit: impl Fn(&mut Vec<String>)) -> Vec<u8> {
    let text = String::from_utf8(zstd::decode_all(bytes).unwrap()).unwrap();
    let mut lines: Vec<String> = text.lines().map(Into::into).collect();
    edit(&mut lines);
    zstd::encode_all(lines.join("\n").as_bytes(), 0).unwrap()
}

#[tokio::test]
async fn a_short_run_notes_nothing() {
    let odd = Arc::new(Odd::of(&Arc::new(InMemory::new())));
    take(&cloud(2), &reading(&Store::with(odd.clone()), None, hour(0))).await;
    assert_eq!(odd.notes.load(Ordering::SeqCst), 0);
}
