//! What a test binary says while it runs: how many tests passed, which were skipped, and how long each took.

use std::collections::BTreeMap;
use std::time::Duration;

/// What test binaries counted.
#[derive(Default, Debug, PartialEq, Eq)]
pub struct Count {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests that did not run, with the reason.
    pub skipped: Vec<String>,
}

impl Count {
    /// Takes one line of a test binary's output.
    pub fn line(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else {
            if let Some((name, reason)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ignored")) {
                self.skipped.push(format!("{name}: {}", reason.trim_start_matches([',', ' '])));
            }
            return;
        };
        let number = |word: &str| -> u64 {
            let before = rest.split(word).next().unwrap_or_default();
            before.rsplit([' ', ';', '.']).find(|part| !part.is_empty()).and_then(|part| part.parse().ok()).unwrap_or_default()
        };
        self.passed += number(" passed");
        self.failed += number(" failed");
    }

    /// Takes what tests have noted themselves: the harness has counted them as passed.
    pub fn take_skips(&mut self, notes: &str) {
        for note in notes.lines() {
            self.skipped.push(note.to_owned());
            self.passed = self.passed.saturating_sub(1);
        }
    }

    /// Adds what another binary counted.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped.extend(other.skipped);
    }
}

/// The test that a line tells the end of, and how it ended.
pub fn ended(line: &str) -> Option<(&str, &str)> {
    let (name, how) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let is_end = how == "ok" || how == "FAILED" || how.starts_with("ignored");
    // Of a test that must panic the harness says so behind the name.
    is_end.then_some((name.strip_suffix(" - should panic").unwrap_or(name), how))
}

/// Names of the tests of a binary, in the order in which the harness starts them, by its `--list --format terse`.
pub fn listed(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// How long each test took. The harness tells only the ends; it starts the tests in the listed order, as many as there are threads, and the next one at the
/// end of any other.
pub fn durations(order: &[String], threads: usize, ends: &[(String, Duration)]) -> Vec<(String, Duration)> {
    let at: BTreeMap<&str, Duration> = ends.iter().map(|(name, at)| (name.as_str(), *at)).collect();
    let start = |place: usize| place.checked_sub(threads).and_then(|end| ends.get(end)).map_or(Duration::ZERO, |(_, at)| *at);
    let took = |(place, name): (usize, &String)| Some((name.clone(), at.get(name.as_str())?.saturating_sub(start(place))));
    order.iter().enumerate().filter_map(took).collect()
}

/// The longest first, as lines; at most this many.
pub fn longest(times: &[(String, Duration)], most: usize) -> Vec<String> {
    let mut times: Vec<&(String, Duration)> = times.iter().collect();
    times.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    times.iter().take(most).map(|(name, took)| format!("{:>8.1} s  {name}", took.as_secs_f64())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_test_binaries_are_counted() {
        let mut count = Count::default();
        for line in [
            "running 3 tests",
            "test a::b ... ok",
            "test a::slow ... ignored, needs a cluster",
            "test a::c ... FAILED",
            "test result: FAILED. 11 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        ] {
            count.line(line);
        }
        count.take_skips("c: nobody may make namespaces\n");
        let mut sum = Count { passed: 1, failed: 1, skipped: Vec::new() };
        sum.add(count);
        assert_eq!(
            sum,
            Count { passed: 15, failed: 3, skipped: vec!["a::slow: needs a cluster".into(), "c: nobody may make namespaces".into()] }
        );
    }

    #[test]
    fn only_the_end_of_a_test_is_one() {
        for (line, found, why) in [
            ("test a::b ... ok", Some(("a::b", "ok")), "it passed"),
            ("test a::b ... FAILED", Some(("a::b", "FAILED")), "it failed"),
            ("test a::b ... ignored, no cluster", Some(("a::b", "ignored, no cluster")), "it was skipped"),
            ("test a::b - should panic ... ok", Some(("a::b", "ok")), "it panicked as it must"),
            ("test result: ok. 1 passed; 0 failed", None, "the sum"),
            ("test a::b has been running for over 60 seconds", None, "a word in between"),
            ("something ... ok", None, "what a program prints"),
        ] {
            assert_eq!(ended(line), found, "{why}");
        }
        assert_eq!(listed("a::b: test\nc: test\nd: benchmark\n\n2 tests, 1 benchmark\n"), ["a::b", "c"]);
    }

    #[test]
    fn a_test_takes_from_its_turn_to_its_end() {
        let order: Vec<String> = ["a", "b", "c", "d", "cut"].map(str::to_owned).to_vec();
        let seconds = Duration::from_secs;
        // Two threads: a and b start at once, c at the end of b, d at the end of a; the last one never ended.
        let ends = [("b", 2), ("a", 5), ("c", 6), ("d", 9)].map(|(name, at)| (name.to_owned(), seconds(at)));
        let took = durations(&order, 2, &ends);
        let expected = [("a", 5), ("b", 2), ("c", 4), ("d", 4)].map(|(name, took)| (name.to_owned(), seconds(took)));
        assert_eq!(took, expected);
        assert_eq!(longest(&took, 3), ["     5.0 s  a", "     4.0 s  c", "     4.0 s  d"]);
        // One thread: each begins at the end of the one before.
        let ends = [("a", 1), ("b", 3)].map(|(name, at)| (name.to_owned(), seconds(at)));
        assert_eq!(durations(&order[..2], 1, &ends)[1], ("b".to_owned(), seconds(2)));
    }
}
