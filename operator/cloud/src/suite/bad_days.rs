//! Bad days: each ends in the right verdict of each cell, with nothing missing or doubled, and the same connector is well again once the day is over.

use std::time::Duration;

use async_trait::async_trait;

use super::gathered::scope;
use super::{Capability, Gathered, On, PAGE, Stage, Trouble, When, link};
use crate::{AccessGrant, Asset, AssetSink, Cell, CloudError, CloudLink, ErrorClass, Presented, Purpose, Result, StepOutcome, Verdict};

/// Machines that take three pages.
const THREE_PAGES: usize = 2 * PAGE + 3;
/// Machines that are surely not all on the way yet when the first one is taken.
const LONG: usize = 8_000;

/// An account with this many machines in the first place, short pages, and a session in it.
async fn set(stage: &dyn Stage, machines: usize) -> (AccessGrant, std::sync::Arc<dyn CloudLink>) {
    let grant = stage.account(&[Purpose::Read]).await;
    stage.machines(&grant, stage.places()[0], machines).await;
    stage.page_rows(PAGE).await;
    let link = link(stage, &grant, Purpose::Read).await;
    (grant, link)
}

/// Without a restart everything is read again.
async fn is_well(stage: &dyn Stage, grant: &AccessGrant, link: &dyn CloudLink, machines: usize) {
    stage.cure().await;
    let gathered = Gathered::of(stage, grant, link).await;
    assert!(gathered.incomplete().is_empty(), "{:?}", gathered.incomplete());
    assert_eq!(gathered.machines(), machines);
}

/// A cell that the cloud refuses is Denied after one call, and every other is read.
pub async fn a_denied_cell_loses_no_other(stage: &dyn Stage) {
    let (grant, link) = set(stage, 3).await;
    let [first, _] = stage.places();
    stage.trouble(&grant, On::Machines(first), Trouble::Denied, When::ALWAYS).await;
    let gathered = Gathered::of(stage, &grant, link.as_ref()).await;
    let [cell] = gathered.incomplete()[..] else { panic!("one cell only: {:?}", gathered.incomplete()) };
    assert_eq!((cell.key.region.clone(), cell.key.service.clone()), stage.machine_cell(first));
    assert_eq!((cell.verdict, cell.calls, cell.assets), (Verdict::Denied, stage.calls_before_machines() + 1, 0), "it is not tried again");
    is_well(stage, &grant, link.as_ref(), 3).await;
}

/// An account that refuses is its own affair.
pub async fn one_refused_account_of_many_stops_no_other(stage: &dyn Stage) {
    let mut grants = Vec::new();
    for _ in 0..3 {
        let grant = stage.account(&[Purpose::Read]).await;
        stage.machines(&grant, stage.places()[0], 2).await;
        grants.push(grant);
    }
    stage.revoke(&grants[1]).await;
    let connector = stage.connector();
    for (number, grant) in grants.iter().enumerate() {
        match connector.connect(grant, Purpose::Read).await {
            Ok(link) => {
                assert_ne!(number, 1, "it has refused");
                let gathered = Gathered::of(stage, grant, link.as_ref()).await;
                assert_eq!((gathered.incomplete().len(), gathered.machines()), (0, 2));
            }
            Err(error) => {
                assert!(number == 1 && error.is_refusal(), "{number}: {error}");
                assert!(names(grant).iter().any(|name| error.to_string().contains(name)), "it does not say who: {error}");
            }
        }
    }
}

/// What tells a person which account is meant.
fn names(grant: &AccessGrant) -> Vec<String> {
    let mut names = vec![grant.account().to_owned()];
    match grant {
        AccessGrant::Aws(aws) => names.push(aws.role_arn.clone()),
        AccessGrant::Gcp(gcp) => names.push(gcp.service_account.clone()),
        AccessGrant::Azure(_) | AccessGrant::AzureTenant(_) | AccessGrant::GcpFolder(_) => {}
    }
    names
}

