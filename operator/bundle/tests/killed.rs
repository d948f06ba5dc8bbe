//! A process that is killed while it writes leaves a whole bundle or none.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use caretaker_bundle::{Entry, Mode, Source, Verifier, file_name, seal, signature_path};
use common::{about, identity};

/// Where the child works; without it the child's test has nothing to do.
const FOLDER: &str = "CARETAKER_TEST_FOLDER";

/// Seals the same bundle again and again, until it is killed. Every other time the payload differs.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let key = caretaker_bundle::SigningKey::from_text(&fs::read_to_string(folder.join("key")).unwrap()).unwrap();
    let (recipient, _) = identity();
    fs::write(folder.join("ready"), "").unwrap();
    for turn in 0_u8.. {
        let entries = [Entry { path: "a.bin".into(), true_name: None, source: Source::Bytes(vec![turn; 50_000]) }];
        seal(&folder.join("out"), &about(Mode::Final), &entries, std::slice::from_ref(&recipient), &key).unwrap();
    }
}

fn wait_for(path: &Path) {
    let began = Instant::now();
    while !path.exists() {
        assert!(began.elapsed() < Duration::from_secs(60), "{} does not come", path.display());
        std::thread::sleep(Duration::from_micros(200));
    }
}

#[test]
fn a_kill_at_any_moment_leaves_a_whole_bundle_or_none() {
    let key = caretaker_bundle::SigningKey::generate().unwrap();
    let (mut whole, mut parts) = (0, 0);
    for round in 0..40_u64 {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("out")).unwrap();
        fs::write(folder.path().join("key"), key.to_text().unwrap()).unwrap();
        let ready = folder.path().join("ready");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let bundle = folder.path().join("out").join(file_name(&about(Mode::Final)));
        // Every other round is killed while it replaces a bundle, the others while they write the first.
        wait_for(if round % 2 == 0 { &bundle } else { &ready });
        std::thread::sleep(Duration::from_micros(round * 700));
        child.kill().unwrap();
        child.wait().unwrap();
        if bundle.exists() {
            let verdict = Verifier::new(key.public()).outer(&bundle);
            assert!(verdict.is_ok(), "round {round}: {}", verdict.unwrap_err());
            assert!(signature_path(&bundle).exists());
            whole += 1;
        }
        let names = fs::read_dir(folder.path().join("out")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        parts += usize::from(names.filter(|name| name.ends_with(".part")).count() > 0);
    }
    assert!(whole > 0, "no round left a bundle: this proves nothing");
    assert!(parts > 0, "no round was killed while it wrote: this proves nothing");
}
