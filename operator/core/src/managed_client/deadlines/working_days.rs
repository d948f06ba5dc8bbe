//! Days on which work is done: which those are is not in any zone's data.

use jiff::civil::Date;

use super::plus;

/// A day that many working days after another. Saturdays, Sundays and `holidays` are left out.
pub(super) fn working_days_after(mut day: Date, mut days: u32, holidays: &[Date]) -> Date {
    while days > 0 {
        day = plus(day, 1);
        days -= u32::from(day.weekday().to_monday_one_offset() <= 5 && !holidays.contains(&day));
    }
    day
}
