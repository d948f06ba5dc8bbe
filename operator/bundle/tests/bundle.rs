//! Round trips, damage of every kind at every byte, and determinism.

mod common;

use std::collections::BTreeMap;
use std::fs;

use caretaker_bundle::{
    About, Entry, Mode, SealError, SigningKey, Source, Stage, Verdict, Verifier, claims, count, file_name, seal, sha256_file,
    signature_path, verify_outer,
};
use common::{Made, NASTY, about, entries, identity, make, seal_to, try_full, try_open};
use proptest::prelude::*;

#[test]
fn a_bundle_opens_to_what_went_in() {
    let made = make(Mode::Final);
    let into = tempfile::tempdir().unwrap();
    let opened = Verifier::new(made.key.public()).open(&made.bundle, &made.identities, into.path()).unwrap();
    assert_eq!(opened.verified.outer.about, about(Mode::Final));
    assert_eq!(opened.verified.outer.sha256, sha256_file(&made.bundle).unwrap());
    assert_eq!(opened.verified.outer.sha256, made.sealed.sha256);
    assert_eq!(opened.verified.outer.tar_sha256, made.sealed.tar_sha256);
    assert_eq!(opened.verified.outer.size_bytes, fs::metadata(&made.bundle).unwrap().len());
    assert_eq!(opened.verified.files, entries().len() + 1, "the entries and the index of names");
    assert_eq!(count(&entries()), Ok(opened.verified.files), "what is counted before is what is in it");
    let info = fs::read_to_string(opened.bag.join("bag-info.txt")).unwrap();
    assert!(info.contains(&format!("Payload-Oxum: {}.{}\n", opened.verified.payload_bytes, opened.verified.files)), "{info}");
    assert_eq!(opened.verified, try_full(&made).unwrap(), "a look and an opening find the same");
    let index: BTreeMap<String, String> = serde_json::from_slice(&fs::read(opened.bag.join("data/names-index.json")).unwrap()).unwrap();
    assert_eq!(index.len(), NASTY.len());
    for (path, name) in &index {
        assert_eq!(fs::read_to_string(opened.bag.join(path)).unwrap(), *name, "the true name stands in the index");
    }
    assert_eq!(fs::read_dir(into.path()).unwrap().count(), 1, "nothing but the bag is left");
}

#[test]
fn every_recipient_opens_it() {
    let folder = tempfile::tempdir().unwrap();
    let ((one, first), (two, second)) = (identity(), identity());
    let key = SigningKey::generate().unwrap();
    let sealed = seal(folder.path(), &about(Mode::Final), &entries(), &[format!(" {one}\r\n"), two], &key).unwrap();
    assert_eq!(sealed.recipients, 2);
    for identities in [first, second] {
        assert!(Verifier::new(key.public()).full(&sealed.path, &identities).is_ok());
    }
}

#[test]
fn a_list_with_one_bad_recipient_seals_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (good, _) = identity();
    let key = SigningKey::generate().unwrap();
    let error = seal(folder.path(), &about(Mode::Final), &entries(), &[good, "ssh-rsa AAAA".into()], &key).unwrap_err();
    assert!(matches!(&error, SealError::Recipients(faults) if faults.len() == 1 && faults[0].index == Some(1)), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn names_that_would_speak_in_the_comment_are_not_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let (recipient, _) = identity();
    let key = SigningKey::generate().unwrap();
    for about in [About { client: "a mode=final".into(), ..about(Mode::Rehearsal) }, About { id: "../x".into(), ..about(Mode::Rehearsal) }]
    {
        let error = seal(folder.path(), &about, &entries(), std::slice::from_ref(&recipient), &key).unwrap_err();
        assert!(matches!(error, SealError::About(_)), "{error}");
    }
}

#[test]
fn the_same_inputs_give_the_same_tar() {
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::generate().unwrap();
    let (recipient, _) = identity();
    let mut turned = entries();
    turned.reverse();
    let once = seal(folder.path(), &about(Mode::Final), &entries(), std::slice::from_ref(&recipient), &key).unwrap();
    let again = seal(folder.path(), &about(Mode::Final), &turned, std::slice::from_ref(&recipient), &key).unwrap();
    assert_eq!(once.tar_sha256, again.tar_sha256, "whatever order the entries come in");
    assert_ne!(once.sha256, again.sha256, "age never seals twice alike");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "the second takes the place of the first");
    let other = seal(folder.path(), &about(Mode::Rehearsal), &entries(), &[recipient], &key).unwrap();
    assert_ne!(once.tar_sha256, other.tar_sha256);
}

