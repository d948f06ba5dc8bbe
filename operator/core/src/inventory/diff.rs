//! What differs between two inventories.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use caretaker_cloud::{Address, Asset, Family, Visibility};
use serde::{Deserialize, Serialize};

use super::address::key;
use super::line::Line;
use crate::inventory::scope::ScopeVerdict;

/// What is known of a machine's patches changes with every scan and is nothing of the machine's own.
const PATCHES: &str = "facts.patches";
/// The state in the cloud's own word: of a machine the power state tells it already.
const STATE: &str = "facts.state";

/// How an asset differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is new.
    Added,
    /// It is gone: its cell was read completely and lacked it.
    Removed,
    /// It is another.
    Changed,
}

/// One part of an asset that is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which, such as `tags.env`, `power` or `verdict`.
    pub part: String,
    /// What it was; empty where it was not there.
    pub before: String,
    /// What it is; empty where it is not there.
    pub after: String,
}

/// One asset that differs: one line of a file of differences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// How.
    pub change: Change,
    /// The cloud's id.
    pub id: String,
    /// Account, subscription or project.
    pub account: String,
    /// Region or location.
    pub region: String,
    /// Type, the inventory's word.
    #[serde(rename = "type")]
    pub kind: String,
    /// The cloud's type.
    pub native_type: String,
    /// Name.
    pub name: String,
    /// What the scope says of it.
    pub verdict: ScopeVerdict,
    /// The parts that are others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// The differences of one bucket; both sides are sorted by key.
#[must_use]
pub fn compare(before: &[Line], after: &[Line]) -> Vec<Difference> {
    let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
    let mut found = Vec::new();
    loop {
        let order = match (before.peek(), after.peek()) {
            (None, None) => return found,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => key(&old.asset).cmp(&key(&new.asset)),
        };
        let old = if order == Ordering::Greater { None } else { before.next() };
        let new = if order == Ordering::Less { None } else { after.next() };
        found.extend(difference(old, new));
    }
}

fn difference(old: Option<&Line>, new: Option<&Line>) -> Option<Difference> {
    let (change, parts) = match (old, new) {
        (None, Some(_)) => (Change::Added, Vec::new()),
        (Some(_), None) => (Change::Removed, Vec::new()),
        (Some(old), Some(new)) => (Change::Changed, parts(old, new)),
        (None, None) => return None,
    };
    if change == Change::Changed && parts.is_empty() {
        return None;
    }
    let Line { asset, verdict, .. } = new.or(old)?;
    Some(Difference {
        change,
        id: asset.id.clone(),
        account: asset.account.clone(),
        region: asset.region.clone(),
        kind: asset.asset_type.as_str().into(),
        native_type: asset.native_type.clone(),
        name: asset.name.clone(),
        verdict: *verdict,
        parts,
    })
}

/// What is another. When an asset was seen, by which call and in which cell is nothing of the asset's own.
fn parts(old: &Line, new: &Line) -> Vec<Part> {
    let created = |asset: &Asset| asset.created.map(|at| at.to_string()).unwrap_or_default();
    let (one, other) = (&old.asset, &new.asset);
    let plain = [
        ("groups", one.groups.join(", "), other.groups.join(", ")),
        ("region", old.asset.region.clone(), new.asset.region.clone()),
        ("type", old.asset.asset_type.to_string(), new.asset.asset_type.to_string()),
        ("nativeType", old.asset.native_type.clone(), new.asset.native_type.clone()),
        ("name", old.asset.name.clone(), new.asset.name.clone()),
        ("created", created(&old.asset), created(&new.asset)),
        ("verdict", old.verdict.to_string(), new.verdict.to_string()),
        ("exclusion", old.exclusion.clone(), new.exclusion.clone()),
    ];
    let mut parts: Vec<Part> = plain.into_iter().map(|(part, before, after)| Part { part: part.into(), before, after }).collect();
    parts.extend(typed(one, other));
    parts.extend(entries("tags", &old.asset.tags, &new.asset.tags));
    parts.extend(entries("facts", &old.asset.facts, &new.asset.facts));
    let is_told = |part: &Part| part.part.starts_with(PATCHES) || part.part == STATE && one.power != other.power;
    parts.retain(|part| part.before != part.after && !is_told(part));
    parts
}

