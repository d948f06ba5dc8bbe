//! The signing key, in minisign's own formats, so that stock `minisign` verifies with it.

use std::fmt;

use sha2::{Digest, Sha256};

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
    bytes: Vec<u8>,
}

impl PublicKey {
    /// Reads a key as `minisign -P` takes it, or the two lines of a `.pub` file.
    ///
    /// # Errors
    /// The text is something else.
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).ok_or(KeyError::MalformedPublic)?;
        let key = minisign::PublicKey::from_base64(line).map_err(|_| KeyError::MalformedPublic)?;
        Ok(Self { base64: line.to_owned(), bytes: key.to_bytes() })
    }

    /// The key as `minisign -P` takes it.
    #[must_use]
    pub fn to_base64(&self) -> &str {
        &self.base64
    }

    /// Key id, 16 hexadecimal digits, as minisign prints it.
    #[must_use]
    pub fn key_id(&self) -> String {
        self.bytes[2..10].iter().rev().map(|byte| format!("{byte:02X}")).collect()
    }

    /// SHA-256 of the key in groups of four digits, to be read out over the telephone.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest = hex::encode(Sha256::digest(&self.bytes));
        digest.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn id_bytes(&self) -> &[u8] {
        &self.bytes[2..10]
    }

    pub(crate) fn ed25519(&self) -> Option<ed25519_dalek::VerifyingKey> {
        ed25519_dalek::VerifyingKey::from_bytes(self.bytes.get(10..42)?.try_into().ok()?).ok()
    }
}
