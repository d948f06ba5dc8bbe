//! The phases of a contract: an assessment reads everything and writes nothing, whatever the contract would allow; the gates say what is missing and who acts;
//! and what was there at the beginning is frozen once.

use anyhow::{Context, Result, ensure};
use caretaker_e2e::{Client, Lab, lab};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const NAME: &str = "prospect";
const SPACE: &str = "client-prospect";
const OBJECT: [&str; 2] = ["mc", NAME];
const POLICY: [&str; 4] = ["bp", "main", "-n", SPACE];
const ACCOUNT: [&str; 4] = ["ca", "prod", "-n", SPACE];

struct Way {
    lab: &'static Lab,
    client: Client,
}

impl Way {
    /// A client whose contract would let everything be written: the domain is the provider's, and the account allows it.
    fn begin() -> Result<Self> {
        let lab = lab();
        let client = Client::new(NAME, "200000002301", "eu-west-1");
        let mut document = client.document();
        let spec = document["spec"].as_object_mut().context("a client has a spec")?;
        spec.remove("monitoring");
        spec.insert("deliveryModel".into(), json!("CoManaged"));
        spec.insert("domains".into(), json!([{"name": "Backup", "authority": "Provider"}]));
        spec.insert("regulatedData".into(), json!(["PHI"]));
        let out = json!([{"service": "Monitoring", "by": "Jo Doe", "reason": "watched in house"}]);
        spec.insert("lifecycle".into(), json!({"stage": "Assessment", "outOfScope": out}));
        lab.kubectl.apply(&document.to_string())?;
        lab.grant(&client)?;
        Ok(Self { lab, client })
    }

    fn patch(&self, spec: &Value) -> Result<String> {
        self.lab.kubectl.run(&["patch", "mc", NAME, "--type=merge", "-p", &json!({"spec": spec}).to_string()])
    }

    fn store(&self) -> String {
        self.lab.installed.volume("store").display().to_string()
    }

    fn status(&self) -> Result<Value> {
        Ok(self.lab.kubectl.get(&OBJECT)?["status"].clone())
    }

    /// Waits for a phase in which exactly these gates are closed.
    fn phase(&self, phase: &str, closed: &[&str]) -> Result<Value> {
        self.lab.until(&format!("the phase {phase} with {closed:?} closed"), || {
            let status = self.status()?;
            let gates = status["gates"].as_array().cloned().unwrap_or_default();
            let found: Vec<&str> = gates.iter().filter(|gate| gate["state"] == "Closed").filter_map(|gate| gate["name"].as_str()).collect();
            ensure!(status["lifecycle"]["phase"] == phase && found == closed, "{} {gates:?}", status["lifecycle"]);
            Ok(status)
        })
    }
}

/// Everything is read, all that would be written is shown, and no write comes to the cloud.
fn an_assessment_reads_and_writes_nothing(way: &Way) -> Result<()> {
    let lab = way.lab;
    lab.condition(&ACCOUNT, "AccessProven", "True", "")?;
    lab.condition(&ACCOUNT, "InventoryComplete", "True", "Settled")?;
    let account = lab.kubectl.get(&ACCOUNT)?;
    ensure!(account["spec"]["allow"] == json!([]), "{}", account["spec"]);
    let kit = lab.kubectl.get(&["configmap", "prod-grant-kit", "-n", SPACE])?["data"].to_string();
    ensure!(!kit.contains("backup:CreateBackup") && !kit.contains("iam:DeleteRole"), "the kit of an assessment asks for writes: {kit}");
    let message = lab.condition(&POLICY, "BackupsReady", "True", "ObserveOnly")?;
    ensure!(message.contains("assessment"), "{message}");
    let status = way.status()?;
    ensure!(status["lifecycle"]["phase"] == "Assessment", "{}", status["lifecycle"]);
    let gates = status["gates"].as_array().cloned().unwrap_or_default();
    let is = |name: &str, state: &str| gates.iter().any(|gate| gate["name"] == name && gate["state"] == state);
    ensure!(is("Contract", "Closed") && is("Agreements", "Closed") && is("Access", "Open") && is("Monitoring", "Open"), "{gates:?}");
    let domain = &status["delivery"]["domains"][0];
    ensure!(domain["writes"] == "Never" && domain["because"].as_str().is_some_and(|why| why.contains("assessment")), "{domain}");
    let writes = lab.writes_into(&way.client.account);
    ensure!(writes.is_empty(), "an assessment wrote: {writes:?}");

    let report: Value = serde_json::from_str(&lab.plugin(&["assessment", NAME, "-o", "json"])?)?;
    ensure!(report["readOnly"] == true && report["phase"] == "Assessment" && report["accounts"][0]["access"] == true, "{report}");
    ensure!(report["assets"].as_u64() > Some(0) && report["risks"].as_array().is_some_and(|risks| !risks.is_empty()), "{report}");
    let folder = tempfile::tempdir()?;
    lab.plugin(&["assessment", NAME, "--to", &folder.path().display().to_string()])?;
    let page = std::fs::read_to_string(folder.path().join("assessment.html"))?;
    ensure!(page.contains("nothing may be written in any cloud") && page.contains("200000002301"), "{page}");
    Ok(())
}

