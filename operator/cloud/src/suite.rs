//! The behaviour suite: what every implementation of the port must do, proved through the port alone.
//!
//! An implementation sets a [`Stage`] and calls [`behaviour_suite!`](crate::behaviour_suite), which makes one test of each obligation, so that none can be
//! left out by mistake. What a cloud has no word for it declares as a [`Capability`] that it lacks; an obligation that needs it is then named as skipped.
//! Every obligation takes accounts of its own.
//!
//! The bad days of the project's plan, and where each is proved on every stage:
//!
//! | day | obligation |
//! | --- | --- |
//! | denied region or cell | [`a_denied_cell_loses_no_other`] |
//! | one account of many refused | [`one_refused_account_of_many_stops_no_other`] |
//! | throttling at half of all calls | [`half_of_all_calls_throttled_lose_and_double_nothing`] |
//! | a storm of 5xx | [`a_storm_of_failures_is_over_without_a_restart`] |
//! | timeout after success | [`a_write_whose_answer_is_lost_is_not_done_twice`] |
//! | truncated page | [`a_page_that_is_cut_off_is_partial`] |
//! | repeated token | [`a_repeated_page_token_is_partial`] |
//! | token expired in mid-run | [`an_expired_session_is_renewed_while_reading`] |
//! | role or delegation revoked in mid-run | [`access_that_ends_in_mid_run_leaves_no_unread_cell_complete`] |
//! | clock 10 minutes off | [`a_clock_that_is_ten_minutes_off_stops_nothing`] |
//! | unknown resource type | [`a_type_that_nobody_knows_is_listed`] |
//! | names with every legal character | [`names_with_every_legal_character_arrive_unchanged`] |
//! | 0 assets | [`nothing_is_complete_as_well`] |
//! | 100,000 assets | [`a_hundred_thousand_assets_come_once_each`] |

mod access;
mod bad_days;
mod bounds;
mod gathered;
mod protection;
mod reading;
mod words;

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use access::*;
pub use bad_days::*;
pub use bounds::*;
pub use gathered::Gathered;
pub use protection::*;
pub use reading::*;

use jiff::Timestamp;

use crate::{
    AccessGrant, Address, BackupJob, CloudConnector, CloudLink, CloudStep, JobState, PointState, Purpose, RecoveryPoint, WantedPermission,
};

/// Rows of a page where an obligation needs several pages.
pub const PAGE: usize = 10;
/// File that collects what was skipped, where a run wants to count it.
const SKIPS: &str = "CARETAKER_E2E_SKIPS";

/// What not every cloud, or not every simulator of one, has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// A secret of the grant beside the principal: AWS's ExternalId.
    ExternalId,
    /// Backup objects that the adapter makes.
    Backup,
    /// A role of ours in the account, which we close and strip ourselves.
    OwnRole,
    /// Lists with page tokens.
    PageTokens,
    /// A clock that requests are held against.
    Clock,
    /// A quota of each account's own: on Google Cloud the accounts that one project pays for share its quota.
    OwnQuota,
}

/// Which calls a trouble is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On<'a> {
    /// The list of machines of a place.
    Machines(&'a str),
    /// Every list.
    Lists,
    /// The step of [`Stage::write_step`].
    Write,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The cloud refuses.
    Denied,
    /// The cloud asks to wait for this long.
    Throttled(Duration),
    /// The cloud asks to wait at each second call, and does not say how long or says that it is no time at all.
    EachOtherThrottled,
    /// The cloud answers with a failure of its own.
    Failing,
    /// It is done, and no answer comes, or one that says nothing.
    AnswerLost,
    /// The answer ends in its middle.
    CutOff,
    /// A page names itself as the next one.
    RepeatedToken,
    /// The session has ended.
    SessionEnded,
}

/// Which of the calls go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// Calls that pass before the first goes wrong.
    pub after: u32,
    /// Calls that go wrong; `None` for all.
    pub times: Option<u32>,
}

impl When {
    /// All, from the first one on.
    pub const ALWAYS: Self = Self { after: 0, times: None };
}

