//! The signing key, in minisign's own formats, so that stock `minisign` verifies with it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::recipient::normalise;

/// What the untrusted comment of a signature says that is not a bundle's.
pub(crate) const UNTRUSTED_OF_BYTES: &str = "signature from caretaker";

/// A key that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is not an unencrypted minisign secret key.
    #[error("not an unencrypted minisign secret key: make one with `minisign -G -W`")]
    MalformedSecret,
    /// The text is not a minisign public key.
    #[error("not a minisign public key: it is one line of base64 that starts with RW")]
    MalformedPublic,
    /// The operating system gave no randomness.
    #[error("no key could be made: the operating system gave no randomness")]
    NoRandomness,
}

/// Where the key pair begins in a minisign secret key: after three names of algorithms, a salt, two limits and the key's id.
/// Source: <https://jedisct1.github.io/minisign/>, "Secret key format".
const PAIR: usize = 62;

/// The secret half. Never printed.
#[derive(Clone)]
pub struct SigningKey {
    pub(crate) secret: minisign::SecretKey,
    public: PublicKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, secret redacted)", self.public.key_id())
    }
}

impl SigningKey {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// The operating system gave no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = minisign::KeyPair::generate_unencrypted_keypair().map_err(|_| KeyError::NoRandomness)?;
        Self::from_secret(pair.sk)
    }

    /// Reads the text of an unencrypted minisign secret key.
    ///
    /// # Errors
    /// The text is something else.
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        let boxed = minisign::SecretKeyBox::from_string(text.trim()).map_err(|_| KeyError::MalformedSecret)?;
        Self::from_secret(boxed.into_unencrypted_secret_key().map_err(|_| KeyError::MalformedSecret)?)
    }

    /// The text of the key, to be kept in a Secret.
    ///
    /// # Errors
    /// The key is encrypted, which those made here never are.
    pub fn to_text(&self) -> Result<String, KeyError> {
        let boxed = self.secret.to_box(Some("caretaker signing key")).map_err(|_| KeyError::MalformedSecret)?;
        Ok(boxed.into_string())
    }

    /// Signs bytes in minisign's format, with a trusted comment of one line.
    ///
    /// # Errors
    /// The comment has line ends, or the key cannot sign.
    pub fn sign(&self, bytes: &[u8], trusted_comment: &str) -> Result<String, KeyError> {
        let signed = minisign::sign(None, &self.secret, bytes, Some(trusted_comment), Some(UNTRUSTED_OF_BYTES));
        Ok(signed.map_err(|_| KeyError::MalformedSecret)?.into_string())
    }

    /// Signs bytes with plain Ed25519, for forms that are not minisign's. minisign signs 64 bytes and what follows a signature, so that neither form can
    /// be taken for the other where the bytes begin with a word.
    pub(crate) fn sign_plain(&self, bytes: &[u8]) -> Option<Signature> {
        let all = self.secret.to_bytes();
        let pair: &[u8; 64] = all.get(PAIR..PAIR + 64)?.try_into().ok()?;
        Some(ed25519_dalek::SigningKey::from_keypair_bytes(pair).ok()?.sign(bytes))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    fn from_secret(secret: minisign::SecretKey) -> Result<Self, KeyError> {
        let public = minisign::PublicKey::from_secret_key(&secret).map_err(|_| KeyError::MalformedSecret)?;
        let public = PublicKey::from_base64(&public.to_base64())?;
        Ok(Self { secret, public })
    }
}

/// The public half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    base64: String,
    bytes: [u8; 42],
    point: VerifyingKey,
}

