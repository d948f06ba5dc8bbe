//! Months and days in a time zone, as seconds since 1970.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::spans::Span;

/// A month of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(Date);

impl Month {
    /// Reads text such as `2026-11`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        (year.len() == 4 && month.len() == 2).then_some(())?;
        Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok().map(Self)
    }

    /// The month in which a moment lies.
    #[must_use]
    pub fn at(now: Timestamp, zone: &TimeZone) -> Self {
        Self(now.to_zoned(zone.clone()).date().first_of_month())
    }

    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1.month()))
    }

    /// As text such as `2026-11`.
    #[must_use]
    pub fn text(self) -> String {
        format!("{:04}-{:02}", self.0.year(), self.0.month())
    }

    /// From its first second to the first of the next month. A month begins with the first second that its zone counts to its first day: where midnight
    /// comes twice with the first, where it does not come with the first second after the gap. So months abut.
    #[must_use]
    pub fn span(self, zone: &TimeZone) -> Span {
        Span(start_of_day(self.0, zone), start_of_day(self.next().0, zone))
    }

    /// Its days.
    pub(crate) fn dates(self) -> impl Iterator<Item = Date> {
        (0..i64::from(self.0.days_in_month())).map(move |day| self.0.saturating_add(day.days()))
    }
}

/// The first second of a day.
#[must_use]
pub fn start_of_day(date: Date, zone: &TimeZone) -> i64 {
    date.to_zoned(zone.clone()).map_or_else(
        |_| date.in_tz("UTC").map_or(0, |utc| utc.timestamp().as_second()),
        |day| day.start_of_day().unwrap_or(day).timestamp().as_second(),
    )
}

/// The UTC days that a span touches.
#[must_use]
pub fn days(span: Span) -> Vec<Date> {
    let date = |second: i64| Timestamp::from_second(second).unwrap_or_default().to_zoned(TimeZone::UTC).date();
    let (mut day, last) = (date(span.0), date((span.1 - 1).max(span.0)));
    let mut days = Vec::new();
    while day <= last {
        days.push(day);
        day = day.saturating_add(1.day());
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_have_the_seconds_that_their_zone_gives_them_and_abut() {
        let cases = [
            ("the clock goes forward", "Europe/Zurich", "2026-03", 743 * 3600),
            ("the clock goes back", "Europe/Zurich", "2026-10", 745 * 3600),
            ("half an hour back", "Australia/Lord_Howe", "2026-04", 720 * 3600 + 1800),
            ("thirty days", "UTC", "2026-11", 720 * 3600),
            ("a leap year", "Asia/Kathmandu", "2028-02", 29 * 86_400),
            ("Havana's midnight of the first comes twice: both hours are the first's", "America/Havana", "2026-11", 721 * 3600),
            ("and the month before ends with the first of them", "America/Havana", "2026-10", 744 * 3600),
            ("a day that never was: Samoa left out 30 December", "Pacific/Apia", "2011-12", 30 * 86_400),
        ];
        for (reason, zone, month, seconds) in cases {
            let (zone, month) = (TimeZone::get(zone).unwrap(), Month::parse(month).unwrap());
            let span = month.span(&zone);
            assert_eq!(span.seconds(), seconds, "{reason}");
            assert_eq!(span.1, month.next().span(&zone).0, "{reason}: months abut");
            let inside = |second| Month::at(Timestamp::from_second(second).unwrap(), &zone);
            assert_eq!((inside(span.0), inside(span.1 - 1), inside(span.1)), (month, month, month.next()), "{reason}");
        }
    }

    #[test]
    fn the_days_of_a_span_are_those_that_it_touches() {
        let zone = TimeZone::get("Europe/Zurich").unwrap();
        let touched = days(Month::parse("2026-11").unwrap().span(&zone));
        assert_eq!(
            (touched[0].to_string(), touched.last().unwrap().to_string(), touched.len()),
            ("2026-10-31".into(), "2026-11-30".into(), 31)
        );
        assert_eq!(days(Span(0, 86_400)).len(), 1, "the end is exclusive");
    }

    #[test]
    fn a_month_is_read_whole_or_not_at_all() {
        assert_eq!(Month::parse("2026-11").map(Month::text).as_deref(), Some("2026-11"));
        for text in ["2026-13", "2026-1", "26-11", "2026", "2026-11-01", ""] {
            assert_eq!(Month::parse(text), None, "{text}");
        }
    }
}
