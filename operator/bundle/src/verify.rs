//! Verifies and opens. Each kind of damage has a verdict and an exit code of its own.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use ed25519_dalek::{Signature, Verifier};

use crate::about::{About, Comment};
use crate::bag::is_safe;
use crate::hashing::{Hashing, digest_of};
use crate::key::PublicKey;
use crate::seal::{file_name, signature_path};

/// Most bytes that a bundle may unpack to: 1 TiB. More is taken for a bomb.
const MAX_UNPACKED: u64 = 1 << 40;

/// Why a bundle is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Verdict {
    /// The signature file cannot be read as one.
    #[error("the signature file is malformed: get the .minisig that belongs to the bundle")]
    MalformedSignature,
    /// Signed by another key.
    #[error("signed by another key: compare the public key with the provider's fingerprint")]
    AnotherKey,
    /// The trusted comment or the signature was edited.
    #[error("the signature's trusted comment was edited")]
    CommentEdited,
    /// The bytes differ from what was signed.
    #[error("the bundle's bytes were altered after it was signed")]
    Altered,
    /// The file ends too early.
    #[error("incomplete: {actual} of {expected} bytes; copy the bundle again")]
    Incomplete {
        /// Bytes that were signed.
        expected: u64,
        /// Bytes that are there.
        actual: u64,
    },
    /// The file goes on after its end.
    #[error("extra bytes: {actual} where {expected} were signed")]
    ExtraBytes {
        /// Bytes that were signed.
        expected: u64,
        /// Bytes that are there.
        actual: u64,
    },
    /// Name, trusted comment and bag do not speak of the same bundle.
    #[error("not the bundle that it poses as: {0}")]
    Mismatch(String),
    /// The key opens nothing here.
    #[error("not sealed to this key: use the identity whose public key is among the recipients")]
    WrongIdentity,
    /// The bag inside is not valid.
    #[error("the bag inside is not valid: {0}")]
    Invalid(String),
    /// A file could not be read or written.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl Verdict {
    /// Exit code of the command line, one for each kind.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Io { .. } => 1,
            Self::MalformedSignature => 10,
            Self::AnotherKey => 11,
            Self::CommentEdited => 12,
            Self::Altered => 13,
            Self::Incomplete { .. } => 14,
            Self::ExtraBytes { .. } => 15,
            Self::Mismatch(_) => 16,
            Self::WrongIdentity => 17,
            Self::Invalid(_) => 18,
        }
    }
}

fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> Verdict {
    let what = what.into();
    move |source| Verdict::Io { what, source }
}

/// Verifies what can be verified without opening: signature, size, name. Returns what the signer says of the bundle.
///
/// # Errors
/// The verdict.
pub fn verify_outer(bundle: &Path, key: &PublicKey) -> Result<About, Verdict> {
    Ok(check_outer(bundle, key)?.about)
}

fn check_outer(bundle: &Path, key: &PublicKey) -> Result<Comment, Verdict> {
    let path = signature_path(bundle);
    let text = std::fs::read_to_string(&path).map_err(failed(format!("read {}", path.display())))?;
    let comment = check_comment(&text.replace("\r\n", "\n"), key)?;
    let actual = std::fs::metadata(bundle).map_err(failed(format!("read {}", bundle.display())))?.len();
    let expected = comment.size;
    if actual < expected {
        return Err(Verdict::Incomplete { expected, actual });
    }
    if actual > expected {
        return Err(Verdict::ExtraBytes { expected, actual });
    }
    check_bytes(bundle, &text.replace("\r\n", "\n"), key)?;
    check_name(bundle, &comment.about)?;
    Ok(comment)
}

