//! Sets of seconds: sorted, half-open, disjoint spans of seconds since 1970.

use serde::{Deserialize, Serialize};

/// From a second, inclusive, to a second, exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span(pub i64, pub i64);

impl Span {
    /// Number of seconds.
    #[must_use]
    pub fn seconds(self) -> i64 {
        (self.1 - self.0).max(0)
    }
}

/// A set of seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Span>")]
pub struct Spans(Vec<Span>);

impl From<Vec<Span>> for Spans {
    fn from(spans: Vec<Span>) -> Self {
        spans.into_iter().collect()
    }
}

/// Spans in any order, which may overlap or touch; empty ones are dropped.
impl FromIterator<Span> for Spans {
    fn from_iter<I: IntoIterator<Item = Span>>(spans: I) -> Self {
        let mut all: Vec<Span> = spans.into_iter().filter(|span| span.0 < span.1).collect();
        all.sort_unstable();
        let mut merged: Vec<Span> = Vec::with_capacity(all.len());
        for span in all {
            match merged.last_mut() {
                Some(last) if span.0 <= last.1 => last.1 = last.1.max(span.1),
                _ => merged.push(span),
            }
        }
        Self(merged)
    }
}

impl Spans {
    /// One span.
    #[must_use]
    pub fn of(from: i64, to: i64) -> Self {
        [Span(from, to)].into_iter().collect()
    }

    /// Whether there is no second in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The spans, sorted.
    #[must_use]
    pub fn list(&self) -> &[Span] {
        &self.0
    }

    /// Number of seconds.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        self.0.iter().map(|span| span.seconds()).sum()
    }

    /// What is in one of both.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        self.0.iter().chain(&other.0).copied().collect()
    }

    /// What is in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let (mut left, mut right, mut both) = (0, 0, Vec::new());
        while let (Some(one), Some(two)) = (self.0.get(left), other.0.get(right)) {
            let shared = Span(one.0.max(two.0), one.1.min(two.1));
            if shared.0 < shared.1 {
                both.push(shared);
            }
            if one.1 <= two.1 {
                left += 1;
            } else {
                right += 1;
            }
        }
        Self(both)
    }

    /// What is in this one and not in the other.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let (mut rest, mut right) = (Vec::new(), 0);
        for span in &self.0 {
            let mut from = span.0;
            while other.0.get(right).is_some_and(|cut| cut.1 <= from) {
                right += 1;
            }
            let mut at = right;
            while let Some(cut) = other.0.get(at).filter(|cut| cut.0 < span.1) {
                if from < cut.0 {
                    rest.push(Span(from, cut.0));
                }
                from = from.max(cut.1);
                at += 1;
            }
            if from < span.1 {
                rest.push(Span(from, span.1));
            }
        }
        Self(rest)
    }
}

/// What is in any of them.
pub fn union<'a>(sets: impl IntoIterator<Item = &'a Spans>) -> Spans {
    sets.into_iter().flat_map(|set| set.0.iter().copied()).collect()
}
