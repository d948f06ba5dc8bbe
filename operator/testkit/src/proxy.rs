//! A reverse proxy in front of the emulator: counts calls, and makes faults on demand.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};

/// A fault. Where several fit, the first wins.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Part of `service/region/Action` that must occur; empty for every call.
    pub matches: String,
    /// What comes instead of the emulator's answer.
    pub answer: Answer,
    /// How many calls fail before the fault is over; `None` for ever.
    pub times: Option<u32>,
}

/// What a fault answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The connection breaks off.
    Nothing,
    /// An error.
    Error {
        /// HTTP status.
        status: u16,
        /// AWS's error code.
        code: String,
        /// `Retry-After` in seconds.
        retry_after: Option<u64>,
    },
    /// The emulator's own answer with one text in place of another.
    Rewritten(String, String),
}

impl Fault {
    /// No answer to calls that match.
    #[must_use]
    pub fn silence(matches: &str) -> Self {
        Self { matches: matches.into(), answer: Answer::Nothing, times: None }
    }

    /// An error for calls that match.
    #[must_use]
    pub fn error(matches: &str, status: u16, code: &str) -> Self {
        Self { matches: matches.into(), answer: Answer::Error { status, code: code.into(), retry_after: None }, times: None }
    }

    /// Another text in the answers to calls that match.
    #[must_use]
    pub fn rewritten(matches: &str, from: &str, to: &str) -> Self {
        Self { matches: matches.into(), answer: Answer::Rewritten(from.into(), to.into()), times: None }
    }
}

/// What the proxy has seen and does. Cheap to clone.
#[derive(Clone, Default)]
pub struct Watch {
    calls: Arc<Mutex<Vec<String>>>,
    faults: Arc<Mutex<Vec<Fault>>>,
}

impl Watch {
    /// All calls so far, as `service/region/Action key`.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().expect("no panic while held").clone()
    }

    /// Calls that change something.
    #[must_use]
    pub fn writes(&self) -> Vec<String> {
        self.calls().into_iter().filter(|call| is_write(call)).collect()
    }

    /// Replaces the faults.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        *self.faults.lock().expect("no panic while held") = faults;
    }

    fn fault(&self, call: &str) -> Option<Fault> {
        let mut faults = self.faults.lock().expect("no panic while held");
        let fault = faults.iter_mut().find(|fault| call.contains(&fault.matches) && fault.times != Some(0))?;
        if let Some(times) = &mut fault.times {
            *times -= 1;
        }
        Some(fault.clone())
    }
}

fn is_write(call: &str) -> bool {
    let action = call.split(' ').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    // REST services name no action; some of their lists are asked for by POST.
    !["Describe", "List", "Get", "Assume", "Simulate", "GET", "POST:list"].iter().any(|read| action.starts_with(read))
}

#[derive(Clone)]
struct Proxy {
    upstream: String,
    http: reqwest::Client,
    watch: Watch,
}

/// Starts a proxy on a free port of 127.0.0.1, in the runtime that calls. Returns its URL.
///
/// # Errors
/// No port is free.
pub async fn start(upstream: &str, watch: Watch) -> Result<String> {
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build()?;
    let proxy = Proxy { upstream: upstream.to_owned(), http, watch };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let router = Router::new().fallback(forward).with_state(proxy);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

/// `service/region/Action key` of a signed call.
fn describe(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> String {
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let scope: Vec<&str> =
        authorization.split("Credential=").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or_default().split('/').collect();
    let (key, region, service) = (scope.first().unwrap_or(&"-"), scope.get(2).unwrap_or(&"-"), scope.get(3).unwrap_or(&"-"));
    let form = String::from_utf8_lossy(body);
    let action = form.split('&').find_map(|pair| pair.strip_prefix("Action=")).map_or_else(
        || {
            let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).and_then(|target| target.rsplit('.').next());
            target.map_or_else(|| format!("{method}{}", uri.path().replace('/', ":")), str::to_owned)
        },
        // The emulator does not look at it, so that tests must be able to.
        |action| if form.contains("&SourceIdentity=") { format!("{action}+SourceIdentity") } else { action.to_owned() },
    );
    format!("{service}/{region}/{action} {key}")
}

async fn forward(State(proxy): State<Proxy>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let call = describe(&method, &uri, &headers, &body);
    proxy.watch.calls.lock().expect("no panic while held").push(call.clone());
    let rewrite = match proxy.watch.fault(&call).map(|fault| fault.answer) {
        Some(Answer::Nothing) => return silence(),
        Some(Answer::Error { status, code, retry_after }) => return broken(status, &code, retry_after),
        Some(Answer::Rewritten(from, to)) => Some((from, to)),
        None => None,
    };
    let url = format!("{}{}", proxy.upstream, uri.path_and_query().map_or("/", |path| path.as_str()));
    // The host stays as it was signed.
    match proxy.http.request(method, url).headers(headers).body(body).send().await {
        Err(error) => plain(StatusCode::BAD_GATEWAY, error.to_string()),
        Ok(answer) => {
            let mut response = Response::builder().status(answer.status());
            for (name, value) in answer.headers() {
                if name != "transfer-encoding" && name != "content-length" && name != "connection" {
                    response = response.header(name, value);
                }
            }
            let mut bytes = answer.bytes().await.unwrap_or_default();
            if let Some((from, to)) = rewrite {
                bytes = String::from_utf8_lossy(&bytes).replace(&from, &to).into();
            }
            response.body(Body::from(bytes)).unwrap_or_else(|error| plain(StatusCode::BAD_GATEWAY, error.to_string()))
        }
    }
}

fn plain(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

/// A head without the body that it promises: to the caller the connection broke off.
fn silence() -> Response<Body> {
    let torn = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::BrokenPipe)) });
    Response::new(Body::from_stream(torn))
}

/// An error in the form that EC2 and the query services use; REST services read the header.
fn broken(status: u16, code: &str, retry_after: Option<u64>) -> Response<Body> {
    let body = format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>made by the test</Message></Error></Errors><Error><Code>{code}</Code><Message>made by the test</Message></Error><RequestID>1</RequestID></Response>"
    );
    let mut response = plain(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY), body);
    response.headers_mut().insert("content-type", "text/xml".parse().expect("a header"));
    if let Ok(value) = code.parse() {
        response.headers_mut().insert("x-amzn-errortype", value);
    }
    if let Some(seconds) = retry_after {
        response.headers_mut().insert("retry-after", seconds.to_string().parse().expect("a number is a header"));
    }
    response
}
