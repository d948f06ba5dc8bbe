//! `report.csv`: a line for each segment of each objective, and for each target in it. RFC 4180.

use caretaker_core::service_level::{Figure, Report};
use caretaker_core::spreadsheet;

/// The columns.
const HEAD: &str = "month,zone,objective,segment,from,to,target_percent,row,id,verdict,worst_percent,best_percent,period_seconds,unmeasured_seconds,\
                    excluded_seconds,counted_seconds,up_seconds,down_seconds,unknown_seconds";

/// The table.
pub(super) fn text(report: &Report) -> String {
    let mut lines = vec![HEAD.to_owned()];
    for objective in &report.objectives {
        for (index, segment) in objective.segments.iter().enumerate() {
            let number = (index + 1).to_string();
            let (from, to) = (super::facts::time(segment.span.0), super::facts::time(segment.span.1));
            let head = [&report.month, &report.zone, &objective.name, &number, &from, &to, &segment.target].map(|cell| cell.as_str());
            let none = String::new();
            let worst = segment.worst_percent.as_ref().unwrap_or(&none);
            let best = segment.best_percent.as_ref().unwrap_or(&none);
            let told = ["objective", "", segment.verdict.as_str(), worst, best];
            lines.push(line(&[&head[..], &told[..]].concat(), &segment.figure));
            for target in &segment.targets {
                let told = ["target", &target.id, "", target.worst_percent.as_ref().unwrap_or(&none), ""];
                lines.push(line(&[&head[..], &told[..]].concat(), &target.figure));
            }
        }
    }
    lines.join("\r\n") + "\r\n"
}

fn line(cells: &[&str], figure: &Figure) -> String {
    let Figure { period_seconds, unmeasured_seconds, excluded_seconds, counted_seconds, up_seconds, down_seconds, unknown_seconds } =
        figure;
    let numbers = [period_seconds, unmeasured_seconds, excluded_seconds, counted_seconds, up_seconds, down_seconds, unknown_seconds];
    // A name from a cloud must not become a formula in somebody's spreadsheet; a number is none.
    let texts = cells.iter().map(|cell| (*cell).to_owned());
    spreadsheet::row(texts.chain(numbers.iter().map(ToString::to_string)))
}
