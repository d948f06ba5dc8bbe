//! The operator dies after every single write, and goes on where it was; and two operators at once do the work of one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use caretaker_e2e::{Client, Lab, PATIENCE};
use caretaker_testkit::operator::ENDS_WITHIN;
use caretaker_testkit::process::run;
use serde_json::Value;

/// Longest life of an operator that is to die at a write: one that has not by then waits for something.
const LIFE: Duration = Duration::from_secs(8);
/// Writes at which nobody need die: what was just read is written anew by each process that begins again, so that no life would come any further.
const READINGS: &str = "/inventory/,/backups/";
/// Deaths at one write, until another one is come to for the first time. A step of several writes begins anew in each life, and so would never end.
const DEATHS: u32 = 3;
/// Lives after which the goals are out of reach.
const MAX_LIVES: u32 = 400;

/// The writes of one life. Segments of a ledger are one write, whatever their numbers.
fn writes(log: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let plain = |write: &str| match write.split_once("/ledger/") {
        Some((folder, _)) => format!("{folder}/ledger/"),
        None => write.to_owned(),
    };
    text.lines().filter_map(|line| Some(plain(line.split_once(' ')?.1))).collect()
}

/// The lives of an operator that dies at its writes.
struct Lives<'a> {
    lab: &'a Lab,
    folder: tempfile::TempDir,
    died_at: BTreeSet<String>,
    /// Deaths at each write since the last new one.
    deaths: BTreeMap<String, u32>,
    count: u32,
    /// A line of each life.
    told: Vec<String>,
}

impl<'a> Lives<'a> {
    fn new(lab: &'a Lab) -> Result<Self> {
        Ok(Self { lab, folder: tempfile::tempdir()?, died_at: BTreeSet::new(), deaths: BTreeMap::new(), count: 0, told: Vec::new() })
    }

    /// The writes at which the next life does not die, as `CARETAKER_KILL_EXCEPT` takes them.
    fn spared(&self) -> String {
        let tired = self.deaths.iter().filter(|(_, deaths)| **deaths >= DEATHS);
        // A segment of a ledger has no number here, any other write is named to its end.
        let texts = tired.map(|(write, _)| if write.ends_with("/ledger/") { write.clone() } else { format!("{write}$") });
        std::iter::once(READINGS.to_owned()).chain(texts).collect::<Vec<_>>().join(",")
    }

    /// Several controllers write at the same time: all that was under way at the kill point died there.
    fn died(&mut self, writes: &[String]) {
        if writes.iter().any(|write| self.died_at.insert(write.clone())) {
            self.deaths.clear();
        }
        for write in writes.iter().collect::<BTreeSet<_>>() {
            *self.deaths.entry(write.clone()).or_default() += 1;
        }
    }

    /// One life that ends at its first write, or when nothing is left to write, or at the goal. Gives whether the goal is reached.
    fn live(&mut self, kill_at: &str, goal: &mut impl FnMut() -> Result<bool>) -> Result<bool> {
        self.count += 1;
        let log = self.folder.path().join(self.count.to_string());
        let (spared, log_path) = (self.spared(), log.display().to_string());
        self.lab.start(&[("CARETAKER_KILL_AT", kill_at), ("CARETAKER_KILL_EXCEPT", &spared), ("CARETAKER_WRITE_LOG", &log_path)])?;
        let began = Instant::now();
        let mut reached = false;
        while began.elapsed() < LIFE && !reached && self.lab.with_operator(|operator| operator.process.is_running()) {
            std::thread::sleep(Duration::from_millis(50));
            reached = goal()?;
        }
        self.lab.with_operator(|operator| operator.process.kill());
        let now = writes(&log);
        self.told.push(format!("life {:3} ended {kill_at} after {:4.1} s: {}", self.count, began.elapsed().as_secs_f64(), now.join(", ")));
        self.died(&now);
        Ok(reached || goal()?)
    }

    /// The last lives, for whoever reads that something went wrong: hundreds of lines would hide it.
    fn last(&self) -> String {
        self.told[self.told.len().saturating_sub(12)..].join("\n")
    }

