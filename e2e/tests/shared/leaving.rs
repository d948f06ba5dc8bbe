//! Could a client leave today; an exit that is called off; and a client that the next provider takes in from its bundle.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use caretaker_e2e::{Client, Lab, lab};

fn store(lab: &Lab) -> String {
    lab.installed.volume("store").display().to_string()
}

/// Opens the bundle of a handover. Gives the folder that holds the bag.
fn opened(lab: &Lab, client: &Client, handover: &str, folder: &Path) -> Result<PathBuf> {
    let object = lab.kubectl.get(&["handover", handover, "-n", &format!("client-{}", client.name)])?;
    let address = object["status"]["bundle"]["address"].as_str().context("the bundle has an address")?;
    let key = lab.kubectl.get(&["pprof", "default"])?["status"]["signing"]["publicKey"].as_str().context("a public key")?.to_owned();
    let (identity, into) = (folder.join("identity.txt"), folder.join("opened"));
    std::fs::write(&identity, &client.identity)?;
    std::fs::create_dir(&into)?;
    let bundle = lab.installed.volume("store").join(address);
    let [bundle, identity, target] = [&bundle, &identity, &into].map(|path| path.display().to_string());
    lab.plugin(&["bundle", "open", &bundle, "--public-key", &key, "--identity", &identity, "--into", &target])?;
    Ok(into)
}

fn refused(result: Result<String>, words: &str) -> Result<()> {
    let said = result.err().with_context(|| format!("nothing said: {words}"))?.to_string();
    ensure!(said.contains(words), "{words} is not in: {said}");
    Ok(())
}

#[test]
fn an_exit_that_is_called_off_takes_nothing_away_and_another_can_follow() -> Result<()> {
    let lab = lab();
    let client = Client::new("staying", "200000000032", "eu-west-1");
    lab.onboard(&client)?;
    lab.control()?;
    let named = ["-n", "client-staying"];
    lab.plugin(&["exit", "staying", "--final", "--yes", "--wait"])?;
    lab.condition(&["mc", "staying"], "ExitReady", "False", "Progressing")?;
    refused(lab.plugin(&["exit", "staying", "--final", "--yes"]), "a final exit exists already")?;
    refused(lab.plugin(&["exit", "staying", "--cancel"]), "--by")?;
    lab.plugin(&["exit", "staying", "--cancel", "--by", "Jo Doe", "--reason", "the contract was renewed"])?;
    lab.condition(&["handover", "final", named[0], named[1]], "HandedOver", "False", "Cancelled")?;
    lab.condition(&["handover", "final", named[0], named[1]], "Ready", "True", "Settled")?;
    lab.condition(&["mc", "staying"], "ExitReady", "True", "Settled")?;
    let digest =
        lab.kubectl.get(&["handover", "final", named[0], named[1]])?["status"]["bundle"]["sha256"].as_str().unwrap_or_default().to_owned();
    refused(lab.plugin(&["accept", "staying", "--digest", &digest, "--by", "Jo"]), "has no final exit")?;
    let role = lab.cloud.call(&["role", &client.account, "CaretakerAccess"], "")?;
    ensure!(role["inline"].as_array().is_some_and(|inline| inline.len() == 3), "our role was touched: {role}");
    lab.plugin(&["exit", "staying", "--final", "--yes", "--wait"])?;
    lab.accept(&client, &["--wait"])?;
    let late = r#"{"spec":{"cancelled":{"by":"x","reason":"y"}}}"#;
    refused(
        lab.kubectl.run(&["patch", "handover", "final-2", named[0], named[1], "--type=merge", "-p", late]),
        "it is too late to cancel",
    )?;
    lab.condition(&["mc", "staying"], "HandedOver", "True", "HandedOver")?;
    let told = lab.plugin(&["ledger", "show", "staying", "--store", &store(lab), "--last", "0"])?;
    ensure!(told.contains("called off by Jo Doe: the contract was renewed"), "{told}");
    Ok(())
}

