//! What is said of a client's objects once a final handover has begun to end our access: that it ended, since when and by which proof. Nobody may look any
//! more, so that nothing else can be said.

use caretaker_api::Handover;
use caretaker_api::handover::RevocationStatus;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::life::{Life, life};

/// A final handover that has begun to revoke.
#[derive(Clone, Debug)]
pub struct Ending {
    handover: String,
    is_finished: bool,
    revocations: Vec<RevocationStatus>,
}

/// The end of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountEnding {
    /// Whether it is proved that we are out.
    pub is_proved: bool,
    /// Since when, and by which proof.
    pub message: String,
}

impl Ending {
    /// Of a client's handovers the final one that has come to the revocation. One that has ended goes before one that has not.
    #[must_use]
    pub fn of(handovers: &[Handover]) -> Option<Self> {
        let far = handovers.iter().filter_map(|handover| Some((life(handover).filter(|life| *life >= Life::Revoking)?, handover)));
        let (life, handover) = far.max_by_key(|(life, _)| *life)?;
        let revocations = handover.status.as_ref().map(|status| status.revocations.clone()).unwrap_or_default();
        Some(Self { handover: handover.name_any(), is_finished: life == Life::Finished, revocations })
    }

    /// Name of the handover, once it has ended.
    #[must_use]
    pub fn finished_by(&self) -> Option<&str> {
        self.is_finished.then_some(self.handover.as_str())
    }

    /// What is known of one account.
    #[must_use]
    pub fn of_account(&self, name: &str) -> AccountEnding {
        let revocation = self.revocations.iter().find(|revocation| revocation.account == name);
        let handover = &self.handover;
        match revocation.and_then(|revocation| Some((revocation, revocation.verified_at.as_ref()?))) {
            Some((revocation, verified)) => {
                let since = revocation.refused_since.as_ref().unwrap_or(verified);
                let beside = match revocation.control.as_str() {
                    "" => String::new(),
                    place => format!(", while the same principal was let into {place}"),
                };
                let message = format!(
                    "our access has ended: {} was refused {} times in a row since {}{beside}, which proved it at {} (Handover {handover})",
                    revocation.principal,
                    revocation.refusals,
                    minute(since),
                    minute(verified)
                );
                AccountEnding { is_proved: true, message }
            }
            None if self.is_finished => {
                let message = format!("Handover {handover} has ended, and this account was no part of it: nothing was proved of it");
                AccountEnding { is_proved: false, message }
            }
            None => {
                let message = format!("Handover {handover} is ending our access: nobody but it tries to get in any more");
                AccountEnding { is_proved: false, message }
            }
        }
    }

    /// What is known of all accounts of the client.
    #[must_use]
    pub fn of_all(&self) -> String {
        let (handover, all) = (&self.handover, self.revocations.len());
        if !self.is_finished {
            return format!("Handover {handover} is ending our access: nobody but it tries to get in any more");
        }
        let proved: Vec<&RevocationStatus> = self.revocations.iter().filter(|revocation| revocation.verified_at.is_some()).collect();
        let first = proved.iter().filter_map(|revocation| revocation.refused_since.as_ref()).min_by_key(|time| time.0);
        let last = proved.iter().filter_map(|revocation| revocation.verified_at.as_ref()).max_by_key(|time| time.0);
        let (Some(first), Some(last)) = (first, last) else {
            return format!("handed over: Handover {handover} has ended; it was about no account");
        };
        let fewest = proved.iter().map(|revocation| revocation.refusals).min().unwrap_or_default();
        format!(
            "handed over: our access to {} of {all} account(s) has ended, each refused us {fewest} times in a row or more, the first since {}, and the last \
             was proved at {} (Handover {handover})",
            proved.len(),
            minute(first),
            minute(last)
        )
    }
}

/// A time as a condition keeps it.
fn minute(time: &Time) -> impl std::fmt::Display + use<> {
    let time: Timestamp = time.0;
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn handover(name: &str, mode: &str, step: &str, is_over: bool, revocations: &Value) -> Handover {
        let is = if is_over { "True" } else { "False" };
        let condition =
            json!({"type": "HandedOver", "status": is, "reason": "Settled", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "Handover", "metadata": {"name": name}, "spec": {"mode": mode},
            "status": {"step": step, "revocations": revocations, "conditions": [condition]},
        }))
        .unwrap()
    }

    fn revocation(account: &str, since: &str, verified: Option<&str>) -> Value {
        json!({
            "account": account, "principal": format!("role of {account}"), "by": "Operator", "refusals": 3, "refusedSince": since,
            "verifiedAt": verified, "lastAnswer": "AccessDenied",
        })
    }

    #[test]
    fn the_end_is_told_with_its_time_and_its_proof() {
        let first = revocation("prod", "2026-11-28T10:00:05Z", Some("2026-11-28T10:00:20Z"));
        let second = revocation("stage", "2026-11-28T10:01:00Z", Some("2026-11-28T11:30:00Z"));
        let open = revocation("stage", "2026-11-28T10:01:00Z", None);
        let rehearsal = || handover("rehearsal", "Rehearsal", "Done", false, &json!([]));
        let ending = |handovers: &[Handover]| Ending::of(handovers);
        assert!(ending(&[]).is_none() && ending(&[rehearsal()]).is_none());
        assert!(ending(&[handover("final", "Final", "Accept", false, &json!([]))]).is_none(), "it may still be let be");

        let under_way = ending(&[rehearsal(), handover("final", "Final", "VerifyRefusal", false, &json!([first, open]))]).unwrap();
        let over = ending(&[handover("final", "Final", "Done", true, &json!([first, second])), rehearsal()]).unwrap();
        let proof = "role of prod was refused 3 times in a row since 2026-11-28 10:00 UTC, which proved it at 2026-11-28 10:00 UTC (Handover final)";
        for (why, ending, account, is_proved, says) in [
            ("proved while others are not", &under_way, "prod", true, proof),
            ("not proved yet", &under_way, "stage", false, "Handover final is ending our access"),
            ("not begun with", &under_way, "new", false, "Handover final is ending our access"),
            ("proved", &over, "prod", true, proof),
            ("no part of it", &over, "new", false, "nothing was proved of it"),
        ] {
            let told = ending.of_account(account);
            assert_eq!(told.is_proved, is_proved, "{why}");
            assert!(told.message.contains(says), "{why}: {}", told.message);
        }
        assert_eq!((under_way.finished_by(), over.finished_by()), (None, Some("final")));
        assert!(under_way.of_all().contains("is ending our access"), "{}", under_way.of_all());
        for part in ["2 of 2 account(s)", "3 times in a row", "the first since 2026-11-28 10:00 UTC", "proved at 2026-11-28 11:30 UTC"] {
            assert!(over.of_all().contains(part), "{part} is not in {}", over.of_all());
        }
        let empty = ending(&[handover("final", "Final", "Done", true, &json!([]))]).unwrap();
        assert!(empty.of_all().contains("about no account"), "{}", empty.of_all());
        assert_eq!(crate::messages::steady(&over.of_all()), over.of_all(), "a condition keeps it whole");
    }
}
