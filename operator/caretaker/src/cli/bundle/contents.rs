//! `bundle list` of one bundle, and `bundle gaps`.

use anyhow::Context;
use serde_json::{Value, json};

use super::held::Held;
use crate::cli::output::{Form, bytes, json as print_json, table_within, width};

/// What a line of a table has at most: what is copied out of a terminal of the usual width.
const NARROW: usize = 80;

/// Every file with its size. The path stands last and whole, so that it can be copied.
pub fn list(held: &Held, form: Form) -> anyhow::Result<()> {
    let files = held.files()?;
    if form == Form::Json {
        let rows: Vec<Value> = files.iter().map(|(path, file)| json!({"path": path, "bytes": file.bytes, "sha256": file.sha256})).collect();
        return print_json(&rows);
    }
    outln!("{:>10}  FILE BELOW {}", "SIZE", held.bag.join("data").display());
    for (path, file) in &files {
        outln!("{:>10}  {path}", bytes(file.bytes));
    }
    outln!("{:>10}  {} files", bytes(files.values().map(|file| file.bytes).sum()), files.len());
    Ok(())
}

/// What the bundle says is missing.
pub fn gaps(held: &Held, form: Form) -> anyhow::Result<()> {
    let path = held.file("14-gaps.json");
    let text = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    let gaps: Vec<Value> = serde_json::from_slice(&text).with_context(|| format!("read {}", path.display()))?;
    if form == Form::Json {
        return print_json(&gaps);
    }
    if gaps.is_empty() {
        outln!("no gaps are declared");
        return Ok(());
    }
    out!("{}", gap_table(&gaps, width().min(NARROW)));
    Ok(())
}

fn gap_table(gaps: &[Value], width: usize) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let place = |gap: &Value| {
        let parts: Vec<String> =
            ["account", "region", "service", "verdict"].iter().map(|field| text(&gap[*field])).filter(|part| !part.is_empty()).collect();
        if parts.is_empty() { "-".to_owned() } else { parts.join(" ") }
    };
    let rows: Vec<Vec<String>> = gaps.iter().map(|gap| vec![text(&gap["part"]), place(gap), text(&gap["reason"])]).collect();
    table_within(&["PART", "WHERE", "WHY"], &rows, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_fit_eighty_columns_and_nothing_is_cut() {
        let reason = "no certificate of destruction is made in this release: ask the provider for one in writing, with method and date";
        let gaps = [
            json!({"part": "12-disposition", "reason": reason}),
            json!({"part": "02-inventory", "account": "prod", "region": "eu-west-1", "service": "ec2/instances", "verdict": "Denied", "reason": "no"}),
        ];
        let told = gap_table(&gaps, 80);
        assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
        let words: String = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("method and date") && told.contains("12-disposition") && told.contains("Denied"), "{told}");
    }
}