/// A long wait ends the cell, which says how long; what is asked for by another account's quota goes on.
pub async fn a_wait_that_is_asked_for_is_told(stage: &dyn Stage) {
    let (grant, link) = set(stage, 3).await;
    let [first, _] = stage.places();
    let asked = Duration::from_secs(1200);
    stage.trouble(&grant, On::Machines(first), Trouble::Throttled(asked), When::ALWAYS).await;
    let gathered = Gathered::of(stage, &grant, link.as_ref()).await;
    let cell = gathered.cell(&stage.machine_cell(first));
    assert_eq!((cell.verdict, cell.assets), (Verdict::Throttled, 0), "{cell:?}");
    assert!(cell.retry_after_seconds.is_some_and(|wait| (1190..=1200).contains(&wait)), "{cell:?}");
    // Whoever counts by account leaves the whole account alone; nothing else befalls any cell.
    assert!(gathered.incomplete().iter().all(|cell| cell.verdict == Verdict::Throttled), "{:?}", gathered.incomplete());
    let other = stage.account(&[Purpose::Read]).await;
    stage.cure().await;
    let link = super::link(stage, &other, Purpose::Read).await;
    let gathered = Gathered::of(stage, &other, link.as_ref()).await;
    if stage.lacks().contains(&Capability::OwnQuota) {
        let waits = |cell: &&Cell| cell.verdict == Verdict::Throttled && cell.calls == 0;
        assert!(gathered.incomplete().iter().all(waits), "who pays together waits together: {:?}", gathered.incomplete());
        return;
    }
    assert!(gathered.incomplete().is_empty(), "another account goes on: {:?}", gathered.incomplete());
}

/// With every second call throttled a cell is either whole or says that it was throttled.
pub async fn half_of_all_calls_throttled_lose_and_double_nothing(stage: &dyn Stage) {
    let (grant, link) = set(stage, THREE_PAGES).await;
    stage.trouble(&grant, On::Lists, Trouble::EachOtherThrottled, When::ALWAYS).await;
    let gathered = Gathered::of(stage, &grant, link.as_ref()).await;
    for cell in &gathered.cells {
        assert!(matches!(cell.verdict, Verdict::Complete | Verdict::Throttled), "{cell:?}");
    }
    let cell = gathered.cell(&stage.machine_cell(stage.places()[0]));
    assert_eq!(cell.verdict == Verdict::Complete, cell.assets == THREE_PAGES as u64, "{cell:?}");
    is_well(stage, &grant, link.as_ref(), THREE_PAGES).await;
}

/// A cloud that only fails is Unreachable in every cell, and is well again by the same session.
pub async fn a_storm_of_failures_is_over_without_a_restart(stage: &dyn Stage) {
    let (grant, link) = set(stage, 3).await;
    stage.trouble(&grant, On::Lists, Trouble::Failing, When::ALWAYS).await;
    let gathered = Gathered::of(stage, &grant, link.as_ref()).await;
    for cell in &gathered.cells {
        assert_eq!((cell.verdict, cell.assets), (Verdict::Unreachable, 0), "{cell:?}");
    }
    is_well(stage, &grant, link.as_ref(), 3).await;
}

/// What came before a failure is kept, and counts for no more than it is.
pub async fn a_failure_on_a_later_page_is_partial(stage: &dyn Stage) {
    partial(stage, Trouble::Failing).await;
}

/// An answer that ends in its middle is none.
pub async fn a_page_that_is_cut_off_is_partial(stage: &dyn Stage) {
    partial(stage, Trouble::CutOff).await;
}

/// A list that goes round in a circle is left, and not taken for one that has ended.
pub async fn a_repeated_page_token_is_partial(stage: &dyn Stage) {
    let cell = partial(stage, Trouble::RepeatedToken).await;
    // What a cloud keeps apart from the machines comes in two pages here.
    let most = 4 + 2 * stage.calls_before_machines();
    assert!(cell.calls <= most && cell.cause.contains("repeated"), "{cell:?}");
}

/// The second page of the machines goes wrong.
async fn partial(stage: &dyn Stage, trouble: Trouble) -> Cell {
    let (grant, link) = set(stage, THREE_PAGES).await;
    let [first, _] = stage.places();
    stage.trouble(&grant, On::Machines(first), trouble, When { after: 1, times: None }).await;
    let gathered = Gathered::of(stage, &grant, link.as_ref()).await;
    let [cell] = gathered.incomplete()[..] else { panic!("one cell only: {:?}", gathered.incomplete()) };
    assert_eq!((cell.key.region.clone(), cell.key.service.clone()), stage.machine_cell(first));
    assert_eq!(cell.verdict, Verdict::Partial, "{cell:?}");
    assert!(cell.assets >= PAGE as u64 && cell.assets < THREE_PAGES as u64, "{cell:?}");
    let cell = cell.clone();
    is_well(stage, &grant, link.as_ref(), THREE_PAGES).await;
    cell
}

