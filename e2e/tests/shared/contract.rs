//! The contract: who may do what, who said yes, and what was done. A write in a joint domain waits for a person of the
//! client's; nobody of the provider's can say that word, and what was said yes to is done once, as it was read.

use anyhow::{Context, Result, ensure};
use caretaker_e2e::{Client, Lab, lab};
use caretaker_testkit::operator::{NAMESPACE, RELEASE};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const NAME: &str = "joint";
const SPACE: &str = "client-joint";
const POLICY: [&str; 4] = ["bp", "main", "-n", SPACE];
const JO: &str = "jo@joint.example";

struct Contract {
    lab: &'static Lab,
    client: Client,
}

impl Contract {
    /// The client with a joint domain, and Jo as the one who may approve.
    fn begin() -> Result<Self> {
        let lab = lab();
        let client = Client::new(NAME, "200000001701", "eu-west-1");
        let mut document = client.document();
        let spec = document["spec"].as_object_mut().context("a client has a spec")?;
        spec.remove("monitoring");
        spec.insert("deliveryModel".into(), json!("CoManaged"));
        spec.insert("domains".into(), json!([{"name": "Backup", "authority": "Joint"}]));
        lab.kubectl.apply(&document.to_string())?;
        lab.grant(&client)?;
        let role = format!("--clusterrole={RELEASE}-client-approver");
        lab.kubectl.run(&[
            "create",
            "rolebinding",
            "approver",
            "-n",
            SPACE,
            &role,
            &format!("--user={JO}"),
            "--serviceaccount=client-joint:bot",
        ])?;
        Ok(Self { lab, client })
    }

    fn store(&self) -> String {
        self.lab.installed.volume("store").display().to_string()
    }

    /// Writes that the client's cloud saw.
    fn writes(&self) -> Vec<String> {
        self.lab.writes_into(&self.client.account).into_iter().filter(|call| call.starts_with("backup")).collect()
    }

    fn changes(&self) -> Result<Vec<Value>> {
        let text = self.lab.kubectl.run(&["get", "chreq", "-n", SPACE, "-o", "json"])?;
        let list: Value = serde_json::from_str(&text)?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    }

    /// The one change in a state.
    fn in_state(&self, state: &str) -> Result<Value> {
        self.lab.until(&format!("a change that is {state}"), || {
            let all = self.changes()?;
            let found = all.iter().find(|change| change["status"]["state"] == state).cloned();
            found.with_context(|| format!("{all:?}\n{}", self.lab.log().lines().rev().take(20).collect::<Vec<_>>().join("\n")))
        })
    }

    fn decide(&self, change: &Value, who: &[&str], decision: &Value) -> Result<String> {
        let patch = json!({"spec": {"decision": decision}}).to_string();
        let name = change["metadata"]["name"].as_str().context("a name")?;
        self.lab.kubectl.run(&[&["patch", "chreq", name, "-n", SPACE, "--type=merge", "-p", &patch], who].concat())
    }

    fn refused(&self, (why, change): (&str, &Value), who: &[&str], decision: &Value, words: &str) -> Result<()> {
        let said = self.decide(change, who, decision).err().with_context(|| format!("{why}: let through"))?.to_string();
        ensure!(said.contains(words), "{why}: {words} is not in: {said}");
        Ok(())
    }

    fn patch_client(&self, spec: &Value) -> Result<String> {
        self.lab.kubectl.run(&["patch", "mc", NAME, "--type=merge", "-p", &json!({"spec": spec}).to_string()])
    }

    fn ledger(&self) -> Result<String> {
        self.lab.plugin(&["ledger", "show", NAME, "--store", &self.store(), "--last", "0"])
    }

    fn poke(&self) -> Result<()> {
        let stamp = format!("caretaker.dev/requested-at={}", std::time::UNIX_EPOCH.elapsed()?.as_nanos());
        self.lab.kubectl.run(&["annotate", "--overwrite", "bp", "main", "-n", SPACE, &stamp])?;
        self.lab.until("the visit", || {
            let handled = self.lab.kubectl.get(&POLICY)?["status"]["lastHandledRequest"].clone();
            ensure!(handled.as_str().is_some_and(|handled| stamp.ends_with(handled)), "{handled}");
            Ok(())
        })
    }
}

fn yes(change: &Value, by: &str) -> Value {
    json!({"verdict": "Approve", "by": by, "digest": change["spec"]["digest"]})
}