/// How an implementation under test is seeded and watched, behind the provider's back.
#[async_trait]
pub trait Stage: Send + Sync {
    /// Name of the cloud.
    fn name(&self) -> &'static str;
    /// What it does not have.
    fn lacks(&self) -> &'static [Capability];
    /// Two regions or locations.
    fn places(&self) -> [&'static str; 2];
    /// Region and service of every cell of a reading of these places.
    fn cells(&self, places: &[&str]) -> BTreeSet<(String, String)>;
    /// Region and service of the cell that shows the machines of a place.
    fn machine_cell(&self, place: &str) -> (String, String);
    /// Calls that the cell of the machines makes before it asks for the machines: on a cloud that keeps a part of them, such as addresses, apart.
    fn calls_before_machines(&self) -> u32 {
        0
    }
    /// The connector under test, with credentials that are the trusted provider's.
    fn connector(&self) -> Arc<dyn CloudConnector>;
    /// A connector of another principal of the same provider: another client's way in, which no account here trusts.
    async fn stranger(&self) -> Arc<dyn CloudConnector>;
    /// The client lets the stranger in, by mistake.
    async fn admit(&self, grant: &AccessGrant);
    /// Makes an account that lets the provider in for these purposes.
    async fn account(&self, purposes: &[Purpose]) -> AccessGrant;
    /// A grant that leads into another account than it names, made from one that is right.
    fn misnamed(&self, grant: &AccessGrant) -> AccessGrant;
    /// Makes machines in a place.
    async fn machines(&self, grant: &AccessGrant, place: &str, count: usize);
    /// Makes two machines: `several`, which runs and has more than one network interface, and `stopped`, which is switched off. The addresses of the
    /// first, those of its first network interface first.
    async fn described(&self, grant: &AccessGrant, place: &str) -> Vec<Address>;
    /// Makes one machine of each name.
    async fn named(&self, grant: &AccessGrant, place: &str, names: &[&str]);
    /// Names in which every kind of character stands that the cloud takes.
    fn legal_names(&self) -> Vec<&'static str>;
    /// Makes one thing of a type that nobody knows; the type.
    async fn unknown_type(&self, grant: &AccessGrant) -> String;
    /// Most rows of a page from now on.
    async fn page_rows(&self, rows: usize);
    /// Makes calls go wrong.
    async fn trouble(&self, grant: &AccessGrant, on: On<'_>, trouble: Trouble, when: When);
    /// Ends all troubles.
    async fn cure(&self);
    /// The client takes our access away.
    async fn revoke(&self, grant: &AccessGrant);
    /// Sets the cloud's clock so many seconds ahead of ours.
    async fn clock(&self, ahead: i64);
    /// The permissions of the manifest for a purpose.
    fn wanted(&self, grant: &AccessGrant, purpose: Purpose) -> Vec<WantedPermission>;
    /// The client takes some of the permissions away that an account for reading and leaving has; which.
    async fn forbid(&self, grant: &AccessGrant) -> BTreeSet<String>;
    /// The client takes away the right to ask about permissions.
    async fn forbid_asking(&self, grant: &AccessGrant);
    /// The purpose and a step that writes something, the same each time.
    fn write_step(&self, grant: &AccessGrant) -> (Purpose, CloudStep);
    /// The steps that remove our own access, in their order.
    fn leaving(&self, grant: &AccessGrant) -> Vec<CloudStep>;
    /// Changes a backup plan's schedule and retention behind our back. Only where [`Capability::Backup`] is had.
    async fn spoil_plan(&self, grant: &AccessGrant, region: &str, id: &str);
    /// A vault holds these points, these jobs were made, and the kinds are left out in the region, all behind our back. The points' and jobs' regions and
    /// vaults are those given.
    async fn plant_recovery(&self, grant: &AccessGrant, points: &[RecoveryPoint], jobs: &[BackupJob], left_out: &[(&str, &str)]);
    /// The client takes one action away that reading or making backups needs.
    async fn forbid_action(&self, grant: &AccessGrant, action: &str);
    /// The states that points and jobs have on this cloud.
    fn recovery_states(&self) -> (&'static [PointState], &'static [JobState]) {
        use PointState::{Creating, Deleting, Expired, Partial, Stopped, Usable};
        (
            &[Usable, Creating, Partial, Stopped, Expired, Deleting],
            &[JobState::UnderWay, JobState::Completed, JobState::Partial, JobState::Failed, JobState::Aborted, JobState::Expired],
        )
    }
    /// The point of a thing with a number, in this cloud's words, made then.
    fn point(&self, grant: &AccessGrant, place: &str, number: usize, of: (PointState, Timestamp)) -> RecoveryPoint {
        words::point(grant.account(), place, number, of)
    }
    /// A job with a number, in this cloud's words, made then; one that is not under way ended an hour later.
    fn job(&self, grant: &AccessGrant, place: &str, number: usize, of: (JobState, Timestamp)) -> BackupJob {
        words::job(grant.account(), place, number, of)
    }
    /// The actions without which points and jobs cannot be read.
    fn recovery_actions(&self) -> &'static [&'static str] {
        &["backup:ListRecoveryPointsByBackupVault", "backup:ListBackupJobs", "backup:DescribeRegionSettings"]
    }
    /// Number of calls so far that change something in the cloud.
    async fn writes(&self) -> usize;
}

/// Makes one test of each obligation. `$stage` is an expression of a new stage; it may await. It ends with [`Stage`]'s own end, so that a stage can have
/// judged what was said when it is dropped.
#[macro_export]
macro_rules! behaviour_suite {
    ($stage:expr) => {
        $crate::behaviour_suite! { @each $stage;
            the_right_secret_and_no_other_lets_in []
            another_clients_principal_is_let_in_only_by_a_mistake_of_the_client []
            a_grant_with_another_external_id_shares_no_session [ExternalId]
            a_session_in_another_account_is_refused []
            permissions_say_what_is_missing []
            permissions_that_may_not_be_asked_are_unknown []
            a_session_does_what_it_is_for_and_no_more []
            leaving_ends_in_a_refusal []
            the_last_permission_outlives_the_others [OwnRole]
            discover_reports_every_cell_once_and_writes_nothing []
            a_denied_cell_loses_no_other []
            one_refused_account_of_many_stops_no_other []
            a_wait_that_is_asked_for_is_told []
            half_of_all_calls_throttled_lose_and_double_nothing []
            a_storm_of_failures_is_over_without_a_restart []
            a_failure_on_a_later_page_is_partial []
            a_write_whose_answer_is_lost_is_not_done_twice []
            a_page_that_is_cut_off_is_partial [PageTokens]
            a_repeated_page_token_is_partial [PageTokens]
            an_expired_session_is_renewed_while_reading []
            access_that_ends_in_mid_run_leaves_no_unread_cell_complete []
            a_clock_that_is_ten_minutes_off_stops_nothing [Clock]
            a_machine_comes_with_its_power_state_and_its_addresses []
            a_machine_with_several_network_interfaces_comes_with_the_addresses_of_all []
            a_type_that_nobody_knows_is_listed []
            names_with_every_legal_character_arrive_unchanged []
            nothing_is_complete_as_well []
            a_hundred_thousand_assets_come_once_each []
            performing_twice_changes_nothing_more [Backup]
            drift_is_put_back [Backup]
            a_selection_is_replaced [Backup]
            an_answer_that_did_not_come_is_an_error [Backup]
            every_point_and_every_job_comes_once_over_all_pages []
            a_kind_that_is_left_out_is_told [Backup]
            points_that_may_not_be_read_are_an_error []
            a_restore_test_is_made_once_and_put_back [Backup]
        }
    };
    (@each $stage:expr; $($name:ident [$($needs:ident)*])+) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let stage = $stage;
            if $crate::suite::can(&stage, stringify!($name), &[$($crate::suite::Capability::$needs),*]) {
                $crate::suite::$name(&stage).await;
            }
        }
    )+};
}

/// Whether a stage has all that an obligation needs. What it cannot do is named, and counted by a run that counts.
///
/// # Panics
/// The file that counts cannot be written.
pub fn can(stage: &dyn Stage, obligation: &str, needs: &[Capability]) -> bool {
    let Some(lacking) = needs.iter().find(|need| stage.lacks().contains(need)) else { return true };
    let note = format!("{obligation} on {}: it has no {lacking:?}", stage.name());
    println!("skipped {note}");
    if let Some(file) = std::env::var_os(SKIPS) {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).expect("the list of what is skipped");
        writeln!(file, "{note}").expect("the list of what is skipped");
    }
    false
}

async fn link(stage: &dyn Stage, grant: &AccessGrant, purpose: Purpose) -> Arc<dyn CloudLink> {
    stage.connector().connect(grant, purpose).await.expect("the client lets us in")
}
