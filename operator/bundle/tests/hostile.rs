//! Bundles that are signed and sealed as they should be, by a signer who errs or means harm: what is inside is not trusted.

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;

use caretaker_bundle::{Limits, Mode, Verdict, Verifier, file_name, signature_path, statement_path};
use common::{Made, about, identity, make, try_full, try_open};
use sha2::{Digest, Sha256};
use tar::EntryType;

const ROOT: &str = "acme-final";

/// A file of the tar: path, kind, bytes.
type Item = (String, EntryType, Vec<u8>);

fn file(path: &str, bytes: impl AsRef<[u8]>) -> Item {
    (format!("{ROOT}/{path}"), EntryType::Regular, bytes.as_ref().to_vec())
}

fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(bytes))
}

const BAGIT: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";

fn bag_info(oxum: &str) -> String {
    format!(
        "Bag-Software-Agent: Caretaker\nBagging-Date: 2026-11-25\nCaretaker-Client: acme\nCaretaker-Mode: final\n\
         Caretaker-Time: 2026-11-25T12:00:00Z\nExternal-Identifier: 8a1b\nPayload-Oxum: {oxum}\n"
    )
}

/// Tag files around a payload, with a tag manifest that fits them.
fn tagged(bag_info: &str, bagit: &str, manifest: &str) -> Vec<Item> {
    let tag_manifest: String = [("bag-info.txt", bag_info), ("bagit.txt", bagit), ("manifest-sha256.txt", manifest)]
        .iter()
        .map(|(name, text)| format!("{}  {name}\n", sha256(text)))
        .collect();
    vec![
        file("bag-info.txt", bag_info),
        file("bagit.txt", bagit),
        file("manifest-sha256.txt", manifest),
        file("tagmanifest-sha256.txt", tag_manifest),
    ]
}

fn manifest(files: &[(&str, &str)]) -> String {
    files.iter().map(|(path, text)| format!("{}  {path}\n", sha256(text))).collect()
}

/// A good bag of one file, `data/a`.
fn good() -> Vec<Item> {
    let mut items = tagged(&bag_info("1.1"), BAGIT, &manifest(&[("data/a", "a")]));
    items.push(file("data/a", "a"));
    items
}

fn with(more: Item) -> Vec<Item> {
    let mut items = good();
    items.push(more);
    items
}

fn without(path: &str) -> Vec<Item> {
    good().into_iter().filter(|(there, ..)| *there != format!("{ROOT}/{path}")).collect()
}

/// Writes paths as they are, also those that the `tar` crate would not.
fn tar(items: &[Item]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (path, kind, bytes) in items {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(bytes);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

fn zstd(tar: &[u8]) -> Vec<u8> {
    zstd::encode_all(tar, 3).unwrap()
}

/// Seals and signs packed bytes, with the digest that the tar inside is said to have.
fn bundle(packed: &[u8], tar_sha256: &str) -> Made {
    let mut made = make(Mode::Final);
    let (recipient, identities) = identity();
    let recipient: age::x25519::Recipient = recipient.parse().unwrap();
    let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient)).unwrap();
    let mut age = encryptor.wrap_output(Vec::new()).unwrap();
    age.write_all(packed).unwrap();
    let sealed = age.finish().unwrap();
    made.identities = identities;
    put(&mut made, &sealed, tar_sha256);
    made
}

fn put(made: &mut Made, sealed: &[u8], tar_sha256: &str) {
    fs::write(&made.bundle, sealed).unwrap();
    // The signer of this one has no statement, as those of earlier releases. It may be gone from an earlier call.
    let _ = fs::remove_file(statement_path(&made.bundle));
    let key = made.key.clone();
    let size = sealed.len();
    common::sign_again(made, &key, |_| {
        format!("caretaker-bundle-v1 client=acme id=8a1b mode=final time=2026-11-25T12:00:00Z size={size} tar-sha256={tar_sha256}")
    });
}

fn pack(items: &[Item]) -> Made {
    let tar = tar(items);
    bundle(&zstd(&tar), &sha256(&tar))
}

fn refused(reason: &str, made: &Made) -> Verdict {
    assert!(Verifier::new(made.key.public()).outer(&made.bundle).is_ok(), "{reason}: the outside is good");
    let (full, opened) = (try_full(made).expect_err(reason), try_open(made).expect_err(reason));
    assert_eq!(full.to_string(), opened.to_string(), "{reason}: a look and an opening judge alike");
    opened
}

#[test]
fn the_good_bag_of_these_tests_is_good() {
    assert_eq!(try_open(&pack(&good())).unwrap().verified.files, 1);
    assert_eq!(try_full(&pack(&tagged(&bag_info("0.0"), BAGIT, ""))).unwrap().files, 0, "a bag may be empty");
}

