//! A release of pretended parts.

use flate2::read::GzDecoder;
use minisign_verify::{PublicKey, Signature};
use serde_json::Value;

use super::*;

fn parts() -> Parts {
    Parts {
        image: Image {
            archive: b"archive".to_vec(),
            digest: "sha256:00".to_owned(),
            bill: "{}".to_owned(),
            binary: b"binary".to_vec(),
            licences: "texts".to_owned(),
            origin: image::Origin { revision: "0123abc".to_owned(), time: 1_800_000_000 },
        },
        chart: b"chart".to_vec(),
        crds: crds(&crate::root().join("crds")).expect("definitions"),
        download: "https://example.com/caretaker/".to_owned(),
        source: NOWHERE.to_owned(),
    }
}

#[test]
fn each_file_has_a_true_checksum_and_a_signature_that_strangers_accept() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = Key::ephemeral().expect("a key");
    let written = write(folder.path(), files(&parts()).expect("files"), &key).expect("they can be written");
    let read = |name: &str| std::fs::read(folder.path().join(name)).expect(name);
    let public = PublicKey::decode(&String::from_utf8(read("caretaker.pub")).expect("text")).expect("a public key");
    let sums = String::from_utf8(read("SHA256SUMS")).expect("text");
    for (name, _) in &written {
        if name != "SHA256SUMS" {
            assert!(sums.contains(&format!("{}  {name}\n", image::sha256(&read(name)))), "{name} in {sums}");
        }
        if name == "caretaker.pub" {
            continue;
        }
        let signature = Signature::decode(&String::from_utf8(read(&format!("{name}.minisig"))).expect("text")).expect("a signature");
        assert!(public.verify(&read(name), &signature, false).is_ok(), "{name}");
        assert_eq!(signature.trusted_comment(), format!("file:{name} version:{VERSION}"));
        assert!(public.verify(b"something else", &signature, false).is_err(), "{name}");
    }
    assert_eq!(sums.lines().count(), written.len() - 1);
    // Whoever knows another key is not deceived.
    let other = PublicKey::decode(&Key::ephemeral().expect("a key").public_text()).expect("a public key");
    let signature = Signature::decode(&String::from_utf8(read("SHA256SUMS.minisig")).expect("text")).expect("a signature");
    assert!(other.verify(sums.as_bytes(), &signature, false).is_err());
}

#[test]
fn the_krew_manifest_names_the_archive_that_holds_the_plugin() {
    let files = files(&parts()).expect("files");
    let text = String::from_utf8(files["caretaker.krew.yaml"].clone()).expect("text");
    let manifest: Value = serde_saphyr::from_str(&text).expect("YAML");
    let platform = &manifest["spec"]["platforms"][0];
    let uri = platform["uri"].as_str().expect("an address");
    let archive = &files[uri.strip_prefix("https://example.com/caretaker/").expect("below the address that was given")];
    assert_eq!(platform["sha256"], image::sha256(archive));
    assert_eq!(manifest["spec"]["version"], format!("v{VERSION}"));
    let mut names = Vec::new();
    for entry in tar::Archive::new(GzDecoder::new(archive.as_slice())).entries().expect("a tar") {
        let entry = entry.expect("an entry");
        names.push((entry.path().expect("a path").display().to_string(), entry.header().mode().expect("a mode")));
    }
    assert!(names.contains(&(platform["bin"].as_str().expect("a name").to_owned(), 0o755)), "{names:?}");
    assert!(names.contains(&("LICENSE".to_owned(), 0o644)), "{names:?}");
}

#[test]
fn the_definitions_are_all_in_one_text() {
    let text = parts().crds;
    for crd in caretaker_api::all_crds() {
        assert!(text.contains(&format!("name: {}.{}", crd.spec.names.plural, caretaker_api::GROUP)), "{}", crd.spec.names.plural);
    }
    assert_eq!(text.matches("\nkind: CustomResourceDefinition").count(), caretaker_api::all_crds().len());
    assert_eq!(text.lines().filter(|line| *line == "---").count(), caretaker_api::all_crds().len());
}

#[test]
fn a_packed_chart_does_not_depend_on_the_time_of_day() {
    let at = |time| archives::tgz(&[("caretaker/Chart.yaml", 0o644, b"name: caretaker".as_slice())], time).expect("an archive");
    assert_ne!(at(1), at(2), "the time is in it");
    assert_eq!(archives::again(&at(1), 7).expect("an archive"), archives::again(&at(2), 7).expect("an archive"));
}

#[test]
fn what_was_not_asked_for_is_not_overwritten_and_not_signed() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(super::folder(Some(folder.path())).is_ok());
    std::fs::write(folder.path().join("mine"), "").expect("it can be written");
    assert!(super::folder(Some(folder.path())).is_err(), "somebody's file is there");
    assert!(Key::read("untrusted comment: none\nAAAA").is_err());
    let args = |dry_run| Args { dry_run, profile: Profile::Release, to: None, key: None, download: None, source: None };
    let error = run(&args(false)).expect_err("a real release has a real key");
    assert!(error.to_string().contains("--key"), "{error}");
}
