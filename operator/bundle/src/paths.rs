//! Portable names: what any file system, archiver and BagIt tool takes, unique even where letter case does not count.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// Longest name that stays as it is, in bytes: a DNS label.
const MAX_PLAIN: usize = 63;
/// Longest readable part of a mapped name, in bytes.
const MAX_STEM: usize = 40;
/// Hexadecimal digits of a mapped name's digest: 128 bits, so that nobody finds two names that meet.
const DIGITS: usize = 32;
/// Longest file name that the old tar header holds, in bytes.
const MAX_NAME: usize = 100;
/// Longest folder below `data/`, in bytes: with the bag's root it fits the old tar header's prefix of 155.
const MAX_FOLDER: usize = 76;
/// Names that Windows keeps for devices, with or without an extension.
const RESERVED: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt1", "lpt2", "lpt3", "lpt4",
    "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// A portable file name for a name as people gave it: lower-case ASCII letters, digits, `-` and `_`, at most 74 bytes. A name that is portable already
/// stays; any other gets a readable stem and 32 digits of its SHA-256, so that different names never meet, not even by somebody's intent.
#[must_use]
pub fn portable(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if starts_well && name.len() <= MAX_PLAIN && name.chars().all(plain) && !RESERVED.contains(&name) && !looks_mapped(name) {
        return name.to_owned();
    }
    let mut stem: String = name.chars().take(MAX_STEM).map(|c| c.to_ascii_lowercase()).map(|c| if plain(c) { c } else { '-' }).collect();
    stem.truncate(MAX_STEM);
    let stem = stem.trim_matches(['-', '_']);
    let digest = hex::encode(&Sha256::digest(name.as_bytes())[..DIGITS / 2]);
    if stem.is_empty() { format!("x--{digest}") } else { format!("{stem}--{digest}") }
}

/// A plain name in the form of a mapped one is mapped too, so that it cannot pose as another name's.
fn looks_mapped(name: &str) -> bool {
    name.rsplit_once("--").is_some_and(|(_, tail)| tail.len() == DIGITS && tail.chars().all(|c| c.is_ascii_hexdigit()))
}

/// Whether a path below `data/` is one that any system takes.
pub(crate) fn is_portable(path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    folder.len() <= MAX_FOLDER && name.len() <= MAX_NAME && path.split('/').all(is_portable_part)
}

fn is_portable_part(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default().to_ascii_lowercase();
    part.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !part.ends_with('.')
        && !RESERVED.contains(&stem.as_str())
        && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

/// Paths that may stand beside each other on a system where letter case does not count: no two that meet, no file that is another's folder.
#[derive(Debug, Default)]
pub(crate) struct Meeting {
    by_lower: BTreeMap<String, (String, bool)>,
}

impl Meeting {
    /// Adds a file's path. Gives the path that it meets, if any.
    pub fn add(&mut self, path: &str) -> Option<String> {
        let folders = path.match_indices('/').map(|(at, _)| (&path[..at], true));
        for (part, is_folder) in folders.chain([(path, false)]) {
            match self.by_lower.get(&part.to_ascii_lowercase()) {
                Some((there, folder_there)) if !(is_folder && *folder_there && there == part) => return Some(there.clone()),
                Some(_) => {}
                None => {
                    self.by_lower.insert(part.to_ascii_lowercase(), (part.to_owned(), is_folder));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn is_mapped_well(name: &str) -> bool {
        is_portable(name) && name.len() <= 74 && name == name.to_lowercase() && !name.contains('.')
    }

    #[test]
    fn names_that_other_systems_refuse_are_mapped_apart() {
        let (long, longer) = ("x".repeat(240), "x".repeat(241));
        let names = [
            "Ops",
            "ops",
            "OPS",
            "caretaker:edit",
            "aux",
            "AUX",
            "aux.txt",
            "50%0A.",
            "Z\u{fc}rich",
            "Zu\u{308}rich",
            &long,
            &longer,
            "a\nb",
            "a\r\nb",
            "a b",
            "../../x",
            "/x",
            "x/",
            "x ",
            "x.",
            "x",
            " x",
            "",
            ".",
            "..",
            "-x",
            "-rf",
            "~",
            "日本",
            "con",
            "com1",
            "\u{202e}txt",
            "nul\0",
        ];
        let mapped: BTreeSet<String> = names.iter().map(|name| portable(name)).collect();
        assert_eq!(mapped.len(), names.len(), "{mapped:?}");
        for name in &mapped {
            assert!(is_mapped_well(name), "{name:?}");
        }
        assert_eq!(portable("ops"), "ops");
        assert_eq!(portable("caretaker:edit"), format!("caretaker-edit--{}", digits("caretaker:edit")));
        assert_ne!(portable(&portable("Ops")), portable("Ops"), "a name in the form of a mapped one cannot pose as it");
    }

    fn digits(name: &str) -> String {
        hex::encode(Sha256::digest(name))[..DIGITS].to_owned()
    }

    #[test]
    fn paths_in_a_bag_are_what_any_system_takes() {
        let (name, folder) = ("n".repeat(MAX_NAME), "f".repeat(MAX_FOLDER));
        for path in
            ["a", "00-READ-ME-FIRST.md", "02-inventory/x--0.ndjson.zst", "a/b/c", &name, &format!("{folder}/{name}"), "auxiliary/con-1"]
        {
            assert!(is_portable(path), "{path:?}");
        }
        for path in [
            "",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            ".a",
            "a.",
            "a /b",
            "-a",
            "_a",
            "~a",
            "aux",
            "AUX.txt",
            "a/nul.tar.gz",
            "a:b",
            "a\\b",
            "a\nb",
            "é",
            &format!("{name}n"),
            &format!("{folder}f/a"),
        ] {
            assert!(!is_portable(path), "{path:?}");
        }
    }

    #[test]
    fn paths_that_meet_are_found() {
        let mut paths = Meeting::default();
        assert_eq!(paths.add("a/b"), None);
        assert_eq!(paths.add("a/c"), None);
        assert_eq!(paths.add("a/C").as_deref(), Some("a/c"), "letter case");
        assert_eq!(paths.add("a/b").as_deref(), Some("a/b"), "twice");
        assert_eq!(paths.add("A/d").as_deref(), Some("a"), "two spellings of a folder");
        assert_eq!(paths.add("a").as_deref(), Some("a"), "a file where a folder is");
        assert_eq!(paths.add("a/b/c").as_deref(), Some("a/b"), "a folder where a file is");
    }

    fn names() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[aA.-]{0,4}",
            "[a-z0-9_-]{0,80}",
            "(?i)(con|aux|nul|com[0-9])(\\.[a-z]{0,3})?",
            "[a-f]{1,3}--[0-9a-f]{32}"
        ]
    }

    proptest! {
        #[test]
        fn different_names_never_meet(a in names(), b in names()) {
            prop_assert!(is_mapped_well(&portable(&a)), "{:?}", portable(&a));
            prop_assert_eq!(a == b, portable(&a) == portable(&b));
        }

        #[test]
        fn a_plain_name_stays(name in "[a-z][a-z0-9-]{0,40}[a-z0-9]") {
            prop_assume!(!RESERVED.contains(&name.as_str()));
            prop_assert_eq!(portable(&name), name);
        }
    }
}
