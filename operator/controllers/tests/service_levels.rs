//! A month in a real Prometheus, read as the product reads it, against a slow method that looks at every second.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use caretaker_api::service_level::ServiceLevelTerms;
use caretaker_api::service_report::LevelVerdict;
use caretaker_controllers::monitoring_stack::Pods;
use caretaker_controllers::service_report::fetch;
use caretaker_core::service_level::{Inputs, LevelsPlace, Month, RawDay, Report, Version, days, report};
use caretaker_store::Store;
use caretaker_store::levels::{Levels, bytes};
use caretaker_testkit::process::{Process, free_port, run};
use caretaker_testkit::tools;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

/// October in Zurich: the clock goes back, so that it has 745 hours.
const MONTH: &str = "2026-10";
const HOURS: i64 = 745;
const ZONE: &str = "Europe/Zurich";

/// A target of the test: its labels, and its samples as milliseconds and state.
struct Target {
    metric: &'static str,
    labels: &'static str,
    samples: Vec<(i64, bool)>,
}

fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_second()
}

/// Samples each minute from a moment on, with outages and gaps.
fn samples(first: &str, offset: i64, down: &[(&str, &str)], gaps: &[(&str, &str)]) -> Vec<(i64, bool)> {
    let ranges = |spans: &[(&str, &str)]| spans.iter().map(|(from, to)| at(from)..at(to)).collect::<Vec<_>>();
    let (down, gaps) = (ranges(down), ranges(gaps));
    let within = |ranges: &[std::ops::Range<i64>], second: i64| ranges.iter().any(|range| range.contains(&second));
    let all = (at(first)..at("2026-11-02T06:00:00Z")).step_by(60).map(|second| second + offset / 1000);
    all.filter(|second| !within(&gaps, *second)).map(|second| (second * 1000 + offset % 1000, !within(&down, second))).collect()
}