#[test]
fn ways_out_of_the_folder_and_odd_entries_are_refused() {
    let out = |path: &str| with((path.to_owned(), EntryType::Regular, b"x".to_vec()));
    let kind = |kind| with((format!("{ROOT}/data/b"), kind, Vec::new()));
    let cases: Vec<(&str, Vec<Item>, &str)> = vec![
        ("a way up", out(&format!("{ROOT}/data/../../x")), "portable"),
        ("a way up from the root", out("../x"), "not below"),
        ("an absolute path", out("/tmp/caretaker-x"), "not below"),
        ("another folder at the top", out("other/data/b"), "not below"),
        ("a folder that only begins like ours", out(&format!("{ROOT}x/data/b")), "not below"),
        ("a dot", out(&format!("{ROOT}/data/./b")), "portable"),
        ("a line feed", out(&format!("{ROOT}/data/a\nb")), "portable"),
        ("a device name", out(&format!("{ROOT}/data/aux.txt")), "portable"),
        ("a hidden file", out(&format!("{ROOT}/data/.bashrc")), "portable"),
        ("a symbolic link", kind(EntryType::Symlink), "plain file"),
        ("a hard link", kind(EntryType::Link), "plain file"),
        ("a device", kind(EntryType::Char), "plain file"),
        ("a block device", kind(EntryType::Block), "plain file"),
        ("a pipe", kind(EntryType::Fifo), "plain file"),
        ("a folder", kind(EntryType::Directory), "plain file"),
        ("an extended header", kind(EntryType::XHeader), "plain file"),
        ("a global header", kind(EntryType::XGlobalHeader), "plain file"),
        ("a long name of GNU", kind(EntryType::GNULongName), "plain file"),
        ("a sparse file", kind(EntryType::GNUSparse), "plain file"),
        ("the same file twice", with(file("data/a", "a")), "meets"),
        ("the same but for letter case", with(file("data/A", "a")), "meets"),
        ("a file as a folder", with(file("data/a/b", "a")), "meets"),
        ("a tag file of another kind", with(file("fetch.txt", "http://client.example/ 1 data/b")), "own files"),
        ("a manifest of another kind", with(file("manifest-md5.txt", "")), "own files"),
    ];
    for (reason, items, expected) in cases {
        let verdict = refused(reason, &pack(&items));
        assert!(matches!(&verdict, Verdict::Invalid(why) if why.contains(expected)), "{reason}: {verdict}");
    }
    assert!(!Path::new("/tmp/caretaker-x").exists());
}

#[test]
fn a_bag_that_is_not_as_its_manifests_say_is_refused() {
    let listed = manifest(&[("data/a", "a")]);
    let around = |info: &str, bagit: &str, manifest: &str| {
        let mut items = tagged(info, bagit, manifest);
        items.push(file("data/a", "a"));
        items
    };
    let info = bag_info("1.1");
    let mut wrong_tags = good();
    wrong_tags[3] = file("tagmanifest-sha256.txt", manifest(&[("bagit.txt", BAGIT)]));
    let cases: Vec<(&str, Vec<Item>, &str)> = vec![
        ("a missing file", without("data/a"), "\"data/a\" is missing"),
        ("an extra file", with(file("data/b", "b")), "data/b is not in manifest-sha256.txt"),
        ("a changed file", around(&info, BAGIT, &manifest(&[("data/a", "b")])), "data/a was changed"),
        ("a file listed twice", around(&info, BAGIT, &listed.repeat(2)), "twice"),
        ("a manifest without blanks", around(&info, BAGIT, "x\n"), "malformed"),
        ("a way up in the manifest", around(&info, BAGIT, &manifest(&[("data/a", "a"), ("../a", "a")])), "\"../a\" is missing"),
        ("no bagit.txt", without("bagit.txt"), "bagit.txt is missing"),
        ("no bag-info.txt", without("bag-info.txt"), "bag-info.txt is missing"),
        ("no manifest", without("manifest-sha256.txt"), "manifest-sha256.txt is missing"),
        ("no tag manifest", without("tagmanifest-sha256.txt"), "tagmanifest-sha256.txt is missing"),
        ("tag files that the tag manifest leaves out", wrong_tags, "bag-info.txt is not in tagmanifest-sha256.txt"),
        ("another version of BagIt", around(&info, &BAGIT.replace("1.0", "0.97"), &listed), "BagIt 1.0"),
        ("another count", around(&bag_info("1.2"), BAGIT, &listed), "counts"),
        ("a bag that says nothing of itself", around("Source-Organization: x\n", BAGIT, &listed), "which bundle"),
        ("tag files that are not text", with(file("bag-info.txt", [0xff])), "meets"),
    ];
    for (reason, items, expected) in cases {
        let verdict = refused(reason, &pack(&items));
        assert!(matches!(&verdict, Verdict::Invalid(why) if why.contains(expected)), "{reason}: {verdict}");
        assert_eq!(verdict.exit_code(), 18);
    }
}

