//! Service levels as a user meets them: what is refused, the month's report that begins, and a trial of a month whose measurements are in the store.

use anyhow::{Context, Result, ensure};
use caretaker_e2e::{Client, Lab, lab};
use serde_json::{Value, json};

const REGION: &str = "eu-west-1";
/// October in UTC begins at this second; it has 31 days.
const OCTOBER: i64 = 1_790_812_800;

fn terms() -> Value {
    json!({
        "zone": "UTC",
        "objectives": [{
            "name": "web", "target": "99.9", "uptime": {"source": "PublicAddresses", "labels": {"instance": "203.0.113.7"}},
            "credits": [{"below": "99.9", "percent": "10"}],
        }],
        "exclusions": [{"from": "2026-10-20T00:00:00Z", "to": "2026-10-20T01:00:00Z", "reason": "the client's own change"}],
        "credits": {"capPercent": "30", "claimWithinDays": 30},
    })
}

/// Measurements as the operator keeps them: up but for an hour of the tenth.
fn fill(lab: &Lab, uid: &str) -> Result<()> {
    let folder = lab.installed.volume("store").join(format!("clients/levels/service-levels/{uid}/days"));
    std::fs::create_dir_all(&folder)?;
    for number in 0..31_i64 {
        let (from, to) = (OCTOBER + 86_400 * number, OCTOBER + 86_400 * (number + 1));
        let (up, down) =
            if number == 9 { (json!([[from + 3600, to]]), json!([[from, from + 3600]])) } else { (json!([[from, to]]), json!([])) };
        let day = format!("2026-10-{:02}", number + 1);
        let series = json!({
            "source": "PublicAddresses", "id": "203.0.113.7", "labels": {"instance": "203.0.113.7", "job": "public-addresses"},
            "measured": [[from, to]], "up": up, "down": down, "stays": true,
        });
        let file = json!({"format": "caretaker-levels-day-1", "day": day, "readAt": "2026-11-01T00:05:00Z", "series": [series]});
        std::fs::write(folder.join(format!("{day}.json")), file.to_string())?;
    }
    Ok(())
}

/// What nobody can mean is refused with the field and the cure.
fn refuses(lab: &Lab, document: &Value) -> Result<()> {
    let cases = [
        ("/serviceLevels/objectives/0/target", json!("99,9"), "target must be a percentage"),
        ("/serviceLevels/objectives/0/target", json!("100.1"), "target must be a percentage"),
        ("/serviceLevels/zone", json!("europe zurich"), "zone must be an IANA name"),
        ("/serviceLevels/exclusions/0/to", json!("2026-10-20T00:00:00Z"), "an exclusion must end after it begins"),
        ("/serviceLevels/credits/capPercent", json!("101"), "capPercent must be a percentage"),
    ];
    for (place, value, message) in cases {
        let mut wrong = document.clone();
        *wrong["spec"].pointer_mut(place).context("the place is there")? = value;
        let refused = lab.kubectl.apply(&wrong.to_string()).err().map(|error| format!("{error:#}")).unwrap_or_default();
        ensure!(refused.contains(message), "{place}: {refused}");
    }
    let mut blind = document.clone();
    blind["spec"].as_object_mut().context("a spec")?.remove("monitoring");
    let refused = lab.kubectl.apply(&blind.to_string()).err().map(|error| format!("{error:#}")).unwrap_or_default();
    ensure!(refused.contains("what is not monitored cannot be measured"), "{refused}");
    Ok(())
}

