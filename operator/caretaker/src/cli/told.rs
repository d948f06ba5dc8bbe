//! Every command that a document, a message or a comment tells people to type is one: it is parsed as they would type it.

use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};

use super::Cli;

/// Words before a command of ours.
const NAMES: [&str; 2] = ["kubectl caretaker ", "kubectl-caretaker "];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Files below a folder whose names end so.
fn files(folder: &Path, ends: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, ends));
        } else if ends.iter().any(|end| path.to_string_lossy().ends_with(end)) {
            found.push(path);
        }
    }
    found
}

/// The words of a line as a shell has them: quotes hold together, and what comes after `#`, `|`, `>` or `;` is not the command's.
fn words(line: &str) -> Vec<String> {
    let (mut found, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '#' | '|' | '>' | ';') if word.is_empty() || c == ';' => break,
            (None, ' ') if word.is_empty() => {}
            (None, ' ') => found.push(std::mem::take(&mut word)),
            (_, c) => word.push(c),
        }
    }
    found.extend((!word.is_empty()).then_some(word));
    found
}

/// Why a line of a document is no command.
fn typed(line: &str) -> Option<String> {
    let text = line.trim_start().trim_start_matches("$ ");
    let is_ours = NAMES.iter().any(|name| text.starts_with(name)) || text.starts_with("caretaker ");
    let mut words = words(text);
    if !is_ours || words.len() < 2 {
        return None;
    }
    if words[0] == "kubectl" {
        words.remove(0);
    }
    // A digest, a date or a number that the reader puts in stands as an ellipsis or a word in capitals.
    let words = words.into_iter().map(|word| if word == "…" { "0".repeat(64) } else { word });
    Cli::try_parse_from(words).err().map(|error| format!("{line}: {}", error.to_string().lines().next().unwrap_or_default()))
}

/// Why what stands in a sentence is no command: its first words are no subcommand, or it has a flag that the subcommand has not.
fn mentioned(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for name in NAMES {
        for (at, _) in text.match_indices(name) {
            let rest = &text[at + name.len()..];
            let end = rest.find(['`', '"', '\n', ';', '(', ')', ':', '|', '#', '<', '&']).unwrap_or(rest.len());
            let told = &rest[..end];
            let mut command = Cli::command();
            let mut depth = 0;
            for word in told.split(' ').map(|word| word.trim_end_matches(['.', ',', '\\'])).filter(|word| !word.is_empty()) {
                let sub = command.get_subcommands().find(|sub| sub.get_name() == word).cloned();
                if let Some(sub) = sub {
                    (command, depth) = (sub, depth + 1);
                } else if depth == 0 {
                    faults.push(format!("{name}{told}: there is no {word}"));
                    break;
                } else if let Some(flag) = word.strip_prefix("--").map(|flag| flag.split('=').next().unwrap_or_default()) {
                    let is_known = command.get_arguments().any(|argument| argument.get_long() == Some(flag)) || flag == "help";
                    if !is_known {
                        faults.push(format!("{name}{told}: {} has no --{flag}", command.get_name()));
                    }
                }
            }
        }
    }
    faults
}

#[test]
fn commands_of_documents_are_parsed_as_they_are_typed() {
    let root = root();
    let mut documents = files(&root.join("docs"), &[".md"]);
    documents.extend(["README.md", "CONTRIBUTING.md", "SECURITY.md", "operator/bundle/FORMAT.md"].map(|name| root.join(name)));
    documents.extend(files(&root.join("examples"), &[".yaml", ".md"]));
    let (mut count, mut faults) = (0, Vec::new());
    for path in &documents {
        let text = std::fs::read_to_string(path).expect("a document");
        for line in text.lines() {
            let line = line.trim_start_matches("# ");
            count += usize::from(NAMES.iter().any(|name| line.trim_start().starts_with(name)));
            faults.extend(typed(line).map(|fault| format!("{}: {fault}", path.display())));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(count > 20, "{count} commands were found");
}

#[test]
fn commands_that_messages_name_exist() {
    let root = root();
    let mut sources = files(&root.join("operator"), &[".rs", ".j2", ".md"]);
    sources.extend(files(&root.join("charts"), &[".yaml", ".txt", ".json"]));
    sources.extend(files(&root.join("docs"), &[".md"]));
    sources.push(root.join("README.md"));
    let (mut count, mut faults) = (0, Vec::new());
    for path in sources.iter().filter(|path| !path.ends_with("cli/told.rs") && !path.to_string_lossy().contains("/target/")) {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        count += NAMES.iter().map(|name| text.matches(name).count()).sum::<usize>();
        faults.extend(mentioned(&text).into_iter().map(|fault| format!("{}: {fault}", path.display())));
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(count > 100, "{count} commands were found");
}

#[test]
fn a_command_that_is_none_is_found() {
    for line in ["kubectl caretaker exit acme --finl", "    kubectl caretaker leave acme", "caretaker bundle open", "kubectl caretaker kit"]
    {
        assert!(typed(line).is_some(), "{line}");
    }
    for line in ["kubectl caretaker accept acme --digest … --code … --by \"Jo Doe\" --wait   # the client accepts", "kubectl get mc"] {
        assert_eq!(typed(line), None, "{line}");
    }
    assert_eq!(mentioned("run kubectl caretaker exit {name} --wait, then kubectl caretaker closing {name}"), Vec::<String>::new());
    assert_eq!(mentioned("kubectl caretaker nothing x").len(), 1);
    assert_eq!(mentioned("`kubectl caretaker kit acme --into FOLDER`").len(), 1);
}
