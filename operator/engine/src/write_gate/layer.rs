//! The Kubernetes port: a layer in kube's client through which every request passes. Writes ask the gate and are counted; confirmed renewals of our own
//! lease move the gate's deadline.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{Method, Request, Response, Uri};
use kube::client::Body;
use tower::{BoxError, Layer, Service};

use super::count::Writes;
use crate::metrics::Metrics;

/// The layer.
#[derive(Clone)]
pub struct WriteLayer {
    writes: Writes,
    metrics: Metrics,
    lease_path: String,
    lease_valid: Duration,
}

impl WriteLayer {
    /// A layer for a process whose lease is at `lease_path` and is valid for `lease_valid` after each renewal.
    #[must_use]
    pub fn new(writes: Writes, metrics: Metrics, lease_path: String, lease_valid: Duration) -> Self {
        Self { writes, metrics, lease_path, lease_valid }
    }
}

impl<S> Layer<S> for WriteLayer {
    type Service = WriteService<S>;

    fn layer(&self, inner: S) -> WriteService<S> {
        WriteService { inner, layer: self.clone() }
    }
}

/// The service that the layer makes.
#[derive(Clone)]
pub struct WriteService<S> {
    inner: S,
    layer: WriteLayer,
}

/// What a request is to the port.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Read,
    Lease,
    Aside,
    Write,
}

fn kind_of(method: &Method, path: &str, lease_path: &str) -> Kind {
    if method == Method::GET || method == Method::HEAD {
        Kind::Read
    } else if path.starts_with(lease_path) || path.ends_with("/leases") {
        Kind::Lease
    } else if path.starts_with("/apis/events.k8s.io/") {
        // Events tell of what happened; they change nothing, and a lost one is no harm.
        Kind::Aside
    } else {
        Kind::Write
    }
}

/// Verb and resource of a request, as RBAC and the audit log name them.
fn describe(method: &Method, uri: &Uri) -> (&'static str, String) {
    let mut parts: Vec<&str> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
    parts.drain(..parts.len().min(if parts.first() == Some(&"api") { 2 } else { 3 }));
    if parts.len() > 2 && parts[0] == "namespaces" {
        parts.drain(..2);
    }
    let resource = match parts.as_slice() {
        [] => "discovery".to_owned(),
        [resource, _, subresource, ..] => format!("{resource}/{subresource}"),
        [resource, ..] => (*resource).to_owned(),
    };
    let is_watch = uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"));
    let verb = match method.as_str() {
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ if is_watch => "watch",
        _ if parts.len() > 1 => "get",
        _ => "list",
    };
    (verb, resource)
}

impl<S, B> Service<Request<Body>> for WriteService<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Send,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let WriteLayer { writes, metrics, lease_path, lease_valid } = self.layer.clone();
        let kind = kind_of(request.method(), request.uri().path(), &lease_path);
        let number = match kind {
            Kind::Write => match writes.before(&format!("kube {} {}", request.method(), request.uri().path())) {
                Ok(number) => Some(number),
                Err(closed) => return Box::pin(async move { Err(closed.into()) }),
            },
            Kind::Read | Kind::Lease | Kind::Aside => None,
        };
        let (verb, resource) = describe(request.method(), request.uri());
        metrics.request(verb, &resource);
        let sent = Instant::now();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await.map_err(Into::into);
            if let Some(number) = number {
                writes.after(number);
            }
            if kind == Kind::Lease && response.as_ref().is_ok_and(|response| response.status().is_success()) {
                writes.gate.extend(sent, lease_valid);
            }
            response
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write_gate::Gate;

    const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/x/leases/caretaker";

    async fn send(gate: &Gate, method: Method, path: &str) -> Result<u16, BoxError> {
        let writes = Writes::new(gate.clone());
        let layer = WriteLayer::new(writes, Metrics::default(), LEASE.into(), Duration::from_secs(10));
        let inner = tower::service_fn(|_: Request<Body>| async { Ok::<_, BoxError>(Response::new(Body::empty())) });
        let mut service = layer.layer(inner);
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        service.call(request).await.map(|response| response.status().as_u16())
    }

    #[test]
    fn requests_are_counted_by_the_words_of_rbac() {
        let cases = [
            (Method::GET, "/api/v1/namespaces?limit=500", ("list", "namespaces")),
            (Method::GET, "/api/v1/namespaces/a", ("get", "namespaces")),
            (Method::GET, "/api/v1/configmaps?watch=true&labelSelector=x", ("watch", "configmaps")),
            (Method::POST, "/api/v1/namespaces/a/configmaps", ("create", "configmaps")),
            (
                Method::PATCH,
                "/apis/caretaker.dev/v1alpha1/namespaces/a/cloudaccounts/b/status?force=true",
                ("patch", "cloudaccounts/status"),
            ),
            (Method::PATCH, "/apis/caretaker.dev/v1alpha1/managedclients/b/status", ("patch", "managedclients/status")),
            (Method::GET, "/apis/monitoring.coreos.com/v1", ("list", "discovery")),
        ];
        for (method, uri, (verb, resource)) in cases {
            assert_eq!(describe(&method, &uri.parse().unwrap()), (verb, resource.to_owned()), "{uri}");
        }
    }

    #[tokio::test]
    async fn a_write_waits_for_the_lease_and_a_read_does_not() {
        let gate = Gate::default();
        assert!(send(&gate, Method::GET, "/api/v1/namespaces").await.is_ok());
        assert!(send(&gate, Method::POST, "/api/v1/namespaces").await.is_err(), "no lease, no write");
        assert!(send(&gate, Method::PATCH, LEASE).await.is_ok());
        assert!(send(&gate, Method::POST, "/api/v1/namespaces").await.is_ok(), "a confirmed renewal opens the gate");
        gate.close();
        assert!(send(&gate, Method::DELETE, "/api/v1/namespaces/a").await.is_err());
    }
}
