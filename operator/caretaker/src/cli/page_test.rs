//! `page-test`: tries the way from a client's Alertmanager to the receiver of each tier.

use anyhow::{Context, bail};
use caretaker_api::MonitoringStack;
use caretaker_api::monitoring_stack::{MonitoringStackStatus, PageResult};
use caretaker_api::names::{PAGE_TEST_AT, client_namespace};
use caretaker_core::managed_client::CHILD_NAME;
use jiff::Timestamp;
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::core::ObjectMeta;
use serde::Serialize;

use super::cluster::{ClusterArgs, connect, explain};
use super::output::{Form, json, paragraph, table, width};

/// Seconds that a tier's page may take, and those before another test may begin.
const PATIENCE: u64 = 140;
const APART: u64 = 680;

/// Which client, and how.
#[derive(clap::Args)]
pub struct Args {
    /// Name of the ManagedClient.
    client: String,
    /// Show what the last test came to, and make none.
    #[arg(long)]
    last: bool,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Answers.
pub async fn run(args: Args) -> anyhow::Result<()> {
    #[derive(Debug, Serialize)]
    struct Body {
        metadata: ObjectMeta,
    }
    let api: Api<MonitoringStack> = Api::namespaced(connect(&args.cluster).await?, &client_namespace(&args.client));
    let stack = api.get_opt(CHILD_NAME).await.map_err(explain)?;
    let mut stack = stack.with_context(|| format!("{} has no monitoring", args.client))?;
    if !args.last {
        // It becomes a label of the test's alerts: digits alone.
        let request = Timestamp::now().as_second().to_string();
        let annotations = Some([(PAGE_TEST_AT.to_owned(), request.clone())].into());
        let body = Body { metadata: ObjectMeta { annotations, ..ObjectMeta::default() } };
        api.patch(CHILD_NAME, &PatchParams::default(), &Patch::Merge(&body)).await.map_err(explain)?;
        let tiers = u64::try_from(stack.spec.terms.tiers.len()).unwrap_or(1);
        stack = wait(&api, &request, tiers * PATIENCE + APART).await?;
    }
    let status = stack.status.clone().unwrap_or_default();
    if args.output == Form::Json {
        json(&status.page_test)?;
    } else {
        out!("{}", told(&status, width()));
    }
    if !args.last && status.page_test.iter().flat_map(|test| &test.results).any(|result| !result.passed) {
        bail!("not every tier was reached");
    }
    Ok(())
}

async fn wait(api: &Api<MonitoringStack>, request: &str, seconds: u64) -> anyhow::Result<MonitoringStack> {
    for _ in 0..seconds / 2 {
        let stack = api.get(CHILD_NAME).await.map_err(explain)?;
        let test = stack.status.as_ref().and_then(|status| status.page_test.as_ref());
        if test.is_some_and(|test| test.request == request && test.ended_at.is_some()) {
            return Ok(stack);
        }
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    }
    bail!("the test has not ended within {seconds} s; it goes on, and kubectl caretaker page-test CLIENT --last shows what came of it")
}

fn told(status: &MonitoringStackStatus, width: usize) -> String {
    let Some(test) = &status.page_test else { return "no page was tried yet\n".into() };
    let row = |result: &PageResult| {
        let passed = status.pages_passed.get(&result.tier).map_or_else(|| "never".into(), |at| at.0.to_string());
        vec![result.tier.clone(), if result.passed { "delivered" } else { "not proved" }.to_owned(), passed]
    };
    let mut text = table(&["TIER", "PAGE", "LAST DELIVERED"], &test.results.iter().map(row).collect::<Vec<_>>());
    for result in &test.results {
        text += &paragraph(&format!("{}: ", result.tier), &result.message, width);
    }
    if test.ended_at.is_none() {
        text += "the test goes on\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn delivered_is_told_apart_from_what_is_not_proved() {
        let status: MonitoringStackStatus = serde_json::from_value(json!({
            "pagesPassed": {"desk": "2026-11-03T10:00:00Z"},
            "pageTest": {"request": "1", "beganAt": "2026-11-03T10:00:00Z", "endedAt": "2026-11-03T10:02:00Z", "results": [
                {"tier": "desk", "at": "2026-11-03T10:00:00Z", "passed": true, "message": "delivered to its receiver"},
                {"tier": "lead", "at": "2026-11-03T10:02:00Z", "passed": false, "message": "Alertmanager could not deliver it"},
            ]},
        }))
        .unwrap();
        let text = told(&status, 80);
        assert!(text.contains("not proved   never") && text.contains("lead: Alertmanager could not deliver it"), "{text}");
        assert!(text.contains("delivered    2026-11-03T10:00:00Z"), "{text}");
    }
}
