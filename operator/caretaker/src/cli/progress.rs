//! Says that work goes on, for anything longer than two seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use caretaker_bundle::Stage;

use super::output::bytes;

const EVERY: Duration = Duration::from_secs(2);

/// What is done, shared with the thread that tells it.
#[derive(Default)]
struct State {
    stopped: AtomicBool,
    stage: AtomicU8,
    done: AtomicU64,
    all: AtomicU64,
}

impl State {
    fn line(&self, elapsed: Duration) -> String {
        let what = match self.stage.load(Relaxed) {
            0 => return format!("… {} s", elapsed.as_secs()),
            1 => "checking the signature",
            _ => "reading the bag",
        };
        let (done, all) = (self.done.load(Relaxed), self.all.load(Relaxed));
        format!("… {what}: {} of {}, {} s", bytes(done), bytes(all), elapsed.as_secs())
    }
}

/// Prints a line to standard error every two seconds until it is dropped.
pub struct Ticker(Arc<State>);

impl Ticker {
    /// Starts to count.
    pub fn start() -> Self {
        let state = Arc::new(State::default());
        let (told, began) = (state.clone(), Instant::now());
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(EVERY);
                if told.stopped.load(Relaxed) {
                    return;
                }
                eprintln!("{}", told.line(began.elapsed()));
            }
        });
        Self(state)
    }

    /// What a verifier tells its progress to.
    pub fn progress(&self) -> impl Fn(Stage, u64, u64) {
        let state = self.0.clone();
        move |stage, done, all| {
            state.stage.store(if stage == Stage::Signature { 1 } else { 2 }, Relaxed);
            state.done.store(done, Relaxed);
            state.all.store(all, Relaxed);
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.0.stopped.store(true, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_done() {
        let ticker = Ticker::start();
        assert_eq!(ticker.0.line(Duration::from_secs(2)), "… 2 s");
        ticker.progress()(Stage::Signature, 1 << 29, 1 << 30);
        assert_eq!(ticker.0.line(Duration::from_secs(4)), "… checking the signature: 512.0 MiB of 1.0 GiB, 4 s");
        ticker.progress()(Stage::Contents, 1, 2);
        assert_eq!(ticker.0.line(Duration::from_secs(6)), "… reading the bag: 1 B of 2 B, 6 s");
    }
}
