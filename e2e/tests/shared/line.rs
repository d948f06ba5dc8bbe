//! The whole line under one operator: admission, onboarding, bad days, exit, and what other people's tools say of the bundle.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use caretaker_aws_shim::{Explorer, Fault, Rows, resource};
use caretaker_e2e::{Client, Lab, PATIENCE, lab};
use caretaker_testkit::process::run;
use caretaker_testkit::{python, source_root, tools};
use serde_json::Value;

fn here() -> &'static Lab {
    lab()
}

#[test]
fn bad_input_is_refused_at_admission_with_field_and_cure() -> Result<()> {
    let lab = here();
    let folder = source_root().join("e2e/bad-input");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?;
        let expected =
            text.lines().next().and_then(|line| line.strip_prefix("# expect: ")).context("the first line says what is expected")?;
        let file = path.display().to_string();
        let answer = lab.kubectl.run(&["apply", "--dry-run=server", "-f", &file]);
        let Err(error) = answer else { anyhow::bail!("{file} was accepted") };
        let error = error.to_string();
        ensure!(error.contains(expected), "{file}: expected {expected:?} in {error}");
        ensure!(!error.to_uppercase().contains("KEY-1QQQQ"), "{file}: a secret key is echoed: {error}");
        seen += 1;
    }
    ensure!(seen >= 45, "only {seen} cases were found");
    Ok(())
}

#[test]
fn examples_are_accepted_and_a_pasted_recipient_is_trimmed() -> Result<()> {
    let lab = here();
    lab.control()?;
    let (mut targets, mut names) = (BTreeSet::new(), BTreeSet::new());
    for entry in std::fs::read_dir(source_root().join("examples"))? {
        let path = entry?.path();
        // Values are Helm's; the tests of the chart render them.
        let is_values = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("values-"));
        if is_values || path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        // The client of the examples is not onboarded here: what lives in a client's namespace is tried in another client's.
        let text = std::fs::read_to_string(&path)?.replace("namespace: client-", "namespace: client-control # client-");
        let text = text.replace("\n  client: acme\n", "\n  client: control\n");
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), &text)?;
        let made = lab.kubectl.run(&["apply", "--dry-run=server", "-o", "json", "-f", &file.path().display().to_string()]);
        let made: Value = serde_json::from_str(&made.with_context(|| path.display().to_string())?)?;
        for object in made["items"].as_array().map_or_else(|| vec![&made], |items| items.iter().collect()) {
            let (kind, name) = (object["kind"].to_string(), object["metadata"]["name"].to_string());
            // A provider has one profile: the examples of it are two forms of the one that has the name which clients ask for.
            let is_new = names.insert((kind, name)) || object["kind"] == "ProviderProfile";
            ensure!(is_new, "{}: another example has the same name: {}", path.display(), object["metadata"]["name"]);
            if object["kind"] == "ManagedClient" {
                let accounts = object["spec"]["accounts"].as_array().context("a client has accounts")?;
                targets.extend(accounts.iter().filter_map(Value::as_object).flat_map(|account| account.keys().cloned()));
            }
        }
    }
    for target in ["aws", "azure", "gcp", "awsOrganization", "azureTenant", "gcpFolder"] {
        ensure!(targets.contains(target), "no example of a client has {target}: {targets:?}");
    }
    let mut client = Client::new("pasted", "200000000010", "eu-west-1");
    client.recipient = format!(" {}\r\n", client.recipient);
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), client.document().to_string())?;
    lab.kubectl.run(&["apply", "--dry-run=server", "-f", &file.path().display().to_string()])?;
    Ok(())
}

/// A bundle, and what is needed to open it.
struct Delivered {
    bundle: PathBuf,
    public_key: String,
    identity: tempfile::NamedTempFile,
    sha256: String,
}

