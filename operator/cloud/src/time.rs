//! The clock of budgets: this machine's, or in tests one that jumps whenever nothing else can go on. Tokio's own paused clock is behind a
//! feature that would have every SDK built twice.

#[cfg(test)]
pub use paused::{now, until};
#[cfg(not(test))]
pub use real::{now, until};

#[cfg(not(test))]
mod real {
    use std::time::Instant;

    /// The time now.
    pub fn now() -> Instant {
        Instant::now()
    }

    /// Waits until this time.
    pub async fn until(at: Instant) {
        tokio::time::sleep_until(at.into()).await;
    }
}

#[cfg(test)]
pub mod paused {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};
    use std::time::{Duration, Instant};

    use futures::future::{Either, select};

    /// Rounds of the runtime after which nothing is left that could go on.
    const ROUNDS: usize = 50;

    struct Clock {
        now: Instant,
        sleepers: BTreeMap<(Instant, u64), Waker>,
        made: u64,
    }

    thread_local! {
        // A test has a runtime of one thread.
        static CLOCK: RefCell<Clock> = RefCell::new(Clock { now: Instant::now(), sleepers: BTreeMap::new(), made: 0 });
    }

    /// The time now.
    pub fn now() -> Instant {
        CLOCK.with_borrow(|clock| clock.now)
    }

    struct Sleep {
        at: Instant,
        number: u64,
    }

    impl Future for Sleep {
        type Output = ();

        fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            CLOCK.with_borrow_mut(|clock| {
                if self.at <= clock.now {
                    return Poll::Ready(());
                }
                clock.sleepers.insert((self.at, self.number), context.waker().clone());
                Poll::Pending
            })
        }
    }

    impl Drop for Sleep {
        fn drop(&mut self) {
            CLOCK.with_borrow_mut(|clock| clock.sleepers.remove(&(self.at, self.number)));
        }
    }

    /// Waits until this time.
    pub fn until(at: Instant) -> impl Future<Output = ()> {
        let number = CLOCK.with_borrow_mut(|clock| {
            clock.made += 1;
            clock.made
        });
        Sleep { at, number }
    }

    /// Waits.
    pub async fn sleep(time: Duration) {
        until(now() + time).await;
    }

    /// What comes in time.
    pub async fn timeout<T>(time: Duration, act: impl Future<Output = T>) -> Option<T> {
        match select(pin!(act), pin!(sleep(time))).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(_) => None,
        }
    }

    /// Runs a test: time jumps to the next sleeper whenever nothing else can go on.
    pub async fn run<T>(test: impl Future<Output = T>) -> T {
        let jumps = async {
            loop {
                for _ in 0..ROUNDS {
                    tokio::task::yield_now().await;
                }
                CLOCK.with_borrow_mut(|clock| {
                    let Some(((at, _), _)) = clock.sleepers.first_key_value() else { return };
                    clock.now = clock.now.max(*at);
                    while let Some(due) = clock.sleepers.first_entry().filter(|due| due.key().0 <= clock.now) {
                        due.remove().wake();
                    }
                });
            }
        };
        match select(pin!(test), pin!(jumps)).await {
            Either::Left((done, _)) => done,
            Either::Right((never, _)) => never,
        }
    }
}
