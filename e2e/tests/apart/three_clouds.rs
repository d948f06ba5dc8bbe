//! One client with accounts on AWS, Azure and Google Cloud: onboarded, read, handed over, and left. All three clouds are emulated.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use caretaker_arm_simulator::world::{Application, READER, Refusal, Rule};
use caretaker_e2e::three_clouds::{CLIENT_TENANT, Clouds, PROJECT, PROVIDER_PROJECT, PROVIDER_TENANT, SUBSCRIPTION};
use caretaker_e2e::{Client, Lab, PATIENCE};
use caretaker_google_simulator::{Fault, FaultKind, TestKey};
use caretaker_testkit::operator::NAMESPACE;
use serde_json::{Value, json};

/// How long a revocation takes to spread on Azure and Google Cloud.
const SPREAD: Duration = Duration::from_secs(8);
const AWS_ACCOUNT: &str = "200000000501";

fn poke(lab: &Lab, account: &str) -> Result<()> {
    let stamp = format!("caretaker.dev/requested-at={}", std::time::UNIX_EPOCH.elapsed()?.as_nanos());
    lab.kubectl.run(&["annotate", "--overwrite", "ca", account, "-n", "client-tri", &stamp]).map(drop)
}

fn file(lab: &Lab, account: &str, name: &str) -> Result<String> {
    lab.until(&format!("the kit of {account}"), || {
        let kit = lab.kubectl.get(&["configmap", &format!("{account}-grant-kit"), "-n", "client-tri"])?;
        Ok(kit["data"][name].as_str().context("the kit has the file")?.to_owned())
    })
}

/// What leads into another client's accounts: a principal of its own on each cloud, under a profile of its own.
struct Other {
    aws: String,
    google: String,
}

impl Other {
    const CLIENT_ID: &str = "dddddddd-0000-4000-8000-000000000002";
    const OBJECT_ID: &str = "eeeeeeee-0000-4000-8000-000000000002";

    fn made(lab: &Lab, clouds: &Clouds) -> Result<Self> {
        let user = lab.cloud.call(&["provider", "111111111111", &format!("globex-{}", std::process::id())], "")?;
        let text = |key: &str| user[key].as_str().unwrap_or_default().to_owned();
        let secret = "globex-secret";
        clouds.azure.change(|world| {
            let (client_id, object_id) = (Self::CLIENT_ID.into(), Self::OBJECT_ID.into());
            let (tenant_id, secret) = (PROVIDER_TENANT.into(), Some(secret.into()));
            world.applications.push(Application { tenant_id, client_id, object_id, secret, federation: None });
        });
        let (key, google) = (TestKey::make()?, clouds.google.world().add_account("globex", PROVIDER_PROJECT));
        clouds.google.world().keys.insert((google.clone(), "key-1".into()), key.public());
        let held = |name: &str, data: Value| {
            let metadata = json!({"name": name, "namespace": NAMESPACE});
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})
        };
        let azure = json!({"tenantId": PROVIDER_TENANT, "clientId": Self::CLIENT_ID, "principalId": Self::OBJECT_ID});
        let mut spec = json!({
            "displayName": "Care", "contacts": [{"name": "Ops", "email": "ops@example.com"}],
            "aws": {"principalArn": text("arn")}, "azure": azure, "gcp": {"projectId": PROVIDER_PROJECT, "principal": google},
        });
        for cloud in ["aws", "azure", "gcp"] {
            spec[cloud]["credentials"] = json!({"secretName": format!("globex-{cloud}")});
        }
        let keys = json!({"aws_access_key_id": text("accessKeyId"), "aws_secret_access_key": text("secretAccessKey")});
        let file = key.service_account_json(&google, "key-1")?.to_string();
        let profile = json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ProviderProfile", "metadata": {"name": "globex"}, "spec": spec,
        });
        let items = json!([
            held("globex-aws", keys),
            held("globex-azure", json!({"client_secret": secret})),
            held("globex-gcp", json!({"key.json": file})),
            profile,
        ]);
        lab.kubectl.apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string())?;
        lab.condition(&["pprof", "globex"], "IdentityProven", "True", "Proven")?;
        // The client that it is for has an account on each cloud, and has granted nothing yet.
        let mut document = Client::new("globex", "200000000503", "eu-west-1").document();
        document["spec"]["providerProfile"] = json!("globex");
        document["spec"]["accounts"] = json!([
            {"name": "aws", "aws": {"accountId": "200000000503"}},
            {"name": "azure", "azure": {"subscriptionId": "cccccccc-0000-4000-8000-000000000002"}},
            {"name": "gcp", "gcp": {"projectId": "globex-production"}},
        ]);
        document["spec"].as_object_mut().context("a spec")?.remove("backups");
        lab.kubectl.apply(&document.to_string())?;
        for account in ["aws", "azure", "gcp"] {
            lab.condition(&["ca", account, "-n", "client-globex"], "AccessProven", "False", "WaitingForGrant")?;
        }
        Ok(Self { aws: text("arn"), google })
    }
}

