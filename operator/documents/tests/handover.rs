//! The documents of a bundle that holds something of everything.

mod browser;

use std::collections::BTreeMap;

use caretaker_api::handover::{FinalReading, Frozen, HandoverMode};
use caretaker_api::{BackupPolicy, CloudAccount, ManagedClient, ProviderProfile};
use caretaker_core::handover::contents::{BundleName, Inputs};
use caretaker_core::handover::iac::Export;
use caretaker_core::handover::parts::REGISTRY;
use caretaker_documents::handover;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What stands in nothing that leaves us.
const SECRET: &str = "hunter2";

fn made<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn client() -> ManagedClient {
    let login = format!("https://u:{SECRET}@wiki.example");
    made(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme"},
        "spec": {
            "displayName": format!("<b>Acme</b> & {login}"),
            "contacts": {"vendorManager": {"name": format!("Jo {login}"), "email": "jo@acme.example"}}, "accounts": [],
            "monitoring": {"tiers": [
                {"name": "tier-1", "afterMinutes": 0, "webhookUrl": format!("https://desk:{SECRET}@desk.example/a")},
                {"name": "tier-2", "afterMinutes": 30, "webhookUrl": format!("https://hooks.example/services/T0/B0/{SECRET}")},
            ]},
            "backups": {"dailyAt": "03:30", "retentionDays": 35, "tag": {"key": "api_key", "value": SECRET}, "regions": ["eu-west-1"]},
            "exit": {"recipients": ["age1"]},
        },
    }))
}

fn readings(count: usize) -> Vec<FinalReading> {
    let reading = |number: usize| {
        let cell = json!({"region": "eu-west-1", "service": "ec2/instances", "verdict": "Denied", "cause": format!("proxy https://u:{SECRET}@p.example <script>")});
        let coverage = json!({"text": "3/4", "planned": 4, "complete": 3, "gaps": [cell]});
        let inventory =
            json!({"digest": "d", "address": "a", "assets": 10 * number, "byType": {"instance": 7, "bucket": 3}, "coverage": coverage});
        made(
            json!({"account": if number == 0 { "prod".into() } else { format!("account-with-a-name-that-is-long-{number}") }, "inventory": inventory}),
        )
    };
    let lost = made(json!({"account": "lost", "gap": "closed"}));
    (0..count).map(reading).chain((count == 2).then_some(lost)).collect()
}

fn files(mode: HandoverMode, count: usize) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let (client, readings) = (client(), readings(count));
    let frozen = Frozen { at: Some(made(json!("2026-11-28T00:00:00Z"))), ..Frozen::default() };
    let profile: ProviderProfile = made(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ProviderProfile", "metadata": {"name": "p"},
        "spec": {"displayName": "Care", "contacts": [{"name": "Desk", "email": "desk@care.example"}], "aws": {
            "principalArn": "arn:aws:iam::999999999999:user/caretaker",
        }},
        "status": {"signing": {"publicKey": "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3", "keyId": "k", "secretName": "s", "fingerprint": "aa:bb"}},
    }));
    let accounts: [CloudAccount; 1] = [made(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "prod"},
        "spec": {"aws": {"accountId": "222222222222", "externalId": "e1"}, "allow": ["Backup", "Revoke"]},
    }))];
    let policies: [BackupPolicy; 1] = [made(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "BackupPolicy", "metadata": {"name": "main"},
        "spec": {"accounts": ["prod"], "dailyAt": "03:30", "retentionDays": 35, "tag": {"key": "api_key", "value": SECRET}, "regions": ["eu-west-1"]},
    }))];
    let rules = json!({"groups": [{"name": "caretaker", "rules": [{"alert": "InstanceDown", "expr": "up{job=\"machines\"} == 0"}]}]});
    let monitoring =
        [json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": {"name": "main-rules"}, "spec": rules})];
    let inputs = Inputs {
        mode,
        bundle: BundleName { file: "acme-final-8a1b.tar.zst.age", folder: "acme-final" },
        frozen: &frozen,
        client: &client,
        profile: &profile,
        accounts: &accounts,
        readings: &readings,
        monitoring: &monitoring,
        policies: &policies,
        further_gaps: &[],
        copied: &[],
        withheld: &[],
        acceptance_code: (mode == HandoverMode::Final).then_some("K7Q01-00000-00000-00000"),
        ledger: None,
        risks: &[],
        export: &Export::default(),
    };
    (handover::files(&inputs), inputs.files())
}