    /// Dies at each write, by turns after it was answered and before the next is sent, until the goal is reached.
    fn until(&mut self, mut goal: impl FnMut() -> Result<bool>) -> Result<()> {
        while self.count < MAX_LIVES {
            let kill_at = if self.count.is_multiple_of(2) { "after:1" } else { "before:2" };
            if self.live(kill_at, &mut goal)? {
                return Ok(());
            }
        }
        anyhow::bail!("the goal was not reached in {MAX_LIVES} lives: {:#?}", self.deaths)
    }
}

fn is_true(object: &Value, condition: &str) -> bool {
    let generation = object["metadata"]["generation"].as_i64();
    object["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|found| found["type"] == condition && found["status"] == "True" && found["observedGeneration"].as_i64() == generation)
}

/// Kinds and names of what was made for a client.
fn made(lab: &Lab, client: &Client) -> Result<BTreeSet<String>> {
    let kinds = "configmaps,resourcequotas,limitranges,networkpolicies,rolebindings,cloudaccounts,monitoringstacks,backuppolicies,prometheuses,alertmanagers,prometheusrules,alertmanagerconfigs,serviceaccounts";
    let jsonpath = r#"jsonpath={range .items[*]}{.kind}/{.metadata.name}{"\n"}{end}"#;
    let text = lab.kubectl.run(&["get", kinds, "-n", &format!("client-{}", client.name), "-o", jsonpath])?;
    Ok(text.lines().map(|line| line.replace(&client.name, "NAME")).collect())
}

fn bundles(lab: &Lab, client: &Client) -> Result<Vec<PathBuf>> {
    let store = lab.installed.volume("store");
    let listed = run(Command::new("find").arg(&store).args(["-name", "*.age", "-path", &format!("*{}*", client.name)]))?;
    Ok(listed.lines().map(PathBuf::from).collect())
}

#[test]
fn the_operator_dies_after_every_write_and_ends_in_the_same_state() -> Result<()> {
    let lab = &Lab::own("killed")?;
    // What an undisturbed onboarding makes.
    let calm = Client::new("calm", "200000000101", "eu-west-1");
    lab.onboard(&calm)?;
    a_restart_writes_nothing(lab)?;
    let mut lives = Lives::new(lab)?;
    if let Err(error) = dies_and_goes_on(lab, &mut lives, &calm) {
        return Err(error.context(lives.last()));
    }
    lab.start(&[])?;
    a_restart_writes_nothing(lab)?;
    two_operators(lab)
}

fn dies_and_goes_on(lab: &Lab, lives: &mut Lives, calm: &Client) -> Result<()> {
    let client = Client::new("killed", "200000000102", "eu-west-2");
    lab.cloud.call(&["instances", &client.account, "eu-west-2", "2", "web", "db"], "")?;
    lab.kubectl.apply(&client.document().to_string())?;
    let mut granted = false;
    lives.until(|| {
        if !granted && lab.kubectl.get(&["configmap", "prod-grant-kit", "-n", "client-killed"]).is_ok() {
            lab.grant(&client)?;
            granted = true;
        }
        Ok(is_true(&lab.kubectl.get(&["mc", "killed"])?, "Ready"))
    })?;
    let onboarding = lives.died_at.len();
    for part in ["namespaces", "networkpolicies", "cloudaccounts", "make the backup vault", "make the backup plan", "add the selection"] {
        ensure!(lives.died_at.iter().any(|write| write.contains(part)), "no death at a write of {part}: {:#?}", lives.died_at);
    }
    let held = lab.cloud.call(&["backup", &client.account, "eu-west-2"], "")?;
    ensure!(held["plans"].as_array().is_some_and(|plans| plans.len() == 1 && plans[0]["selections"] == 1), "{held}");
    ensure!(held["vaults"].as_array().is_some_and(|vaults| vaults.len() == 1), "{held}");

    let final_exit = serde_json::json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "Handover", "metadata": {"name": "final", "namespace": "client-killed"},
        "spec": {"mode": "Final", "client": "killed"},
    });
    lab.kubectl.apply(&final_exit.to_string())?;
    let handover = || lab.kubectl.get(&["handover", "final", "-n", "client-killed"]);
    lives.until(|| Ok(is_true(&handover()?, "BundleDelivered")))?;
    ensure!(bundles(lab, &client)?.len() == 1, "one bundle and no other: {:?}", bundles(lab, &client)?);
    let digest = handover()?["status"]["bundle"]["sha256"].as_str().context("the bundle has a digest")?.to_owned();
    let sum = run(Command::new("sha256sum").arg(&bundles(lab, &client)?[0]))?;
    ensure!(sum.starts_with(&digest), "{sum} is not {digest}");

    lab.accept(&client, &[])?;
    lives.until(|| Ok(is_true(&lab.kubectl.get(&["mc", "killed"])?, "HandedOver")))?;
    for part in ["take all permissions but", "close our role", "configmaps/final-revocation"] {
        ensure!(lives.died_at.iter().any(|write| write.contains(part)), "no death at a write of {part}: {:#?}", lives.died_at);
    }
    println!("{} lives, died at {} different writes, {onboarding} of them of the onboarding", lives.count, lives.died_at.len());
    let role = lab.cloud.call(&["role", &client.account, "CaretakerAccess"], "")?;
    ensure!(role["trust"]["Statement"][0]["Effect"] == "Deny", "our role is not closed: {role}");
    // The one difference that a death can make: between closing the role and dropping its last permission nobody can come back for that one.
    let left = role["inline"].as_array().context("the role's policies")?;
    ensure!(left.iter().all(|policy| policy == "caretaker-revoke"), "our role still has permissions: {role}");
    let told = handover()?["status"]["revocations"][0]["left"].as_str().unwrap_or_default().to_owned();
    ensure!(told.contains("CaretakerAccess") && (left.is_empty() || told.contains("we cannot see")), "{told} beside {role}");
    ensure!(handover()?["status"]["revocations"][0]["refusals"].as_u64() >= Some(3), "{}", handover()?["status"]);
    ensure!(bundles(lab, &client)?.len() == 1, "one bundle and no other");

    // Undisturbed again, and the same as if it had never died.
    lab.start(&[])?;
    lab.condition(&["mc", "calm"], "Ready", "True", "")?;
    let (one, other) = (made(lab, calm)?, made(lab, &client)?);
    let lost: Vec<_> = one.difference(&other).collect();
    ensure!(lost.is_empty(), "missing beside an undisturbed client: {lost:?}");
    lab.with_operator(|operator| operator.process.stop(ENDS_WITHIN))?;
    erased_once(lab, lives)
}