fn deliver(lab: &Lab, client: &Client) -> Result<Delivered> {
    lab.control()?;
    lab.plugin(&["exit", &client.name, "--final", "--yes", "--wait"])?;
    let handover = lab.kubectl.get(&["handover", "final", "-n", &format!("client-{}", client.name)])?;
    let status = &handover["status"]["bundle"];
    let bundle = lab.installed.volume("store").join(status["address"].as_str().context("the bundle has an address")?);
    let public_key = lab.kubectl.get(&["pprof", "default"])?["status"]["signing"]["publicKey"].as_str().context("a public key")?.to_owned();
    let identity = tempfile::NamedTempFile::new()?;
    std::fs::write(identity.path(), &client.identity)?;
    Ok(Delivered { bundle, public_key, identity, sha256: status["sha256"].as_str().unwrap_or_default().to_owned() })
}

/// Opens with stock tools only: minisign, age, zstd and tar through Python, bagit.py, tofu, promtool.
fn judge(delivered: &Delivered) -> Result<PathBuf> {
    run(Command::new(tools::path("minisign")?).args(["-V", "-m"]).arg(&delivered.bundle).args(["-P", &delivered.public_key]))?;
    let folder = tempfile::tempdir()?.keep();
    let packed = folder.join("bundle.tar.zst");
    run(Command::new(tools::path("age")?).args(["-d", "-i"]).arg(delivered.identity.path()).arg("-o").arg(&packed).arg(&delivered.bundle))?;
    run(Command::new("zstd").args(["-q", "-d"]).arg(&packed)).context("zstd is in Debian's package zstd")?;
    run(Command::new("tar").arg("-xf").arg(folder.join("bundle.tar")).arg("-C").arg(&folder))?;
    let bag = std::fs::read_dir(&folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.is_dir())
        .context("the tar holds a folder")?;
    let python = python::environment("judges")?;
    run(Command::new(python.with_file_name("bagit.py")).arg("--validate").arg(&bag))?;
    let imports = bag.join("data/04-iac");
    run(Command::new(tools::path("tofu")?).args(["fmt", "-check", "-diff", "-recursive"]).arg(&imports))?;
    crate::iac::judge(&bag.join("data"), &here().cloud, true)?;
    Ok(bag)
}

fn read_json(path: &Path) -> Result<Value> {
    Ok(serde_json::from_slice(&std::fs::read(path).with_context(|| path.display().to_string())?)?)
}

/// What this release delivers to nobody, and the receivers of the two tiers, which are the provider's own.
const GAPS: [&str; 7] =
    ["05-monitoring", "05-monitoring", "05-monitoring", "07-service-levels", "09-incidents-tickets", "10-responsibility", "12-disposition"];

