//! SHA-256 in hexadecimal, the one digest that names things.

use sha2::{Digest, Sha256};

/// SHA-256 of bytes, 64 lower-case hexadecimal digits.
#[must_use]
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(bytes.as_ref()))
}

/// First byte of SHA-256 of a text: spreads texts evenly, in every release alike.
#[must_use]
pub fn first_byte(text: &str) -> u8 {
    Sha256::digest(text.as_bytes())[0]
}

/// SHA-256 of a value's JSON, keys in the order of its fields.
#[must_use]
pub fn json_digest<T: serde::Serialize>(value: &T) -> String {
    sha256_hex(serde_json::to_vec(value).unwrap_or_default())
}
