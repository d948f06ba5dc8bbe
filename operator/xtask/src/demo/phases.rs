//! The phases of the client's contract: looked at before it, joint work under it, its end in sight, and closed.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::stage::Stage;
use super::{CLIENT, PATIENCE};
use crate::world::Progress;

/// The client's namespace.
const SPACE: &str = "client-acme";
/// Who says yes for the client.
const JO: &str = "jo@acme.example";

/// Before the contract: everything was read, and nothing was written.
pub(super) fn assess(progress: &Progress, stage: &Stage) -> Result<()> {
    progress.say("no contract yet: everything is read and nothing is written in any cloud: kubectl caretaker assessment acme");
    stage.plugin(&["assessment", "acme"])?;
    stage.plugin(&["coverage", "acme"])?;
    stage.plugin(&["inventory", "acme"])
}

/// The contract: backups are a joint domain, so that each change of them waits for the client's yes.
pub(super) fn sign(progress: &Progress, stage: &mut Stage) -> Result<()> {
    progress.say("the contract is signed, and backups are a joint domain: the kit asks for more, and the client applies it again");
    let domains = json!([{"name": "Backup", "authority": "Joint"}]);
    patch(stage, &json!({"lifecycle": {"stage": "Contract"}, "deliveryModel": "CoManaged", "domains": domains}))?;
    for account in ["prod", "azure", "gcp"] {
        until("the kit of the contract", || kit_of_the_contract(stage, account))?;
    }
    let kits = stage.folder.join("kits-of-the-contract");
    stage.plugin(&["kit", "acme", "--to", &kits.display().to_string()])?;
    stage.apply_kits(&kits)?;
    for account in ["prod", "azure", "gcp"] {
        stage.poke("ca", account, SPACE)?;
    }
    let role = "--clusterrole=caretaker-client-approver";
    stage.kubectl.run(&["create", "rolebinding", "approver", "-n", SPACE, role, &format!("--user={JO}")])?;
    progress.say("the backups that are asked for wait in a change: kubectl caretaker changes acme");
    decide(progress, stage, "the vault, the plan and the selection")?;
    night(progress, stage, "eu-west-1")?;
    progress.say("what is missing before the contract is in full force? kubectl caretaker gates acme");
    until("the gate that names what has no backup", || {
        let gates = stage.kubectl.get(&["mc", "acme"])?["status"]["gates"].to_string();
        ensure!(gates.contains("the policy is not about us-east-1"), "{gates}");
        Ok(())
    })?;
    stage.plugin(&["gates", "acme"])?;
    progress.say("so the backups are to reach the machines of the other region, too");
    patch(stage, &json!({"backups": {"regions": ["eu-west-1", "us-east-1"]}}))?;
    decide(progress, stage, "the other region")?;
    night(progress, stage, "us-east-1")?;
    let phase = stage.kubectl.wait(&["mc/acme"], "jsonpath={.status.lifecycle.phase}=Active", PATIENCE);
    stage.plugin(&["gates", "acme"])?;
    phase.map(drop)
}

/// The nightly job of the plan in a region.
fn night(progress: &Progress, stage: &mut Stage, region: &str) -> Result<()> {
    progress.say(format!("the plan's first night in {region}: each machine that it selects has a recovery point (emulated)"));
    let machines = stage.machines.get(region).context("machines of the region")?.join(" ");
    stage.clouds.say(&format!("night {CLIENT} {region} caretaker-acme-main {machines}"))?;
    stage.poke("bp", "main", SPACE)
}

/// Fails as long as an account's kit is the one of the assessment, which asks for nothing that writes.
fn kit_of_the_contract(stage: &Stage, account: &str) -> Result<()> {
    let found = stage.kubectl.get(&["ca", account, "-n", SPACE])?;
    ensure!(found["spec"]["allow"].as_array().is_some_and(|allow| !allow.is_empty()), "it is as in the assessment");
    let conditions = found["status"]["conditions"].as_array();
    let published = conditions.into_iter().flatten().find(|condition| condition["type"] == "KitPublished").context("no kit")?;
    ensure!(published["status"] == "True" && published["observedGeneration"] == found["metadata"]["generation"], "{published}");
    Ok(())
}