#[test]
fn a_tar_that_was_not_signed_is_refused() {
    let tar = tar(&good());
    let verdict = refused("another digest", &bundle(&zstd(&tar), &sha256("another")));
    assert!(matches!(verdict, Verdict::Mismatch(_)), "{verdict}");
}

#[test]
fn broken_layers_are_refused() {
    let tar = tar(&good());
    let packed = zstd(&tar);
    let mut flipped = packed.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let after = [tar.as_slice(), b"junk"].concat();
    let cut = tar[..tar.len() - 1024 - 512].to_vec();
    // What is signed is what the layer gives, so that it is the layer itself that is judged.
    let cases: Vec<(&str, Vec<u8>, &[u8], &str)> = vec![
        ("not zstd", b"plain".to_vec(), b"", "the tar is damaged"),
        ("a wrong checksum of zstd", flipped, &tar, "the tar is damaged"),
        ("zstd cut", packed[..packed.len() - 7].to_vec(), &tar, "the tar is damaged"),
        ("bytes after zstd", [packed.as_slice(), b"junk"].concat(), &tar, "the tar is damaged"),
        ("bytes after the tar", zstd(&after), &after, "after the end of the tar"),
        ("a tar cut inside a file", zstd(&cut), &cut, "data/a ends too early"),
        ("a tar of nothing", zstd(&[]), &[], "bag-info.txt is missing"),
        ("nothing", Vec::new(), &[], "the tar is damaged"),
    ];
    for (reason, packed, inside, expected) in cases {
        let verdict = refused(reason, &bundle(&packed, &sha256(inside)));
        assert!(matches!(&verdict, Verdict::Invalid(why) if why.contains(expected)), "{reason}: {verdict}");
    }
    let more = [tar.as_slice(), &[0; 8192]].concat();
    assert!(try_full(&bundle(&zstd(&more), &sha256(&more))).is_ok(), "zeros after the tar's end are what other packers write");
}

#[test]
fn what_is_not_sealed_with_age_to_a_key_is_refused() {
    let mut made = make(Mode::Final);
    for (reason, sealed) in
        [("nothing", Vec::new()), ("a plain tar", tar(&good())), ("a header alone", b"age-encryption.org/v1\n".to_vec())]
    {
        put(&mut made, &sealed, &"0".repeat(64));
        assert!(matches!(refused(reason, &made), Verdict::Invalid(_)), "{reason}");
    }
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    let zeros = vec![0; 8 << 20];
    let mut items = tagged(&bag_info("8388608.1"), BAGIT, &format!("{}  data/a\n", sha256(&zeros)));
    items.push(file("data/a", &zeros));
    let made = pack(&items);
    assert!(made.sealed.size_bytes < 1 << 20);
    let verifier = Verifier::new(made.key.public());
    assert!(verifier.full(&made.bundle, &made.identities).is_ok(), "within the usual limits");
    let into = tempfile::tempdir().unwrap();
    let small = verifier.limits(Limits { unpacked_bytes: 1 << 20, ..Limits::default() });
    let verdict = small.open(&made.bundle, &made.identities, into.path()).unwrap_err();
    assert!(matches!(&verdict, Verdict::Invalid(why) if why.contains("more than 1048576 bytes")), "{verdict}");
    let few = verifier.limits(Limits { files: 4, ..Limits::default() });
    let verdict = few.full(&made.bundle, &made.identities).unwrap_err();
    assert!(matches!(&verdict, Verdict::Invalid(why) if why.contains("too many files")), "{verdict}");
    assert_eq!(fs::read_dir(into.path()).unwrap().count(), 0);
}

#[test]
fn a_window_that_asks_for_much_memory_is_refused() {
    let tar = tar(&good());
    for (window_log, taken) in [(23, true), (24, false)] {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(window_log).unwrap();
        encoder.write_all(&tar).unwrap();
        let made = bundle(&encoder.finish().unwrap(), &sha256(&tar));
        assert_eq!(try_full(&made).is_ok(), taken, "a window of 2^{window_log}");
    }
}

#[test]
fn names_of_these_tests_are_those_of_the_format() {
    let made = pack(&good());
    assert_eq!(made.bundle.file_name().unwrap().to_str().unwrap(), file_name(&about(Mode::Final)));
    assert!(signature_path(&made.bundle).exists());
}
