//! A small bundle to damage.

#![allow(dead_code, reason = "each test file takes what it needs")]

use std::fs;
use std::path::PathBuf;

use age::secrecy::ExposeSecret;
use caretaker_bundle::{
    About, Entry, Identities, Mode, Opened, Sealed, SigningKey, Source, Verdict, Verified, Verifier, seal, signature_path,
};

/// Names that some system refuses or confuses.
pub const NASTY: [&str; 10] = ["Ops", "ops", "caretaker:edit", "aux", "50%0A.", "Z\u{fc}rich", "Zu\u{308}rich", "a\nb", "../../x", "end "];

pub struct Made {
    pub folder: tempfile::TempDir,
    pub bundle: PathBuf,
    pub sealed: Sealed,
    pub key: SigningKey,
    pub identities: Identities,
}

pub fn about(mode: Mode) -> About {
    About { client: "acme".into(), id: "8a1b".into(), mode, at: "2026-11-25T12:00:00Z".parse().unwrap() }
}

pub fn entries() -> Vec<Entry> {
    let mut entries = vec![Entry::text("00-READ-ME-FIRST.md", "# Read me\n")];
    entries.extend(NASTY.map(|name| Entry::named("02-inventory", name, ".txt", Source::Bytes(name.as_bytes().to_vec()))));
    entries
}

/// A recipient and its identity.
pub fn identity() -> (String, Identities) {
    let identity = age::x25519::Identity::generate();
    (identity.to_public().to_string(), Identities::parse(identity.to_string().expose_secret()).unwrap())
}

pub fn make(mode: Mode) -> Made {
    seal_to(tempfile::tempdir().unwrap(), &about(mode), &entries())
}

pub fn seal_to(folder: tempfile::TempDir, about: &About, entries: &[Entry]) -> Made {
    let (key, (recipient, identities)) = (SigningKey::generate().unwrap(), identity());
    let sealed = seal(folder.path(), about, entries, &[recipient], &key).unwrap();
    Made { bundle: sealed.path.clone(), folder, sealed, key, identities }
}

pub fn try_full(made: &Made) -> Result<Verified, Verdict> {
    Verifier::new(made.key.public()).full(&made.bundle, &made.identities)
}

pub fn try_open(made: &Made) -> Result<Opened, Verdict> {
    let into = tempfile::tempdir().unwrap();
    let opened = Verifier::new(made.key.public()).open(&made.bundle, &made.identities, into.path());
    if opened.is_err() {
        assert_eq!(fs::read_dir(into.path()).unwrap().count(), 0, "a refused bundle leaves nothing behind");
    }
    opened
}

/// Signs the sealed file again, with a changed trusted comment.
pub fn sign_again(made: &Made, key: &SigningKey, change: impl Fn(&str) -> String) {
    let path = signature_path(&made.bundle);
    let text = fs::read_to_string(&path).unwrap();
    let comment = change(text.lines().nth(2).unwrap().strip_prefix("trusted comment: ").unwrap());
    let secret = minisign::SecretKeyBox::from_string(&key.to_text().unwrap()).unwrap().into_unencrypted_secret_key().unwrap();
    let untrusted = text.lines().next().unwrap().strip_prefix("untrusted comment: ").unwrap();
    let signature = minisign::sign(None, &secret, fs::File::open(&made.bundle).unwrap(), Some(&comment), Some(untrusted)).unwrap();
    fs::write(&path, signature.into_string()).unwrap();
}
