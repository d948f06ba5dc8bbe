//! The scope: exactly one verdict for each asset, and what is wrong with a scope.

use std::fmt;

use caretaker_api::cloud_account::Cloud;
use caretaker_api::scope::{Exclusion, ScopeTerms, Selector, TagSelector};
use caretaker_cloud::{Asset, AssetType, AwsType, CellKey, EVERYWHERE};
use serde::{Deserialize, Serialize};

use crate::outcome::Fault;

/// What the scope says of an asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ScopeVerdict {
    /// It is looked after.
    #[default]
    Covered,
    /// It is not, for a reason.
    Excluded,
    /// Nobody has said.
    Unclassified,
}

impl ScopeVerdict {
    /// The word in the inventory and in the status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Covered => "Covered",
            Self::Excluded => "Excluded",
            Self::Unclassified => "Unclassified",
        }
    }
}

impl fmt::Display for ScopeVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An account that a selector may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Names of its entry or object.
    pub names: Vec<String>,
    /// The cloud's own id.
    pub id: String,
    /// Which cloud.
    pub cloud: Cloud,
}

impl Named {
    /// Whether a selector's word means this account.
    fn is(&self, word: &str) -> bool {
        self.names.iter().any(|name| name == word) || same(self.cloud, &self.id, word)
    }
}

/// The scope of one account, ready to judge its assets.
#[derive(Clone, Debug)]
pub struct Rules {
    terms: ScopeTerms,
    account: Named,
}

impl Rules {
    /// The rules of an account; without terms every asset is covered.
    #[must_use]
    pub fn new(terms: Option<&ScopeTerms>, account: Named) -> Self {
        Self { terms: terms.cloned().unwrap_or_default(), account }
    }

    /// The one verdict of an asset, and the reason of the exclusion that matched first. An exclusion wins.
    #[must_use]
    pub fn verdict(&self, asset: &Asset) -> (ScopeVerdict, &str) {
        if let Some(exclusion) = self.terms.exclude.iter().find(|exclusion| self.fits(&exclusion.selector, asset)) {
            return (ScopeVerdict::Excluded, exclusion.reason.trim());
        }
        let covered = self.terms.include.is_empty() || self.terms.include.iter().any(|selector| self.fits(selector, asset));
        (if covered { ScopeVerdict::Covered } else { ScopeVerdict::Unclassified }, "")
    }

    fn fits(&self, selector: &Selector, asset: &Asset) -> bool {
        self.account.selects(selector, asset)
    }
}

impl Named {
    /// Whether a selector names an asset of this account.
    #[must_use]
    pub fn selects(&self, selector: &Selector, asset: &Asset) -> bool {
        let cloud = self.cloud;
        let given = |part: &Option<String>, fits: &dyn Fn(&str) -> bool| part.as_deref().is_none_or(fits);
        given(&selector.account, &|account| self.is(account) || same(cloud, &asset.account, account))
            && given(&selector.region, &|region| is_within(cloud, &asset.region, region))
            && given(&selector.kind, &|kind| same_word(asset.asset_type.as_str(), kind) || same_word(&asset.native_type, kind))
            && given(&selector.resource_group, &|group| cloud == Cloud::Azure && asset.groups.iter().any(|of| same(cloud, of, group)))
            && given(&selector.folder, &|folder| cloud == Cloud::Gcp && asset.groups.iter().any(|of| number(of) == number(folder)))
            && selector.tag.as_ref().is_none_or(|tag| has_tag(cloud, asset, tag))
    }

    /// Whether a part of this account may hold what a selector names. Of AWS it is known which types a part shows; of other clouds' parts any.
    #[must_use]
    pub fn may_hold(&self, selector: &Selector, part: &CellKey) -> bool {
        let cloud = self.cloud;
        let given = |part: &Option<String>, fits: &dyn Fn(&str) -> bool| part.as_deref().is_none_or(fits);
        given(&selector.account, &|account| self.is(account) || same(cloud, &part.account, account))
            && given(&selector.region, &|region| part.region == EVERYWHERE || is_within(cloud, &part.region, region))
            && given(&selector.kind, &|kind| cloud != Cloud::Aws || shows(part, kind))
    }
}

