//! Signatures that stock `minisign -V` checks.

use anyhow::{Context, Result};
use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox};

use crate::image::VERSION;

/// A key that signs.
pub struct Key {
    secret: SecretKey,
    public: PublicKey,
}

impl Key {
    /// A key that exists nowhere else and is gone with this process.
    pub fn ephemeral() -> Result<Self> {
        let pair = KeyPair::generate_unencrypted_keypair().context("make a key")?;
        Ok(Self { secret: pair.sk, public: pair.pk })
    }

    /// The key in a file of minisign's.
    pub fn read(text: &str) -> Result<Self> {
        let refused = "not an unencrypted minisign secret key: make one with `minisign -G -W`";
        let secret = SecretKeyBox::from_string(text.trim()).and_then(SecretKeyBox::into_unencrypted_secret_key).context(refused)?;
        let public = PublicKey::from_secret_key(&secret).context(refused)?;
        Ok(Self { secret, public })
    }

    /// The public half as a file.
    pub fn public_text(&self) -> String {
        format!("untrusted comment: public key of Caretaker's releases\n{}\n", self.public.to_base64())
    }

    /// The signature of a file. Its name and version are signed with it, so that none is taken for another.
    pub fn sign(&self, name: &str, content: &[u8]) -> Result<String> {
        let trusted = format!("file:{name} version:{VERSION}");
        let signature = minisign::sign(Some(&self.public), &self.secret, content, Some(&trusted), Some("signature of a Caretaker release"));
        Ok(signature.with_context(|| format!("sign {name}"))?.into_string())
    }
}
