//! What the attempts of a test come to.

use caretaker_api::isolation::{Expected, IsolationAttempt};

use super::attempts::{Attempt, Found, OTHER_CLIENT};

/// Stands in a pod's words before the seconds after which a way was closed that was open at first.
pub const LATE: &str = "; open for the first ";
/// Longest text of a pod that is kept, in characters.
const MAX_TOLD: usize = 100;

/// What a test came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything that must be closed was closed, beside things that work.
    Isolated(String),
    /// These are open.
    Open(String),
    /// What must work did not: what was refused beside it proves nothing.
    ControlFailed(String),
    /// The test told nothing; why.
    Untold(String),
}

/// The pod's words with what it was asked. It was asked for exactly these.
///
/// # Errors
/// The words are not an answer to these attempts.
pub(super) fn read(asked: &[Attempt], words: &str) -> Result<Vec<IsolationAttempt>, String> {
    let found: Vec<Found> = serde_json::from_str(words).map_err(|_| "the words of its pod cannot be read".to_owned())?;
    if found.len() != asked.len() {
        return Err(format!("its pod tells of {} attempts and was asked for {}", found.len(), asked.len()));
    }
    let row = |(asked, found): (&Attempt, Found)| IsolationAttempt {
        what: asked.what.clone(),
        expected: asked.expected,
        seen: found.told.chars().filter(|c| !c.is_control()).take(MAX_TOLD).collect(),
        as_expected: found.works == (asked.expected == Expected::Works),
    };
    Ok(asked.iter().zip(found).map(row).collect())
}

/// Code of the API server for what admission refuses. What it takes for invalid (422) was refused by nobody's policy.
const FORBIDDEN: u16 = 403;

/// The attempt to get a pod admitted that must not be, by the API server's code and words where it did not take it.
///
/// # Errors
/// The answer says nothing of admission.
pub fn admission(what: &str, answer: Result<(), (u16, String)>) -> Result<IsolationAttempt, String> {
    let (as_expected, seen) = match answer {
        Ok(()) => (false, "it was let in".to_owned()),
        Err((FORBIDDEN, words)) => (true, words.chars().take(MAX_TOLD).collect()),
        Err((code, words)) => return Err(format!("{what} was answered with {code}, which says nothing of admission: {words}")),
    };
    Ok(IsolationAttempt { what: what.into(), expected: Expected::Refused, seen, as_expected })
}

/// The sum. Openings are told even where a control has failed: they need none.
#[must_use]
pub fn judge(attempts: &[IsolationAttempt]) -> Verdict {
    let of = |expected: Expected| attempts.iter().filter(move |attempt| attempt.expected == expected);
    let wrong = |expected: Expected| {
        let told = of(expected).filter(|attempt| !attempt.as_expected).map(|attempt| format!("{} ({})", attempt.what, attempt.seen));
        told.collect::<Vec<_>>().join("; ")
    };
    let (open, failed) = (wrong(Expected::Refused), wrong(Expected::Works));
    let (refused, works) = (of(Expected::Refused).count(), of(Expected::Works).count());
    if !open.is_empty() {
        Verdict::Open(format!("a pod in the namespace can do what it must not: {open}"))
    } else if !failed.is_empty() || works == 0 {
        Verdict::ControlFailed(format!("what must work did not, so that the refusals prove nothing: {failed}"))
    } else {
        let has_other = of(Expected::Refused).any(|attempt| attempt.what.ends_with(OTHER_CLIENT));
        let tail = if has_other { "" } else { "; no other client has a pod that could be tried" };
        let closed = format!("a pod in the namespace was refused {refused} of {refused} things that it must be refused");
        let late = match of(Expected::Refused).filter(|attempt| attempt.seen.contains(LATE)).count() {
            0 => String::new(),
            late => format!("; {late} of them only after the pod had run for some seconds: the network enforces policies late"),
        };
        Verdict::Isolated(format!("{closed}, and {works} of {works} that must work did{tail}{late}"))
    }
}

