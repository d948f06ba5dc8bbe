//! What the inventories give to monitoring: targets, and machines that should be watched and are not.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use caretaker_api::monitoring_stack::{UnwatchedGroup, UnwatchedReason, UnwatchedStatus};
use caretaker_cloud::{Asset, AssetType, Cloud, Family, Power, Visibility};

use crate::inventory::Line;
use crate::inventory::scope::ScopeVerdict;

/// Most examples that a status tells of one reason.
const MAX_EXAMPLES: usize = 5;

/// A machine to watch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Cloud.
    pub cloud: Cloud,
    /// Account.
    pub account: String,
    /// Region, without a zone.
    pub region: String,
    /// The cloud's id.
    pub id: String,
    /// Name as people gave it.
    pub name: String,
    /// Private address.
    pub private: IpAddr,
    /// Public address, where there is one.
    pub public: Option<IpAddr>,
}

/// What an asset is to monitoring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watch {
    /// It is watched.
    Target(Box<Target>),
    /// It runs or may run, and cannot be watched.
    Unwatched(UnwatchedReason),
    /// It is no machine, or a machine that does not run.
    Nothing,
}

impl Watch {
    /// Judges an asset: a running machine is watched at its private address.
    #[must_use]
    pub fn of(asset: &Asset) -> Self {
        if asset.asset_type != AssetType::Instance {
            return Self::Nothing;
        }
        match asset.power {
            Some(Power::Running) => {}
            Some(Power::Unknown) | None => return Self::Unwatched(UnwatchedReason::PowerStateUnknown),
            Some(Power::Starting | Power::Stopping | Power::Stopped | Power::Gone) => return Self::Nothing,
        }
        let Some(private) = address(asset, Visibility::Private) else { return Self::Unwatched(UnwatchedReason::NoPrivateAddress) };
        Self::Target(Box::new(Target {
            cloud: asset.cloud,
            account: asset.account.clone(),
            region: asset.region_name().to_owned(),
            id: asset.id.clone(),
            name: asset.name.clone(),
            private,
            public: address(asset, Visibility::Public),
        }))
    }
}

/// The first address that is reached from there, one of IPv4 before the others.
fn address(asset: &Asset, visibility: Visibility) -> Option<IpAddr> {
    let all = || asset.addresses.iter().filter(|address| address.visibility == visibility);
    all().find(|address| address.family() == Family::V4).or_else(|| all().next()).map(|address| address.ip)
}

/// Targets and machines that are not watched, of one inventory or of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// The targets; sorted once [`Watched::add`] has put inventories together.
    pub targets: Vec<Target>,
    unwatched: BTreeMap<UnwatchedReason, Tally>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tally {
    count: usize,
    /// The first ones by their text, so that the same machines give the same examples.
    examples: BTreeSet<String>,
}

impl Tally {
    fn show(&mut self, example: String) {
        self.examples.insert(example);
        if self.examples.len() > MAX_EXAMPLES {
            self.examples.pop_last();
        }
    }
}

impl Watched {
    /// Targets, and no machine that is not watched.
    #[cfg(test)]
    pub(super) fn of(targets: Vec<Target>) -> Self {
        Self { targets, unwatched: BTreeMap::new() }
    }

    /// Takes a line of an inventory. What is not covered is nobody's to watch.
    pub fn take(&mut self, line: &Line) {
        if line.verdict != ScopeVerdict::Covered {
            return;
        }
        match Watch::of(&line.asset) {
            Watch::Target(target) => self.targets.push(*target),
            Watch::Unwatched(reason) => {
                let Line { asset, .. } = line;
                let tally = self.unwatched.entry(reason).or_default();
                tally.count += 1;
                tally.show(format!("{} ({} {}, {})", asset.id, asset.cloud, asset.account, asset.region));
            }
            Watch::Nothing => {}
        }
    }

    /// Adds what another inventory gives.
    pub fn add(&mut self, other: &Self) {
        self.targets.extend_from_slice(&other.targets);
        self.targets.sort();
        for (reason, tally) in &other.unwatched {
            let held = self.unwatched.entry(*reason).or_default();
            held.count += tally.count;
            tally.examples.iter().for_each(|example| held.show(example.clone()));
        }
    }

    /// Number of machines that are not watched for a reason.
    #[must_use]
    pub fn unwatched(&self, reason: UnwatchedReason) -> usize {
        self.unwatched.get(&reason).map_or(0, |tally| tally.count)
    }