/// What is held of the client that has left is erased under kills: nothing stays, nothing that proves the exit goes, and one certificate tells of it.
fn erased_once(lab: &Lab, lives: &mut Lives) -> Result<()> {
    let keep = serde_json::json!({"spec": {"exit": {"retrievalDays": 0, "dispositions": [{"store": "BackupEvidence", "action": "Retain", "reason": "insurance"}]}}});
    lab.kubectl.run(&["patch", "mc", "killed", "--type=merge", "-p", &keep.to_string()])?;
    lives.until(|| Ok(is_true(&lab.kubectl.get(&["mc", "killed"])?, "DataErased")))?;
    for part in ["store DELETE", "store CREATE clients/killed/ledger", "closing/"] {
        ensure!(lives.died_at.iter().any(|write| write.contains(part)), "no death at a write of {part}: {:#?}", lives.died_at);
    }
    let store = lab.installed.volume("store").join("clients/killed");
    let listed = run(Command::new("find").arg(&store).args(["-type", "f"]))?;
    let of = |part: &str| listed.lines().filter(|path| path.contains(&format!("/clients/killed/{part}/"))).count();
    ensure!(of("inventory") == 0 && of("handovers") == 0 && of("closing") == 2 && of("ledger") > 0, "{listed}");
    let volume = lab.installed.volume("store").display().to_string();
    let told = lab.plugin(&["ledger", "show", "killed", "--store", &volume, "--last", "0"])?;
    for once in ["intends: erase Bundles", "erased Bundles", "erased Inventories"] {
        ensure!(told.matches(once).count() == 1, "{once} is not told once: {told}");
    }
    let held = lab.kubectl.get(&["mc", "killed"])?["status"]["erasure"]["stores"].clone();
    let bundles = held.as_array().into_iter().flatten().find(|row| row["store"] == "Bundles").cloned().unwrap_or_default();
    ensure!(bundles["objects"] == 3 && bundles["erasedAt"].is_string(), "what a kill hid is not in the count: {held}");
    lab.plugin(&["ledger", "verify", "killed", "--store", &volume]).map(drop)
}

