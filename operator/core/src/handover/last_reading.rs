//! The last reading of every account: which are read, in which order, and what stands in the bundle where one cannot be.

use std::collections::VecDeque;

use caretaker_api::CloudAccount;
use caretaker_api::cloud_account::InventoryStatus;
use caretaker_api::handover::FinalReading;
use caretaker_cloud::CloudError;
use kube::ResourceExt;

use crate::inventory::address::folder_of_manifest;
use crate::outcome::Fault;

/// A question that is to be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Find the way in.
    WayIn,
    /// Open a session by it.
    Connect,
    /// Read the inventory.
    Read,
}

/// An answer to the question that was asked last.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Whether there is a way in; false where the ExternalId was never made.
    WayIn(Result<bool, Fault>),
    /// To [`Ask::Connect`].
    Connected(Result<(), CloudError>),
    /// To [`Ask::Read`].
    Read(Result<Box<InventoryStatus>, CloudError>),
}

/// The last readings of a handover. An account that cannot be read is a gap, not a stop: the client may have closed the door first.
#[derive(Clone, Debug)]
pub struct LastReadings<'a> {
    left: VecDeque<&'a CloudAccount>,
    is_emergency: bool,
    asked: Option<(&'a CloudAccount, Ask)>,
    done: Vec<FinalReading>,
}

impl<'a> LastReadings<'a> {
    /// The readings of all accounts but those that `done` holds already: what an earlier visit read is kept. A parent holds nothing itself.
    /// In an emergency nothing is read, since our access went first.
    #[must_use]
    pub fn new(accounts: &'a [CloudAccount], done: Vec<FinalReading>, is_emergency: bool) -> Self {
        let is_open =
            |account: &&CloudAccount| !account.spec.target.is_parent() && !done.iter().any(|reading| reading.account == account.name_any());
        Self { left: accounts.iter().filter(is_open).collect(), is_emergency, asked: None, done }
    }

    /// Takes the answer to the last question and gives the next one; `None` at the end. The first call brings no answer.
    pub fn next(&mut self, answer: Option<Answer>) -> Option<(&'a CloudAccount, Ask)> {
        let follows = match (self.asked.take(), answer) {
            (Some((account, _)), Some(answer)) => self.take(account, answer),
            _ => None,
        };
        self.asked = follows.or_else(|| self.begin());
        self.asked
    }

    /// The readings that were made, as far as it came.
    #[must_use]
    pub fn into_done(self) -> Vec<FinalReading> {
        self.done
    }

    fn begin(&mut self) -> Option<(&'a CloudAccount, Ask)> {
        while let Some(account) = self.left.pop_front() {
            if self.is_emergency {
                self.end(account, Err("an emergency: our access was revoked first".to_owned()));
                continue;
            }
            match account.spec.member.as_ref().filter(|member| !member.is_live()) {
                Some(member) => self.end(account, Err(format!("its parent {} calls it {:?}", member.parent, member.state))),
                None => return Some((account, Ask::WayIn)),
            }
        }
        None
    }

    fn take(&mut self, account: &'a CloudAccount, answer: Answer) -> Option<(&'a CloudAccount, Ask)> {
        let end = match answer {
            Answer::WayIn(Ok(true)) => return Some((account, Ask::Connect)),
            Answer::Connected(Ok(())) => return Some((account, Ask::Read)),
            Answer::WayIn(Ok(false)) => Err("the ExternalId was never made".to_owned()),
            Answer::WayIn(Err(fault)) => Err(fault.message),
            Answer::Connected(Err(error)) | Answer::Read(Err(error)) => Err(error.to_string()),
            Answer::Read(Ok(inventory)) => Ok(*inventory),
        };
        self.end(account, end);
        None
    }

    fn end(&mut self, account: &CloudAccount, read: Result<InventoryStatus, String>) {
        let last = account.status.as_ref().and_then(|status| status.inventory.clone());
        let (inventory, gap) = match read {
            Ok(inventory) => (Some(inventory), String::new()),
            Err(why) if last.is_some() => (last, format!("not read at the end ({why}); the last inventory is delivered instead")),
            Err(why) => (None, format!("never read: {why}")),
        };
        self.done.push(FinalReading { account: account.name_any(), inventory: inventory.map(slim), gap });
    }
}

/// What a handover's status keeps of a reading. The store holds the rest: a client may have a thousand accounts, and etcd takes a megabyte and a half.
fn slim(mut inventory: InventoryStatus) -> InventoryStatus {
    if folder_of_manifest(&inventory.address).is_some() {
        inventory.coverage.gaps.clear();
        inventory.coverage.notes.clear();
    }
    InventoryStatus { since_previous: None, since_baseline: None, ..inventory }
}

#[cfg(test)]
mod tests {
    use caretaker_api::cloud_account::{CellStatus, CloudAccountStatus, DiffStatus};
    use caretaker_api::condition::Reason;
    use caretaker_api::words::GapVerdict;
    use caretaker_cloud::ErrorClass;
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::inventory::address;

    fn account(name: &str, spec: serde_json::Value, last: Option<&str>) -> CloudAccount {
        let mut account = CloudAccount::new(name, serde_json::from_value(spec).unwrap());
        let inventory = last.map(|address| InventoryStatus { address: address.into(), ..InventoryStatus::default() });
        account.status = Some(CloudAccountStatus { inventory, ..CloudAccountStatus::default() });
        account
    }

    fn aws(name: &str, last: Option<&str>) -> CloudAccount {
        account(name, json!({"aws": {"accountId": "111122223333"}}), last)
    }

