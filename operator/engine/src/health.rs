//! `/healthz`, `/readyz` and `/metrics`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::metrics::Metrics;

/// How far the operator is.
#[derive(Clone, Default)]
pub struct Health {
    started: Arc<AtomicBool>,
    synced: Arc<AtomicBool>,
}

impl Health {
    /// The process stands; a standby that waits for the lease is ready too.
    pub fn set_started(&self) {
        self.started.store(true, Ordering::SeqCst);
    }

    /// The leader has listed every kind once.
    pub fn set_synced(&self) {
        self.synced.store(true, Ordering::SeqCst);
    }
}

/// Starts both servers.
///
/// # Errors
/// An address cannot be listened on.
pub async fn serve(health_address: &str, metrics_address: &str, health: Health, metrics: Metrics) -> Result<(), String> {
    let ready = move || {
        let health = health.clone();
        async move {
            if health.started.load(Ordering::SeqCst) {
                (StatusCode::OK, if health.synced.load(Ordering::SeqCst) { "ok: leading\n" } else { "ok: standby, or listing\n" })
            } else {
                (StatusCode::SERVICE_UNAVAILABLE, "waits for the API server; are the CRDs installed?\n")
            }
        }
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
