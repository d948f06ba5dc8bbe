use super::*;

use std::sync::atomic::{AtomicU32, Ordering};

use crate::Result;
use crate::time::paused::{run, sleep, timeout};

const FREE: Limits = Limits { per_second: 1e6, burst: 1000, concurrency: 1000 };

fn throttled(after: Option<u64>) -> CloudError {
    CloudError::new(ErrorClass::Throttled(after.map(Duration::from_secs)), "list", "slow down")
}

fn calls_a_second(per_second: f64) -> Limits {
    Limits { per_second, burst: 2, concurrency: 1000 }
}

fn since(began: Instant) -> Duration {
    now() - began
}

async fn call(work: &Work, budget: &Budget) -> Result<()> {
    work.call(budget, "list", || async { Ok(()) }).await
}

#[tokio::test]
async fn clients_take_turns_at_the_pace_however_much_work_each_has() {
    run(async {
        let budget = Budgets::default().of(Key::gcp("quota", "cloudasset"), calls_a_second(10.0));
        let order = Arc::new(Mutex::new(Vec::new()));
        let began = now();
        let mut tasks = Vec::new();
        for client in ["big", "big", "big", "big", "big", "big", "big", "small", "tiny"] {
            let (budget, order) = (budget.clone(), order.clone());
            tasks.push(tokio::spawn(async move {
                call(&Work::once(client), &budget).await.unwrap();
                order.lock().unwrap().push(client);
            }));
            tokio::task::yield_now().await;
        }
        for task in tasks {
            task.await.unwrap();
        }
        let order = order.lock().unwrap().clone();
        let place = |client: &str| order.iter().position(|found| *found == client).unwrap();
        assert!(place("small") <= 4 && place("tiny") <= 4, "{order:?}");
        let took = since(began);
        assert!(
            took >= Duration::from_millis(700) && took < Duration::from_millis(720),
            "nine calls, two at once, then one in 100 ms: {took:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn who_gives_up_takes_no_place() {
    run(async {
        let budget = Budgets::default().of(Key::aws("1", "r"), Limits { burst: 1, ..calls_a_second(10.0) });
        call(&Work::once("one"), &budget).await.unwrap();
        let given_up = timeout(Duration::from_millis(1), call(&Work::once("one"), &budget)).await;
        assert!(given_up.is_none());
        let began = now();
        call(&Work::once("two"), &budget).await.unwrap();
        assert!(since(began) <= Duration::from_millis(101), "one place of 100 ms, not two: {:?}", since(began));
    })
    .await;
}

#[tokio::test]
async fn a_call_that_is_dropped_in_the_middle_gives_its_place_back() {
    run(async {
        let budget = Budgets::default().of(Key::aws("1", "r"), Limits { concurrency: 1, ..FREE });
        let work = Work::once("one");
        let hung = work.call(&budget, "list", || async {
            sleep(Duration::from_secs(3600)).await;
            Ok(())
        });
        assert!(timeout(Duration::from_secs(1), hung).await.is_none());
        timeout(Duration::from_secs(1), call(&work, &budget)).await.expect("the place is free").unwrap();
    })
    .await;
}

#[tokio::test]
async fn no_more_calls_run_at_once_than_the_budget_allows() {
    run(async {
        let budget = Budgets::default().of(Key::aws("1", "r"), Limits { concurrency: 3, ..FREE });
        let (now, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let tasks = (0..30).map(|_| {
            let (budget, now, most) = (budget.clone(), now.clone(), most.clone());
            tokio::spawn(async move {
                let work = Work::once("one");
                let made = work.call(&budget, "list", || async {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    sleep(Duration::from_millis(10)).await;
                    now.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                });
                made.await.unwrap();
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 3);
    })
    .await;
}

#[tokio::test]
async fn a_long_wait_holds_the_whole_key_and_no_other() {
    run(async {
        let budgets = Budgets::default();
        let (held, other) = (budgets.of(Key::azure("a", "us"), FREE), budgets.of(Key::azure("b", "us"), FREE));
        let tally = Tally::default();
        let calls = AtomicU32::new(0);
        let work = tally.work("client");
        let refused = work.call(&held, "list", || async {
            calls.fetch_add(1, Ordering::SeqCst);
            Err::<(), _>(throttled(Some(1200)))
        });
        assert_eq!(refused.await.unwrap_err().class, ErrorClass::Throttled(Some(Duration::from_secs(1200))));
        sleep(Duration::from_secs(100)).await;
        // Another piece of work under the key is told without a call; other keys go on.
        let error = call(&tally.work("another"), &held).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Throttled(Some(Duration::from_secs(1100))));
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        call(&work, &other).await.unwrap();
        assert_eq!(tally.usage().held, [crate::usage::HeldKey { key: "azure/a/us".into(), left: Duration::from_secs(1100) }]);
        sleep(Duration::from_secs(1100)).await;
        call(&work, &held).await.unwrap();
        assert!(tally.usage().held.is_empty());
    })
    .await;
}

#[tokio::test]
async fn who_waits_for_a_turn_is_told_when_the_key_is_held_for_longer_than_its_patience() {
    run(async {
        let budgets = Budgets::default();
        let budget = budgets.of(Key::aws("1", "r"), Limits { concurrency: 1, ..FREE });
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let budget = budget.clone();
                tokio::spawn(async move {
                    let slow = || async {
                        sleep(Duration::from_secs(5)).await;
                        Err::<(), _>(throttled(Some(600)))
                    };
                    Tally::default().work("one").call(&budget, "list", slow).await
                })
            })
            .collect();
        let began = now();
        for task in waiting {
            assert!(matches!(task.await.unwrap().unwrap_err().class, ErrorClass::Throttled(Some(_))));
        }
        assert_eq!(since(began).as_secs(), 5, "nobody stands in the line for ten minutes");
        assert_eq!(budgets.figures()["aws"].throttled, 1);
    })
    .await;
}

#[tokio::test]
async fn a_wait_of_a_process_before_this_one_is_kept() {
    run(async {
        let budgets = Budgets::default();
        budgets.hold(&Key::from_text("gcp/quota/cloudasset"), Duration::from_secs(1200));
        let budget = budgets.of(Key::gcp("quota", "cloudasset"), FREE);
        assert!(call(&Tally::default().work("one"), &budget).await.is_err());
        assert_eq!(budgets.figures()["gcp"], Figures { held: 1, ..Figures::default() }, "nothing was called");
        sleep(Duration::from_secs(1200)).await;
        call(&Work::once("one"), &budget).await.unwrap();
        assert_eq!(budgets.figures()["gcp"].answered, 1);
    })
    .await;
}

#[tokio::test]
async fn short_waits_are_waited_for_as_long_as_the_patience_lasts() {
    run(async {
        let budget = Budgets::default().of(Key::aws("1", "r"), FREE);
        for (answers, after, expected) in [(5_u32, Some(7), 6), (u32::MAX, Some(0), 61), (u32::MAX, Some(7), 9)] {
            let calls = AtomicU32::new(0);
            let tally = Tally::default();
            let work = tally.work("one");
            let answer = work.call(&budget, "list", || async {
                if calls.fetch_add(1, Ordering::SeqCst) < answers { Err(throttled(after)) } else { Ok(()) }
            });
            assert_eq!(answer.await.is_ok(), answers == 5, "{after:?}");
            assert_eq!(calls.load(Ordering::SeqCst), expected, "{after:?}");
            assert_eq!(tally.usage().calls, u64::from(expected));
            sleep(Duration::from_secs(60)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn half_of_all_calls_throttled_ends_with_nothing_lost() {
    run(async {
        let budget = Budgets::default().of(Key::aws("1", "r"), Limits { per_second: 20.0, burst: 10, concurrency: 8 });
        let number = Arc::new(AtomicU32::new(0));
        let tally = Tally::default();
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let (budget, number, work) = (budget.clone(), number.clone(), tally.work("one"));
                tokio::spawn(async move {
                    let page = || async {
                        sleep(Duration::from_millis(20)).await;
                        if number.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) { Err(throttled(None)) } else { Ok(()) }
                    };
                    work.call(&budget, "list", page).await
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().expect("each gets through");
        }
        let usage = tally.usage();
        assert_eq!((usage.calls, usage.throttled), (u64::from(number.load(Ordering::SeqCst)), usage.calls.div_ceil(2)));
        assert!(usage.concurrency >= 1);
    })
    .await;
}

/// A cloud with a bucket of its own that fills at a rate which nobody tells.
struct Bucket {
    tokens: f64,
    filled: Instant,
    rate: f64,
}

#[tokio::test]
async fn a_rate_that_nobody_tells_is_found() {
    run(async {
        let budgets = Budgets::default();
        let budget = budgets.of(Key::aws("1", "r"), Limits { per_second: 20.0, burst: 10, concurrency: 8 });
        let bucket = Arc::new(Mutex::new(Bucket { tokens: 10.0, filled: now(), rate: 8.0 }));
        let tally = Tally::default();
        let began = now();
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (budget, bucket, tally) = (budget.clone(), bucket.clone(), tally.clone());
                tokio::spawn(async move {
                    for _ in 0..50 {
                        let page = || async {
                            sleep(Duration::from_millis(30)).await;
                            let mut bucket = bucket.lock().unwrap();
                            bucket.tokens = (bucket.tokens + since(bucket.filled).as_secs_f64() * bucket.rate).min(10.0);
                            bucket.filled = now();
                            if bucket.tokens < 1.0 {
                                return Err(throttled(None));
                            }
                            bucket.tokens -= 1.0;
                            Ok(())
                        };
                        tally.work("one").call(&budget, "list", page).await.expect("each gets through");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let usage = tally.usage();
        let allowed = (400.0 - 10.0) / 8.0;
        let ratio = since(began).as_secs_f64() / allowed;
        assert!(ratio < 1.2, "{ratio}: the cloud would have given them in {allowed} s");
        assert!(usage.throttled * 10 < usage.calls, "{usage:?}");
    })
    .await;
}

#[tokio::test]
async fn of_two_budgets_the_blamed_one_waits() {
    run(async {
        let budgets = Budgets::default();
        let (subscription, principal) = (budgets.of(Key::azure("a", "us"), FREE), budgets.of(Key::azure("graph", "us"), FREE));
        let work = Tally::default().work("one");
        let answer = work.call_under(&[&subscription, &principal], "list", || async { Err::<(), _>(throttled(Some(900))) }, |_| 1).await;
        assert!(answer.is_err());
        assert_eq!((subscription.held(), principal.held()), (None, Some(Duration::from_secs(900))));
        let answer = work.call_under(&[&subscription, &principal], "list", || async { Ok(()) }, |_| 1).await;
        assert!(answer.is_err(), "both are needed");
        assert_eq!(budgets.figures()["azure"].in_flight, 0, "the first one's place was given back");
    })
    .await;
}

#[tokio::test]
async fn keys_at_rest_are_dropped_and_waits_are_not() {
    run(async {
        let budgets = Budgets::default();
        budgets.hold(&Key::aws("held", "r"), Duration::from_secs(3600));
        let used = budgets.of(Key::aws("used", "r"), FREE);
        for number in 0..2 * MANY {
            call(&Work::once("one"), &budgets.of(Key::aws(&number.to_string(), "r"), FREE)).await.unwrap();
        }
        assert!(budgets.inner.keys.lock().unwrap().len() <= MANY);
        assert_eq!(budgets.figures()["aws"].held, 1);
        call(&Work::once("one"), &used).await.unwrap();
    })
    .await;
}
