//! The bag: payload, manifests and tag files of RFC 8493, written into a tar with fixed order, times and owners.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::about::About;
use crate::hashing::{Hashing, digest_of};
use crate::paths::{Meeting, is_portable, portable};

/// Where a payload file's bytes are.
#[derive(Clone, Debug)]
pub enum Source {
    /// In memory: small files that we made.
    Bytes(Vec<u8>),
    /// On disk: streamed, never whole in memory. It must not change until the bundle is sealed; a file that did is refused.
    File(PathBuf),
    /// On disk, by [`Source::spool`].
    Spooled(Arc<tempfile::NamedTempFile>),
}

impl Source {
    /// Keeps all that a reader gives in a temporary file of `folder` until the last clone is dropped: for bytes of unknown number.
    ///
    /// # Errors
    /// The reader failed, or the folder takes no more.
    pub fn spool(mut reader: impl Read, folder: &Path) -> io::Result<Self> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        io::copy(&mut reader, &mut file)?;
        file.flush()?;
        Ok(Self::Spooled(Arc::new(file)))
    }

    fn size(&self) -> io::Result<u64> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.len() as u64),
            Self::File(path) => regular(path),
            Self::Spooled(file) => regular(file.path()),
        }
    }

    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(bytes.as_slice()),
            Self::File(path) => Box::new(File::open(path)?),
            Self::Spooled(file) => Box::new(File::open(file.path())?),
        })
    }
}

fn regular(path: &Path) -> io::Result<u64> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_file() { Ok(metadata.len()) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file")) }
}

/// One payload file.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Path below `data/`, portable: see [`portable`]. Folders at most 76 bytes, the name at most 100.
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

    /// A file named after something that people named: `folder/<portable name><extension>`, with the true name in the index.
    #[must_use]
    pub fn named(folder: &str, true_name: &str, extension: &str, source: Source) -> Self {
        Self { path: format!("{folder}/{}{extension}", portable(true_name)), true_name: Some(true_name.to_owned()), source }
    }
}

/// Entries that make no bag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BagFault {
    /// A path that some system refuses.
    #[error("the path {0:?} is not portable: build it with portable()")]
    NotPortable(String),
    /// Two paths that are one where letter case does not count, or a file where a folder is.
    #[error("the paths {first:?} and {second:?} meet where letter case does not count: rename one")]
    Meet {
        /// The path that is there.
        first: String,
        /// The path that meets it.
        second: String,
    },
}

/// The index of mapped names: a JSON object from path in the bag to true name.
pub(crate) const NAMES_INDEX: &str = "names-index.json";
/// `bagit.txt` of the version that we write.
pub(crate) const BAGIT: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
/// The tag file of that name.
pub(crate) const BAGIT_TXT: &str = "bagit.txt";
/// The tag file of that name.
pub(crate) const BAG_INFO: &str = "bag-info.txt";
/// The tag file of that name.
pub(crate) const MANIFEST: &str = "manifest-sha256.txt";
/// The tag file of that name.
pub(crate) const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";

/// The entries by path, with the index of mapped names among them.
pub(crate) fn arrange(entries: &[Entry]) -> Result<BTreeMap<String, Entry>, BagFault> {
    let mut by_path = BTreeMap::new();
    let mut meeting = Meeting::default();
    let mut index = BTreeMap::new();
    for entry in entries {
        if !is_portable(&entry.path) {
            return Err(BagFault::NotPortable(entry.path.clone()));
        }
        if let Some(first) = meeting.add(&entry.path) {
            return Err(BagFault::Meet { first, second: entry.path.clone() });
        }
        if let Some(name) = &entry.true_name {
            index.insert(format!("data/{}", entry.path), name.clone());
        }
        by_path.insert(entry.path.clone(), entry.clone());
    }
    if !index.is_empty() {
        if let Some(first) = meeting.add(NAMES_INDEX) {
            return Err(BagFault::Meet { first, second: NAMES_INDEX.into() });
        }
        let text = format!("{:#}\n", serde_json::json!(index));
        by_path.insert(NAMES_INDEX.into(), Entry::text(NAMES_INDEX, text));
    }
    Ok(by_path)
}

/// Number of payload files that a bag of these entries has: the entries, and the index of mapped names where there are any.
///
/// # Errors
/// The entries make no bag.
pub fn count(entries: &[Entry]) -> Result<usize, BagFault> {
    Ok(arrange(entries)?.len())
}

