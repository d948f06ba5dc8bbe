use std::collections::BTreeSet;

use caretaker_api::handover::{FinalReading, Frozen, HandoverMode};
use caretaker_api::{BackupPolicy, CloudAccount, ManagedClient, ProviderProfile};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::handover::contents::{BundleName, Withheld};
use crate::handover::iac::Export;

fn made<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// What stands in nothing that leaves us.
const SECRET: &str = "hunter2";

/// A client with a secret wherever a person could have put one.
struct World {
    frozen: Frozen,
    client: ManagedClient,
    profile: ProviderProfile,
    accounts: Vec<CloudAccount>,
    readings: Vec<FinalReading>,
    monitoring: Vec<Value>,
    policies: Vec<BackupPolicy>,
    gaps: Vec<Gap>,
    withheld: Vec<Withheld>,
    export: Export,
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "monitoring.coreos.com/v1", "kind": kind, "metadata": {"name": name, "labels": {}}, "spec": spec})
}

fn client() -> ManagedClient {
    made(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme"},
        "spec": {
            "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@acme.example"}},
            "accounts": [],
            "scope": {"exclude": [{"tag": {"key": "db_password", "value": SECRET}, "reason": format!("see https://u:{SECRET}@wiki.example")}]},
            "monitoring": {"prober": format!("u:{SECRET}@blackbox:9115"), "tiers": [
                {"name": "tier-1", "afterMinutes": 0, "webhookUrl": format!("https://hooks.example/services/T0/B0/{SECRET}")},
                {"name": "tier-2", "afterMinutes": 5, "webhookUrl": format!("https://desk:{SECRET}@desk.example/a")},
                {"name": "tier-3", "afterMinutes": 9, "webhookSecret": {"name": "pager", "key": "url"}},
            ]},
            "backups": {"dailyAt": "03:30", "retentionDays": 35, "tag": {"key": "api_key", "value": SECRET}, "regions": ["eu-west-1"]},
            "exit": {"recipients": ["age1"]},
        },
    }))
}

fn monitoring() -> Vec<Value> {
    let rules = json!([{"alert": "InstanceDown", "expr": "up{job=\"machines\"} == 0", "annotations": {"runbook": format!("https://w.example/?token={SECRET}")}}]);
    vec![
        object(
            "AlertmanagerConfig",
            "main-tier-tier-1",
            &json!({"receivers": [
                {"name": "tier-1", "webhookConfigs": [{"url": format!("https://hooks.example/services/T0/B0/{SECRET}")}]},
            ]}),
        ),
        object("Probe", "main-public-0", &json!({"prober": {"url": format!("u:{SECRET}@blackbox:9115")}})),
        object("PrometheusRule", "main-rules", &json!({"groups": [{"name": "caretaker", "rules": rules}]})),
        object("Prometheus", "main", &json!({"remoteWrite": [{"url": "https://m.example", "basicAuth": {"password": SECRET}}]})),
    ]
}

fn world() -> World {
    let account = |name: &str, spec: Value| -> CloudAccount {
        made(json!({"apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": name}, "spec": spec}))
    };
    let policy = json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "BackupPolicy", "metadata": {"name": "main"},
        "spec": {"accounts": ["prod"], "dailyAt": "03:30", "retentionDays": 35, "tag": {"key": "api_key", "value": SECRET}, "regions": ["eu-west-1"]},
    });
    let cell = json!({"region": "eu-west-1", "service": "ec2/instances", "verdict": "Denied", "cause": format!("no, says https://u:{SECRET}@proxy.example")});
    let coverage = json!({"text": "1/2", "planned": 2, "complete": 1, "gaps": [cell], "notes": [format!("password={SECRET}")]});
    let inventory = json!({"digest": "d", "address": "a", "assets": 3, "byType": {"instance": 2, "bucket": 1}, "coverage": coverage});
    World {
        frozen: made(json!({"clientGeneration": 1, "recipients": ["age1"], "accounts": ["prod"], "at": "2026-11-25T12:00:00Z"})),
        client: client(),
        profile: made(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ProviderProfile", "metadata": {"name": "p"},
            "spec": {"displayName": "Care", "contacts": [], "aws": {
                "principalArn": "arn:aws:iam::999999999999:user/caretaker", "credentials": {"secretName": "aws-base"},
            }, "signingKey": {"secretName": "bundle-key"}},
        })),
        accounts: vec![
            account("prod", json!({"aws": {"accountId": "222222222222", "externalId": "e1"}, "allow": ["Backup", "Revoke"]})),
            account("org", json!({"awsOrganization": {"accountId": "000000000001", "externalId": "e1"}})),
            account("tenant", json!({"azureTenant": {"tenantId": "aaaaaaaa-0000-4000-8000-000000000001"}})),
        ],
        readings: vec![made(json!({"account": "prod", "inventory": inventory})), made(json!({"account": "org", "gap": "not read"}))],
        monitoring: monitoring(),
        policies: vec![made(policy)],
        gaps: vec![Gap::new("02-inventory", format!("lost at https://x:{SECRET}@store.example")).of("old")],
        withheld: vec![Withheld { account: "prod".into(), name: "db_password".into(), assets: 2 }],
        export: Export::default(),
    }
}