    /// The machines that are not watched, as a status tells them.
    #[must_use]
    pub fn status(&self) -> UnwatchedStatus {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let group = |(reason, tally): (&UnwatchedReason, &Tally)| UnwatchedGroup {
            reason: *reason,
            count: number(tally.count),
            examples: tally.examples.iter().cloned().collect(),
        };
        UnwatchedStatus {
            count: number(self.unwatched.values().map(|tally| tally.count).sum()),
            reasons: self.unwatched.iter().map(group).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use caretaker_cloud::Address;

    use super::*;

    fn machine(cloud: Cloud, power: Option<Power>, addresses: &[&str]) -> Asset {
        let (region, zone) = match cloud {
            Cloud::Aws => ("eu-west-1", Some("eu-west-1a")),
            Cloud::Azure => ("westeurope", None),
            Cloud::Gcp => ("europe-west1-b", Some("europe-west1-b")),
        };
        let address = |text: &&str| match text.strip_prefix('+') {
            Some(public) => Address::public(public.parse().unwrap()),
            None => Address::private(text.parse().unwrap()),
        };
        Asset {
            name: "web".into(),
            power,
            zone: zone.map(str::to_owned),
            addresses: addresses.iter().map(address).collect(),
            ..Asset::new(cloud, "account", region, AssetType::Instance, "id")
        }
    }

    #[test]
    fn a_running_machine_of_every_cloud_is_a_target_with_its_own_labels() {
        for (cloud, region) in [(Cloud::Aws, "eu-west-1"), (Cloud::Azure, "westeurope"), (Cloud::Gcp, "europe-west1")] {
            let watch =
                Watch::of(&machine(cloud, Some(Power::Running), &["fd00::1", "10.0.0.1", "10.0.0.2", "+2001:db8::1", "+203.0.113.7"]));
            let Watch::Target(target) = watch else { panic!("{cloud}: {watch:?}") };
            assert_eq!((target.cloud, target.account.as_str(), target.region.as_str()), (cloud, "account", region), "a zone is no region");
            assert_eq!((target.id.as_str(), target.name.as_str()), ("id", "web"));
            assert_eq!(target.private.to_string(), "10.0.0.1", "IPv4 before IPv6, the first interface before the others");
            assert_eq!(target.public.map(|ip| ip.to_string()).as_deref(), Some("203.0.113.7"));
        }
    }

    #[test]
    fn what_is_not_watched_has_a_reason_where_it_should_be() {
        use UnwatchedReason::{NoPrivateAddress, PowerStateUnknown};
        for (power, addresses, expected, why) in [
            (Some(Power::Running), &[][..], Some(NoPrivateAddress), "no address at all"),
            (Some(Power::Running), &["+203.0.113.7"], Some(NoPrivateAddress), "only one on the internet"),
            (Some(Power::Unknown), &["10.0.0.1"], Some(PowerStateUnknown), "nobody knows whether it runs"),
            (None, &["10.0.0.1"], Some(PowerStateUnknown), "the cloud said nothing"),
            (Some(Power::Stopped), &["10.0.0.1"], None, "it is switched off"),
            (Some(Power::Starting), &["10.0.0.1"], None, "it does not run yet"),
            (Some(Power::Stopping), &[], None, "it is about to stop"),
            (Some(Power::Gone), &[], None, "it is deleted"),
        ] {
            let expected = expected.map_or(Watch::Nothing, Watch::Unwatched);
            assert_eq!(Watch::of(&machine(Cloud::Azure, power, addresses)), expected, "{why}");
        }
        let running_v6 = Watch::of(&machine(Cloud::Gcp, Some(Power::Running), &["fd20::1"]));
        assert!(matches!(running_v6, Watch::Target(target) if target.private.is_ipv6()), "a network of IPv6 alone is watched");
        let disk = Asset { asset_type: AssetType::Volume, ..machine(Cloud::Aws, None, &[]) };
        assert_eq!(Watch::of(&disk), Watch::Nothing);
    }

    #[test]
    fn only_what_is_covered_is_counted_and_examples_are_few_and_the_same_in_any_order() {
        let line = |number: usize, verdict: ScopeVerdict| {
            let asset = Asset { id: format!("i-{number}"), ..machine(Cloud::Aws, Some(Power::Running), &[]) };
            Line { asset, verdict, exclusion: String::new() }
        };
        let lines: Vec<Line> = (0..9).map(|number| line(number, ScopeVerdict::Covered)).collect();
        let (mut forwards, mut backwards) = (Watched::default(), Watched::default());
        lines.iter().for_each(|line| forwards.take(line));
        lines.iter().rev().for_each(|line| backwards.take(line));
        assert_eq!(forwards.status(), backwards.status());
        forwards.take(&line(10, ScopeVerdict::Excluded));
        forwards.take(&line(11, ScopeVerdict::Unclassified));
        let mut both = Watched::default();
        both.add(&forwards);
        both.add(&backwards);
        let status = both.status();
        let [group] = &status.reasons[..] else { panic!("{status:?}") };
        assert_eq!((status.count, group.count, group.examples.len()), (18, 18, 5));
        assert_eq!(group.examples[0], "i-0 (aws account, eu-west-1)");
    }
}
