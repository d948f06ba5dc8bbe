//! One key's budget as a machine without a clock: when the next call may start, and what an answer changes. Pure.

use std::time::{Duration, Instant};

/// Part of the concurrency, and of the rate, that is left after a call was throttled.
const CUT: f64 = 0.5;
const RATE_CUT: f64 = 0.7;
/// Part of the full rate that one good answer gives back, and the part that is never taken away.
const RATE_STEP: f64 = 0.005;
const RATE_FLOOR: f64 = 0.25;
/// First and longest pause after a throttled call whose answer names no wait; doubled for each that follows.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// Longest wait that is obeyed: what asks for more, such as a proxy that answers for a cloud, is asked again after a day.
const LONGEST_HOLD: Duration = Duration::from_secs(24 * 3600);

/// What may be asked of a cloud under one key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Calls a second at most; more than 0.
    pub per_second: f64,
    /// Calls that may start at once after a quiet time; at least 1. With 2 or more a timer that is late is made up for.
    pub burst: u32,
    /// Calls at the same time at most; at least 1.
    pub concurrency: u32,
}

/// When the next call may start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// Now.
    Now,
    /// Not before this time.
    At(Instant),
    /// When a call that is under way has ended.
    AfterAnother,
}

/// What came of a call, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An answer, whatever it says.
    Came,
    /// The cloud asked to wait, for this long where it said so.
    Throttled(Option<Duration>),
    /// None: it says nothing about the budget.
    None,
}

/// The budget of one key.
#[derive(Debug)]
pub struct Lane {
    limits: Limits,
    rate: f64,
    tokens: f64,
    filled: Instant,
    concurrency: f64,
    in_flight: u32,
    cut: Option<Instant>,
    throttled_in_a_row: u32,
    held_until: Option<Instant>,
    // The time of all waits that are over or were made longer, and since when the one that stands does.
    held_before: Duration,
    held_since: Option<Instant>,
}

impl Lane {
    /// A full budget.
    pub fn new(limits: Limits, now: Instant) -> Self {
        let limits = sound(limits);
        Self {
            limits,
            rate: limits.per_second,
            tokens: f64::from(limits.burst),
            filled: now,
            concurrency: f64::from(limits.concurrency),
            in_flight: 0,
            cut: None,
            throttled_in_a_row: 0,
            held_until: None,
            held_before: Duration::ZERO,
            held_since: None,
        }
    }

    /// Puts other limits in force. A wait stays.
    pub fn set_limits(&mut self, limits: Limits, now: Instant) {
        let limits = sound(limits);
        if limits != self.limits {
            let Self { in_flight, held_until, held_before, held_since, .. } = *self;
            *self = Self { in_flight, held_until, held_before, held_since, ..Self::new(limits, now) };
        }
    }

    /// Calls that may be made at the same time: never less than one.
    pub fn concurrency(&self) -> u32 {
        // The limits are whole numbers of u32, so this is as well.
        (self.concurrency.floor() as u32).max(1)
    }

    /// Calls under way.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// What is left of a wait that the cloud asked for.
    pub fn held(&self, now: Instant) -> Option<Duration> {
        self.held_until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// How long calls were held back so far, all waits together.
    pub fn held_in_all(&self, now: Instant) -> Duration {
        let end = self.held_until.map_or(now, |until| until.min(now));
        self.held_before + self.held_since.map(|since| end.saturating_duration_since(since)).unwrap_or_default()
    }

    /// Holds every call back for this long; a longer wait that stands already stays.
    pub fn hold(&mut self, wait: Duration, now: Instant) {
        let Some(until) = now.checked_add(wait.min(LONGEST_HOLD)) else { return };
        if self.held_until.is_none_or(|held| held < until) {
            (self.held_before, self.held_since) = (self.held_in_all(now), Some(now));
            self.held_until = Some(until);
            // After a wait it begins with one call, not with a burst.
            (self.tokens, self.filled) = (1.0, until);
        }
    }

    /// When the next call may start.
    pub fn next(&mut self, now: Instant) -> Next {
        if let Some(until) = self.held_until.filter(|until| *until > now) {
            return Next::At(until);
        }
        if self.in_flight >= self.concurrency() {
            return Next::AfterAnother;
        }
        self.refill(now);
        // What is missing by rounding is not waited for.
        if self.tokens >= 1.0 - 1e-6 { Next::Now } else { Next::At(now + Duration::from_secs_f64((1.0 - self.tokens) / self.rate)) }
    }

    fn refill(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + since * self.rate).min(f64::from(self.limits.burst));
        self.filled = self.filled.max(now);
    }

    /// A call starts.
    pub fn start(&mut self) {
        self.tokens -= 1.0;
        self.in_flight += 1;
    }

