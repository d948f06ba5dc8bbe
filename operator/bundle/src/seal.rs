//! Packs, seals and signs. A bundle appears under its final name whole and with its signature, or not at all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::about::{About, Comment, file_name};
use crate::bag::{BagFault, Entry, arrange, write_tar};
use crate::hashing::Hashing;
use crate::key::SigningKey;
use crate::recipient::{RecipientFault, parse_recipients};
use crate::signature::{UNTRUSTED, signature_path};
use crate::statement::{envelope, statement_path};

/// zstd's window as a power of two: 8 MiB, which plain `zstd -d` opens.
pub(crate) const WINDOW_LOG: u32 = 23;
/// zstd's level.
const LEVEL: i32 = 6;

/// Why no bundle was made.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The recipients have faults.
    #[error("recipients: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Recipients(Vec<RecipientFault>),
    /// The client's name or the bundle's id cannot stand in a bundle.
    #[error("{0}")]
    About(&'static str),
    /// The entries make no bag.
    #[error("{0}")]
    Bag(BagFault),
    /// A file could not be read or written.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The signature failed.
    #[error("the bundle could not be signed: the operating system gave no randomness, or the disk lost the file")]
    Sign,
}

/// Receipt of a sealed bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The sealed file.
    pub path: PathBuf,
    /// SHA-256 of the sealed file, 64 lower-case hexadecimal digits: what a client accepts.
    pub sha256: String,
    /// SHA-256 of the tar inside, hexadecimal: the same for the same inputs.
    pub tar_sha256: String,
    /// Size of the sealed file in bytes.
    pub size_bytes: u64,
    /// Number of recipients.
    pub recipients: usize,
}

fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> SealError {
    let what = what.into();
    move |source| SealError::Io { what, source }
}

/// Packs the entries into a bag, seals it to the recipients and signs it, into `folder`, on one disk with its temporary files. A bundle of the same
/// name is replaced.
///
/// # Errors
/// A recipient, a path or a name is at fault; a file cannot be read or written. Nothing is left under the final name then, and where an older bundle
/// was there, it is whole or gone.
pub fn seal(folder: &Path, about: &About, entries: &[Entry], recipients: &[String], key: &SigningKey) -> Result<Sealed, SealError> {
    let recipients = parse_recipients(recipients).map_err(SealError::Recipients)?;
    if let Some(fault) = about.fault() {
        return Err(SealError::About(fault));
    }
    let entries = arrange(entries).map_err(SealError::Bag)?;
    let encryptor = age::Encryptor::with_recipients(recipients.iter().map(|recipient| recipient as &dyn age::Recipient))
        .map_err(|error| SealError::Io { what: "seal".into(), source: io::Error::other(error.to_string()) })?;
    let temporary = temporary(folder).map_err(failed(format!("make a temporary file in {}", folder.display())))?;
    let writer = Hashing::new(BufWriter::new(temporary.as_file()));
    let (tar_sha256, writer) = pack(writer, encryptor, about, &entries).map_err(failed("pack the bundle"))?;
    let (writer, sha256, size_bytes) = writer.finish();
    let file = writer.into_inner().map_err(|error| SealError::Io { what: "write the bundle".into(), source: error.into_error() })?;
    file.sync_all().map_err(failed("write the bundle to disk"))?;
    let comment = Comment { about: about.clone(), tar_sha256: tar_sha256.clone(), size: size_bytes };
    let signature = sign(temporary.path(), &comment, key)?;
    let statement = envelope(&comment, &sha256, key).ok_or(SealError::Sign)?;
    let path = folder.join(file_name(about));
    publish(folder, temporary, &path, (&signature, &statement)).map_err(failed(format!("name the bundle {}", path.display())))?;
    Ok(Sealed { path, sha256, tar_sha256, size_bytes, recipients: recipients.len() })
}

fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".caretaker-").suffix(".part").tempfile_in(folder)
}

fn pack<W: Write>(writer: W, encryptor: age::Encryptor, about: &About, entries: &BTreeMap<String, Entry>) -> io::Result<(String, W)> {
    let age = encryptor.wrap_output(writer)?;
    let mut zstd = zstd::Encoder::new(age, LEVEL)?;
    zstd.include_checksum(true)?;
    zstd.window_log(WINDOW_LOG)?;
    let tar = write_tar(Hashing::new(zstd), about, entries)?;
    let (zstd, tar_sha256, _) = tar.finish();
    Ok((tar_sha256, zstd.finish()?.finish()?))
}

fn sign(bundle: &Path, comment: &Comment, key: &SigningKey) -> Result<String, SealError> {
    let file = File::open(bundle).map_err(failed("read the bundle back"))?;
    let signature = minisign::sign(None, &key.secret, io::BufReader::new(file), Some(&comment.render()), Some(UNTRUSTED))
        .map_err(|_| SealError::Sign)?;
    Ok(signature.into_string())
}

/// Bundle, signature and statement are names that cannot change at once. So an older bundle goes first, and the new one comes last: whenever a bundle is
/// there, what is beside it is its own.
fn publish(folder: &Path, bundle: NamedTempFile, path: &Path, (signature, statement): (&str, &str)) -> io::Result<()> {
    let written = |text: &str| {
        let mut file = temporary(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        Ok::<_, io::Error>(file)
    };
    let (signature, statement) = (written(signature)?, written(statement)?);
    match std::fs::remove_file(path) {
        Ok(()) => sync_folder(folder)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    signature.persist(signature_path(path)).map_err(|error| error.error)?;
    statement.persist(statement_path(path)).map_err(|error| error.error)?;
    sync_folder(folder)?;
    bundle.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::about::Mode;

    /// RFC 8878, 3.1.1.1: what a receiver's plain `zstd -d` needs to know stands in the first bytes.
    #[test]
    fn the_frame_has_a_checksum_and_a_window_that_needs_no_flag() {
        let identity = age::x25519::Identity::generate();
        let recipient = identity.to_public();
        let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient)).unwrap();
        let about = About { client: "acme".into(), id: "1".into(), mode: Mode::Final, at: "2026-11-25T12:00:00Z".parse().unwrap() };
        let (_, sealed) = pack(Vec::new(), encryptor, &about, &BTreeMap::new()).unwrap();
        let mut frame = Vec::new();
        let decryptor = age::Decryptor::new(sealed.as_slice()).unwrap();
        decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity)).unwrap().read_to_end(&mut frame).unwrap();
        assert_eq!(frame[..4], [0x28, 0xb5, 0x2f, 0xfd]);
        assert_eq!(frame[4] & 0b10_0100, 0b00_0100, "a content checksum; more than one segment, so that a window stands next");
        assert_eq!(frame[5], (23 - 10) << 3, "2^23 bytes");
    }
}
