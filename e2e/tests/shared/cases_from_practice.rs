//! Cases from practice, as the status tells them. What a cloud's adapter decides by itself is tested there; the table says where each case is:
//!
//! | case | tests |
//! | --- | --- |
//! | role edited from A to B, which is not there, to C, which is | here `an_edit_of_the_role_is_told_and_the_next_one_recovers`; cloud-aws `an_edit_of_the_role_ends_the_session_of_the_old_one`, cloud-azure `a_changed_grant_takes_no_session_of_the_old_one`, cloud-gcp `a_changed_grant_drops_the_session_of_the_old_one` |
//! | no way in, but the base identity may list at home | cloud-aws `the_providers_own_machines_are_in_no_clients_inventory`, cloud-gcp `a_refused_client_is_not_read_with_the_base_identity` |
//! | the regions may not be asked for | here `regions_that_nobody_tells_are_no_success_and_named_ones_are_read`; cloud-aws `regions_that_may_not_be_asked_for_are_told_with_both_cures` |
//! | one region does not take our session | cloud-aws `a_region_that_does_not_take_our_session_is_denied_by_itself` |
//! | the session ends in the middle of the pages | cloud-aws `five_pages_outlive_the_session_that_began_them`, cloud-azure `a_token_that_ends_in_mid_run_is_renewed_on_the_same_page`, cloud-gcp `a_session_that_expires_in_mid_run_is_renewed_and_nothing_is_lost` |
//! | region A emptied, region B denied | here `an_emptied_region_is_empty_and_a_denied_one_keeps_its_assets`; core `an_absence_is_concluded_only_from_a_complete_cell` |
//! | whose a subscription is | cloud-azure `whose_a_subscription_is_decides` |
//! | a second client names the same subscription in another letter case | `three_clouds.rs` `a_second_claim_is_refused` |
//! | Resource Graph's pages, tokens and totals | cloud-azure `a_page_token_counts_whatever_else_the_page_says`, `a_list_that_is_cut_off_is_partial_with_both_numbers`, `fewer_rows_than_the_total_are_partial` |
//! | one Azure id in two letter cases | cloud-azure `one_id_in_two_letter_cases_is_one_asset_in_every_run`; `scope.rs` `azure_s_letter_case_is_no_change_and_no_second_asset` |
//! | a long wait beside a header that says there is room | cloud-azure `a_wait_is_obeyed_over_the_remaining_quota_and_other_subscriptions_go_on`, `a_wait_survives_a_restart` |
//! | an API that is off, in the client's project or the provider's | cloud-gcp `an_api_that_is_off_in_the_clients_project_is_one_disabled_cell`, `an_api_that_is_off_in_the_quota_project_is_the_providers_fault` |
//! | thirty projects behind one quota | cloud-gcp `thirty_projects_of_ten_clients_share_one_quota` |
//! | an index that lacks what is there and lists what is gone | controllers `what_an_index_lacks_is_gone_only_once_its_own_service_says_so`, `what_nobody_can_be_asked_for_stays_however_long_and_is_counted`, `beside_an_index_the_services_own_lists_are_believed`; cloud-aws `what_no_list_shows_is_read_from_the_index_and_nothing_is_listed_twice`; cloud-azure `what_the_index_leaves_out_is_gone_only_where_its_provider_says_so`, cloud-gcp `what_the_index_leaves_out_is_gone_only_where_its_service_says_so`, `every_kind_is_asked_for_at_its_own_service`, `of_what_nobody_can_be_asked_for_the_record_tells_the_deletion` |
//! | an account that refuses everything, then its object is deleted | here `an_account_that_refuses_everything_is_let_go_without_a_word_of_proof`; core `what_was_not_verified_is_said` |

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use caretaker_aws_shim::{Fault, Rows};
use caretaker_e2e::{Client, Lab, PATIENCE, lab};
use serde_json::{Value, json};

const ROLE: &str = "CaretakerAccess";

fn here() -> &'static Lab {
    lab()
}

/// The client without what would write into its account in the meantime.
fn read_only(client: &Client) -> Result<Value> {
    let mut document = client.document();
    document["spec"].as_object_mut().context("a spec")?.remove("backups");
    document["spec"]["accounts"][0]["allow"] = json!(["Revoke"]);
    Ok(document)
}

fn onboard(lab: &Lab, client: &Client) -> Result<()> {
    lab.kubectl.apply(&read_only(client)?.to_string())?;
    lab.grant(client)?;
    lab.kubectl.wait(&[&format!("mc/{}", client.name)], "condition=Ready", PATIENCE).with_context(|| lab.log())?;
    Ok(())
}

/// Changes a field of the client's first account.
fn edit(lab: &Lab, client: &str, change: &Value) -> Result<()> {
    lab.kubectl.run(&["patch", "mc", client, "--type=json", "-p", &json!([change]).to_string()]).map(drop)
}

fn inventory(lab: &Lab, client: &str) -> Result<Value> {
    let account = lab.kubectl.get(&["ca", "prod", "-n", &format!("client-{client}")])?;
    Ok(account["status"]["inventory"].clone())
}