/// The client applies the kits, and by mistake lets another client's principal in beside ours.
fn with_a_hole(lab: &Lab, clouds: &Clouds, other: &Other) -> Result<()> {
    let mut aws: Value = serde_json::from_str(&file(lab, "aws", "caretaker-access.cfn.json")?)?;
    let trusted = &mut aws["Resources"]["CaretakerAccess"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"];
    ensure!(trusted.is_string(), "{aws}");
    *trusted = json!([trusted, other.aws]);
    lab.cloud.call(&["apply-kit", AWS_ACCOUNT], &aws.to_string())?;
    let azure = file(lab, "azure", "caretaker-access.azure.json")?;
    clouds.azure.change(|world| {
        let subscription = world.subscriptions.get_mut(SUBSCRIPTION).expect("it is there");
        subscription.assignments.push((Other::OBJECT_ID.into(), READER.into()));
    });
    clouds.apply_azure(&azure)?;
    let google = file(lab, "gcp", "caretaker-access.tf")?;
    let at = google.find("resource \"google_service_account_iam_member\" \"provider\"").context("our binding")?;
    let ours = google[at..].split_inclusive("\n}\n").next().context("its end")?;
    let member = ours.split('"').find(|part| part.starts_with("serviceAccount:")).context("our member")?;
    let theirs = ours.replace("\"provider\"", "\"globex\"").replace(member, &format!("serviceAccount:{}", other.google));
    clouds.apply_google(&format!("{google}\n{theirs}"))
}

/// The client corrects the mistake.
fn closed(lab: &Lab, clouds: &Clouds, other: &Other) -> Result<()> {
    let kit: Value = serde_json::from_str(&file(lab, "aws", "caretaker-access.cfn.json")?)?;
    let trust = &kit["Resources"]["CaretakerAccess"]["Properties"]["AssumeRolePolicyDocument"];
    lab.cloud.call(&["set-trust", AWS_ACCOUNT, "CaretakerAccess"], &trust.to_string())?;
    clouds.azure.change(|world| world.subscriptions.get_mut(SUBSCRIPTION).expect("it is there").assignments.clear());
    let mut world = clouds.google.world();
    let account = world.accounts.get_mut("caretaker@acme-production.iam.gserviceaccount.com").context("the service account")?;
    account.policy.unbind(&format!("serviceAccount:{}", other.google));
    Ok(())
}

fn applied(lab: &Lab, clouds: &Clouds, other: &Other) -> Result<Client> {
    let mut client = Client::new("tri", AWS_ACCOUNT, "eu-west-1");
    client.allow = vec!["Backup".into(), "Revoke".into()];
    let mut document = client.document();
    document["spec"]["accounts"] = json!([
        {"name": "aws", "aws": {"accountId": AWS_ACCOUNT, "regions": ["eu-west-1"]}, "allow": ["Backup", "Revoke"]},
        // Azure compares ids without letter case.
        {"name": "azure", "azure": {"subscriptionId": SUBSCRIPTION.to_uppercase(), "tenantId": CLIENT_TENANT}, "allow": ["Revoke"]},
        {"name": "gcp", "gcp": {"projectId": PROJECT}, "allow": ["Revoke"]},
    ]);
    lab.cloud.call(&["instances", AWS_ACCOUNT, "eu-west-1", "2"], "")?;
    lab.kubectl.apply(&document.to_string())?;
    for account in ["azure", "gcp"] {
        let message = lab.condition(&["ca", account, "-n", "client-tri"], "AccessProven", "False", "WaitingForGrant")?;
        ensure!(message.contains("grant kit"), "{account}: {message}");
    }
    with_a_hole(lab, clouds, other)?;
    for account in ["aws", "azure", "gcp"] {
        poke(lab, account)?;
    }
    for (account, cure) in [("aws", "Principal of the grant kit"), ("azure", "the delegation"), ("gcp", "serviceAccountTokenCreator")] {
        let object = ["ca", account, "-n", "client-tri"];
        let message = lab.condition(&object, "ClientsSeparated", "False", "NotRefused").with_context(|| account.to_owned())?;
        ensure!(message.contains("let in") && message.contains(cure) && !message.contains("globex"), "{account}: {message}");
        let log = lab.log();
        let told = log.lines().find(|line| line.contains("another client's principal was let in") && line.contains(account));
        ensure!(told.is_some_and(|line| line.contains("globex")), "the provider is not told whose principal it is: {account}");
        lab.condition(&object, "Ready", "False", "NotRefused").with_context(|| account.to_owned())?;
    }
    closed(lab, clouds, other)?;
    for account in ["aws", "azure", "gcp"] {
        poke(lab, account)?;
    }
    lab.kubectl.wait(&["mc/tri"], "condition=Ready", PATIENCE).with_context(|| lab.log())?;
    Ok(client)
}

fn is_read(lab: &Lab) -> Result<()> {
    for (account, machines) in [("aws", 2), ("azure", 2), ("gcp", 3)] {
        let object = ["ca", account, "-n", "client-tri"];
        for condition in ["AccessProven", "ConfusedDeputyProtected", "PermissionsSufficient"] {
            lab.condition(&object, condition, "True", "Proven").with_context(|| account.to_owned())?;
        }
        lab.condition(&object, "InventoryComplete", "True", "Settled")?;
        let inventory = lab.kubectl.get(&object)?["status"]["inventory"].clone();
        ensure!(inventory["byType"]["instance"] == machines, "{account}: {inventory}");
    }
    let watched = lab.until("the machines of all three clouds are watched", || {
        let stack = lab.kubectl.get(&["ms", "main", "-n", "client-tri"])?;
        ensure!(stack["status"]["targets"] == 7 && stack["status"]["unwatched"]["count"] == 0, "{}", stack["status"]);
        lab.kubectl.get(&["scrapeconfig", "main-targets-0", "-n", "client-tri"])
    })?;
    let of = |cloud: &str| {
        let configs = watched["spec"]["staticConfigs"].as_array().into_iter().flatten();
        configs.filter(|config| config["labels"]["cloud"] == cloud).count()
    };
    ensure!((of("aws"), of("azure"), of("gcp")) == (2, 2, 3), "{watched}");
    lab.condition(&["ms", "main", "-n", "client-tri"], "MonitoringReady", "True", "Settled")?;
    for account in ["aws", "azure", "gcp"] {
        let message = lab.condition(&["ca", account, "-n", "client-tri"], "ClientsSeparated", "True", "Proven")?;
        ensure!(message.starts_with("1 of the 1 principals"), "{account}: {message}");
    }
    let access = lab.plugin(&["access", "tri"])?;
    for part in ["CaretakerAccess", SUBSCRIPTION, "caretaker@acme-production.iam.gserviceaccount.com"] {
        ensure!(access.contains(part), "{part} is not in {access}");
    }
    let listed = lab.kubectl.run(&["get", "ca", "-n", "client-tri"])?;
    ensure!(listed.contains(&format!("azure {SUBSCRIPTION}")) && listed.contains("gcp acme-production"), "{listed}");
    Ok(())
}

/// What is granted beyond the kit is named by its statement; every way in is listed; the account stays Ready.
fn too_much_is_told_and_nothing_waits_for_it(lab: &Lab, clouds: &Clouds) -> Result<()> {
    for account in ["aws", "azure", "gcp"] {
        lab.condition(&["ca", account, "-n", "client-tri"], "LeastPrivilege", "True", "Proven")?;
    }
    let extra = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Everything","Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
    lab.cloud.call(&["put-policy", AWS_ACCOUNT, "CaretakerAccess", "extra"], extra)?;
    clouds.azure.change(|world| {
        let delegation = &mut world.subscriptions.get_mut(SUBSCRIPTION).expect("it is there").delegations[0];
        let us = delegation.authorizations[0].0.clone();
        delegation.authorizations.push((us, "b24988ac-6180-42a0-ab88-20f7382dd24c".into()));
    });
    let member = "serviceAccount:caretaker@acme-production.iam.gserviceaccount.com";
    clouds.google.world().projects.get_mut(PROJECT).context("the project")?.policy.bind("roles/editor", member);
    for (account, statement, ways) in [
        ("aws", "inline policy extra, statement Everything: s3:*", 1),
        ("azure", "Contributor", 3),
        ("gcp", "binding of roles/editor on project acme-production", 4),
    ] {
        let object = ["ca", account, "-n", "client-tri"];
        poke(lab, account)?;
        let message = lab.condition(&object, "LeastPrivilege", "False", "PermissionsExcess").with_context(|| account.to_owned())?;
        ensure!(message.contains(statement) && message.contains("profile Full"), "{account}: {message}");
        lab.condition(&object, "Ready", "True", "Settled").with_context(|| format!("{account}: a warning stops nothing"))?;
        lab.condition(&object, "AccessLasting", "True", "Settled").with_context(|| account.to_owned())?;
        lab.until(&format!("the register of {account}"), || {
            let register = lab.kubectl.get(&object)?["status"]["access"]["register"].clone();
            ensure!(register["total"] == ways && register["unread"].is_null(), "{account}: {register}");
            Ok(())
        })?;
    }
    let access = lab.plugin(&["access", "tri"])?;
    for part in ["profile Full", "statement Everything", "roles/editor", "Contributor", "LeastPrivilege is False"] {
        ensure!(access.contains(part), "{part} is not in {access}");
    }
    let json: Value = serde_json::from_str(&lab.plugin(&["access", "tri", "-o", "json"])?)?;
    ensure!(json[0]["access"]["excess"]["total"] == 1 && json[0]["notLookedAt"].is_array(), "{json}");
    Ok(())
}

/// An API that is off in the provider's own project is one fault of its profile; the client is asked for nothing, and what was read stays.
fn a_fault_of_the_provider_s_is_told_by_its_profile(lab: &Lab, clouds: &Clouds) -> Result<()> {
    let object = ["ca", "gcp", "-n", "client-tri"];
    let before = lab.kubectl.get(&object)?["status"]["inventory"]["assets"].clone();
    let off = FaultKind::Disabled { service: "cloudasset.googleapis.com".into(), consumer: format!("projects/{PROVIDER_PROJECT}") };
    clouds.google.world().faults.push(Fault::of("cloudasset.search", off));
    poke(lab, "gcp")?;
    let message = lab.condition(&object, "InventoryComplete", "Unknown", "CredentialsInvalid")?;
    ensure!(message.contains("see its ProviderProfile"), "{message}");
    ensure!(lab.kubectl.get(&object)?["status"]["inventory"]["assets"] == before, "what was read is gone");
    let message = lab.condition(&["pprof", "default"], "ClientsReadable", "False", "CredentialsInvalid")?;
    ensure!(message.contains("client-tri/gcp") && message.contains("cloudasset.googleapis.com"), "{message}");
    clouds.google.world().faults.clear();
    poke(lab, "gcp")?;
    lab.condition(&object, "InventoryComplete", "True", "Settled")?;
    lab.condition(&["pprof", "default"], "ClientsReadable", "True", "Settled").map(drop)
}

/// A wait that Azure asks for is kept, also by the process that comes after the one that was asked, and other accounts are read meanwhile.
/// What else is to be shown, and asks nothing of Azure, is done while the wait lasts.
fn a_wait_survives_a_restart(lab: &Lab, clouds: &Clouds, meanwhile: impl FnOnce() -> Result<()>) -> Result<()> {
    let object = ["ca", "azure", "-n", "client-tri"];
    let queries = || clouds.azure.exchanges().iter().filter(|exchange| exchange.url.contains("ResourceGraph")).count();
    let (path, refusal) = ("resourcegraph".into(), Refusal::Throttled(75));
    let rule = Rule { path, body: String::new(), refusal, after: 0, times: Some(1), each: 0, fitted: 0 };
    clouds.azure.change(|world| world.rules.push(rule));
    poke(lab, "azure")?;
    let asked = std::time::Instant::now();
    lab.until("the wait is told", || {
        let account = lab.kubectl.get(&object)?;
        let gaps = account["status"]["inventory"]["coverage"]["gaps"].clone();
        ensure!(gaps[0]["verdict"] == "Throttled", "{gaps}");
        Ok(())
    })?;
    clouds.enter(lab)?;
    let (before, read) = (queries(), lab.kubectl.get(&["ca", "gcp", "-n", "client-tri"])?["status"]["inventory"]["takenAt"].clone());
    for account in ["azure", "gcp"] {
        poke(lab, account)?;
    }
    lab.until("another account is read meanwhile", || {
        let now = lab.kubectl.get(&["ca", "gcp", "-n", "client-tri"])?["status"]["inventory"]["takenAt"].clone();
        ensure!(now != read, "{now}");
        Ok(())
    })?;
    ensure!(queries() == before, "Azure was asked before the wait was over");
    ensure!(asked.elapsed() < Duration::from_secs(70), "the wait was over before it could be seen");
    meanwhile()?;
    ensure!(asked.elapsed() > Duration::from_secs(70) || queries() == before, "Azure was asked before the wait was over");
    std::thread::sleep(Duration::from_secs(75).saturating_sub(asked.elapsed()));
    poke(lab, "azure")?;
    lab.condition(&object, "InventoryComplete", "True", "Settled").map(drop)
}

/// A second client with the first one's subscription, in another letter case, or with its service account, is told that it is taken, and not by whom.
/// Neither a reading nor a handover asks anything there.
fn a_second_claim_is_refused(lab: &Lab, clouds: &Clouds) -> Result<()> {
    let mut document = Client::new("thief", "200000000502", "eu-west-1").document();
    let through_theirs = json!({"projectId": "acme-sandbox", "serviceAccountProjectId": PROJECT});
    document["spec"]["accounts"] =
        json!([{"name": "azure", "azure": {"subscriptionId": SUBSCRIPTION}}, {"name": "gcp", "gcp": through_theirs}]);
    document["spec"].as_object_mut().context("a spec")?.remove("backups");
    lab.kubectl.apply(&document.to_string())?;
    let message = lab.condition(&["ca", "azure", "-n", "client-thief"], "Ready", "False", "AccountClaimed")?;
    ensure!(!message.contains("tri"), "the holder is named: {message}");
    let message = lab.condition(&["ca", "gcp", "-n", "client-thief"], "Ready", "False", "AccountClaimed")?;
    ensure!(!message.contains("tri") && message.contains("service account"), "{message}");

    let asked = || clouds.azure.exchanges().len() + clouds.google.exchanges().len();
    let before = lab.until("rest in both clouds", || {
        let before = asked();
        std::thread::sleep(Duration::from_secs(1));
        ensure!(asked() == before, "something is asked");
        Ok(before)
    })?;
    lab.kubectl.apply(
        &json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "Handover", "metadata": {"name": "rehearsal", "namespace": "client-thief"},
            "spec": {"mode": "Rehearsal"},
        })
        .to_string(),
    )?;
    lab.condition(&["ho", "rehearsal", "-n", "client-thief"], "BundleDelivered", "True", "")?;
    let status = lab.kubectl.get(&["ho", "rehearsal", "-n", "client-thief"])?["status"].clone();
    ensure!(status["frozen"]["accounts"] == json!([]), "{status}");
    for (reading, word) in status["readings"].as_array().context("readings")?.iter().zip(["another object", "service account"]) {
        ensure!(reading["inventory"].is_null() && reading["gap"].as_str().is_some_and(|gap| gap.contains(word)), "{reading}");
    }
    ensure!(status["readings"].as_array().map(Vec::len) == Some(2), "{status}");
    ensure!(asked() == before, "something was asked under another's claim");
    Ok(())
}

