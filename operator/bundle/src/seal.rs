//! Packs, seals and signs. A bundle appears under its final name whole and with its signature, or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::about::{About, Comment};
use crate::bag::{Entry, write_tar};
use crate::hashing::Hashing;
use crate::key::SigningKey;
use crate::recipient::parse_recipients;

/// zstd's window as a power of two: 8 MiB, which plain `zstd -d` opens.
const WINDOW_LOG: u32 = 23;
/// zstd's level.
const LEVEL: i32 = 6;

/// Why no bundle was made.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The recipients have faults.
    #[error("recipients: {}", .0.iter().map(|(index, message)| format!("entry {index}: {message}")).collect::<Vec<_>>().join("; "))]
    Recipients(Vec<(usize, String)>),
    /// A file could not be read or written.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The signature failed.
    #[error("the bundle could not be signed")]
    Sign,
}

/// Receipt of a sealed bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The sealed file.
    pub path: PathBuf,
    /// SHA-256 of the sealed file, hexadecimal.
    pub sha256: String,
    /// SHA-256 of the tar inside, hexadecimal: the same for the same inputs.
    pub tar_sha256: String,
    /// Size of the sealed file in bytes.
    pub size_bytes: u64,
    /// Number of recipients.
    pub recipients: usize,
}

/// The file name of a bundle: it says whose it is and whether it is a rehearsal, and `verify` holds it to that.
#[must_use]
pub fn file_name(about: &About) -> String {
    format!("{}-{}-{}.tar.zst.age", about.client, about.mode, about.id)
}

/// The signature's path beside the bundle's.
#[must_use]
pub fn signature_path(bundle: &Path) -> PathBuf {
    let mut name = bundle.as_os_str().to_owned();
    name.push(".minisig");
    name.into()
}

fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> SealError {
    let what = what.into();
    move |source| SealError::Io { what, source }
}

/// Packs the entries into a bag, seals it to the recipients and signs it, into `folder`.
///
/// # Errors
/// A recipient is at fault; a file cannot be read or written. No file is left under the final name then.
pub fn seal(folder: &Path, about: &About, entries: &[Entry], recipients: &[String], key: &SigningKey) -> Result<Sealed, SealError> {
    let recipients = parse_recipients(recipients).map_err(SealError::Recipients)?;
    let path = folder.join(file_name(about));
    let temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed("make a temporary file"))?;
    let encryptor = age::Encryptor::with_recipients(recipients.iter().map(|recipient| recipient as &dyn age::Recipient))
        .map_err(|error| SealError::Io { what: "seal".into(), source: io::Error::other(error.to_string()) })?;
    let file = temporary.reopen().map_err(failed("open the temporary file"))?;
    let sealed = pack(Hashing::new(BufWriter::new(file)), encryptor, about, entries).map_err(failed("pack the bundle"))?;
    let (tar_sha256, sealed) = sealed;
    let (writer, sha256, size_bytes) = sealed.finish();
    let file = writer.into_inner().map_err(|error| SealError::Io { what: "write the bundle".into(), source: error.into_error() })?;
    file.sync_all().map_err(failed("write the bundle to disk"))?;
    let comment = Comment { about: about.clone(), tar_sha256: tar_sha256.clone(), size: size_bytes };
    let signature = sign(temporary.path(), &comment, key)?;
    write_whole(folder, &signature_path(&path), signature.as_bytes()).map_err(failed("write the signature"))?;
    temporary.persist(&path).map_err(|error| SealError::Io { what: "name the bundle".into(), source: error.error })?;
    sync_folder(folder).map_err(failed("write the folder to disk"))?;
    Ok(Sealed { path, sha256, tar_sha256, size_bytes, recipients: recipients.len() })
}

fn pack<W: Write>(writer: W, encryptor: age::Encryptor, about: &About, entries: &[Entry]) -> io::Result<(String, W)> {
    let age = encryptor.wrap_output(writer)?;
    let mut zstd = zstd::Encoder::new(age, LEVEL)?;
    zstd.include_checksum(true)?;
    zstd.window_log(WINDOW_LOG)?;
    let root = format!("{}-{}", about.client, about.mode);
    let tar = write_tar(Hashing::new(zstd), &root, about, entries)?;
    let (zstd, tar_sha256, _) = tar.finish();
    Ok((tar_sha256, zstd.finish()?.finish()?))
}

fn sign(bundle: &Path, comment: &Comment, key: &SigningKey) -> Result<String, SealError> {
    let file = File::open(bundle).map_err(failed("read the bundle back"))?;
    let signature = minisign::sign(
        None,
        &key.secret,
        io::BufReader::new(file),
        Some(&comment.render()),
        Some("signature of a Caretaker handover bundle"),
    )
    .map_err(|_| SealError::Sign)?;
    Ok(signature.into_string())
}

fn write_whole(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
