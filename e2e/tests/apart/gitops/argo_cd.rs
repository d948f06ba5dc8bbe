//! Argo CD: one Application per folder, and one of the chart.

use anyhow::{Context, Result, ensure};
use caretaker_e2e::Lab;
use caretaker_testkit::gitops::ArgoCd;
use caretaker_testkit::source_root;
use serde_json::{Value, json};

use super::{Tenants, children_belong_to_no_tool, copy, here, object, plain, profile, stands};

fn of(lab: &Lab, name: &str) -> Result<Value> {
    lab.kubectl.get(&["application.argoproj.io", name, "-n", "argocd"])
}

/// Has Argo CD look at the repository now: for folders, and for one application where that is there already.
fn pull(lab: &Lab, names: &[&str]) -> Result<()> {
    let set = "argocd.argoproj.io/application-set-refresh=true";
    lab.kubectl.run(&["annotate", "--overwrite", "applicationset", "tenants", "-n", "argocd", set])?;
    names.iter().try_for_each(|name| refresh(lab, name))
}

fn refresh(lab: &Lab, name: &str) -> Result<()> {
    lab.kubectl
        .run(&["annotate", "--overwrite", "application.argoproj.io", name, "-n", "argocd", "argocd.argoproj.io/refresh=normal"])
        .map(drop)
}

/// Waits until an application is synced, to a commit where one is named, and has a health.
fn is(lab: &Lab, name: &str, sync: &str, health: &str, commit: &str) -> Result<Value> {
    lab.until(&format!("{name}: {sync}, {health}"), || {
        let found = of(lab, name)?;
        let status = &found["status"];
        let revision = status["sync"]["revision"].as_str().unwrap_or_default();
        ensure!(status["sync"]["status"] == sync && status["health"]["status"] == health && revision.contains(commit), "{status}");
        Ok(found)
    })
}

#[test]
fn argo_cd_keeps_clients_and_none_stops_another() -> Result<()> {
    let lab = here();
    let tenants = Tenants::begin("argo")?;
    let argo = ArgoCd::start(&lab.kubectl, &lab.plane().folder().join("argo-cd"))?;
    line(lab, &tenants)
        .with_context(|| format!("{}\n{}", argo.log("argocd-application-controller"), argo.log("argocd-applicationset-controller")))
}

fn line(lab: &Lab, tenants: &Tenants) -> Result<()> {
    let health = tenants.at("argo-cd/health.yaml").display().to_string();
    lab.kubectl.run(&["patch", "configmap", "argocd-cm", "-n", "argocd", "--type=merge", "--patch-file", &health])?;
    let well = plain("well-argo", "200000002611");
    tenants.client("clients/well-argo", &[("client.yaml", &object(&well)?)], true)?;
    let commit = tenants.push("The first clients")?;
    lab.kubectl.run(&["apply", "-f", &tenants.at("argo-cd/tenants.yaml").display().to_string()])?;
    // The example's clients wait for their owners: written and not yet well, and nobody is kept from anything.
    is(lab, "client-aspen-argo", "Synced", "Progressing", &commit)?;
    lab.grant(&well)?;
    is(lab, "client-well-argo", "Synced", "Healthy", &commit)?;
    children_belong_to_no_tool(lab, "well-argo")?;
    nothing_drifts(lab)?;
    one_commit_in_any_order(lab, tenants)?;
    a_bad_commit_is_refused_in_its_own_words(lab, tenants)?;
    the_chart_is_synced(lab, tenants)?;
    a_client_moves_and_goes_from_git(lab, tenants)?;
    prune_deletes_nobody(lab, tenants)
}

