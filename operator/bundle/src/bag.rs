//! The bag: payload, manifests and tag files of RFC 8493, written into a tar with fixed order, times and owners.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use crate::about::About;
use crate::hashing::digest_of;

/// Where a payload file's bytes are.
#[derive(Clone, Debug)]
pub enum Source {
    /// In memory: small files that we made.
    Bytes(Vec<u8>),
    /// On disk: streamed, never whole in memory.
    File(PathBuf),
}

/// One payload file.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Path below `data/`, portable: see [`crate::portable`].
    pub path: String,
    /// The name that the path stands for, where it was mapped.
    pub true_name: Option<String>,
    /// The bytes.
    pub source: Source,
}

impl Entry {
    /// A small file under one of our own names.
    pub fn text(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), true_name: None, source: Source::Bytes(text.into().into_bytes()) }
    }

    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match &self.source {
            Source::Bytes(bytes) => Box::new(bytes.as_slice()),
            Source::File(path) => Box::new(File::open(path)?),
        })
    }
}

/// The index of mapped names.
pub(crate) const NAMES_INDEX: &str = "names-index.json";

/// Whether a payload path may stand in a bag.
pub(crate) fn is_safe(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= 200
        && path.split('/').all(|part| {
            !part.is_empty()
                && !part.starts_with('.')
                && !part.ends_with('.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
        })
}

/// Writes the bag as a tar. Returns the writer.
pub(crate) fn write_tar<W: Write>(writer: W, root: &str, about: &About, entries: &[Entry]) -> io::Result<W> {
    let entries = with_index(entries)?;
    let mut manifest = String::new();
    let mut sizes = BTreeMap::new();
    for (path, entry) in &entries {
        let (digest, size) = digest_of(entry.open()?)?;
        manifest.push_str(&format!("{digest}  data/{path}\n"));
        sizes.insert(path.clone(), size);
    }
    let oxum: u64 = sizes.values().sum();
    let bag_info = format!("{}Payload-Oxum: {oxum}.{}\n", about.bag_info(), sizes.len());
    let tags = [
        ("bag-info.txt", bag_info),
        ("bagit.txt", "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n".to_owned()),
        ("manifest-sha256.txt", manifest),
    ];
    let mut tag_manifest = String::new();
    for (name, text) in &tags {
        tag_manifest.push_str(&format!("{}  {name}\n", digest_of(text.as_bytes())?.0));
    }
    let mut tar = tar::Builder::new(writer);
    let mtime = u64::try_from(about.at.as_second()).unwrap_or_default();
    for (name, text) in tags.iter().map(|(name, text)| (*name, text.as_str())).chain([("tagmanifest-sha256.txt", tag_manifest.as_str())]) {
        append(&mut tar, &format!("{root}/{name}"), (text.len() as u64, mtime), text.as_bytes())?;
    }
    for (path, entry) in &entries {
        let size = sizes[path];
        append(&mut tar, &format!("{root}/data/{path}"), (size, mtime), entry.open()?.take(size))?;
    }
    tar.into_inner()
}

/// The entries by path, with the index of mapped names among them.
fn with_index(entries: &[Entry]) -> io::Result<BTreeMap<String, Entry>> {
    let mut by_path = BTreeMap::new();
    let mut lower = BTreeMap::new();
    let mut index = BTreeMap::new();
    for entry in entries {
        if !is_safe(&entry.path) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("the path {:?} is not portable", entry.path)));
        }
        if let Some(other) = lower.insert(entry.path.to_ascii_lowercase(), entry.path.clone()) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the paths {other:?} and {:?} meet where letter case does not count", entry.path),
            ));
        }
        if let Some(name) = &entry.true_name {
            index.insert(format!("data/{}", entry.path), name.clone());
        }
        by_path.insert(entry.path.clone(), entry.clone());
    }
    if !index.is_empty() {
        let text = serde_json::to_string_pretty(&index)? + "\n";
        by_path.insert(NAMES_INDEX.into(), Entry::text(NAMES_INDEX, text));
    }
    Ok(by_path)
}

fn append<W: Write>(tar: &mut tar::Builder<W>, path: &str, (size, mtime): (u64, u64), reader: impl Read) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(mtime);
    header.set_size(size);
    tar.append_data(&mut header, path, reader)
}
