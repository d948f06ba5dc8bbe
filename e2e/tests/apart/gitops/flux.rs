//! Flux: one Kustomization per client.

use anyhow::{Context, Result, ensure};
use caretaker_e2e::Lab;
use caretaker_testkit::gitops::Flux;
use serde_json::Value;

use super::{Tenants, children_belong_to_no_tool, here, object, plain, profile, stands};

/// A Kustomization for a folder, made from the example's as a provider would.
fn kustomization(tenants: &Tenants, name: &str, folder: &str) -> Result<()> {
    let example = std::fs::read_to_string(tenants.at("flux/clients/aspen-flux.yaml"))?;
    let text = example.replace("client-aspen-flux", &format!("client-{name}")).replace("./clients/aspen-flux", &format!("./{folder}"));
    tenants.write(&format!("flux/clients/{name}.yaml"), &text)
}

fn of(lab: &Lab, name: &str) -> Result<Value> {
    lab.kubectl.get(&["kustomization.kustomize.toolkit.fluxcd.io", name, "-n", "flux-system"])
}

/// Has Flux look at the repository now, and waits until the root Kustomization is at a commit.
fn pull(lab: &Lab, commit: &str) -> Result<()> {
    let stamp = format!("reconcile.fluxcd.io/requestedAt={}", std::time::UNIX_EPOCH.elapsed()?.as_nanos());
    lab.kubectl.run(&["annotate", "--overwrite", "gitrepository", "tenants", "-n", "flux-system", &stamp])?;
    lab.until("the commit at the root", || {
        let seen = of(lab, "tenants")?["status"]["lastAppliedRevision"].clone();
        ensure!(seen.as_str().is_some_and(|seen| seen.contains(commit)), "{seen}");
        Ok(())
    })
}

fn condition(object: &Value, kind: &str) -> Option<(String, String)> {
    let found = object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)?;
    Some((found["status"].as_str()?.to_owned(), found["message"].as_str()?.to_owned()))
}

/// Waits until a Kustomization says something in its condition Ready.
fn says(lab: &Lab, name: &str, status: &str, part: &str) -> Result<String> {
    lab.until(&format!("Ready={status} {part} of {name}"), || {
        let found = of(lab, name)?;
        let (is, message) = condition(&found, "Ready").with_context(|| format!("no word yet: {}", found["status"]))?;
        ensure!(is == status && message.contains(part), "{}", found["status"]);
        Ok(message)
    })
}

/// Asks for a pass of a Kustomization now, and gives the word by which the pass is known.
fn ask(lab: &Lab, name: &str) -> Result<String> {
    let stamp = std::time::UNIX_EPOCH.elapsed()?.as_nanos().to_string();
    let asked = format!("reconcile.fluxcd.io/requestedAt={stamp}");
    lab.kubectl.run(&["annotate", "--overwrite", "kustomization.kustomize.toolkit.fluxcd.io", name, "-n", "flux-system", &asked])?;
    Ok(stamp)
}

/// Waits until a client is Ready and its Kustomization says so. Flux looks again after a minute by itself; nobody need wait for that here.
fn is_well(lab: &Lab, client: &str, name: &str) -> Result<()> {
    lab.condition(&["mc", client], "Ready", "True", "")?;
    lab.until("the Kustomization", || of(lab, name))?;
    ask(lab, name)?;
    says(lab, name, "True", "Applied revision").map(drop)
}

#[test]
fn flux_keeps_clients_and_none_stops_another() -> Result<()> {
    let lab = here();
    let tenants = Tenants::begin("flux")?;
    let flux = Flux::start(&lab.kubectl, &lab.plane().folder().join("flux"))?;
    line(lab, &tenants, &flux).with_context(|| flux.log("kustomize-controller"))
}