/// Whether a part of an AWS account shows a type. What no list of a service shows, an index does.
fn shows(part: &CellKey, kind: &str) -> bool {
    let is = |known: AwsType| same_word(known.asset_type().as_str(), kind) || same_word(known.native_type(), kind);
    match AwsType::of_service(&part.service) {
        Some(shown) if shown.is_of_an_index() => is(shown) || !AwsType::ALL.into_iter().any(is),
        Some(shown) => is(shown),
        None => true,
    }
}

/// Whether two words are the same to a cloud: Azure knows no letter case in ids, names of types, groups and locations, nor in the keys of tags.
fn same(cloud: Cloud, one: &str, other: &str) -> bool {
    if cloud == Cloud::Azure { same_word(one, other) } else { one == other }
}

/// Whether two words for a type are the same. The words are ours and the inventory's, so that no cloud's letter case counts: a selector that passes the
/// check must match.
fn same_word(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Whether a location is the region, or a zone of it. Azure takes `West Europe` for `westeurope`, Google's zones are the region's name and a letter.
fn is_within(cloud: Cloud, location: &str, region: &str) -> bool {
    match cloud {
        Cloud::Aws => location == region,
        Cloud::Azure => location.replace(' ', "").to_lowercase() == region.replace(' ', "").to_lowercase(),
        Cloud::Gcp => {
            let (location, region) = (location.to_lowercase(), region.to_lowercase());
            let zone = location.strip_prefix(&region).and_then(|rest| rest.strip_prefix('-'));
            location == region || zone.is_some_and(|zone| zone.len() == 1)
        }
    }
}

fn has_tag(cloud: Cloud, asset: &Asset, tag: &TagSelector) -> bool {
    asset.tags.iter().any(|(key, value)| same(cloud, key, &tag.key) && tag.value.as_ref().is_none_or(|wanted| wanted == value))
}

/// A folder's number, with or without the word before it.
fn number(folder: &str) -> &str {
    folder.trim().rsplit('/').next().unwrap_or_default()
}

/// What is wrong with a scope that admission does not see: it knows neither the clouds' letter case nor the words for types. `field` is where the
/// scope stands, such as `spec.scope`.
#[must_use]
pub fn faults(terms: &ScopeTerms, accounts: &[Named], field: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    let includes = terms.include.iter().enumerate().map(|(at, selector)| (format!("{field}.include[{at}]"), selector));
    let excludes = terms.exclude.iter().enumerate().map(|(at, exclusion)| (format!("{field}.exclude[{at}]"), &exclusion.selector));
    for (at, selector) in includes.chain(excludes) {
        faults.extend(selector_fault(selector, &at));
    }
    for (number, Exclusion { selector, reason }) in terms.exclude.iter().enumerate() {
        let at = format!("{field}.exclude[{number}]");
        if reason.trim().is_empty() {
            faults.push(Fault::spec(format!("{at}.reason"), "an exclusion needs a reason: say why these assets are not looked after"));
        }
        // Once more than one account is there, a word may name one of them only; a contradiction for one account is one.
        if let Some(held) = terms.include.iter().position(|include| accounts.iter().any(|account| holds(account, selector, include))) {
            let message = format!("it takes away all that include[{held}] names: remove one of the two, or narrow the exclusion");
            faults.push(Fault::spec(at, message));
        }
    }
    faults
}

/// What is wrong with a selector that stands at a field.
#[must_use]
pub fn selector_fault(selector: &Selector, at: &str) -> Option<Fault> {
    if *selector == Selector::default() {
        let message = "an empty selector names nothing: give at least one of account, region, tag, type, resourceGroup and folder";
        return Some(Fault::spec(at, message));
    }
    let kind = selector.kind.as_deref()?;
    let is_native = kind.contains(['/', ':', '.']);
    let is_word = AssetType::ALL.iter().any(|known| known.as_str().eq_ignore_ascii_case(kind));
    (!is_native && !is_word).then(|| {
        let words: Vec<&str> = AssetType::ALL.iter().map(|known| known.as_str()).collect();
        let message = format!("{kind} is no type: give one of {}, or the cloud's own type, such as AWS::EC2::Instance", words.join(", "));
        Fault::spec(format!("{at}.type"), message)
    })
}

/// Whether an exclusion takes away everything that an inclusion names in an account.
fn holds(account: &Named, exclusion: &Selector, inclusion: &Selector) -> bool {
    let cloud = account.cloud;
    let part = |outer: &Option<String>, inner: &Option<String>, is_in: &dyn Fn(&str, &str) -> bool| match (outer, inner) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(outer), Some(inner)) => is_in(inner, outer),
    };
    let tag = match (&exclusion.tag, &inclusion.tag) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(outer), Some(inner)) => same(cloud, &inner.key, &outer.key) && (outer.value.is_none() || outer.value == inner.value),
    };
    tag && part(&exclusion.account, &inclusion.account, &|inner, outer| inner == outer || (account.is(inner) && account.is(outer)))
        && part(&exclusion.region, &inclusion.region, &|inner, outer| is_within(cloud, inner, outer))
        && part(&exclusion.kind, &inclusion.kind, &|inner, outer| same_word(inner, outer))
        && part(&exclusion.resource_group, &inclusion.resource_group, &|inner, outer| same(cloud, inner, outer))
        && part(&exclusion.folder, &inclusion.folder, &|inner, outer| number(inner) == number(outer))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn named(cloud: Cloud) -> Named {
        let id = match cloud {
            Cloud::Aws => "222222222222",
            Cloud::Azure => "aaaaaaaa-0000-4000-8000-000000000001",
            Cloud::Gcp => "acme-production",
        };
        Named { names: vec!["prod".into()], id: id.into(), cloud }
    }

    fn asset(cloud: Cloud) -> Asset {
        use caretaker_cloud::Cloud as In;
        let (within, region, native_type, groups): (_, _, _, &[&str]) = match cloud {
            Cloud::Aws => (In::Aws, "eu-west-1", "AWS::EC2::Instance", &[]),
            Cloud::Azure => (In::Azure, "westeurope", "microsoft.compute/virtualmachines", &["shop"]),
            Cloud::Gcp => (In::Gcp, "europe-west1-b", "compute.googleapis.com/Instance", &["folders/12", "folders/34"]),
        };
        Asset {
            native_type: native_type.into(),
            service: "ec2/instances".into(),
            name: "web".into(),
            tags: BTreeMap::from([("env".to_owned(), "prod".to_owned())]),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            ..Asset::new(within, &named(cloud).id, region, AssetType::Instance, "i-1")
        }
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn region(text: &str) -> Selector {
        Selector { region: some(text), ..Selector::default() }
    }

    fn kind(text: &str) -> Selector {
        Selector { kind: some(text), ..Selector::default() }
    }

    fn tag(key: &str, value: Option<&str>) -> Selector {
        Selector { tag: Some(TagSelector { key: key.into(), value: value.map(str::to_owned) }), ..Selector::default() }
    }

    fn scope(include: Vec<Selector>, exclude: Vec<Selector>) -> ScopeTerms {
        let exclude = exclude.into_iter().map(|selector| Exclusion { selector, reason: "theirs".into() }).collect();
        ScopeTerms { include, exclude }
    }

    #[test]
    fn a_selector_names_what_it_says_in_the_cloud_s_own_way() {
        let (account, group, folder) = (
            |text: &str| Selector { account: some(text), ..Selector::default() },
            |text: &str| Selector { resource_group: some(text), ..Selector::default() },
            |text: &str| Selector { folder: some(text), ..Selector::default() },
        );
        use Cloud::{Aws, Azure, Gcp};
        for (reason, cloud, selector, expected) in [
            ("the name of the account's entry", Aws, account("prod"), true),
            ("the cloud's id", Aws, account("222222222222"), true),
            ("another account", Aws, account("333333333333"), false),
            ("a subscription in another letter case", Azure, account("AAAAAAAA-0000-4000-8000-000000000001"), true),
            ("a region", Aws, region("eu-west-1"), true),
            ("AWS has one spelling", Aws, region("EU-West-1"), false),
            ("a location in another letter case", Azure, region("WestEurope"), true),
            ("a location as the portal shows it", Azure, region("West Europe"), true),
            ("a zone is in its region", Gcp, region("europe-west1"), true),
            ("a zone is not in a region that begins alike", Gcp, region("europe-west"), false),
            ("our word", Aws, kind("instance"), true),
            ("the cloud's type", Aws, kind("AWS::EC2::Instance"), true),
            ("another type", Aws, kind("volume"), false),
            ("a type in another letter case", Azure, kind("Microsoft.Compute/virtualMachines"), true),
            ("Google's type in another letter case", Gcp, kind("compute.googleapis.com/instance"), true),
            ("our word in another letter case", Gcp, kind("Instance"), true),
            ("our word in capitals", Aws, kind("INSTANCE"), true),
            ("AWS's type in another letter case", Aws, kind("aws::ec2::instance"), true),
            ("a tag with its value", Aws, tag("env", Some("prod")), true),
            ("a tag with any value", Aws, tag("env", None), true),
            ("a tag with another value", Aws, tag("env", Some("Prod")), false),
            ("keys on AWS have letter case", Aws, tag("Env", None), false),
            ("keys on Azure have none, values do", Azure, tag("ENV", Some("prod")), true),
            ("values on Azure have letter case", Azure, tag("env", Some("PROD")), false),
            ("a resource group in another letter case", Azure, group("Shop"), true),
            ("another resource group", Azure, group("shop2"), false),
            ("a folder above a folder", Gcp, folder("34"), true),
            ("a folder with its word", Gcp, folder("folders/12"), true),
            ("another folder", Gcp, folder("1"), false),
            ("all parts must match", Aws, Selector { kind: some("volume"), ..region("eu-west-1") }, false),
            ("all parts match", Aws, Selector { kind: some("instance"), ..region("eu-west-1") }, true),
        ] {
            let rules = Rules::new(Some(&scope(vec![selector], vec![])), named(cloud));
            let verdict = if expected { ScopeVerdict::Covered } else { ScopeVerdict::Unclassified };
            assert_eq!(rules.verdict(&asset(cloud)).0, verdict, "{reason}");
        }
    }

    #[test]
    fn an_exclusion_wins_and_says_why() {
        let verdict = |terms: Option<&ScopeTerms>| {
            let rules = Rules::new(terms, named(Cloud::Aws));
            let (verdict, reason) = rules.verdict(&asset(Cloud::Aws));
            (verdict, reason.to_owned())
        };
        assert_eq!(verdict(None), (ScopeVerdict::Covered, String::new()));
        assert_eq!(verdict(Some(&scope(vec![], vec![kind("volume")]))).0, ScopeVerdict::Covered);
        let both = scope(vec![kind("instance")], vec![tag("env", Some("prod"))]);
        assert_eq!(verdict(Some(&both)), (ScopeVerdict::Excluded, "theirs".to_owned()));
    }

    #[test]
    fn a_scope_that_contradicts_itself_is_refused_with_field_and_cure() {
        let narrow = |region_name: &str| Selector { kind: some("instance"), ..region(region_name) };
        use Cloud::{Aws, Azure, Gcp};
        for (reason, cloud, include, exclude, expected) in [
            ("the same selector on both sides", Aws, region("eu-west-1"), region("eu-west-1"), true),
            ("the exclusion is wider", Aws, narrow("eu-west-1"), kind("instance"), true),
            ("the exclusion is narrower", Aws, kind("instance"), narrow("eu-west-1"), false),
            ("they only meet", Aws, kind("instance"), region("eu-west-1"), false),
            ("the same in another letter case", Azure, region("westeurope"), region("WestEurope"), true),
            ("another region on AWS", Aws, region("eu-west-1"), region("EU-WEST-1"), false),
            ("a type in another letter case", Aws, kind("instance"), kind("Instance"), true),
            (
                "Google's type in another letter case",
                Gcp,
                kind("compute.googleapis.com/Instance"),
                kind("compute.googleapis.com/instance"),
                true,
            ),
            ("a zone of an excluded region", Gcp, region("europe-west1-b"), region("europe-west1"), true),
            ("the region of an excluded zone", Gcp, region("europe-west1"), region("europe-west1-b"), false),
            ("a tag with any value", Aws, tag("env", Some("prod")), tag("env", None), true),
            ("a tag with one value", Aws, tag("env", None), tag("env", Some("prod")), false),
            (
                "an account by name and by id",
                Aws,
                Selector { account: some("prod"), ..Selector::default() },
                Selector { account: some("222222222222"), ..Selector::default() },
                true,
            ),
        ] {
            let found = faults(&scope(vec![include], vec![exclude]), &[named(cloud)], "spec.scope");
            assert_eq!(!found.is_empty(), expected, "{reason}: {found:?}");
            assert!(found.iter().all(|fault| fault.field == "spec.scope.exclude[0]" && fault.message.contains("remove one of the two")));
        }
    }

    #[test]
    fn what_names_nothing_is_refused() {
        let mut terms = scope(vec![Selector::default(), kind("instances")], vec![kind("Contoso.Rockets/engines")]);
        terms.exclude[0].reason = "  ".into();
        let found = faults(&terms, &[named(Cloud::Azure)], "spec.scope");
        let fields: Vec<&str> = found.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["spec.scope.include[0]", "spec.scope.include[1].type", "spec.scope.exclude[0].reason"]);
        assert!(found[1].message.contains("instance, volume"), "{}", found[1].message);
    }

    fn selectors() -> impl Strategy<Value = Selector> {
        let word = |words: &'static [&'static str]| proptest::option::of(proptest::sample::select(words).prop_map(str::to_owned));
        let tags = proptest::option::of(
            (proptest::sample::select(vec!["env", "Env"]), word(&["prod", "test"]))
                .prop_map(|(key, value)| TagSelector { key: key.into(), value }),
        );
        (
            word(&["prod", "other"]),
            word(&["eu-west-1", "westeurope", "europe-west1"]),
            tags,
            word(&["instance", "volume"]),
            word(&["shop", "SHOP"]),
        )
            .prop_map(|(account, region, tag, kind, resource_group)| Selector {
                account,
                region,
                tag,
                kind,
                resource_group,
                folder: None,
            })
    }

    fn upper(selector: &Selector) -> Selector {
        let upper = |part: &Option<String>| part.as_ref().map(|text| text.to_uppercase());
        Selector {
            region: upper(&selector.region),
            kind: upper(&selector.kind),
            resource_group: upper(&selector.resource_group),
            tag: selector.tag.as_ref().map(|tag| TagSelector { key: tag.key.to_uppercase(), value: tag.value.clone() }),
            ..selector.clone()
        }
    }

    proptest! {
        #[test]
        fn every_asset_has_exactly_one_verdict(
            include in proptest::collection::vec(selectors(), 0..4),
            exclude in proptest::collection::vec(selectors(), 0..4),
            cloud in proptest::sample::select(Cloud::ALL.to_vec()),
        ) {
            let (include, exclude): (Vec<Selector>, Vec<Selector>) = (include, exclude);
            let asset = asset(cloud);
            let verdict = |include: &[Selector], exclude: &[Selector]| {
                let terms = scope(include.to_vec(), exclude.to_vec());
                let rules = Rules::new(Some(&terms), named(cloud));
                let (verdict, reason) = rules.verdict(&asset);
                (verdict, reason.to_owned())
            };
            let (found, reason) = verdict(&include, &exclude);
            // Said once more, from the two halves alone.
            let is_named = |selector: &Selector| verdict(std::slice::from_ref(selector), &[]).0 == ScopeVerdict::Covered;
            let (out, within) = (exclude.iter().any(is_named), include.is_empty() || include.iter().any(is_named));
            let expected = [
                (ScopeVerdict::Excluded, out),
                (ScopeVerdict::Covered, !out && within),
                (ScopeVerdict::Unclassified, !out && !within),
            ];
            prop_assert_eq!(expected.iter().filter(|(_, holds)| *holds).count(), 1);
            prop_assert!(expected.contains(&(found, true)));
            prop_assert_eq!(found == ScopeVerdict::Excluded, !reason.is_empty());
            let turned = |list: &[Selector]| list.iter().rev().cloned().collect::<Vec<_>>();
            prop_assert_eq!(verdict(&turned(&include), &turned(&exclude)).0, found);
            if cloud == Cloud::Azure {
                let (include, exclude): (Vec<_>, Vec<_>) = (include.iter().map(upper).collect(), exclude.iter().map(upper).collect());
                prop_assert_eq!(verdict(&include, &exclude).0, found);
            }
        }
    }
}
