//! Reading where nothing goes wrong.

use std::collections::BTreeSet;

use super::{Gathered, Stage, link};
use crate::{Address, Asset, AssetType, Family, Power, Purpose, Scope, Size, Visibility};

/// A reading is whole, repeatable and changes nothing; without regions the account is asked for its own.
pub async fn discover_reports_every_cell_once_and_writes_nothing(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read]).await;
    let [place, _] = stage.places();
    stage.machines(&grant, place, 3).await;
    let link = link(stage, &grant, Purpose::Read).await;
    let before = stage.writes().await;
    let first = Gathered::of(stage, &grant, link.as_ref()).await;
    let second = Gathered::of(stage, &grant, link.as_ref()).await;
    let ids = |gathered: &Gathered| gathered.assets.iter().map(|asset| asset.id.clone()).collect::<BTreeSet<_>>();
    assert_eq!(ids(&first), ids(&second));
    assert_eq!(first.machines(), 3);
    assert!(first.incomplete().is_empty(), "{:?}", first.incomplete());
    let mut all = Gathered::default();
    link.discover(&Scope::default(), &mut all).await.expect("the account tells its regions");
    let regions: BTreeSet<&str> = all.cells.iter().map(|cell| cell.key.region.as_str()).collect();
    assert!(regions.contains(stage.machine_cell(place).0.as_str()), "{regions:?}");
    let regions: Vec<&str> = regions.into_iter().filter(|region| *region != crate::EVERYWHERE).collect();
    all.assert_whole(&grant, &stage.cells(&regions));
    assert_eq!(all.machines(), 3);
    assert_eq!(stage.writes().await, before, "reading writes nothing");
}

/// Whoever watches machines can tell from each of them whether it runs, and where it is reached.
pub async fn a_machine_comes_with_its_power_state_and_its_addresses(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read]).await;
    let [place, _] = stage.places();
    stage.machines(&grant, place, 3).await;
    let gathered = Gathered::of(stage, &grant, link(stage, &grant, Purpose::Read).await.as_ref()).await;
    let machines: Vec<&Asset> = gathered.assets.iter().filter(|asset| asset.asset_type == AssetType::Instance).collect();
    assert_eq!(machines.len(), 3);
    for machine in machines {
        assert_eq!(machine.power, Some(Power::Running), "{machine:?}");
        let is_within = |address: &Address| address.visibility == Visibility::Private && address.family() == Family::V4;
        assert!(machine.addresses.first().is_some_and(is_within), "a machine in a network has a private address, told first: {machine:?}");
        assert!(machine.zone.is_some() && matches!(machine.size, Some(Size::Class(_))), "{machine:?}");
    }
    let mut others = gathered.assets.iter().filter(|asset| asset.asset_type != AssetType::Instance);
    assert!(others.all(|other| other.power.is_none() && other.addresses.is_empty()), "only a machine has a power state");
}

/// Private and public addresses of both families come with their machine, and a machine that is switched off says so.
pub async fn a_machine_with_several_network_interfaces_comes_with_the_addresses_of_all(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read]).await;
    let [place, _] = stage.places();
    let expected = stage.described(&grant, place).await;
    for (visibility, count) in [(Visibility::Private, 2), (Visibility::Public, 1)] {
        let told = expected.iter().filter(|address| address.visibility == visibility && address.family() == Family::V4).count();
        assert!(told >= count, "the stage makes too few addresses: {expected:?}");
    }
    assert!(expected.iter().any(|address| address.family() == Family::V6), "the stage makes no address of IPv6: {expected:?}");
    let gathered = Gathered::of(stage, &grant, link(stage, &grant, Purpose::Read).await.as_ref()).await;
    let named =
        |name: &str| gathered.assets.iter().find(|asset| asset.asset_type == AssetType::Instance && asset.name == name).expect("it came");
    let several = named("several");
    assert_eq!(several.power, Some(Power::Running), "{several:?}");
    let sorted = |addresses: &[Address]| addresses.iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(sorted(&several.addresses), sorted(&expected));
    assert_eq!(
        (several.addresses.first(), several.addresses.len()),
        (expected.first(), expected.len()),
        "the main one first, and none twice"
    );
    assert_eq!(named("stopped").power, Some(Power::Stopped));
}

/// Nothing at all is a complete answer as well.
pub async fn nothing_is_complete_as_well(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read]).await;
    let gathered = Gathered::of(stage, &grant, link(stage, &grant, Purpose::Read).await.as_ref()).await;
    assert!(gathered.incomplete().is_empty(), "{:?}", gathered.incomplete());
    assert_eq!(gathered.machines(), 0);
    for place in stage.places() {
        assert_eq!(gathered.cell(&stage.machine_cell(place)).assets, 0);
    }
}

/// What is called in a name stays as it is.
pub async fn names_with_every_legal_character_arrive_unchanged(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read]).await;
    let names = stage.legal_names();
    let [place, _] = stage.places();
    stage.named(&grant, place, &names).await;
    let gathered = Gathered::of(stage, &grant, link(stage, &grant, Purpose::Read).await.as_ref()).await;
    assert!(gathered.incomplete().is_empty(), "{:?}", gathered.incomplete());
    let machines = gathered.assets.iter().filter(|asset| asset.asset_type == crate::AssetType::Instance);
    let came: BTreeSet<&str> = machines.map(|asset| asset.name.as_str()).collect();
    assert_eq!(came, names.into_iter().collect());
}

/// A type that is newer than we are is in the inventory under its own name.
pub async fn a_type_that_nobody_knows_is_listed(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read]).await;
    let native_type = stage.unknown_type(&grant).await;
    let mut gathered = Gathered::default();
    let link = link(stage, &grant, Purpose::Read).await;
    link.discover(&Scope::default(), &mut gathered).await.expect("the cells can be planned");
    assert!(gathered.incomplete().is_empty(), "{:?}", gathered.incomplete());
    let is_it = |asset: &&crate::Asset| asset.native_type.eq_ignore_ascii_case(&native_type);
    assert_eq!(gathered.assets.iter().filter(is_it).count(), 1, "{native_type}: {:?}", gathered.assets);
}
