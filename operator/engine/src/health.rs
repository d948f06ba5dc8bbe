//! `/healthz`, `/readyz` and `/metrics`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::cache::{Cache, Gate};
use crate::metrics::Metrics;

/// How far the operator is. Each controller has a gate: its kind was listed, and, in the process that leads, its loop runs.
#[derive(Clone)]
pub struct Health {
    started: Arc<AtomicBool>,
    leading: Arc<AtomicBool>,
    cache: Cache,
}

impl Health {
    /// The health of an operator whose controllers share this cache.
    #[must_use]
    pub fn of(cache: Cache) -> Self {
        Self { started: Arc::default(), leading: Arc::default(), cache }
    }

    /// The process stands; a standby that waits for the lease is ready too.
    pub fn set_started(&self) {
        self.started.store(true, Ordering::SeqCst);
    }

    /// The controllers of this process run.
    pub fn set_leading(&self) {
        self.leading.store(true, Ordering::SeqCst);
    }

    fn answer(&self) -> (StatusCode, String) {
        if self.started.load(Ordering::SeqCst) {
            report(self.leading.load(Ordering::SeqCst), &self.cache.gates())
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "waits for the API server; are the CRDs installed?\n".into())
        }
    }
}

/// The answer of `/readyz`: ready where every gate is open. Objects that do not fit their type are told and close nothing.
fn report(is_leading: bool, gates: &[Gate]) -> (StatusCode, String) {
    let is_open = |gate: &Gate| gate.is_listed && (gate.is_running || !is_leading);
    let mut text = match (gates.iter().all(is_open), is_leading) {
        (true, true) => "ok: leading\n".to_owned(),
        (true, false) => "ok: standby\n".to_owned(),
        (false, _) => "not ready\n".to_owned(),
    };
    for gate in gates {
        let state = match (gate.is_listed, gate.is_running) {
            (false, _) => "waits for its first list; is the CRD installed?",
            (true, true) => "running",
            (true, false) if is_leading => "its loop does not run",
            (true, false) => "listed",
        };
        let unfit = if gate.unfit == 0 { String::new() } else { format!(", {} that do not fit their type", gate.unfit) };
        text.push_str(&format!("{}: {state}; {} objects{unfit}\n", gate.kind.as_str(), gate.objects));
    }
    let code = if gates.iter().all(is_open) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, text)
}

/// Starts both servers.
///
/// # Errors
/// An address cannot be listened on.
pub async fn serve(health_address: &str, metrics_address: &str, health: Health, metrics: Metrics) -> Result<(), String> {
    let ready = move || {
        let health = health.clone();
        async move { health.answer() }
    };
    listen(health_address, Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready))).await?;
    let render = move || {
        let metrics = metrics.clone();
        async move { ([("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8")], metrics.render()) }
    };
    listen(metrics_address, Router::new().route("/metrics", get(render))).await
}

async fn listen(address: &str, router: Router) -> Result<(), String> {
    let listener = TcpListener::bind(address).await.map_err(|error| format!("{address}: {error}"))?;
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "a server ended");
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use caretaker_core::kinds::Kind;

    use super::*;

    #[test]
    fn readiness_has_a_gate_per_controller() {
        let gate = |is_listed, is_running, unfit| Gate { kind: Kind::CLOUD_ACCOUNT, is_listed, is_running, objects: 3, unfit };
        let rows = [
            ("a leader whose loops run is ready", true, gate(true, true, 0), 200, "CloudAccount: running; 3 objects\n"),
            ("an object of a wrong shape closes nothing", true, gate(true, true, 1), 200, "1 that do not fit their type"),
            ("a standby needs its lists only", false, gate(true, false, 0), 200, "CloudAccount: listed"),
            ("a leader without a loop is not ready", true, gate(true, false, 0), 503, "its loop does not run"),
            ("nobody is ready before the first list", false, gate(false, false, 0), 503, "is the CRD installed?"),
        ];
        for (why, is_leading, gate, code, line) in rows {
            let open = Gate { kind: Kind::HANDOVER, is_listed: true, is_running: true, objects: 0, unfit: 0 };
            let (status, text) = report(is_leading, &[open, gate]);
            assert!(status.as_u16() == code && text.contains(line), "{why}: {status} {text}");
        }
    }
}
