//! From the days of a month that is over to its one record.

use std::collections::{BTreeMap, BTreeSet};

use caretaker_api::billing::MonthState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::FORMAT;
use super::count::DayUnits;
use crate::service_level::Month;

/// What one day of a month came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayRow {
    /// The day.
    pub day: String,
    /// Whether all that matters was read.
    pub complete: bool,
    /// Units by name.
    pub counts: BTreeMap<String, u64>,
}

/// The most units of a name on any complete day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peak {
    /// The first such day.
    pub day: String,
    /// The number.
    pub count: u64,
}

/// The units of a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MonthUnits {
    /// Form.
    pub format: String,
    /// The month.
    pub month: String,
    /// How its units stand.
    pub state: MonthState,
    /// When the record was made.
    pub fixed_at: Timestamp,
    /// Days that the month has.
    pub days_of_month: u32,
    /// What is billed: the last day on which all that matters was read, or the last day that was counted where there is none such.
    pub billed: DayUnits,
    /// The most units of each name on a complete day, for contracts that bill those.
    pub highest: BTreeMap<String, Peak>,
    /// Every day that was counted.
    pub days: Vec<DayRow>,
}

/// The months that are over, have days and have no record yet, in order. `days` and `months` are the names of what is in the store.
#[must_use]
pub fn to_close(days: &BTreeSet<String>, months: &BTreeSet<String>, present: Month) -> Vec<Month> {
    let with_days: BTreeSet<Month> = days.iter().filter_map(|day| Month::parse(day.get(..7)?)).collect();
    with_days.into_iter().filter(|month| *month < present && !months.contains(&month.text())).collect()
}

/// The record of a month from its days, in order; `None` where there are none.
#[must_use]
pub fn close(month: Month, days: &[DayUnits], now: Timestamp) -> Option<MonthUnits> {
    let complete = days.iter().rfind(|day| day.complete);
    let billed = complete.or(days.last())?.clone();
    let counts = |day: &DayUnits| day.units.iter().filter_map(|unit| Some((unit.name.clone(), unit.count?))).collect::<BTreeMap<_, _>>();
    let mut highest: BTreeMap<String, Peak> = BTreeMap::new();
    for day in days.iter().filter(|day| day.complete) {
        for (name, count) in counts(day) {
            if highest.get(&name).is_none_or(|peak| peak.count < count) {
                highest.insert(name, Peak { day: day.day.clone(), count });
            }
        }
    }
    Some(MonthUnits {
        format: FORMAT.into(),
        month: month.text(),
        state: if complete.is_some() { MonthState::Final } else { MonthState::NotFinal },
        fixed_at: now,
        days_of_month: u32::try_from(month.dates().count()).unwrap_or(u32::MAX),
        billed,
        highest,
        days: days.iter().map(|day| DayRow { day: day.day.clone(), complete: day.complete, counts: counts(day) }).collect(),
    })
}
