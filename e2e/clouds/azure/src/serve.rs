//! HTTP over TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use caretaker_testkit::certs::Authority;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Map, Value};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::manager::{self, Request};
use crate::reply::Reply;
use crate::{AUDIENCE, Exchange, State, entra};

/// Connections whose handshake is done and that wait to be served.
const WAITING: usize = 64;

/// Starts the server: its address, its CA and its task.
pub async fn start(state: Arc<State>, at: SocketAddr) -> Result<(SocketAddr, String, JoinHandle<()>)> {
    let folder = tempfile::tempdir()?;
    Authority::make(folder.path())?.server(&[at.ip().to_string()])?;
    let file = |name: &str| folder.path().join(name);
    let certificate = CertificateDer::from_pem_file(file("server.crt"))?;
    let key = PrivateKeyDer::from_pem_file(file("server.key"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    let tcp = TcpListener::bind(at).await?;
    let (address, ca_pem) = (tcp.local_addr()?, std::fs::read_to_string(file("ca.crt"))?);
    let (sender, ready) = mpsc::channel(WAITING);
    let router = axum::Router::new().fallback(handle).with_state(state);
    let server = tokio::spawn(async move {
        let accepting = accept(tcp, TlsAcceptor::from(Arc::new(config)), sender);
        let serving = axum::serve(Tls { ready, address }, router);
        tokio::select! {
            () = accepting => {}
            _ = serving => {}
        }
    });
    Ok((address, ca_pem, server))
}

/// Takes connections in; a handshake that hangs holds up no other.
async fn accept(tcp: TcpListener, tls: TlsAcceptor, sender: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>) {
    loop {
        let Ok((stream, peer)) = tcp.accept().await else { continue };
        let (tls, sender) = (tls.clone(), sender.clone());
        tokio::spawn(async move {
            if let Ok(stream) = tls.accept(stream).await {
                let _ = sender.send((stream, peer)).await;
            }
        });
    }
}

struct Tls {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(self.address)
    }
}

async fn handle(Shared(state): Shared<Arc<State>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let (ahead, now) = {
        let world = state.world.lock().expect("no panic while held");
        (world.clock_ahead, world.now())
    };
    let mut response = answer(&state, &method, &uri, &headers, &body);
    if ahead != 0
        && let Ok(date) = HeaderValue::from_str(&now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
    {
        response.headers_mut().insert("date", date);
    }
    response
}

fn answer(state: &State, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Response {
    let path = decode(uri.path());
    let mut parts = path.trim_matches('/').split('/');
    if let (Some(tenant), Some("oauth2"), Some("v2.0"), Some("token"), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    {
        let mut world = state.world.lock().expect("no panic while held");
        let reply = match world.rule(&path, "") {
            Some(refusal) => manager::refuse(refusal).unwrap_or_else(|| Reply::error(400, "BadRequest", "This rule is not for tokens.")),
            None if *method == Method::POST => entra::token(&mut world, tenant, &pairs(&String::from_utf8_lossy(body)), AUDIENCE),
            None => Reply::empty(405),
        };
        return respond(&reply);
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let request = Request {
        method: method.to_string(),
        path,
        query: pairs(uri.query().unwrap_or_default()),
        bearer: text("authorization").and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned),
        json: text("content-type").is_some_and(|kind| kind.starts_with("application/json")),
        body: serde_json::from_slice(body).unwrap_or_default(),
    };
    let reply = manager::answer(&mut state.world.lock().expect("no panic while held"), &request);
    let url = uri.path_and_query().map_or("/", |whole| whole.as_str()).to_owned();
    let sent = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str() != "authorization").then(|| (name.to_string(), Value::from(value.to_str().unwrap_or_default())))
    };
    note(
        state,
        Exchange {
            method: request.method,
            url,
            request_headers: headers.iter().filter_map(sent).collect(),
            request_body: request.body,
            status: reply.status,
            response_headers: headers_of(&reply),
            response_body: reply.body.clone(),
        },
    );
    respond(&reply)
}

/// Remembers an exchange, and writes it to the log where there is one.
fn note(state: &State, exchange: Exchange) {
    let log = state.world.lock().expect("no panic while held").log.clone();
    let mut exchanges = state.exchanges.lock().expect("no panic while held");
    if let Some(log) = log {
        let written = std::fs::File::options().create(true).append(true).open(&log).and_then(|mut file| {
            use std::io::Write;
            writeln!(file, "{}", serde_json::to_string(&exchange)?)
        });
        if let Err(error) = written {
            eprintln!("cannot write {}: {error}", log.display());
        }
    }
    exchanges.push(exchange);
}

fn headers_of(reply: &Reply) -> Map<String, Value> {
    let own = reply.headers.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())));
    own.chain([("content-type".to_owned(), Value::from("application/json"))]).collect()
}

fn respond(reply: &Reply) -> Response {
    let mut text = if reply.body.is_null() { String::new() } else { reply.body.to_string() };
    if reply.cut {
        text.truncate(text.floor_char_boundary(text.len() / 2));
    }
    let mut response = text.into_response();
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    for (name, value) in &reply.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode(key), decode(&value.replace('+', " "))))
        .collect()
}

/// Undoes percent-encoding.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten().and_then(|hex| u8::from_str_radix(hex, 16).ok());
        decoded.push(hex.unwrap_or(bytes[at]));
        at += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded() {
        let expected = [("a".to_owned(), "b c&ü%".to_owned()), ("d".to_owned(), String::new())];
        assert_eq!(pairs("a=b+c%26%C3%BC%&d"), expected);
    }
}
