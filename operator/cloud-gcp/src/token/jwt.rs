//! Signed assertions (RFC 7523) of a service account's key.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use caretaker_cloud::{CloudError, ErrorClass, Result};
use serde_json::{Value, json};

use crate::config::{Secret, ServiceAccountKey};

/// Length of an assertion: the longest that Google takes.
const SECONDS: i64 = 3600;

/// An assertion that asks for `scope`, made at `now` in seconds since 1970.
pub fn assertion(key: &ServiceAccountKey, scope: &str, now: i64) -> Result<Secret> {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = encode(&json!({"alg": "RS256", "typ": "JWT", "kid": key.private_key_id}));
    let claims = json!({"iss": key.client_email, "scope": scope, "aud": key.token_uri, "iat": now, "exp": now + SECONDS});
    let signed = format!("{header}.{}", encode(&claims));
    let pair = key_pair(&key.private_key)?;
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).map_err(|_| fault("it cannot sign"))?;
    Ok(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

fn fault(message: &str) -> CloudError {
    CloudError::new(ErrorClass::Credentials, "read the service account's key", message)
}

fn key_pair(pem: &Secret) -> Result<KeyPair> {
    let body = pem.reveal().split("-----BEGIN PRIVATE KEY-----").nth(1).and_then(|rest| rest.split("-----END PRIVATE KEY-----").next());
    let body: String = body.ok_or_else(|| fault("not PKCS #8 in PEM"))?.split_whitespace().collect();
    let der = STANDARD.decode(body).map_err(|_| fault("not PKCS #8 in PEM"))?;
    KeyPair::from_pkcs8(&der).map_err(|_| fault("not an RSA key"))
}

/// The claims of a token, unchecked: its issuer and Google are who checks it.
pub fn claims(token: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_key_is_our_own_fault_and_is_not_repeated() {
        for pem in ["", "c2VjcmV0", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n%"] {
            let key = ServiceAccountKey {
                client_email: "a@b".into(),
                private_key_id: "1".into(),
                private_key: Secret::new(pem),
                token_uri: "https://oauth2.googleapis.com/token".into(),
            };
            let error = assertion(&key, "scope", 0).unwrap_err();
            assert_eq!(error.class, ErrorClass::Credentials);
            assert!(!error.to_string().contains("c2VjcmV0"), "{error}");
        }
    }
}
