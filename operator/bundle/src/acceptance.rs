//! The code by which a client proves that it opened its bundle: it stands in the sealed bundle and nowhere else.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::key::{KeyError, SigningKey};

/// Begins every message that a code is made from, so that the key makes it for nothing else.
const PURPOSE: &[u8] = b"caretaker acceptance code 1\0";
/// The letters of a code, which nobody takes for one another: Crockford's base 32 (<https://www.crockford.com/base32.html>).
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters of a code: 100 bits.
const LENGTH: usize = 20;

/// The code of a bundle: 20 letters of Crockford's base 32 in groups of five. The same key and the same id give the same code, so that a bundle that is
/// built again after its process died has no other one. Nobody finds it without the signing key or the opened bundle.
///
/// # Errors
/// The key has no text, which those made here always have.
pub fn acceptance_code(key: &SigningKey, id: &str) -> Result<String, KeyError> {
    let text = key.to_text()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(text.as_bytes()).map_err(|_| KeyError::MalformedSecret)?;
    mac.update(PURPOSE);
    mac.update(id.as_bytes());
    let bytes = mac.finalize().into_bytes();
    let letters: Vec<u8> = bytes.iter().take(LENGTH).map(|byte| LETTERS[usize::from(byte & 31)]).collect();
    Ok(letters.chunks(5).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_belongs_to_one_key_and_one_bundle() {
        let (ours, theirs) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let code = acceptance_code(&ours, "8a1b").unwrap();
        assert_eq!(code, acceptance_code(&SigningKey::from_text(&ours.to_text().unwrap()).unwrap(), "8a1b").unwrap());
        assert_ne!(code, acceptance_code(&ours, "8a1c").unwrap());
        assert_ne!(code, acceptance_code(&theirs, "8a1b").unwrap());
        assert!(code.len() == 23 && code.split('-').all(|group| group.len() == 5), "{code}");
    }
}