/// The typed parts that an earlier release did not know of every asset: a line of it lacks what a line of this one has, and learning it is no change.
fn typed(old: &Asset, new: &Asset) -> Vec<Part> {
    let knew_less = old.zone.is_none() && new.zone.is_some() || old.size.is_none() && new.size.is_some();
    let addresses = |asset: &Asset| if knew_less { list(&first_of_each(asset)) } else { list(&asset.addresses) };
    let all = [
        ("power", text(old.power.as_ref()), text(new.power.as_ref()), true),
        ("addresses", addresses(old), addresses(new), knew_less),
        ("size", text(old.size.as_ref()), text(new.size.as_ref()), true),
        ("zone", text(old.zone.as_ref()), text(new.zone.as_ref()), true),
    ];
    let is_change = |before: &str, may_be_learned: bool| !(may_be_learned && before.is_empty());
    let changed = all.into_iter().filter(|(_, before, _, may_be_learned)| is_change(before, *may_be_learned));
    changed.map(|(part, before, after, _)| Part { part: part.into(), before, after }).collect()
}

fn text<T: ToString>(part: Option<&T>) -> String {
    part.map(T::to_string).unwrap_or_default()
}

/// The addresses in an order of their own: the order in which a cloud tells them is no change.
fn list(addresses: &[Address]) -> String {
    let sorted: BTreeSet<&Address> = addresses.iter().collect();
    sorted.into_iter().map(Address::to_string).collect::<Vec<_>>().join(", ")
}

/// The addresses that earlier releases stored of a machine on AWS: its first private and its first public one of IPv4.
fn first_of_each(asset: &Asset) -> Vec<Address> {
    let first = |visibility: Visibility| {
        asset.addresses.iter().find(move |address| address.visibility == visibility && address.family() == Family::V4)
    };
    [Visibility::Private, Visibility::Public].into_iter().filter_map(first).copied().collect()
}