fn line(lab: &Lab, tenants: &Tenants, flux: &Flux) -> Result<()> {
    let well = plain("well-flux", "200000002601");
    tenants.client("clients/well-flux", &[("client.yaml", &object(&well)?)], true)?;
    kustomization(tenants, "well-flux", "clients/well-flux")?;
    let commit = tenants.push("The first clients")?;
    lab.kubectl.run(&["apply", "-f", &tenants.at("flux/tenants.yaml").display().to_string()])?;
    pull(lab, &commit)?;
    lab.grant(&well)?;
    is_well(lab, "well-flux", "client-well-flux")?;
    // The example's clients wait for their owners: so it is told, and nobody is kept from anything.
    let waiting = says(lab, "client-aspen-flux", "False", "InProgress")?;
    ensure!(waiting.contains("ManagedClient/aspen-flux"), "{waiting}");
    children_belong_to_no_tool(lab, "well-flux")?;
    nothing_drifts(lab)?;
    one_commit_in_any_order(lab, tenants)?;
    a_bad_commit_is_refused_in_its_own_words(lab, tenants)?;
    a_client_moves(lab, tenants)?;
    prune_deletes_nobody(lab, tenants, flux)
}

/// Two more passes change nothing of an object that is as it should be.
fn nothing_drifts(lab: &Lab) -> Result<()> {
    let seen = |what: &str| -> Result<Value> { Ok(lab.kubectl.get(&["mc", "well-flux"])?["metadata"][what].clone()) };
    let (generation, fields) = (seen("generation")?, seen("managedFields")?);
    for _ in 0..2 {
        let stamp = ask(lab, "client-well-flux")?;
        lab.until("another pass", || {
            let found = of(lab, "client-well-flux")?;
            ensure!(found["status"]["lastHandledReconcileAt"] == stamp.as_str(), "{}", found["status"]);
            Ok(())
        })?;
    }
    ensure!(seen("generation")? == generation, "the specification was written: {}", lab.kubectl.get(&["mc", "well-flux"])?);
    let of_flux =
        |fields: &Value| fields.as_array().into_iter().flatten().find(|entry| entry["manager"] == "kustomize-controller").cloned();
    let (before, now) = (of_flux(&fields).context("Flux owns fields")?, of_flux(&seen("managedFields")?).context("Flux owns fields")?);
    ensure!(before["time"] == now["time"], "Flux wrote again: {before} {now}");
    Ok(())
}

/// A profile and its first client in one commit, the client first.
fn one_commit_in_any_order(lab: &Lab, tenants: &Tenants) -> Result<()> {
    let client = plain("early-flux", "200000002602");
    let mut document = object(&client)?;
    document["spec"]["providerProfile"] = "late-flux".into();
    tenants.client("clients/early-flux", &[("a-client.yaml", &document), ("b-profile.yaml", &profile(lab, "late-flux")?)], true)?;
    kustomization(tenants, "early-flux", "clients/early-flux")?;
    pull(lab, &tenants.push("A profile and its first client")?)?;
    lab.grant(&client)?;
    is_well(lab, "early-flux", "client-early-flux")
}

fn a_bad_commit_is_refused_in_its_own_words(lab: &Lab, tenants: &Tenants) -> Result<()> {
    tenants.edit("clients/cedar-flux/managed-client.yaml", "444444444452", "44444444445")?;
    tenants.edit("clients/well-flux/client.yaml", "Client well-flux", "Client Well and Good")?;
    pull(lab, &tenants.push("A typing error in one client, a new name for another")?)?;
    let told = says(lab, "client-cedar-flux", "False", "12 digits")?;
    ensure!(told.contains("accountId"), "{told}");
    lab.until("the other client's new name", || {
        let name = lab.kubectl.get(&["mc", "well-flux"])?["spec"]["displayName"].clone();
        ensure!(name == "Client Well and Good", "{name}");
        Ok(())
    })?;
    // What stood before the bad commit stands.
    stands(lab, "cedar-flux").map(drop)
}

