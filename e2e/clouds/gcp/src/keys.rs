//! Keys that tests make: the simulator learns the public half only.

use anyhow::{Result, anyhow};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// An RSA key.
pub struct TestKey(KeyPair);

impl TestKey {
    /// Makes a key of 2,048 bits.
    ///
    /// # Errors
    /// No randomness.
    pub fn make() -> Result<Self> {
        Ok(Self(KeyPair::generate(KeySize::Rsa2048).map_err(|_| anyhow!("a key cannot be made"))?))
    }

    /// The public half, an RSAPublicKey in DER.
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }

    /// PKCS #8 in PEM.
    ///
    /// # Errors
    /// The key cannot be written.
    pub fn pem(&self) -> Result<String> {
        let der: Pkcs8V1Der<'_> = self.0.as_der().map_err(|_| anyhow!("the key cannot be written"))?;
        let text = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap_or_default()).collect();
        Ok(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n")))
    }

    /// The file that Google hands out with a service account's key.
    ///
    /// # Errors
    /// The key cannot be written.
    pub fn service_account_json(&self, email: &str, key_id: &str) -> Result<String> {
        let file = json!({
            "type": "service_account", "client_email": email, "private_key_id": key_id, "private_key": self.pem()?,
            "token_uri": "https://oauth2.googleapis.com/token",
        });
        Ok(file.to_string())
    }

    /// A signed token.
    ///
    /// # Errors
    /// The key cannot sign.
    pub fn sign(&self, claims: &Value) -> Result<String> {
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(json!({"alg": "RS256", "typ": "JWT"}).to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| anyhow!("the key cannot sign"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// An issuer of subject tokens that a workload identity pool trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// The issuer's address: the claim `iss`.
    pub issuer: String,
    /// Its public key.
    pub public: Vec<u8>,
}

/// The claims of a token whose signature is right.
pub fn verified(token: &str, public: &[u8]) -> Option<Value> {
    let (signed, signature) = token.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public).verify(signed.as_bytes(), &signature).ok()?;
    let (header, claims) = signed.split_once('.')?;
    let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    (read(header)?["alg"] == "RS256").then_some(())?;
    read(claims)
}

/// The header and claims of a token, unchecked: they say which key to check it with.
pub fn unverified(token: &str) -> Option<(Value, Value)> {
    let mut parts = token.split('.');
    let mut read = || serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok();
    Some((read()?, read()?))
}
