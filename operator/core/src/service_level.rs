//! Service levels: what a month came to, from measurements that are kept. Everything is exact: whole seconds, whole numbers, no floating point.
//!
//! Source of the formulas: `100 × (W − E − D) / (W − E)`, where W is the agreed time, E what is excluded and D what was down. Time of which nothing is known
//! is neither up nor down: it gives a best and a worst case.

pub mod credit;
pub mod day;
pub mod figure;
pub mod month;
pub mod percent;
pub mod place;
pub mod report;
pub mod spans;
pub mod terms;

#[cfg(test)]
mod tests;

pub use day::{RawDay, RawSeries, Sampled};
pub use figure::{Figure, States, combine};
pub use month::{Month, days, start_of_day};
pub use percent::Percent;
pub use place::LevelsPlace;
pub use report::{Inputs, Report, report};
pub use spans::{Span, Spans};
pub use terms::{Version, faults};
