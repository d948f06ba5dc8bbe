//! Which object of a kind is visited next: each object is in the queue once, is never visited twice at the same time, and the earliest time that was asked for counts.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// Objects that wait for a visit, and objects that are visited.
pub(super) struct Queue<K> {
    by_time: BTreeSet<(Instant, K)>,
    due: HashMap<K, Instant>,
    running: HashSet<K>,
}

impl<K: Clone + Ord + Hash> Queue<K> {
    /// An empty queue.
    pub fn new() -> Self {
        Self { by_time: BTreeSet::new(), due: HashMap::new(), running: HashSet::new() }
    }

    /// Asks for a visit at a time. An earlier one that was asked for stays.
    pub fn ask(&mut self, key: K, at: Instant) {
        match self.due.get(&key) {
            Some(held) if *held <= at => return,
            Some(held) => {
                self.by_time.remove(&(*held, key.clone()));
            }
            None => {}
        }
        self.due.insert(key.clone(), at);
        self.by_time.insert((at, key));
    }

    /// The object that is due first, if it is due now. It counts as visited until [`Queue::done`].
    pub fn take(&mut self, now: Instant) -> Option<K> {
        let (at, key) = self.first()?;
        if at > now {
            return None;
        }
        self.by_time.remove(&(at, key.clone()));
        self.due.remove(&key);
        self.running.insert(key.clone());
        Some(key)
    }

    /// When the next object is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.first().map(|(at, _)| at)
    }

    /// Ends a visit. What was asked for meanwhile stays, if it is earlier than the time that the visit asks for.
    pub fn done(&mut self, key: K, now: Instant, after: Option<Duration>) {
        self.running.remove(&key);
        // A wait longer than the clock can hold is a wait for an edit.
        if let Some(at) = after.and_then(|after| now.checked_add(after)) {
            self.ask(key, at);
        }
    }

    fn first(&self) -> Option<(Instant, K)> {
        self.by_time.iter().find(|(_, key)| !self.running.contains(key)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_earliest_time_counts_and_an_object_is_visited_once() {
        let (mut queue, start) = (Queue::new(), Instant::now());
        queue.ask("a", start + seconds(600));
        queue.ask("a", start + seconds(1));
        queue.ask("a", start + seconds(5));
        queue.ask("b", start + seconds(2));
        assert_eq!(queue.take(start), None, "nothing is due yet");
        assert_eq!(queue.next_due(), Some(start + seconds(1)));
        assert_eq!(queue.take(start + seconds(700)), Some("a"));
        assert_eq!(queue.take(start + seconds(700)), Some("b"));
        assert_eq!(queue.take(start + seconds(700)), None, "the later times of `a` are not visits of their own");
    }

    #[test]
    fn an_object_that_is_visited_waits_for_the_end_of_the_visit() {
        let (mut queue, start) = (Queue::new(), Instant::now());
        queue.ask("a", start);
        assert_eq!(queue.take(start), Some("a"));
        queue.ask("a", start);
        assert_eq!((queue.take(start), queue.next_due()), (None, None), "it is visited now");
        queue.done("a", start, Some(seconds(600)));
        assert_eq!(queue.take(start), Some("a"), "what changed during the visit is looked at");
        queue.done("a", start, Some(seconds(600)));
        assert_eq!(queue.next_due(), Some(start + seconds(600)));
        queue.take(start + seconds(600));
        queue.done("a", start, None);
        assert_eq!(queue.next_due(), None, "it waits for an edit");
    }
}