#[test]
fn the_next_provider_takes_a_client_in_from_its_bundle_and_finds_nothing_missing() -> Result<()> {
    let lab = lab();
    let client = Client::new("moving", "200000000033", "eu-west-1");
    lab.cloud.call(&["furnish", &client.account, "eu-west-1"], "")?;
    lab.onboard(&client)?;
    lab.control()?;
    let told = lab.plugin(&["readiness", "moving"])?;
    ensure!(told.contains("NO   Was the exit rehearsed lately?") && told.contains("kubectl caretaker exit moving --wait"), "{told}");
    lab.plugin(&["exit", "moving", "--wait"])?;
    lab.condition(&["mc", "moving"], "ExitReady", "True", "Settled")?;
    ensure!(lab.plugin(&["readiness", "moving"])?.contains("12 of 12 questions passed"), "{}", lab.plugin(&["readiness", "moving"])?);

    lab.plugin(&["exit", "moving", "--final", "--yes", "--wait"])?;
    let folder = tempfile::tempdir()?;
    let bundle = opened(lab, &client, "final", folder.path())?.display().to_string();
    lab.accept(&client, &["--wait"])?;
    lab.condition(&["mc", "moving"], "HandedOver", "True", "HandedOver")?;
    lab.kubectl.run(&["delete", "mc", "moving", "--timeout=90s"])?;

    let taken = lab.plugin(&["intake", "new", "--bundle", &bundle, "--name", "moved"])?;
    ensure!(taken.contains("# nothing may be written in prod") && !taken.contains("externalId"), "{taken}");
    lab.kubectl.apply(&taken)?;
    let next = Client { name: "moved".into(), ..client };
    lab.grant(&next)?;
    lab.condition(&["mc", "moved"], "InventoryComplete", "True", "")?;
    let compare = |last: &str| lab.plugin(&["intake", "compare", "moved", "--bundle", &bundle, "--store", &store(lab), "-o", last]);
    compare("json").context("something differs")?;
    // A machine that comes later is found, and its volume.
    lab.cloud.call(&["instances", &next.account, "eu-west-1", "1", "late"], "")?;
    lab.poke("moved")?;
    lab.until("the new machine in the comparison", || {
        refused(lab.plugin(&["intake", "compare", "moved", "--bundle", &bundle, "--store", &store(lab)]), "2 difference(s)")
    })
}

#[test]
fn a_table_of_accounts_makes_a_client_that_the_api_server_takes() -> Result<()> {
    let lab = lab();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("accounts.csv");
    std::fs::write(&file, "\u{feff}Name,Cloud,ID,Regions\r\nprod,AWS,200000000034,eu-west-1 eu-central-1\r\n")?;
    let recipient = Client::new("x", "1", "r").recipient;
    let file = file.display().to_string();
    let args = ["intake", "new", "--csv", &file, "--name", "tabled", "--manager", "Jo Doe <jo@client.example>", "--recipient", &recipient];
    let made = lab.plugin(&args)?;
    let path = folder.path().join("client.yaml");
    std::fs::write(&path, made)?;
    lab.kubectl.run(&["apply", "--dry-run=server", "-f", &path.display().to_string()])?;
    std::fs::write(folder.path().join("accounts.csv"), "account\n1\n")?;
    refused(lab.plugin(&args), "there is no column name")
}

