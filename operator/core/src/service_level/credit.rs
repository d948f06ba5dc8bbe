//! Credits: what may be claimed. A claim draft, not a payment.

use caretaker_api::service_level::{CreditTerms, CreditTier};
use jiff::Timestamp;
use jiff::ToSpan;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

use super::percent::{Percent, Share};

/// What every claim says.
pub const REMEDY: &str = "A credit is a remedy, not compensation: it does not make good what an outage has cost.";

/// A draft of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Share of the month's fee in percent that is due for certain: if all time that is not known was up.
    pub percent: String,
    /// The same if all time that is not known was down.
    pub percent_at_worst: String,
    /// Most that is credited in a month, in percent.
    pub cap_percent: String,
    /// Last day on which it can be claimed, in the time zone of the terms.
    pub claim_until: String,
    /// By which objectives.
    pub lines: Vec<Line>,
    /// What a credit is.
    pub note: String,
}

/// What one objective gives in one segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The objective.
    pub objective: String,
    /// Its segment, from 1.
    pub segment: usize,
    /// Share of the month's fee in percent, if all time that is not known was up.
    pub percent: String,
    /// The same if it was down.
    pub percent_at_worst: String,
}

/// The highest tier that a share falls below; nothing where there is no share.
#[must_use]
pub fn tier(tiers: &[CreditTier], share: Share) -> Percent {
    let is_due = |tier: &&CreditTier| Percent::parse(&tier.below).and_then(|below| below.compare_share(share)) == Some(Ordering::Less);
    tiers.iter().filter(is_due).filter_map(|tier| Percent::parse(&tier.percent)).max().unwrap_or(Percent::ZERO)
}

/// A segment as the claim needs it.
pub struct Segment<'a> {
    /// The objective.
    pub objective: &'a str,
    /// Its number among those of its objective, from 1.
    pub number: usize,
    /// Its tiers.
    pub tiers: &'a [CreditTier],
    /// Part of the month.
    pub part: Share,
    /// Share of its time that was up at best and at worst.
    pub shares: (Share, Share),
}

/// The draft. A segment that is a part of the month gives that part of its tier.
#[must_use]
pub fn claim(terms: &CreditTerms, segments: &[Segment<'_>], end: Timestamp, zone: &TimeZone) -> Claim {
    let cap = Percent::parse(&terms.cap_percent).unwrap_or(Percent::WHOLE);
    let (mut best, mut worst, mut lines) = (Percent::ZERO, Percent::ZERO, Vec::new());
    for segment in segments {
        let due = |share| tier(segment.tiers, share).times(segment.part);
        let (at_best, at_worst) = (due(segment.shares.0), due(segment.shares.1));
        (best, worst) = (best.plus(at_best), worst.plus(at_worst));
        if at_worst > Percent::ZERO {
            let (percent, percent_at_worst) = (at_best.text(), at_worst.text());
            lines.push(Line { objective: segment.objective.into(), segment: segment.number, percent, percent_at_worst });
        }
    }
    // The first day of the next month is the first of the days within which it must be claimed.
    let until = end.to_zoned(zone.clone()).date().saturating_add(i64::from(terms.claim_within_days).saturating_sub(1).days());
    Claim {
        percent: best.min(cap).text(),
        percent_at_worst: worst.min(cap).text(),
        cap_percent: cap.text(),
        claim_until: until.to_string(),
        lines,
        note: REMEDY.into(),
    }
}
