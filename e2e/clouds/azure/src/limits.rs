//! The buckets that Azure counts with: reads of one subscription by one principal in a bucket that fills steadily, and queries of Resource Graph by one
//! principal in windows. Sources: Microsoft's pages "Understand how Azure Resource Manager throttles requests" and "Guidance for throttled requests in Azure
//! Resource Graph".

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::reply::Reply;

/// What Azure grants, and what was used of it.
#[derive(Clone, Debug)]
pub struct Limits {
    reads: u32,
    reads_per_second: f64,
    queries: u32,
    window: Duration,
    buckets: HashMap<(String, String), (f64, Instant)>,
    windows: HashMap<String, (u32, Instant)>,
    refused: usize,
}

impl Limits {
    /// So many reads at once with so many more a second, and so many queries in each window.
    #[must_use]
    pub fn new((reads, reads_per_second): (u32, f64), (queries, window): (u32, Duration)) -> Self {
        Self { reads, reads_per_second, queries, window, buckets: HashMap::new(), windows: HashMap::new(), refused: 0 }
    }

    /// As Azure's public cloud grants them: 250 reads, 25 a second; 15 queries in 5 seconds.
    #[must_use]
    pub fn public() -> Self {
        Self::new((250, 25.0), (15, Duration::from_secs(5)))
    }

    /// Calls that found their bucket empty so far.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.refused
    }

    /// Counts a query: how many are left in the window and when it ends, or the refusal.
    pub(crate) fn query(&mut self, principal: &str) -> Result<(u32, Duration), Reply> {
        let now = Instant::now();
        let (used, since) = self.windows.entry(principal.to_owned()).or_insert((0, now));
        if now.duration_since(*since) >= self.window {
            (*used, *since) = (0, now);
        }
        let left = self.window.saturating_sub(now.duration_since(*since));
        if *used >= self.queries {
            self.refused += 1;
            let reply = Reply::error(429, "RateLimiting", "Please provide below info when asking for support: the rate limit was reached.");
            return Err(quota(reply, (0, left)).with("retry-after", left.as_secs_f64().ceil().max(1.0).to_string()));
        }
        *used += 1;
        Ok((self.queries - *used, left))
    }

    /// Counts a read of a subscription: how many are left, or the refusal.
    pub(crate) fn read(&mut self, subscription: &str, principal: &str) -> Result<u32, Reply> {
        let (now, most) = (Instant::now(), f64::from(self.reads));
        let (held, since) = self.buckets.entry((subscription.to_owned(), principal.to_owned())).or_insert((most, now));
        *held = (*held + now.duration_since(*since).as_secs_f64() * self.reads_per_second).min(most);
        *since = now;
        if *held < 1.0 {
            self.refused += 1;
            let seconds = ((1.0 - *held) / self.reads_per_second).ceil().max(1.0);
            let reply =
                Reply::error(429, "SubscriptionRequestsThrottled", "Number of requests exceeded the limit. Please try again later.");
            return Err(reply.with("retry-after", seconds.to_string()).with("x-ms-ratelimit-remaining-subscription-reads", "0"));
        }
        *held -= 1.0;
        Ok(held.floor() as u32)
    }
}

/// The headers by which Resource Graph tells what is left.
pub(crate) fn quota(reply: Reply, (left, resets): (u32, Duration)) -> Reply {
    let seconds = resets.as_secs_f64().ceil() as u64;
    reply.with("x-ms-user-quota-remaining", left.to_string()).with("x-ms-user-quota-resets-after", format!("00:00:{seconds:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_takes_so_many_queries_of_each_principal_and_begins_anew() {
        let mut limits = Limits::new((1, 1.0), (2, Duration::from_millis(50)));
        assert_eq!(limits.query("a").unwrap().0, 1);
        assert_eq!(limits.query("a").unwrap().0, 0);
        let refusal = limits.query("a").unwrap_err();
        assert_eq!((refusal.status, limits.refused()), (429, 1));
        assert!(refusal.headers.contains(&("retry-after", "1".into())), "{refusal:?}");
        assert!(limits.query("b").is_ok(), "another principal has its own");
        std::thread::sleep(Duration::from_millis(60));
        assert!(limits.query("a").is_ok());
    }

    #[test]
    fn a_bucket_of_reads_fills_steadily_for_each_subscription() {
        let mut limits = Limits::new((2, 20.0), (1, Duration::from_secs(1)));
        assert_eq!((limits.read("s", "a").unwrap(), limits.read("s", "a").unwrap()), (1, 0));
        assert_eq!(limits.read("s", "a").unwrap_err().status, 429);
        assert!(limits.read("t", "a").is_ok() && limits.read("s", "b").is_ok(), "others have their own");
        std::thread::sleep(Duration::from_millis(70));
        assert!(limits.read("s", "a").is_ok());
    }
}
