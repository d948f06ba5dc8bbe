//! When a client's units are counted, from which inventories, and what the status tells of them.

use caretaker_api::billing::{BilledMonth, BillingStatus, BillingTerms, UnitStatus};
use caretaker_api::condition::ConditionType;
use caretaker_api::{CloudAccount, ManagedClient};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::count::{CountedAccount, DayUnits, UnitCount};
use crate::conditions::is_true_at;
use crate::contract::is_assessment;
use crate::digest::json_digest;
use crate::managed_client::{Observed, Wanted, accounts};
use crate::service_level::Month;
use crate::zone::zone;

/// Least time between two counts of one day where the first was complete. One that was not is made again as soon as an account tells something else, which
/// wakes the client: nothing else would before the hour is over.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// Age at which an inventory says nothing of a day any more, however seldom it is read.
const STALE: SignedDuration = SignedDuration::from_hours(24);
/// Months that the status shows.
const SHOWN: usize = 3;

/// What is to be counted now, and fixed.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// The terms.
    pub terms: BillingTerms,
    /// The day, in their zone.
    pub day: String,
    /// The month that lasts.
    pub present: Month,
    /// Whether the day is counted.
    pub counts: bool,
    /// Whether it is looked for months to be fixed.
    pub fixes: bool,
    /// Digest of what is counted.
    pub basis: String,
    /// The accounts, sorted, each with what is wrong with its inventory as a whole.
    pub accounts: Vec<(CloudAccount, Option<String>)>,
    /// Accounts and parents of which nothing is known yet, and why: none of their assets can be counted.
    pub unknown: Vec<(String, String)>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counted {
    /// The record of the day, with its address.
    pub day: Option<(DayUnits, String)>,
    /// Months that were fixed, in order.
    pub months: Vec<BilledMonth>,
    /// Whether every month that is over is fixed.
    pub has_fixed: bool,
    /// Why it could not be counted or kept.
    pub problem: Option<String>,
}

/// What is due now. Nothing is counted before the contract, without terms, or once the exit has come to its end.
#[must_use]
pub fn due(client: &ManagedClient, observed: &Observed, now: Timestamp) -> Option<Due> {
    let terms = client.spec.billing.clone()?;
    let has_left = observed.ending.is_some() || client.status.as_ref().is_some_and(|status| status.handed_over_by.is_some());
    let zone = zone(&terms.zone).ok().filter(|_| !is_assessment(&client.spec) && !has_left)?;
    let last = client.status.as_ref().and_then(|status| status.billing.clone()).unwrap_or_default();
    let wanted = accounts(client, observed);
    let is_live = |account: &&CloudAccount| wanted.iter().any(|wanted| wanted.name == account.name_any() && wanted.is_live_account());
    let mut found: Vec<(CloudAccount, Option<String>)> =
        observed.accounts.iter().filter(is_live).map(|account| (account.clone(), wrong(account, now))).collect();
    found.sort_by_key(|(account, _)| account.name_any());
    let unknown: Vec<(String, String)> = wanted.iter().filter_map(|wanted| unknown(wanted, observed)).collect();
    let of = |(account, wrong): &(CloudAccount, Option<String>)| (account.name_any(), counted(account).digest, wrong.is_some());
    let agreed = json_digest(&terms);
    let basis = format!("{agreed}/{}", json_digest(&(found.iter().map(of).collect::<Vec<_>>(), &unknown)));
    let (day, present) = (now.to_zoned(zone.clone()).date().to_string(), Month::at(now, &zone));
    let is_early =
        last.complete && last.basis.starts_with(&agreed) && last.counted_at.as_ref().is_some_and(|at| now.duration_since(at.0) < AGAIN);
    let counts = last.day != day || last.basis != basis && !is_early || !last.problem.is_empty();
    let fixes = last.fixed_before < present.text();
    (counts || fixes).then_some(Due { terms, day, present, counts, fixes, basis, accounts: found, unknown })
}

/// Why nothing is known of what an account or the accounts of a parent hold.
fn unknown(wanted: &Wanted<'_>, observed: &Observed) -> Option<(String, String)> {
    let object = observed.accounts.iter().find(|account| account.name_any() == wanted.name);
    let is_listed = |account: &CloudAccount| {
        let conditions = account.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        is_true_at(conditions, ConditionType::MembersListed, account.metadata.generation)
    };
    let why = match object {
        _ if !wanted.target.is_parent() && !wanted.is_live_account() => return None,
        None => "it was not looked at yet",
        Some(parent) if wanted.target.is_parent() && !is_listed(parent) => "its accounts are not listed",
        Some(_) => return None,
    };
    Some((wanted.name.clone(), why.into()))
}

/// The account as a record tells it.
#[must_use]
pub fn counted(account: &CloudAccount) -> CountedAccount {
    let inventory = account.status.as_ref().and_then(|status| status.inventory.clone()).unwrap_or_default();
    CountedAccount {
        account: account.name_any(),
        id: account.spec.target.id(),
        digest: inventory.digest,
        taken_at: inventory.taken_at.map(|at| at.0),
        coverage: inventory.coverage.text,
    }
}

/// What is wrong with the inventory of an account as a whole.
fn wrong(account: &CloudAccount, now: Timestamp) -> Option<String> {
    let Some(inventory) = account.status.as_ref().and_then(|status| status.inventory.as_ref()) else {
        return Some("its inventory was not read yet".into());
    };
    let between = SignedDuration::from_mins(2 * i64::from(account.spec.discovery_interval_minutes));
    let taken = inventory.taken_at.as_ref()?.0;
    (now.duration_since(taken) > between.max(STALE))
        .then(|| format!("its last inventory is of {taken}: see its conditions for why none was read since"))
}

/// The status. A count that was not made leaves the numbers of the one before.
#[must_use]
pub fn settle(client: &ManagedClient, counted: Option<&(Due, Counted)>) -> Option<BillingStatus> {
    client.spec.billing.as_ref()?;
    let last = client.status.as_ref().and_then(|status| status.billing.clone());
    let Some((due, counted)) = counted else { return last };
    let mut status = last.unwrap_or_default();
    status.problem = counted.problem.clone().unwrap_or_default();
    if let Some((day, _)) = &counted.day {
        status.basis.clone_from(&due.basis);
        // The better count of a day stays.
        if status.day != day.day || day.complete || !status.complete {
            tell(&mut status, day);
        }
    }
    for month in &counted.months {
        status.months.retain(|known| known.month != month.month);
        status.months.push(month.clone());
    }
    status.months.sort_by(|one, other| other.month.cmp(&one.month));
    status.months.truncate(SHOWN);
    if counted.has_fixed {
        status.fixed_before = due.present.text();
    }
    Some(status)
}

fn tell(status: &mut BillingStatus, day: &DayUnits) {
    status.day.clone_from(&day.day);
    status.counted_at = Timestamp::from_second(day.counted_at.as_second()).ok().map(Time);
    status.complete = day.complete;
    status.cause = day.units.iter().find(|unit| !unit.complete).map(|unit| unit.cause.clone()).unwrap_or_default();
    status.units = status_units(&day.units);
    status.unbilled = day.unbilled.values().sum();
    status.never_billed = day.never_billed.values().sum();
}

/// Units as a status tells them.
#[must_use]
pub fn status_units(of: &[UnitCount]) -> Vec<UnitStatus> {
    let unit = |unit: &UnitCount| UnitStatus {
        name: unit.name.clone(),
        model: unit.model,
        count: unit.count,
        assets: unit.assets,
        complete: unit.complete,
    };
    of.iter().map(unit).collect()
}
