//! Measures how fast the adapter reads an account's machines, beside a bare loop over the SDK's paginator for the same kind, in turns: the
//! other kinds are told to be finished already, since the bare loop reads none of them. `cargo xtask bench discovery` seeds an emulator and
//! runs it; figures are printed as one JSON document.

use std::future::Future;
use std::time::Instant;

use async_trait::async_trait;
use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use caretaker_cloud::{AccessGrant, Asset, AssetSink, AwsGrant, AwsType, Cell, CellKey, CloudConnector, Purpose, Result, Scope, Verdict};
use caretaker_cloud_aws::{AwsConfig, AwsConnector, BaseCredentials};

/// Rows in one page, as the adapter asks for them.
const PAGE: i32 = 500;

/// An environment variable that `cargo xtask bench` sets.
fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run this through cargo xtask bench discovery"))
}

#[derive(Default)]
struct Counter {
    assets: u64,
    calls: u64,
    gaps: Vec<Cell>,
}

#[async_trait]
impl AssetSink for Counter {
    async fn asset(&mut self, _asset: Asset) -> Result<()> {
        self.assets += 1;
        Ok(())
    }

    async fn cell(&mut self, cell: Cell) -> Result<()> {
        self.calls += u64::from(cell.calls);
        if cell.verdict != Verdict::Complete {
            self.gaps.push(cell);
        }
        Ok(())
    }
}

/// The session of the bare loop: the same role, assumed the same way.
async fn session(base: &SdkConfig, grant: &AwsGrant) -> SdkConfig {
    let request = aws_sdk_sts::Client::new(base).assume_role().role_arn(&grant.role_arn).role_session_name(&grant.session_name);
    let answer = request.external_id(&grant.external_id).send().await.expect("the role lets us in");
    let taken = answer.credentials.expect("an assumed role has credentials");
    let token = Some(taken.session_token().to_owned());
    let credentials = Credentials::new(taken.access_key_id(), taken.secret_access_key(), token, None, "bench");
    base.to_builder().credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(credentials)).build()
}

/// Reads all pages of machines and counts what came.
async fn bare(config: &SdkConfig) -> u64 {
    let client = aws_sdk_ec2::Client::new(config);
    let mut pages = client.describe_instances().into_paginator().page_size(PAGE).send();
    let mut count = 0;
    while let Some(page) = pages.next().await {
        count += page.expect("a page").reservations().iter().map(|reservation| reservation.instances().len()).sum::<usize>();
    }
    u64::try_from(count).unwrap_or(u64::MAX)
}

async fn timed<T>(act: impl Future<Output = T>) -> (f64, T) {
    let began = Instant::now();
    let done = act.await;
    (began.elapsed().as_secs_f64(), done)
}

#[tokio::main]
async fn main() {
    let region = setting("BENCH_REGION");
    let account_id = setting("BENCH_ACCOUNT");
    let grant = AwsGrant {
        role_arn: format!("arn:aws:iam::{account_id}:role/{}", setting("BENCH_ROLE")),
        account_id,
        external_id: setting("BENCH_EXTERNAL_ID"),
        session_name: "caretaker-bench".into(),
        source_identity: "prod@bench".into(),
    };
    let (key, secret) = (setting("BENCH_ACCESS_KEY_ID"), setting("BENCH_SECRET_ACCESS_KEY"));
    let base = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.clone()))
        .endpoint_url(setting("BENCH_ENDPOINT"))
        .retry_config(RetryConfig::disabled())
        .credentials_provider(Credentials::new(key.clone(), secret.clone(), None, None, "bench"))
        .load()
        .await;
    let config = AwsConfig {
        region: region.clone(),
        endpoint_url: Some(setting("BENCH_ENDPOINT")),
        ca_bundle_pem: None,
        credentials: BaseCredentials::Static { access_key_id: key, secret_access_key: secret, session_token: None },
        expected_principal: setting("BENCH_PRINCIPAL"),
        allows_tags: false,
    };
    let connector = AwsConnector::new(config).await.expect("a connector");
    let link = connector.connect(&AccessGrant::Aws(grant.clone()), Purpose::Read).await.expect("the role lets us in");
    let session = session(&base, &grant).await;
    let rounds: usize = setting("BENCH_ROUNDS").parse().expect("a number of rounds");
    let finished = AwsType::cells([region.as_str()]).into_iter().filter(|(_, kind)| *kind != AwsType::Instance);
    let finished = finished.map(|(region, kind)| CellKey { account: grant.account_id.clone(), region, service: kind.service().into() });
    let scope = Scope { regions: Some(vec![region.clone()]), finished: finished.collect() };
    let mut found = Vec::new();
    for _ in 0..rounds {
        let (bare_seconds, expected) = timed(bare(&session)).await;
        let mut counter = Counter::default();
        let (adapter_seconds, read) = timed(link.discover(&scope, &mut counter)).await;
        read.expect("the cells can be planned");
        assert!(counter.gaps.is_empty(), "every cell is complete: {:?}", counter.gaps);
        assert_eq!(counter.assets, expected, "both read the same");
        found.push((bare_seconds, adapter_seconds, counter.assets, counter.calls));
    }
    let rows: Vec<serde_json::Value> = found
        .into_iter()
        .map(|(bare, adapter, assets, calls)| {
            serde_json::json!({"bareSeconds": bare, "adapterSeconds": adapter, "assets": assets, "calls": calls})
        })
        .collect();
    println!("{}", serde_json::json!({"rounds": rows}));
}