/// Argo CD compares again and syncs nothing; what somebody edits by hand comes back as Git has it.
fn nothing_drifts(lab: &Lab) -> Result<()> {
    let history = |found: &Value| found["status"]["history"].as_array().map_or(0, Vec::len);
    let synced = history(&of(lab, "client-well-argo")?);
    let generation = lab.kubectl.get(&["mc", "well-argo"])?["metadata"]["generation"].clone();
    for _ in 0..2 {
        let before = of(lab, "client-well-argo")?["status"]["reconciledAt"].clone();
        std::thread::sleep(std::time::Duration::from_secs(1));
        refresh(lab, "client-well-argo")?;
        lab.until("another comparison", || {
            let found = of(lab, "client-well-argo")?;
            ensure!(found["status"]["reconciledAt"] != before, "{}", found["status"]["reconciledAt"]);
            ensure!(found["status"]["sync"]["status"] == "Synced", "{}", found["status"]["sync"]);
            Ok(())
        })?;
    }
    ensure!(history(&of(lab, "client-well-argo")?) == synced, "it was synced again: {}", of(lab, "client-well-argo")?["status"]["history"]);
    ensure!(lab.kubectl.get(&["mc", "well-argo"])?["metadata"]["generation"] == generation, "the specification was written");
    lab.kubectl.run(&["patch", "mc", "well-argo", "--type=merge", "-p", r#"{"spec":{"displayName":"By hand"}}"#])?;
    lab.until("the name as Git has it", || {
        let name = lab.kubectl.get(&["mc", "well-argo"])?["spec"]["displayName"].clone();
        ensure!(name == "Client well-argo", "{name}");
        Ok(())
    })
}

/// A profile and its first client in one commit, the client first.
fn one_commit_in_any_order(lab: &Lab, tenants: &Tenants) -> Result<()> {
    let client = plain("early-argo", "200000002612");
    let mut document = object(&client)?;
    document["spec"]["providerProfile"] = "late-argo".into();
    tenants.client("clients/early-argo", &[("a-client.yaml", &document), ("b-profile.yaml", &profile(lab, "late-argo")?)], true)?;
    let commit = tenants.push("A profile and its first client")?;
    pull(lab, &[])?;
    lab.grant(&client)?;
    is(lab, "client-early-argo", "Synced", "Healthy", &commit).map(drop)
}

fn a_bad_commit_is_refused_in_its_own_words(lab: &Lab, tenants: &Tenants) -> Result<()> {
    tenants.edit("clients/cedar-argo/managed-client.yaml", "444444444452", "44444444445")?;
    tenants.edit("clients/well-argo/client.yaml", "Client well-argo", "Client Well and Good")?;
    let commit = tenants.push("A typing error in one client, a new name for another")?;
    pull(lab, &["client-cedar-argo", "client-well-argo"])?;
    let told = lab.until("the refusal", || {
        let found = of(lab, "client-cedar-argo")?;
        let result = found["status"]["operationState"].to_string();
        ensure!(result.contains("12 digits"), "{}", found["status"]);
        Ok(result)
    })?;
    ensure!(told.contains("accountId"), "{told}");
    is(lab, "client-well-argo", "Synced", "Healthy", &commit)?;
    ensure!(lab.kubectl.get(&["mc", "well-argo"])?["spec"]["displayName"] == "Client Well and Good", "the other client has its new name");
    stands(lab, "cedar-argo").map(drop)
}

/// The chart of a tenant, with the provider's standard in one values file and the client in another.
fn the_chart_is_synced(lab: &Lab, tenants: &Tenants) -> Result<()> {
    copy(&source_root().join("charts/tenant"), &tenants.at("charts/tenant"), &str::to_owned)?;
    let client = plain("chart-argo", "200000002613");
    let mut spec = object(&client)?["spec"].clone();
    spec["quota"] = json!({"pods": 30});
    tenants.write("charts/tenant/values-standard.yaml", &json!({"spec": {"quota": {"cpuCores": 3, "pods": 20}}}).to_string())?;
    tenants.write("charts/tenant/values-chart-argo.yaml", &json!({"name": "chart-argo", "spec": spec}).to_string())?;
    let commit = tenants.push("A client by chart")?;
    let application = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "by-chart", "namespace": "argocd"},
        "spec": {
            "project": "default", "destination": {"server": "https://kubernetes.default.svc"},
            "source": {
                "repoURL": tenants.server.url, "targetRevision": "main", "path": "charts/tenant",
                "helm": {"valueFiles": ["values-standard.yaml", "values-chart-argo.yaml"]},
            },
            "syncPolicy": {"automated": {"prune": true, "selfHeal": true}},
        },
    });
    lab.kubectl.apply(&application.to_string())?;
    lab.grant(&client)?;
    is(lab, "by-chart", "Synced", "Healthy", &commit)?;
    let quota = lab.kubectl.get(&["mc", "chart-argo"])?["spec"]["quota"].clone();
    ensure!(quota["cpuCores"] == 3 && quota["pods"] == 30, "the standard and what the client has of its own: {quota}");
    Ok(())
}

