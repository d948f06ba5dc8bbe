//! Round trips, damage of every kind at every byte, and determinism.

use std::fs;
use std::path::{Path, PathBuf};

use age::x25519::Identity;
use caretaker_bundle::{About, Entry, Mode, SigningKey, Source, Verdict, open, portable, seal, signature_path, verify_outer};

struct Made {
    folder: tempfile::TempDir,
    bundle: PathBuf,
    key: SigningKey,
    identity: Identity,
}

fn about(mode: Mode) -> About {
    About { client: "acme".into(), id: "8a1b".into(), mode, at: "2026-11-25T12:00:00Z".parse().unwrap() }
}

fn entries() -> Vec<Entry> {
    let mut entries = vec![Entry::text("00-READ-ME-FIRST.md", "# Read me\n")];
    for name in ["Ops", "ops", "aux", "../../x", "Zürich", "a\nb"] {
        let path = format!("02-inventory/{}.txt", portable(name));
        entries.push(Entry { path, true_name: Some(name.into()), source: Source::Bytes(name.as_bytes().to_vec()) });
    }
    entries
}

fn make(mode: Mode) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let (key, identity) = (SigningKey::generate().unwrap(), Identity::generate());
    let sealed = seal(folder.path(), &about(mode), &entries(), &[identity.to_public().to_string()], &key).unwrap();
    Made { bundle: sealed.path, folder, key, identity }
}

fn try_open(made: &Made) -> Result<caretaker_bundle::Opened, Verdict> {
    let into = tempfile::tempdir().unwrap();
    let opened = open(&made.bundle, made.key.public(), &made.identity, into.path());
    if opened.is_err() {
        assert_eq!(fs::read_dir(into.path()).unwrap().count(), 0, "a refused bundle leaves nothing behind");
    }
    opened
}

#[test]
fn a_bundle_opens_to_what_went_in() {
    let made = make(Mode::Final);
    let into = tempfile::tempdir().unwrap();
    let opened = open(&made.bundle, made.key.public(), &made.identity, into.path()).unwrap();
    assert_eq!(opened.about, about(Mode::Final));
    assert_eq!(opened.files, entries().len() + 1, "the entries and the index of names");
    let index: std::collections::BTreeMap<String, String> =
        serde_json::from_slice(&fs::read(opened.bag.join("data/names-index.json")).unwrap()).unwrap();
    assert!(!index.is_empty());
    for (path, name) in &index {
        assert_eq!(fs::read_to_string(opened.bag.join(path)).unwrap(), *name, "the true name stands in the index");
    }
}

#[test]
fn the_same_inputs_give_the_same_tar() {
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::generate().unwrap();
    let recipient = [Identity::generate().to_public().to_string()];
    let once = seal(folder.path(), &about(Mode::Final), &entries(), &recipient, &key).unwrap();
    let again = seal(folder.path(), &about(Mode::Final), &entries(), &recipient, &key).unwrap();
    assert_eq!(once.tar_sha256, again.tar_sha256);
    assert_ne!(once.sha256, again.sha256, "age never seals twice alike");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the second takes the place of the first");
}

#[test]
fn every_flipped_byte_of_the_bundle_is_refused() {
    let made = make(Mode::Final);
    let whole = fs::read(&made.bundle).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&made.bundle, &damaged).unwrap();
        assert!(matches!(verify_outer(&made.bundle, made.key.public()), Err(Verdict::Altered)), "byte {at}");
    }
}

#[test]
fn every_flipped_byte_of_the_signature_is_refused() {
    let made = make(Mode::Final);
    let path = signature_path(&made.bundle);
    let whole = fs::read(&path).unwrap();
    let signed = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for at in signed..whole.len() - 1 {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).unwrap();
        assert!(verify_outer(&made.bundle, made.key.public()).is_err(), "byte {at} after the untrusted comment");
    }
}

