//! A fair pace: calls that one project pays for are made at a steady rate, and clients take turns, however many projects each has.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

type Waiting = VecDeque<(String, VecDeque<oneshot::Sender<()>>)>;

/// The pace of one paying project.
#[derive(Debug)]
pub struct Pacer {
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next: Instant,
    waiting: Waiting,
    is_serving: bool,
}

impl Pacer {
    /// So many calls a minute, evenly spread. At least one.
    #[must_use]
    pub fn per_minute(calls: u32) -> Arc<Self> {
        let state = State { next: Instant::now(), waiting: Waiting::new(), is_serving: false };
        Arc::new(Self { interval: Duration::from_secs(60) / calls.max(1), state: Mutex::new(state) })
    }

    /// Waits for the turn of `client`.
    pub async fn turn(self: &Arc<Self>, client: &str) {
        let (sender, receiver) = oneshot::channel();
        let must_serve = {
            let mut state = self.state.lock().expect("no panic while held");
            match state.waiting.iter_mut().find(|(name, _)| name == client) {
                Some((_, queue)) => queue.push_back(sender),
                None => state.waiting.push_back((client.to_owned(), VecDeque::from([sender]))),
            }
            !std::mem::replace(&mut state.is_serving, true)
        };
        if must_serve {
            let pacer = self.clone();
            tokio::spawn(async move { pacer.serve().await });
        }
        // The sender is dropped only with the runtime.
        let _ = receiver.await;
    }

    async fn serve(&self) {
        loop {
            let next = self.state.lock().expect("no panic while held").next;
            // First the wait, then the choice: who comes meanwhile has a place in the round.
            tokio::time::sleep_until(next).await;
            let mut state = self.state.lock().expect("no panic while held");
            let Some((client, mut queue)) = state.waiting.pop_front() else {
                state.is_serving = false;
                return;
            };
            let chosen = queue.pop_front();
            if !queue.is_empty() {
                state.waiting.push_back((client, queue));
            }
            // Who has given up takes no place.
            if chosen.is_some_and(|sender| sender.send(()).is_ok()) {
                // A timer that was late by less than one interval is made up for, and no more: that would be a burst.
                let earliest = Instant::now().checked_sub(self.interval).unwrap_or(state.next);
                state.next = state.next.max(earliest) + self.interval;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn clients_take_turns_at_the_pace() {
        let pacer = Pacer::per_minute(1_200);
        let order = Arc::new(Mutex::new(Vec::new()));
        let began = Instant::now();
        let mut tasks = Vec::new();
        for client in ["big", "big", "big", "big", "big", "small", "tiny"] {
            let (pacer, order) = (pacer.clone(), order.clone());
            tasks.push(tokio::spawn(async move {
                pacer.turn(client).await;
                order.lock().unwrap().push(client);
            }));
            tokio::task::yield_now().await;
        }
        for task in tasks {
            task.await.unwrap();
        }
        let order = order.lock().unwrap().clone();
        let place = |client: &str| order.iter().position(|found| *found == client).unwrap();
        assert!(place("small") <= 3 && place("tiny") <= 3, "{order:?}");
        assert!(began.elapsed() >= Duration::from_millis(300), "seven calls, one in 50 ms, the first at once: {:?}", began.elapsed());
    }

    #[tokio::test]
    async fn who_gives_up_takes_no_place() {
        let pacer = Pacer::per_minute(600);
        pacer.turn("one").await;
        let given_up = tokio::time::timeout(Duration::from_millis(1), pacer.turn("one")).await;
        assert!(given_up.is_err());
        let began = Instant::now();
        pacer.turn("two").await;
        assert!(began.elapsed() < Duration::from_millis(190), "one place of 100 ms, not two: {:?}", began.elapsed());
    }
}