#[test]
fn every_flipped_byte_of_the_bundle_is_refused() {
    let made = make(Mode::Final);
    let whole = fs::read(&made.bundle).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&made.bundle, &damaged).unwrap();
        assert!(matches!(verify_outer(&made.bundle, made.key.public()), Err(Verdict::Altered)), "byte {at}");
    }
    fs::write(&made.bundle, &whole).unwrap();
    assert!(verify_outer(&made.bundle, made.key.public()).is_ok(), "the undamaged bundle is taken");
}

#[test]
fn every_flipped_bit_of_the_signature_is_refused() {
    let made = make(Mode::Final);
    let path = signature_path(&made.bundle);
    let whole = fs::read(&path).unwrap();
    for (at, bit) in (0..whole.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << bit;
        fs::write(&path, &damaged).unwrap();
        let verdict = verify_outer(&made.bundle, made.key.public()).expect_err("a damaged signature");
        let expected = matches!(verdict, Verdict::MalformedSignature | Verdict::AnotherKey | Verdict::CommentEdited);
        assert!(expected, "bit {bit} of byte {at}: {verdict}");
    }
}

#[test]
fn cut_and_lengthened_bundles_have_their_own_verdicts() {
    let made = make(Mode::Final);
    let whole = fs::read(&made.bundle).unwrap();
    for length in 0..whole.len() {
        fs::write(&made.bundle, &whole[..length]).unwrap();
        let verdict = verify_outer(&made.bundle, made.key.public()).unwrap_err();
        assert!(matches!(verdict, Verdict::Incomplete { actual, .. } if actual == length as u64), "{length} bytes: {verdict}");
        assert!(verdict.to_string().contains("incomplete"));
    }
    for more in [b"x".as_slice(), &[0; 4096], &whole] {
        fs::write(&made.bundle, [whole.as_slice(), more].concat()).unwrap();
        let verdict = try_open(&made).unwrap_err();
        assert!(matches!(verdict, Verdict::ExtraBytes { .. }), "{verdict}");
        assert!(verdict.to_string().contains("extra bytes"));
    }
}

#[test]
fn a_cut_signature_is_malformed_and_a_missing_one_is_said() {
    let made = make(Mode::Final);
    let path = signature_path(&made.bundle);
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() - 1 {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(matches!(try_open(&made), Err(Verdict::MalformedSignature)), "{length} bytes");
    }
    for text in [vec![0xff; 100], vec![b'A'; 1 << 20], b"what is this".to_vec()] {
        fs::write(&path, text).unwrap();
        assert!(matches!(try_open(&made), Err(Verdict::MalformedSignature)));
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(try_open(&made), Err(Verdict::Unsigned(missing)) if missing == path));
}

#[test]
fn other_keys_are_told_apart() {
    let made = make(Mode::Final);
    let other = SigningKey::generate().unwrap();
    assert!(matches!(verify_outer(&made.bundle, other.public()), Err(Verdict::AnotherKey)));
    let stranger = Made { identities: identity().1, ..made };
    assert!(matches!(try_open(&stranger), Err(Verdict::WrongIdentity)));
    assert!(matches!(try_full(&stranger), Err(Verdict::WrongIdentity)));
}

/// Another implementation of minisign judges ours.
#[test]
fn a_stranger_s_verifier_takes_the_signature() {
    let made = make(Mode::Final);
    let key = minisign_verify::PublicKey::from_base64(made.key.public().to_base64()).unwrap();
    let signature = minisign_verify::Signature::from_file(signature_path(&made.bundle)).unwrap();
    assert!(signature.trusted_comment().starts_with("caretaker-bundle-v1 client=acme id=8a1b mode=final time=2026-11-25T12:00:00Z size="));
    let mut bytes = fs::read(&made.bundle).unwrap();
    assert!(key.verify(&bytes, &signature, false).is_ok());
    bytes[0] ^= 1;
    assert!(key.verify(&bytes, &signature, false).is_err());
}

/// A signature by another key that puts the expected key's id into the file.
#[test]
fn a_forged_key_id_does_not_help() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let made = make(Mode::Final);
    let stranger = SigningKey::generate().unwrap();
    common::sign_again(&made, &stranger, |comment| comment.to_owned());
    let path = signature_path(&made.bundle);
    let mut lines: Vec<String> = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    let mut signature = STANDARD.decode(&lines[1]).unwrap();
    signature[2..10].copy_from_slice(&STANDARD.decode(made.key.public().to_base64()).unwrap()[2..10]);
    lines[1] = STANDARD.encode(signature);
    fs::write(&path, lines.join("\n")).unwrap();
    assert!(matches!(try_open(&made), Err(Verdict::AnotherKey)));
}