    fn good(ask: Ask) -> Answer {
        match ask {
            Ask::WayIn => Answer::WayIn(Ok(true)),
            Ask::Connect => Answer::Connected(Ok(())),
            Ask::Read => Answer::Read(Ok(Box::new(InventoryStatus { address: "new".into(), ..InventoryStatus::default() }))),
        }
    }

    fn talk(
        accounts: &[CloudAccount],
        before: Vec<FinalReading>,
        answer: impl Fn(&str, Ask) -> Option<Answer>,
    ) -> (Vec<String>, Vec<FinalReading>) {
        let mut readings = LastReadings::new(accounts, before, false);
        let (mut asked, mut last) = (Vec::new(), None);
        while let Some((account, ask)) = readings.next(last.take()) {
            asked.push(format!("{} {ask:?}", account.name_any()));
            last = Some(answer(&account.name_any(), ask).unwrap_or_else(|| good(ask)));
            assert!(asked.len() < 50, "it ends: {asked:?}");
        }
        (asked, readings.into_done())
    }

    #[test]
    fn an_account_that_cannot_be_read_is_a_gap_and_no_stop() {
        let silent = || CloudError::new(ErrorClass::Unreachable, "sts:AssumeRole", "no answer");
        let fault = || Fault::outside(Reason::AccountClaimed, "spec", "held by another");
        let accounts = [aws("one", Some("old")), aws("two", None)];
        for (why, at, answer, questions, gap) in [
            ("no way in", Ask::WayIn, Answer::WayIn(Ok(false)), 1, "the ExternalId was never made"),
            ("a fault stands in it", Ask::WayIn, Answer::WayIn(Err(fault())), 1, "held by another"),
            ("not let in", Ask::Connect, Answer::Connected(Err(silent())), 2, "no answer"),
            ("not read", Ask::Read, Answer::Read(Err(silent())), 3, "no answer"),
        ] {
            let (asked, done) = talk(&accounts, Vec::new(), |_, ask| (ask == at).then(|| answer.clone()));
            assert_eq!(asked.len(), 2 * questions, "{why}: both are tried, each until its gap: {asked:?}");
            let address = |reading: &FinalReading| reading.inventory.as_ref().map(|inventory| inventory.address.clone());
            assert_eq!((address(&done[0]), address(&done[1])), (Some("old".to_owned()), None), "{why}");
            assert_eq!(
                done[0].gap,
                format!("not read at the end ({0}); the last inventory is delivered instead", said(&done[1].gap)),
                "{why}"
            );
            assert!(done[1].gap.starts_with("never read: ") && done[1].gap.contains(gap), "{why}: {}", done[1].gap);
        }
    }

    fn said(gap: &str) -> &str {
        gap.strip_prefix("never read: ").unwrap_or(gap)
    }

    #[test]
    fn every_account_is_read_once_and_a_parent_or_one_that_has_left_is_not_called() {
        let closed = json!({"aws": {"accountId": "444455556666"}, "member": {"parent": "org", "state": "Closed"}});
        let parent = json!({"awsOrganization": {"accountId": "000000000001"}});
        let accounts = [aws("one", None), account("org", parent, None), account("left", closed, Some("old")), aws("two", None)];
        let (asked, done) = talk(&accounts, Vec::new(), |_, _| None);
        assert_eq!(asked, ["one WayIn", "one Connect", "one Read", "two WayIn", "two Connect", "two Read"]);
        let names: Vec<&str> = done.iter().map(|reading| reading.account.as_str()).collect();
        assert_eq!(names, ["one", "left", "two"]);
        assert!(done[1].gap.contains("its parent org calls it Closed") && done[0].gap.is_empty());
        let (asked, again) = talk(&accounts, done.clone()[..2].to_vec(), |_, _| None);
        assert_eq!((asked.len(), again), (3, done), "what an earlier visit read is kept, and the rest is read");
    }

    #[test]
    fn in_an_emergency_nothing_is_read_and_the_last_inventory_is_delivered() {
        let accounts = [aws("one", Some("old")), aws("two", None)];
        let mut readings = LastReadings::new(&accounts, Vec::new(), true);
        assert!(readings.next(None).is_none(), "our access went first");
        let done = readings.into_done();
        assert_eq!(done[0].inventory.as_ref().map(|inventory| inventory.address.as_str()), Some("old"));
        assert!(done[0].gap.contains("revoked first") && done[1].inventory.is_none() && done[1].gap.starts_with("never read"));
    }

    #[test]
    fn a_status_keeps_of_a_reading_what_the_store_does_not_hold() {
        let gap = CellStatus { region: "r".into(), service: "s".into(), verdict: GapVerdict::Denied, cause: "c".into() };
        let full = |address: String| {
            let mut inventory = InventoryStatus { address, since_previous: Some(DiffStatus::default()), ..InventoryStatus::default() };
            inventory.since_baseline = Some(DiffStatus::default());
            inventory.coverage.gaps = vec![gap.clone()];
            inventory.coverage.notes = vec!["note".into()];
            slim(inventory)
        };
        let stored = full(address::manifest(&address::run("clients/a/inventory/p", Timestamp::UNIX_EPOCH, "d")));
        assert!(stored.coverage.gaps.is_empty() && stored.coverage.notes.is_empty());
        let early = full("clients/a/inventory/p/1.ndjson.zst".into());
        assert_eq!(
            (early.coverage.gaps.len(), early.coverage.notes.len()),
            (1, 1),
            "an earlier release's file has no manifest to hold them"
        );
        assert!(stored.since_previous.is_none() && early.since_baseline.is_none());
    }
}
