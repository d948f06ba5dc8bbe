//! Request budgets, one for each thing that a cloud counts calls by: account and region on AWS, subscription and principal on Azure, paying
//! project and service on GCP. All adapters of a process share them, so that nobody's work overtakes another's wait.
//!
//! Under a key, clients take turns, however much work each has; calls start at a bounded rate; and as many run at once as the cloud takes
//! without throttling: one more after a round of good answers, half after a throttled one, never less than one. A wait that a cloud asked
//! for holds the whole key, and no other.
//!
//! Our own, since `governor` and its kind know a rate alone: no turns, no wait from outside, no concurrency that adapts.

mod key;
mod lane;
mod work;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures::future::select;
use tokio::sync::{Notify, oneshot};

use lane::{Answer, Lane, Next};

pub use key::Key;
pub use lane::Limits;
pub use work::{Tally, Work};

use crate::time::{now, until};
use crate::{CloudError, ErrorClass};

/// How long one call waits in all where a cloud asks to. Many windows are of a few seconds; whoever gave up at each would get through on no
/// day. Whoever waited longer would hold a place that others need.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Number of keys from which on those that are at rest are dropped.
const MANY: usize = 4096;

/// What happened on a cloud so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Calls that were answered.
    pub answered: u64,
    /// Calls that were throttled.
    pub throttled: u64,
    /// Calls that were refused for another reason.
    pub refused: u64,
    /// Calls without an answer.
    pub failed: u64,
    /// Time that calls waited for their turn.
    pub waited: Duration,
    /// Calls under way now.
    pub in_flight: u32,
    /// Keys that wait now because the cloud asked for it.
    pub held: u32,
}

/// All budgets of a process. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Budgets {
    inner: Arc<Inner>,
}

struct Inner {
    keys: Mutex<HashMap<Key, Arc<Shared>>>,
    figures: Mutex<BTreeMap<&'static str, Figures>>,
    patience: Duration,
}

impl Default for Budgets {
    fn default() -> Self {
        Self::with_patience(PATIENCE)
    }
}

impl Budgets {
    /// Budgets under which each call waits so long in all where a cloud asks to.
    #[must_use]
    pub fn with_patience(patience: Duration) -> Self {
        Self { inner: Arc::new(Inner { keys: Mutex::default(), figures: Mutex::default(), patience }) }
    }

    /// The budget of a key, with these limits from now on.
    #[must_use]
    pub fn of(&self, key: Key, limits: Limits) -> Budget {
        let shared = self.shared(key, limits);
        shared.lock().lane.set_limits(limits, now());
        Budget { shared, inner: self.inner.clone() }
    }

    /// Holds a key for as long as a cloud asked for, such as a wait that a process before this one was told.
    pub fn hold(&self, key: &Key, wait: Duration) {
        // Whoever calls under the key sets the limits.
        let shared = self.shared(key.clone(), Limits { per_second: 1.0, burst: 1, concurrency: 1 });
        shared.hold(wait);
    }

    fn shared(&self, key: Key, limits: Limits) -> Arc<Shared> {
        let mut keys = self.inner.keys.lock().expect("no panic while held");
        if keys.len() >= MANY && !keys.contains_key(&key) {
            keys.retain(|_, shared| Arc::strong_count(shared) > 1 || shared.lock().lane.held(now()).is_some());
        }
        keys.entry(key.clone()).or_insert_with(|| Arc::new(Shared::new(key, limits))).clone()
    }

    /// What happened so far, by cloud.
    #[must_use]
    pub fn figures(&self) -> BTreeMap<&'static str, Figures> {
        let mut figures = self.inner.figures.lock().expect("no panic while held").clone();
        for (key, shared) in self.inner.keys.lock().expect("no panic while held").iter() {
            let figures = figures.entry(key.cloud()).or_default();
            let state = shared.lock();
            figures.in_flight += state.lane.in_flight();
            figures.held += u32::from(state.lane.held(now()).is_some());
        }
        figures
    }
}

/// The budget of one key. Cheap to clone.
#[derive(Clone)]
pub struct Budget {
    shared: Arc<Shared>,
    inner: Arc<Inner>,
}

struct Shared {
    key: Key,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    lane: Lane,
    turns: Turns,
    is_serving: bool,
}

/// The cloud asked to wait longer than the work may: how much of it is left.
struct Held(Duration);

struct Waiting {
    // How long all waits of the key together may have been when this one is told to go.
    until: Duration,
    reply: oneshot::Sender<Result<Permit, Held>>,
}

/// Who waits, by client: each in its turn.
#[derive(Default)]
struct Turns(VecDeque<(String, VecDeque<Waiting>)>);

impl Turns {
    fn push(&mut self, client: &str, waiting: Waiting) {
        match self.0.iter_mut().find(|(name, _)| name == client) {
            Some((_, queue)) => queue.push_back(waiting),
            None => self.0.push_back((client.to_owned(), VecDeque::from([waiting]))),
        }
    }

    fn pop(&mut self) -> Option<Waiting> {
        let (client, mut queue) = self.0.pop_front()?;
        let next = queue.pop_front();
        if !queue.is_empty() {
            self.0.push_back((client, queue));
        }
        next
    }

    /// Takes out those that keep no longer; who has given up goes as well.
    fn take(&mut self, mut goes: impl FnMut(&Waiting) -> bool) -> Vec<Waiting> {
        let mut gone = Vec::new();
        for (_, queue) in &mut self.0 {
            for waiting in std::mem::take(queue) {
                if goes(&waiting) { gone.push(waiting) } else { queue.push_back(waiting) }
            }
        }
        self.0.retain(|(_, queue)| !queue.is_empty());
        gone
    }
}