/// M4: the digest is public, so it alone proves nothing of the client.
fn only_who_opened_the_bundle_can_accept_it(lab: &Lab, delivered: &Delivered) -> Result<()> {
    for code in [None, Some("00000-00000-00000-00000")] {
        let given = code.map(|code| vec!["--code", code]).unwrap_or_default();
        let said = lab.plugin(&[vec!["accept", "acme", "--digest", &delivered.sha256, "--by", "Jo"], given].concat());
        ensure!(said.is_err_and(|error| error.to_string().contains("15-acceptance.json")), "accepted with {code:?}");
    }
    // Past the plugin: the operator takes no such word either, and the right one may follow.
    let patch = format!(r#"{{"spec":{{"acceptance":{{"digest":"{}","acceptedBy":"x","code":"00000"}}}}}}"#, delivered.sha256);
    let handover = ["handover", "final", "-n", "client-acme"];
    lab.kubectl.run(&[&["patch"], &handover[..], &["--type=merge", "-p", &patch]].concat())?;
    let said = lab.condition(&handover, "Ready", "False", "InvalidSpec")?;
    ensure!(said.contains("spec.acceptance.code"), "{said}");
    let object = lab.kubectl.get(&handover)?;
    ensure!(object["status"]["step"] == "Accept" && object["status"]["revocations"].is_null(), "{object}");
    let slip = r#"{"apiVersion":"caretaker.dev/v1alpha1","kind":"Handover","metadata":{"name":"slip","namespace":"client-acme"},"spec":{"mode":"Final"}}"#;
    for slip in [slip.to_owned(), slip.replace(r#""Final""#, r#""Final","client":"beta""#)] {
        let said = lab.kubectl.apply(&slip);
        ensure!(said.is_err_and(|error| error.to_string().contains("it must be acme")), "begun without the client's name: {slip}");
    }
    Ok(())
}

#[test]
fn a_client_is_onboarded_and_leaves_with_everything_and_with_proof() -> Result<()> {
    let lab = here();
    let client = Client::new("acme", "200000000001", "eu-west-1");
    let machines = lab
        .cloud
        .call(&["instances", &client.account, "eu-west-1", "5", "5Stage", "web", "web", "日本", "a\"\n}\nresource \"x\" \"y\" {"], "")?;
    // Of kinds that no list of Caretaker's shows: Resource Explorer is on, and tells them.
    let queue = resource("sqs:queue", (&client.account, "eu-west-1"), "orders", &[]);
    lab.watch.set_explorer(
        &client.account,
        Explorer::on(
            [("eu-west-1", vec![queue]), ("us-east-1", vec![])].map(|(region, rows)| (region.to_owned(), Rows::These(rows))).into(),
        ),
    );
    lab.onboard(&client)?;
    let plans = lab.cloud.call(&["backup", &client.account, "eu-west-1"], "")?;
    ensure!(plans["plans"].as_array().is_some_and(|plans| plans.len() == 1 && plans[0]["selections"] == 1), "{plans}");
    check_monitoring(lab, machines["ids"][0].as_str().context("a machine")?)?;
    second_pass_writes_nothing(lab, &client)?;

    let delivered = deliver(lab, &client)?;
    let bag = judge(&delivered)?;
    let gaps = read_json(&bag.join("data/14-gaps.json"))?;
    let parts: Vec<&str> = gaps.as_array().into_iter().flatten().filter_map(|gap| gap["part"].as_str()).collect();
    ensure!(parts == GAPS, "other gaps than those of every bundle of this release: {gaps}");
    let imports = std::fs::read_to_string(bag.join("data/04-iac/aws-200000000001/imports.tf"))?;
    ensure!(imports.matches("= aws_instance.").count() == 5, "{imports}");
    ensure!(imports.contains("\"https://sqs.eu-west-1.amazonaws.com/200000000001/orders\""), "{imports}");
    let skipped = std::fs::read_to_string(bag.join("data/04-iac/skipped.json"))?;
    ensure!(skipped.contains("CaretakerAccess"), "what is not imported is told: {skipped}");
    let register = read_json(&bag.join("data/03-access/access-register.json"))?;
    ensure!(register["principals"][0]["accountId"] == "200000000001", "{register}");
    let ways = &register["principals"][0]["waysIn"];
    ensure!(ways["found"]["ways"][0]["kind"] == "Role" && ways["notLookedAt"].is_array(), "our own role is in the register: {register}");
    secrets_are_nowhere(lab, &bag)?;

    // Nothing is revoked before acceptance, and a wrong digest is no acceptance.
    let role = lab.cloud.call(&["role", &client.account, "CaretakerAccess"], "")?;
    ensure!(role["inline"].as_array().is_some_and(|inline| inline.len() == 3), "{role}");
    ensure!(lab.plugin(&["accept", "acme", "--digest", &"0".repeat(64), "--by", "Jo"]).is_err(), "a wrong digest was accepted");
    let patch = format!(r#"{{"spec":{{"acceptance":{{"digest":"{}","acceptedBy":"x"}}}}}}"#, "0".repeat(64));
    let refused = lab.kubectl.run(&["patch", "handover", "final", "-n", "client-acme", "--type=merge", "-p", &patch]);
    ensure!(refused.is_err_and(|error| error.to_string().contains("status.bundle.sha256")), "admission took a wrong digest");

    only_who_opened_the_bundle_can_accept_it(lab, &delivered)?;
    lab.accept(&client, &["--wait"])?;
    let role = lab.cloud.call(&["role", &client.account, "CaretakerAccess"], "")?;
    ensure!(role["inline"].as_array().is_some_and(Vec::is_empty), "our role still has permissions: {role}");
    let handover = lab.kubectl.get(&["handover", "final", "-n", "client-acme"])?;
    ensure!(handover["status"]["revocations"][0]["refusals"].as_u64() >= Some(3), "{}", handover["status"]["revocations"]);
    lab.condition(&["mc", "acme"], "HandedOver", "True", "HandedOver")?;
    // Handed over: it may be deleted without a word, and everything of it goes.
    lab.kubectl.run(&["delete", "mc", "acme", "--timeout=60s"])?;
    lab.until("the end of the namespace", || match lab.kubectl.get(&["namespace", "client-acme"]) {
        Ok(_) => anyhow::bail!("still there"),
        Err(_) => Ok(()),
    })
}

fn check_monitoring(lab: &Lab, machine: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let rules = lab.kubectl.get(&["prometheusrule", "main-rules", "-n", "client-acme"])?["spec"].to_string();
    std::fs::write(folder.path().join("rules.yaml"), rules)?;
    run(Command::new(tools::path("promtool")?).args(["check", "rules"]).arg(folder.path().join("rules.yaml")))?;
    let python = python::environment("judges")?;
    let unpack = "import sys,json,base64,gzip; sys.stdout.write(gzip.decompress(base64.b64decode(sys.stdin.read())).decode())";
    let generated = |secret: &str, key: &str, part: &str| -> Result<String> {
        lab.until(&format!("{part} in {secret} of the prometheus-operator"), || {
            let found = lab.kubectl.get(&["secret", secret, "-n", "client-acme"])?;
            let data = found["data"][key].as_str().context("the key is there")?.to_owned();
            let file = folder.path().join("packed");
            std::fs::write(&file, data)?;
            let text = run(Command::new(&python).args(["-c", unpack]).stdin(std::fs::File::open(&file)?))?;
            ensure!(text.contains(part), "{text}");
            Ok(text)
        })
    };
    let prometheus = generated("prometheus-main", "prometheus.yaml.gz", machine)?.replace("$(POD_NAME)", "pod");
    std::fs::write(
        folder.path().join("prometheus.yaml"),
        prometheus.lines().filter(|line| !line.contains("/etc/prometheus/")).collect::<Vec<_>>().join("\n"),
    )?;
    run(Command::new(tools::path("promtool")?).args(["check", "config", "--syntax-only"]).arg(folder.path().join("prometheus.yaml")))?;
    let alertmanager = generated("alertmanager-main-generated", "alertmanager.yaml.gz", "tier-2")?;
    std::fs::write(folder.path().join("alertmanager.yaml"), alertmanager)?;
    run(Command::new(tools::path("amtool")?).arg("check-config").arg(folder.path().join("alertmanager.yaml")))?;
    Ok(())
}

/// Versions of everything in a client's namespace, but for what Kubernetes itself keeps moving.
fn versions(lab: &Lab, client: &str) -> Result<Vec<String>> {
    let kinds = "configmaps,resourcequotas,limitranges,networkpolicies,rolebindings,cloudaccounts,monitoringstacks,backuppolicies,prometheuses,alertmanagers,prometheusrules,scrapeconfigs,alertmanagerconfigs";
    let jsonpath = r#"jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.generation} {.metadata.resourceVersion}{"\n"}{end}"#;
    let text = lab.kubectl.run(&[
        "get",
        kinds,
        "-n",
        &format!("client-{client}"),
        "-l",
        "app.kubernetes.io/managed-by=caretaker",
        "-o",
        jsonpath,
    ])?;
    Ok(text.lines().filter(|line| !line.starts_with("Prometheus/") && !line.starts_with("Alertmanager/")).map(str::to_owned).collect())
}

fn second_pass_writes_nothing(lab: &Lab, client: &Client) -> Result<()> {
    std::thread::sleep(std::time::Duration::from_secs(2));
    let (before, writes) = (versions(lab, &client.name)?, lab.writes_into(&client.account));
    for (kind, name) in [("backuppolicy", "main"), ("monitoringstack", "main")] {
        // A change of an annotation that nobody asked for wakes every reconciler of it.
        lab.kubectl.run(&["annotate", "--overwrite", kind, name, "-n", &format!("client-{}", client.name), "test=1"])?;
    }
    std::thread::sleep(std::time::Duration::from_secs(3));
    let after = versions(lab, &client.name)?;
    let changed: Vec<&String> = after
        .iter()
        .filter(|line| !before.contains(line) && !line.starts_with("BackupPolicy/") && !line.starts_with("MonitoringStack/"))
        .collect();
    ensure!(!before.is_empty() && changed.is_empty(), "a second pass wrote {changed:?}");
    let since = lab.writes_into(&client.account);
    ensure!(!writes.is_empty() && since == writes, "a second pass wrote in the cloud: {since:?} after {writes:?}");
    Ok(())
}

fn secrets_are_nowhere(lab: &Lab, bag: &Path) -> Result<()> {
    ensure!(lab.secret.len() > 20, "the secret is known");
    ensure!(!lab.log().contains(&lab.secret), "the provider's secret key is in the log");
    let everything = lab.kubectl.run(&["get", "mc,ca,ms,bp,ho,pprof,configmaps,events", "-A", "-o", "json"])?;
    ensure!(!everything.contains(&lab.secret), "the provider's secret key is in an object");
    let found = Command::new("grep").args(["-r", "-l", "-F", &lab.secret]).arg(bag).output()?;
    ensure!(found.stdout.is_empty(), "the provider's secret key is in the bundle");
    let keys = lab.kubectl.get(&["secret", "signing-key-default", "-n", "caretaker-system"])?;
    let key = keys["data"]["minisign.key"].as_str().context("the signing key is there")?;
    ensure!(!everything.contains(key), "the signing key is in an object");
    Ok(())
}

#[test]
fn a_client_waits_for_the_grant_and_an_edited_role_voids_the_proof() -> Result<()> {
    let lab = here();
    let client = Client::new("roles", "200000000002", "eu-central-1");
    let account = ["ca", "prod", "-n", "client-roles"];
    lab.kubectl.apply(&client.document().to_string())?;
    let message = lab.condition(&account, "AccessProven", "False", "WaitingForGrant")?;
    ensure!(message.contains("grant kit") && message.contains("CaretakerAccess"), "{message}");
    lab.grant(&client)?;
    lab.kubectl.wait(&["mc/roles"], "condition=Ready", PATIENCE)?;
    lab.condition(&account, "ConfusedDeputyProtected", "True", "Proven")?;
    lab.condition(&account, "PermissionsSufficient", "True", "Proven")?;
    // Edit to a role that does not exist.
    let seen = lab.watch.calls().len();
    let patch = |role: &str| format!(r#"[{{"op":"replace","path":"/spec/accounts/0/aws/roleName","value":"{role}"}}]"#);
    lab.kubectl.run(&["patch", "mc", "roles", "--type=json", "-p", &patch("NotThere")])?;
    let message = lab.until("the proof to be void", || {
        let message = lab.condition(&account, "AccessProven", "False", "WaitingForGrant")?;
        ensure!(message.contains("NotThere"), "{message}");
        Ok(message)
    })?;
    ensure!(message.contains("NotThere"), "{message}");
    std::thread::sleep(std::time::Duration::from_secs(1));
    let listed: Vec<String> = lab.watch.calls().into_iter().skip(seen).filter(|call| call.contains("ec2/eu-central-1/")).collect();
    ensure!(listed.is_empty(), "the old session was used after the edit: {listed:?}");
    // And to one that does.
    lab.kubectl.run(&["patch", "mc", "roles", "--type=json", "-p", &patch("Other")])?;
    lab.until("the kit for the new role", || {
        let kit = lab.kubectl.get(&["configmap", "prod-grant-kit", "-n", "client-roles"])?.to_string();
        ensure!(kit.contains("Other"), "the kit still names the old role");
        Ok(())
    })?;
    lab.grant(&client)?;
    lab.kubectl.wait(&["mc/roles"], "condition=Ready", PATIENCE)?;
    // The client closes the door while we run: told at the next proof, without a restart.
    lab.cloud.call(&["delete-role", &client.account, "Other"], "")?;
    lab.poke("roles")?;
    lab.condition(&account, "AccessProven", "False", "WaitingForGrant")?;
    Ok(())
}

#[test]
fn a_role_without_the_external_id_condition_is_told() -> Result<()> {
    let lab = here();
    let client = Client::new("open", "200000000003", "eu-west-3");
    lab.kubectl.apply(&client.document().to_string())?;
    let account = ["ca", "prod", "-n", "client-open"];
    lab.condition(&account, "AccessProven", "False", "WaitingForGrant")?;
    let profile = lab.kubectl.get(&["pprof", "default"])?;
    let principal = profile["spec"]["aws"]["principalArn"].as_str().context("a principal")?;
    let trust = serde_json::json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}]});
    // The client applies the kit without its condition: the role is open from its first moment on.
    let kit = lab.kubectl.get(&["configmap", "prod-grant-kit", "-n", "client-open"])?;
    let mut template: Value = serde_json::from_str(kit["data"]["caretaker-access.cfn.json"].as_str().context("a template")?)?;
    template["Resources"]["CaretakerAccess"]["Properties"]["AssumeRolePolicyDocument"] = trust;
    lab.cloud.call(&["apply-kit", &client.account], &template.to_string())?;
    lab.poke("open")?;
    let message = lab.condition(&account, "ConfusedDeputyProtected", "False", "NotRefused")?;
    ensure!(message.contains("ExternalId condition"), "{message}");
    Ok(())
}

