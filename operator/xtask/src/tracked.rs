//! What may not be in the tree: symbolic links, and paths that exist only on the machine of whoever wrote them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Where people's home folders are. A path below one of them means one machine.
const HOMES: [&str; 3] = ["/home/", "/root/", "/Users/"];

/// Files that are other people's, as they published them.
const OF_OTHERS: [&str; 1] = ["e2e/clouds/azure/specs/"];

/// Looks at every file that git tracks or would track.
///
/// # Errors
/// git cannot be asked, or a file cannot be read.
pub fn faults(root: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("run git")?;
    ensure!(output.status.success(), "git ls-files failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    let mut found = Vec::new();
    for name in String::from_utf8_lossy(&output.stdout).split_terminator('\0') {
        let path = root.join(name);
        // A file that was deleted and is not yet committed is still listed.
        let Ok(about) = path.symlink_metadata() else { continue };
        if about.is_symlink() {
            found.push(link(name, &std::fs::read_link(&path)?));
        } else if about.is_file() && !OF_OTHERS.iter().any(|folder| name.starts_with(folder)) {
            found.extend(paths(name, &std::fs::read(&path).with_context(|| format!("read {name}"))?));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn link(name: &str, target: &Path) -> String {
    format!("{name} is a symbolic link to {}: not every machine has what it points to, so put the file itself there", target.display())
}

/// The lines of a file that name a path below somebody's home folder.
fn paths(name: &str, content: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(content);
    let lines = text.lines().enumerate().filter(|(_, line)| HOMES.iter().any(|home| names(line, home)));
    lines.map(|(number, _)| format!("{name}:{} names a path of one machine: say it relative to the tree or to $HOME", number + 1)).collect()
}

/// Whether a line has a path that begins with this folder. Not, where the folder stands within a longer path or an address.
fn names(line: &str, home: &str) -> bool {
    line.match_indices(home).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + home.len()..].chars().next();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-~/}".contains(c))
            && after.is_some_and(|c| c.is_alphanumeric() || "._".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_one_machine_is_found_and_others_are_not() {
        // Put together here, so that this file itself does not have one.
        let [home, root, users] = ["home", "root", "Users"].map(|name| format!("/{name}/"));
        for (line, is_found, why) in [
            (format!("source {home}jo/.cargo/env"), true, "a user's folder on Linux"),
            (format!("target = \"{root}main\""), true, "the administrator's, in quotes"),
            (format!("{users}jo/src"), true, "a user's folder on macOS, at the line's beginning"),
            (format!("-v={root}.cache:/cache"), true, "a hidden folder"),
            (format!("https://example.com{home}page"), false, "an address"),
            (format!("chroot/srv{root}etc"), false, "within another path"),
            (format!("below {home} there are users"), false, "the folder itself"),
            ("/var/lib/caretaker and /tmp/owned".to_owned(), false, "paths that every machine has"),
            ("$HOME/.cache".to_owned(), false, "told by its variable"),
        ] {
            assert_eq!(!paths("file", line.as_bytes()).is_empty(), is_found, "{why}: {line}");
        }
        let text = format!("one\ntwo {home}jo/x\n");
        assert!(paths("a/b.txt", text.as_bytes())[0].starts_with("a/b.txt:2 "), "the line is named");
    }

    #[test]
    fn a_link_and_a_path_are_found_in_a_tree_also_before_they_are_committed() {
        let folder = tempfile::tempdir().expect("a folder");
        let git = |args: &[&str]| {
            let ended = Command::new("git").args(args).current_dir(folder.path()).output().expect("git runs");
            assert!(ended.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ended.stderr));
        };
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("it can be written");
        git(&["init", "--quiet"]);
        write(".gitignore", "ignored\n");
        write("good.txt", "nothing\n");
        write("ignored", &format!("/{}/jo/x\n", "home"));
        git(&["add", "."]);
        assert_eq!(faults(folder.path()).expect("git was asked"), Vec::<String>::new());
        write("tracked.txt", &format!("/{}/jo/x\n", "home"));
        git(&["add", "."]);
        std::os::unix::fs::symlink("good.txt", folder.path().join("link")).expect("a link");
        let found = faults(folder.path()).expect("git was asked");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("link is a symbolic link to good.txt"), "{found:?}");
        assert!(found[1].starts_with("tracked.txt:1 "), "{found:?}");
        std::fs::remove_file(folder.path().join("tracked.txt")).expect("it is there");
        assert_eq!(faults(folder.path()).expect("a deleted file is no fault").len(), 1);
    }
}