/// The machines of the inventory in the store.
fn machines(lab: &Lab, client: &str) -> Result<Vec<Value>> {
    let store = lab.installed.volume("store").display().to_string();
    let text = lab.plugin(&["inventory", client, "--store", &store, "--type", "instance", "-o", "json"])?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn ids(machines: &[Value]) -> BTreeSet<String> {
    machines.iter().map(|machine| format!("{} {}", machine["region"], machine["id"])).collect()
}

#[test]
fn an_edit_of_the_role_is_told_and_the_next_one_recovers() -> Result<()> {
    let lab = here();
    let client = Client::new("edited", "200000000801", "eu-west-1");
    lab.cloud.call(&["instances", &client.account, "eu-west-1", "2"], "")?;
    onboard(lab, &client)?;
    let account = ["ca", "prod", "-n", "client-edited"];
    let role = |name: &str| edit(lab, "edited", &json!({"op": "add", "path": "/spec/accounts/0/aws/roleName", "value": name}));
    role("CaretakerB")?;
    let message = lab.condition(&account, "AccessProven", "False", "WaitingForGrant")?;
    ensure!(message.contains("role/CaretakerB") && !message.contains(ROLE), "{message}");
    let before = lab.calls_into(&client.account).len();
    lab.poke("edited")?;
    lab.condition(&["mc", "edited"], "Ready", "False", "")?;
    ensure!(inventory(lab, "edited")?["byType"]["instance"] == 2, "what was known must stay");

    // The client has made C in the meantime, and nobody asks for a visit after the edit.
    let kit = lab.kubectl.get(&["configmap", "prod-grant-kit", "-n", "client-edited"])?;
    let template = kit["data"]["caretaker-access.cfn.json"].as_str().context("the kit has a template")?;
    ensure!(template.contains("CaretakerB"), "the kit is for the role of the spec");
    lab.cloud.call(&["apply-kit", &client.account], &template.replace("CaretakerB", "CaretakerC"))?;
    ensure!(lab.calls_into(&client.account).len() == before, "a call after the edit with the session of A");
    role("CaretakerC")?;
    let message = lab.condition(&account, "AccessProven", "True", "Proven")?;
    ensure!(message.contains("role/CaretakerC"), "{message}");
    lab.kubectl.wait(&["mc/edited"], "condition=Ready", PATIENCE).with_context(|| lab.log())?;
    ensure!(inventory(lab, "edited")?["byType"]["instance"] == 2, "{}", inventory(lab, "edited")?);
    Ok(())
}

#[test]
fn regions_that_nobody_tells_are_no_success_and_named_ones_are_read() -> Result<()> {
    let lab = here();
    let asked = [("DescribeRegions", "UnauthorizedOperation"), ("POST:listRegions", "AccessDeniedException")];
    let _faults = lab.faults(asked.map(|(call, code)| Fault::error(call, 403, code)).to_vec());
    let client = Client::new("untold", "200000000802", "eu-west-1");
    lab.cloud.call(&["instances", &client.account, "eu-west-1", "2"], "")?;
    let mut document = read_only(&client)?;
    document["spec"]["accounts"][0]["aws"].as_object_mut().context("an account")?.remove("regions");
    lab.kubectl.apply(&document.to_string())?;
    lab.grant(&client)?;
    let account = ["ca", "prod", "-n", "client-untold"];
    let unknown = || -> Result<()> {
        let message = lab.condition(&account, "InventoryComplete", "Unknown", "CoverageUnknown")?;
        for cure in ["account:ListRegions", "ec2:DescribeRegions", "spec.accounts[].aws.regions"] {
            ensure!(message.contains(cure), "{cure} is not in {message}");
        }
        lab.condition(&account, "Ready", "False", "CoverageUnknown")?;
        lab.condition(&["mc", "untold"], "Ready", "False", "").map(drop)
    };
    unknown()?;
    lab.condition(&account, "AccessProven", "True", "Proven")?;
    let told = lab.plugin(&["coverage", "untold"])?;
    ensure!(told.contains("prod: Unknown cells"), "{told}");

    edit(lab, "untold", &json!({"op": "add", "path": "/spec/accounts/0/aws/regions", "value": ["eu-west-1"]}))?;
    let message = lab.condition(&account, "InventoryComplete", "True", "Settled")?;
    ensure!(message.contains("cells read completely"), "{message}");
    lab.kubectl.wait(&["mc/untold"], "condition=Ready", PATIENCE).with_context(|| lab.log())?;
    let known = inventory(lab, "untold")?;
    ensure!(known["byType"]["instance"] == 2 && known["coverage"]["complete"] == known["coverage"]["planned"], "{known}");

    // Without them again: what was complete is not so for long, and what is known stays.
    edit(lab, "untold", &json!({"op": "remove", "path": "/spec/accounts/0/aws/regions"}))?;
    unknown()?;
    ensure!(inventory(lab, "untold")?["digest"] == known["digest"], "the last inventory must stand");
    Ok(())
}

#[test]
fn an_emptied_region_is_empty_and_a_denied_one_keeps_its_assets() -> Result<()> {
    let lab = here();
    let [emptied, denied] = ["eu-west-2", "eu-west-3"];
    let client = Client { regions: vec![emptied.into(), denied.into()], ..Client::new("emptied", "200000000803", emptied) };
    for region in [emptied, denied] {
        lab.cloud.call(&["instances", &client.account, region, "2"], "")?;
    }
    onboard(lab, &client)?;
    let before = machines(lab, "emptied")?;
    let (gone, kept): (Vec<Value>, Vec<Value>) = before.into_iter().partition(|machine| machine["region"] == emptied);
    ensure!(gone.len() == 2 && kept.len() == 2, "{gone:?} and {kept:?}");

    let faults = lab.faults(vec![Fault::error(&format!("ec2/{denied}/"), 403, "UnauthorizedOperation")]);
    // As AWS shows it an hour after the end of the machines; until then they are listed as terminated.
    lab.watch.set_rows("ec2/DescribeInstances", &client.account, emptied, Rows::These(vec![]));
    lab.poke("emptied")?;
    let account = ["ca", "prod", "-n", "client-emptied"];
    let message = lab.condition(&account, "InventoryComplete", "False", "Incomplete")?;
    ensure!(message.contains(denied) && message.contains(&client.account), "{message}");
    let now = machines(lab, "emptied")?;
    ensure!(ids(&now) == ids(&kept), "{now:?} is not {kept:?}");
    for machine in &now {
        let was = kept.iter().find(|was| was["id"] == machine["id"]).context("the machine from before")?;
        ensure!(machine["seenAt"].is_string() && machine["seenAt"] == was["seenAt"], "it was not seen now: {machine} and {was}");
    }
    let gaps = inventory(lab, "emptied")?["coverage"]["gaps"].clone();
    let of_denied = |gap: &Value| gap["region"] == denied && gap["verdict"] == "Denied";
    ensure!(gaps.as_array().is_some_and(|gaps| !gaps.is_empty() && gaps.iter().all(of_denied)), "{gaps}");
    let store = lab.installed.volume("store").display().to_string();
    let told = lab.plugin(&["inventory", "emptied", "--diff", "previous", "--store", &store, "--type", "instance", "-o", "json"])?;
    let removed: Vec<Value> = told.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(ids(&removed) == ids(&gone) && removed.iter().all(|line| line["change"] == "removed"), "{told}");

    drop(faults);
    lab.poke("emptied")?;
    lab.condition(&account, "InventoryComplete", "True", "Settled")?;
    let now = machines(lab, "emptied")?;
    ensure!(ids(&now) == ids(&kept), "{now:?}");
    Ok(())
}

#[test]
fn an_account_that_refuses_everything_is_let_go_without_a_word_of_proof() -> Result<()> {
    let lab = here();
    let client = Client::new("refusing", "200000000804", "eu-west-1");
    lab.cloud.call(&["instances", &client.account, "eu-west-1", "1"], "")?;
    onboard(lab, &client)?;
    // A second account, which never let us in, so that an entry can go while the client stays.
    let other = json!({"name": "other", "aws": {"accountId": "200000000805", "regions": ["eu-west-1"]}, "allow": ["Revoke"]});
    edit(lab, "refusing", &json!({"op": "add", "path": "/spec/accounts/-", "value": other}))?;
    lab.cloud.call(&["delete-role", &client.account, ROLE], "")?;
    lab.poke("refusing")?;
    for name in ["prod", "other"] {
        let message = lab.condition(&["ca", name, "-n", "client-refusing"], "AccessProven", "False", "WaitingForGrant")?;
        ensure!(message.contains("no access or gone"), "{message}");
    }
    ensure!(inventory(lab, "refusing")?["byType"]["instance"] == 1, "what was known must stay");

    let writes = || lab.writes_into(&client.account);
    let (written, called) = (writes(), lab.calls_into(&client.account).len());
    edit(lab, "refusing", &json!({"op": "remove", "path": "/spec/accounts/0"}))?;
    lab.kubectl.run(&["wait", "ca/prod", "-n", "client-refusing", "--for=delete", "--timeout=60s"])?;
    let note = lab.until("the event", || {
        let events = lab.kubectl.get(&["events", "-n", "client-refusing"])?;
        let about = |event: &&Value| event["reason"] == "Deleting" && event["involvedObject"]["name"] == "prod";
        let Some(event) = events["items"].as_array().into_iter().flatten().find(about) else { bail!("{events}") };
        Ok(event["message"].as_str().unwrap_or_default().to_owned())
    })?;
    for part in ["nothing was changed there", "nothing was verified", "no access or gone", &client.account] {
        ensure!(note.contains(part), "{part} is not in {note}");
    }
    lab.kubectl.run(&["annotate", "mc", "refusing", "caretaker.dev/confirm-deletion=refusing"])?;
    lab.kubectl.run(&["delete", "mc", "refusing", "--timeout=60s"])?;
    ensure!(writes() == written && lab.calls_into(&client.account).len() == called, "a call into an account that was let go");
    Ok(())
}
