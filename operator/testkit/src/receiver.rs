//! A receiver of Alertmanager's webhooks: what arrived.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use serde_json::Value;

/// A receiver that listens until the process ends.
pub struct Receiver {
    /// Its address.
    pub url: String,
    sent: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Receiver {
    /// Listens on a free port of an address.
    ///
    /// # Errors
    /// The address is not this machine's.
    pub fn start(host: &str) -> Result<Self> {
        let listener = TcpListener::bind((host, 0))?;
        let url = format!("http://{}", listener.local_addr()?);
        let sent = Arc::<Mutex<Vec<(String, Value)>>>::default();
        let taken = sent.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream);
                let (mut path, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
                        break;
                    }
                    if path.is_empty() {
                        path = line.split(' ').nth(1).unwrap_or_default().to_owned();
                    }
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap_or(0);
                    }
                }
                let mut body = vec![0; length];
                let _ = reader.read_exact(&mut body);
                taken.lock().expect("no panic while held").push((path, serde_json::from_slice(&body).unwrap_or_default()));
                let _ = reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        Ok(Self { url, sent })
    }

    /// All that came at a path.
    ///
    /// # Panics
    /// Never: no thread panics while it holds what was sent.
    #[must_use]
    pub fn bodies(&self, path: &str) -> Vec<Value> {
        let sent = self.sent.lock().expect("no panic while held");
        sent.iter().filter(|(at, _)| at == path).map(|(_, body)| body.clone()).collect()
    }

    /// Names of the alerts that came at a path.
    ///
    /// # Panics
    /// Never: no thread panics while it holds what was sent.
    #[must_use]
    pub fn alerts(&self, path: &str) -> Vec<String> {
        let sent = self.sent.lock().expect("no panic while held");
        let at = sent.iter().filter(|(at, _)| at == path).filter_map(|(_, body)| body["alerts"].as_array());
        at.flatten().filter_map(|alert| alert["labels"]["alertname"].as_str()).map(str::to_owned).collect()
    }
}
