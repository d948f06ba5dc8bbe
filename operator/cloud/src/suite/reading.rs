//! Reading where nothing goes wrong.

use std::collections::BTreeSet;

use super::{Gathered, Stage, link};
use crate::{Purpose, Scope};

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
