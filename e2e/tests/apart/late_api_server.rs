//! An API server that is late, and one that is away for longer than a lease lasts: the operator waits, and is the same process afterwards.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use caretaker_e2e::{Client, Lab, PATIENCE};
use caretaker_testkit::operator::NAMESPACE;
use serde_json::json;

/// Longer than the lease (15 s) and the time that a standby waits beyond it.
const OUTAGE: Duration = Duration::from_secs(30);

/// A way to the API server that can be closed.
struct Way {
    port: u16,
    is_open: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Way {
    /// A closed one.
    fn to(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let way = Self { port: listener.local_addr()?.port(), is_open: Arc::default(), streams: Arc::default() };
        let (is_open, streams) = (way.is_open.clone(), way.streams.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok).filter(|_| is_open.load(Ordering::SeqCst)) {
                let Ok(there) = TcpStream::connect(server) else { continue };
                for (from, to) in [(&stream, &there), (&there, &stream)] {
                    let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else { continue };
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(std::net::Shutdown::Both);
                    });
                }
                streams.lock().expect("no panic while held").extend([stream, there]);
            }
        });
        Ok(way)
    }

    fn open(&self) {
        self.is_open.store(true, Ordering::SeqCst);
    }

    fn close(&self) {
        self.is_open.store(false, Ordering::SeqCst);
        for stream in self.streams.lock().expect("no panic while held").drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

fn server(kubeconfig: &str) -> Result<(&str, SocketAddr)> {
    let from = kubeconfig.find("https://").context("the kubeconfig names a server")?;
    let url = kubeconfig[from..].split(['"', '\'', '\n', ' ']).next().unwrap_or_default();
    Ok((url, url.trim_start_matches("https://").parse()?))
}

#[test]
fn an_api_server_that_is_late_or_away_is_waited_for() -> Result<()> {
    let lab = Lab::alone("late-api-server", true)?;
    let file = lab.installed.token_kubeconfig()?;
    let kubeconfig = std::fs::read_to_string(&file)?;
    let (url, address) = server(&kubeconfig)?;
    let way = Way::to(address)?;
    let through = file.with_file_name("through.kubeconfig");
    std::fs::write(&through, kubeconfig.replace(url, &format!("https://127.0.0.1:{}", way.port)))?;
    lab.start(&[("KUBECONFIG", &through.display().to_string())])?;
    let process = lab.with_operator(|operator| operator.process.id());
    let same = || lab.with_operator(|operator| operator.process.id() == process && operator.process.is_running());
    std::thread::sleep(Duration::from_secs(12));
    ensure!(same(), "it ended while the API server was late:\n{}", lab.log());
    way.open();
    lab.kubectl.wait(&["pprof/default"], "condition=Ready", PATIENCE).with_context(|| lab.log())?;

    way.close();
    std::thread::sleep(OUTAGE);
    ensure!(same(), "it ended while the API server was away:\n{}", lab.log());
    // Meanwhile another process has led, and has died.
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
    let other = json!({"spec": {"holderIdentity": "other", "renewTime": now, "acquireTime": now, "leaseDurationSeconds": 5}});
    lab.kubectl.run(&["patch", "lease", "caretaker", "-n", NAMESPACE, "--type=merge", "-p", &other.to_string()])?;
    way.open();
    let client = Client::new("late", "200000000311", "eu-west-1");
    lab.kubectl.apply(&client.document().to_string())?;
    lab.grant(&client)?;
    // Watches come back by themselves, each after a pause of its own of up to half a minute.
    lab.kubectl.wait(&["mc/late"], "condition=Ready", PATIENCE * 3).with_context(|| lab.log())?;
    ensure!(same(), "a restart was needed:\n{}", lab.log());
    ensure!(lab.log().contains("the lease was lost"), "nobody saw that another process had led:\n{}", lab.log());
    Ok(())
}
