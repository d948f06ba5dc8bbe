//! The way of a call: the clock, the buckets and the faults first, then the emulator, then the pages.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use serde_json::{Value, json};

use crate::call::{Call, Protocol};
use crate::explorer::{self, Explorer};
use crate::fault::{Answer, error, plain, put, silence, throttled};
use crate::pages::{self, Cut};
use crate::watch::Watch;
use crate::{backups, clock, tags, xml};

/// Longest time of one call to the emulator.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone)]
struct Shim {
    upstream: String,
    http: reqwest::Client,
    watch: Watch,
}

/// What the emulator said.
struct Said {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    /// Whether its rows are given by a test.
    given: bool,
}

/// Starts a shim in front of the emulator at a URL, on a free port of 127.0.0.1, in the runtime that calls. Returns its URL.
///
/// # Errors
/// No port is free.
pub async fn start(upstream: &str, watch: Watch) -> Result<String> {
    start_at(upstream, watch, std::net::Ipv4Addr::LOCALHOST.into()).await
}

/// The same at another address of this machine, such as one that pods reach.
///
/// # Errors
/// The address cannot be listened on.
pub async fn start_at(upstream: &str, watch: Watch, address: std::net::IpAddr) -> Result<String> {
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let shim = Shim { upstream: upstream.to_owned(), http, watch };
    let listener = tokio::net::TcpListener::bind((address, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let router = Router::new().fallback(handle).with_state(shim).layer(axum::extract::DefaultBodyLimit::disable());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

async fn handle(State(shim): State<Shim>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let call = Call::read(&method, &uri, &headers, &body);
    let text = shim.watch.note(&call);
    let ahead = shim.watch.state().clock_ahead;
    let now = clock::now(ahead);
    let request = json!({
        "service": call.service, "region": call.region, "action": call.action, "method": method.as_str(), "url": uri.to_string(),
        "headers": readable(&headers), "request": String::from_utf8_lossy(&body),
    });
    let mut response = match before(&shim, &call, &text, now) {
        Early::Answered(response) => {
            shim.watch.keep(|| request);
            *response
        }
        Early::Goes(fault) => shim.forward(&call, (method, uri, headers, body), fault, request).await,
    };
    if ahead != 0 {
        put(response.headers_mut(), "date", &clock::header(now));
    }
    response
}

/// What a judge may see of the headers: nothing that is signed with.
fn readable(headers: &HeaderMap) -> Value {
    let shown = ["content-type", "x-amz-target"];
    shown
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), headers.get(*name)?.to_str().ok()?.into())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// What comes before the emulator is asked.
enum Early {
    /// This, and it is not asked.
    Answered(Box<Response<Body>>),
    /// It is asked, and this is done to its answer.
    Goes(Option<Answer>),
}

fn before(shim: &Shim, call: &Call, text: &str, now: jiff::Timestamp) -> Early {
    let answered = |response| Early::Answered(Box::new(response));
    if let Some(refusal) = clock::refusal(call, now) {
        return answered(refusal);
    }
    let caller = shim.watch.account_of(&call.key).unwrap_or_else(|| call.key.clone());
    if !shim.watch.has_room(text, &caller, &call.region) {
        return answered(throttled(call, None));
    }
    if let Some(refusal) = shim.watch.state().tags.as_ref().and_then(|tags| tags.refusal(call, caller == call.key)) {
        return answered(refusal);
    }
    match shim.watch.fault(text) {
        Some(Answer::Nothing) => answered(silence()),
        Some(Answer::Error { status, code, retry_after }) => answered(error(call, status, &code, "made by the test", retry_after)),
        Some(Answer::Throttled { retry_after }) => answered(throttled(call, retry_after)),
        later => Early::Goes(later),
    }
}

impl Shim {
    async fn forward(
        &self,
        call: &Call,
        (method, uri, headers, body): (Method, Uri, HeaderMap, Bytes),
        fault: Option<Answer>,
        mut exchange: Value,
    ) -> Response<Body> {
        if let Some(Answer::Late(wait)) = fault {
            tokio::time::sleep(wait).await;
        }
        let url = format!("{}{}", self.upstream, uri.path_and_query().map_or("/", |path| path.as_str()));
        // The host stays as it was signed.
        let said = match self.http.request(method, url).headers(headers).body(body).send().await {
            Err(error) => return plain(StatusCode::BAD_GATEWAY, error.to_string()),
            Ok(answer) => {
                let (status, headers) = (answer.status(), answer.headers().clone());
                Said { status, headers, body: mended(call, answer.bytes().await.unwrap_or_default()), given: false }
            }
        };
        self.learn(call, &said);
        let said = Said { body: if self.watch.state().tags.is_some() { tags::worded(call, said.body) } else { said.body }, ..said };
        if fault == Some(Answer::Lost) {
            self.watch.keep(|| exchange);
            return silence();
        }
        let said = self.recovered(call, self.explored(call, said));
        let mut said = match self.paged(call, said, fault == Some(Answer::RepeatedToken)) {
            Ok(said) => said,
            Err(refusal) => {
                self.watch.keep(|| exchange);
                return *refusal;
            }
        };
        if let Some(Answer::Rewritten(from, to)) = &fault {
            said.body = String::from_utf8_lossy(&said.body).replace(from, to).into();
        }
        // What a test has spoilt is no answer of AWS's.
        if !matches!(fault, Some(Answer::Rewritten(..))) {
            exchange["given"] = said.given.into();
            exchange["status"] = said.status.as_u16().into();
            exchange["response"] = String::from_utf8_lossy(&said.body).into();
            exchange["responseType"] = said.headers.get("content-type").and_then(|kind| kind.to_str().ok()).into();
        }
        self.watch.keep(|| exchange);
        if fault == Some(Answer::CutOff) {
            said.body.truncate(said.body.len() / 2);
        }
        respond(said)
    }

    /// Remembers whose a session is: the answer to AssumeRole tells.
    fn learn(&self, call: &Call, said: &Said) {
        if call.action != "AssumeRole" || said.status != StatusCode::OK {
            return;
        }
        let text = String::from_utf8_lossy(&said.body);
        let element = |name: &str| xml::inside(&text, name).map(|(begin, end)| text[begin..end].to_owned());
        if let (Some(key), Some(arn)) = (element("AccessKeyId"), element("Arn"))
            && let Some(account) = arn.split(':').nth(4)
        {
            self.watch.learn(&key, account);
        }
    }

    /// What Resource Explorer says, where the emulator knows the caller; that of an account without it has no index.
    fn explored(&self, call: &Call, said: Said) -> Said {
        if call.service != explorer::SERVICE || matches!(said.status.as_u16(), 401 | 403) {
            return said;
        }
        let account = self.watch.account_of(&call.key).unwrap_or_else(|| call.key.clone());
        let found = self.watch.state().explorers.get(&account).cloned().unwrap_or_else(|| Explorer::on(BTreeMap::new()));
        let (status, body) = match found.rows(call, &account) {
            // It is put into pages like any other list.
            Some(rows) => {
                self.watch.state().answers.set(&format!("{}/{}", call.service, call.action), &account, &call.region, rows);
                (StatusCode::OK, json!({}))
            }
            None => {
                let (status, body) = found.answer(call, &account);
                (StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY), body)
            }
        };
        let mut headers = HeaderMap::new();
        put(&mut headers, "content-type", "application/json");
        if let Some(code) = body["__type"].as_str() {
            put(&mut headers, "x-amzn-errortype", code);
        }
        Said { status, headers, body: body.to_string().into(), given: true }
    }

    /// What AWS Backup says with what a test has planted, where the emulator knows the caller.
    fn recovered(&self, call: &Call, said: Said) -> Said {
        if call.service != backups::SERVICE || matches!(said.status.as_u16(), 401 | 403) {
            return said;
        }
        let account = self.watch.account_of(&call.key).unwrap_or_else(|| call.key.clone());
        let mut state = self.watch.state();
        let now = clock::now(state.clock_ahead);
        let held = state.backups.get(&(account.clone(), call.region.clone())).cloned().unwrap_or_default();
        if let Some(rows) = held.rows(call, &account, now) {
            // They are put into pages like any other list.
            state.answers.set(&format!("{}/{}", call.service, call.action), &account, &call.region, rows);
            return said;
        }
        let held_for = (account.clone(), call.region.clone());
        if let Some((status, body)) = state.backups.entry(held_for).or_default().restore_test(call, &account, now) {
            let mut headers = HeaderMap::new();
            put(&mut headers, "content-type", "application/json");
            if let Some(code) = body["__type"].as_str() {
                put(&mut headers, "x-amzn-errortype", code);
            }
            let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
            return Said { status: StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY), headers, body, given: true };
        }
        let Ok(mut body) = serde_json::from_slice::<Value>(&said.body) else { return said };
        held.amend(call, &mut body);
        Said { body: body.to_string().into(), ..said }
    }

    /// The page that is asked for, where the emulator has let the caller in.
    fn paged(&self, call: &Call, said: Said, repeats: bool) -> Result<Said, Box<Response<Body>>> {
        let Some(list) = pages::list(call) else { return Ok(said) };
        let account = self.watch.account_of(&call.key).unwrap_or_else(|| call.key.clone());
        let (given, page_rows) = {
            let state = self.watch.state();
            (state.answers.get(&format!("{}/{}", call.service, call.action), &account, &call.region).cloned(), state.page_rows)
        };
        // An operation that the emulator does not know is no refusal; one that it refuses stays refused.
        let is_unknown = given.is_some() && said.status.is_client_error() && !matches!(said.status.as_u16(), 401 | 403);
        if said.status != StatusCode::OK && !is_unknown {
            return Ok(said);
        }
        let cut = Cut { account: &account, given: given.as_ref(), page_rows, repeats };
        let text = list.page(call, &String::from_utf8_lossy(&said.body), &cut)?;
        let mut headers = said.headers;
        if is_unknown {
            let is_xml = matches!(call.protocol(), Protocol::Ec2 | Protocol::Query);
            put(&mut headers, "content-type", if is_xml { "text/xml" } else { "application/x-amz-json-1.1" });
        }
        Ok(Said { status: StatusCode::OK, headers, body: text.into(), given: given.is_some() })
    }
}

/// The emulator's answer, where it breaks AWS's own model: it gives functions an empty ARN of their runtime's version.
fn mended(call: &Call, body: Bytes) -> Bytes {
    if call.service != "lambda" {
        return body;
    }
    let version = format!("\"RuntimeVersionArn\": \"arn:aws:lambda:{}::runtime:emulated\"", call.region);
    String::from_utf8_lossy(&body).replace("\"RuntimeVersionArn\": \"\"", &version).into()
}

fn respond(said: Said) -> Response<Body> {
    let mut response = Response::new(Body::from(said.body));
    *response.status_mut() = said.status;
    for (name, value) in &said.headers {
        if name != "transfer-encoding" && name != "content-length" && name != "connection" {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}