#[cfg(test)]
mod tests {
    use caretaker_api::isolation::Expected::{Refused, Works};

    use super::super::attempts::Try;
    use super::*;

    fn row(what: &str, expected: Expected, as_expected: bool) -> IsolationAttempt {
        IsolationAttempt { what: what.into(), expected, seen: "so".into(), as_expected }
    }

    #[test]
    fn verdicts_follow_the_table() {
        let cases = [
            (
                "all is as it must be",
                vec![row("dns", Works, true), row("TCP 10.0.0.7:9090, a pod of another client", Refused, true)],
                Verdict::Isolated("a pod in the namespace was refused 1 of 1 things that it must be refused, and 1 of 1 that must work did".into()),
            ),
            (
                "a client that is alone was not kept apart from anybody",
                vec![row("dns", Works, true), row("metadata", Refused, true)],
                Verdict::Isolated(
                    "a pod in the namespace was refused 1 of 1 things that it must be refused, and 1 of 1 that must work did; no other client has a pod \
                     that could be tried"
                        .into(),
                ),
            ),
            (
                "the opening is named",
                vec![row("dns", Works, true), row("other", Refused, false), row("metadata", Refused, true)],
                Verdict::Open("a pod in the namespace can do what it must not: other (so)".into()),
            ),
            (
                "an opening needs no control",
                vec![row("dns", Works, false), row("other", Refused, false)],
                Verdict::Open("a pod in the namespace can do what it must not: other (so)".into()),
            ),
            (
                "a network that is late is told",
                vec![
                    row("dns", Works, true),
                    IsolationAttempt { seen: format!("no answer{LATE}6 s"), ..row("TCP 10.0.0.7:9090, a pod of another client", Refused, true) },
                ],
                Verdict::Isolated(
                    "a pod in the namespace was refused 1 of 1 things that it must be refused, and 1 of 1 that must work did; 1 of them only after the pod \
                     had run for some seconds: the network enforces policies late"
                        .into(),
                ),
            ),
            (
                "no network at all looks like isolation and is none",
                vec![row("dns", Works, false), row("other", Refused, true)],
                Verdict::ControlFailed("what must work did not, so that the refusals prove nothing: dns (so)".into()),
            ),
            (
                "refusals alone prove nothing",
                vec![row("other", Refused, true)],
                Verdict::ControlFailed("what must work did not, so that the refusals prove nothing: ".into()),
            ),
        ];
        for (why, attempts, expected) in cases {
            assert_eq!(judge(&attempts), expected, "{why}");
        }
    }

    #[test]
    fn only_a_refusal_by_admission_counts_as_one() {
        let refused = admission("a privileged pod", Err((403, "violates PodSecurity".into()))).unwrap();
        assert!(refused.as_expected && refused.seen == "violates PodSecurity");
        assert!(!admission("a privileged pod", Ok(())).unwrap().as_expected);
        let invalid = admission("a privileged pod", Err((422, "spec.x: unknown".into()))).unwrap_err();
        assert!(invalid.contains("says nothing of admission: spec.x: unknown"), "{invalid}");
    }

    #[test]
    fn words_of_a_pod_are_not_trusted() {
        let asked = [Attempt { what: "dns".into(), way: Try::Resolve("x".into()), expected: Works }];
        let told = read(&asked, r#"[{"works":true,"told":"10.0.0.1\u001b[2J"}]"#).unwrap();
        assert_eq!(told, vec![IsolationAttempt { what: "dns".into(), expected: Works, seen: "10.0.0.1[2J".into(), as_expected: true }]);
        assert_eq!(read(&asked, "[]").unwrap_err(), "its pod tells of 0 attempts and was asked for 1");
        assert_eq!(read(&asked, "Killed").unwrap_err(), "the words of its pod cannot be read");
        let long = format!(r#"[{{"works":false,"told":"{}"}}]"#, "x".repeat(5000));
        assert_eq!(read(&asked, &long).unwrap()[0].seen.len(), MAX_TOLD);
    }
}