impl World {
    fn inputs(&self, mode: HandoverMode) -> Inputs<'_> {
        Inputs {
            mode,
            bundle: BundleName { file: "acme-final-8a1b.tar.zst.age", folder: "acme-final" },
            frozen: &self.frozen,
            client: &self.client,
            profile: &self.profile,
            accounts: &self.accounts,
            readings: &self.readings,
            monitoring: &self.monitoring,
            policies: &self.policies,
            further_gaps: &self.gaps,
            copied: &[],
            withheld: &self.withheld,
            acceptance_code: (mode == HandoverMode::Final).then_some("K7Q01-00000-00000-00000"),
            ledger: None,
            risks: &[],
            export: &self.export,
        }
    }
}

#[test]
fn the_registry_holds_all_sixteen_in_order() {
    let numbers: Vec<String> = REGISTRY.iter().map(|part| part.path()[..2].to_owned()).collect();
    assert_eq!(numbers, (0..16).map(|number| format!("{number:02}")).collect::<Vec<_>>());
    assert!(REGISTRY.iter().all(|part| !part.holds().is_empty()));
}

#[test]
fn a_part_gives_files_of_its_own_or_says_why_not() {
    let world = world();
    let inputs = world.inputs(HandoverMode::Final);
    // What `documents` and the controller write beside these.
    let elsewhere = ["00-READ-ME-FIRST.md", "04-iac", "13-runbooks"];
    for part in REGISTRY {
        let (files, gaps) = (part.files(&inputs), part.gaps(&inputs));
        assert!(
            !files.is_empty() || !gaps.is_empty() || elsewhere.contains(&part.path()),
            "{} gives nothing and says nothing",
            part.path()
        );
        assert!(files.iter().all(|file| file.path.starts_with(part.path())), "{}: {files:?}", part.path());
        assert!(gaps.iter().all(|gap| gap.part == part.path() && !gap.reason.is_empty()), "{gaps:?}");
        assert!(files.iter().all(|file| !matches!(file.text().trim(), "" | "[]" | "{}" | "null")), "{}: an empty file", part.path());
    }
}

/// X05.
#[test]
fn no_part_tells_a_secret() {
    let world = world();
    for mode in [HandoverMode::Rehearsal, HandoverMode::Final] {
        let inputs = world.inputs(mode);
        let files = inputs.files();
        assert!(files.len() >= 11, "{:?}", files.keys());
        for (path, text) in &files {
            assert!(!text.contains(SECRET), "{path}: {text}");
        }
        assert!(inputs.gaps().iter().all(|gap| !gap.reason.contains(SECRET)), "people read them in the documents");
        let contract: Value = serde_json::from_str(&files["01-contract/managed-client.json"]).unwrap();
        let tiers = &contract["spec"]["monitoring"]["tiers"];
        assert_eq!(tiers[0]["webhookUrl"], "http://replace-me.invalid/tier-1");
        assert_eq!(tiers[2]["webhookSecret"]["name"], "pager", "a reference is no secret");
        assert_eq!(contract["spec"]["scope"]["exclude"][0]["tag"]["key"], "db_password", "the name stays");
        let references = &files["11-credentials/references.json"];
        assert!(references.contains("\"db_password\""), "the name is on the list of warnings");
        assert!(["Secret aws-base", "Secret bundle-key", "Secret pager"].iter().all(|name| references.contains(name)), "{references}");
        let placeholders: Vec<Value> = serde_json::from_str(&files["05-monitoring/placeholders.json"]).unwrap();
        assert_eq!(placeholders.len(), 2, "{placeholders:?}");
        for placeholder in placeholders {
            let name = placeholder["name"].as_str().unwrap();
            assert!(inputs.gaps().iter().any(|gap| gap.part == "05-monitoring" && gap.reason.contains(name)), "{name} is no gap");
        }
    }
}

