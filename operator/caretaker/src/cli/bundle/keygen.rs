//! Makes the key pair of a recipient. The secret half is seen by nobody: not on a terminal, and in no file that others may read.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;

use age::secrecy::ExposeSecret;
use anyhow::{Context, ensure};

/// Makes it, into a file or to standard output.
pub fn keygen(file: Option<&Path>) -> anyhow::Result<()> {
    let identity = age::x25519::Identity::generate();
    let text = format!("# public key: {}\n{}", identity.to_public(), identity.to_string().expose_secret());
    let Some(path) = file else {
        ensure!(!std::io::stdout().is_terminal(), "the identity is a secret: name a file for it with --file");
        protect_output();
        outln!("{text}");
        return Ok(());
    };
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut held = options.open(path).with_context(|| format!("make {}", path.display()))?;
    writeln!(held, "{text}").with_context(|| format!("write {}", path.display()))?;
    outln!("public key: {}\nIdentity in {}: keep it where you keep your own keys.", identity.to_public(), path.display());
    Ok(())
}

/// A shell's redirection makes a file that all may read, as its umask says.
#[cfg(unix)]
fn protect_output() {
    use std::os::fd::AsFd;
    use std::os::unix::fs::PermissionsExt;
    let Ok(descriptor) = std::io::stdout().as_fd().try_clone_to_owned() else { return };
    let output = File::from(descriptor);
    if output.metadata().is_ok_and(|about| about.is_file())
        && let Err(error) = output.set_permissions(std::fs::Permissions::from_mode(0o600))
    {
        eprintln!("warning: others may be able to read the file: {error}");
    }
}

#[cfg(not(unix))]
fn protect_output() {}