/// The contract: what was shown is written, and the missing agreement keeps the client from Active.
fn a_missing_agreement_blocks_active(way: &Way) -> Result<()> {
    let lab = way.lab;
    way.patch(&json!({"lifecycle": {"stage": "Contract"}}))?;
    lab.until("the kit asks for what the account allows", || {
        let kit = lab.kubectl.get(&["configmap", "prod-grant-kit", "-n", SPACE])?["data"].to_string();
        ensure!(kit.contains("backup:CreateBackup"), "{kit}");
        Ok(())
    })?;
    lab.grant(&way.client)?;
    lab.condition(&POLICY, "BackupsReady", "True", "Settled")?;
    ensure!(!lab.writes_into(&way.client.account).is_empty(), "nothing was written under the contract");
    // The client makes its backups itself from now on, and says so.
    let out = |service: &str| json!({"service": service, "by": "Jo Doe", "reason": "done in house"});
    way.patch(&json!({"backups": null, "lifecycle": {"outOfScope": [out("Monitoring"), out("Backups")]}}))?;
    way.phase("Onboarding", &["Agreements"])?;
    let message = lab.condition(&OBJECT, "AgreementsInForce", "False", "AgreementMissing")?;
    ensure!(message.contains("BAA") && message.contains("45 CFR 164.504(e)"), "{message}");
    let told = lab.plugin(&["gates", NAME])?;
    ensure!(told.contains("Onboarding") && told.contains("CLOSED  Agreements (before Active, Provider acts)"), "{told}");
    let risks: Value = serde_json::from_str(&lab.plugin(&["risks", NAME, "-o", "json"])?)?;
    let all = risks[0]["risks"].as_array().cloned().unwrap_or_default();
    let agreements: Vec<&Value> = all.iter().filter(|risk| risk["condition"] == "AgreementsInForce").collect();
    ensure!(agreements.len() == 1 && agreements[0]["overdue"] == true && agreements[0]["owner"] == "Provider", "{risks}");
    Ok(())
}

/// The agreement is signed: the client is Active, and the inventory of that moment is frozen once, in the ledger and in the status.
fn the_baseline_is_frozen_once(way: &Way) -> Result<()> {
    let lab = way.lab;
    let day = |days: i64| (Timestamp::now() + SignedDuration::from_hours(24 * days)).strftime("%Y-%m-%d").to_string();
    let baa = json!({"kind": "BAA", "party": "Provider", "reference": "DMS-1", "signedOn": day(-2), "expiresOn": day(20)});
    let backwards = json!({"kind": "BAA", "party": "Provider", "reference": "DMS-1", "signedOn": "the 1st of May"});
    ensure!(way.patch(&json!({"agreements": [backwards]})).is_err_and(|error| error.to_string().contains("signedOn")), "a day in words");
    way.patch(&json!({"agreements": [baa]}))?;
    let status = way.phase("Active", &[])?;
    let baseline = &status["lifecycle"]["baseline"];
    ensure!(baseline["accounts"] == 1 && baseline["assets"].as_u64() > Some(0), "{baseline}");
    let near = status["deadlines"].as_array().into_iter().flatten().find(|deadline| deadline["kind"] == "Agreement").cloned();
    ensure!(near.is_some_and(|near| near["state"] == "Near" && near["rule"] == "BAA"), "{}", status["deadlines"]);

    // Whatever is read later, and whatever is said later, the baseline stays.
    lab.poke(NAME)?;
    way.patch(&json!({"lifecycle": {"stage": "Assessment"}}))?;
    let message = lab.condition(&OBJECT, "Ready", "False", "InvalidSpec")?;
    ensure!(message.contains("an assessment comes before the contract"), "{message}");
    way.patch(&json!({"lifecycle": {"stage": "Contract"}}))?;
    let later = way.phase("Active", &[])?;
    ensure!(later["lifecycle"] == status["lifecycle"], "{} {}", status["lifecycle"], later["lifecycle"]);
    let ledger = lab.plugin(&["ledger", "show", NAME, "--store", &way.store(), "--last", "0"])?;
    ensure!(ledger.matches("baseline frozen:").count() == 1, "{ledger}");

    let undo: Value = serde_json::from_str(&lab.plugin(&["ledger", "undo-plan", NAME, "--store", &way.store(), "-o", "json"])?)?;
    let writes = undo.as_array().cloned().unwrap_or_default();
    ensure!(!writes.is_empty() && writes.iter().all(|write| write["undoable"] == "Yes" && write["account"] == "prod"), "{undo}");
    ensure!(writes.last().is_some_and(|first| first["reverse"].as_str().is_some_and(|text| text.contains("backup vault"))), "{undo}");
    Ok(())
}

#[test]
fn a_client_goes_from_its_assessment_to_active() -> Result<()> {
    let way = Way::begin()?;
    an_assessment_reads_and_writes_nothing(&way)?;
    a_missing_agreement_blocks_active(&way)?;
    the_baseline_is_frozen_once(&way)
}
