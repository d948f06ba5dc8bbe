//! Reads the bag inside a sealed file in one pass, and judges it. Nothing is trusted: neither paths nor sizes nor kinds of entries.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::rc::Rc;

use crate::about::{About, Comment};
use crate::bag::{BAG_INFO, BAGIT, BAGIT_TXT, MANIFEST, TAG_MANIFEST};
use crate::hashing::{Hashing, digest_of};
use crate::identity::Identities;
use crate::paths::{Meeting, is_portable};
use crate::seal::WINDOW_LOG;
use crate::verdict::{Verdict, failed};

/// How much a bundle may unpack to. More is taken for a bomb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the tar inside. 1 TiB unless told.
    pub unpacked_bytes: u64,
    /// Number of files. A million unless told.
    pub files: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { unpacked_bytes: 1 << 40, files: 1_000_000 }
    }
}

/// Largest tag file, in bytes: it is held in memory. A million files make a manifest of most of it.
const MAX_TAG_FILE: u64 = 5 << 26;

/// Where the files of a bag go. Paths are relative, portable and unique.
pub(crate) trait Sink {
    /// A writer for a file.
    fn file(&mut self, path: &str) -> io::Result<Box<dyn Write>>;
}

/// A sink for who only wants to know.
pub(crate) struct Nowhere;

impl Sink for Nowhere {
    fn file(&mut self, _path: &str) -> io::Result<Box<dyn Write>> {
        Ok(Box::new(io::sink()))
    }
}

/// What a bag holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    pub files: usize,
    pub bytes: u64,
}

/// Why a stream ended early: told beside the error, since the decoders in between keep only its text.
#[derive(Clone, Default)]
struct Trouble(Rc<RefCell<Option<Verdict>>>);

impl Trouble {
    /// The verdict on an error that came out of the decoders.
    fn verdict(&self, what: &str, error: &io::Error) -> Verdict {
        self.0.borrow_mut().take().unwrap_or_else(|| Verdict::Invalid(format!("{what}: {error}")))
    }
}

/// Reads the sealed file and tells a failing disk from a bad bundle.
struct Watched<'a> {
    file: BufReader<File>,
    done: u64,
    progress: &'a dyn Fn(u64),
    trouble: Trouble,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.file.read(buffer) {
            Ok(read) => {
                self.done += read as u64;
                (self.progress)(self.done);
                Ok(read)
            }
            Err(error) => {
                let kind = error.kind();
                *self.trouble.0.borrow_mut() = Some(failed("read the bundle")(error));
                Err(kind.into())
            }
        }
    }
}

/// Ends a stream that unpacks to more than agreed.
struct Bounded<R> {
    inner: R,
    left: u64,
    limit: u64,
    trouble: Trouble,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            *self.trouble.0.borrow_mut() = Some(Verdict::Invalid(format!("it unpacks to more than {} bytes", self.limit)));
            io::Error::other("too much")
        })?;
        Ok(read)
    }
}

/// Decrypts, unpacks into the sink and judges the bag by its manifests and by what was signed.
pub(crate) fn read(
    file: File,
    identities: &Identities,
    (comment, limits): (&Comment, Limits),
    progress: &dyn Fn(u64),
    sink: &mut dyn Sink,
) -> Result<Payload, Verdict> {
    let trouble = Trouble::default();
    let watched = Watched { file: BufReader::with_capacity(1 << 17, file), done: 0, progress, trouble: trouble.clone() };
    let decryptor =
        age::Decryptor::new(watched).map_err(|error| trouble.verdict("it is not sealed with age", &io::Error::other(error.to_string())))?;
    let plain = decryptor.decrypt(identities.iter()).map_err(|error| match error {
        age::DecryptError::NoMatchingKeys => Verdict::WrongIdentity,
        other => trouble.verdict("it does not open", &io::Error::other(other.to_string())),
    })?;
    let mut zstd = zstd::Decoder::new(plain).map_err(failed("prepare to unpack"))?;
    zstd.window_log_max(WINDOW_LOG).map_err(failed("prepare to unpack"))?;
    let bounded = Bounded { inner: zstd, left: limits.unpacked_bytes, limit: limits.unpacked_bytes, trouble: trouble.clone() };
    let mut tar = tar::Archive::new(Hashing::new(bounded));
    let mut contents = Contents { root: comment.about.folder(), files_left: limits.files, trouble, ..Contents::default() };
    let entries = tar.entries().map_err(|error| contents.trouble.verdict("it holds no tar", &error))?;
    // Raw: extended headers are refused as what they are, before anything of their size is read into memory.
    for entry in entries.raw(true) {
        contents.take(entry.map_err(|error| contents.trouble.verdict("the tar is damaged", &error))?, sink)?;
    }
    let tar_sha256 = drain(tar.into_inner(), &contents.trouble)?;
    contents.judge(comment, &tar_sha256)
}

/// Reads what follows the tar's end, which must be zeros, and gives the digest of all.
fn drain<R: Read>(mut rest: Hashing<R>, trouble: &Trouble) -> Result<String, Verdict> {
    let mut buffer = [0; 1 << 16];
    loop {
        match rest.read(&mut buffer) {
            Ok(0) => return Ok(rest.finish().1),
            Ok(read) if buffer[..read].iter().all(|byte| *byte == 0) => {}
            Ok(_) => return Err(Verdict::Invalid("bytes stand after the end of the tar".into())),
            Err(error) => return Err(trouble.verdict("the tar is damaged", &error)),
        }
    }
}

/// What was read so far.
#[derive(Default)]
struct Contents {
    root: String,
    files_left: usize,
    trouble: Trouble,
    meeting: Meeting,
    tags: BTreeMap<String, String>,
    payload: BTreeMap<String, String>,
    bytes: u64,
}

