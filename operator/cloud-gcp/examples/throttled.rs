//! Reads many projects of the Google simulator at the same time, each of which is answered only so many searches in a second. `cargo xtask bench`
//! runs it; figures are printed as one JSON document.

#[path = "simulated/mod.rs"]
mod simulated;

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use caretaker_cloud::{AccessGrant, Asset, AssetSink, Cell, CloudConnector, CloudLink, Purpose, Result, Scope, Usage, Verdict};
use serde_json::{Value, json};

#[derive(Default)]
struct Counted {
    assets: u64,
    gaps: Vec<String>,
    used: Usage,
}

#[async_trait]
impl AssetSink for Counted {
    async fn asset(&mut self, _asset: Asset) -> Result<()> {
        self.assets += 1;
        Ok(())
    }

    async fn cell(&mut self, cell: Cell) -> Result<()> {
        if cell.verdict != Verdict::Complete {
            self.gaps.push(format!("{:?}: {}", cell.key, cell.cause));
        }
        Ok(())
    }

    fn used(&mut self, usage: Usage) {
        self.used = usage;
    }
}

async fn read(link: Arc<dyn CloudLink>, began: Instant) -> Value {
    let mut counted = Counted::default();
    link.discover(&Scope::default(), &mut counted).await.expect("the cells can be planned");
    assert!(counted.gaps.is_empty(), "every cell is complete: {:?}", counted.gaps);
    let (calls, throttled) = (counted.used.calls, counted.used.throttled);
    json!({"seconds": began.elapsed().as_secs_f64(), "assets": counted.assets, "calls": calls, "throttled": throttled})
}

#[tokio::main]
async fn main() {
    let pace = std::env::var("BENCH_CALLS_PER_MINUTE").ok().and_then(|pace| pace.parse().ok());
    let connector = simulated::connector(pace.expect("a number of calls: run this through cargo xtask bench"));
    let mut links = Vec::new();
    for grant in simulated::grants() {
        links.push(connector.connect(&AccessGrant::Gcp(grant), Purpose::Read).await.expect("the client lets us in"));
    }
    let began = Instant::now();
    let tasks: Vec<_> = links.into_iter().map(|link| tokio::spawn(read(link, began))).collect();
    let mut accounts = Vec::new();
    for task in tasks {
        accounts.push(task.await.expect("no panic"));
    }
    println!("{}", json!({"accounts": accounts}));
}
