//! Work under budgets: what it is for, how many calls it made, and how patient it is.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Answer, Budget, Held, Key, Permit, asked_to_wait};
use crate::usage::{HeldKey, Usage};
use crate::{CloudError, ErrorClass, Result};

/// What a throttled call costs of the patience at least, so that an endless row of short waits ends: where the cloud named a wait, and where it
/// did not.
const LEAST_WAIT: Duration = Duration::from_secs(1);
const UNNAMED_WAIT: Duration = Duration::from_secs(5);
/// How long work that does not wait for itself stands behind the waits that others have brought about.
const SHORT: Duration = Duration::from_secs(10);
/// Most keys that a usage names.
const MAX_HELD: usize = 20;

/// What many pieces of work used together, such as all cells of a reading. Cheap to clone; clones are the same.
#[derive(Clone, Default)]
pub struct Tally {
    inner: Arc<Sums>,
}

#[derive(Default)]
struct Sums {
    calls: AtomicU64,
    throttled: AtomicU64,
    budgets: Mutex<BTreeMap<Key, Budget>>,
}

impl Tally {
    /// A piece of work of this client, with patience, that is counted here.
    #[must_use]
    pub fn work(&self, client: &str) -> Work {
        Work { client: client.to_owned(), tally: self.clone(), calls: AtomicU32::new(0), is_patient: true }
    }

    fn note(&self, budgets: &[&Budget]) {
        self.inner.calls.fetch_add(1, Ordering::Relaxed);
        let mut known = self.inner.budgets.lock().expect("no panic while held");
        for budget in budgets {
            if !known.contains_key(budget.key()) {
                known.insert(budget.key().clone(), (*budget).clone());
            }
        }
    }

    /// What was used so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let budgets = self.inner.budgets.lock().expect("no panic while held");
        let held = budgets.values().filter_map(|budget| Some(HeldKey { key: budget.key().to_string(), left: budget.held()? }));
        let mut held: Vec<HeldKey> = held.collect();
        held.sort_by(|a, b| (b.left, &a.key).cmp(&(a.left, &b.key)));
        held.truncate(MAX_HELD);
        Usage {
            calls: self.inner.calls.load(Ordering::Relaxed),
            throttled: self.inner.throttled.load(Ordering::Relaxed),
            concurrency: budgets.values().map(Budget::concurrency).min().unwrap_or_default(),
            held,
        }
    }
}

/// One piece of work, such as the reading of a cell.
pub struct Work {
    client: String,
    tally: Tally,
    calls: AtomicU32,
    is_patient: bool,
}

impl Work {
    /// Work of this client that is part of nothing larger and comes again by itself: it waits for its turn, but makes no call twice.
    #[must_use]
    pub fn once(client: &str) -> Self {
        Self { is_patient: false, ..Tally::default().work(client) }
    }

    /// Calls that were made so far.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Makes a call under a budget, and the same call again after each wait that the cloud asks for, as long as the patience lasts. Each call
    /// that gets through is progress, so the next one has all of it again.
    ///
    /// # Errors
    /// The call's own, or one of class [`ErrorClass::Throttled`] without a call where the key is held for longer.
    pub async fn call<T, F>(&self, budget: &Budget, operation: &str, make: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        self.call_under(&[budget], operation, make, |_| 0).await
    }

    /// The same under several budgets at once, which must be given in the same order everywhere. `blamed` says which of them an answer of
    /// class [`ErrorClass::Throttled`] is about.
    ///
    /// # Errors
    /// As [`Work::call`].
    pub async fn call_under<T, F>(
        &self,
        budgets: &[&Budget],
        operation: &str,
        make: impl Fn() -> F,
        blamed: impl Fn(&CloudError) -> usize,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let all = budgets.first().map(|budget| budget.inner.patience).unwrap_or_default();
        let mut patience = if self.is_patient { all } else { all.min(SHORT) };
        loop {
            let mut permits = self.turns(budgets, &mut patience).await.map_err(|Held(left)| asked_to_wait(operation, left))?;
            permits.iter_mut().for_each(Permit::begin);
            self.calls.fetch_add(1, Ordering::Relaxed);
            self.tally.note(budgets);
            let answer = make().await;
            let throttled = match &answer {
                Err(error) => match error.class {
                    ErrorClass::Throttled(asked) => Some((blamed(error).min(budgets.len().saturating_sub(1)), asked)),
                    _ => None,
                },
                Ok(_) => None,
            };
            let no_answer = answer.as_ref().is_err_and(|error| error.class == ErrorClass::Unreachable);
            for (at, permit) in permits.into_iter().enumerate() {
                permit.end(match throttled {
                    Some((blamed, asked)) if blamed == at => Answer::Throttled(asked),
                    None if no_answer => Answer::None,
                    // It got through the others' limits.
                    _ => Answer::Came,
                });
            }
            if let Some(budget) = budgets.first() {
                budget.inner.count(budget.key(), |figures| figures.call(&answer));
            }
            let Some((blamed, asked)) = throttled else { return answer };
            self.tally.inner.throttled.fetch_add(1, Ordering::Relaxed);
            let held = budgets[blamed].held().unwrap_or_default();
            // The wait itself is taken off while it lasts.
            let least = if asked.is_some() { LEAST_WAIT } else { UNNAMED_WAIT }.saturating_sub(held);
            match patience.checked_sub(least) {
                Some(rest) if self.is_patient && held <= rest => patience = rest,
                _ => return answer,
            }
        }
    }

    async fn turns(&self, budgets: &[&Budget], patience: &mut Duration) -> std::result::Result<Vec<Permit>, Held> {
        let mut permits = Vec::with_capacity(budgets.len());
        for budget in budgets {
            permits.push(budget.turn(&self.client, patience).await?);
        }
        Ok(permits)
    }
}