/// What was measured and agreed goes with the client.
fn handed_over(lab: &Lab, client: &Client) -> Result<()> {
    lab.grant(client)?;
    lab.kubectl.wait(&["ca/prod", "-n", "client-levels"], "condition=InventoryComplete", caretaker_e2e::PATIENCE)?;
    lab.plugin(&["exit", "levels", "--wait"])?;
    let listed = lab.kubectl.get(&["handovers", "-n", "client-levels"])?;
    let address = listed["items"][0]["status"]["bundle"]["address"].as_str().context("a bundle")?.to_owned();
    let profile = lab.kubectl.get(&["pprof", "default"])?;
    let key = profile["status"]["signing"]["publicKey"].as_str().context("a public key")?;
    let folder = tempfile::tempdir()?;
    let (identity, into) = (folder.path().join("identity.txt"), folder.path().join("opened"));
    std::fs::write(&identity, &client.identity)?;
    std::fs::create_dir(&into)?;
    let [bundle, identity, target] =
        [&lab.installed.volume("store").join(address), &identity, &into].map(|path| path.display().to_string());
    lab.plugin(&["bundle", "open", &bundle, "--public-key", key, "--identity", &identity, "--into", &target])?;
    let part = std::fs::read_dir(&into)?.next().context("a bag")??.path().join("data/07-service-levels");
    let count = |name: &str| std::fs::read_dir(part.join(name)).map(|entries| entries.count()).unwrap_or_default();
    ensure!(
        count("days") == 31 && count("terms") == 1,
        "{} days, {} versions of the terms in {}",
        count("days"),
        count("terms"),
        part.display()
    );
    Ok(())
}

#[test]
fn a_month_is_tried_and_the_present_one_begins() -> Result<()> {
    let lab = lab();
    let client = Client::new("levels", "200000000901", REGION);
    let mut document = client.document();
    document["spec"]["serviceLevels"] = terms();
    refuses(lab, &document)?;
    lab.kubectl.apply(&document.to_string())?;

    // The report of the present month is there by itself, and says why nothing is measured here.
    let month = jiff::Timestamp::now().to_string()[..7].to_owned();
    lab.until("the report of the month", || lab.kubectl.get(&["sr", &month, "-n", "client-levels"]).map(drop))?;
    lab.condition(
        &["sr", &month, "-n", "client-levels"],
        "ReportStored",
        "Unknown",
        if month.ends_with("-01") { "Progressing" } else { "Unreachable" },
    )?;
    let waits = lab.plugin(&["report", "levels", "--month", &month])?;
    ensure!(waits.contains("is not made yet"), "{waits}");

    // Would October have passed?
    let uid = lab.kubectl.get(&["mc", "levels"])?["metadata"]["uid"].as_str().context("a uid")?.to_owned();
    fill(lab, &uid)?;
    let store = lab.installed.volume("store").display().to_string();
    let told = lab.plugin(&["report", "levels", "--month", "2026-10", "--dry-run"])?;
    for part in ["2026-10 (trial): Missed", "99.86541 %", "3600 s", "Credit: 10 % of the month's fee", "not compensation"] {
        ensure!(told.contains(part), "{part}: {told}");
    }
    let json = lab.plugin(&["report", "levels", "--month", "2026-10", "--dry-run", "--store", &store, "-o", "json"])?;
    let report: Value = serde_json::from_str(&json)?;
    let figure = &report["objectives"][0]["segments"][0]["figure"];
    // 31 days less the excluded hour, of which one hour was down.
    ensure!(
        figure["countedSeconds"] == 31 * 86_400 - 3600 && figure["downSeconds"] == 3600 && figure["excludedSeconds"] == 3600,
        "{figure}"
    );
    let page = lab.plugin(&["report", "levels", "--month", "2026-10", "--dry-run", "--store", &store, "-o", "html"])?;
    ensure!(page.contains("<svg") && page.contains("Missed"), "{page}");
    let list = lab.plugin(&["report", "levels"])?;
    ensure!(list.contains(&month) && list.contains("(trial)"), "{list}");

    handed_over(lab, &client)?;

    // A person cannot put a report in the place of the operator's.
    let forged = json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ServiceReport", "metadata": {"name": "mine", "namespace": "client-levels"},
        "spec": {"month": "2026-09"},
    });
    let refused = lab.kubectl.apply(&forged.to_string()).err().map(|error| format!("{error:#}")).unwrap_or_default();
    ensure!(refused.contains("set spec.dryRun to try one"), "{refused}");
    Ok(())
}
