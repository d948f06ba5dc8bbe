//! Reads a day's samples out of a client's Prometheus.
//!
//! They are asked for as they were taken, by range selectors: what `query_range` answers repeats the last sample for five minutes, in which nothing is known.
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/>, <https://prometheus.io/docs/prometheus/latest/querying/basics/>.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use caretaker_api::service_level::UptimeSource;
use caretaker_core::monitoring_stack::{Answer, MACHINES_JOB, PUBLIC_JOB};
use caretaker_core::service_level::day::{self, INTERVAL, MOST, Target};
use caretaker_core::service_level::{RawDay, Sampled, Span, start_of_day};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::monitoring_stack::Pods;

/// Bytes that an answer is meant to have: somewhat less than the longest one that is taken.
const BYTES: i64 = 5 << 20;
/// Bytes of a target's labels and of one sample, about.
const OF_TARGET: (i64, i64) = (400, 24);
/// Fewest and most seconds that one question is about.
const CHUNKS: (i64, i64) = (300, 6 * 3600);
/// Seconds after its start from which Prometheus knows its targets: it looks for them every five. Before, each of them would seem to be taken out.
const STARTS: i64 = 30;
/// Seconds of a day.
const DAY: i64 = 86_400;

/// Metric and job of each measurement.
const SOURCES: [(UptimeSource, &str, &str); 2] =
    [(UptimeSource::Machines, "up", MACHINES_JOB), (UptimeSource::PublicAddresses, "probe_success", PUBLIC_JOB)];

/// The measurements of a UTC day. `before` is the last day before it that is kept.
///
/// # Errors
/// Prometheus did not answer as it should; without addresses, which change with each pod.
pub async fn day(pods: &Pods, at: SocketAddr, date: Date, before: Option<&RawDay>, now: Timestamp) -> Answer<RawDay> {
    let from = start_of_day(date, &TimeZone::UTC);
    let span = Span(from, from + DAY);
    let runtime: Data<Runtime> = pods.get(at, "api/v1/status/runtimeinfo").await?;
    if now.as_second() < runtime.data.start_time.as_second() + STARTS {
        return Err(format!("Prometheus started less than {STARTS} s ago and may not know its targets yet"));
    }
    let active = active(pods, at).await?;
    let mut series: Found = BTreeMap::new();
    for (source, metric, job) in SOURCES {
        // A range begins after its first moment: one second more is asked for.
        let (mut begin, end) = (span.0 - MOST - 1, span.1 + MOST);
        let mut chunk = chunk(active.iter().filter(|(known, _)| *known == source).count());
        while begin < end {
            let until = (begin + chunk).min(end);
            match samples(pods, at, (metric, job), Span(begin, until)).await {
                Ok(found) => {
                    found.into_iter().for_each(|found| take(&mut series, source, found));
                    begin = until;
                }
                // There were more targets that day than there are now.
                Err(_) if chunk > CHUNKS.0 => chunk = (chunk / 4).max(CHUNKS.0),
                Err(why) => return Err(why),
            }
        }
    }
    let sampled = series.into_iter().map(|((source, labels), samples)| Sampled { source, labels, samples }).collect();
    Ok(day::day(date, sampled, (before, &active), now))
}

/// Samples by source and labels.
type Found = BTreeMap<(UptimeSource, BTreeMap<String, String>), Vec<(i64, bool)>>;

fn take(series: &mut Found, source: UptimeSource, found: Series) {
    let told = found.values.iter().filter_map(|(second, value)| Some((milliseconds(*second), state(value)?)));
    series.entry((source, labels(found.metric))).or_default().extend(told);
}

/// Seconds that a question about so many targets is about.
fn chunk(targets: usize) -> i64 {
    let of_one = BYTES / i64::try_from(targets.max(1)).unwrap_or(i64::MAX);
    ((of_one - OF_TARGET.0) / OF_TARGET.1 * INTERVAL).clamp(CHUNKS.0, CHUNKS.1)
}

/// Prometheus tells of times in seconds with three decimals.
fn milliseconds(second: f64) -> i64 {
    // Far below 2^53, so that nothing is lost.
    (second * 1000.0).round() as i64
}

/// Whether a value says up; nothing where it is no number.
fn state(value: &str) -> Option<bool> {
    match value {
        "NaN" => None,
        "0" => Some(false),
        _ => Some(true),
    }
}

fn labels(mut metric: BTreeMap<String, String>) -> BTreeMap<String, String> {
    metric.remove("__name__");
    metric
}

async fn samples(pods: &Pods, at: SocketAddr, (metric, job): (&str, &str), span: Span) -> Answer<Vec<Series>> {
    let (seconds, time) = (span.seconds(), span.1);
    let query = format!("{metric}%7Bjob%3D%22{job}%22%7D%5B{seconds}s%5D");
    let answer: Data<Matrix> = pods.get(at, &format!("api/v1/query?query={query}&time={time}")).await?;
    Ok(answer.data.result)
}

/// What is to be measured now.
async fn active(pods: &Pods, at: SocketAddr) -> Answer<BTreeSet<Target>> {
    let mut all = BTreeSet::new();
    let pools: Data<Pools> = pods.get(at, "api/v1/scrape_pools").await?;
    // Pool by pool: the targets of all together could be longer than the longest answer that is taken.
    for pool in pools.data.scrape_pools {
        let targets: Data<Targets> = pods.get(at, &format!("api/v1/targets?state=active&scrapePool={}", escaped(&pool))).await?;
        for labels in targets.data.active_targets.into_iter().map(|target| target.labels) {
            let job = labels.get("job").map(String::as_str);
            if let Some((source, ..)) = SOURCES.into_iter().find(|(_, _, known)| job == Some(known)) {
                all.insert((source, day::id(source, &labels)));
            }
        }
    }
    Ok(all)
}

fn escaped(text: &str) -> String {
    let byte = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(byte).collect()
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

#[derive(Deserialize)]
struct Matrix {
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    #[serde(default)]
    values: Vec<(f64, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Runtime {
    start_time: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pools {
    scrape_pools: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Targets {
    active_targets: Vec<Active>,
}

#[derive(Deserialize)]
struct Active {
    labels: BTreeMap<String, String>,
}
