use std::collections::BTreeSet;

use caretaker_api::ManagedClient;
use caretaker_api::billing::{BillingModel, BillingTerms, MonthState};
use caretaker_api::cloud_account::Cloud;
use caretaker_cloud::{Asset, AssetType, Cell, CellKey, Power, Verdict};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::count::{CountedAccount, layer_of};
use super::*;
use crate::inventory::Line;
use crate::inventory::scope::{Named, ScopeVerdict};
use crate::managed_client::Observed;
use crate::service_level::Month;

fn terms(units: Value) -> BillingTerms {
    serde_json::from_value(json!({"zone": "Europe/Zurich", "units": units})).unwrap()
}

fn named() -> Named {
    Named { names: vec!["prod".into()], id: "222222222222".into(), cloud: Cloud::Aws }
}

fn line(kind: AssetType, id: &str, verdict: ScopeVerdict) -> Line {
    let asset = Asset::new(caretaker_cloud::Cloud::Aws, "222222222222", "eu-west-1", kind, id);
    Line { asset, verdict, exclusion: String::new() }
}

fn covered(kind: AssetType, id: &str) -> Line {
    line(kind, id, ScopeVerdict::Covered)
}

fn cell(service: &str, region: &str, verdict: Verdict) -> Cell {
    let key = CellKey { account: "222222222222".into(), region: region.into(), service: service.into() };
    let cause = format!("{service} was not read");
    Cell { key, verdict, assets: 0, calls: 1, cause, retry_after_seconds: None, at: Timestamp::UNIX_EPOCH }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn day_of(terms: &BillingTerms, lines: &[Line], cells: &[Cell]) -> (DayUnits, Vec<Billed>) {
    let (mut counter, named) = (Counter::new(terms), named());
    cells.iter().for_each(|cell| counter.cell(&named, cell));
    let billed = lines.iter().filter_map(|line| counter.take(("prod", &named), line)).collect();
    (counter.day("2026-11-03", at("2026-11-03T12:00:00Z")), billed)
}

fn count(day: &DayUnits, name: &str) -> Option<u64> {
    day.units.iter().find(|unit| unit.name == name).unwrap().count
}

/// F15: seven machines, one of them excluded, are six.
#[test]
fn what_is_excluded_unclassified_or_gone_is_never_billed() {
    let terms = terms(json!([{"name": "server", "model": "PerDevice", "assets": [{"type": "instance"}]}]));
    let mut lines: Vec<Line> = (1..=6).map(|number| covered(AssetType::Instance, &format!("i-{number}"))).collect();
    lines.push(line(AssetType::Instance, "i-7", ScopeVerdict::Excluded));
    lines.push(line(AssetType::Instance, "i-8", ScopeVerdict::Unclassified));
    let mut gone = covered(AssetType::Instance, "i-9");
    gone.asset.power = Some(Power::Gone);
    lines.push(gone);
    lines.push(covered(AssetType::Subnet, "subnet-1"));
    let (day, billed) = day_of(&terms, &lines, &[]);
    assert_eq!(count(&day, "server"), Some(6));
    let ids: Vec<(&str, &str)> = billed.iter().map(|asset| (asset.unit.as_str(), asset.id.as_str())).collect();
    let expected = [
        ("server", "i-1"),
        ("server", "i-2"),
        ("server", "i-3"),
        ("server", "i-4"),
        ("server", "i-5"),
        ("server", "i-6"),
        ("", "subnet-1"),
    ];
    assert_eq!(ids, expected, "the ids behind every unit, and what no unit bills");
    let of = |name: &str, count| (name.to_owned(), count);
    assert_eq!(day.unbilled, [of("subnet", 1)].into());
    assert_eq!(day.never_billed, [of("Excluded", 1), of("Gone", 1), of("Unclassified", 1)].into());
}

#[test]
fn each_model_counts_in_its_own_way_and_the_first_unit_that_selects_bills() {
    let units = json!([
        {"name": "big", "model": "PerDevice", "assets": [{"tag": {"key": "size", "value": "big"}}]},
        {"name": "server", "model": "PerDevice", "assets": [{"type": "instance"}, {"tag": {"key": "size"}}]},
        {"name": "person", "model": "PerUser", "quantity": 40},
        {"name": "login", "model": "PerUser", "assets": [{"type": "principal"}]},
        {"name": "network", "model": "Flat", "assets": [{"type": "network"}], "layer": "SaaS"},
        {"name": "desk", "model": "Flat", "quantity": 3},
        {"name": "project", "model": "TimeAndMaterial", "assets": [{"type": "function"}]},
    ]);
    let mut big = covered(AssetType::Instance, "i-1");
    big.asset.tags.insert("size".into(), "big".into());
    let others = [
        (AssetType::Instance, "i-2"),
        (AssetType::Network, "vpc-1"),
        (AssetType::Network, "vpc-2"),
        (AssetType::Principal, "jo"),
        (AssetType::Function, "f"),
    ];
    let lines: Vec<Line> = std::iter::once(big).chain(others.map(|(kind, id)| covered(kind, id))).collect();
    let (day, billed) = day_of(&terms(units), &lines, &[]);
    for (name, count, assets, layers) in [
        ("big", Some(1), 1, vec![("IaaS", 1)]),
        ("server", Some(1), 1, vec![("IaaS", 1)]),
        ("person", Some(40), 0, vec![]),
        ("login", Some(1), 1, vec![("unsaid", 1)]),
        ("network", Some(1), 2, vec![("SaaS", 2)]),
        ("desk", Some(3), 0, vec![]),
        ("project", None, 1, vec![("PaaS", 1)]),
    ] {
        let unit = day.units.iter().find(|unit| unit.name == name).unwrap();
        let layers = layers.into_iter().map(|(layer, count)| (layer.to_owned(), count)).collect();
        assert_eq!((unit.count, unit.assets, &unit.by_layer), (count, assets, &layers), "{name}");
        assert_eq!(unit.managed_service, unit.model != BillingModel::TimeAndMaterial, "{name}");
    }
    assert_eq!(billed.len(), lines.len());
}

/// A number that rests on what was not read is never presented as final, and what was not read spoils no number that does not rest on it.
#[test]
fn a_gap_spoils_what_it_may_hold_and_nothing_else() {
    let units = json!([
        {"name": "server", "model": "PerDevice", "assets": [{"type": "instance", "region": "eu-west-1"}]},
        {"name": "native", "model": "PerDevice", "assets": [{"type": "AWS::RDS::DBInstance"}]},
        {"name": "queue", "model": "PerDevice", "assets": [{"type": "sqs:queue"}]},
        {"name": "tagged", "model": "PerUser", "assets": [{"tag": {"key": "person"}}]},
        {"name": "elsewhere", "model": "PerDevice", "assets": [{"account": "other"}]},
        {"name": "flat", "model": "Flat", "assets": [{"type": "instance"}]},
        {"name": "hours", "model": "TimeAndMaterial"},
    ]);
    let terms = terms(units);
    for (why, service, region, spoilt) in [
        ("machines", "ec2/instances", "eu-west-1", vec!["server", "tagged"]),
        ("machines of another region", "ec2/instances", "us-east-1", vec!["tagged"]),
        ("buckets", "s3/buckets", "all", vec!["tagged"]),
        ("what only the index shows", "resource-explorer/others", "all", vec!["queue", "tagged"]),
        ("patches are no assets", "ssm/patch-states", "eu-west-1", vec![]),
        ("a part of another release", "new/things", "all", vec!["server", "native", "queue", "tagged"]),
    ] {
        for verdict in [Verdict::Partial, Verdict::Denied, Verdict::Throttled, Verdict::Unreachable, Verdict::Disabled] {
            let (day, _) = day_of(&terms, &[], &[cell(service, region, verdict)]);
            let found: Vec<&str> = day.units.iter().filter(|unit| !unit.complete).map(|unit| unit.name.as_str()).collect();
            assert_eq!(found, spoilt, "{why} {verdict:?}");
            assert_eq!(day.complete, spoilt.is_empty(), "{why}");
            assert!(day.units.iter().filter(|unit| !unit.complete).all(|unit| unit.cause.contains(service)), "{why}");
        }
        assert!(day_of(&terms, &[], &[cell(service, region, Verdict::Complete)]).0.complete, "{why}");
    }
    let mut counter = Counter::new(&terms);
    let account = CountedAccount { account: "prod".into(), id: "2".into(), digest: String::new(), taken_at: None, coverage: String::new() };
    counter.account(account, Some("its inventory was not read yet"));
    let day = counter.day("2026-11-03", Timestamp::UNIX_EPOCH);
    let open: Vec<bool> = day.units.iter().map(|unit| unit.complete).collect();
    assert_eq!(open, [false, false, false, false, false, true, true], "what was agreed does not hang on what was read");
}

proptest! {
    /// Each covered asset is counted once, in one unit or in none.
    #[test]
    fn every_covered_asset_is_counted_exactly_once(kinds in proptest::collection::vec((0_usize..17, 0_u8..3), 0..60)) {
        let units = json!([
            {"name": "one", "model": "PerDevice", "assets": [{"type": "instance"}, {"region": "eu-west-1", "type": "bucket"}]},
            {"name": "two", "model": "PerDevice", "assets": [{"type": "instance"}, {"type": "database"}]},
        ]);
        let verdicts = [ScopeVerdict::Covered, ScopeVerdict::Excluded, ScopeVerdict::Unclassified];
        let lines: Vec<Line> = kinds.iter().enumerate()
            .map(|(at, (kind, verdict))| line(AssetType::ALL[*kind], &format!("x-{at}"), verdicts[usize::from(*verdict)]))
            .collect();
        let (day, billed) = day_of(&terms(units), &lines, &[]);
        let counted: u64 = day.units.iter().filter_map(|unit| unit.count).sum();
        let expected = kinds.iter().filter(|(_, verdict)| *verdict == 0).count() as u64;
        prop_assert_eq!(counted + day.unbilled.values().sum::<u64>(), expected);
        prop_assert_eq!(billed.len() as u64, expected);
        let ids: BTreeSet<&str> = billed.iter().map(|asset| asset.id.as_str()).collect();
        prop_assert_eq!(ids.len(), billed.len());
        prop_assert_eq!(day.never_billed.values().sum::<u64>(), lines.len() as u64 - expected);
    }
}

#[test]
fn every_type_has_a_layer_or_says_nothing() {
    let unsaid: Vec<&str> = AssetType::ALL.into_iter().filter(|kind| layer_of(*kind).is_none()).map(AssetType::as_str).collect();
    assert_eq!(unsaid, ["principal", "patch-state", "other"]);
}

fn days(counts: &[(u32, u32, bool)]) -> Vec<DayUnits> {
    let day = |(day, count, complete): &(u32, u32, bool)| {
        let terms = terms(json!([{"name": "server", "model": "Flat", "quantity": count}, {"name": "hours", "model": "TimeAndMaterial"}]));
        let day = Counter::new(&terms).day(&format!("2026-11-{day:02}"), Timestamp::UNIX_EPOCH);
        DayUnits { complete: *complete, ..day }
    };
    counts.iter().map(day).collect()
}

#[test]
fn a_month_is_billed_by_its_last_complete_day_and_shows_the_highest() {
    let november = Month::parse("2026-11").unwrap();
    for (why, counted, expected) in [
        (
            "the last day",
            vec![(3, 9, true), (29, 5, true), (30, 6, true)],
            Some((MonthState::Final, "2026-11-30", 6, Some(("2026-11-03", 9)))),
        ),
        (
            "an incomplete day bills nothing",
            vec![(3, 5, true), (30, 99, false)],
            Some((MonthState::Final, "2026-11-03", 5, Some(("2026-11-03", 5)))),
        ),
        ("none is complete", vec![(3, 5, false), (4, 6, false)], Some((MonthState::NotFinal, "2026-11-04", 6, None))),
        (
            "the first of the highest days",
            vec![(3, 7, true), (4, 7, true)],
            Some((MonthState::Final, "2026-11-04", 7, Some(("2026-11-03", 7)))),
        ),
        ("nothing was counted", vec![], None),
    ] {
        let made = close(november, &days(&counted), at("2026-12-01T00:30:00Z"));
        let told = made.as_ref().map(|month| {
            let highest = month.highest.get("server").map(|peak| (peak.day.as_str(), peak.count));
            (month.state, month.billed.day.as_str(), count(&month.billed, "server").unwrap(), highest)
        });
        assert_eq!(told, expected, "{why}");
        assert!(
            made.is_none_or(|month| month.days.len() == counted.len() && month.days_of_month == 30 && !month.highest.contains_key("hours"))
        );
    }
}

#[test]
fn months_that_are_over_are_fixed_once_and_the_present_one_never() {
    let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    let stored = names(&["2026-09-30", "2026-10-01", "2026-10-31", "2026-11-01", "odd"]);
    let close = |months: &[&str], present: &str| {
        to_close(&stored, &names(months), Month::parse(present).unwrap()).into_iter().map(Month::text).collect::<Vec<_>>()
    };
    assert_eq!(close(&[], "2026-11"), ["2026-09", "2026-10"]);
    assert_eq!(close(&["2026-09"], "2026-11"), ["2026-10"]);
    assert_eq!(close(&["2026-09", "2026-10"], "2026-11"), Vec::<String>::new());
    assert_eq!(close(&["2026-09", "2026-10"], "2026-12"), ["2026-11"]);
}

fn client(more: Value) -> (ManagedClient, Observed) {
    let account = json!({"name": "prod", "aws": {"accountId": "222222222222", "roleName": "r", "regions": []}});
    let mut object = json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme", "uid": "u", "generation": 1},
        "spec": {
            "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@x.example"}}, "accounts": [account],
            "exit": {"recipients": ["age1"]},
            "billing": {"zone": "Europe/Zurich", "units": [{"name": "server", "model": "PerDevice", "assets": [{"type": "instance"}]}]},
        },
    });
    object["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let account = json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "prod", "namespace": "client-acme"},
        "spec": {"providerProfile": "default", "aws": {"accountId": "222222222222", "roleName": "r", "regions": []}, "discoveryIntervalMinutes": 60},
        "status": {"inventory": {"digest": "one", "address": "a", "takenAt": "2026-11-03T11:00:00Z"}},
    });
    let observed = Observed { accounts: vec![serde_json::from_value(account).unwrap()], ..Observed::default() };
    (serde_json::from_value(object).unwrap(), observed)
}