/// N07: after the exit everything says that it ended, since when and by which proof.
fn the_end_is_told_and_nothing_else(lab: &Lab) -> Result<()> {
    let objects = [
        (["ca", "aws", "-n", "client-tri"].as_slice(), "AccessProven", "False"),
        (&["ca", "azure", "-n", "client-tri"], "AccessProven", "False"),
        (&["ca", "gcp", "-n", "client-tri"], "AccessProven", "False"),
        (&["bp", "main", "-n", "client-tri"], "BackupsReady", "Unknown"),
        (&["mc", "tri"], "BackupsReady", "Unknown"),
    ];
    for (object, kind, is) in objects {
        for (kind, is) in [(kind, is), ("Ready", "False")] {
            let message = lab.condition(object, kind, is, "HandedOver").with_context(|| format!("{object:?} {kind}"))?;
            let is_whole = message.contains("times in a row") && message.contains("since 20") && message.contains("Handover final");
            ensure!(is_whole, "{object:?} {kind}: {message}");
        }
        // The log of what was done is ours, in our own store: nobody has to look into the client's clouds for it.
        let kept = [
            "NamespaceReady",
            "MonitoringReady",
            "LevelsCollected",
            "MembersListed",
            "HandedOver",
            "LedgerIntact",
            "DeadlinesMet",
            "IncidentsRecorded",
            "PagesProven",
            // Of the specification, which stands as it was.
            "ProfileResolved",
            "AuthorizationsNamed",
        ];
        let status = lab.kubectl.get(object)?["status"].clone();
        let good = status["conditions"].as_array().into_iter().flatten().filter(|condition| condition["status"] == "True");
        let good: Vec<&str> = good.filter_map(|condition| condition["type"].as_str()).filter(|kind| !kept.contains(kind)).collect();
        ensure!(good.is_empty(), "{object:?} still says that {good:?}");
        ensure!(status["plans"].is_null() && status["access"]["register"].is_null(), "{object:?} tells what nobody can look at: {status}");
    }
    // Lines are broken at the terminal's width.
    let access = lab.plugin(&["access", "tri"])?.split_whitespace().collect::<Vec<_>>().join(" ");
    ensure!(access.matches("ended").count() >= 3 && access.contains("times in a row"), "{access}");
    for word in ["outsiders", "ways in", "excess", "missing", "refused: ", "profile Full, "] {
        ensure!(!access.contains(word), "{word} is told of what has ended: {access}");
    }
    let status = lab.plugin(&["status", "tri"])?.split_whitespace().collect::<Vec<_>>().join(" ");
    ensure!(status.contains("was handed over") && status.contains("kubectl delete mc tri"), "{status}");
    Ok(())
}