fn a_client_moves(lab: &Lab, tenants: &Tenants) -> Result<()> {
    let uid = stands(lab, "well-flux")?;
    std::fs::create_dir_all(tenants.at("clients/north"))?;
    std::fs::rename(tenants.at("clients/well-flux"), tenants.at("clients/north/well-flux"))?;
    tenants.edit("clients/north/well-flux/kustomization.yaml", "../../standard", "../../../standard")?;
    std::fs::remove_file(tenants.at("flux/clients/well-flux.yaml"))?;
    kustomization(tenants, "well-flux-in-the-north", "clients/north/well-flux")?;
    pull(lab, &tenants.push("Move a client")?)?;
    is_well(lab, "well-flux", "client-well-flux-in-the-north")?;
    lab.until("the end of the old Kustomization", || {
        ensure!(of(lab, "client-well-flux").is_err(), "{}", of(lab, "client-well-flux")?["status"]);
        Ok(())
    })?;
    ensure!(stands(lab, "well-flux")? == uid, "the client was made anew");
    Ok(())
}

/// A folder that goes takes no client with it: not where the standard marks it, and not where nothing does, unless somebody has confirmed it.
fn prune_deletes_nobody(lab: &Lab, tenants: &Tenants, flux: &Flux) -> Result<()> {
    let bare = |number: u32| object(&plain(&format!("bare-flux-{number}"), &format!("20000000263{number}")));
    tenants.client("clients/bare-flux", &[("one.yaml", &bare(1)?), ("two.yaml", &bare(2)?)], false)?;
    kustomization(tenants, "bare-flux", "clients/bare-flux")?;
    pull(lab, &tenants.push("Two clients without the standard")?)?;
    lab.until("the clients", || stands(lab, "bare-flux-1").and_then(|_| stands(lab, "bare-flux-2")))?;
    tenants.client("clients/bare-flux", &[("one.yaml", &bare(1)?)], false)?;
    std::fs::remove_file(tenants.at("clients/bare-flux/two.yaml"))?;
    std::fs::remove_file(tenants.at("flux/clients/well-flux-in-the-north.yaml"))?;
    std::fs::remove_dir_all(tenants.at("clients/north"))?;
    pull(lab, &tenants.push("Two clients go from Git, one of them marked")?)?;
    lab.until("the end of the marked client's Kustomization", || {
        ensure!(of(lab, "client-well-flux-in-the-north").is_err(), "it is there");
        Ok(())
    })?;
    stands(lab, "well-flux")?;
    // The one without a mark is kept by admission alone, and Flux says why.
    let told = says(lab, "client-bare-flux", "False", "was not handed over")?;
    ensure!(told.contains("kubectl caretaker exit bare-flux-2"), "{told}");
    stands(lab, "bare-flux-2")?;
    // The positive control: what somebody has confirmed goes.
    confirmed(lab, "bare-flux-2")?;
    std::fs::remove_file(tenants.at("flux/clients/bare-flux.yaml"))?;
    pull(lab, &tenants.push("A Kustomization goes with its client")?)?;
    // Of a Kustomization that goes, Flux has the reason in its log alone.
    lab.until("the refusal in the log", || {
        ensure!(flux.log("kustomize-controller").contains("ManagedClient bare-flux-1 was not handed over"), "not yet");
        Ok(())
    })?;
    stands(lab, "bare-flux-1")?;
    confirmed(lab, "bare-flux-1")?;
    lab.until("the end of the Kustomization", || {
        ensure!(of(lab, "client-bare-flux").is_err(), "it is there");
        Ok(())
    })
}

/// Somebody confirms that a client may be deleted, and it goes.
fn confirmed(lab: &Lab, name: &str) -> Result<()> {
    lab.kubectl.run(&["annotate", "mc", name, &format!("caretaker.dev/confirm-deletion={name}")])?;
    // A Kustomization that is itself going may have gone with it by now.
    let _ = ask(lab, "client-bare-flux");
    lab.until("the end of the confirmed client", || {
        ensure!(lab.kubectl.get(&["mc", name]).is_err(), "it is there");
        Ok(())
    })
}
