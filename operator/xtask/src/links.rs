//! Links of the documents within the tree, and the examples that they name: each must be there.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Folder whose files documents name in code, without a link.
const EXAMPLES: &str = "examples/";

/// Looks at every Markdown file that git tracks or would track.
///
/// # Errors
/// git cannot be asked, or a file cannot be read.
pub fn faults(root: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"])
        .current_dir(root)
        .output()
        .context("run git")?;
    ensure!(output.status.success(), "git ls-files failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    let mut found = Vec::new();
    for name in String::from_utf8_lossy(&output.stdout).split_terminator('\0').filter(|name| root.join(name).is_file()) {
        let text = std::fs::read_to_string(root.join(name)).with_context(|| format!("read {name}"))?;
        let folder = root.join(name).parent().map(PathBuf::from).unwrap_or_default();
        let links = links(&text).into_iter().map(|link| (folder.join(link), link));
        let examples = examples(&text).into_iter().map(|example| (root.join(example), example));
        let missing = links.chain(examples).filter(|(path, _)| !path.exists());
        found.extend(missing.map(|(_, link)| format!("{name} names {link}, which is not there")));
    }
    Ok(found)
}

/// Targets of links within the tree, without the part behind `#`.
fn links(text: &str) -> Vec<&str> {
    let targets = text.match_indices("](").filter_map(|(at, _)| text[at + 2..].split(')').next());
    targets
        .filter(|target| !target.contains("://") && !target.starts_with('#') && !target.contains(char::is_whitespace))
        .filter_map(|target| target.split('#').next())
        .collect()
}

/// Paths below `examples/` that stand in code.
fn examples(text: &str) -> Vec<&str> {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let at = text.match_indices(EXAMPLES).map(|(at, _)| at).filter(|at| {
        let before = text[..*at].chars().next_back();
        before.is_none_or(|c| c == '`' || c.is_whitespace())
    });
    at.map(|at| {
        let path = &text[at..];
        path[..path.find(|c| !is_path(c)).unwrap_or(path.len())].trim_end_matches('.')
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_within_the_tree_and_examples_are_found() {
        let text = "[a](docs/a.md) [b](../b.md#part) [c](https://c.example/d) [d](#e)\nsee `examples/one.yaml`, `apply -f examples/two.yaml`. my-examples/x";
        assert_eq!(links(text), ["docs/a.md", "../b.md"]);
        assert_eq!(examples(text), ["examples/one.yaml", "examples/two.yaml"]);
    }

    #[test]
    fn a_document_that_names_what_is_not_there_is_a_fault() {
        let root = tempfile::tempdir().unwrap();
        let git = |args: &[&str]| assert!(Command::new("git").args(args).current_dir(root.path()).status().unwrap().success());
        git(&["init", "-q"]);
        std::fs::create_dir(root.path().join("docs")).unwrap();
        std::fs::write(root.path().join("README.md"), "[good](docs/a.md) [bad](docs/b.md)").unwrap();
        std::fs::write(root.path().join("docs/a.md"), "[up](../README.md) `examples/gone.yaml`").unwrap();
        let found = faults(root.path()).unwrap();
        assert_eq!(found, ["README.md names docs/b.md, which is not there", "docs/a.md names examples/gone.yaml, which is not there"]);
    }
}