#[test]
fn of_a_parent_the_ways_in_are_those_of_its_accounts() {
    let world = world();
    let inputs = world.inputs(HandoverMode::Rehearsal);
    let gaps: Vec<Gap> = inputs.gaps().into_iter().filter(|gap| gap.part == "03-access").collect();
    let said: Vec<(&str, bool)> = gaps.iter().map(|gap| (gap.account.as_str(), gap.reason.contains("never read"))).collect();
    assert_eq!(said, [("prod", true), ("org", false)]);
    let register: Value = serde_json::from_str(&inputs.files()["03-access/access-register.json"]).unwrap();
    assert_eq!(register["principals"][1]["waysIn"]["lookedAt"], json!([]));
    assert!(!register["principals"][0]["waysIn"]["lookedAt"].as_array().unwrap().is_empty());
}

#[test]
fn a_gap_of_a_cell_says_which() {
    let world = world();
    let gaps: Value = serde_json::from_str(&world.inputs(HandoverMode::Final).files()["14-gaps.json"]).unwrap();
    let cell = gaps.as_array().unwrap().iter().find(|gap| gap["verdict"] == "Denied").unwrap();
    assert_eq!((&cell["account"], &cell["region"], &cell["service"]), (&json!("prod"), &json!("eu-west-1"), &json!("ec2/instances")));
    let whole = gaps.as_array().unwrap().iter().find(|gap| gap["part"] == "09-incidents-tickets").unwrap();
    assert_eq!(whole.as_object().unwrap().keys().collect::<Vec<_>>(), ["part", "reason"], "what is not known is not told");
}

/// X06: the role without which no backup runs was named nowhere.
#[test]
fn what_backups_need_is_named() {
    let world = world();
    let inputs = world.inputs(HandoverMode::Final);
    let keep: Value = serde_json::from_str(&inputs.files()["06-backup/keep.json"]).unwrap();
    assert_eq!((&keep[0]["accountId"], &keep[0]["role"]), (&json!("222222222222"), &json!("CaretakerBackupService")));
    assert_eq!(keep.as_array().unwrap().len(), 1);
    assert!(first_steps(&inputs).iter().any(|step| step.what.contains("CaretakerBackupService")));
}

#[test]
fn the_schedules_of_google_cloud_are_named_and_watching_alone_is_told_on_azure() {
    let account = |name: &str, mut spec: Value| {
        spec["providerProfile"] = json!("p");
        made(json!({"apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": name}, "spec": spec}))
    };
    let mut world = world();
    world.accounts.push(account("gcp", json!({"gcp": {"projectId": "acme-prod"}, "allow": ["Backup"]})));
    world.accounts.push(account("looked-at", json!({"gcp": {"projectId": "acme-test"}})));
    world.accounts.push(account("azure", json!({"azure": {"subscriptionId": "cccccccc-0000-4000-8000-000000000001"}})));
    world.policies[0].spec.accounts.extend(["gcp", "looked-at", "azure"].map(str::to_owned));
    let inputs = world.inputs(HandoverMode::Final);
    let keep: Value = serde_json::from_str(&inputs.files()["06-backup/keep.json"]).unwrap();
    assert_eq!((keep.as_array().unwrap().len(), &keep[1]["accountId"]), (2, &json!("acme-prod")));
    assert_eq!((&keep[1]["schedules"], &keep[1]["role"]), (&json!(["caretaker-acme-main"]), &Value::Null));
    let without: Vec<String> =
        inputs.gaps().into_iter().filter(|gap| gap.reason.contains("no backup plan is made")).map(|gap| gap.account).collect();
    assert_eq!(without, ["azure"]);
}

#[test]
fn first_steps_have_a_day() {
    let world = world();
    let by = |mode: HandoverMode| -> BTreeSet<String> { first_steps(&world.inputs(mode)).into_iter().map(|step| step.by).collect() };
    assert!(by(HandoverMode::Final).contains("2026-11-27"));
    assert!(by(HandoverMode::Final).iter().any(|by| by.starts_with("2026-12-30")), "the last recovery point ends 35 days later");
    let told = |mode: HandoverMode| first_steps(&world.inputs(mode)).iter().any(|step| step.what.contains("Accept"));
    assert!(told(HandoverMode::Final) && !told(HandoverMode::Rehearsal), "a rehearsal is not accepted");
    assert_eq!(accept_command(&world.inputs(HandoverMode::Rehearsal)), None);
}

#[test]
fn runbooks_are_of_what_there_is() {
    let world = world();
    let made = runbooks(&world.inputs(HandoverMode::Final));
    assert_eq!(made.iter().map(|runbook| runbook.kind.as_str()).collect::<Vec<_>>(), ["bucket", "instance"]);
    assert!(made[0].alerts.is_empty() && made[0].backups.is_empty(), "nothing watches a bucket: {:?}", made[0]);
    assert_eq!(made[1].alerts.iter().collect::<Vec<_>>(), ["InstanceDown"]);
    assert!(made[1].backups[0].contains("daily at 03:30 UTC") && made[1].tiers.len() == 3, "{:?}", made[1]);
}