#[test]
fn a_client_on_three_clouds_is_onboarded_and_left() -> Result<()> {
    let lab = &Lab::own("three-clouds")?;
    let folder = tempfile::tempdir()?;
    let clouds = Clouds::start(folder.path())?;
    clouds.enter(lab)?;

    let other = Other::made(lab, &clouds)?;
    let client = applied(lab, &clouds, &other)?;
    is_read(lab)?;
    too_much_is_told_and_nothing_waits_for_it(lab, &clouds)?;
    a_fault_of_the_provider_s_is_told_by_its_profile(lab, &clouds)?;
    a_wait_survives_a_restart(lab, &clouds, || a_second_claim_is_refused(lab, &clouds))?;

    clouds.control(lab)?;
    lab.plugin(&["exit", "tri", "--final", "--yes", "--wait"])?;
    let handover = || lab.kubectl.get(&["handover", "final", "-n", "client-tri"]);
    // Revocations spread slowly: what still lets in for a while is no proof that it always will, and no fault.
    clouds.azure.change(|world| world.revocation_delay = SPREAD);
    clouds.google.world().revocation_delay = SPREAD;
    lab.accept(&client, &["--wait"])?;
    lab.condition(&["mc", "tri"], "HandedOver", "True", "HandedOver")?;
    let revocations: Vec<Value> = serde_json::from_value(handover()?["status"]["revocations"].clone())?;
    ensure!(revocations.len() == 3, "{revocations:?}");
    for revocation in &revocations {
        ensure!(revocation["by"] == "Operator" && revocation["refusals"].as_u64() >= Some(3), "{revocation}");
        ensure!(revocation["control"].as_str().is_some_and(|place| place.contains("control client control")), "{revocation}");
    }
    ensure!(clouds.azure.change(|world| world.subscriptions[SUBSCRIPTION].delegations.is_empty()), "the delegation still stands");
    the_end_is_told_and_nothing_else(lab)?;
    let everything = lab.kubectl.run(&["get", "mc,ca,ms,bp,ho,pprof,configmaps,events", "-A", "-o", "json"])?;
    ensure!(!everything.contains(&clouds.azure_secret) && !lab.log().contains(&clouds.azure_secret), "the application's secret is told");
    ensure!(!everything.contains("PRIVATE KEY") && !lab.log().contains("PRIVATE KEY"), "a private key is told");
    clouds.judge()
}