    /// A call that was to start was given up before it was made.
    pub fn give_back(&mut self) {
        self.tokens += 1.0;
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// A call that began at `started` has ended.
    pub fn end(&mut self, started: Instant, now: Instant, answer: Answer) {
        self.in_flight = self.in_flight.saturating_sub(1);
        match answer {
            Answer::None => {}
            Answer::Came => {
                self.throttled_in_a_row = 0;
                self.concurrency = (self.concurrency + 1.0 / self.concurrency).min(f64::from(self.limits.concurrency));
                self.rate = (self.rate + self.limits.per_second * RATE_STEP).min(self.limits.per_second);
            }
            Answer::Throttled(asked) => {
                // Calls that were under way when the first of them was throttled tell nothing new.
                let is_new = self.cut.is_none_or(|cut| started >= cut);
                if is_new {
                    self.cut = Some(now);
                    self.throttled_in_a_row += 1;
                    self.concurrency = (self.concurrency * CUT).max(1.0);
                }
                match asked {
                    // A cloud that says when to come again is taken at its word.
                    Some(asked) => self.hold(asked, now),
                    None if is_new => {
                        self.rate = (self.rate * RATE_CUT).max(self.limits.per_second * RATE_FLOOR);
                        self.hold(pause(self.throttled_in_a_row), now);
                    }
                    None => {}
                }
            }
        }
    }
}

fn sound(limits: Limits) -> Limits {
    let per_second = if limits.per_second > 0.0 { limits.per_second } else { 1.0 };
    Limits { per_second, burst: limits.burst.max(1), concurrency: limits.concurrency.max(1) }
}

fn pause(in_a_row: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(in_a_row.saturating_sub(1).min(16))).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { per_second: 10.0, burst: 4, concurrency: 8 };

    fn lane() -> (Lane, Instant) {
        let now = Instant::now();
        (Lane::new(LIMITS, now), now)
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_wait_of_a_year_is_one_of_a_day() {
        let (mut lane, now) = lane();
        lane.hold(Duration::from_secs(365 * 24 * 3600), now);
        assert_eq!(lane.held(now), Some(LONGEST_HOLD));
        assert_eq!(lane.next(now + LONGEST_HOLD), Next::Now);
    }

    #[test]
    fn after_the_burst_calls_start_at_the_rate() {
        let (mut lane, now) = lane();
        for _ in 0..4 {
            assert_eq!(lane.next(now), Next::Now);
            lane.start();
        }
        let Next::At(at) = lane.next(now) else { panic!("the burst is used up") };
        assert!((at - now).abs_diff(millis(100)) < millis(1), "{:?}", at - now);
        assert_eq!(lane.next(now + millis(101)), Next::Now);
    }

    #[test]
    fn concurrency_is_halved_once_for_calls_that_were_under_way_together_and_comes_back_by_one() {
        let (mut lane, now) = lane();
        (0..4).for_each(|_| lane.start());
        (0..3).for_each(|_| lane.end(now, now + millis(5), Answer::Throttled(None)));
        assert_eq!(lane.concurrency(), 4, "three answers to one burst cut once");
        lane.end(now, now + millis(5), Answer::None);
        (0..5).for_each(|_| {
            lane.start();
            lane.end(now + millis(6), now + millis(7), Answer::Came);
        });
        assert_eq!(lane.concurrency(), 5, "as many good answers as there are places give one more");
    }

    #[test]
    fn however_often_it_is_throttled_one_call_at_a_time_is_left_and_no_stand_still() {
        let (mut lane, mut now) = lane();
        for _ in 0..100 {
            if let Next::At(at) = lane.next(now) {
                assert!(at - now <= LONGEST_PAUSE, "{:?}", at - now);
                now = at;
            }
            assert_eq!(lane.next(now), Next::Now);
            lane.start();
            now += millis(1);
            lane.end(now - millis(1), now, Answer::Throttled(None));
        }
        assert_eq!((lane.concurrency(), lane.in_flight()), (1, 0));
        assert!(lane.rate >= LIMITS.per_second * RATE_FLOOR);
    }

    #[test]
    fn a_wait_that_was_asked_for_stands_and_is_not_shortened() {
        let (mut lane, now) = lane();
        lane.start();
        lane.start();
        lane.end(now, now, Answer::Throttled(Some(Duration::from_secs(1200))));
        lane.end(now, now, Answer::Throttled(Some(Duration::from_secs(3))));
        assert_eq!(lane.held(now), Some(Duration::from_secs(1200)));
        assert_eq!(lane.next(now + Duration::from_secs(1199)), Next::At(now + Duration::from_secs(1200)));
        let after = now + Duration::from_secs(1200);
        assert_eq!(lane.next(after), Next::Now);
        lane.start();
        assert!(matches!(lane.next(after), Next::At(_)), "one call, and no burst, into a cloud that was overloaded");
    }

    #[test]
    fn a_call_that_was_not_made_costs_nothing() {
        let (mut lane, now) = lane();
        (0..10).for_each(|_| {
            assert_eq!(lane.next(now), Next::Now);
            lane.start();
            lane.give_back();
        });
        assert_eq!(lane.in_flight(), 0);
    }

    #[test]
    fn other_limits_keep_the_wait() {
        let (mut lane, now) = lane();
        lane.hold(Duration::from_secs(60), now);
        lane.set_limits(Limits { per_second: 1.0, burst: 1, concurrency: 1 }, now);
        assert_eq!((lane.held(now), lane.concurrency()), (Some(Duration::from_secs(60)), 1));
    }
}