#[test]
fn services_beside_the_accounts_stand_in_the_inventory_and_in_the_first_steps() {
    let mut world = world();
    let path = "02-inventory/external-services.json";
    assert!(!world.inputs(HandoverMode::Final).files().contains_key(path), "none is declared");
    let step = format!("move the contract, see https://u:{SECRET}@wiki.example");
    let service = |renewal: &str| json!({"name": "mail", "owner": "Provider", "model": "SaaS", "renewal": renewal, "exitStep": step});
    world.client.spec.external_services = vec![made(service("2027-01-31")), made(service(""))];
    let inputs = world.inputs(HandoverMode::Final);
    let told = inputs.files()[path].clone();
    assert!(told.contains("\"mail\"") && !told.contains(SECRET), "{told}");
    let steps: Vec<FirstStep> =
        first_steps(&inputs).into_iter().filter(|step| step.what.contains("mail (SaaS), whose contract the provider has")).collect();
    assert_eq!(steps.iter().map(|step| step.by.as_str()).collect::<Vec<_>>(), ["2027-01-31", "before the provider leaves"]);
    assert!(steps.iter().all(|step| !step.what.contains(SECRET)), "{steps:?}");
}

#[test]
fn qualifications_of_the_provider_go_with_the_contract() {
    let mut world = world();
    let path = "01-contract/provider-qualifications.json";
    assert!(!world.inputs(HandoverMode::Final).files().contains_key(path), "none is declared");
    world.profile.spec.qualifications =
        vec![made(json!({"name": "SOC 2 Type II", "issuer": "Audit Ltd", "reference": "A-7", "expiresOn": "2027-01-31"}))];
    assert!(world.inputs(HandoverMode::Rehearsal).files()[path].contains("2027-01-31"));
}

#[test]
fn agreed_service_levels_are_told_and_only_their_absence_is_a_gap() {
    let mut world = world();
    let has_gap = |world: &World| world.inputs(HandoverMode::Final).gaps().iter().any(|gap| gap.part == "07-service-levels");
    assert!(has_gap(&world) && !world.inputs(HandoverMode::Final).files().contains_key("07-service-levels/agreed.json"));
    let objective = json!({"name": "web", "target": "99.9", "uptime": {"source": "Machines"}});
    world.client.spec.service_levels = Some(made(json!({"zone": "UTC", "objectives": [objective]})));
    assert!(!has_gap(&world));
    assert!(world.inputs(HandoverMode::Final).files()["07-service-levels/agreed.json"].contains("99.9"));
}

#[test]
fn the_contract_of_a_client_with_a_profile_is_whole_and_names_its_clauses() {
    let mut world = world();
    let mut object = json!(world.client);
    object["spec"] = json!({
        "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@acme.example"}}, "accounts": [], "exit": {"recipients": ["age1"]},
        "profile": {"name": "federal", "authorizations": [{"kind": "FedRAMP", "reference": "FR0000000000"}]}, "monitoring": {"retentionDays": 7},
    });
    object["status"] = json!({"profile": {
        "name": "federal", "segment": "Federal", "revision": "0123456789ab", "deviations": [{"path": "monitoring.retentionDays", "profile": "90", "client": "7"}],
        "defaults": {"monitoring": {"retentionDays": 90, "tiers": [{"name": "desk", "webhookUrl": format!("https://desk:{SECRET}@desk.example/a")}]}},
        "limits": {"clauses": [{"clause": "52.237-3", "title": "Continuity of Services"}]},
    }});
    assert!(!world.inputs(HandoverMode::Final).files().contains_key("01-contract/profile.json"), "without a profile there is none");
    world.client = made(object);
    let inputs = world.inputs(HandoverMode::Final);
    let files = inputs.files();
    let read = |path: &str| serde_json::from_str::<Value>(&files[path]).unwrap();
    let (contract, profile) = (read("01-contract/managed-client.json"), read("01-contract/profile.json"));
    let monitoring = &contract["spec"]["monitoring"];
    assert_eq!((&monitoring["retentionDays"], &monitoring["tiers"][0]["name"]), (&json!(7), &json!("desk")), "the resolved one");
    assert_eq!((&profile["clauses"][0]["clause"], &profile["deviations"][0]), (&json!("52.237-3"), &json!("monitoring.retentionDays")));
    assert_eq!(profile["authorizations"][0]["reference"], "FR0000000000");
    assert!(files.values().all(|text| !text.contains(SECRET)));
}