#[test]
fn a_denied_region_and_an_unreachable_cloud_lose_no_asset() -> Result<()> {
    let lab = here();
    let mut client = Client::new("regions", "200000000004", "ap-south-1");
    client.regions.push("ap-northeast-1".into());
    for region in &client.regions {
        lab.cloud.call(&["instances", &client.account, region, "3"], "")?;
    }
    lab.onboard(&client)?;
    let account = ["ca", "prod", "-n", "client-regions"];
    let instances = || -> Result<u64> {
        lab.kubectl.get(&account)?["status"]["inventory"]["byType"]["instance"].as_u64().context("instances are counted")
    };
    ensure!(instances()? == 6, "{}", instances()?);
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"ec2:*","Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":"ap-northeast-1"}}}]}"#;
    lab.cloud.call(&["put-policy", &client.account, "CaretakerAccess", "deny"], deny)?;
    lab.poke("regions")?;
    let message = lab.condition(&account, "InventoryComplete", "False", "Incomplete")?;
    ensure!(message.contains("ap-northeast-1") && message.contains("Allow ec2:"), "{message}");
    lab.condition(&account, "AccessProven", "True", "Proven")?;
    ensure!(instances()? == 6, "a denied region must not lose its assets");
    let gaps = lab.kubectl.get(&account)?["status"]["inventory"]["coverage"]["gaps"].clone();
    ensure!(gaps[0]["verdict"] == "Denied", "{gaps}");
    // Allowed again: complete, without a restart. Then throttled, then silent, then well.
    lab.cloud.call(
        &["put-policy", &client.account, "CaretakerAccess", "deny"],
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:DescribeVpcs","Resource":"*"}]}"#,
    )?;
    lab.poke("regions")?;
    lab.condition(&account, "InventoryComplete", "True", "Settled")?;
    for (status, code, verdict) in [(503, "RequestLimitExceeded", "Throttled"), (500, "InternalError", "Unreachable")] {
        let _faults = lab.faults(vec![Fault::error("ec2/ap-northeast-1/", status, code)]);
        lab.poke("regions")?;
        lab.until(&format!("the verdict {verdict}"), || {
            let gaps = lab.kubectl.get(&account)?["status"]["inventory"]["coverage"]["gaps"].clone();
            ensure!(gaps[0]["verdict"] == verdict, "{gaps}");
            Ok(())
        })?;
        ensure!(instances()? == 6, "{verdict}: assets were lost");
    }
    lab.poke("regions")?;
    lab.condition(&account, "InventoryComplete", "True", "Settled")?;
    Ok(())
}

