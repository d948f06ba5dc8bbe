//! Tables that fit a terminal, and JSON for machines.

use std::io::Write;

use clap::ValueEnum;

/// Form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people.
    #[default]
    Table,
    /// For machines.
    Json,
}

/// Prints a value as JSON, in which control characters are escaped. Everything else is as it is: a machine reads it.
pub fn json<T: serde::Serialize>(value: &T) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    let _ = writeln!(std::io::stdout().lock(), "{text}");
    Ok(())
}

/// Prints a value as one line of JSON.
pub fn json_line<T: serde::Serialize>(value: &T) -> std::io::Result<()> {
    let text = serde_json::to_string(value)?;
    let _ = writeln!(std::io::stdout().lock(), "{text}");
    Ok(())
}

/// Whether a character could speak to the terminal, or turn the direction of the text around it.
/// Source: <https://www.unicode.org/reports/tr9/>, sections 2.1 to 2.6, for the latter.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with a mark in place of what is not to be printed, but for ends of lines and tabs.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if is_unprintable(c) && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c }).collect()
}

/// A number of bytes as people read it: `512 B`, `1.5 MiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    // A whole number of tenths of the largest unit that fits; u128, since ten times the number may not fit.
    let fits = |power: u32| u128::from(count) * 10 / (1_u128 << (10 * power));
    match (1..=5).rev().find(|power| fits(*power) >= 10) {
        None => format!("{count} B"),
        Some(power) => format!("{}.{} {}", fits(power) / 10, fits(power) % 10, UNITS[power as usize - 1]),
    }
}

/// A table with aligned columns that fits the terminal. Control characters, which could speak to the terminal, are not printed.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    table_within(head, rows, width())
}

/// Between two columns of a table.
const GAP: &str = "   ";
/// Longest word that a column is kept wide for. An address of a cloud may take the whole line.
const LONG_WORD: usize = 36;
/// A terminal as a telephone, half a screen or a rescue console has it, in characters. On a wider one a long list stays a table, whatever it tears.
const NARROW_TERMINAL: usize = 80;
/// What a table's last column is narrowed to before another is, and what every other one is narrowed to at most.
const NARROW: [usize; 2] = [18, 8];

/// A table whose lines are at most this wide: text that does not fit its column goes on below.
pub fn table_within(head: &[&str], rows: &[Vec<String>], width: usize) -> String {
    let plain = |cell: &String| cell.chars().map(|c| if is_unprintable(c) { '\u{fffd}' } else { c }).collect::<String>();
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(plain).collect()).collect();
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let words = longest_words(head, &rows);
    let room = width.saturating_sub(GAP.len() * head.len().saturating_sub(1));
    narrow(&mut widths, &words, room);
    // A word that no line of a record holds either is torn in any case.
    let line = width.saturating_sub(label(head));
    let is_torn = words.iter().zip(&widths).any(|(word, width)| word > width && *word <= line) || widths.iter().sum::<usize>() > room;
    if width <= NARROW_TERMINAL && is_torn {
        return records(head, &rows, width);
    }
    let line = |cells: Vec<&str>| {
        let cells: Vec<Vec<String>> = cells.iter().zip(&widths).map(|(cell, width)| within(cell, *width)).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or_default();
        let at = |number: usize| {
            let parts = cells.iter().zip(&widths).map(|(lines, width)| format!("{:width$}", lines.get(number).map_or("", String::as_str)));
            parts.collect::<Vec<_>>().join(GAP).trim_end().to_owned() + "\n"
        };
        (0..height).map(at).collect::<String>()
    };
    let mut text = line(head.to_vec());
    for row in &rows {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text
}

/// The longest word of each column.
fn longest_words(head: &[&str], rows: &[Vec<String>]) -> Vec<usize> {
    let longest = |text: &str| text.split(' ').map(|word| word.chars().count()).max().unwrap_or_default();
    let mut words: Vec<usize> = head.iter().map(|cell| longest(cell)).collect();
    for row in rows {
        for (word, cell) in words.iter_mut().zip(row) {
            *word = (*word).max(longest(cell));
        }
    }
    words
}