impl Shared {
    fn new(key: Key, limits: Limits) -> Self {
        let state = State { lane: Lane::new(limits, now()), turns: Turns::default(), is_serving: false };
        Self { key, state: Mutex::new(state), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }

    fn hold(&self, wait: Duration) {
        let impatient = {
            let mut state = self.lock();
            state.lane.hold(wait, now());
            state.impatient()
        };
        tell(impatient);
        self.changed.notify_one();
    }

    /// Gives each its turn, until nobody waits any more.
    async fn serve(self: Arc<Self>) {
        loop {
            let next = {
                let mut state = self.lock();
                state.turns.take(|waiting| waiting.reply.is_closed());
                if state.turns.0.is_empty() {
                    state.is_serving = false;
                    return;
                }
                match state.lane.next(now()) {
                    // First the wait, then the choice: who comes meanwhile has a place in the round.
                    Next::Now => {
                        state.lane.start();
                        Err(state.turns.pop())
                    }
                    other => Ok(other),
                }
            };
            match next {
                // Of one who gave up just now, the place comes back when the permit is dropped.
                Err(Some(waiting)) => drop(waiting.reply.send(Ok(Permit::new(&self)))),
                Err(None) => self.lock().lane.give_back(),
                Ok(Next::At(at)) => {
                    select(pin!(until(at)), pin!(self.changed.notified())).await;
                }
                Ok(_) => self.changed.notified().await,
            }
        }
    }
}

impl State {
    /// Those that cannot wait as long as the cloud asks, with what is left of the wait.
    fn impatient(&mut self) -> Vec<(Waiting, Duration)> {
        let now = now();
        let Some(left) = self.lane.held(now) else { return Vec::new() };
        let in_all = self.lane.held_in_all(now) + left;
        self.turns.take(|waiting| waiting.until < in_all).into_iter().map(|waiting| (waiting, left)).collect()
    }
}

fn tell(impatient: Vec<(Waiting, Duration)>) {
    for (waiting, left) in impatient {
        // Who has given up meanwhile need not be told.
        let _ = waiting.reply.send(Err(Held(left)));
    }
}

impl Budget {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.shared.key
    }

    /// What is left of a wait that the cloud asked for.
    #[must_use]
    pub fn held(&self) -> Option<Duration> {
        self.shared.lock().lane.held(now())
    }

    /// Calls that may be made at the same time now.
    #[must_use]
    pub fn concurrency(&self) -> u32 {
        self.shared.lock().lane.concurrency()
    }

    /// Waits for the turn of a client. Waits that the cloud asks for are taken off `patience`; one that is longer is not waited for.
    async fn turn(&self, client: &str, patience: &mut Duration) -> Result<Permit, Held> {
        let began = now();
        let (receiver, held_before) = {
            let mut state = self.shared.lock();
            if let Some(left) = state.lane.held(began).filter(|left| *left > *patience) {
                return Err(Held(left));
            }
            if state.turns.0.is_empty() && state.lane.next(began) == Next::Now {
                state.lane.start();
                return Ok(Permit::new(&self.shared));
            }
            let (reply, receiver) = oneshot::channel();
            let held_before = state.lane.held_in_all(began);
            state.turns.push(client, Waiting { until: held_before + *patience, reply });
            if !std::mem::replace(&mut state.is_serving, true) {
                tokio::spawn(self.shared.clone().serve());
            }
            (receiver, held_before)
        };
        // The sender is dropped only with the runtime.
        let turn = receiver.await.unwrap_or(Err(Held(Duration::ZERO)));
        let ended = now();
        let held = self.shared.lock().lane.held_in_all(ended).saturating_sub(held_before);
        *patience = patience.saturating_sub(held);
        self.inner.count(self.key(), |figures| figures.waited += ended - began);
        turn
    }
}

impl Inner {
    fn count(&self, key: &Key, count: impl FnOnce(&mut Figures)) {
        count(self.figures.lock().expect("no panic while held").entry(key.cloud()).or_default());
    }
}

impl Figures {
    fn call<T>(&mut self, answer: &crate::Result<T>) {
        let counter = match answer.as_ref().map_err(|error| error.class) {
            Ok(_) => &mut self.answered,
            Err(ErrorClass::Throttled(_)) => &mut self.throttled,
            Err(ErrorClass::Unreachable) => &mut self.failed,
            Err(_) => &mut self.refused,
        };
        *counter += 1;
    }
}

/// The place of one call.
struct Permit {
    shared: Arc<Shared>,
    started: Option<Instant>,
    is_over: bool,
}

impl Permit {
    fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: shared.clone(), started: None, is_over: false }
    }

    /// The call is made now.
    fn begin(&mut self) {
        self.started = Some(now());
    }

    fn end(mut self, answer: Answer) {
        self.is_over = true;
        let impatient = {
            let mut state = self.shared.lock();
            let now = now();
            state.lane.end(self.started.unwrap_or(now), now, answer);
            state.impatient()
        };
        tell(impatient);
        self.shared.changed.notify_one();
    }
}

impl Drop for Permit {
    /// Whoever lets go of a call in the middle has learned nothing.
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        {
            let mut state = self.shared.lock();
            match self.started {
                None => state.lane.give_back(),
                Some(started) => state.lane.end(started, now(), Answer::None),
            }
        }
        self.shared.changed.notify_one();
    }
}

fn asked_to_wait(operation: &str, left: Duration) -> CloudError {
    // Rounded up: the caller counts in whole seconds, and one too few would be one call too early.
    let left = Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0));
    let message = format!("the cloud asked to wait, {} s are left", left.as_secs());
    CloudError::new(ErrorClass::Throttled(Some(left)), operation, message)
}

#[cfg(test)]
mod tests;
