//! A proxy between the operator and the clouds. AWS and the store have names that exist behind the proxy only: who does not go through it reaches nothing.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context, Result, ensure};
use caretaker_e2e::three_clouds::Clouds;
use caretaker_e2e::{Client, Lab, PATIENCE};
use caretaker_testkit::operator::NAMESPACE;
use serde_json::{Value, json};

const USER: &str = "forward";
const PASSWORD: &str = "hunter2-of-the-proxy";
/// `forward:hunter2-of-the-proxy` as HTTP's Basic scheme writes it.
const BASIC: &str = "Basic Zm9yd2FyZDpodW50ZXIyLW9mLXRoZS1wcm94eQ==";
const AWS: &str = "aws.invalid";
const STORE: &str = "store.invalid";

/// A forward proxy: tunnels for `CONNECT`, and requests that name a whole URL. It asks for user and password.
struct Proxy {
    address: SocketAddr,
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Where names lead that exist nowhere else.
    names: BTreeMap<String, String>,
    /// Method and host of each request that was let through.
    seen: Mutex<Vec<String>>,
    /// What is open, so that it ends with the proxy.
    open: Mutex<Vec<TcpStream>>,
    stops: AtomicBool,
}

impl Proxy {
    fn start(names: BTreeMap<String, String>, address: &str) -> Result<Self> {
        let listener = TcpListener::bind(address)?;
        let (address, inner) = (listener.local_addr()?, Arc::new(Inner { names, ..Inner::default() }));
        let held = inner.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if held.stops.load(Ordering::SeqCst) {
                    return;
                }
                let held = held.clone();
                thread::spawn(move || held.serve(stream).ok());
            }
        });
        Ok(Self { address, inner })
    }

    fn url(&self) -> String {
        format!("http://{USER}:{PASSWORD}@{}", self.address)
    }

    fn seen(&self, part: &str) -> usize {
        self.inner.seen.lock().expect("no panic while held").iter().filter(|line| line.contains(part)).count()
    }

    /// Ends it, with every connection.
    fn stop(self) -> Result<BTreeMap<String, String>> {
        self.inner.stops.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address)?);
        for stream in self.inner.open.lock().expect("no panic while held").drain(..) {
            // One that has ended meanwhile is what was wanted.
            let _ = stream.shutdown(Shutdown::Both);
        }
        Ok(self.inner.names.clone())
    }
}

impl Inner {
    fn serve(&self, mut client: TcpStream) -> Result<()> {
        self.open.lock().expect("no panic while held").push(client.try_clone()?);
        let (head, rest) = head(&mut client)?;
        let mut lines = head.split("\r\n");
        let first = lines.next().context("a request line")?;
        let (method, target) = first.split_once(' ').context("a method")?;
        let target = target.split(' ').next().context("a target")?;
        let headers: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        let is = |line: &&str, name: &str| line.to_ascii_lowercase().starts_with(name);
        if !headers.iter().any(|line| is(line, "proxy-authorization:") && line.ends_with(BASIC)) {
            client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
            return Ok(());
        }
        let (host, path) = if method == "CONNECT" {
            (target, "")
        } else {
            let target = target.strip_prefix("http://").context("a whole URL")?;
            target.split_at(target.find('/').unwrap_or(target.len()))
        };
        self.seen.lock().expect("no panic while held").push(format!("{method} {host}"));
        let address = self.names.get(host.split(':').next().unwrap_or_default()).map_or(host, String::as_str);
        let mut server = TcpStream::connect(address)?;
        self.open.lock().expect("no panic while held").push(server.try_clone()?);
        if method == "CONNECT" {
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        } else {
            // One request for each connection: the next one may be for another host.
            let kept = headers.iter().filter(|line| !is(line, "proxy-") && !is(line, "connection:"));
            let path = if path.is_empty() { "/" } else { path };
            let head: String = kept.fold(format!("{method} {path} HTTP/1.1\r\n"), |text, line| text + line + "\r\n");
            server.write_all(format!("{head}connection: close\r\n\r\n").as_bytes())?;
        }
        server.write_all(&rest)?;
        let (mut up, mut down) = (client.try_clone()?, server.try_clone()?);
        let upwards = thread::spawn(move || {
            let _ = std::io::copy(&mut up, &mut down);
            let _ = down.shutdown(Shutdown::Write);
        });
        let _ = std::io::copy(&mut server, &mut client);
        let _ = client.shutdown(Shutdown::Both);
        drop(upwards.join());
        Ok(())
    }
}

/// The head of a request, and what came behind it.
fn head(client: &mut TcpStream) -> Result<(String, Vec<u8>)> {
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = client.read(&mut buffer)?;
        ensure!(count > 0, "the request ended in its head");
        read.extend_from_slice(&buffer[..count]);
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = read.split_off(end + 4);
            return Ok((String::from_utf8(read)?, rest));
        }
    }
}

fn host_of(url: &str) -> String {
    url.split("://").nth(1).unwrap_or_default().trim_end_matches('/').to_owned()
}

/// Where the shim in front of the emulator listens, as the chart has it.
fn shim(lab: &Lab) -> Result<String> {
    let deployment = lab.kubectl.get(&["deployment", "caretaker", "-n", NAMESPACE])?;
    let env = deployment["spec"]["template"]["spec"]["containers"][0]["env"].as_array().cloned().unwrap_or_default();
    let found = env.iter().find(|entry| entry["name"] == "CARETAKER_AWS_ENDPOINT_URL").and_then(|entry| entry["value"].as_str());
    Ok(host_of(found.context("the endpoint of AWS")?))
}