/// What is planned waits, and says all that decides.
fn it_is_proposed(contract: &Contract) -> Result<Value> {
    let change = contract.in_state("Proposed")?;
    let message = contract.lab.condition(&POLICY, "BackupsReady", "False", "WaitingForApproval")?;
    ensure!(message.contains(change["metadata"]["name"].as_str().context("a name")?), "{message}");
    contract.lab.condition(&["mc", NAME], "ChangesDecided", "False", "WaitingForApproval")?;
    ensure!(contract.writes().is_empty(), "written without a yes: {:?}", contract.writes());
    ensure!(change["spec"]["reach"]["steps"] == 3 && change["spec"]["reach"]["accounts"][0] == "prod (200000001701)", "{change}");
    let shown = contract.lab.plugin(&["changes", "show", NAME, change["metadata"]["name"].as_str().unwrap_or_default()])?;
    for part in ["make the backup vault caretaker-joint-main", "undo: delete the backup vault", "1 backup vault", "changes approve joint"] {
        ensure!(shown.contains(part), "{part} is not in\n{shown}");
    }
    let listed = contract.lab.plugin(&["changes", NAME])?;
    ensure!(listed.contains("Proposed"), "{listed}");
    Ok(change)
}

/// Everybody tries whose word it is not.
fn nobody_else_can_say_yes(contract: &Contract, change: &Value) -> Result<()> {
    let as_operator = format!("--as=system:serviceaccount:{NAMESPACE}:{RELEASE}");
    let as_bot = "--as=system:serviceaccount:client-joint:bot";
    let as_jo = format!("--as={JO}");
    let name = change["metadata"]["name"].as_str().context("a name")?;
    contract.refused(("an administrator", change), &[], &yes(change, "kubernetes-admin"), "the client decides")?;
    contract.refused(("the operator", change), &[&as_operator], &yes(change, JO), "the client decides")?;
    contract.refused(("a bot", change), &[as_bot], &yes(change, "system:serviceaccount:client-joint:bot"), "a person decides")?;
    contract.refused(("in another's name", change), &[&as_jo], &yes(change, "boss@joint.example"), "must be the user who decides")?;
    contract.refused(("who was given no role", change), &["--as=eve@joint.example"], &yes(change, "eve@joint.example"), "forbidden")?;
    let other = json!({"verdict": "Approve", "by": JO, "digest": "0".repeat(64)});
    contract.refused(("of something else", change), &[&as_jo], &other, "must be spec.digest")?;
    let edit = json!({"spec": {"reach": {"steps": 1}, "decision": yes(change, JO)}}).to_string();
    let said = contract.lab.kubectl.run(&["patch", "chreq", name, "-n", SPACE, "--type=merge", "-p", &edit, &as_jo]);
    ensure!(said.is_err_and(|error| error.to_string().contains("nothing but spec.decision")), "a yes that edits");
    let plugin = contract.lab.plugin(&["changes", "approve", NAME, name, "--yes"]);
    ensure!(plugin.is_err_and(|error| error.to_string().contains("the client decides")), "the plugin knows another way");
    ensure!(contract.writes().is_empty(), "{:?}", contract.writes());
    Ok(())
}

/// Jo says yes: all of it is done, once, under Jo's name.
fn a_yes_is_carried_out_once(contract: &Contract, change: &Value) -> Result<()> {
    contract.decide(change, &[&format!("--as={JO}")], &yes(change, JO))?;
    let applied = contract.in_state("Applied")?;
    ensure!(
        applied["status"]["results"].as_array().is_some_and(|all| all.len() == 3 && all.iter().all(|one| one["done"] == true)),
        "{applied}"
    );
    contract.lab.condition(&POLICY, "BackupsReady", "True", "Settled")?;
    contract.lab.condition(&["mc", NAME], "ChangesDecided", "True", "Settled")?;
    let writes = contract.writes();
    ensure!(writes.len() == 3, "{writes:?}");
    contract.poke()?;
    contract.lab.condition(&POLICY, "BackupsReady", "True", "Settled")?;
    ensure!(contract.writes() == writes, "a second pass wrote");
    let ledger = contract.ledger()?;
    ensure!(
        ledger.contains(&format!("the change was approved and is begun, by {JO}")) && ledger.contains("the change was applied"),
        "{ledger}"
    );
    let entries: Vec<Value> = serde_json::from_str(&contract.lab.plugin(&[
        "ledger",
        "show",
        NAME,
        "--store",
        &contract.store(),
        "--last",
        "0",
        "-o",
        "json",
    ])?)?;
    let intents: Vec<&Value> = entries.iter().map(|line| &line["entry"]).filter(|entry| entry["entry"] == "intent").collect();
    ensure!(intents.len() == 3 && intents.iter().all(|intent| intent["by"]["approval"]["by"] == JO), "{intents:?}");
    contract.refused(("an approval that is taken off", &applied), &[&format!("--as={JO}")], &Value::Null, "spec.decision")
}

