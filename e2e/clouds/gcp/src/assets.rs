//! Cloud Asset: the search for resources.

use std::hash::{DefaultHasher, Hash, Hasher};

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::envelope;
use crate::request::{Answer, Request};
use crate::world::World;

/// Most rows of a page.
const MAX_PAGE: usize = 500;
/// Rows of a page where none are asked for.
const DEFAULT_PAGE: usize = 100;
/// Asset types that the service knows, whether or not there is one.
const SUPPORTED: &[&str] = &[
    "compute.googleapis.com/Instance",
    "storage.googleapis.com/Bucket",
    "sqladmin.googleapis.com/Instance",
    "container.googleapis.com/Cluster",
    "cloudfunctions.googleapis.com/Function",
    "run.googleapis.com/Service",
    "cloudkms.googleapis.com/CryptoKey",
    "iam.googleapis.com/ServiceAccount",
    "pubsub.googleapis.com/Topic",
];
/// Fields of a row.
const FIELDS: &[&str] = &[
    "name",
    "assetType",
    "project",
    "displayName",
    "description",
    "location",
    "labels",
    "networkTags",
    "kmsKeys",
    "folders",
    "createTime",
    "updateTime",
    "state",
    "additionalAttributes",
    "parentFullResourceName",
    "parentAssetType",
];

/// A page of what is in a project.
pub fn search(world: &mut World, request: &Request) -> Result<Answer, Answer> {
    let id = world.asset_project(request, "cloudasset.assets.searchAllResources")?;
    let kinds = kinds(request)?;
    let terms = terms(request.parameter("query").unwrap_or_default())?;
    let fields = fields(request)?;
    let size = request.parameter("pageSize").map_or(Ok(0), str::parse).map_err(|_| envelope::invalid("pageSize is no number."))?;
    let size = if size == 0 { DEFAULT_PAGE } else { size.min(MAX_PAGE) }.min(world.page_rows.unwrap_or(MAX_PAGE));
    let from = offset(request).ok_or_else(|| envelope::invalid("The page token is not of this question."))?;
    let project = &world.projects[&id];
    let is_asked_for = |row: &&Value| {
        let kind = row["assetType"].as_str().unwrap_or_default();
        (kinds.is_empty() || kinds.iter().any(|wanted| wanted.is_match(kind))) && terms.iter().all(|term| term.fits(row))
    };
    let is_indexed = |row: &&Value| !row["name"].as_str().is_some_and(|name| project.unindexed.contains(name));
    let mut rows: Vec<&Value> = project.assets.iter().filter(is_indexed).filter(is_asked_for).skip(from).take(size + 1).collect();
    let has_more = rows.len() > size;
    rows.truncate(size);
    let mut body = json!({});
    if !rows.is_empty() {
        body["results"] = rows.into_iter().map(|row| masked(row, &fields)).collect();
    }
    if has_more {
        body["nextPageToken"] = token_of(request, from + size).into();
    }
    Ok(Answer::ok(body))
}

/// The token of the page of this question that starts at a row.
pub fn token_of(request: &Request, from: usize) -> String {
    // An empty page has a token of its own for the same row.
    let turn =
        request.parameter("pageToken").map_or(0, |token| token.split('.').nth(2).and_then(|turn| turn.parse().ok()).unwrap_or(0)) + 1;
    format!("{:016x}.{from}.{turn}", question(request))
}

/// The row that the asked page starts at; `None` where the token is not of this question.
pub fn offset(request: &Request) -> Option<usize> {
    let Some(token) = request.parameter("pageToken").filter(|token| !token.is_empty()) else { return Some(0) };
    let mut parts = token.split('.');
    (parts.next()? == format!("{:016x}", question(request))).then_some(())?;
    parts.next()?.parse().ok()
}

fn question(request: &Request) -> u64 {
    let mut hasher = DefaultHasher::new();
    request.path.hash(&mut hasher);
    for (key, values) in request.query.iter().filter(|(key, _)| *key != "pageToken") {
        (key, values).hash(&mut hasher);
    }
    hasher.finish()
}

fn kinds(request: &Request) -> Result<Vec<Regex>, Answer> {
    let mut kinds = Vec::new();
    for text in request.query.get("assetTypes").into_iter().flatten() {
        let kind = Regex::new(&format!("^(?:{text})$")).map_err(|_| envelope::invalid("An asset type is no regular expression."))?;
        if !SUPPORTED.iter().any(|known| kind.is_match(known)) {
            return Err(envelope::invalid(&format!("The asset type {text} matches no supported type.")));
        }
        kinds.push(kind);
    }
    Ok(kinds)
}

fn fields(request: &Request) -> Result<Vec<String>, Answer> {
    let mask = request.parameter("readMask").unwrap_or("*");
    if mask == "*" {
        return Ok(FIELDS.iter().map(|field| (*field).to_owned()).collect());
    }
    let fields: Vec<String> = mask.split(',').map(str::to_owned).collect();
    match fields.iter().find(|field| !FIELDS.contains(&field.as_str())) {
        Some(field) => Err(envelope::invalid(&format!("The read mask names the unknown field {field}."))),
        None => Ok(fields),
    }
}

fn masked(row: &Value, fields: &[String]) -> Value {
    let held = row.as_object().into_iter().flatten().filter(|(key, _)| fields.contains(key));
    Value::Object(held.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>())
}

struct Term {
    field: String,
    value: String,
    is_exact: bool,
}

impl Term {
    fn fits(&self, row: &Value) -> bool {
        let held = match self.field.strip_prefix("labels.") {
            Some(label) => row["labels"][label].as_str(),
            None => row[self.field.as_str()].as_str(),
        };
        held.is_some_and(|held| if self.is_exact { held == self.value } else { held.contains(&self.value) })
    }
}

/// The subset of the query language that is known: `field=value` and `field:value`, joined by AND.
fn terms(query: &str) -> Result<Vec<Term>, Answer> {
    let mut terms = Vec::new();
    for text in query.split(" AND ").map(str::trim).filter(|text| !text.is_empty()) {
        let at = text.find(['=', ':']).ok_or_else(|| envelope::invalid("The query is not of the subset that is simulated."))?;
        let (field, value) = (text[..at].to_owned(), text[at + 1..].trim_matches('"').to_owned());
        let is_known = field.starts_with("labels.") || ["location", "displayName", "name", "state"].contains(&field.as_str());
        if !is_known {
            return Err(envelope::invalid("The query is not of the subset that is simulated."));
        }
        terms.push(Term { field, value, is_exact: text.as_bytes()[at] == b'=' });
    }
    Ok(terms)
}
