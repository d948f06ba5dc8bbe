//! States of one or several targets, and the figure that they give.

use caretaker_api::service_level::UpWhen;
use caretaker_api::service_report::LevelVerdict;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

use super::percent::{Percent, Share};
use super::spans::{Span, Spans, union};

/// What is known of a service in a time. Up and down are disjoint and within what was to be measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct States {
    /// When it was to be measured.
    pub measured: Spans,
    /// When it was up.
    pub up: Spans,
    /// When it was down.
    pub down: Spans,
}

impl States {
    /// The part of it within a span.
    #[must_use]
    pub fn within(&self, span: Span) -> Self {
        let span = Spans::of(span.0, span.1);
        Self { measured: self.measured.and(&span), up: self.up.and(&span), down: self.down.and(&span) }
    }

    /// When nothing is known of it.
    #[must_use]
    pub fn unknown(&self) -> Spans {
        self.measured.without(&self.up).without(&self.down)
    }
}

/// The states of a service of several targets. What is not measured at a moment does not count at that moment.
#[must_use]
pub fn combine(targets: &[States], when: UpWhen) -> States {
    let measured = union(targets.iter().map(|target| &target.measured));
    let unknown = union(&targets.iter().map(States::unknown).collect::<Vec<_>>());
    match when {
        UpWhen::AllTargets => {
            let down = union(targets.iter().map(|target| &target.down));
            let up = measured.without(&down).without(&unknown);
            States { measured, up, down }
        }
        UpWhen::AnyTarget => {
            let up = union(targets.iter().map(|target| &target.up));
            let down = measured.without(&up).without(&unknown);
            States { measured, up, down }
        }
    }
}

/// Seconds of a period, by what they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Figure {
    /// All of the period.
    pub period_seconds: i64,
    /// Not measured, such as before the first probe.
    pub unmeasured_seconds: i64,
    /// Measured and excluded.
    pub excluded_seconds: i64,
    /// The denominator: measured and not excluded.
    pub counted_seconds: i64,
    /// Up.
    pub up_seconds: i64,
    /// Down.
    pub down_seconds: i64,
    /// Neither known to be up nor down.
    pub unknown_seconds: i64,
}

impl Figure {
    /// The figure of a period.
    #[must_use]
    pub fn of(states: &States, period: Span, excluded: &Spans) -> Self {
        let states = states.within(period);
        let counted = states.measured.without(excluded);
        let (up, down) = (states.up.without(excluded).seconds(), states.down.without(excluded).seconds());
        Self {
            period_seconds: period.seconds(),
            unmeasured_seconds: period.seconds() - states.measured.seconds(),
            excluded_seconds: states.measured.seconds() - counted.seconds(),
            counted_seconds: counted.seconds(),
            up_seconds: up,
            down_seconds: down,
            unknown_seconds: counted.seconds() - up - down,
        }
    }

    /// The share that was up if all time that is not known was down.
    #[must_use]
    pub fn worst(&self) -> Share {
        Share { good: self.up_seconds, of: self.counted_seconds }
    }

    /// The share that was up if all time that is not known was up.
    #[must_use]
    pub fn best(&self) -> Share {
        Share { good: self.up_seconds + self.unknown_seconds, of: self.counted_seconds }
    }

    /// What it says of a target.
    #[must_use]
    pub fn verdict(&self, target: Percent) -> LevelVerdict {
        match (target.compare_share(self.worst()), target.compare_share(self.best())) {
            (None, _) | (_, None) => LevelVerdict::Undefined,
            (Some(Ordering::Equal | Ordering::Greater), _) => LevelVerdict::Met,
            (_, Some(Ordering::Less)) => LevelVerdict::Missed,
            _ => LevelVerdict::Undetermined,
        }
    }
}