fn with(client: &ManagedClient, due: &Due, day: DayUnits) -> ManagedClient {
    let done = Counted { day: Some((day, "address".into())), has_fixed: true, ..Counted::default() };
    let mut client = client.clone();
    let billing = settle(&client, Some(&(due.clone(), done)));
    client.status.get_or_insert_default().billing = billing;
    client
}

#[test]
fn a_day_is_counted_once_and_again_where_something_has_changed() {
    let (client, mut observed) = client(json!({}));
    let noon = at("2026-11-03T12:00:00Z");
    let first = due(&client, &observed, noon).unwrap();
    assert_eq!((first.day.as_str(), first.counts, first.fixes), ("2026-11-03", true, true));
    assert_eq!(first.accounts[0].1, None);
    let counted = |complete| DayUnits { complete, ..Counter::new(&first.terms).day("2026-11-03", noon) };
    let complete = with(&client, &first, counted(true));
    assert_eq!(due(&complete, &observed, at("2026-11-03T22:59:59Z")), None, "the same inventories on the same day");
    let next = due(&complete, &observed, at("2026-11-03T23:00:00Z")).unwrap();
    assert_eq!((next.day.as_str(), next.counts, next.fixes), ("2026-11-04", true, false), "midnight of the client's zone");
    observed.accounts[0].status.as_mut().unwrap().inventory.as_mut().unwrap().digest = "two".into();
    assert_eq!(due(&complete, &observed, at("2026-11-03T12:59:59Z")), None, "it is not counted with each reading");
    assert!(due(&complete, &observed, at("2026-11-03T13:00:00Z")).is_some_and(|due| due.counts));
    let open = with(&client, &first, counted(false));
    assert!(due(&open, &observed, at("2026-11-03T12:00:01Z")).is_some_and(|due| due.counts), "an incomplete one is made again at once");
    let mut other = complete.clone();
    other.spec.billing.as_mut().unwrap().units[0].name = "machine".into();
    assert!(due(&other, &observed, at("2026-11-03T12:00:01Z")).is_some_and(|due| due.counts), "other terms are counted at once");
    let next_month = due(&complete, &observed, at("2026-11-30T23:00:00Z")).unwrap();
    assert!(next_month.fixes, "the month is over in the client's zone");
    assert!(next_month.accounts[0].1.as_ref().is_some_and(|wrong| wrong.starts_with("its last inventory is of 2026-11-03")), "it is stale");
}

