//! The pages of one Resource Graph query: what came, what is asked next, and whether the end is really the end.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

/// Pages of one query after which it is taken for endless.
pub const MAX_PAGES: u64 = 100_000;

/// What to do after a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Ask again with this token.
    Page(String),
    /// All rows came.
    End,
}

/// One page, read but not yet judged.
#[derive(Debug)]
pub struct Page {
    rows: Vec<Value>,
    total: u64,
    truncated: bool,
    token: Option<String>,
}

impl Page {
    /// Reads an answer.
    ///
    /// # Errors
    /// The answer is no page of rows, for a person.
    pub fn read(mut body: Value) -> Result<Self, String> {
        let number = |name: &str| body.get(name).and_then(Value::as_u64);
        let total = number("totalRecords").ok_or("the page does not say how many rows there are")?;
        let count = number("count").ok_or("the page does not say how many rows it holds")?;
        let truncated = match body.get("resultTruncated").and_then(Value::as_str) {
            Some("true") => true,
            Some("false") => false,
            _ => return Err("the page does not say whether it is truncated".into()),
        };
        let token = body.get("$skipToken").and_then(Value::as_str).filter(|token| !token.is_empty()).map(str::to_owned);
        let Some(Value::Array(rows)) = body.get_mut("data").map(Value::take) else { return Err("the page holds no rows".into()) };
        if rows.len() as u64 != count {
            return Err(format!("the page says that it holds {count} rows and holds {}", rows.len()));
        }
        Ok(Self { rows, total, truncated, token })
    }

    /// Takes the rows out.
    pub fn take_rows(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.rows)
    }
}

/// The state of one query.
#[derive(Debug, Default)]
pub struct Pages {
    tokens: HashSet<String>,
    // Hashes: what is held must not grow with the ids' length.
    ids: HashSet<u64>,
    rows: u64,
    pages: u64,
}

impl Pages {
    /// Counts a page in and says what comes next.
    ///
    /// # Errors
    /// The list cannot be read to its end: why, for a person.
    pub fn after(&mut self, page: &Page, rows: usize) -> Result<Next, String> {
        self.rows += rows as u64;
        self.pages += 1;
        match &page.token {
            Some(_) if self.pages >= MAX_PAGES => Err("the list has no end".into()),
            Some(token) if !self.tokens.insert(token.clone()) => {
                Err("the cloud repeated a page token: the list cannot be read to its end".into())
            }
            // A token counts, whatever the page says of being truncated and however few rows it holds.
            Some(token) => Ok(Next::Page(token.clone())),
            None if page.truncated => Err(format!("the list was cut off after {} of {} rows, without a page token", self.rows, page.total)),
            None if self.rows < page.total => Err(format!("{} of {} rows came", self.rows, page.total)),
            None => Ok(Next::End),
        }
    }

    /// Whether the id, in lower case, is new: Azure spells one id in several letter cases, even on one page.
    pub fn is_new(&mut self, id: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        self.ids.insert(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn page(rows: usize, total: u64, truncated: &str, token: Option<&str>) -> Page {
        let data: Vec<Value> = (0..rows).map(|row| json!({"id": row})).collect();
        let mut body = json!({"totalRecords": total, "count": rows, "resultTruncated": truncated, "data": data});
        if let Some(token) = token {
            body["$skipToken"] = token.into();
        }
        Page::read(body).unwrap()
    }

    fn run(pages: &[Page]) -> Result<Next, String> {
        let mut state = Pages::default();
        let mut end = Ok(Next::End);
        for page in pages {
            end = state.after(page, page.rows.len());
            if end.is_err() {
                break;
            }
        }
        end
    }

    #[test]
    fn a_token_leads_on_whatever_the_page_says() {
        assert_eq!(run(&[page(1, 3, "false", Some("a")), page(1, 3, "false", Some("b")), page(1, 3, "false", None)]), Ok(Next::End));
        assert_eq!(run(&[page(1, 2, "true", Some("a")), page(0, 2, "true", Some("b")), page(1, 2, "false", None)]), Ok(Next::End));
        assert_eq!(run(&[page(0, 0, "false", None)]), Ok(Next::End));
        assert_eq!(run(&[page(0, 2, "true", Some("a"))]), Ok(Next::Page("a".into())));
    }

    #[test]
    fn an_end_that_is_none_is_named_with_both_numbers() {
        let cut = run(&[page(2, 3, "true", None)]).unwrap_err();
        assert!(cut.contains("2 of 3"), "{cut}");
        let short = run(&[page(1, 3, "false", Some("a")), page(1, 3, "false", None)]).unwrap_err();
        assert!(short.contains("2 of 3"), "{short}");
        let repeated = run(&[page(1, 3, "true", Some("a")), page(1, 3, "true", Some("a"))]).unwrap_err();
        assert!(repeated.contains("repeated"), "{repeated}");
    }

    #[test]
    fn an_answer_that_is_no_page_is_refused() {
        for body in [
            json!({}),
            json!({"totalRecords": 1, "count": 1, "resultTruncated": "false", "data": {}}),
            json!({"totalRecords": 1, "count": 1, "resultTruncated": false, "data": []}),
            json!({"totalRecords": 1, "count": 1, "resultTruncated": "false", "data": []}),
        ] {
            assert!(Page::read(body.clone()).is_err(), "{body}");
        }
    }

    #[test]
    fn an_id_is_new_once() {
        let mut pages = Pages::default();
        assert!(pages.is_new("/a"));
        assert!(!pages.is_new("/a"));
    }
}