/// Checks the signature over the comment before anything in it is believed.
fn check_comment(text: &str, key: &PublicKey) -> Result<Comment, Verdict> {
    let lines: Vec<&str> = text.lines().collect();
    let [_, signature, comment, global, ..] = lines.as_slice() else { return Err(Verdict::MalformedSignature) };
    let comment = comment.strip_prefix("trusted comment: ").ok_or(Verdict::MalformedSignature)?;
    let signature = decode(signature, 74)?;
    let global = Signature::from_slice(&decode(global, 64)?).map_err(|_| Verdict::MalformedSignature)?;
    if &signature[2..10] != key.id_bytes() {
        return Err(Verdict::AnotherKey);
    }
    let signed = [&signature[10..], comment.as_bytes()].concat();
    let verifying = key.ed25519().ok_or(Verdict::AnotherKey)?;
    verifying.verify(&signed, &global).map_err(|_| Verdict::CommentEdited)?;
    Comment::parse(comment).ok_or_else(|| Verdict::Mismatch("the signature is valid, but not for a Caretaker bundle".into()))
}

fn decode(line: &str, length: usize) -> Result<Vec<u8>, Verdict> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.decode(line.trim()).map_err(|_| Verdict::MalformedSignature)?;
    if bytes.len() == length { Ok(bytes) } else { Err(Verdict::MalformedSignature) }
}

fn check_bytes(bundle: &Path, signature: &str, key: &PublicKey) -> Result<(), Verdict> {
    let key = minisign_verify::PublicKey::from_base64(key.to_base64()).map_err(|_| Verdict::AnotherKey)?;
    let signature = minisign_verify::Signature::decode(signature).map_err(|_| Verdict::MalformedSignature)?;
    let mut stream = key.verify_stream(&signature).map_err(|_| Verdict::MalformedSignature)?;
    let mut file = File::open(bundle).map_err(failed(format!("read {}", bundle.display())))?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).map_err(failed(format!("read {}", bundle.display())))?;
        if read == 0 {
            break;
        }
        stream.update(&buffer[..read]);
    }
    stream.finalize().map_err(|_| Verdict::Altered)
}

/// A bundle under one of our names must be the one that the name says.
fn check_name(bundle: &Path, about: &About) -> Result<(), Verdict> {
    let name = bundle.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let poses = name.ends_with(".tar.zst.age") && (name.contains("-final-") || name.contains("-rehearsal-"));
    if poses && name != file_name(about) {
        return Err(Verdict::Mismatch(format!("the file is named {name}, the signer calls it {}", file_name(about))));
    }
    Ok(())
}

/// An opened bundle.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Which bundle it is.
    pub about: About,
    /// The bag's folder.
    pub bag: PathBuf,
    /// Number of payload files.
    pub files: usize,
}

/// Verifies everything and unpacks the bag below `folder`, which must not hold it yet. Nothing is left there where the bundle is refused.
///
/// # Errors
/// The verdict.
pub fn open(bundle: &Path, key: &PublicKey, identity: &age::x25519::Identity, folder: &Path) -> Result<Opened, Verdict> {
    let comment = check_outer(bundle, key)?;
    std::fs::create_dir_all(folder).map_err(failed(format!("make {}", folder.display())))?;
    let temporary = tempfile::tempdir_in(folder).map_err(failed(format!("write to {}", folder.display())))?;
    let root = unpack(bundle, identity, temporary.path(), &comment)?;
    let bag = temporary.path().join(&root);
    let files = check_bag(&bag)?;
    let info = std::fs::read_to_string(bag.join("bag-info.txt")).map_err(failed("read bag-info.txt"))?;
    let about = About::from_bag_info(&info).ok_or_else(|| Verdict::Invalid("bag-info.txt does not say which bundle it is".into()))?;
    if about != comment.about {
        return Err(Verdict::Mismatch("the signature's trusted comment and bag-info.txt speak of different bundles".into()));
    }
    let target = folder.join(&root);
    if target.exists() {
        return Err(Verdict::Io { what: format!("open into {}", target.display()), source: io::ErrorKind::AlreadyExists.into() });
    }
    std::fs::rename(&bag, &target).map_err(failed(format!("make {}", target.display())))?;
    Ok(Opened { about, bag: target, files })
}