fn edit_signature(made: &Made, change: impl Fn(&str) -> String) {
    let path = signature_path(&made.bundle);
    let before = fs::read_to_string(&path).unwrap();
    let after = change(&before);
    assert_ne!(before, after, "the case changes nothing");
    fs::write(&path, after).unwrap();
}

#[test]
fn a_signature_with_crlf_verifies_and_an_edited_comment_does_not() {
    let made = make(Mode::Final);
    edit_signature(&made, |text| text.replace('\n', "\r\n"));
    assert!(try_open(&made).is_ok());
    for (from, to) in [
        ("mode=final", "mode=rehearsal"),
        ("client=acme", "client=acne"),
        ("id=8a1b", "id=8a1c"),
        ("T12:00", "T13:00"),
        ("size=", "size=1"),
    ] {
        let edited = make(Mode::Final);
        edit_signature(&edited, |text| text.replace(from, to));
        assert!(matches!(try_open(&edited), Err(Verdict::CommentEdited)), "{to}");
    }
}

#[test]
fn a_rehearsal_renamed_to_the_final_bundle_is_refused() {
    let made = make(Mode::Rehearsal);
    for name in [
        "acme-final-8a1b.tar.zst.age",
        "acme-rehearsal-9c2d.tar.zst.age",
        "other-rehearsal-8a1b.tar.zst.age",
        "ACME-FINAL-8A1B.TAR.ZST.AGE",
    ] {
        let renamed = made.folder.path().join(name);
        fs::copy(signature_path(&made.bundle), signature_path(&renamed)).unwrap();
        fs::copy(&made.bundle, &renamed).unwrap();
        assert!(matches!(verify_outer(&renamed, made.key.public()), Err(Verdict::Mismatch(_))), "{name}");
    }
    let neutral = made.folder.path().join("bundle.age");
    fs::copy(signature_path(&made.bundle), signature_path(&neutral)).unwrap();
    fs::copy(&made.bundle, &neutral).unwrap();
    assert_eq!(verify_outer(&neutral, made.key.public()).unwrap().mode, Mode::Rehearsal, "a name that claims nothing is fine");
}

/// The provider's own key signs an old rehearsal as if it were the final bundle: the bag inside says otherwise.
#[test]
fn a_comment_that_speaks_of_another_bundle_than_the_bag_is_refused() {
    for (from, to) in
        [("mode=rehearsal", "mode=final"), ("client=acme", "client=other"), ("id=8a1b", "id=9c2d"), ("T12:00:00Z", "T12:00:01Z")]
    {
        let made = make(Mode::Rehearsal);
        let renamed = Made { bundle: made.folder.path().join("bundle"), ..made };
        fs::rename(&renamed.sealed.path, &renamed.bundle).unwrap();
        fs::rename(signature_path(&renamed.sealed.path), signature_path(&renamed.bundle)).unwrap();
        let key = renamed.key.clone();
        common::sign_again(&renamed, &key, |comment| comment.replace(from, to));
        assert!(verify_outer(&renamed.bundle, key.public()).is_ok(), "{to}: from outside it looks good");
        let verdict = try_open(&renamed).unwrap_err();
        assert!(matches!(verdict.exit_code(), 16 | 18), "{to}: {verdict}");
        assert_eq!(try_full(&renamed).unwrap_err().exit_code(), verdict.exit_code());
    }
}

#[test]
fn a_valid_signature_of_something_else_is_no_bundle() {
    let made = make(Mode::Final);
    let key = made.key.clone();
    common::sign_again(&made, &key, |_| "timestamp:1700000000\tfile:acme".into());
    assert!(matches!(try_open(&made), Err(Verdict::Mismatch(_))));
    assert!(matches!(claims(&made.bundle), Err(Verdict::MalformedSignature)));
}

