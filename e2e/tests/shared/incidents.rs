//! Incidents as a user meets them: tiers by the time in which somebody is to take one, who may take it and in whose name, and what goes with the client.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use caretaker_e2e::{Client, Lab, lab};
use caretaker_testkit::operator::RELEASE;
use caretaker_testkit::process::run;
use caretaker_testkit::{python, tools};
use serde_json::{Value, json};

const REGION: &str = "eu-west-1";
const NAMESPACE: &str = "client-outages";
const NAME: &str = "instancedown-0a1b2c3d";

fn tiers() -> Value {
    let at = |tier: &str| format!("https://{tier}.provider.example/alerts");
    json!([
        {"name": "desk", "ackWithinMinutes": 15, "resolveWithinMinutes": 240, "webhookUrl": at("desk")},
        {"name": "lead", "ackWithinMinutes": 30, "webhookUrl": at("lead")},
        {"name": "vendor", "kind": "Vendor", "webhookUrl": at("vendor")},
    ])
}

fn refuses(lab: &Lab, document: &Value) -> Result<()> {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 4] = [
        (|tiers| tiers[1]["afterMinutes"] = json!(15), "give every tier afterMinutes, or none"),
        (
            |tiers| drop(tiers[1].as_object_mut().map(|tier| tier.remove("ackWithinMinutes"))),
            "each tier but the last needs ackWithinMinutes",
        ),
        (|tiers| tiers[2]["ackWithinMinutes"] = json!(15), "each tier but the last needs ackWithinMinutes"),
        (
            |tiers| (0..3).for_each(|index| tiers[index]["afterMinutes"] = json!(15 * index)),
            "ackWithinMinutes says when the next tier is told, and so does afterMinutes",
        ),
    ];
    for (change, message) in cases {
        let mut wrong = document.clone();
        change(&mut wrong["spec"]["monitoring"]["tiers"]);
        let refused = lab.kubectl.apply(&wrong.to_string()).err().map(|error| format!("{error:#}")).unwrap_or_default();
        ensure!(refused.contains(message), "{message}: {refused}");
    }
    Ok(())
}

/// The configuration that the prometheus-operator made of the tiers: each alert goes to its tier alone.
fn routes(lab: &Lab) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (packed, config) = (folder.path().join("packed"), folder.path().join("alertmanager.yaml"));
    let python = python::environment("judges")?;
    let unpack = "import sys,json,base64,gzip; sys.stdout.write(gzip.decompress(base64.b64decode(sys.stdin.read())).decode())";
    lab.until("the tiers in Alertmanager's configuration", || {
        let found = lab.kubectl.get(&["secret", "alertmanager-main-generated", "-n", NAMESPACE])?;
        std::fs::write(&packed, found["data"]["alertmanager.yaml.gz"].as_str().context("the key is there")?)?;
        let text = run(Command::new(&python).args(["-c", unpack]).stdin(std::fs::File::open(&packed)?))?;
        ensure!(text.contains("main-tier-vendor/vendor"), "{text}");
        Ok(std::fs::write(&config, text)?)
    })?;
    let amtool = tools::path("amtool")?;
    run(Command::new(&amtool).arg("check-config").arg(&config))?;
    for tier in ["desk", "lead", "vendor"] {
        let mut test = Command::new(&amtool);
        test.args(["config", "routes", "test", "--config.file"]).arg(&config).args([
            "alertname=InstanceDown",
            "account=2",
            &format!("tier={tier}"),
        ]);
        let told = run(&mut test)?;
        ensure!(told.trim() == format!("{NAMESPACE}/main-tier-{tier}/{tier}"), "{tier}: {told}");
    }
    let rules = lab.kubectl.get(&["prometheusrule", "main-rules", "-n", NAMESPACE])?["spec"].to_string();
    let of = |seconds: u32| format!("caretaker:RulesFail:since >= {seconds}\"");
    ensure!(rules.contains(&of(15 * 60)) && rules.contains(&of(45 * 60)), "the sums of what each tier has: {rules}");
    Ok(())
}

/// Taking one by hand, under the role for it.
fn takes(lab: &Lab) -> Result<()> {
    let binding = [&format!("--clusterrole={RELEASE}-provider-on-call"), "--user=mia"];
    lab.kubectl.run(&[&["create", "clusterrolebinding", "outages-mia"], &binding[..]].concat())?;
    let mia = |arguments: &[&str]| lab.kubectl.run(&[arguments, &["-n", NAMESPACE, "--as=mia"]].concat());
    let patch = |spec: Value| mia(&["patch", "incident", NAME, "--type=merge", "-p", &json!({"spec": spec}).to_string()]);
    let refused = |said: Result<String>, words: &str| {
        let error = said.err().map(|error| format!("{error:#}")).unwrap_or_default();
        ensure!(error.contains(words), "{words}: {error}");
        Ok(())
    };
    refused(patch(json!({"acknowledgement": {"by": "jo"}})), "taken in one's own name, which is mia")?;
    refused(patch(json!({"alert": "ProberDown"})), "cannot be changed")?;
    refused(mia(&["delete", "incident", NAME]), "cannot delete")?;
    refused(mia(&["get", "monitoringstacks"]), "cannot list")?;
    patch(json!({"acknowledgement": {"by": "mia", "note": "case 4711"}}))?;
    lab.until("that mia has taken it", || {
        let status = lab.kubectl.get(&["inc", NAME, "-n", NAMESPACE])?["status"].clone();
        let last = status["events"].as_array().and_then(|events| events.last()).cloned().unwrap_or_default();
        ensure!(status["state"] == "Acknowledged" && last["by"] == "mia" && last["tier"] == "desk", "{status}");
        Ok(())
    })
}