fn unpack(bundle: &Path, identity: &age::x25519::Identity, folder: &Path, comment: &Comment) -> Result<String, Verdict> {
    let file = BufReader::new(File::open(bundle).map_err(failed(format!("read {}", bundle.display())))?);
    let decryptor = age::Decryptor::new(file).map_err(|_| Verdict::Invalid("not an age file".into()))?;
    let plain = decryptor.decrypt(std::iter::once(identity as &dyn age::Identity)).map_err(|error| match error {
        age::DecryptError::NoMatchingKeys => Verdict::WrongIdentity,
        other => Verdict::Invalid(other.to_string()),
    })?;
    let zstd = zstd::Decoder::new(plain).map_err(failed("unpack"))?;
    let mut tar = tar::Archive::new(Hashing::new(zstd.take(MAX_UNPACKED)));
    let mut root = None;
    for entry in tar.entries().map_err(failed("read the tar"))? {
        unpack_entry(entry.map_err(failed("read the tar"))?, folder, &mut root)?;
    }
    let mut rest = tar.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(failed("read the tar to its end"))?;
    if rest.finish().1 != comment.tar_sha256 {
        return Err(Verdict::Mismatch("the tar inside is not the one that was signed".into()));
    }
    root.ok_or_else(|| Verdict::Invalid("the tar is empty".into()))
}

fn unpack_entry<R: Read>(mut entry: tar::Entry<'_, R>, folder: &Path, root: &mut Option<String>) -> Result<(), Verdict> {
    let path = String::from_utf8(entry.path_bytes().into_owned()).map_err(|_| Verdict::Invalid("a path that is not ASCII".into()))?;
    if entry.header().entry_type() != tar::EntryType::Regular {
        return Err(Verdict::Invalid(format!("{path:?} is not a plain file")));
    }
    if !is_safe(&path) {
        return Err(Verdict::Invalid(format!("the path {path:?} is not portable")));
    }
    let first = path.split('/').next().unwrap_or_default().to_owned();
    if root.get_or_insert_with(|| first.clone()) != &first {
        return Err(Verdict::Invalid("more than one folder at the top".into()));
    }
    let target = folder.join(&path);
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent).map_err(failed(format!("make {}", parent.display())))?;
    }
    let mut file = File::create_new(&target).map_err(failed(format!("write {}", target.display())))?;
    io::copy(&mut entry, &mut file).map_err(failed(format!("write {}", target.display())))?;
    file.flush().map_err(failed(format!("write {}", target.display())))
}

/// Checks both manifests: every file listed is there and as it was, and no file is there that is not listed.
fn check_bag(bag: &Path) -> Result<usize, Verdict> {
    check_manifest(bag, "tagmanifest-sha256.txt")?;
    let payload = check_manifest(bag, "manifest-sha256.txt")?;
    let mut found = Vec::new();
    list(&bag.join("data"), "data", &mut found).map_err(failed("read the bag"))?;
    if let Some(extra) = found.iter().find(|path| !payload.contains_key(*path)) {
        return Err(Verdict::Invalid(format!("{extra} is not in the manifest")));
    }
    Ok(payload.len())
}

fn check_manifest(bag: &Path, name: &str) -> Result<BTreeMap<String, String>, Verdict> {
    let text = std::fs::read_to_string(bag.join(name)).map_err(|_| Verdict::Invalid(format!("{name} is missing")))?;
    let mut listed = BTreeMap::new();
    for line in text.lines() {
        let (digest, path) = line.split_once("  ").ok_or_else(|| Verdict::Invalid(format!("{name} is malformed")))?;
        if !is_safe(path) {
            return Err(Verdict::Invalid(format!("{name} lists the path {path:?}, which is not portable")));
        }
        let file = File::open(bag.join(path)).map_err(|_| Verdict::Invalid(format!("{path} is missing")))?;
        if digest_of(BufReader::new(file)).map_err(failed(format!("read {path}")))?.0 != digest {
            return Err(Verdict::Invalid(format!("{path} was changed")));
        }
        listed.insert(path.to_owned(), digest.to_owned());
    }
    Ok(listed)
}

fn list(folder: &Path, prefix: &str, found: &mut Vec<String>) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() { list(&entry.path(), &path, found)? } else { found.push(path) }
    }
    Ok(())
}