/// An emergency does without the yes, says so, and ends by itself.
fn an_emergency_is_told_and_ends(contract: &Contract) -> Result<()> {
    contract.patch_client(&json!({"backups": {"retentionDays": 40}}))?;
    let waiting = contract.in_state("Proposed")?;
    ensure!(contract.writes().len() == 3, "the first yes is no yes to the second plan: {:?}", contract.writes());
    let now = Timestamp::now();
    let at = |seconds: i64| (now + SignedDuration::from_secs(seconds)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let long = json!({"breakGlass": {"by": "Desk", "reason": "ransom", "from": at(-5), "until": at(25 * 3600)}});
    ensure!(contract.patch_client(&long).is_err_and(|error| error.to_string().contains("24 hours")), "longer than a day");
    contract.patch_client(&json!({"breakGlass": {"by": "Desk", "reason": "ransom", "from": at(-5), "until": at(15)}}))?;
    contract.lab.condition(&["mc", NAME], "ChangesDecided", "False", "BreakGlass")?;
    contract.lab.condition(&POLICY, "BackupsReady", "True", "Settled")?;
    let name = waiting["metadata"]["name"].as_str().context("a name")?;
    contract.lab.until("the change is void", || {
        let change = contract.lab.kubectl.get(&["chreq", name, "-n", SPACE])?;
        ensure!(change["status"]["state"] == "Void", "{}", change["status"]);
        Ok(())
    })?;
    ensure!(contract.writes().len() == 4, "{:?}", contract.writes());
    contract.lab.condition(&["mc", NAME], "ChangesDecided", "True", "Settled")?;
    let client = contract.lab.kubectl.get(&["mc", NAME])?;
    let told = &client["status"]["delivery"];
    ensure!(told["breakGlass"]["endedAt"].is_string() && told["domains"][0]["writes"] == "Propose", "{told}");
    let ledger = contract.ledger()?;
    for words in ["EMERGENCY: what waits for the client's yes is written without it, by Desk", "the emergency has ended"] {
        ensure!(ledger.matches(words).count() == 1, "{words} stands once in\n{ledger}");
    }
    Ok(())
}

/// What is the client's is never written, and staff augmentation promises nothing.
fn what_is_the_clients_stays(contract: &Contract) -> Result<()> {
    let writes = contract.writes();
    let theirs = json!({"domains": [{"name": "Backup", "authority": "Client"}], "breakGlass": null, "backups": {"retentionDays": 41}});
    contract.patch_client(&theirs)?;
    let message = contract.lab.condition(&POLICY, "BackupsReady", "True", "ObserveOnly")?;
    ensure!(message.contains("the client's"), "{message}");
    let staff = json!({"deliveryModel": "StaffAugmentation", "domains": null});
    ensure!(contract.patch_client(&staff).is_err_and(|error| error.to_string().contains("only observes")), "staff that may write");
    let accounts =
        json!([{"name": "prod", "aws": {"accountId": contract.client.account, "regions": contract.client.regions}, "allow": ["Revoke"]}]);
    contract.patch_client(&json!({"deliveryModel": "StaffAugmentation", "domains": null, "accounts": accounts}))?;
    let message = contract.lab.condition(&["mc", NAME], "ChangesDecided", "True", "ObserveOnly")?;
    ensure!(message.contains("no managed service"), "{message}");
    ensure!(contract.writes() == writes, "{:?}", contract.writes());
    Ok(())
}

#[test]
fn a_joint_change_is_proposed_approved_by_the_client_alone_and_applied_once() -> Result<()> {
    let contract = Contract::begin()?;
    let change = it_is_proposed(&contract)?;
    nobody_else_can_say_yes(&contract, &change)?;
    a_yes_is_carried_out_once(&contract, &change)?;
    an_emergency_is_told_and_ends(&contract)?;
    what_is_the_clients_stays(&contract)
}