fn a_client_moves_and_goes_from_git(lab: &Lab, tenants: &Tenants) -> Result<()> {
    let uid = stands(lab, "well-argo")?;
    std::fs::rename(tenants.at("clients/well-argo"), tenants.at("clients/well-argo-moved"))?;
    let commit = tenants.push("Move a client")?;
    pull(lab, &[])?;
    is(lab, "client-well-argo-moved", "Synced", "Healthy", &commit)?;
    lab.until("the end of the old Application", || {
        ensure!(of(lab, "client-well-argo").is_err(), "it is there");
        Ok(())
    })?;
    ensure!(stands(lab, "well-argo")? == uid, "the client was made anew");
    std::fs::remove_dir_all(tenants.at("clients/well-argo-moved"))?;
    tenants.push("The client goes from Git")?;
    pull(lab, &[])?;
    lab.until("the end of the Application", || {
        ensure!(of(lab, "client-well-argo-moved").is_err(), "it is there");
        Ok(())
    })?;
    ensure!(stands(lab, "well-argo")? == uid, "the client was made anew");
    Ok(())
}

/// An Application that is deleted with all that it made, and a file that goes from its folder: neither takes a client, marked or not.
fn prune_deletes_nobody(lab: &Lab, tenants: &Tenants) -> Result<()> {
    lab.kubectl.run(&[
        "patch",
        "application.argoproj.io",
        "by-chart",
        "-n",
        "argocd",
        "--type=merge",
        "-p",
        r#"{"metadata":{"finalizers":["resources-finalizer.argocd.argoproj.io/foreground"]}}"#,
    ])?;
    lab.kubectl.run(&["delete", "application.argoproj.io", "by-chart", "-n", "argocd", "--timeout=60s"])?;
    stands(lab, "chart-argo")?;
    let bare = |number: u32| -> Result<Value> { object(&plain(&format!("bare-argo-{number}"), &format!("20000000262{number}"))) };
    tenants.client("clients/bare-argo", &[("one.yaml", &bare(1)?), ("two.yaml", &bare(2)?)], false)?;
    let commit = tenants.push("Two clients without the standard")?;
    pull(lab, &[])?;
    is(lab, "client-bare-argo", "Synced", "Progressing", &commit)?;
    tenants.client("clients/bare-argo", &[("one.yaml", &bare(1)?)], false)?;
    std::fs::remove_file(tenants.at("clients/bare-argo/two.yaml"))?;
    tenants.push("One of them goes from Git")?;
    pull(lab, &["client-bare-argo"])?;
    let told = lab.until("the refusal", || {
        let result = of(lab, "client-bare-argo")?["status"]["operationState"].to_string();
        ensure!(result.contains("was not handed over"), "{result}");
        Ok(result)
    })?;
    ensure!(told.contains("kubectl caretaker exit bare-argo-2"), "{told}");
    stands(lab, "bare-argo-2")?;
    // The positive control: what somebody has confirmed goes.
    lab.kubectl.run(&["annotate", "mc", "bare-argo-2", "caretaker.dev/confirm-deletion=bare-argo-2"])?;
    lab.until("the end of the confirmed client", || {
        ensure!(lab.kubectl.get(&["mc", "bare-argo-2"]).is_err(), "it is there");
        Ok(())
    })?;
    stands(lab, "bare-argo-1").map(drop)
}