impl Contents {
    fn take<R: Read>(&mut self, mut entry: tar::Entry<'_, R>, sink: &mut dyn Sink) -> Result<(), Verdict> {
        let path = String::from_utf8(entry.path_bytes().into_owned()).map_err(|_| Verdict::Invalid("a path is not ASCII".into()))?;
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err(Verdict::Invalid(format!("{path:?} is not a plain file")));
        }
        self.files_left = self.files_left.checked_sub(1).ok_or_else(|| Verdict::Invalid("it holds too many files".into()))?;
        let inner = path.strip_prefix(&self.root).and_then(|path| path.strip_prefix('/'));
        let inner = inner.ok_or_else(|| Verdict::Invalid(format!("{path:?} is not below {}/", self.root)))?;
        if let Some(there) = self.meeting.add(inner) {
            return Err(Verdict::Invalid(format!("{inner:?} meets {there:?}")));
        }
        let size = entry.size();
        if let Some(below) = inner.strip_prefix("data/") {
            if !is_portable(below) {
                return Err(Verdict::Invalid(format!("the path {inner:?} is not portable")));
            }
            let mut writer = Hashing::new(sink.file(inner).map_err(failed(format!("make {inner}")))?);
            self.copy(&mut entry, &mut writer, (inner, size))?;
            self.payload.insert(inner.to_owned(), writer.finish().1);
            self.bytes += size;
            return Ok(());
        }
        if ![BAG_INFO, BAGIT_TXT, MANIFEST, TAG_MANIFEST].contains(&inner) || size > MAX_TAG_FILE {
            return Err(Verdict::Invalid(format!("{inner:?} is none of the bag's own files")));
        }
        let mut text = Vec::new();
        self.copy(&mut entry, &mut text, (inner, size))?;
        let written = sink.file(inner).and_then(|mut writer| writer.write_all(&text).and_then(|()| writer.flush()));
        written.map_err(failed(format!("write {inner}")))?;
        let text = String::from_utf8(text).map_err(|_| Verdict::Invalid(format!("{inner} is not text")))?;
        self.tags.insert(inner.to_owned(), text);
        Ok(())
    }

    /// Copies exactly as much as announced, and tells whose fault a failure is.
    fn copy(&self, reader: &mut impl Read, writer: &mut impl Write, (path, size): (&str, u64)) -> Result<(), Verdict> {
        let mut buffer = vec![0; 1 << 17];
        let mut left = size;
        loop {
            let read = reader.read(&mut buffer).map_err(|error| self.trouble.verdict(&format!("{path} is damaged"), &error))?;
            if read == 0 {
                break;
            }
            writer.write_all(&buffer[..read]).map_err(failed(format!("write {path}")))?;
            left = left.saturating_sub(read as u64);
        }
        writer.flush().map_err(failed(format!("write {path}")))?;
        if left == 0 { Ok(()) } else { Err(Verdict::Invalid(format!("{path} ends too early"))) }
    }

    fn judge(&self, comment: &Comment, tar_sha256: &str) -> Result<Payload, Verdict> {
        if tar_sha256 != comment.tar_sha256 {
            return Err(Verdict::Mismatch("the tar inside is not the one that was signed".into()));
        }
        let info = self.tag(BAG_INFO)?;
        let about = About::from_bag_info(info).ok_or_else(|| Verdict::Invalid(format!("{BAG_INFO} does not say which bundle it is")))?;
        if about != comment.about {
            return Err(Verdict::Mismatch(format!("the signature's trusted comment and {BAG_INFO} speak of different bundles")));
        }
        if self.tag(BAGIT_TXT)? != BAGIT {
            return Err(Verdict::Invalid(format!("{BAGIT_TXT} is not that of BagIt 1.0")));
        }
        let mut tags = BTreeMap::new();
        for name in [BAG_INFO, BAGIT_TXT, MANIFEST] {
            tags.insert(name.to_owned(), digest_of(self.tag(name)?.as_bytes()).map_err(failed("digest a tag file"))?.0);
        }
        compare(TAG_MANIFEST, self.tag(TAG_MANIFEST)?, &tags)?;
        compare(MANIFEST, self.tag(MANIFEST)?, &self.payload)?;
        if info != about.bag_info((self.bytes, self.payload.len())) {
            return Err(Verdict::Invalid(format!("{BAG_INFO} counts another payload than is there")));
        }
        Ok(Payload { files: self.payload.len(), bytes: self.bytes })
    }

    fn tag(&self, name: &str) -> Result<&str, Verdict> {
        self.tags.get(name).map(String::as_str).ok_or_else(|| Verdict::Invalid(format!("{name} is missing")))
    }
}

/// Compares a manifest with the digests of the files that are there.
fn compare(name: &str, manifest: &str, there: &BTreeMap<String, String>) -> Result<(), Verdict> {
    let mut listed = BTreeMap::new();
    for line in manifest.lines() {
        let (digest, path) = line.split_once("  ").ok_or_else(|| Verdict::Invalid(format!("{name} is malformed")))?;
        if listed.insert(path, digest).is_some() {
            return Err(Verdict::Invalid(format!("{name} lists {path:?} twice")));
        }
        match there.get(path) {
            None => return Err(Verdict::Invalid(format!("{path:?} is missing"))),
            Some(found) if found != digest => return Err(Verdict::Invalid(format!("{path} was changed"))),
            Some(_) => {}
        }
    }
    match there.keys().find(|path| !listed.contains_key(path.as_str())) {
        Some(extra) => Err(Verdict::Invalid(format!("{extra} is not in {name}"))),
        None => Ok(()),
    }
}