/// The first visit of a client sees no account: no assets of accounts that nobody has looked at are not no assets.
#[test]
fn an_account_that_was_not_looked_at_yet_leaves_the_count_open() {
    let (client, observed) = client(json!({}));
    let noon = at("2026-11-03T12:00:00Z");
    let first = due(&client, &Observed::default(), noon).unwrap();
    assert_eq!(first.unknown, [("prod".to_owned(), "it was not looked at yet".to_owned())]);
    let open = with(&client, &first, DayUnits { complete: false, ..Counter::new(&first.terms).day("2026-11-03", noon) });
    let second = due(&open, &observed, at("2026-11-03T12:00:01Z")).unwrap();
    assert!(second.counts && second.unknown.is_empty(), "{second:?}");
    let mut parent = client.clone();
    let organization = json!([{"name": "org", "awsOrganization": {"accountId": "333333333333"}}]);
    parent.spec.accounts = serde_json::from_value(organization).unwrap();
    assert_eq!(due(&parent, &Observed::default(), noon).unwrap().unknown.len(), 1, "its accounts are not known");
}

#[test]
fn nothing_is_counted_before_the_contract_or_after_the_exit() {
    let noon = at("2026-11-03T12:00:00Z");
    let (before, observed) = client(json!({"lifecycle": {"stage": "Assessment"}}));
    assert_eq!(due(&before, &observed, noon), None);
    let (mut left, observed) = client(json!({}));
    left.status.get_or_insert_default().handed_over_by = Some("exit".into());
    assert_eq!(due(&left, &observed, noon), None);
    let (mut none, observed) = client(json!({}));
    none.spec.billing = None;
    assert_eq!(due(&none, &observed, noon), None);
    assert_eq!(settle(&none, None), None);
}