/// What was taken and how it stands goes with the client.
fn handed_over(lab: &Lab, client: &Client) -> Result<()> {
    lab.grant(client)?;
    lab.kubectl.wait(&["ca/prod", "-n", NAMESPACE], "condition=InventoryComplete", caretaker_e2e::PATIENCE)?;
    lab.plugin(&["exit", "outages", "--wait"])?;
    let listed = lab.kubectl.get(&["handovers", "-n", NAMESPACE])?;
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
    let part = std::fs::read_dir(&into)?.next().context("a bag")??.path().join("data/09-incidents-tickets");
    let open = std::fs::read_to_string(part.join(format!("open/{NAME}.json"))).with_context(|| part.display().to_string())?;
    ensure!(open.contains("\"InstanceDown\"") && open.contains("case 4711") && open.contains("caretaker-incident-1"), "{open}");
    let closed = std::fs::read_to_string(part.join("closed/20261101T000000Z-old.json"))?;
    ensure!(closed == "{}\n", "a record goes byte for byte: {closed}");
    Ok(())
}

#[test]
fn an_outage_has_one_owner_and_goes_with_the_client() -> Result<()> {
    let lab = lab();
    let client = Client::new("outages", "200000001401", REGION);
    let mut document = client.document();
    document["spec"]["monitoring"]["tiers"] = tiers();
    refuses(lab, &document)?;
    lab.kubectl.apply(&document.to_string())?;
    lab.until("the stack", || lab.kubectl.get(&["ms", "main", "-n", NAMESPACE]).map(drop))?;
    routes(lab)?;
    // The pods here are no programs, and the operator is set up not to ask them: nothing is said of what nobody was asked.
    lab.condition(&["ms", "main", "-n", NAMESPACE], "IncidentsRecorded", "Unknown", "NotRequested")?;

    let incident = json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "Incident", "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {"alert": "InstanceDown", "labels": {"account": client.account, "region": REGION}, "openedAt": "2026-11-03T10:00:00Z"},
    });
    lab.kubectl.apply(&incident.to_string())?;
    lab.condition(&["inc", NAME, "-n", NAMESPACE], "IncidentFollowed", "Unknown", "Unreachable")?;
    let listed = lab.plugin(&["incidents", "outages"])?;
    ensure!(listed.contains(NAME) && listed.contains("Opened") && listed.contains("desk") && listed.contains("caretaker ack"), "{listed}");
    ensure!(listed.lines().all(|line| line.chars().count() <= 100), "{listed}");
    takes(lab)?;

    // By the plugin: it takes over from mia, and says what it has seen, which is that nothing is held back.
    let said = lab.plugin(&["ack", NAME])?;
    ensure!(
        said.contains("is taken from mia by")
            && said.split_whitespace().collect::<Vec<_>>().join(" ").contains("cannot be asked to hold back pages"),
        "{said}"
    );
    let told = lab.plugin(&["incidents", "outages", "--name", NAME])?;
    ensure!(told.contains("Acknowledged") && told.contains("mia") && told.contains("case 4711"), "{told}");
    let json: Value = serde_json::from_str(&lab.plugin(&["incidents", "-o", "json"])?)?;
    ensure!(json.as_array().is_some_and(|all| all.iter().any(|incident| incident["metadata"]["name"] == NAME)), "{json}");
    let unknown = lab.plugin(&["ack", "nothing-at-all"]).err().map(|error| format!("{error:#}")).unwrap_or_default();
    ensure!(unknown.contains("there is no incident nothing-at-all"), "{unknown}");

    // No Alertmanager answers here, and no page is called delivered.
    let said = lab.plugin(&["page-test", "outages"]).err().map(|error| format!("{error:#}")).unwrap_or_default();
    ensure!(said.contains("not every tier was reached"), "{said}");
    lab.condition(&["ms", "main", "-n", NAMESPACE], "PagesProven", "False", "TestFailed")?;
    let told = lab.plugin(&["page-test", "outages", "--last"])?;
    ensure!(told.matches("not proved   never").count() == 3 && told.contains("does not answer"), "{told}");

    let uid = lab.kubectl.get(&["mc", "outages"])?["metadata"]["uid"].as_str().context("a uid")?.to_owned();
    let closed = lab.installed.volume("store").join(format!("clients/outages/incidents/{uid}/closed"));
    std::fs::create_dir_all(&closed)?;
    std::fs::write(closed.join("20261101T000000Z-old.json"), "{}\n")?;
    handed_over(lab, &client)
}
