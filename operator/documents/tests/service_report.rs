//! A report as people read it, and that nothing in it speaks to a browser or a spreadsheet.

mod browser;

use std::collections::BTreeMap;

use caretaker_api::service_level::{ServiceLevelTerms, UptimeSource};
use caretaker_core::service_level::day::FORMAT;
use caretaker_core::service_level::{Inputs, Month, RawDay, RawSeries, Report, Span, Spans, Version, report};
use caretaker_documents::service_report::files;
use jiff::Timestamp;
use serde_json::json;

/// Name of a machine as a stranger could give it.
const EVIL: &str = "<script>alert(1)</script> | x";

fn made() -> Report {
    let terms: ServiceLevelTerms = serde_json::from_value(json!({
        "zone": "Europe/Zurich",
        "objectives": [{"name": "machines", "target": "99.9", "uptime": {"source": "Machines"}, "credits": [{"below": "99.9", "percent": "10"}]}],
        "exclusions": [{"from": "2026-11-05T00:00:00Z", "to": "2026-11-05T01:00:00Z", "reason": "moved <b>"}],
        "credits": {"capPercent": "30", "claimWithinDays": 30},
    }))
    .unwrap();
    let from: i64 = "2026-11-01T00:00:00Z".parse::<Timestamp>().unwrap().as_second();
    let day = |number: i64| {
        let whole = Spans::of(from + 86_400 * number, from + 86_400 * (number + 1));
        let down = if number == 9 { Spans::of(from + 86_400 * 9 + 3600, from + 86_400 * 9 + 7201) } else { Spans::default() };
        let gap = if number == 11 { Spans::of(from + 86_400 * 11, from + 86_400 * 11 + 600) } else { Spans::default() };
        let series = RawSeries {
            source: UptimeSource::Machines,
            id: "=aws/1/i-1".into(),
            labels: BTreeMap::from([("name".to_owned(), EVIL.to_owned())]),
            up: whole.without(&down).without(&gap),
            measured: whole,
            down,
            stays: true,
        };
        let read = RawDay {
            format: FORMAT.into(),
            day: format!("2026-11-{:02}", number + 1),
            read_at: Timestamp::UNIX_EPOCH,
            series: vec![series],
        };
        (read, format!("digest-{number}"))
    };
    let days: Vec<_> = (0..30).map(day).collect();
    let late = Version::new(&terms, "2026-11-05T12:00:00Z".parse().unwrap());
    let early = Version::new(&ServiceLevelTerms { exclusions: Vec::new(), ..terms }, "2026-10-01T00:00:00Z".parse().unwrap());
    let versions = [early, late];
    let month = Month::parse("2026-11").unwrap();
    report(&Inputs { client: "acme", month, dry_run: false, versions: &versions, days: &days, missing: &BTreeMap::new() }).unwrap()
}

fn file(name: &str) -> String {
    files(&made()).into_iter().find(|(found, _)| *found == name).unwrap().1
}

#[test]
fn the_markdown_is_as_it_was() {
    insta::assert_snapshot!(file("report.md"));
}

#[test]
fn the_table_is_as_it_was() {
    insta::assert_snapshot!(file("report.csv").replace("\r\n", "\n"));
}

#[test]
fn the_page_is_one_file_with_plots_and_speaks_to_no_browser() {
    let page = file("report.html");
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;") && page.contains("moved &lt;b&gt;"), "{page}");
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains(" src="), "it asks for nothing from outside");
    assert!(page.contains("default-src 'none'"));
    let bars = |colour: &str| page.matches(&format!("fill=\"{colour}\"")).count();
    assert_eq!((bars("#c53030"), bars("#d69e2e"), bars("#718096")), (1, 1, 1), "an outage, a gap, an exclusion");
    assert!(page.contains("down: 2026-11-10 02:00:00 +01:00 to 2026-11-10 03:00:01 +01:00, 1 h 1 s"), "{page}");
    assert!(page.contains("(entered 2026-11-05 13:00:00 +01:00, after it had begun)"));
}

#[test]
fn a_claim_is_drafted_where_one_is_due_and_says_that_it_is_a_remedy() {
    let claim: serde_json::Value = serde_json::from_str(&file("credit-claim.json")).unwrap();
    assert_eq!((&claim["percent"], &claim["claimUntil"]), (&json!("10"), &json!("2026-12-30")));
    assert!(claim["note"].as_str().unwrap().contains("remedy, not compensation"));
    let mut quiet = made();
    quiet.claim.as_mut().unwrap().lines.clear();
    assert!(!files(&quiet).iter().any(|(name, _)| *name == "credit-claim.json"));
    assert_eq!(made().objectives[0].segments[0].span, Span(made().from.as_second(), made().to.as_second()));
}

#[test]
fn a_browser_shows_the_plots_and_asks_nobody() {
    browser::is_quiet_with_plots(&file("report.html"), 1);
}