fn targets() -> Vec<Target> {
    let machine = r#"job="machines",cloud="aws",account="222222222222",region="eu-west-1""#;
    let first: &'static str =
        Box::leak(format!(r#"{machine},instance="10.0.0.1:9100",instance_id="i-1",name="web \"one\", =1+1""#).into_boxed_str());
    let second: &'static str = Box::leak(format!(r#"{machine},instance="10.0.0.2:9100",instance_id="i-2""#).into_boxed_str());
    vec![
        Target {
            metric: "probe_success",
            labels: r#"job="public-addresses",instance="203.0.113.7""#,
            // Over the month's begin in its zone, over midnight in UTC, short ones, and two hours without samples.
            samples: samples(
                "2026-09-28T00:00:00Z",
                17_137,
                &[
                    ("2026-09-30T21:41:00Z", "2026-09-30T22:13:00Z"),
                    ("2026-10-10T23:50:00Z", "2026-10-11T00:20:00Z"),
                    ("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
                    ("2026-10-31T22:40:00Z", "2026-10-31T23:30:00Z"),
                ],
                &[("2026-10-15T10:00:00Z", "2026-10-15T12:00:00Z"), ("2026-10-16T04:04:00Z", "2026-10-16T04:05:00Z")],
            ),
        },
        Target {
            metric: "up",
            labels: first,
            samples: samples("2026-09-28T00:00:00Z", 41_003, &[("2026-10-05T08:00:00Z", "2026-10-05T10:00:00Z")], &[]),
        },
        Target {
            metric: "up",
            labels: second,
            // First probed on the sixteenth.
            samples: samples("2026-10-16T00:00:00Z", 3_999, &[("2026-10-20T08:00:00Z", "2026-10-20T08:07:00Z")], &[]),
        },
    ]
}

/// Fills a database and starts Prometheus on it.
fn prometheus(folder: &Path, targets: &[Target]) -> anyhow::Result<(Process, SocketAddr)> {
    let mut text = String::new();
    for metric in ["up", "probe_success"] {
        writeln!(text, "# TYPE {metric} gauge")?;
        for target in targets.iter().filter(|target| target.metric == metric) {
            for (at, up) in &target.samples {
                writeln!(text, "{metric}{{{}}} {} {}.{:03}", target.labels, u8::from(*up), at / 1000, at % 1000)?;
            }
        }
    }
    text.push_str("# EOF\n");
    let (samples, data, config) = (folder.join("samples"), folder.join("data"), folder.join("prometheus.yml"));
    std::fs::write(&samples, text)?;
    // In few blocks: promtool reads the whole file for each.
    run(Command::new(tools::path("promtool")?)
        .args(["tsdb", "create-blocks-from", "--max-block-duration=744h", "openmetrics", "--quiet"])
        .arg(&samples)
        .arg(&data))?;
    let machine = |id: &str, ip: &str| json!({"targets": [ip], "labels": {"cloud": "aws", "account": "222222222222", "region": "eu-west-1", "instance_id": id}});
    // What is to be measured; it is scraped long after the test.
    let config_text = json!({
        "global": {"scrape_interval": "1h"},
        "scrape_configs": [
            {"job_name": "machines", "static_configs": [machine("i-1", "10.0.0.1:9100"), machine("i-2", "10.0.0.2:9100")]},
            {"job_name": "public-addresses", "static_configs": [{"targets": ["203.0.113.7"]}]},
        ],
    });
    std::fs::write(&config, config_text.to_string())?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
    let arguments = [
        format!("--config.file={}", config.display()),
        format!("--storage.tsdb.path={}", data.display()),
        "--storage.tsdb.retention.time=10y".to_owned(),
        format!("--web.listen-address={address}"),
    ];
    let mut process = Process::start("prometheus", &tools::path("prometheus")?, &arguments, &[], &folder.join("log"))?;
    process.wait_until("Prometheus takes connections", Duration::from_secs(60), || std::net::TcpStream::connect(address).is_ok())?;
    std::thread::sleep(Duration::from_secs(2));
    Ok((process, address))
}

fn terms() -> ServiceLevelTerms {
    let objective = |name: &str, source: &str, when: &str| {
        json!({
            "name": name, "target": "99.9", "uptime": {"source": source, "upWhen": when},
            "credits": [{"below": "99.9", "percent": "10"}],
        })
    };
    serde_json::from_value(json!({
        "zone": ZONE,
        "objectives": [
            objective("web", "PublicAddresses", "AllTargets"),
            objective("all-machines", "Machines", "AllTargets"),
            objective("any-machine", "Machines", "AnyTarget"),
        ],
        "maintenance": [{"day": "Sunday", "from": "02:00", "minutes": 90, "reason": "weekly"}],
        "credits": {"capPercent": "25", "claimWithinDays": 30},
    }))
    .unwrap()
}

/// Up, down or unknown in each second of the month; `None` before the first sample.
fn slow_states(samples: &[(i64, bool)], from: i64, to: i64) -> Vec<Option<Option<bool>>> {
    let mut seconds: Vec<(i64, bool)> = samples.iter().map(|(at, up)| (at / 1000, *up)).collect();
    seconds.sort_unstable();
    let mut states = vec![None; usize::try_from(to - from).unwrap()];
    let first = seconds[0].0;
    for (index, state) in states.iter_mut().enumerate() {
        if from + i64::try_from(index).unwrap() >= first {
            *state = Some(None);
        }
    }
    for (index, (second, up)) in seconds.iter().enumerate() {
        let holds = match seconds.get(index + 1) {
            Some((next, _)) if next - second <= 90 => next - second,
            _ => 60,
        };
        for held in (*second..second + holds).filter(|held| (from..to).contains(held)) {
            states[usize::try_from(held - from).unwrap()] = Some(Some(*up));
        }
    }
    states
}

/// Counted, down, unknown, excluded and unmeasured seconds, looked up second by second.
fn slowly(targets: &[Vec<Option<Option<bool>>>], from: i64, is_any: bool) -> [i64; 5] {
    let zone = TimeZone::get(ZONE).unwrap();
    let mut sums = [0; 5];
    let mut excluded = Vec::new();
    for day in ["2026-10-04", "2026-10-11", "2026-10-18", "2026-10-25"] {
        let date: jiff::civil::Date = day.parse().unwrap();
        // 02:00 comes twice on the 25th: the first one counts.
        let begin = date.at(2, 0, 0, 0).to_zoned(zone.clone()).unwrap().timestamp().as_second();
        excluded.push(begin..begin + 90 * 60);
    }
    for index in 0..targets[0].len() {
        let second = from + i64::try_from(index).unwrap();
        let now = || targets.iter().filter_map(|target| target[index]);
        if now().next().is_none() {
            sums[4] += 1;
        } else if excluded.iter().any(|window| window.contains(&second)) {
            sums[3] += 1;
        } else {
            sums[0] += 1;
            if now().any(|state| state == Some(is_any)) {
                sums[1] += i64::from(!is_any);
            } else if now().any(|state| state.is_none()) {
                sums[2] += 1;
            } else {
                sums[1] += i64::from(is_any);
            }
        }
    }
    sums
}

async fn made(levels: &Levels, versions: &[Version]) -> (Report, Vec<(RawDay, String)>) {
    let mut kept = Vec::new();
    for day in levels.kept_days().await.unwrap() {
        kept.push(levels.day(&day).await.unwrap());
    }
    let month = Month::parse(MONTH).unwrap();
    let inputs = Inputs { client: "acme", month, dry_run: false, versions, days: &kept, missing: &BTreeMap::new() };
    (report(&inputs).unwrap(), kept)
}

#[tokio::test]
async fn a_month_in_a_real_prometheus_comes_to_what_its_seconds_say() -> anyhow::Result<()> {
    let (folder, targets) = (tempfile::tempdir()?, targets());
    let (_process, address) = prometheus(folder.path(), &targets)?;
    let month = Month::parse(MONTH).unwrap().span(&TimeZone::get(ZONE)?);
    assert_eq!(month.seconds(), HOURS * 3600);
    let levels = Levels::new(Store::in_memory(), LevelsPlace { client: "acme".into(), uid: "u".into() });
    let pods = Pods::new().map_err(anyhow::Error::msg)?;
    let mut before: Option<RawDay> = None;
    // A Prometheus that has just started knows no targets yet: asked then, it would say that all were taken out.
    let early = fetch::day(&pods, address, "2026-10-15".parse()?, None, Timestamp::now()).await;
    assert!(early.as_ref().is_err_and(|why| why.contains("may not know its targets")), "{early:?}");
    tokio::time::sleep(Duration::from_secs(31)).await;
    for date in days(month) {
        let day = fetch::day(&pods, address, date, before.as_ref(), Timestamp::now()).await.map_err(anyhow::Error::msg)?;
        assert!(day.series.iter().all(|series| series.stays), "{date}: all are to be measured still");
        levels.keep_day(&day).await?;
        before = Some(day);
    }
    let versions = levels.note_terms(&terms(), "2026-09-01T00:00:00Z".parse()?).await?;
    let (told, kept) = made(&levels, &versions).await;

    let slow: Vec<_> = targets.iter().map(|target| slow_states(&target.samples, month.0, month.1)).collect();
    let expected = [
        ("web", slowly(&slow[..1], month.0, false), LevelVerdict::Undetermined),
        ("all-machines", slowly(&slow[1..], month.0, false), LevelVerdict::Missed),
        ("any-machine", slowly(&slow[1..], month.0, true), LevelVerdict::Missed),
    ];
    for (objective, (name, sums, verdict)) in told.objectives.iter().zip(&expected) {
        let figure = objective.segments[0].figure;
        let found =
            [figure.counted_seconds, figure.down_seconds, figure.unknown_seconds, figure.excluded_seconds, figure.unmeasured_seconds];
        assert_eq!((objective.name.as_str(), &found, objective.verdict), (*name, sums, *verdict));
    }
    let web = told.objectives[0].segments[0].figure;
    assert!(web.unknown_seconds > 7000 && web.unknown_seconds < 7300, "two hours without samples, and never five minutes less: {web:?}");
    assert_eq!(told.objectives[1].segments[0].targets.len(), 2);
    let claim = told.claim.as_ref().map(|claim| (claim.percent.as_str(), claim.percent_at_worst.as_str()));
    assert_eq!(claim, Some(("20", "25")), "two tiers of ten for certain; a third at worst, and then the cap");

    // The same once more, from what is kept alone: the very bytes. And a day that is read again says the same of its targets.
    assert_eq!(bytes(&made(&levels, &versions).await.0), bytes(&told));
    let kept_of = |name: &str| kept.iter().map(|(day, _)| day).find(|day| day.day == name);
    let again = fetch::day(&pods, address, "2026-10-15".parse()?, kept_of("2026-10-14"), Timestamp::now()).await;
    assert_eq!(again.ok().map(|day| day.series), kept_of("2026-10-15").map(|day| day.series.clone()));
    for (name, text) in caretaker_documents::service_report::files(&told) {
        assert!(text.contains("web") && !text.contains(",=1+1"), "{name}");
        if let Some(folder) = std::env::var_os("CARETAKER_KEEP_REPORT") {
            std::fs::write(Path::new(&folder).join(name), text)?;
        }
    }
    Ok(())
}