/// Width of the names of columns in a record.
fn label(head: &[&str]) -> usize {
    head.iter().map(|name| name.chars().count()).max().unwrap_or_default() + 1
}

/// One line for each cell, with its column's name before it, and an empty line between rows.
fn records(head: &[&str], rows: &[Vec<String>], width: usize) -> String {
    let label = label(head);
    let record = |row: &Vec<String>| -> String {
        let told = head.iter().zip(row).filter(|(_, cell)| !cell.is_empty());
        told.map(|(name, cell)| paragraph(&format!("{name:label$}"), cell.trim_start(), width)).collect()
    };
    if rows.is_empty() {
        return paragraph("", &head.join(" "), width);
    }
    rows.iter().map(record).collect::<Vec<_>>().join("\n")
}

/// Narrows columns until they fit: first the last one, then whichever is widest. As long as another one can give room, no word is torn: a name on two lines
/// cannot be copied.
fn narrow(widths: &mut [usize], words: &[usize], room: usize) {
    for least in [LONG_WORD, 0] {
        let floor = |at: usize| words.get(at).copied().unwrap_or_default().min(least).max(NARROW[1]);
        while widths.iter().sum::<usize>() > room {
            let Some(last) = widths.len().checked_sub(1) else { return };
            let above = |at: &usize| widths[*at] > floor(*at);
            let widest = (0..=last).filter(above).max_by_key(|at| widths[*at]);
            let at = if widths[last] > NARROW[0].max(floor(last)) { Some(last) } else { widest };
            let Some(at) = at else { break };
            widths[at] -= 1;
        }
    }
}

/// The lines of a cell. What it begins with stands before each of them, so that a name below another stays indented.
fn within(cell: &str, width: usize) -> Vec<String> {
    if cell.chars().count() <= width {
        return vec![cell.to_owned()];
    }
    let text = cell.trim_start_matches(' ');
    paragraph(&" ".repeat(cell.len() - text.len()), text, width).lines().map(str::to_owned).collect()
}

/// Characters on a line where the terminal does not say.
const WIDTH: usize = 100;

/// Fewest characters on a line that are believed.
const NARROWEST: usize = 30;

/// Characters on a line: what `COLUMNS` says, which few shells hand on, or what the terminal says.
pub fn width() -> usize {
    let told = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let told = told.or_else(|| terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0)));
    told.filter(|width| *width >= NARROWEST).unwrap_or(WIDTH)
}

