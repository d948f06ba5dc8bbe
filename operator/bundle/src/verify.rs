//! Verifies and opens.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use blake2::{Blake2b512, Digest};
use sha2::Sha256;

use crate::about::{About, Comment, file_name};
use crate::identity::Identities;
use crate::key::PublicKey;
use crate::signature::Signature;
use crate::statement;
use crate::unpack::{Limits, Nowhere, Payload, Sink, read};
use crate::verdict::{Verdict, failed};

/// What a verifier is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reads the sealed file against its signature.
    Signature,
    /// Decrypts and unpacks.
    Contents,
}

/// How far a verifier is: the stage, bytes of the sealed file that are done, and all of them.
pub type Progress<'a> = &'a dyn Fn(Stage, u64, u64);

/// What the signature vouches for, without a look inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outer {
    /// Which bundle it is.
    pub about: About,
    /// SHA-256 of the sealed file, 64 lower-case hexadecimal digits: what a client accepts.
    pub sha256: String,
    /// SHA-256 of the tar inside, hexadecimal, as it was signed.
    pub tar_sha256: String,
    /// Size of the sealed file in bytes.
    pub size_bytes: u64,
    /// Whether an in-toto statement is beside it, which is then good, too. Bundles of earlier releases have none.
    pub has_statement: bool,
}

/// A bundle that is good all through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What the signature vouches for.
    pub outer: Outer,
    /// Number of payload files.
    pub files: usize,
    /// Bytes of all payload files.
    pub payload_bytes: u64,
}

/// An opened bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// What was verified before it was put there.
    pub verified: Verified,
    /// The bag's folder.
    pub bag: PathBuf,
}

/// Verifies bundles of one signer.
#[derive(Clone, Copy)]
pub struct Verifier<'a> {
    key: &'a PublicKey,
    limits: Limits,
    progress: Progress<'a>,
}

impl<'a> Verifier<'a> {
    /// A verifier with the usual limits.
    #[must_use]
    pub fn new(key: &'a PublicKey) -> Self {
        Self { key, limits: Limits::default(), progress: &|_, _, _| {} }
    }

    /// With other limits.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Tells how far it is.
    #[must_use]
    pub fn progress(self, progress: Progress<'a>) -> Self {
        Self { progress, ..self }
    }

    /// Verifies what can be verified without opening: signature, size, name.
    ///
    /// # Errors
    /// The verdict.
    pub fn outer(&self, bundle: &Path) -> Result<Outer, Verdict> {
        Ok(self.check(bundle)?.0)
    }

    /// Verifies everything in one pass, and writes nothing.
    ///
    /// # Errors
    /// The verdict.
    pub fn full(&self, bundle: &Path, identities: &Identities) -> Result<Verified, Verdict> {
        let (outer, file, comment) = self.check(bundle)?;
        let payload = self.read(file, identities, &comment, &mut Nowhere)?;
        Ok(verified(outer, payload))
    }

    /// Verifies everything and unpacks the bag to a folder below `folder`, which is made where it is missing. The bag's folder is named after client and
    /// mode, and must be missing or empty. Nothing is left there where the bundle is refused.
    ///
    /// # Errors
    /// The verdict.
    pub fn open(&self, bundle: &Path, identities: &Identities, folder: &Path) -> Result<Opened, Verdict> {
        let (outer, file, comment) = self.check(bundle)?;
        let bag = folder.join(outer.about.folder());
        if std::fs::read_dir(&bag).is_ok_and(|mut entries| entries.next().is_some()) || bag.is_file() {
            return Err(Verdict::Occupied(bag));
        }
        let made = !folder.exists();
        std::fs::create_dir_all(folder).map_err(failed(format!("make {}", folder.display())))?;
        let opened = self.unpack((file, identities), &comment, (folder, &bag));
        if opened.is_err() && made {
            // It stays where something else came into it meanwhile.
            let _ = std::fs::remove_dir(folder);
        }
        Ok(Opened { verified: verified(outer, opened?), bag })
    }

    fn unpack(
        &self,
        (file, identities): (File, &Identities),
        comment: &Comment,
        (folder, bag): (&Path, &Path),
    ) -> Result<Payload, Verdict> {
        let temporary = tempfile::Builder::new().prefix(".caretaker-").suffix(".part").tempdir_in(folder);
        let temporary = temporary.map_err(failed(format!("write to {}", folder.display())))?;
        let root = temporary.path().join("bag");
        private_folder(&root).map_err(failed(format!("write to {}", folder.display())))?;
        let payload = self.read(file, identities, comment, &mut Folder(root.clone()))?;
        std::fs::rename(&root, bag).map_err(failed(format!("make {}", bag.display())))?;
        Ok(payload)
    }

    fn read(&self, file: File, identities: &Identities, comment: &Comment, sink: &mut dyn Sink) -> Result<Payload, Verdict> {
        let progress = |done| (self.progress)(Stage::Contents, done, comment.size);
        read(file, identities, (comment, self.limits), &progress, sink)
    }

