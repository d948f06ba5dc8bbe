//! The signature file: minisign's format, read strictly, so that a file with one byte changed anywhere is not taken.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blake2::{Blake2b512, Digest};
use ed25519_dalek::Signature as Ed25519;

use crate::about::Comment;
use crate::key::{PublicKey, UNTRUSTED_OF_BYTES};
use crate::verdict::{Verdict, failed};

/// The untrusted comment. No signature covers it, so nothing but this constant is taken.
pub(crate) const UNTRUSTED: &str = "signature of a Caretaker handover bundle";
/// Longest signature file that is read, in bytes. Ours have less than 700.
const MAX_BYTES: u64 = 4096;

/// The signature's path beside the bundle's.
#[must_use]
pub fn signature_path(bundle: &Path) -> PathBuf {
    let mut name = bundle.as_os_str().to_owned();
    name.push(".minisig");
    name.into()
}

/// A signature file whose form is right. Nothing in it is believed yet.
#[derive(Debug)]
pub(crate) struct Signature {
    key_id: [u8; 8],
    signature: Ed25519,
    comment: String,
    global: Ed25519,
}

impl Signature {
    /// Reads the signature beside a bundle. Line ends may be those of Windows.
    pub fn beside(bundle: &Path) -> Result<Self, Verdict> {
        let path = signature_path(bundle);
        let mut bytes = Vec::new();
        match File::open(&path) {
            Ok(file) => file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed(format!("read {}", path.display())))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(Verdict::Unsigned(path)),
            Err(error) => return Err(failed(format!("read {}", path.display()))(error)),
        };
        let text = String::from_utf8(bytes).map_err(|_| Verdict::MalformedSignature)?;
        Self::parse(&text.replace("\r\n", "\n"), UNTRUSTED).ok_or(Verdict::MalformedSignature)
    }

    fn parse(text: &str, says: &str) -> Option<Self> {
        let text = text.trim_end_matches('\n');
        let lines: Vec<&str> = text.split('\n').collect();
        let [untrusted, signature, comment, global] = lines.as_slice() else { return None };
        if untrusted.strip_prefix("untrusted comment: ") != Some(says) {
            return None;
        }
        let signature = STANDARD.decode(signature).ok()?;
        let ([b'E', b'D', id @ ..], signature) = signature.split_at_checked(10)? else { return None };
        Some(Self {
            key_id: id.try_into().ok()?,
            signature: Ed25519::from_slice(signature).ok()?,
            comment: comment.strip_prefix("trusted comment: ")?.to_owned(),
            global: Ed25519::from_slice(&STANDARD.decode(global).ok()?).ok()?,
        })
    }

    /// Whether the file says that this key signed it.
    pub fn names(&self, key: &PublicKey) -> bool {
        self.key_id == key.id_bytes()
    }

    /// Whether this key signed the trusted comment together with the signature of the bytes.
    pub fn covers_comment(&self, key: &PublicKey) -> bool {
        key.verify(&[&self.signature.to_bytes(), self.comment.as_bytes()].concat(), &self.global)
    }

    /// Whether this key signed bytes of this BLAKE2b-512: minisign's "prehashed" form.
    pub fn covers_bytes(&self, key: &PublicKey, blake2b: &[u8; 64]) -> bool {
        key.verify(blake2b, &self.signature)
    }

    /// What the comment says: to be believed only after [`Self::covers_comment`].
    pub fn comment(&self) -> Option<Comment> {
        Comment::parse(&self.comment)
    }

    /// Id of the key that the file names, 16 hexadecimal digits, as minisign prints it.
    pub fn key_id(&self) -> String {
        crate::key::print_id(self.key_id)
    }
}

/// Whether the text of a signature file is a key's signature of these bytes, its trusted comment included.
#[must_use]
pub fn is_signed(bytes: &[u8], signature: &str, key: &PublicKey) -> bool {
    let digest: [u8; 64] = Blake2b512::digest(bytes).into();
    Signature::parse(&signature.replace("\r\n", "\n"), UNTRUSTED_OF_BYTES)
        .is_some_and(|signature| signature.covers_comment(key) && signature.covers_bytes(key, &digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;

    #[test]
    fn bytes_are_signed_by_the_key_that_signed_them_alone() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let signature = key.sign(b"certificate", "client=acme").unwrap();
        assert!(
            is_signed(b"certificate", &signature, key.public())
                && is_signed(b"certificate", &signature.replace('\n', "\r\n"), key.public())
        );
        for (why, bytes, signature, by) in [
            ("other bytes", b"Certificate".as_slice(), signature.clone(), &key),
            ("another key", b"certificate", signature.clone(), &other),
            ("another comment", b"certificate", signature.replace("acme", "beta"), &key),
            ("no signature", b"certificate", String::new(), &key),
        ] {
            assert!(!is_signed(bytes, &signature, by.public()), "{why}");
        }
    }

    fn sample() -> String {
        let (signature, global) = (STANDARD.encode([b"ED".as_slice(), &[7; 72]].concat()), STANDARD.encode([0; 64]));
        format!("untrusted comment: {UNTRUSTED}\n{signature}\ntrusted comment: x\n{global}\n")
    }

    #[test]
    fn only_the_form_that_we_write_is_read() {
        let good = sample();
        let fine = Signature::parse(&good, UNTRUSTED).expect("the sample");
        assert_eq!((fine.key_id(), fine.comment.as_str()), ("07".repeat(8), "x"));
        assert!(Signature::parse(good.trim_end(), UNTRUSTED).is_some(), "without the last line end");
        assert!(Signature::parse(&format!("{good}\n"), UNTRUSTED).is_some(), "with one more");
        for (reason, text) in [
            ("empty", String::new()),
            ("a leading line", format!("\n{good}")),
            ("a fifth line", format!("{good}x\n")),
            ("another untrusted comment", good.replace("handover", "hand-over")),
            ("the legacy algorithm", good.replace("RUQH", "RWQH")),
            ("a blank after base64", good.replace("==\n", "== \n")),
            ("padding bits", good.replace("A==", "B==")),
            ("a short signature", good.replacen("BwcH", "", 1)),
            ("another word for the trusted comment", good.replace("trusted comment: x", "trusted  comment: x")),
        ] {
            assert_ne!(text, good, "{reason}: the case changes nothing");
            assert!(Signature::parse(&text, UNTRUSTED).is_none(), "{reason}");
        }
    }
}