/// One event at the object says what was put back.
fn repair_was_told(lab: &Lab, object: &str, told: &str) -> Result<()> {
    lab.until("the event of the repair", || {
        let events = lab.kubectl.get(&["events.events.k8s.io", "-A"])?;
        let is_it = |event: &&Value| {
            event["reason"] == "DriftRepaired"
                && event["regarding"]["name"] == object
                && event["note"].as_str().is_some_and(|note| note.contains(told))
        };
        events["items"].as_array().into_iter().flatten().find(is_it).map(drop).context("no event yet")
    })
}

#[test]
fn drift_is_repaired_and_observe_only_writes_nothing() -> Result<()> {
    let lab = here();
    let client = Client::new("drift", "200000000005", "us-west-1");
    lab.onboard(&client)?;
    // In the cluster: somebody opens the default-deny policy.
    let open = r#"{"spec":{"policyTypes":["Ingress"]}}"#;
    lab.kubectl.run(&["patch", "networkpolicy", "default-deny", "-n", "client-drift", "--type=merge", "-p", open])?;
    lab.until("the repair", || {
        let types = lab.kubectl.get(&["networkpolicy", "default-deny", "-n", "client-drift"])?["spec"]["policyTypes"].clone();
        ensure!(types.as_array().is_some_and(|types| types.len() == 2), "{types}");
        Ok(())
    })?;
    repair_was_told(lab, "drift", "spec.policyTypes")?;
    lab.condition(&["mc", "drift"], "NamespaceReady", "True", "Settled")?;
    // In the cloud: somebody changes the plan.
    let plan = lab.cloud.call(&["backup", &client.account, "us-west-1"], "")?["plans"][0].clone();
    lab.cloud.call(&["spoil-plan", &client.account, "us-west-1", plan["id"].as_str().context("a plan")?], "")?;
    lab.kubectl.run(&["annotate", "--overwrite", "bp", "main", "-n", "client-drift", "caretaker.dev/requested-at=2"])?;
    repair_was_told(lab, "main", "put back in account prod, us-west-1")?;
    lab.condition(&["bp", "main", "-n", "client-drift"], "BackupsReady", "True", "Settled")?;
    let repaired = lab.cloud.call(&["backup", &client.account, "us-west-1"], "")?;
    ensure!(repaired["plans"].as_array().is_some_and(|plans| plans.len() == 1), "{repaired}");
    ensure!(repaired["plans"][0]["schedule"] == "cron(30 3 * * ? *)" && repaired["plans"][0]["days"] == 35, "{repaired}");
    // Observe only: what would be written is shown, and nothing is.
    let mut watcher = Client::new("watcher", "200000000006", "us-west-2");
    watcher.allow.clear();
    lab.onboard(&watcher)?;
    let message = lab.condition(&["bp", "main", "-n", "client-watcher"], "BackupsReady", "True", "ObserveOnly")?;
    ensure!(message.contains("status.plans"), "{message}");
    let held = lab.cloud.call(&["backup", &watcher.account, "us-west-2"], "")?;
    ensure!(held["plans"].as_array().is_some_and(Vec::is_empty), "{held}");
    Ok(())
}

