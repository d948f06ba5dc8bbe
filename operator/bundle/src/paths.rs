//! Portable names: what any file system, archiver and BagIt tool takes, unique even where letter case does not count.

use sha2::{Digest, Sha256};

/// Longest readable part of a mapped name, in bytes.
const MAX_STEM: usize = 48;
/// Names that Windows keeps for devices, with or without an extension.
const RESERVED: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt1", "lpt2", "lpt3", "lpt4",
    "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// A portable file name for a name as people gave it: lower-case ASCII letters, digits, `-` and `_`. A name that is portable already stays; any
/// other gets a readable stem and twelve digits of its SHA-256, so that different names never meet.
#[must_use]
pub fn portable(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if starts_well && name.len() <= MAX_STEM && name.chars().all(plain) && !RESERVED.contains(&name) && !looks_mapped(name) {
        return name.to_owned();
    }
    let mut stem: String = name.to_ascii_lowercase().chars().map(|c| if plain(c) { c } else { '-' }).collect();
    stem.truncate(MAX_STEM);
    let stem = stem.trim_matches(['-', '_']);
    let digest = hex::encode(&Sha256::digest(name.as_bytes())[..6]);
    if stem.is_empty() { format!("x--{digest}") } else { format!("{stem}--{digest}") }
}

/// A plain name in the form of a mapped one is mapped too, so that it cannot pose as another name's.
fn looks_mapped(name: &str) -> bool {
    name.rsplit_once("--").is_some_and(|(_, tail)| tail.len() == 12 && tail.chars().all(|c| c.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn is_portable(name: &str) -> bool {
        !name.is_empty()
            && name.len() <= 64
            && !RESERVED.contains(&name)
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
    }

    #[test]
    fn names_that_other_systems_refuse_are_mapped_apart() {
        let long = "x".repeat(240);
        let names = [
            "Ops",
            "ops",
            "OPS",
            "caretaker:edit",
            "aux",
            "50%0A.",
            "Zürich",
            "Zu\u{308}rich",
            &long,
            "a\nb",
            "a b",
            "../../x",
            "x ",
            "x",
            "",
            ".",
            "-x",
            "日本",
            "con",
        ];
        let mapped: BTreeSet<String> = names.iter().map(|name| portable(name)).collect();
        assert_eq!(mapped.len(), names.len(), "{mapped:?}");
        assert!(mapped.iter().all(|name| is_portable(name)), "{mapped:?}");
        assert_eq!(portable("ops"), "ops");
        assert_ne!(portable(&portable("Ops")), portable("Ops"), "a name in the form of a mapped one cannot pose as it");
    }

    proptest! {
        #[test]
        fn different_names_never_meet(a in ".{0,80}", b in ".{0,80}") {
            prop_assert!(is_portable(&portable(&a)));
            prop_assert_eq!(a == b, portable(&a) == portable(&b));
        }
    }
}