impl PublicKey {
    /// Reads a key as `minisign -P` takes it, or the two lines of a `.pub` file.
    ///
    /// # Errors
    /// The text is something else.
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        let line = text.lines().map(normalise).rfind(|line| !line.is_empty()).ok_or(KeyError::MalformedPublic)?;
        let bytes = STANDARD.decode(line).ok().and_then(|bytes| <[u8; 42]>::try_from(bytes).ok()).ok_or(KeyError::MalformedPublic)?;
        let (b"Ed", point) = (&bytes[..2], &bytes[10..]) else { return Err(KeyError::MalformedPublic) };
        let point = point.try_into().ok().and_then(|point| VerifyingKey::from_bytes(point).ok()).filter(|point| !point.is_weak());
        Ok(Self { base64: line.to_owned(), bytes, point: point.ok_or(KeyError::MalformedPublic)? })
    }

    /// The key as `minisign -P` takes it.
    #[must_use]
    pub fn to_base64(&self) -> &str {
        &self.base64
    }

    /// The key as a `.pub` file, which `minisign -p` takes.
    #[must_use]
    pub fn to_file_text(&self) -> String {
        format!("untrusted comment: minisign public key {}\n{}\n", self.key_id(), self.base64)
    }

    /// Key id, 16 hexadecimal digits, as minisign prints it.
    #[must_use]
    pub fn key_id(&self) -> String {
        print_id(self.id_bytes())
    }

    /// SHA-256 of the key in groups of four digits, to be read out over the telephone.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest = hex::encode(Sha256::digest(self.bytes));
        digest.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn id_bytes(&self) -> [u8; 8] {
        let mut id = [0; 8];
        id.copy_from_slice(&self.bytes[2..10]);
        id
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        self.point.verify_strict(message, signature).is_ok()
    }
}

/// A key id as minisign prints it: the bytes are a number, the lowest first.
pub(crate) fn print_id(id: [u8; 8]) -> String {
    format!("{:016X}", u64::from_le_bytes(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_text_and_never_prints_itself() {
        let key = SigningKey::generate().unwrap();
        let text = key.to_text().unwrap();
        let again = SigningKey::from_text(&text.replace('\n', "\r\n")).unwrap();
        assert_eq!(key.public(), again.public());
        let secret = text.lines().nth(1).unwrap();
        for start in 0..secret.len() - 8 {
            assert!(!format!("{key:?}").contains(&secret[start..start + 8]));
        }
    }

    #[test]
    fn a_damaged_secret_key_is_refused_without_an_echo() {
        let text = SigningKey::generate().unwrap().to_text().unwrap();
        let secret = text.lines().nth(1).unwrap();
        for at in 0..secret.trim_end_matches('=').len() {
            let letter = if secret.as_bytes()[at] == b'A' { "B" } else { "A" };
            let mut damaged = secret.to_owned();
            damaged.replace_range(at..=at, letter);
            match SigningKey::from_text(&format!("untrusted comment: x\n{damaged}\n")) {
                Err(error) => assert!(!error.to_string().contains(&secret[40..48])),
                // Bytes 4 to 54 hold the checksum's name and a password's salt and limits, which a key without a password has no use for.
                Ok(_) => assert!((4 * 4 / 3..=54 * 4 / 3).contains(&at), "character {at} counts"),
            }
        }
        for text in ["", "RW", "untrusted comment: x", "-----BEGIN OPENSSH PRIVATE KEY-----"] {
            assert_eq!(SigningKey::from_text(text).unwrap_err(), KeyError::MalformedSecret);
        }
    }

    #[test]
    fn a_public_key_is_read_as_people_have_it() {
        let key = SigningKey::generate().unwrap().public().clone();
        let base64 = key.to_base64();
        for text in [base64.to_owned(), format!(" {base64}\r\n"), key.to_file_text(), key.to_file_text().replace('\n', "\r\n")] {
            assert_eq!(PublicKey::from_base64(&text).as_ref(), Ok(&key), "{text:?}");
        }
        let weak = STANDARD.encode([b"Ed".as_slice(), &[0; 8], &[1], &[0; 31]].concat());
        for text in ["", "RW", &base64[..55], &base64.replacen("RW", "RU", 1), &weak, "age1abc"] {
            assert_eq!(PublicKey::from_base64(text), Err(KeyError::MalformedPublic), "{text:?}");
        }
    }

    #[test]
    fn id_and_fingerprint_are_those_of_a_known_key() {
        let key = PublicKey::from_base64("RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3").unwrap();
        assert_eq!(key.key_id(), "E7620F1842B4E81F");
        let digest = hex::encode(Sha256::digest(STANDARD.decode(key.to_base64()).unwrap()));
        assert_eq!(key.fingerprint().replace(' ', ""), digest);
        assert_eq!(key.fingerprint().split(' ').count(), 16);
    }
}