/// A text on lines of at most this width. The first begins with `head`, further ones are indented as far. Control characters are not printed.
pub fn paragraph(head: &str, text: &str, width: usize) -> String {
    let indent = head.chars().count();
    let room = width.saturating_sub(indent).max(1);
    let plain: String = text.chars().map(|c| if is_unprintable(c) { '\u{fffd}' } else { c }).collect();
    let mut lines: Vec<String> = vec![String::new()];
    for word in plain.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        let used = lines.last().map_or(0, |line| line.chars().count());
        if used > 0 && used + 1 + word.len() > room {
            lines.push(String::new());
        } else if used > 0 {
            word.insert(0, ' ');
        }
        // A word that no line can hold is broken: an address of a cloud has no spaces.
        for part in word.chunks(room) {
            match lines.last_mut() {
                Some(line) if line.chars().count() + part.len() <= room => line.extend(part),
                _ => lines.push(part.iter().collect()),
            }
        }
    }
    let indented = lines.iter().enumerate().map(|(number, line)| {
        let head = if number == 0 { head.to_owned() } else { " ".repeat(indent) };
        format!("{head}{line}").trim_end().to_owned() + "\n"
    });
    indented.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_fits_its_width() {
        assert_eq!(paragraph("a ", "one two three", 9), "a one two\n  three\n");
        assert_eq!(paragraph("", "abcdefgh ij", 4), "abcd\nefgh\nij\n");
        assert_eq!(paragraph("x ", "b\u{1b}[2J", 80), "x b\u{fffd}[2J\n");
        assert_eq!(paragraph("x  ", "", 80), "x\n");
    }

    /// M7: a name that a client's user writes could clear the provider's screen, or show a message the other way round.
    #[test]
    fn nothing_speaks_to_the_terminal() {
        assert_eq!(plain("Acme\u{1b}]0;x\u{7}\u{202e}derim\n\tok"), "Acme\u{fffd}]0;x\u{fffd}\u{fffd}derim\n\tok");
        assert_eq!(plain("Zürich – 東京 👍"), "Zürich – 東京 👍");
        assert_eq!(table(&["A"], &[vec!["x\u{2066}y".into()]]), "A\nx\u{fffd}y\n");
    }

    #[test]
    fn columns_are_aligned_by_characters() {
        let rows = vec![vec!["zürich".into(), "x".into()], vec!["a".into(), "y".into()]];
        assert_eq!(table(&["NAME", "B"], &rows), "NAME     B\nzürich   x\na        y\n");
    }

    #[test]
    fn a_table_fits_its_width() {
        let text = "one two three four five six seven eight nine ten ".repeat(5);
        let row = |first: &str| vec![first.to_owned(), "12 accounts: 10 Active, 2 Closed".to_owned(), text.clone()];
        let told = table_within(&["NAME", "COVERAGE", "CAUSE"], &[row(&"a".repeat(60)), row("  member")], 100);
        assert!(told.lines().all(|line| line.chars().count() <= 100) && told.contains("10 Active, 2 Closed"), "{told}");
        assert_eq!(told.matches("seven").count(), 10, "nothing is cut: {told}");
        assert!(told.lines().any(|line| line.starts_with("  member ")), "{told}");
    }

    /// On call at night, by telephone: the name of an incident is copied from one command into the next.
    #[test]
    fn a_table_that_would_tear_a_name_becomes_records() {
        let head = ["CLIENT", "INCIDENT", "STATE", "TIER", "AGE", "TAKEN BY"];
        let row = |name: &str| ["acme", name, "Resolved", "tier-1", "4 min", ""].map(str::to_owned).to_vec();
        let rows = [row("demooutage-1c4fe56e"), row("web-5")];
        let told = table_within(&head, &rows, 45);
        let first = "CLIENT   acme\nINCIDENT demooutage-1c4fe56e\nSTATE    Resolved\nTIER     tier-1\nAGE      4 min\n";
        assert!(told.starts_with(&format!("{first}\nCLIENT   acme\n")), "{told}");
        assert!(table_within(&head, &rows, 80).starts_with("CLIENT   INCIDENT"), "a table where there is room");
        let long = [row("a-name-that-leaves-no-room-for-what-stands-beside-it-publicaddressdown")];
        assert!(table_within(&head, &long, 80).starts_with("CLIENT   acme\n"), "none where it would tear");
        assert!(table_within(&head, &long, 100).starts_with("CLIENT   INCIDENT"), "on a wide terminal it stays a table");
        assert!(table_within(&head, &[row(&"x".repeat(90))], 80).starts_with("CLIENT   INCIDENT"), "what no line holds is torn anyway");
        assert!(table_within(&head[..2], &[vec!["a".into(), "two words".into()]], 20).starts_with("CLIENT   INCIDENT"), "nothing is torn");
        assert!(table_within(&head, &[], 40).lines().all(|line| line.chars().count() <= 40));
    }

    #[test]
    fn a_column_of_words_gives_room_before_a_name_is_torn() {
        let tried = "admission: a privileged pod, which the namespace must refuse";
        let told = table_within(
            &["OK", "TRIED", "SEEN"],
            &[vec!["yes".into(), tried.into(), "pods \"caretaker-isolation-test\" is forbidden".into()]],
            70,
        );
        assert!(told.contains("\"caretaker-isolation-test\"") && told.lines().all(|line| line.chars().count() <= 70), "{told}");
    }

    #[test]
    fn a_cell_cannot_speak_to_the_terminal() {
        assert_eq!(table(&["A"], &[vec!["x\u{1b}[2J\ny".into()]]), "A\nx\u{fffd}[2J\u{fffd}y\n");
    }

    #[test]
    fn bytes_are_told_in_the_largest_unit_that_fits() {
        for (count, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1023.9 KiB"),
            (1 << 30, "1.0 GiB"),
            (u64::MAX, "16383.9 PiB"),
        ] {
            assert_eq!(bytes(count), expected);
        }
    }
}
