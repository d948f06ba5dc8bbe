//! The statement beside a bundle: who made which file, in the form that tools for supply chains read.
//!
//! An in-toto Statement in a DSSE envelope, signed with the key that signs the bundle. It says nothing that the minisign signature does not say; whoever
//! checks with minisign needs it not. Sources: <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>,
//! <https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>, <https://github.com/secure-systems-lab/dsse/blob/master/envelope.md>.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signature;
use serde_json::{Value, json};

use crate::about::{Comment, file_name};
use crate::key::{PublicKey, SigningKey};
use crate::verdict::{Verdict, failed};

/// The media type of an in-toto Statement.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The form of the statement.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// What is said of the bundle: `FORMAT.md` describes it.
const PREDICATE: &str = "https://caretaker.dev/handover/v1";
/// Longest file that is read, in bytes. Ours have less than 2,000.
const MAX_BYTES: u64 = 16 << 10;

/// The statement's path beside the bundle's.
#[must_use]
pub fn statement_path(bundle: &Path) -> PathBuf {
    let mut name = bundle.as_os_str().to_owned();
    name.push(".intoto.json");
    name.into()
}

/// The envelope over a sealed bundle.
pub(crate) fn envelope(comment: &Comment, sha256: &str, key: &SigningKey) -> Option<String> {
    let payload = statement(comment, sha256).to_string();
    let signature = key.sign_plain(&pre_authentication(PAYLOAD_TYPE, payload.as_bytes()))?;
    let envelope = json!({
        "payloadType": PAYLOAD_TYPE,
        "payload": STANDARD.encode(payload),
        "signatures": [{"keyid": key.public().key_id(), "sig": STANDARD.encode(signature.to_bytes())}],
    });
    Some(format!("{envelope:#}\n"))
}

fn statement(comment: &Comment, sha256: &str) -> Value {
    let about = &comment.about;
    json!({
        "_type": STATEMENT,
        "subject": [{"name": file_name(about), "digest": {"sha256": sha256}}],
        "predicateType": PREDICATE,
        "predicate": {
            "client": about.client, "id": about.id, "mode": about.mode.as_str(), "time": about.at.to_string(),
            "sizeBytes": comment.size, "tarSha256": comment.tar_sha256,
        },
    })
}

/// What is signed: type and payload with their lengths, so that neither can be taken for a part of the other.
fn pre_authentication(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// Whether a statement is beside a bundle, which older ones have not. One that is there is the bundle's.
pub(crate) fn beside(bundle: &Path, (comment, sha256): (&Comment, &str), key: &PublicKey) -> Result<bool, Verdict> {
    let path = statement_path(bundle);
    let mut bytes = Vec::new();
    match File::open(&path) {
        Ok(file) => file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed(format!("read {}", path.display())))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(format!("read {}", path.display()))(error)),
    };
    if is_signed(&bytes, key).is_some_and(|said| said == statement(comment, sha256)) { Ok(true) } else { Err(Verdict::Statement(path)) }
}

/// What an envelope says, where this key signed it.
fn is_signed(envelope: &[u8], key: &PublicKey) -> Option<Value> {
    let envelope: Value = serde_json::from_slice(envelope).ok()?;
    let (kind, payload) = (envelope["payloadType"].as_str()?, STANDARD.decode(envelope["payload"].as_str()?).ok()?);
    let message = pre_authentication(kind, &payload);
    let is_ours = |signature: &Value| {
        let bytes = signature["sig"].as_str().and_then(|text| STANDARD.decode(text).ok());
        let signature = bytes.and_then(|bytes| Signature::from_slice(&bytes).ok());
        signature.is_some_and(|signature| key.verify(&message, &signature))
    };
    let is_signed = kind == PAYLOAD_TYPE && envelope["signatures"].as_array()?.iter().any(is_ours);
    is_signed.then(|| serde_json::from_slice(&payload).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::about::{About, Mode};

    fn comment() -> Comment {
        let about = About { client: "acme".into(), id: "1".into(), mode: Mode::Final, at: "2026-11-25T12:00:00Z".parse().unwrap() };
        Comment { about, tar_sha256: "ab".into(), size: 7 }
    }

    /// The example of the protocol's own text.
    #[test]
    fn what_is_signed_is_what_the_protocol_says() {
        let text = pre_authentication("http://example.com/HelloWorld", b"hello world");
        assert_eq!(text, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn a_statement_is_taken_only_of_this_bundle_and_this_key() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("b.age");
        let (comment, sha256) = (comment(), "cd");
        let good = envelope(&comment, sha256, &key).unwrap();
        let told = |text: &str| {
            std::fs::write(statement_path(&bundle), text).unwrap();
            beside(&bundle, (&comment, sha256), key.public())
        };
        assert!(!beside(&bundle, (&comment, sha256), key.public()).unwrap(), "an older bundle has none");
        assert!(told(&good).unwrap());
        let another = Comment { size: 8, ..comment.clone() };
        let payload = |text: &str| serde_json::from_str::<Value>(text).unwrap()["payload"].as_str().unwrap().to_owned();
        let swapped = envelope(&another, sha256, &key).unwrap();
        for (why, text) in [
            ("empty", String::new()),
            ("another key", envelope(&comment, sha256, &other).unwrap()),
            ("another file", envelope(&comment, "ce", &key).unwrap()),
            ("another size", swapped.clone()),
            ("a payload that was changed", good.replace(&payload(&good), &payload(&swapped))),
            ("another type", good.replace("in-toto+json", "x+json")),
            ("no signature", good.replace("\"sig\"", "\"gis\"")),
        ] {
            assert!(matches!(told(&text), Err(Verdict::Statement(_))), "{why}");
        }
    }
}
