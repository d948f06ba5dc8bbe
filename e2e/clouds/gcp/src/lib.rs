//! A simulator of the few calls that Caretaker makes to Google Cloud. It decides by signatures, bindings, scopes and etags as Google
//! describes them, and makes faults on demand. Emulated: what is shown with it is not proved against Google.
//!
//! One server answers for all services; those whose paths are the same are under `/at/SERVICE/`. Every exchange can be read back, for a judge that knows Google's own
//! descriptions.

mod assets;
mod auth;
mod envelope;
mod fault;
mod folders;
mod history;
mod iam;
mod judge;
mod keys;
mod kit;
mod os_inventory;
mod projects;
pub mod recovery;
mod register;
mod request;
pub mod schedules;
mod seed;
mod services;
mod tls;
mod world;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

pub use crate::fault::{Fault, FaultKind};
pub use crate::judge::judge;
pub use crate::keys::{Issuer, TestKey};
pub use crate::kit::apply_terraform;
use crate::request::{Answer, Request};
pub use crate::seed::{READ_ROLE, SELF_ROLE, private_address};
use crate::world::Token;
pub use crate::world::{Binding, Folder, Policy, Project, Quota, ServiceAccount, World};

/// The whole simulated cloud. Clones are the same one.
#[derive(Clone, Default)]
pub struct Simulator {
    world: Arc<Mutex<World>>,
    exchanges: Arc<Mutex<Vec<Value>>>,
    log: Arc<Mutex<Option<std::fs::File>>>,
}

impl Simulator {
    /// An empty cloud with Google's predefined roles as far as they matter here.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads or changes what the cloud holds, as its owners would.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("no panic while held")
    }

    /// All exchanges so far, oldest first: `call`, `method`, `path`, `query`, `quotaProject`, `principal`, `scopes`, `request`, `status`,
    /// `response`.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Value> {
        self.exchanges.lock().expect("no panic while held").clone()
    }

    /// Writes every exchange to this file too, one JSON object a line, as the judge reads it.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn log_to(&self, path: &std::path::Path) -> Result<()> {
        let file = std::fs::File::create(path).with_context(|| format!("make {}", path.display()))?;
        *self.log.lock().expect("no panic while held") = Some(file);
        Ok(())
    }

    fn note(&self, exchange: Value) {
        if let Some(file) = self.log.lock().expect("no panic while held").as_mut() {
            // One write for a line: a judge may read while the server runs. A log that cannot be written must not look whole.
            file.write_all(format!("{exchange}\n").as_bytes()).expect("the log can be written");
        }
        self.exchanges.lock().expect("no panic while held").push(exchange);
    }

    /// Number of calls so far whose name starts with this, such as `cloudasset.`.
    #[must_use]
    pub fn calls(&self, name: &str) -> usize {
        let exchanges = self.exchanges.lock().expect("no panic while held");
        exchanges.iter().filter(|exchange| exchange["call"].as_str().is_some_and(|call| call.starts_with(name))).count()
    }

    /// Listens on 127.0.0.1, on a free port where `port` is 0, until the runtime ends. The base URL.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start(&self, port: u16) -> Result<String> {
        self.start_on(SocketAddr::from(([127, 0, 0, 1], port))).await
    }

    /// The same on another address of this machine, such as one that pods reach.
    ///
    /// # Errors
    /// The address is taken or not this machine's.
    pub async fn start_on(&self, address: SocketAddr) -> Result<String> {
        let listener = tokio::net::TcpListener::bind(address).await.with_context(|| format!("listen on {address}"))?;
        let url = format!("http://{}", listener.local_addr()?);
        let app = Router::new().fallback(handle).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(url)
    }

    /// The same over TLS. The base URL, and the certificate authority in PEM.
    ///
    /// # Errors
    /// No certificate can be made.
    pub async fn start_tls(&self) -> Result<(String, String)> {
        let (listener, authority) = tls::Listener::bind().await?;
        let url = format!("https://{}", axum::serve::Listener::local_addr(&listener)?);
        let app = Router::new().fallback(handle).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok((url, authority))
    }

    /// The answer, the caller and the time, all of one moment: another call may end the caller's token right after.
    fn answer(&self, request: &Request) -> (Answer, Option<Token>, i64) {
        let mut world = self.world();
        let (caller, time) = (world.caller(request).ok(), world.now());
        let planned = world.fault_for(request);
        if let Some(answer) = planned.as_ref().and_then(|kind| fault::before(&mut world, request, kind)) {
            return (answer, caller, time);
        }
        let mut answer = route(&mut world, request).unwrap_or_else(|refusal| refusal);
        if let Some(kind) = planned {
            fault::after(&mut answer, request, &kind);
        }
        (answer, caller, time)
    }
}

/// The calls that are known, each by its service.
fn route(world: &mut World, request: &Request) -> std::result::Result<Answer, Answer> {
    match request.call {
        "oauth2.token" => auth::by_assertion(world, request),
        "sts.token" => auth::by_subject_token(world, request),
        call if call.starts_with("iamcredentials.") || call.starts_with("iam.") => iam::route(world, request),
        call if call.starts_with("cloudresourcemanager.folders.") || call == "cloudresourcemanager.projects.list" => {
            folders::route(world, request)
        }
        call if call.starts_with("cloudresourcemanager.") => projects::route(world, request),
        "cloudasset.searchAllResources" => assets::search(world, request),
        "cloudasset.assets.list" => os_inventory::list(world, request),
        "cloudasset.batchGetAssetsHistory" => history::show(world, request),
        "policyanalyzer.projects.locations.activityTypes.activities.query" => register::key_uses(world, request),
        call if schedules::knows(call) => schedules::route(world, request),
        call if recovery::knows(call) => recovery::list(world, request),
        call if services::knows(call) => services::show(world, request),
        _ => Err(envelope::error(404, "NOT_FOUND", "Method not found.")),
    }
}

async fn handle(Shared(simulator): Shared<Simulator>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let request = Request::read(&method, &uri, &headers, &body);
    let (answer, caller, time) = simulator.answer(&request);
    let exchange = json!({
        "call": request.call, "method": method.as_str(), "path": request.path, "query": request.query,
        "quotaProject": request.quota_project, "principal": caller.as_ref().map(|caller| caller.principal.clone()),
        "scopes": caller.map(|caller| caller.scopes), "request": request.body, "status": answer.status, "response": answer.body,
        "garbled": answer.is_garbled,
    });
    simulator.note(exchange);
    let text = if answer.is_garbled && answer.body.is_object() { "<html>".to_owned() } else { answer.body.to_string() };
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, [("content-type", "application/json; charset=UTF-8")], text).into_response();
    let date = jiff::Timestamp::from_second(time).ok().map(|time| time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    for (name, value) in [("date", date), ("retry-after", answer.retry_after.map(|after| after.to_string()))] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