#[test]
fn a_folder_that_holds_something_is_not_opened_into() {
    let made = make(Mode::Final);
    let verifier = Verifier::new(made.key.public());
    let into = tempfile::tempdir().unwrap();
    fs::create_dir(into.path().join("acme-final")).unwrap();
    assert!(verifier.open(&made.bundle, &made.identities, into.path()).is_ok(), "an empty folder is taken");
    let again = verifier.open(&made.bundle, &made.identities, into.path());
    assert!(matches!(&again, Err(Verdict::Occupied(folder)) if folder.ends_with("acme-final")), "{again:?}");
    let new = into.path().join("new/er");
    assert!(verifier.open(&made.bundle, &made.identities, &new).is_ok(), "a missing folder is made");
    let refused = into.path().join("refused");
    assert!(verifier.open(&made.bundle, &identity().1, &refused).is_err());
    assert!(!refused.exists(), "and goes again where the bundle is refused");
}

#[test]
fn a_failure_while_packing_leaves_no_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let (recipient, _) = identity();
    let key = SigningKey::generate().unwrap();
    let cases = [
        ("a file that is not there", Source::File(folder.path().join("not-there"))),
        ("a folder", Source::File(folder.path().to_path_buf())),
    ];
    for (reason, source) in cases {
        let mut entries = entries();
        entries.push(Entry { path: "99-missing.bin".into(), true_name: None, source });
        let error = seal(folder.path(), &about(Mode::Final), &entries, std::slice::from_ref(&recipient), &key).expect_err(reason);
        assert!(error.to_string().contains("99-missing.bin"), "{reason}: {error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{reason}");
    }
    assert!(seal(&folder.path().join("nowhere"), &about(Mode::Final), &entries(), &[recipient], &key).is_err());
}

#[test]
fn a_list_reads_what_a_signature_claims() {
    let made = make(Mode::Rehearsal);
    let claims = claims(&made.bundle).unwrap();
    assert_eq!(claims.about, about(Mode::Rehearsal));
    assert_eq!(claims.key_id, made.key.public().key_id());
    assert_eq!(claims.size_bytes, made.sealed.size_bytes);
    assert_eq!(made.bundle.file_name().unwrap().to_str().unwrap(), file_name(&claims.about));
}

#[test]
fn progress_goes_through_both_stages_to_the_end() {
    let made = make(Mode::Final);
    let seen = std::cell::RefCell::new(Vec::new());
    let progress = |stage, done, all| seen.borrow_mut().push((stage, done, all));
    Verifier::new(made.key.public()).progress(&progress).full(&made.bundle, &made.identities).unwrap();
    let size = made.sealed.size_bytes;
    for stage in [Stage::Signature, Stage::Contents] {
        let last = seen.borrow().iter().rfind(|(of, ..)| *of == stage).copied();
        assert_eq!(last, Some((stage, size, size)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_names_and_bytes_come_back(files in proptest::collection::btree_map(any::<String>(), proptest::collection::vec(any::<u8>(), 0..2000), 0..8)) {
        let entries: Vec<Entry> = files.iter().map(|(name, bytes)| Entry::named("d", name, ".bin", Source::Bytes(bytes.clone()))).collect();
        let made = seal_to(tempfile::tempdir().unwrap(), &about(Mode::Final), &entries);
        let into = tempfile::tempdir().unwrap();
        let opened = Verifier::new(made.key.public()).open(&made.bundle, &made.identities, into.path()).unwrap();
        let index = fs::read(opened.bag.join("data/names-index.json")).unwrap_or_else(|_| b"{}".to_vec());
        let index: BTreeMap<String, String> = serde_json::from_slice(&index).unwrap();
        let found: BTreeMap<String, Vec<u8>> = index.into_iter().map(|(path, name)| (name, fs::read(opened.bag.join(path)).unwrap())).collect();
        prop_assert_eq!(found, files);
    }
}

/// L1: an opened bundle is a client's whole world.
#[cfg(unix)]
#[test]
fn an_opened_bundle_is_for_who_opened_it() {
    use std::os::unix::fs::PermissionsExt;
    fn walk(path: &std::path::Path, modes: &mut Vec<(String, u32)>) {
        let about = std::fs::metadata(path).unwrap();
        modes.push((path.display().to_string(), about.permissions().mode() & 0o077));
        if about.is_dir() {
            std::fs::read_dir(path).unwrap().for_each(|entry| walk(&entry.unwrap().path(), modes));
        }
    }
    let (made, into) = (make(Mode::Final), tempfile::tempdir().unwrap());
    let opened = Verifier::new(made.key.public()).open(&made.bundle, &made.identities, into.path()).unwrap();
    let mut modes = Vec::new();
    walk(&opened.bag, &mut modes);
    assert!(modes.len() > 5, "{modes:?}");
    assert!(modes.iter().all(|(_, others)| *others == 0), "{modes:?}");
}