#[test]
fn a_count_that_fails_leaves_the_numbers_and_says_so() {
    let (client, observed) = client(json!({}));
    let noon = at("2026-11-03T12:00:00Z");
    let first = due(&client, &observed, noon).unwrap();
    let good = with(&client, &first, DayUnits { complete: true, ..Counter::new(&first.terms).day("2026-11-03", noon) });
    let worse = DayUnits { complete: false, counted_at: at("2026-11-03T14:00:00Z"), ..Counter::new(&first.terms).day("2026-11-03", noon) };
    let kept = with(&good, &first, worse).status.unwrap().billing.unwrap();
    assert!(kept.complete && kept.counted_at.unwrap().0 == noon, "the better count of a day stays");
    let failed = Counted { problem: Some("the store does not answer".into()), ..Counted::default() };
    let told = settle(&good, Some(&(first.clone(), failed))).unwrap();
    assert_eq!((told.problem.as_str(), told.units.len(), told.complete), ("the store does not answer", 1, true));
    assert_eq!(told.fixed_before, "2026-11", "what an earlier visit fixed stays so");
}

#[test]
fn faults_name_the_field_and_the_cure() {
    let mut terms = terms(json!([{"name": "server", "model": "PerDevice", "assets": [{"region": "eu-west-1"}, {"type": "server"}]}]));
    let told =
        |terms: &BillingTerms| faults(terms, "spec.billing").into_iter().map(|fault| (fault.field, fault.message)).collect::<Vec<_>>();
    let found = told(&terms);
    assert_eq!((found.len(), found[0].0.as_str()), (1, "spec.billing.units[0].assets[1].type"));
    assert!(found[0].1.starts_with("server is no type: give one of instance"), "{found:?}");
    terms.zone = "Europe/Zuerich".into();
    assert_eq!(told(&terms)[0].0, "spec.billing.zone");
}