/// One more change, and what takes it back: a plan like any other.
pub(super) fn change_and_undo(progress: &Progress, stage: &Stage) -> Result<()> {
    progress.say("the backups are to be kept for 42 days in place of 35");
    patch(stage, &json!({"backups": {"retentionDays": 42}}))?;
    decide(progress, stage, "42 days")?;
    progress.say("the client thinks better of it: what was done is taken back by the same way");
    patch(stage, &json!({"backups": {"retentionDays": 35}}))?;
    decide(progress, stage, "35 days again")?;
    stage.plugin(&["changes", "acme"])
}

/// The contract ends soon.
pub(super) fn near_the_end(progress: &Progress, stage: &Stage) -> Result<()> {
    progress.say("the contract ends in 20 days, with 30 days' notice: renew it, or leave");
    let end = (Timestamp::now() + SignedDuration::from_hours(24 * 20)).strftime("%F").to_string();
    patch(stage, &json!({"exit": {"contract": {"endsOn": end, "noticeDays": 30}}}))?;
    stage.kubectl.wait(&["mc/acme"], "jsonpath={.status.lifecycle.phase}=Renewal", PATIENCE)?;
    progress.say("what is not as it should be, who acts, and until when? kubectl caretaker risks acme");
    stage.plugin(&["risks", "acme"])
}

/// Both sides agree that all is over before the contract's last day: what the provider holds is erased.
pub(super) fn close(progress: &Progress, stage: &Stage) -> Result<()> {
    progress
        .say("the client has all it wants, and both agree that nothing need be kept until the contract's last day: our copies are erased");
    patch(stage, &json!({"exit": {"contract": null, "retrievalDays": 0}}))?;
    stage.kubectl.wait(&["mc/acme"], "jsonpath={.status.lifecycle.phase}=Closed", PATIENCE)?;
    stage.plugin(&["closing", "acme"])?;
    stage.plugin(&["gates", "acme"])
}

fn patch(stage: &Stage, spec: &Value) -> Result<()> {
    stage.kubectl.run(&["patch", "mc", "acme", "--type=merge", "-p", &json!({"spec": spec}).to_string()]).map(drop)
}

/// Waits for the change that waits for a yes, shows it, has Jo say yes, and waits until it is done.
fn decide(progress: &Progress, stage: &Stage, what: &str) -> Result<()> {
    let change = until("a change that waits for the client's word", || {
        let all = stage.kubectl.get(&["chreq", "-n", SPACE])?;
        let waits = all["items"].as_array().into_iter().flatten().find(|change| change["status"]["state"] == "Proposed").cloned();
        waits.context("none yet")
    })?;
    let name = change["metadata"]["name"].as_str().context("a change has a name")?;
    stage.plugin(&["changes", "show", "acme", name])?;
    progress.say(format!("{JO} says yes to {what}: kubectl caretaker changes approve acme {name}"));
    let decision = json!({"spec": {"decision": {"verdict": "Approve", "by": JO, "digest": change["spec"]["digest"]}}}).to_string();
    stage.kubectl.run(&["patch", "chreq", name, "-n", SPACE, "--type=merge", "-p", &decision, &format!("--as={JO}")])?;
    stage.kubectl.wait(&["chreq", name, "-n", SPACE], "jsonpath={.status.state}=Applied", PATIENCE).map(drop)
}

fn until<T>(what: &str, mut check: impl FnMut() -> Result<T>) -> Result<T> {
    let began = Instant::now();
    loop {
        match check() {
            Err(error) if began.elapsed() > PATIENCE => return Err(error.context(format!("{what} did not come"))),
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(300)),
            found => return found,
        }
    }
}
