//! Resource Graph: queries, pages, and what can go wrong with them.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use crate::kql::Query;
use crate::reply::Reply;
use crate::world::{Action, GraphFault, Issued, Subscription, World};

/// Most rows of a page, and the number where none is asked for.
const MAX_TOP: u64 = 1000;
const DEFAULT_TOP: u64 = 100;
/// The token that a repeating list gives.
const REPEATED: &str = "the-same-again";

/// Where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    offset: usize,
    /// Whether the empty page before it has been given.
    emptied: bool,
}

/// `POST /providers/Microsoft.ResourceGraph/resources`.
pub fn query(world: &World, caller: &Issued, body: &Value) -> Reply {
    let bad = |message: &str| Reply::error(400, "BadRequest", message);
    let Some(text) = body.get("query").and_then(Value::as_str) else { return bad("The query is missing.") };
    let parsed = match Query::parse(text) {
        Ok(parsed) => parsed,
        Err(why) => return bad(&why),
    };
    let Some(table) = table(&parsed.table) else { return bad(&format!("The table {} is not known.", parsed.table)) };
    let asked: Option<Vec<String>> = body
        .get("subscriptions")
        .and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_str).map(str::to_ascii_lowercase).collect());
    let Some(asked) = asked.filter(|asked| !asked.is_empty()) else { return bad("The subscriptions are missing.") };
    let readable: Vec<&String> = asked.iter().filter(|id| world.may(caller, id, Action::Read)).collect();
    if readable.is_empty() && !world.silent_graph {
        return Reply::denied("Microsoft.ResourceGraph/resources/read");
    }
    let top = body.pointer("/options/$top").map_or(Some(DEFAULT_TOP), Value::as_u64);
    let Some(top @ 1..=MAX_TOP) = top else { return bad("$top must be between 1 and 1000.") };
    let found = readable.iter().filter_map(|id| world.subscriptions.get(*id));
    let rows = parsed.rows(found.flat_map(|found| table(found).iter().filter(|resource| found.is_indexed(resource))));
    let key = key(text, &asked);
    let place = match body.pointer("/options/$skipToken") {
        None => Place { offset: 0, emptied: false },
        Some(token) => match token.as_str().and_then(|token| place(token, key, world.page_rows)) {
            Some(place) => place,
            None => return bad("The $skipToken is not of this query."),
        },
    };
    let size = world.page_rows.min(usize::try_from(top).unwrap_or(usize::MAX));
    page(&parsed, &rows, (place, size), world.graph_fault.filter(|_| text.contains(&world.graph_fault_on)), key)
}

/// The rows of a table.
fn table(name: &str) -> Option<fn(&Subscription) -> &Vec<Value>> {
    match name.to_ascii_lowercase().as_str() {
        "resources" => Some(|found| &found.resources),
        "patchassessmentresources" => Some(|found| &found.patch_assessments),
        _ => None,
    }
}

fn page(query: &Query, rows: &[&Value], (place, size): (Place, usize), fault: Option<GraphFault>, key: u64) -> Reply {
    let (begin, end) = (place.offset.min(rows.len()), (place.offset + size).min(rows.len()));
    let mut page = &rows[begin..end];
    let mut next = (end < rows.len() && query.has_id()).then(|| token(Place { offset: end, emptied: false }, key));
    let mut truncated = end < rows.len();
    let mut total = rows.len();
    match fault {
        Some(GraphFault::TruncatedWithoutToken) => next = None,
        Some(GraphFault::RepeatedToken) if truncated => next = Some(REPEATED.into()),
        Some(GraphFault::EmptyPages) if !place.emptied => {
            page = &[];
            truncated = true;
            next = Some(token(Place { emptied: true, ..place }, key));
        }
        Some(GraphFault::ShortOfTotal) => total += 1,
        Some(GraphFault::NeverTruncated) => truncated = false,
        _ => {}
    }
    let page: Vec<Value> = page.iter().map(|row| query.project(row)).collect();
    let mut body = json!({
        "totalRecords": total, "count": page.len(), "resultTruncated": if truncated { "true" } else { "false" }, "facets": [], "data": page,
    });
    if let Some(next) = next {
        body["$skipToken"] = next.into();
    }
    let mut reply = Reply::ok(body).with("x-ms-user-quota-remaining", "14").with("x-ms-user-quota-resets-after", "00:00:05");
    reply.cut = fault == Some(GraphFault::BrokenJson) && place.offset > 0;
    reply
}

/// What a token is bound to: the same query of the same subscriptions.
fn key(query: &str, subscriptions: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (query, subscriptions).hash(&mut hasher);
    hasher.finish()
}

fn token(place: Place, key: u64) -> String {
    format!("{key:x}.{}.{}", place.offset, u8::from(place.emptied))
}

fn place(token: &str, key: u64, page_rows: usize) -> Option<Place> {
    if token == REPEATED {
        return Some(Place { offset: page_rows, emptied: false });
    }
    let [of, offset, emptied] = token.split('.').collect::<Vec<_>>().try_into().ok()?;
    (of == format!("{key:x}")).then_some(Place { offset: offset.parse().ok()?, emptied: emptied == "1" })
}