/// Writes the bag as a tar, in the order of the paths, reading each file once. Returns the writer.
pub(crate) fn write_tar<W: Write>(writer: W, about: &About, entries: &BTreeMap<String, Entry>) -> io::Result<W> {
    let mut tar =
        Tar { builder: tar::Builder::new(writer), root: about.folder(), mtime: u64::try_from(about.at.as_second()).unwrap_or_default() };
    let mut sizes = BTreeMap::new();
    for (path, entry) in entries {
        sizes.insert(path, entry.source.size().map_err(|error| named(path, &error))?);
    }
    let bag_info = about.bag_info((sizes.values().sum(), sizes.len()));
    tar.append(BAG_INFO, bag_info.len() as u64, bag_info.as_bytes())?;
    tar.append(BAGIT_TXT, BAGIT.len() as u64, BAGIT.as_bytes())?;
    let mut manifest = String::new();
    for (path, entry) in entries {
        let reader = entry.source.open().map_err(|error| named(path, &error))?;
        let digest = tar.append(&format!("data/{path}"), sizes[path], reader)?;
        manifest.push_str(&format!("{digest}  data/{path}\n"));
    }
    tar.append(MANIFEST, manifest.len() as u64, manifest.as_bytes())?;
    let mut tag_manifest = String::new();
    for (name, text) in [(BAG_INFO, bag_info.as_str()), (BAGIT_TXT, BAGIT), (MANIFEST, &manifest)] {
        tag_manifest.push_str(&format!("{}  {name}\n", digest_of(text.as_bytes())?.0));
    }
    tar.append(TAG_MANIFEST, tag_manifest.len() as u64, tag_manifest.as_bytes())?;
    tar.builder.into_inner()
}

fn named(path: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{path}: {error}"))
}

struct Tar<W: Write> {
    builder: tar::Builder<W>,
    root: String,
    mtime: u64,
}

impl<W: Write> Tar<W> {
    /// Appends a file of exactly `size` bytes and gives its SHA-256.
    fn append(&mut self, path: &str, size: u64, reader: impl Read) -> io::Result<String> {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.mtime);
        header.set_size(size);
        header.set_path(format!("{}/{path}", self.root))?;
        header.set_cksum();
        // One byte more than announced is asked for, so that a file that grew is seen as surely as one that shrank.
        let mut hashing = Hashing::new(reader.take(size + 1));
        self.builder.append(&header, (&mut hashing).take(size)).map_err(|error| named(path, &error))?;
        let surplus = io::copy(&mut hashing, &mut io::sink()).map_err(|error| named(path, &error))?;
        let (_, digest, bytes) = hashing.finish();
        if surplus > 0 || bytes != size {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{path}: it changed while it was packed; seal again")));
        }
        Ok(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::about::Mode;

    fn about() -> About {
        About { client: "acme".into(), id: "1".into(), mode: Mode::Final, at: "2026-11-25T12:00:00Z".parse().unwrap() }
    }

    #[test]
    fn entries_that_make_no_bag_are_refused() {
        let index = Entry { true_name: Some("X".into()), ..Entry::text("x", "") };
        let cases: [(&str, Vec<Entry>, &str); 7] = [
            ("letter case", vec![Entry::text("Ops", ""), Entry::text("ops", "")], "meet"),
            ("twice", vec![Entry::text("ops", ""), Entry::text("ops", "")], "meet"),
            ("a folder's letter case", vec![Entry::text("Ops/a", ""), Entry::text("ops/b", "")], "meet"),
            ("a file where a folder is", vec![Entry::text("ops/a", ""), Entry::text("ops", "")], "meet"),
            ("the index's own name", vec![index, Entry::text("Names-Index.json", "")], "meet"),
            ("a way out", vec![Entry::text("../x", "")], "not portable"),
            ("a device", vec![Entry::text("a/aux.txt", "")], "not portable"),
        ];
        for (reason, entries, expected) in cases {
            let fault = arrange(&entries).expect_err(reason).to_string();
            assert!(fault.contains(expected), "{reason}: {fault}");
        }
    }

    #[test]
    fn a_source_that_changes_size_is_refused() {
        for (size, bytes) in [(3, "four"), (5, "four")] {
            let mut tar = Tar { builder: tar::Builder::new(Vec::new()), root: "r".into(), mtime: 0 };
            let error = tar.append("data/x", size, bytes.as_bytes()).expect_err("a changed file");
            assert!(error.to_string().contains("data/x: it changed"), "{error}");
        }
    }

    #[test]
    fn a_reader_of_unknown_length_is_spooled() {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::spool("four".as_bytes(), folder.path()).unwrap();
        assert_eq!(source.size().unwrap(), 4);
        let entries = arrange(&[Entry::named("d", "Ops", ".txt", source)]).unwrap();
        let tar = write_tar(Vec::new(), &about(), &entries).unwrap();
        assert!(tar.windows(4).any(|window| window == b"four"));
        drop(entries);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the temporary file goes with the last clone");
    }

    #[test]
    fn the_tar_has_plain_headers_in_the_order_of_paths_even_for_the_longest() {
        let longest = format!("{}/{}", "f".repeat(76), "n".repeat(100));
        let about = About { client: "c".repeat(63), mode: Mode::Rehearsal, ..about() };
        let entries = arrange(&[Entry::text("z", "z"), Entry::text(longest.clone(), "y"), Entry::text("Z0", "")]).unwrap();
        let bytes = write_tar(Vec::new(), &about, &entries).unwrap();
        let mut paths = Vec::new();
        for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap().raw(true) {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!(header.entry_type(), tar::EntryType::Regular, "no extension stands before a file");
            assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mode().unwrap()), (0, 0, 0o644));
            assert_eq!(header.mtime().unwrap(), 1_795_608_000);
            paths.push(String::from_utf8(entry.path_bytes().into_owned()).unwrap());
        }
        assert!(paths.contains(&format!("{}/data/{longest}", about.folder())));
        assert!(paths.is_sorted(), "{paths:?}");
        assert_eq!(paths.len(), 7);
    }
}
