use age::secrecy::ExposeSecret;
use caretaker_bundle::{Entry, Mode, SigningKey, seal};
use clap::Parser;

use super::*;

#[derive(Parser)]
struct Whole {
    #[command(flatten)]
    args: Args,
}

/// A folder with a bundle, the receiver's identity and the provider's key.
struct Sample {
    folder: tempfile::TempDir,
    bundle: PathBuf,
    key: String,
}

impl Sample {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (identity, key) = (age::x25519::Identity::generate(), SigningKey::generate().unwrap());
        std::fs::write(folder.path().join("identity.txt"), identity.to_string().expose_secret()).unwrap();
        std::fs::write(folder.path().join("provider.pub"), key.public().to_file_text()).unwrap();
        let about = About { client: "acme".into(), id: "8a1b".into(), mode: Mode::Final, at: "2026-11-25T12:00:00Z".parse().unwrap() };
        let entries = [
            Entry::text("00-READ-ME-FIRST.md", "# x\n"),
            Entry::text("14-gaps.json", "[{\"part\": \"08-changes\", \"reason\": \"not kept\"}]\n"),
        ];
        let sealed = seal(folder.path(), &about, &entries, &[identity.to_public().to_string()], &key).unwrap();
        Self { bundle: sealed.path, key: key.public().to_base64().to_owned(), folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

fn code(words: &[&str]) -> ExitCode {
    run(Whole::try_parse_from([&["bundle"], words].concat()).unwrap_or_else(|error| panic!("{error}")).args)
}

fn same(reason: &str, found: ExitCode, expected: u8) {
    assert_eq!(format!("{found:?}"), format!("{:?}", ExitCode::from(expected)), "{reason}");
}

#[test]
fn good_bundles_are_verified_listed_and_opened() {
    let sample = Sample::new();
    let (file, identity, public) = (sample.bundle.display().to_string(), sample.path("identity.txt"), sample.path("provider.pub"));
    let into = sample.path("out");
    same("outside", code(&["verify", &file, "--public-key", &sample.key]), 0);
    same("inside", code(&["verify", &file, "--public-key-file", &public, "--identity", &identity]), 0);
    same("json", code(&["verify", &file, "--public-key", &sample.key, "-o", "json"]), 0);
    same("list", code(&["list", &sample.path("")]), 0);
    same("open", code(&["open", &file, "--public-key", &sample.key, "--identity", &identity, "--into", &into]), 0);
    assert_eq!(std::fs::read_to_string(sample.path("out/acme-final/data/00-READ-ME-FIRST.md")).unwrap(), "# x\n");
    same("a second time", code(&["open", &file, "--public-key", &sample.key, "--identity", &identity, "--into", &into]), 1);
}

#[test]
fn each_kind_of_damage_has_an_exit_code() {
    let sample = Sample::new();
    let file = sample.bundle.display().to_string();
    let whole = std::fs::read(&sample.bundle).unwrap();
    let verify = || code(&["verify", &file, "--public-key", &sample.key]);
    let mut flipped = whole.clone();
    flipped[9] ^= 1;
    for (reason, damaged, expected) in [
        ("altered", flipped, 13),
        ("incomplete", whole[..whole.len() - 1].to_vec(), 14),
        ("extra bytes", [whole.as_slice(), b"x"].concat(), 15),
    ] {
        std::fs::write(&sample.bundle, damaged).unwrap();
        same(reason, verify(), expected);
    }
    std::fs::write(&sample.bundle, &whole).unwrap();
    let other = Sample::new();
    same("another key", code(&["verify", &file, "--public-key", &other.key]), 11);
    let stranger = other.path("identity.txt");
    same("another identity", code(&["verify", &file, "--public-key", &sample.key, "--identity", &stranger]), 17);
    let signature = caretaker_bundle::signature_path(&sample.bundle);
    let text = std::fs::read_to_string(&signature).unwrap();
    std::fs::write(&signature, text.replace("mode=final", "mode=other")).unwrap();
    same("edited comment", verify(), 12);
    std::fs::write(&signature, "x").unwrap();
    same("malformed", verify(), 10);
    std::fs::remove_file(&signature).unwrap();
    same("unsigned", verify(), 19);
    same("no such file", code(&["verify", &sample.path("none"), "--public-key", &sample.key]), 1);
    same("no key", code(&["verify", &file, "--public-key", "age1x"]), 1);
}

#[test]
fn a_list_says_what_is_claimed_and_what_is_wrong() {
    let sample = Sample::new();
    let size = std::fs::metadata(&sample.bundle).unwrap().len();
    let good = row(&sample.bundle, size);
    assert_eq!(good["claims"], json!({"client": "acme", "id": "8a1b", "mode": "final", "time": "2026-11-25T12:00:00Z"}));
    let told = lines_of(&good);
    assert_eq!(told.lines().next(), sample.bundle.to_str(), "the path can be copied: {told}");
    assert!(told.contains("final of acme") && told.contains("2026-11-25T12:00:00Z"), "{told}");
    assert!(told.lines().skip(1).all(|line| line.len() <= 80), "{told}");
    assert!(lines_of(&row(&sample.bundle, size - 1)).contains("INCOMPLETE"));
    assert!(lines_of(&row(&sample.bundle, size + 1)).contains("EXTRA-BYTES"));
    assert!(lines_of(&row(Path::new("none.tar.zst.age"), 1)).contains("UNSIGNED"));
    let mut found = Vec::new();
    collect(sample.folder.path(), &mut found).unwrap();
    assert_eq!(found, [(sample.bundle.clone(), size)], "signatures and keys are no bundles");
}

#[test]
fn a_signer_must_be_named_once() {
    for words in [vec!["verify", "x"], vec!["verify", "x", "--public-key", "a", "--public-key-file", "b"]] {
        assert!(Whole::try_parse_from([vec!["bundle"], words].concat()).is_err());
    }
}

#[test]
fn an_identity_is_never_echoed() {
    let sample = Sample::new();
    let path = sample.folder.path().join("identity.txt");
    let secret = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{}x", &secret[..50])).unwrap();
    let error = read_identities(&path).unwrap_err();
    assert!(!format!("{error:#} {error:?}").contains(&secret[20..30]));
}

#[test]
fn one_bundle_is_listed_and_two_are_compared_sealed_or_opened() {
    let sample = Sample::new();
    let (file, identity, into) = (sample.bundle.display().to_string(), sample.path("identity.txt"), sample.path("out"));
    let bag = sample.path("out/acme-final");
    same("open", code(&["open", &file, "--public-key", &sample.key, "--identity", &identity, "--into", &into]), 0);
    for words in [vec!["list", &bag], vec!["gaps", &bag], vec!["diff", &bag, &bag]] {
        same("opened", code(&words), 0);
        same("opened, for machines", code(&[words.clone(), vec!["-o", "json"]].concat()), 0);
        let sealed: Vec<&str> = words.iter().map(|word| if *word == bag { &file } else { *word }).collect();
        let key = ["--identity", identity.as_str(), "--public-key", sample.key.as_str()];
        same("sealed", code(&[sealed.as_slice(), &key].concat()), 0);
        same("sealed, without a key", code(&sealed), 1);
        let other = Sample::new();
        same("sealed, another's key", code(&[sealed.as_slice(), &["--identity", &identity, "--public-key", &other.key]].concat()), 11);
    }
    same("no bundle", code(&["gaps", &sample.path("")]), 1);
    let held = Held::at(Path::new(&bag), &opener(), &Ticker::start()).unwrap();
    assert_eq!(held.files().unwrap()["00-READ-ME-FIRST.md"].bytes, 4);
}

fn opener() -> Opener {
    Opener { identity: None, public_key: None, public_key_file: None }
}
