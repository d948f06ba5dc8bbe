//! A page in a real browser: Chromium, without a window.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Names under which systems have it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/// Hosts that the browser itself asks at each start, whatever page it shows.
const ITS_OWN: [&str; 2] = ["google.com", "googleapis.com"];
/// No sandbox, since tests run as root; no calls home, as far as they can be switched off.
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--v=0",
];

/// What came of opening a page.
#[derive(Debug, Default)]
pub struct Opened {
    /// Lines of the console, errors among them.
    pub console: Vec<String>,
    /// Addresses that were asked for beside the page.
    pub requests: Vec<String>,
    /// The page after everything has run.
    pub dom: String,
}

/// Opens a page at a width in pixels; `None`, which is printed, where the machine has no Chromium.
pub fn open(page: &str, width: u32) -> Option<Opened> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).flat_map(|folder| NAMES.map(|name| folder.join(name))).find(|path| path.is_file());
    let Some(program) = found else {
        println!("skipped a page in a browser: this machine has no Chromium");
        return None;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("page.html");
    std::fs::write(&file, page).expect("write the page");
    let log = folder.path().join("net.json");
    let output = Command::new(program)
        .args(FLAGS)
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("--log-net-log={}", log.display()))
        .arg(format!("--window-size={width},1200"))
        .args(["--timeout=20000", "--dump-dom"])
        .arg(format!("file://{}", file.display()))
        .stdin(Stdio::null())
        .output()
        .expect("run Chromium");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "Chromium failed: {told}");
    let console = told.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect();
    Some(Opened { console, requests: requests(&log), dom: String::from_utf8_lossy(&output.stdout).into_owned() })
}

fn requests(log: &Path) -> Vec<String> {
    let log: Value = serde_json::from_slice(&std::fs::read(log).expect("Chromium's log of requests")).expect("JSON");
    let events = log["events"].as_array().into_iter().flatten();
    let mut urls: Vec<String> = events.filter_map(|event| event["params"]["url"].as_str()).map(str::to_owned).collect();
    urls.retain(|url| {
        let host = url.split('/').nth(2).unwrap_or_default();
        !ITS_OWN.iter().any(|own| host == *own || host.ends_with(&format!(".{own}")))
    });
    urls
}

/// A page that is good: its plots are there, nobody complains, nobody outside is asked.
pub fn is_quiet_with_plots(page: &str, plots: usize) {
    let spoiled = page.replace("<body>", "<body><img src=\"http://127.0.0.9:1/x.png\"><script>console.error('no')</script>");
    for (width, page) in [(1000, page), (400, page)] {
        let Some(opened) = open(page, width) else { return };
        assert!(opened.console.is_empty() && opened.requests.is_empty(), "{:?} {:?}", opened.console, opened.requests);
        assert_eq!(opened.dom.matches("<svg").count(), plots, "plots at {width} pixels");
    }
    // The page's own policy keeps both from working, and the browser says so: that it would be seen is the control.
    let Some(opened) = open(&spoiled, 1000) else { return };
    assert!(opened.console.len() >= 2, "what a page must not do is not seen: {:?}", opened.console);
    let lax = spoiled.replace("Content-Security-Policy", "x");
    let Some(opened) = open(&lax, 1000) else { return };
    assert!(opened.requests.iter().any(|url| url.contains("127.0.0.9")), "a request is not seen: {:?}", opened.requests);
}
