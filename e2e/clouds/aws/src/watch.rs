//! What the shim has seen, and what it is told to do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;

use crate::answers::{Answers, Rows};
use crate::backups::Backups;
use crate::call::Call;
use crate::explorer::Explorer;
use crate::fault::{Answer, Bucket, Fault};
use crate::tags::SessionTags;

/// One call with its answer, as the judge reads it.
pub type Exchange = Value;

#[derive(Default)]
pub struct State {
    calls: Vec<String>,
    faults: Vec<Fault>,
    buckets: Vec<Bucket>,
    /// Accounts by access key, as the answers to AssumeRole told them.
    accounts: HashMap<String, String>,
    pub answers: Answers,
    pub explorers: HashMap<String, Explorer>,
    /// What AWS Backup holds, by account and region.
    pub backups: HashMap<(String, String), Backups>,
    pub page_rows: Option<usize>,
    pub clock_ahead: i64,
    pub tags: Option<SessionTags>,
    exchanges: Option<Vec<Exchange>>,
}

/// What the shim has seen and does. Cheap to clone; clones are the same one.
#[derive(Clone, Default)]
pub struct Watch {
    state: Arc<Mutex<State>>,
}

impl Watch {
    /// One that keeps every exchange for the judge.
    #[must_use]
    pub fn judged() -> Self {
        let watch = Self::default();
        watch.state().exchanges = Some(Vec::new());
        watch
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }

    /// All calls so far, as `service/region/Action key`.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// Calls that change something.
    #[must_use]
    pub fn writes(&self) -> Vec<String> {
        self.calls().into_iter().filter(|call| is_write(call)).collect()
    }

    /// Every exchange so far; empty where they are not kept.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.state().exchanges.clone().unwrap_or_default()
    }

    /// Replaces the faults.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        self.state().faults = faults;
    }

    /// Replaces the buckets.
    pub fn set_buckets(&self, buckets: Vec<Bucket>) {
        self.state().buckets = buckets;
    }

    /// Sets the most rows of a page; `None` for as many as are asked for.
    pub fn set_page_rows(&self, rows: Option<usize>) {
        self.state().page_rows = rows;
    }

    /// Puts session tags on the base credentials, or takes them off.
    pub fn set_session_tags(&self, tags: Option<SessionTags>) {
        self.state().tags = tags;
    }

    /// Sets the clock so many seconds ahead of this machine's. Requests that were signed more than five minutes off it are refused, as AWS does.
    pub fn set_clock(&self, ahead: i64) {
        self.state().clock_ahead = ahead;
    }

    /// Rows that a list has from now on in one account and region, instead of the emulator's own. `operation` is `service/Action`, such as
    /// `ssm/DescribeInstanceInformation`: one of the lists that the shim pages. Who may not ask the emulator is still refused by it.
    ///
    /// # Panics
    /// The shim does not know the list.
    pub fn set_rows(&self, operation: &str, account: &str, region: &str, rows: Rows) {
        assert!(crate::pages::is_known(operation), "{operation} is none of the lists that the shim pages");
        self.state().answers.set(operation, account, region, rows);
    }

    /// Turns Resource Explorer on in an account.
    pub fn set_explorer(&self, account: &str, explorer: Explorer) {
        self.state().explorers.insert(account.to_owned(), explorer);
    }

    /// Reads or changes what AWS Backup holds in an account and region, beyond what the emulator knows.
    pub fn backups<T>(&self, account: &str, region: &str, act: impl FnOnce(&mut Backups) -> T) -> T {
        act(self.state().backups.entry((account.to_owned(), region.to_owned())).or_default())
    }

    /// The account that an access key belongs to, as far as it was told.
    #[must_use]
    pub fn account_of(&self, key: &str) -> Option<String> {
        let is_account = key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_digit());
        if is_account { Some(key.to_owned()) } else { self.state().accounts.get(key).cloned() }
    }

    pub(crate) fn learn(&self, key: &str, account: &str) {
        self.state().accounts.insert(key.to_owned(), account.to_owned());
    }

    pub(crate) fn note(&self, call: &Call) -> String {
        let text = call.shown();
        self.state().calls.push(text.clone());
        text
    }

    pub(crate) fn keep(&self, exchange: impl FnOnce() -> Exchange) {
        let mut state = self.state();
        if let Some(exchanges) = &mut state.exchanges {
            exchanges.push(exchange());
        }
    }

    pub(crate) fn has_room(&self, call: &str, caller: &str, region: &str) -> bool {
        self.state().buckets.iter_mut().filter(|bucket| call.contains(&bucket.matches)).all(|bucket| bucket.take(caller, region))
    }

    pub(crate) fn fault(&self, call: &str) -> Option<Answer> {
        let mut state = self.state();
        let fault = state.faults.iter_mut().find(|fault| call.contains(&fault.matches) && fault.times != Some(0))?;
        fault.strikes().then(|| fault.answer.clone())
    }
}

fn is_write(call: &str) -> bool {
    let action = call.split(' ').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    // REST services name no action; some of their lists are asked for by POST.
    !["Describe", "List", "Get", "Assume", "Simulate", "GET", "POST:list", "POST:List", "POST:Get"]
        .iter()
        .any(|read| action.starts_with(read))
}
