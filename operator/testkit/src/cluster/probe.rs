//! Whether this machine can have a node.

use std::path::Path;
use std::process::Stdio;

use crate::process::mortal;

/// Folders in whose place a node has its own: what it needs of the machine cannot be below them.
const HIDDEN: [&str; 3] = ["/run", "/var/lib", "/var/log"];

/// Whether a node can run here with its data in a folder. It takes a tenth of a second and leaves nothing.
///
/// # Errors
/// Why it cannot, in a few words.
pub fn probe(folder: &Path) -> Result<(), String> {
    for needed in [folder, &crate::cache()] {
        if HIDDEN.iter().any(|hidden| needed.starts_with(hidden)) {
            return Err(format!("{} is where a node has folders of its own", needed.display()));
        }
    }
    let mut command = mortal("bash");
    command.args(["-c", include_str!("files/probe.sh"), "probe"]).arg(folder);
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("bash: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let why = said.lines().last().map(str::trim).filter(|why| !why.is_empty());
    Err(why.unwrap_or("the probe of the machine ended without a word").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_a_node_hides_is_named() {
        let why = probe(Path::new("/var/lib/somewhere")).expect_err("it is hidden");
        assert!(why.contains("/var/lib/somewhere"), "{why}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_told_as_the_reason_or_another_reason_is() {
        let why = probe(Path::new("/caretaker-no-such-folder")).expect_err("nothing can be there");
        assert!(!why.is_empty() && !why.contains('\n'), "{why}");
    }
}