#[test]
fn every_part_is_a_file_or_a_gap() {
    let (documents, parts) = files(HandoverMode::Final, 2);
    let gaps: Vec<Value> = serde_json::from_str(&parts["14-gaps.json"]).unwrap();
    for part in REGISTRY {
        let path = part.path();
        // The controller writes it while it reads the inventories.
        let has_file = documents.keys().chain(parts.keys()).any(|file| file.starts_with(path)) || path == "04-iac";
        assert!(has_file || gaps.iter().any(|gap| gap["part"] == path), "{path} is neither delivered nor missing");
        assert!(documents["00-READ-ME-FIRST.md"].contains(path) && documents["index.html"].contains(path), "{path} is told nowhere");
    }
    assert!(documents.keys().all(|path| !parts.contains_key(path)), "one file is written twice");
}

#[test]
fn no_document_tells_a_secret() {
    for mode in [HandoverMode::Rehearsal, HandoverMode::Final] {
        for (path, text) in files(mode, 3).0 {
            assert!(!text.contains(SECRET), "{path}: {text}");
        }
    }
}

#[test]
fn the_page_asks_for_nothing_from_outside_and_takes_no_markup_from_names() {
    let page = &files(HandoverMode::Final, 3).0["index.html"];
    for outside in ["src=", "href=\"http", "href=\"//", "@import", "url(", "<script", "<link", "<iframe", "<b>Acme"] {
        assert!(!page.contains(outside), "{outside}: {page}");
    }
    assert!(page.contains("&lt;b&gt;Acme&lt;&#x2f;b&gt;") && page.contains("&lt;script&gt;"), "names and causes are told, as text: {page}");
    assert!(page.contains("default-src 'none'"), "a browser must refuse what slips through");
    let linked: Vec<&str> = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let (documents, parts) = files(HandoverMode::Final, 3);
    assert!(!linked.is_empty() && linked.iter().all(|link| documents.contains_key(*link) || parts.contains_key(*link)), "{linked:?}");
}

#[test]
fn the_plot_has_the_largest_accounts_and_says_what_is_left_out() {
    let page = &files(HandoverMode::Final, 40).0["index.html"];
    assert_eq!(page.matches("fill=\"#2f855a\"").count(), 25, "one bar of coverage for each");
    assert!(page.contains("15 smaller account(s) are not drawn"), "{page}");
    assert!(page.contains("account-with-a-name-that…") && page.contains("75 %"), "{page}");
    let none = &files(HandoverMode::Final, 0).0["index.html"];
    assert!(none.contains("No account was read") && none.contains("<b>Unknown</b>"), "{none}");
}

#[test]
fn an_account_that_was_not_read_has_not_no_assets() {
    let documents = files(HandoverMode::Final, 2).0;
    let (page, read_me) = (&documents["index.html"], &documents["00-READ-ME-FIRST.md"]);
    assert!(page.contains("<b>at least 10</b>") && page.contains(">unknown</text>"), "{page}");
    assert!(read_me.contains("| lost | unknown | Unknown |"), "{read_me}");
}

/// The lines of the blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<Vec<&'a str>> {
    let fence = format!("```{language}\n");
    text.split(fence.as_str()).skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.lines().collect())).collect()
}

/// X03: `age` with a pipe gives broken files in PowerShell, and `tar` without `-f` reads a tape.
#[test]
fn commands_take_files_by_name_on_every_system() {
    let read_me = &files(HandoverMode::Final, 1).0["00-READ-ME-FIRST.md"];
    let (shell, windows) = (blocks(read_me, "sh"), blocks(read_me, "powershell"));
    assert!(shell.len() >= 3 && windows.len() == 1, "{read_me}");
    let tools = |lines: &[&str]| -> Vec<String> {
        lines
            .iter()
            .filter(|line| ["minisign", "age", "zstd", "tar"].contains(&line.split(' ').next().unwrap_or_default()))
            .map(|line| (*line).to_owned())
            .collect()
    };
    assert_eq!(tools(&shell[0]).len(), 4);
    assert!(tools(&shell[0]) == tools(&shell[1]) && tools(&shell[0]) == tools(&windows[0]), "the tools are called alike everywhere");
    for line in tools(&windows[0]) {
        assert!(!line.contains(['|', '>', '<']), "no bytes go through a shell: {line}");
    }
    assert!(shell[0].contains(&"tar -xf bundle.tar"));
}

#[test]
fn a_browser_shows_the_plots_and_asks_nobody() {
    browser::is_quiet_with_plots(&files(HandoverMode::Final, 3).0["index.html"], 3);
}