#[test]
fn deletion_is_guarded_and_a_second_claim_is_refused_without_a_name() -> Result<()> {
    let lab = here();
    let client = Client::new("guarded", "200000000007", "sa-east-1");
    lab.onboard(&client)?;
    let refused = lab.kubectl.run(&["delete", "mc", "guarded", "--wait=false"]);
    ensure!(refused.is_err_and(|error| error.to_string().contains("caretaker.dev/confirm-deletion=guarded")), "deletion was not guarded");
    let refused = lab.kubectl.run(&["delete", "namespace", "client-guarded", "--wait=false"]);
    ensure!(refused.is_err_and(|error| error.to_string().contains("delete that instead")), "the namespace was not guarded");
    let second = Client { name: "second".into(), ..client.clone() };
    lab.kubectl.apply(&second.document().to_string())?;
    let message = lab.condition(&["ca", "prod", "-n", "client-second"], "AccessProven", "False", "AccountClaimed")?;
    ensure!(!message.contains("guarded"), "the holder is told: {message}");
    // Paused: says so, and can still be deleted.
    lab.kubectl.run(&["annotate", "mc", "second", "caretaker.dev/paused=true"])?;
    lab.condition(&["mc", "second"], "Stalled", "True", "Paused")?;
    lab.kubectl.run(&["annotate", "mc", "second", "caretaker.dev/confirm-deletion=second"])?;
    lab.kubectl.run(&["delete", "mc", "second", "--timeout=60s"])?;
    // The first is deleted with a word; nothing in its cloud is.
    lab.kubectl.run(&["annotate", "mc", "guarded", "caretaker.dev/confirm-deletion=guarded"])?;
    lab.kubectl.run(&["delete", "mc", "guarded", "--timeout=60s"])?;
    let held = lab.cloud.call(&["backup", &client.account, "sa-east-1"], "")?;
    ensure!(held["plans"].as_array().is_some_and(|plans| plans.len() == 1), "deleting an object deleted in the cloud: {held}");
    Ok(())
}

