//! What the examples of the adapters measure: an account read into a store as the operator does it, twice, so that the last inventory is
//! compared with as well.

use std::sync::Mutex;
use std::time::Instant;

use caretaker_cloud::{CloudLink, Usage};
use caretaker_controllers::discovery::{self, NotRead, Reading};
use caretaker_store::Store;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Largest resident set of this process so far, in bytes.
fn peak_rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the kernel tells of processes");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel tells the peak");
    peak.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") * 1024
}

/// Reads twice into a store in a local folder, by the `target` of a CloudAccount; the figures.
pub async fn read_twice(link: &dyn CloudLink, target: &Value) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&format!("file://{}", folder.path().display())).expect("a store");
    let account = json!({"apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "bench"}, "spec": target});
    let account = serde_json::from_value(account).expect("an account");
    let (mut last, mut seconds, mut used) = (None, Vec::new(), Usage::default());
    for turn in 0..2 {
        let told = Mutex::new(None);
        let reading = Reading {
            client: "bench",
            last: last.as_ref(),
            used: Some(&told),
            ..Reading::of(&store, &account, "bench", (format!("bench-{turn}"), Timestamp::now()))
        };
        let began = Instant::now();
        let inventory = match discovery::run(link, &reading).await {
            Ok(taken) => taken.inventory,
            Err(NotRead::Cloud(error)) => panic!("the cells cannot be planned: {error}"),
            Err(NotRead::Failed(failure)) => panic!("{failure}"),
        };
        seconds.push(began.elapsed().as_secs_f64());
        assert_eq!(inventory.coverage.complete, inventory.coverage.planned, "{:?}", inventory.coverage.gaps);
        used = told.into_inner().expect("no panic while held").expect("it is told");
        last = Some(inventory);
    }
    let assets = last.expect("it was read").assets;
    json!({
        "assets": assets, "calls": used.calls, "throttled": used.throttled, "seconds": seconds[0], "secondsAgain": seconds[1],
        "peakRssBytes": peak_rss(),
    })
}