#[test]
fn cut_and_lengthened_bundles_have_their_own_verdicts() {
    let made = make(Mode::Final);
    let whole = fs::read(&made.bundle).unwrap();
    for length in 0..whole.len() {
        fs::write(&made.bundle, &whole[..length]).unwrap();
        assert!(matches!(verify_outer(&made.bundle, made.key.public()), Err(Verdict::Incomplete { .. })), "{length} bytes");
    }
    fs::write(&made.bundle, [whole.as_slice(), b"x"].concat()).unwrap();
    assert!(matches!(try_open(&made), Err(Verdict::ExtraBytes { .. })));
}

#[test]
fn other_keys_are_told_apart() {
    let made = make(Mode::Final);
    let other = SigningKey::generate().unwrap();
    assert!(matches!(verify_outer(&made.bundle, other.public()), Err(Verdict::AnotherKey)));
    let stranger = Made { identity: Identity::generate(), ..made };
    assert!(matches!(try_open(&stranger), Err(Verdict::WrongIdentity)));
}

fn edit_signature(bundle: &Path, change: impl Fn(&str) -> String) {
    let path = signature_path(bundle);
    fs::write(&path, change(&fs::read_to_string(&path).unwrap())).unwrap();
}

#[test]
fn a_signature_with_crlf_verifies_and_an_edited_comment_does_not() {
    let made = make(Mode::Final);
    edit_signature(&made.bundle, |text| text.replace('\n', "\r\n"));
    assert!(try_open(&made).is_ok());
    edit_signature(&made.bundle, |text| text.replace("mode=final", "mode=rehearsal"));
    assert!(matches!(try_open(&made), Err(Verdict::CommentEdited)));
    edit_signature(&made.bundle, |_| "what is this".into());
    assert!(matches!(try_open(&made), Err(Verdict::MalformedSignature)));
}

#[test]
fn a_rehearsal_renamed_to_the_final_bundle_is_refused() {
    let made = make(Mode::Rehearsal);
    let final_name = made.folder.path().join("acme-final-8a1b.tar.zst.age");
    fs::rename(signature_path(&made.bundle), signature_path(&final_name)).unwrap();
    fs::rename(&made.bundle, &final_name).unwrap();
    let renamed = Made { bundle: final_name, ..made };
    assert!(matches!(try_open(&renamed), Err(Verdict::Mismatch(_))));
}

#[test]
fn a_comment_that_speaks_of_another_bundle_than_the_bag_is_refused() {
    let made = make(Mode::Rehearsal);
    let comment = fs::read_to_string(signature_path(&made.bundle)).unwrap();
    let comment = comment.lines().nth(2).unwrap().strip_prefix("trusted comment: ").unwrap().replace("mode=rehearsal", "mode=final");
    let other_name = made.folder.path().join("bundle");
    fs::rename(&made.bundle, &other_name).unwrap();
    let secret = minisign::SecretKeyBox::from_string(&made.key.to_text().unwrap()).unwrap().into_unencrypted_secret_key().unwrap();
    let forged = minisign::sign(None, &secret, fs::File::open(&other_name).unwrap(), Some(&comment), None).unwrap();
    fs::write(signature_path(&other_name), forged.into_string()).unwrap();
    let forged = Made { bundle: other_name, ..made };
    assert!(matches!(try_open(&forged), Err(Verdict::Mismatch(_))));
}

#[test]
fn a_failure_while_packing_leaves_no_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::generate().unwrap();
    let mut entries = entries();
    entries.push(Entry { path: "99-missing.bin".into(), true_name: None, source: Source::File(folder.path().join("not-there")) });
    let recipients = [Identity::generate().to_public().to_string()];
    assert!(seal(folder.path(), &about(Mode::Final), &entries, &recipients, &key).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_key_survives_its_text_and_never_prints_itself() {
    let key = SigningKey::generate().unwrap();
    let text = key.to_text().unwrap();
    let again = SigningKey::from_text(&text).unwrap();
    assert_eq!(key.public(), again.public());
    let secret = text.lines().nth(1).unwrap();
    assert!(!format!("{key:?}").contains(&secret[..16]));
}