/// The operator behind the proxy, with all three clouds and a bucket.
fn enter(lab: &Lab, clouds: &Clouds, proxy: &str) -> Result<()> {
    let keys = lab.cloud.call(&["bucket", "300000000002", "caretaker-proxied"], "")?;
    let text = |name: &str| keys[name].as_str().unwrap_or_default().to_owned();
    let store = format!("http://{STORE}");
    let mut environment = clouds.environment();
    environment.extend(
        [
            ("HTTPS_PROXY", proxy.to_owned()),
            ("HTTP_PROXY", proxy.to_owned()),
            ("NO_PROXY", "only.for.others".to_owned()),
            ("CARETAKER_AWS_ENDPOINT_URL", format!("http://{AWS}")),
            ("CARETAKER_STORE_URL", "s3://caretaker-proxied/one".to_owned()),
            ("AWS_ENDPOINT_URL_S3", store.clone()),
            ("AWS_ENDPOINT", store),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", text("accessKeyId")),
            ("AWS_SECRET_ACCESS_KEY", text("secretAccessKey")),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    lab.stop()?;
    lab.start(&environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>())?;
    let (secrets, spec) = clouds.provider();
    lab.kubectl.apply(&secrets.to_string())?;
    lab.kubectl.run(&["patch", "pprof", "default", "--type=merge", "-p", &json!({"spec": spec}).to_string()])?;
    lab.condition(&["pprof", "default"], "IdentityProven", "True", "Proven").with_context(|| lab.log()).map(drop)
}

fn ask(lab: &Lab, object: &[&str]) -> Result<()> {
    let stamp = format!("caretaker.dev/requested-at={}", std::time::UNIX_EPOCH.elapsed()?.as_nanos());
    let args: Vec<&str> = ["annotate", "--overwrite"].into_iter().chain(object.iter().copied()).chain([stamp.as_str()]).collect();
    lab.kubectl.run(&args).map(drop)
}

#[test]
fn clouds_and_store_go_through_the_proxy_and_a_dead_one_is_the_provider_s_fault() -> Result<()> {
    let lab = &Lab::own("proxy")?;
    let folder = tempfile::tempdir()?;
    let clouds = Clouds::start(folder.path())?;
    let names = BTreeMap::from([(AWS.to_owned(), shim(lab)?), (STORE.to_owned(), host_of(&lab.cloud.endpoint))]);
    let proxy = Proxy::start(names, "127.0.0.1:0")?;
    let (address, account, profile) = (proxy.address.to_string(), ["ca", "prod", "-n", "client-proxied"], ["pprof", "default"]);
    enter(lab, &clouds, &proxy.url())?;
    let client = Client::new("proxied", "200000000951", "eu-west-1");
    lab.cloud.call(&["instances", &client.account, "eu-west-1", "1"], "")?;
    lab.onboard(&client)?;

    let stored = lab.cloud.call(&["objects", "300000000002", "caretaker-proxied"], "")?;
    ensure!(stored.as_array().is_some_and(|keys| !keys.is_empty()), "nothing is in the bucket: {stored}");
    let endpoint = clouds.environment().into_iter().find(|(name, _)| name == "CARETAKER_GCP_ENDPOINT_URL");
    let (azure, google) = (host_of(&clouds.azure.url()), host_of(&endpoint.context("Google's endpoint")?.1));
    let tunnel = format!("CONNECT {azure}");
    for (what, part) in [("AWS", AWS), ("the store", STORE), ("Azure", tunnel.as_str()), ("Google Cloud", google.as_str())] {
        ensure!(proxy.seen(part) > 0, "{what} was not asked through the proxy");
    }
    let kubeconfig: Value = serde_json::from_str(&std::fs::read_to_string(&lab.kubectl.kubeconfig)?)?;
    let server = host_of(kubeconfig["clusters"][0]["cluster"]["server"].as_str().context("the API server")?);
    ensure!(proxy.seen(&server) == 0, "the API server was asked through the proxy");

    // A dead proxy: the profile tells it once, and no client is asked for anything.
    let names = proxy.stop()?;
    lab.poke("proxied")?;
    let message = lab.condition(&account, "AccessProven", "Unknown", "Unreachable")?;
    ensure!(message.contains("see its ProviderProfile") && message.contains(&address) && !message.contains("grant kit"), "{message}");
    let message = lab.condition(&profile, "ClientsReadable", "False", "Unreachable")?;
    ensure!(message.contains("client-proxied/prod") && message.contains(&address) && message.contains("HTTPS_PROXY"), "{message}");
    ask(lab, &profile)?;
    let message = lab.condition(&profile, "IdentityProven", "Unknown", "Unreachable")?;
    ensure!(message.matches(&address).count() == 3, "each cloud is told: {message}");

    let everything = lab.kubectl.run(&["get", "mc,ca,ms,bp,ho,pprof,configmaps,events", "-A", "-o", "json"])?;
    for (place, text) in [("an object", everything), ("the log", lab.log()), ("the metrics", lab.metrics()?)] {
        ensure!(!text.contains(PASSWORD) && !text.contains(&BASIC["Basic ".len()..]), "{place} tells the proxy's password");
    }

    let _again = Proxy::start(names, &address)?;
    lab.poke("proxied")?;
    lab.condition(&account, "AccessProven", "True", "Proven")?;
    lab.condition(&profile, "ClientsReadable", "True", "Settled")?;
    lab.kubectl.wait(&["mc/proxied"], "condition=Ready", PATIENCE).with_context(|| lab.log()).map(drop)
}
