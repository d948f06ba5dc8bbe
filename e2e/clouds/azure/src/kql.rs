//! The part of the query language that is understood: `TABLE | where COLUMN in~ (…) | where COLUMN !in~ (…) | project … | order by COLUMN
//! asc`, where a projected column is a name or `NAME = tostring(PATH)`. Anything else is refused, as Resource Graph refuses what it does
//! not understand.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// A query that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Table.
    pub table: String,
    filters: Vec<Filter>,
    columns: Vec<Column>,
    order: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Filter {
    column: String,
    values: Vec<String>,
    among: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Column {
    name: String,
    path: Option<Vec<String>>,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// It is not of the part that is understood: what is wrong, for a person.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut stages = split(text, '|').into_iter();
        let table = stages.next().unwrap_or_default().trim().to_owned();
        let mut query = Self { table, filters: Vec::new(), columns: Vec::new(), order: None };
        for stage in stages {
            let stage = stage.trim();
            match stage.split_once(char::is_whitespace) {
                Some(("where", rest)) => query.filters.push(filter(rest.trim())?),
                Some(("project", rest)) => query.columns = split(rest, ',').into_iter().map(column).collect::<Result<_, _>>()?,
                Some(("order", rest)) => {
                    let words: Vec<&str> = rest.split_whitespace().collect();
                    let ["by", column, "asc"] = words.as_slice() else { return Err(format!("order is not understood: {rest}")) };
                    query.order = Some(name(column)?);
                }
                _ => return Err(format!("a stage is not understood: {stage}")),
            }
        }
        match &query.order {
            Some(order) if query.columns.iter().any(|column| column.name == *order && column.path.is_some()) => {
                Err(format!("order by a computed column is not understood: {order}"))
            }
            _ => Ok(query),
        }
    }

    /// Whether the id is projected: without it Resource Graph gives no page tokens.
    #[must_use]
    pub fn has_id(&self) -> bool {
        self.columns.is_empty() || self.columns.iter().any(|column| column.name == "id")
    }

    /// The rows that are kept, in their order, with all their columns.
    #[must_use]
    pub fn rows<'a>(&self, resources: impl Iterator<Item = &'a Value>) -> Vec<&'a Value> {
        let mut rows: Vec<&Value> = resources.filter(|row| self.filters.iter().all(|filter| filter.keeps(row))).collect();
        if let Some(order) = &self.order
            && !rows.is_sorted_by(|one, other| text(&one[order]) <= text(&other[order]))
        {
            rows.sort_by_cached_key(|row| text(&row[order]).into_owned());
        }
        rows
    }

    /// A row with the columns that are asked for.
    #[must_use]
    pub fn project(&self, row: &Value) -> Value {
        if self.columns.is_empty() {
            return row.clone();
        }
        let columns = self.columns.iter().map(|column| {
            let value = match &column.path {
                None => row.get(&column.name).cloned().unwrap_or_default(),
                // `tostring` of what is not there is an empty string.
                Some(path) => {
                    let found = path.iter().try_fold(row, |value, step| value.get(step));
                    Value::String(found.map(text).unwrap_or_default().into_owned())
                }
            };
            (column.name.clone(), value)
        });
        Value::Object(columns.collect::<Map<_, _>>())
    }
}

impl Filter {
    fn keeps(&self, row: &Value) -> bool {
        let found = text(&row[&self.column]);
        let is_it =
            |value: &String| value.eq_ignore_ascii_case(&found) || !found.is_ascii() && value.to_lowercase() == found.to_lowercase();
        self.values.iter().any(is_it) == self.among
    }
}

fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// Splits at a character that stands outside of quotes and brackets.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut depth, mut escaped) = (Vec::new(), 0, false, 0_i32, false);
    for (index, c) in text.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        match c {
            '\\' if quoted => escaped = true,
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            c if c == at && !quoted && depth == 0 => {
                parts.push(&text[start..index]);
                start = index + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    let word = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if word { Ok(text.to_owned()) } else { Err(format!("this is no name: {text}")) }
}

fn filter(text: &str) -> Result<Filter, String> {
    let not_understood = || format!("a condition is not understood: {text}");
    let (column, rest) = text.split_once(char::is_whitespace).ok_or_else(not_understood)?;
    let (among, rest) = match rest.trim_start() {
        rest if rest.starts_with("in~") => (true, &rest[3..]),
        rest if rest.starts_with("!in~") => (false, &rest[4..]),
        _ => return Err(not_understood()),
    };
    let list = rest.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).ok_or_else(not_understood)?;
    let values = split(list, ',').into_iter().map(literal).collect::<Result<_, _>>()?;
    Ok(Filter { column: name(column)?, values, among })
}

fn literal(text: &str) -> Result<String, String> {
    let not_understood = || format!("this is no string: {text}");
    let inner = text.trim().strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).ok_or_else(not_understood)?;
    let (mut value, mut chars) = (String::new(), inner.chars());
    while let Some(c) = chars.next() {
        match c {
            '\'' => return Err(not_understood()),
            '\\' => value.push(match chars.next() {
                Some(c @ ('\'' | '\\' | '"')) => c,
                Some('n') => '\n',
                Some('t') => '\t',
                Some('u') => {
                    let code = u32::from_str_radix(&chars.by_ref().take(4).collect::<String>(), 16).ok();
                    code.and_then(char::from_u32).ok_or_else(not_understood)?
                }
                _ => return Err(not_understood()),
            }),
            c => value.push(c),
        }
    }
    Ok(value)
}

fn column(text: &str) -> Result<Column, String> {
    let Some((left, right)) = text.split_once('=') else { return Ok(Column { name: name(text)?, path: None }) };
    let path = right.trim().strip_prefix("tostring(").and_then(|rest| rest.strip_suffix(')'));
    let path = path.ok_or_else(|| format!("a column is not understood: {text}"))?;
    Ok(Column { name: name(left)?, path: Some(path.split('.').map(name).collect::<Result<_, _>>()?) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_understood_is_run() {
        let query = Query::parse(
            "resources\n| where type in~ ('A/B', 'c|d, \\'e')\n| where location !in~ ('x')\n\
             | project id, sku = tostring(sku.name)\n| order by id asc",
        )
        .unwrap();
        let rows = [
            json!({"id": "2", "type": "a/b", "location": "y", "sku": {"name": "s"}}),
            json!({"id": "1", "type": "C|D, 'E", "location": "y"}),
            json!({"id": "3", "type": "a/b", "location": "X"}),
            json!({"id": "4", "type": "other", "location": "y"}),
        ];
        let found: Vec<Value> = query.rows(rows.iter()).into_iter().map(|row| query.project(row)).collect();
        assert_eq!(found, [json!({"id": "1", "sku": ""}), json!({"id": "2", "sku": "s"})]);
        assert!(query.has_id());
        assert!(!Query::parse("resources | project name").unwrap().has_id());
    }

    #[test]
    fn strings_are_read_as_they_were_meant() {
        assert_eq!(literal(r" 'a\'\\\u000ab' "), Ok("a'\\\nb".to_owned()));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for bad in [
            "resources | take 1",
            "resources | where type == 'a'",
            "resources | where type in~ (a)",
            "resources | where type in~ ('a'b')",
            "resources | project a = toupper(b)",
            "resources | order by id desc",
            "resources | project a-b",
            "resources | where type in~ ('a') or true",
            "resources | where type in~ ('\\x')",
            "resources | project a = tostring(b) | order by a asc",
        ] {
            assert!(Query::parse(bad).is_err(), "{bad}");
        }
    }
}