/// After a compromise of the provider nobody waits for a bundle: our access goes first, and the client still gets everything that was read.
#[test]
fn in_an_emergency_our_access_goes_before_the_bundle_is_made() -> Result<()> {
    let lab = lab();
    let client = Client::new("burning", "200000000034", "eu-west-1");
    lab.cloud.call(&["instances", &client.account, "eu-west-1", "2"], "")?;
    lab.onboard(&client)?;
    lab.control()?;
    refused(lab.plugin(&["exit", "burning", "--emergency", "--by", "Jo", "--reason", "x"]), "--final")?;
    refused(lab.plugin(&["exit", "burning", "--final", "--yes", "--by", "Jo", "--reason", "x"]), "--emergency")?;
    let said =
        lab.plugin(&["exit", "burning", "--final", "--emergency", "--by", "Jo Doe", "--reason", "our keys leaked", "--yes", "--wait"])?;
    ensure!(said.contains("declared by Jo Doe: our keys leaked"), "{said}");
    let named = ["handover", "final", "-n", "client-burning"];
    let status = lab.kubectl.get(&named)?["status"].clone();
    let at = |step: &str, end: &str| {
        let found = status["steps"].as_array().into_iter().flatten().find(|record| record["step"] == step);
        found.and_then(|record| record[end].as_str()).map(str::to_owned).with_context(|| format!("{step} has no {end}: {status}"))
    };
    ensure!(
        at("Revoke", "completedAt")? <= at("Build", "startedAt")? && at("VerifyRefusal", "completedAt")? <= at("Accept", "startedAt")?,
        "{status}"
    );
    ensure!(status["revocations"][0]["refusals"].as_u64() >= Some(3), "{status}");
    lab.condition(&named, "AccessRevoked", "True", "")?;
    let late = r#"{"spec":{"cancelled":{"by":"x","reason":"y"}}}"#;
    refused(lab.kubectl.run(&[&["patch"], &named[..], &["--type=merge", "-p", late]].concat()), "too late")?;
    let other = r#"{"spec":{"emergency":{"by":"x","reason":"y"}}}"#;
    refused(lab.kubectl.run(&[&["patch"], &named[..], &["--type=merge", "-p", other]].concat()), "when the exit is created")?;

    let folder = tempfile::tempdir()?;
    let bag = std::fs::read_dir(opened(lab, &client, "final", folder.path())?)?.next().context("a bag")??.path().join("data");
    let read_me = std::fs::read_to_string(bag.join("00-READ-ME-FIRST.md"))?;
    ensure!(read_me.contains("EMERGENCY"), "{read_me}");
    ensure!(std::fs::read_to_string(bag.join("14-gaps.json"))?.contains("revoked first"), "the gap is declared");
    ensure!(bag.join("02-inventory/prod.ndjson.zst").is_file(), "the last inventory is delivered");
    lab.accept(&client, &["--wait"])?;
    lab.condition(&["mc", "burning"], "HandedOver", "True", "HandedOver").map(drop)
}

/// The provider's own store is not the client's: the bundle also comes to a bucket of theirs, which is tried before the day on which it is needed.
#[test]
fn a_bundle_comes_to_the_client_s_own_bucket_and_a_bucket_that_refuses_is_told_before() -> Result<()> {
    let lab = lab();
    let client = Client::new("bucket", "200000000035", "eu-west-1");
    lab.onboard(&client)?;
    let wanted = |secret: &str| {
        let exit = format!(r#"{{"spec":{{"exit":{{"destination":{{"url":"s3://acme-handover/in","secretName":"{secret}"}}}}}}}}"#);
        lab.kubectl.run(&["patch", "mc", "bucket", "--type=merge", "-p", &exit])
    };
    refused(wanted("aws-base"), "must begin with destination-")?;
    wanted("destination-bucket")?;
    let told = || lab.plugin(&["readiness", "bucket"]);
    lab.until("the word that the Secret is missing", || {
        ensure!(told()?.contains("Secret destination-bucket does not exist"), "{}", told()?);
        Ok(())
    })?;
    // The next try of one that failed comes in ten minutes; another name is tried at once.
    let keys = lab.bucket(&client, "acme-handover", "destination-two")?;
    wanted("destination-two")?;
    lab.until("the word that the bucket takes a bundle", || {
        let tried = lab.kubectl.get(&["mc", "bucket"])?["status"]["destination"].clone();
        ensure!(tried["destination"]["secretName"] == "destination-two" && tried["fault"].is_null(), "{tried}");
        Ok(())
    })?;
    let said = lab.plugin(&["exit", "bucket", "--wait"])?;
    ensure!(said.contains("s3://acme-handover/in/") && said.contains("and read back"), "{said}");
    let names = lab.in_bucket(&client, "acme-handover")?;
    for end in ["caretaker-probe.txt", ".tar.zst.age", ".tar.zst.age.minisig", ".tar.zst.age.intoto.json"] {
        ensure!(names.iter().any(|name| name.starts_with("in/") && name.ends_with(end)), "no {end} in {names:?}");
    }
    let everything = lab.kubectl.run(&["get", "mc,handover", "-A", "-o", "json"])?;
    ensure!(!everything.contains(keys["secretAccessKey"].as_str().context("a key")?), "a secret is told");
    Ok(())
}