/// A session that ends in the middle of a list is renewed, and the list goes on with the page that was asked for.
pub async fn an_expired_session_is_renewed_while_reading(stage: &dyn Stage) {
    let (grant, link) = set(stage, THREE_PAGES).await;
    let [first, _] = stage.places();
    stage.trouble(&grant, On::Machines(first), Trouble::SessionEnded, When { after: 1, times: Some(1) }).await;
    let gathered = Gathered::of(stage, &grant, link.as_ref()).await;
    assert!(gathered.incomplete().is_empty(), "{:?}", gathered.incomplete());
    assert_eq!(gathered.machines(), THREE_PAGES);
}

/// A write whose answer is lost is an error that claims nothing; done again it changes nothing more.
pub async fn a_write_whose_answer_is_lost_is_not_done_twice(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read, Purpose::Backup, Purpose::Revoke]).await;
    let (purpose, step) = stage.write_step(&grant);
    let link = link(stage, &grant, purpose).await;
    stage.trouble(&grant, On::Write, Trouble::AnswerLost, When { after: 0, times: Some(1) }).await;
    let lost = link.perform("once", &step).await;
    assert_eq!(lost.as_ref().err().map(|error| error.class), Some(ErrorClass::Unreachable), "{lost:?}");
    stage.cure().await;
    let again = link.perform("once", &step).await;
    // Where the step took our own access away, its proof is that no fresh attempt gets in.
    let is_out = stage.connector().attempt(&grant, Presented::Right).await.is_err_and(|error| error.is_refusal());
    let is_done = again.as_ref().is_ok_and(|receipt| receipt.outcome == StepOutcome::AlreadyDone);
    assert!(is_done || is_out && again.as_ref().is_err_and(CloudError::is_refusal), "{again:?}");
}

/// Once the client has taken our access away, no cell that was not read to its end before says that it was.
pub async fn access_that_ends_in_mid_run_leaves_no_unread_cell_complete(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read]).await;
    let [first, _] = stage.places();
    stage.machines(&grant, first, LONG).await;
    let link = link(stage, &grant, Purpose::Read).await;
    let mut sink = Revoking { stage, grant: &grant, gathered: Gathered::default(), revoked: false };
    link.discover(&scope(stage), &mut sink).await.expect("the cells can be planned");
    let gathered = sink.gathered;
    gathered.assert_whole(&grant, &stage.cells(&stage.places()));
    let cell = gathered.cell(&stage.machine_cell(first));
    assert_eq!(cell.verdict, Verdict::Denied, "{cell:?}");
    assert!(cell.assets < LONG as u64, "{cell:?}");
    assert!(gathered.incomplete().iter().all(|cell| cell.verdict == Verdict::Denied), "{:?}", gathered.incomplete());
}

/// Has the client take our access away when the first machine comes.
struct Revoking<'a> {
    stage: &'a dyn Stage,
    grant: &'a AccessGrant,
    gathered: Gathered,
    revoked: bool,
}

#[async_trait]
impl AssetSink for Revoking<'_> {
    async fn asset(&mut self, asset: Asset) -> Result<()> {
        if asset.asset_type == crate::AssetType::Instance && !self.revoked {
            self.revoked = true;
            self.stage.revoke(self.grant).await;
        }
        AssetSink::asset(&mut self.gathered, asset).await
    }

    async fn cell(&mut self, cell: Cell) -> Result<()> {
        AssetSink::cell(&mut self.gathered, cell).await
    }
}

/// A clock of ours that is wrong by ten minutes, either way, stops nothing: the cloud's is what counts.
pub async fn a_clock_that_is_ten_minutes_off_stops_nothing(stage: &dyn Stage) {
    for ahead in [600, -600] {
        stage.clock(ahead).await;
        let grant = stage.account(&[Purpose::Read]).await;
        stage.machines(&grant, stage.places()[0], 2).await;
        let link = link(stage, &grant, Purpose::Read).await;
        let gathered = Gathered::of(stage, &grant, link.as_ref()).await;
        assert!(gathered.incomplete().is_empty(), "{ahead} s: {:?}", gathered.incomplete());
        assert_eq!(gathered.machines(), 2);
    }
}