#[test]
fn a_namespace_that_we_did_not_make_is_never_adopted() -> Result<()> {
    let lab = here();
    let foreign =
        r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"client-taken","labels":{"app.kubernetes.io/managed-by":"somebody"}}}"#;
    lab.kubectl.apply(foreign)?;
    let client = Client::new("taken", "200000000008", "ca-central-1");
    lab.kubectl.apply(&client.document().to_string())?;
    let message = lab.condition(&["mc", "taken"], "Ready", "False", "NameTaken")?;
    ensure!(message.contains("client-taken"), "{message}");
    let namespace = lab.kubectl.get(&["namespace", "client-taken"])?;
    ensure!(namespace["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "somebody", "{namespace}");
    Ok(())
}

#[test]
fn people_read_well() -> Result<()> {
    let lab = here();
    let client = Client::new("reader", "200000000009", "eu-north-1");
    lab.cloud.call(&["instances", &client.account, "eu-north-1", "2"], "")?;
    lab.onboard(&client)?;
    let all = lab.kubectl.run(&["get", "caretaker", "-A"])?;
    for part in ["managedclient", "cloudaccount", "backuppolicy", "monitoringstack", "providerprofile"] {
        ensure!(all.contains(part), "{part} is missing in {all}");
    }
    let explained = lab.kubectl.run(&["explain", "mc.spec.contacts.vendorManager"])?;
    ensure!(explained.contains("answers for the contract"), "{explained}");
    let status = lab.plugin(&["status", "reader"])?;
    ensure!(status.contains("Next: could reader leave today?") && status.lines().all(|line| line.chars().count() <= 100), "{status}");
    let machine: Value = serde_json::from_str(&lab.plugin(&["status", "-o", "json"])?)?;
    ensure!(machine.as_array().is_some_and(|clients| !clients.is_empty()), "{machine}");
    accounts_read_well(lab)
}

fn accounts_read_well(lab: &Lab) -> Result<()> {
    let counts = lab.plugin(&["inventory", "reader"])?;
    ensure!(counts.contains("instance") && counts.contains("20/20"), "{counts}");
    let store = lab.installed.volume("store").display().to_string();
    let listed = lab.plugin(&["inventory", "reader", "--store", &store, "--type", "instance"])?;
    ensure!(listed.lines().count() == 3 && listed.contains("i-"), "a head and two machines: {listed}");
    for line in lab.plugin(&["inventory", "reader", "--store", &store, "-o", "json"])?.lines() {
        let asset: Value = serde_json::from_str(line)?;
        ensure!(asset["cloud"] == "aws" && asset["nativeType"].as_str().is_some_and(|kind| kind.starts_with("AWS::")), "{asset}");
    }
    let coverage = lab.plugin(&["coverage", "reader"])?;
    ensure!(coverage.contains("prod: 20/20 cells read completely") && coverage.contains("it is off"), "{coverage}");
    ensure!(coverage.lines().all(|line| line.chars().count() <= 100), "{coverage}");
    let access = lab.plugin(&["access", "reader"])?;
    ensure!(access.contains("role/CaretakerAccess") && access.contains("True"), "{access}");
    let folder = tempfile::tempdir()?;
    let kit = lab.plugin(&["kit", "reader", "--to", &folder.path().display().to_string()])?;
    ensure!(folder.path().join("prod/caretaker-access.cfn.json").is_file(), "{kit}");
    for command in ["inventory", "coverage", "access", "kit"] {
        let machine: Value = serde_json::from_str(&lab.plugin(&[command, "reader", "-o", "json"])?)?;
        ensure!(machine[0]["account"] == "prod", "{command}: {machine}");
    }
    ensure!(lab.plugin(&["coverage", "nobody"]).is_err_and(|error| error.to_string().contains("has no accounts")), "an unknown client");
    Ok(())
}
