//! Rows for spreadsheets: RFC 4180, and no cell that a spreadsheet takes for a formula.

use csv::{Terminator, WriterBuilder};

/// A cell that no spreadsheet takes for a formula: an apostrophe stands before what could begin one.
/// Source: <https://owasp.org/www-community/attacks/CSV_Injection>.
fn inert(cell: &str) -> String {
    let is_formula = cell.trim_start().starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    // What could speak to a terminal is replaced, as in every table.
    let text: String = cell.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c }).collect();
    if is_formula || cell.starts_with(['\t', '\r', '\n']) { format!("'{text}") } else { text }
}

/// One row, without the end of the line, which RFC 4180 wants to be CRLF.
///
/// # Panics
/// Never: it is written into memory, and made of texts.
#[must_use]
pub fn row<T: AsRef<str>>(cells: impl IntoIterator<Item = T>) -> String {
    let mut writer = WriterBuilder::new().terminator(Terminator::Any(b'\n')).from_writer(Vec::new());
    writer.write_record(cells.into_iter().map(|cell| inert(cell.as_ref()))).expect("memory takes every row");
    let mut text = String::from_utf8(writer.into_inner().expect("memory takes every row")).expect("texts are UTF-8");
    text.pop();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_the_rest_reads_back_as_it_was() {
        for (cell, expected) in [
            ("=HYPERLINK(\"http://x.example\",\"a\")", "'=HYPERLINK(\"http://x.example\",\"a\")"),
            ("@SUM(1)", "'@SUM(1)"),
            ("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"),
            ("+1", "'+1"),
            (" =1+1", "' =1+1"),
            ("\u{ff1d}1+1", "'\u{ff1d}1+1"),
            ("\t1", "'\t1"),
            ("two\nlines, and a \"quote\"", "two\nlines, and a \"quote\""),
            ("a\u{1b}[2Jb", "a\u{fffd}[2Jb"),
            ("Zürich 東京", "Zürich 東京"),
            ("i-1", "i-1"),
            ("", ""),
        ] {
            let text = row(["first", cell, "last"]);
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
            let read = reader.records().next().unwrap().unwrap();
            assert_eq!((&read[0], &read[1], &read[2]), ("first", expected, "last"));
        }
        assert_eq!(row(["a,b", "c"]), "\"a,b\",c");
    }
}
