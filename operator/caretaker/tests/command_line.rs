//! The program itself, as a shell starts it.

use std::io::Read;
use std::process::{Command, Stdio};

fn caretaker() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caretaker"));
    for name in ["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"] {
        command.env_remove(name);
    }
    command
}

/// As `| head -1` does: it reads a little and goes.
#[test]
fn a_reader_that_stops_is_no_failure() {
    for args in [&["permissions"][..], &["crds"], &["completions", "bash"]] {
        let mut child = caretaker().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut first = [0; 16];
        let mut stdout = child.stdout.take().expect("it is piped");
        stdout.read_exact(&mut first).expect("it says something");
        drop(stdout);
        let output = child.wait_with_output().expect("it ends");
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""), "{args:?}");
    }
}

/// A proxy that cannot be reached is named without its password.
#[test]
fn a_proxy_is_used_and_its_password_is_not_told() {
    let folder = std::env::temp_dir().join(format!("caretaker-proxy-{}", std::process::id()));
    let kubeconfig = "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{name: a, cluster: {server: 'https://192.0.2.1:6443'}}]\n\
                      users: [{name: a, user: {token: t}}]\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n";
    std::fs::write(&folder, kubeconfig).expect("it can be written");
    let output = caretaker().arg("status").env("KUBECONFIG", &folder).env("HTTPS_PROXY", "http://user:hunter2@127.0.0.1:1").output();
    let output = output.expect("it runs");
    std::fs::remove_file(&folder).expect("it was written");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && !said.contains("hunter2") && !said.contains("feature"), "{said}");
}

/// L1: the secret half of a key pair is for its owner, also where a shell made the file under its umask.
#[cfg(unix)]
#[test]
fn an_identity_is_in_no_file_that_others_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = std::env::temp_dir().join(format!("caretaker-keygen-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("it can be made");
    let (named, redirected) = (folder.join("named.txt"), folder.join("redirected.txt"));
    let keygen = |shell: &str| Command::new("sh").args(["-c", shell]).output().expect("it runs");
    let binary = env!("CARGO_BIN_EXE_caretaker");
    let told = keygen(&format!("umask 022; {binary} bundle keygen --file {}", named.display()));
    assert!(told.status.success() && !String::from_utf8_lossy(&told.stdout).contains("AGE-SECRET-KEY"), "{told:?}");
    assert!(keygen(&format!("umask 022; {binary} bundle keygen > {}", redirected.display())).status.success());
    for file in [&named, &redirected] {
        let mode = std::fs::metadata(file).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
        assert!(std::fs::read_to_string(file).expect("it is ours").contains("\nAGE-SECRET-KEY-1"), "{}", file.display());
    }
    let again = caretaker().args(["bundle", "keygen", "--file"]).arg(&named).output().expect("it runs");
    assert!(!again.status.success(), "an identity is never written over: {again:?}");
    std::fs::remove_dir_all(&folder).expect("it is ours");
}
