//! Percentages as decimal text and shares of time, compared exactly.

use std::cmp::Ordering;

/// Decimals that a percentage may have.
const DECIMALS: u32 = 6;
/// Parts of one percent.
const PARTS: i128 = 10_i128.pow(DECIMALS);
/// Decimals with which a share is told.
const TOLD: usize = 5;

/// A percentage with at most six decimals, as a whole number of millionths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(i128);

impl Percent {
    /// All of it.
    pub const WHOLE: Self = Self(100 * PARTS);
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Reads decimal text such as `99.95`; `None` for everything that is not a percentage from 0 to 100 with at most six decimals.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').map_or((text, "0"), |parts| parts);
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(decimals) || whole.len() > 3 || decimals.len() > DECIMALS as usize {
            return None;
        }
        let parts: i128 = format!("{decimals:0<width$}", width = DECIMALS as usize).parse().ok()?;
        let percent = Self(whole.parse::<i128>().ok()? * PARTS + parts);
        (percent <= Self::WHOLE).then_some(percent)
    }

    /// How a share of time compares with this percentage. There is no share of no time.
    #[must_use]
    pub fn compare_share(self, share: Share) -> Option<Ordering> {
        (share.of > 0).then(|| (i128::from(share.good) * 100 * PARTS).cmp(&(self.0 * i128::from(share.of))))
    }

    /// A share of this percentage, rounded down to a millionth of a percent.
    #[must_use]
    pub fn times(self, share: Share) -> Self {
        if share.of == 0 { Self::ZERO } else { Self(self.0 * i128::from(share.good) / i128::from(share.of)) }
    }

    /// The sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// As decimal text without needless zeros.
    #[must_use]
    pub fn text(self) -> String {
        let text = format!("{}.{:0width$}", self.0 / PARTS, self.0 % PARTS, width = DECIMALS as usize);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// So many seconds of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Seconds that are up.
    pub good: i64,
    /// All seconds that count.
    pub of: i64,
}

impl Share {
    /// In percent with five decimals, rounded down: 99.9 is never told of what is below it. `None` where there is no time.
    #[must_use]
    pub fn text(self) -> Option<String> {
        if self.of <= 0 {
            return None;
        }
        let scale = 10_i128.pow(TOLD as u32);
        let scaled = i128::from(self.good) * 100 * scale / i128::from(self.of);
        Some(format!("{}.{:0TOLD$}", scaled / scale, scaled % scale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_read_exactly_or_not_at_all() {
        let cases = [
            ("99.9", Some("99.9")),
            ("100", Some("100")),
            ("100.000000", Some("100")),
            ("0", Some("0")),
            ("99.999999", Some("99.999999")),
            ("99.9999999", None),
            ("100.000001", None),
            ("-1", None),
            ("+5", None),
            ("", None),
            (".5", None),
            ("5.", None),
            ("1e2", None),
            ("99,9", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Percent::parse(text).map(Percent::text).as_deref(), expected, "{text}");
        }
    }

    /// 99.9 % of 30 days leave 43 min 12 s, of 31 days 44 min 38.4 s, and 99.95 % of 30 days 21 min 36 s.
    #[test]
    fn the_edge_of_a_target_is_met_and_one_second_beyond_it_is_not() {
        let cases = [("99.9", 30, 43 * 60 + 12, true), ("99.9", 31, 44 * 60 + 38, false), ("99.95", 30, 21 * 60 + 36, true)];
        for (target, days, down, is_exact) in cases {
            let (target, of) = (Percent::parse(target).unwrap(), days * 86_400);
            let at = |down| target.compare_share(Share { good: of - down, of }).unwrap();
            assert_eq!(at(down), if is_exact { Ordering::Equal } else { Ordering::Greater }, "{days} days");
            assert_eq!(at(down + 1), Ordering::Less, "{days} days");
        }
        assert_eq!(Percent::parse("0").unwrap().compare_share(Share { good: 0, of: 0 }), None, "no time has no share");
    }

    #[test]
    fn a_share_is_told_rounded_down() {
        let told = |good, of| Share { good, of }.text();
        assert_eq!(told(99_899_999, 100_000_000).as_deref(), Some("99.89999"));
        assert_eq!((told(1, 3).as_deref(), told(5, 5).as_deref(), told(0, 0)), (Some("33.33333"), Some("100.00000"), None));
    }
}