    /// Checks signature, size and name. Gives the file, so that what is opened next is what was checked, whatever becomes of its name.
    fn check(&self, bundle: &Path) -> Result<(Outer, File, Comment), Verdict> {
        let reading = || failed(format!("read {}", bundle.display()));
        let mut file = File::open(bundle).map_err(reading())?;
        let signature = Signature::beside(bundle)?;
        if !signature.names(self.key) {
            return Err(Verdict::AnotherKey);
        }
        let actual = file.metadata().map_err(reading())?.len();
        if !signature.covers_comment(self.key) {
            let (bytes_are_signed, _) = self.digest(&mut file, &signature, actual).map_err(reading())?;
            return Err(if bytes_are_signed { Verdict::CommentEdited } else { Verdict::AnotherKey });
        }
        let not_ours = || Verdict::Mismatch("the signature is valid, but not for a Caretaker bundle".into());
        let comment = signature.comment().ok_or_else(not_ours)?;
        let expected = comment.size;
        match actual.cmp(&expected) {
            std::cmp::Ordering::Less => return Err(Verdict::Incomplete { expected, actual }),
            std::cmp::Ordering::Greater => return Err(Verdict::ExtraBytes { expected, actual }),
            std::cmp::Ordering::Equal => {}
        }
        let (bytes_are_signed, sha256) = self.digest(&mut file, &signature, expected).map_err(reading())?;
        if !bytes_are_signed {
            return Err(Verdict::Altered);
        }
        check_name(bundle, &comment.about)?;
        file.seek(SeekFrom::Start(0)).map_err(reading())?;
        let has_statement = statement::beside(bundle, (&comment, &sha256), self.key)?;
        let outer =
            Outer { about: comment.about.clone(), sha256, tar_sha256: comment.tar_sha256.clone(), size_bytes: expected, has_statement };
        Ok((outer, file, comment))
    }

    /// Whether the signature is one of the file's bytes, and their SHA-256.
    fn digest(&self, file: &mut File, signature: &Signature, size: u64) -> io::Result<(bool, String)> {
        let (mut sha256, mut blake2b) = (Sha256::new(), Blake2b512::new());
        let mut buffer = vec![0; 1 << 18];
        let mut done = 0;
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            sha256.update(&buffer[..read]);
            blake2b.update(&buffer[..read]);
            done += read as u64;
            (self.progress)(Stage::Signature, done, size);
        }
        Ok((signature.covers_bytes(self.key, &blake2b.finalize().into()), hex::encode(sha256.finalize())))
    }
}

fn verified(outer: Outer, payload: Payload) -> Verified {
    Verified { outer, files: payload.files, payload_bytes: payload.bytes }
}

/// Verifies what can be verified without opening: signature, size, name. Returns what the signer says of the bundle.
///
/// # Errors
/// The verdict.
pub fn verify_outer(bundle: &Path, key: &PublicKey) -> Result<About, Verdict> {
    Ok(Verifier::new(key).outer(bundle)?.about)
}

/// What a bundle's signature file says, for a list. Nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Which bundle it claims to be.
    pub about: About,
    /// Id of the key that it claims to be signed with, 16 hexadecimal digits.
    pub key_id: String,
    /// Size in bytes that it claims for the sealed file.
    pub size_bytes: u64,
}

/// Reads what the signature file beside a bundle claims, without any check.
///
/// # Errors
/// The signature file is missing, unreadable or malformed.
pub fn claims(bundle: &Path) -> Result<Claims, Verdict> {
    let signature = Signature::beside(bundle)?;
    let comment = signature.comment().ok_or(Verdict::MalformedSignature)?;
    Ok(Claims { about: comment.about, key_id: signature.key_id(), size_bytes: comment.size })
}

/// A bundle under one of our names must be the one that the name says.
fn check_name(bundle: &Path, about: &About) -> Result<(), Verdict> {
    let name = bundle.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let lower = name.to_lowercase();
    let poses = lower.ends_with(".tar.zst.age") && (lower.contains("-final-") || lower.contains("-rehearsal-"));
    if poses && name != file_name(about) {
        return Err(Verdict::Mismatch(format!("the file is named {name}, the signer calls it {}", file_name(about))));
    }
    Ok(())
}

/// A sink that writes below a folder. The files are a client's whole world: they are for who opened the bundle and nobody else, whatever the umask says.
struct Folder(PathBuf);

impl Sink for Folder {
    fn file(&mut self, path: &str) -> io::Result<Box<dyn Write>> {
        let target = self.0.join(path);
        if let Some(parent) = target.parent() {
            private_folder(parent)?;
        }
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Box::new(BufWriter::new(options.open(target)?)))
    }
}

/// Makes a folder, and those above it that are missing, for their owner alone.
fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
