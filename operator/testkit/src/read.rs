//! Reads single objects from an API server without a kubectl for each: a test that waits asks several times a second, and each start of kubectl costs more
//! processor time than the answer. One `kubectl proxy` for each kubeconfig holds the connection and the credentials.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{mortal, spawn};
use crate::tools;

/// Kinds by the names under which tests ask for them: group and version as a path, plural, and whether it lives in a namespace.
const KINDS: &[(&[&str], &str, &str, bool)] = &[
    (&["configmap"], "api/v1", "configmaps", true),
    (&["secret"], "api/v1", "secrets", true),
    (&["namespace"], "api/v1", "namespaces", false),
    (&["deployment"], "apis/apps/v1", "deployments", true),
    (&["networkpolicy"], "apis/networking.k8s.io/v1", "networkpolicies", true),
    (&["prometheusrule"], "apis/monitoring.coreos.com/v1", "prometheusrules", true),
    (&["mc"], "apis/caretaker.dev/v1alpha1", "managedclients", false),
    (&["pprof"], "apis/caretaker.dev/v1alpha1", "providerprofiles", false),
    (&["ca"], "apis/caretaker.dev/v1alpha1", "cloudaccounts", true),
    (&["ms", "monitoringstack"], "apis/caretaker.dev/v1alpha1", "monitoringstacks", true),
    (&["bp", "backuppolicy"], "apis/caretaker.dev/v1alpha1", "backuppolicies", true),
    (&["sr", "servicereport"], "apis/caretaker.dev/v1alpha1", "servicereports", true),
    (&["inc", "incident"], "apis/caretaker.dev/v1alpha1", "incidents", true),
    (&["chreq", "changerequest"], "apis/caretaker.dev/v1alpha1", "changerequests", true),
    (&["ho", "handover"], "apis/caretaker.dev/v1alpha1", "handovers", true),
];

/// The path of one object that is asked for as kubectl takes it: `KIND NAME [-n NAMESPACE]`. `None` for everything else.
fn path(asked: &[&str]) -> Option<String> {
    let (kind, name, namespace) = match asked {
        [kind, name] => (kind, name, None),
        [kind, name, "-n", namespace] => (kind, name, Some(namespace)),
        _ => return None,
    };
    let (_, group, plural, is_namespaced) = KINDS.iter().find(|(names, ..)| names.contains(kind))?;
    match (is_namespaced, namespace) {
        (true, Some(namespace)) => Some(format!("/{group}/namespaces/{namespace}/{plural}/{name}")),
        (true, None) => Some(format!("/{group}/namespaces/default/{plural}/{name}")),
        (false, _) => Some(format!("/{group}/{plural}/{name}")),
    }
}

/// One object; `None` where kubectl itself must be asked.
///
/// # Errors
/// The object is not there.
pub fn object(kubeconfig: &Path, asked: &[&str]) -> Result<Option<Value>> {
    let Some(path) = path(asked) else { return Ok(None) };
    let Some((status, body)) = proxy(kubeconfig).and_then(|port| get(port, &path).ok()) else { return Ok(None) };
    match status {
        200 => Ok(Some(serde_json::from_slice(&body).with_context(|| format!("read the answer to {path}"))?)),
        404 => {
            let told: Value = serde_json::from_slice(&body).unwrap_or_default();
            bail!("Error from server (NotFound): {}", told["message"].as_str().unwrap_or("it is not there"))
        }
        _ => Ok(None),
    }
}

/// Port of the proxy of a kubeconfig, which is started at the first call and ends with this process. `None` where it does not start.
fn proxy(kubeconfig: &Path) -> Option<u16> {
    static PORTS: Mutex<BTreeMap<PathBuf, Option<u16>>> = Mutex::new(BTreeMap::new());
    let mut ports = PORTS.lock().ok()?;
    *ports.entry(kubeconfig.to_path_buf()).or_insert_with(|| started(kubeconfig).ok())
}

fn started(kubeconfig: &Path) -> Result<u16> {
    let mut command = mortal(tools::path("kubectl")?);
    command.args(["proxy", "--port=0", "--address=127.0.0.1", "--kubeconfig"]).arg(kubeconfig);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut output = spawn("kubectl proxy", command)?.stdout.take().context("the output is piped")?;
    // "Starting to serve on 127.0.0.1:36731"
    let (mut said, mut byte) = (String::new(), [0]);
    while !said.ends_with('\n') && output.read(&mut byte)? == 1 {
        said.push(char::from(byte[0]));
    }
    said.trim().rsplit(':').next().and_then(|port| port.parse().ok()).with_context(|| format!("kubectl proxy said {said:?}"))
}

/// Status and body. HTTP/1.0, so that the answer ends with the connection.
fn get(port: u16, path: &str) -> Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    parsed(&answer)
}

fn parsed(answer: &[u8]) -> Result<(u16, Vec<u8>)> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").context("an answer has a head")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("an answer has a status")?;
    let body = answer[end + 4..].to_vec();
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(|rest| rest.trim().to_owned()));
    if length.and_then(|length| length.parse().ok()).is_some_and(|length: usize| length != body.len()) {
        bail!("the answer was cut off");
    }
    Ok((status, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_object_is_asked_for_by_its_path_and_all_else_by_kubectl() {
        let ours = "/apis/caretaker.dev/v1alpha1";
        for (asked, expected) in [
            (&["mc", "acme"][..], Some(format!("{ours}/managedclients/acme"))),
            (&["ca", "prod", "-n", "client-acme"], Some(format!("{ours}/namespaces/client-acme/cloudaccounts/prod"))),
            (&["configmap", "kit", "-n", "x"], Some("/api/v1/namespaces/x/configmaps/kit".into())),
            (&["secret", "s"], Some("/api/v1/namespaces/default/secrets/s".into())),
            (&["namespace", "x"], Some("/api/v1/namespaces/x".into())),
            (&["ca", "-n", "x", "-l", "a=b"], None),
            (&["events", "-n", "x"], None),
            (&["ca,ms", "-n", "x"], None),
            (&["mc"], None),
        ] {
            assert_eq!(path(asked), expected, "{asked:?}");
        }
    }

    #[test]
    fn an_answer_is_taken_only_whole() {
        let answer = |length: usize| format!("HTTP/1.0 404 Not Found\r\nContent-Length: {length}\r\n\r\n{{}}");
        assert_eq!(parsed(answer(2).as_bytes()).expect("it is whole"), (404, b"{}".to_vec()));
        assert!(parsed(answer(3).as_bytes()).is_err(), "cut off");
        assert!(parsed(b"HTTP/1.0 200 OK\r\n").is_err(), "without a body");
    }
}