fn entries(of: &str, old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<Part> {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let value = |map: &BTreeMap<String, String>, key: &String| map.get(key).cloned().unwrap_or_default();
    keys.into_iter().map(|key| Part { part: format!("{of}.{key}"), before: value(old, key), after: value(new, key) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::tests::asset;

    fn line(id: &str) -> Line {
        Line { asset: Asset { id: id.into(), ..asset("eu-west-1") }, verdict: ScopeVerdict::Covered, exclusion: String::new() }
    }

    #[test]
    fn only_what_is_the_asset_s_own_makes_a_change() {
        let seen_later = |mut line: Line| {
            line.asset.seen_at = "2026-01-02T03:04:05Z".parse().unwrap();
            line.asset.source = "another:Call".into();
            line.asset.service = "another/cell".into();
            line.asset.facts.insert("patchesMissing".into(), "3".into());
            line
        };
        assert_eq!(compare(&[line("i-1")], &[seen_later(line("i-1"))]), []);
        let mut moved = line("i-1");
        moved.asset.tags.insert("env".into(), "prod".into());
        moved.verdict = ScopeVerdict::Excluded;
        let found = compare(&[line("i-1")], &[moved]);
        let parts: Vec<&str> = found[0].parts.iter().map(|part| part.part.as_str()).collect();
        assert_eq!((found[0].change, parts), (Change::Changed, vec!["verdict", "tags.env"]));
    }

    #[test]
    fn two_sorted_sides_are_merged() {
        let found = compare(&[line("a"), line("b"), line("d")], &[line("b"), line("c"), line("d"), line("e")]);
        let found: Vec<(Change, &str)> = found.iter().map(|difference| (difference.change, difference.id.as_str())).collect();
        assert_eq!(found, [(Change::Removed, "a"), (Change::Added, "c"), (Change::Added, "e")]);
        assert!(compare(&[], &[]).is_empty());
    }

    /// A machine as this release reads it, and the line that an earlier one stored of it.
    fn two_forms(cloud: &str, region: &str, facts: &serde_json::Value, typed: &serde_json::Value) -> (Line, Line) {
        let read = |facts: &serde_json::Value, typed: Option<&serde_json::Value>| {
            let mut line = serde_json::json!({
                "id": "i-1", "cloud": cloud, "account": "1", "region": region, "type": "instance", "nativeType": "n", "service": "ec2/instances",
                "name": "web", "tags": {}, "facts": facts, "source": "x:Call", "verdict": "Covered",
            });
            typed.into_iter().flat_map(|typed| typed.as_object().unwrap()).for_each(|(key, value)| line[key] = value.clone());
            serde_json::from_value::<Line>(line).unwrap()
        };
        (read(facts, None), read(&serde_json::json!({"state": facts["state"]}), Some(typed)))
    }

    fn names(found: &[Difference]) -> Vec<String> {
        found.iter().flat_map(|one| one.parts.iter().map(|part| format!("{} {} -> {}", part.part, part.before, part.after))).collect()
    }

    #[test]
    fn a_new_form_of_the_line_is_no_change_of_the_asset() {
        use serde_json::json;
        let private = |ip: &str| json!({"ip": ip, "visibility": "private"});
        let public = |ip: &str| json!({"ip": ip, "visibility": "public"});
        for (cloud, region, facts, typed, why) in [
            (
                "aws",
                "eu-west-1",
                json!({"state": "running", "privateIp": "10.0.0.1", "publicIp": "203.0.113.7", "instanceType": "t3.micro"}),
                json!({
                    "power": "running", "zone": "eu-west-1a", "size": "t3.micro",
                    "addresses": [private("10.0.0.1"), public("203.0.113.7"), public("2001:db8::1"), private("10.0.1.1")],
                }),
                "an earlier release knew the first addresses only",
            ),
            (
                "azure",
                "westeurope",
                json!({"state": "running", "resourceGroup": "prod"}),
                json!({"power": "running", "size": "Standard_D2s_v3", "groups": ["prod"], "addresses": [private("10.0.0.4")]}),
                "an earlier release knew no address on Azure",
            ),
            (
                "gcp",
                "europe-west1-b",
                json!({"state": "RUNNING", "privateIp": "10.0.0.1,10.0.0.2", "instanceType": "e2-small", "folders": "folders/12"}),
                json!({
                    "power": "running", "zone": "europe-west1-b", "size": "e2-small", "groups": ["folders/12"],
                    "addresses": [private("10.0.0.1"), private("10.0.0.2")],
                }),
                "an earlier release knew all addresses on Google Cloud",
            ),
        ] {
            let (earlier, now) = two_forms(cloud, region, &facts, &typed);
            assert_eq!(names(&compare(std::slice::from_ref(&earlier), std::slice::from_ref(&now))), [""; 0], "{cloud}: {why}");
            assert_eq!(names(&compare(std::slice::from_ref(&now), std::slice::from_ref(&now))), [""; 0]);
        }
    }

    #[test]
    fn a_machine_that_stops_moves_or_is_opened_to_the_internet_is_a_change_in_either_form() {
        use serde_json::json;
        let facts = json!({"state": "running", "privateIp": "10.0.0.1", "instanceType": "t3.micro"});
        let typed = json!({
            "power": "stopped", "zone": "eu-west-1a", "size": "t3.large",
            "addresses": [{"ip": "10.0.0.1", "visibility": "private"}, {"ip": "203.0.113.7", "visibility": "public"}],
        });
        let (earlier, mut now) = two_forms("aws", "eu-west-1", &facts, &typed);
        now.asset.facts.insert("state".into(), "stopped".into());
        let expected = [
            "power running -> stopped",
            "addresses 10.0.0.1 (private) -> 10.0.0.1 (private), 203.0.113.7 (public)",
            "size t3.micro -> t3.large",
        ];
        assert_eq!(names(&compare(&[earlier], &[now.clone()])), expected, "the power state is told once");
        let mut moved = now.clone();
        moved.asset.addresses.reverse();
        moved.asset.zone = Some("eu-west-1b".into());
        moved.asset.facts.insert("state".into(), "in repair".into());
        let found = names(&compare(&[now], &[moved]));
        assert_eq!(found, ["zone eu-west-1a -> eu-west-1b", "facts.state stopped -> in repair"], "the order of addresses is no change");
    }
}