/// An operator that comes up and finds everything as it should be writes nothing.
fn a_restart_writes_nothing(lab: &Lab) -> Result<()> {
    // What is no part of Ready may still be told, such as the recovery points.
    let written = || -> Result<Vec<String>> {
        Ok(lab.metrics()?.lines().filter(|line| line.starts_with("caretaker_kubernetes_writes_total")).map(str::to_owned).collect())
    };
    lab.until("an operator that has told all", || {
        let before = written()?;
        std::thread::sleep(Duration::from_secs(2));
        ensure!(written()? == before, "it still writes");
        Ok(())
    })?;
    let log = tempfile::NamedTempFile::new()?;
    lab.with_operator(|operator| operator.process.stop(ENDS_WITHIN))?;
    lab.start(&[("CARETAKER_WRITE_LOG", &log.path().display().to_string())])?;
    lab.until("an operator that leads", || {
        ensure!(lab.metrics()?.contains("caretaker_leader 1"), "not yet");
        Ok(())
    })?;
    std::thread::sleep(Duration::from_secs(5));
    let wrote = writes(log.path());
    ensure!(wrote.is_empty(), "a restart wrote {wrote:#?}");
    lab.with_operator(|operator| operator.process.stop(ENDS_WITHIN))?;
    Ok(())
}

/// One operator is stopped in the middle of its writes, long enough to lose its lease, and wakes up when another has done the work.
fn two_operators(lab: &Lab) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let logs = [folder.path().join("first"), folder.path().join("second")];
    lab.with_operator(|operator| operator.process.stop(ENDS_WITHIN))?;
    let mut first = lab.installed.start("caretaker-0", &[("CARETAKER_WRITE_LOG", &logs[0].display().to_string())])?;
    let client = Client::new("pair", "200000000103", "eu-west-3");
    lab.kubectl.apply(&client.document().to_string())?;
    lab.until("the first writes", || {
        ensure!(writes(&logs[0]).iter().any(|write| write.contains("client-pair")), "none yet");
        Ok(())
    })?;
    let signal = |name: &str, id: u32| run(Command::new("kill").args([name, &id.to_string()]));
    signal("-STOP", first.process.id())?;
    let held = writes(&logs[0]).len();
    let mut second = lab.installed.start("caretaker-1", &[("CARETAKER_WRITE_LOG", &logs[1].display().to_string())])?;
    lab.grant(&client)?;
    lab.kubectl.wait(&["mc/pair"], "condition=Ready", PATIENCE)?;
    signal("-CONT", first.process.id())?;
    lab.until("the word of the first that it leads no more", || {
        let log = std::fs::read_to_string(first.process.log())?;
        ensure!(log.contains("the lease was lost"), "not yet");
        Ok(())
    })?;
    std::thread::sleep(Duration::from_secs(5));
    ensure!(first.process.is_running(), "an operator that lost its lease stands by");
    let after = writes(&logs[0]).len();
    ensure!(after == held, "the operator without the lease wrote {:?}", &writes(&logs[0])[held..]);
    ensure!(second.process.is_running(), "the second operator must go on");
    let held = lab.cloud.call(&["backup", &client.account, "eu-west-3"], "")?;
    ensure!(held["plans"].as_array().is_some_and(|plans| plans.len() == 1 && plans[0]["selections"] == 1), "{held}");
    first.process.stop(ENDS_WITHIN)?;
    second.process.stop(ENDS_WITHIN)?;
    lab.start(&[])
}
