//! Images of a pretended binary, read back as the specification of the OCI says.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::OnceLock;

use oci_spec::image::{ImageConfiguration, ImageIndex, ImageManifest, MediaType, OciLayout};
use serde_json::Value;

use super::*;

/// The real tree of crates, asked for once: cargo takes a second.
fn real_packages() -> BTreeMap<packages::Id, packages::Package> {
    static PACKAGES: OnceLock<BTreeMap<packages::Id, packages::Package>> = OnceLock::new();
    PACKAGES.get_or_init(|| packages::of("caretaker").expect("cargo answers")).clone()
}

fn library(path: &str) -> libraries::Library {
    libraries::Library {
        path: path.to_owned(),
        content: b"\x7fELF a library".to_vec(),
        package: Some("libc6".to_owned()),
        version: Some("2.36-9+deb12u10".to_owned()),
        licence: Some("LGPL-2.1-or-later"),
        copyright: Some("by many".to_owned()),
    }
}

fn input(binary: &[u8]) -> Input {
    Input {
        binary: binary.to_vec(),
        libraries: vec![library("/lib/x86_64-linux-gnu/libc.so.6"), library("/lib64/ld-linux-x86-64.so.2")],
        packages: real_packages(),
        compiler: "1.95.0".to_owned(),
        origin: Origin { revision: "0123abc".to_owned(), time: 1_800_000_000 },
        name: "localhost/caretaker:0.1.0".to_owned(),
        source: Some("https://example.com/caretaker".to_owned()),
    }
}

fn image(binary: &[u8]) -> Image {
    make(input(binary)).expect("an image")
}

/// Members of a tar.
fn members(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in tar::Archive::new(bytes).entries().expect("a tar") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("its content");
        assert!(found.insert(path.clone(), content).is_none(), "{path} is there twice");
    }
    found
}

/// What an archive says, each digest and size recomputed on the way.
struct Opened {
    index: ImageIndex,
    manifest: ImageManifest,
    config: ImageConfiguration,
    layer: Vec<u8>,
}

/// Opens an archive as a strict reader does: the first fault is the answer.
fn open(archive: &[u8]) -> Result<Opened> {
    let members = members(archive);
    let member = |name: &str| members.get(name).with_context(|| format!("{name} is missing"));
    let layout: OciLayout = serde_json::from_slice(member("oci-layout")?)?;
    ensure!(layout.image_layout_version() == "1.0.0", "another layout");
    let mut seen = BTreeSet::new();
    let mut blob = |descriptor: &oci_spec::image::Descriptor, kind: MediaType| -> Result<Vec<u8>> {
        ensure!(*descriptor.media_type() == kind, "{} instead of {kind}", descriptor.media_type());
        let digest = descriptor.as_digest_sha256().context("a digest of another kind")?;
        let bytes = member(&format!("blobs/sha256/{digest}"))?;
        ensure!(bytes.len() as u64 == descriptor.size(), "{kind} has {} bytes and not {}", bytes.len(), descriptor.size());
        ensure!(sha256(bytes) == digest, "{kind} is not what its digest says");
        seen.insert(digest.to_owned());
        Ok(bytes.clone())
    };
    let index: ImageIndex = serde_json::from_slice(member("index.json")?)?;
    let [entry] = index.manifests().as_slice() else { bail!("{} manifests", index.manifests().len()) };
    let manifest: ImageManifest = serde_json::from_slice(&blob(entry, MediaType::ImageManifest)?)?;
    let config: ImageConfiguration = serde_json::from_slice(&blob(manifest.config(), MediaType::ImageConfig)?)?;
    let [layer] = manifest.layers().as_slice() else { bail!("{} layers", manifest.layers().len()) };
    let layer = zstd::decode_all(blob(layer, MediaType::ImageLayerZstd)?.as_slice())?;
    ensure!(*config.rootfs().diff_ids() == [format!("sha256:{}", sha256(&layer))], "the layer is not the configuration's");
    let stored = members.keys().filter_map(|name| name.strip_prefix("blobs/sha256/")).filter(|name| !name.is_empty());
    ensure!(stored.map(str::to_owned).collect::<BTreeSet<_>>() == seen, "a blob belongs to nothing");
    Ok(Opened { index, manifest, config, layer })
}

#[test]
fn the_same_input_gives_the_same_bytes_and_another_input_another_digest() {
    let (first, second) = (image(b"one"), image(b"one"));
    assert_eq!(first.digest, second.digest);
    assert!(first.archive == second.archive, "the archives differ in bytes that the digest does not cover");
    assert_eq!(first.bill, second.bill);
    assert_ne!(first.digest, image(b"two").digest, "another binary");
    for (what, change) in [
        ("another library", (|input| input.libraries[0].content.push(0)) as fn(&mut Input)),
        ("another revision", |input| input.origin.revision.push('0')),
        ("another time", |input| input.origin.time += 1),
    ] {
        let mut changed = input(b"one");
        change(&mut changed);
        assert_ne!(first.digest, make(changed).expect("an image").digest, "{what}");
    }
}

#[test]
fn every_digest_and_size_of_the_archive_is_true() {
    let image = image(b"binary");
    let opened = open(&image.archive).expect("the layout is right");
    let entry = &opened.index.manifests()[0];
    assert_eq!(entry.digest().to_string(), image.digest);
    let annotations = entry.annotations().as_ref().expect("it has a name");
    assert_eq!(annotations["io.containerd.image.name"], "localhost/caretaker:0.1.0");
    assert_eq!(annotations["org.opencontainers.image.ref.name"], "0.1.0");
    assert_eq!(entry.platform().as_ref().expect("a platform").architecture().to_string(), architecture());
    // The reader itself: a byte changed in any blob is found. Some byte in the middle of each member's content is flipped.
    let intact = members(&image.archive);
    for (name, content) in intact.iter().filter(|(_, content)| !content.is_empty()).filter(|(name, _)| name.starts_with("blobs/")) {
        let at = image.archive.windows(content.len()).position(|window| window == content).expect("it is in there");
        let mut broken = image.archive.clone();
        broken[at + content.len() / 2] ^= 1;
        assert!(open(&broken).is_err(), "a change in {name} is not noticed");
    }
}

#[test]
fn nobody_is_root_and_the_labels_tell_what_it_is() {
    let opened = open(&image(b"binary").archive).expect("the layout is right");
    let config = opened.config.config().as_ref().expect("it has a configuration");
    assert_eq!(config.user().as_deref(), Some("65532:65532"));
    assert_eq!(config.entrypoint().as_deref(), Some(&["/caretaker".to_owned()][..]));
    let chart = |file: &str| std::fs::read_to_string(crate::root().join("charts/caretaker").join(file)).expect("the chart");
    let is_same = chart("values.yaml").contains("runAsUser: 65532") && chart("templates/deployment.yaml").contains("\"/caretaker\"");
    assert!(is_same, "the chart runs another user or another file");
    let labels = config.labels().as_ref().expect("it has labels");
    for (key, value) in [
        ("title", "caretaker"),
        ("version", VERSION),
        ("revision", "0123abc"),
        ("licenses", "Apache-2.0"),
        ("source", "https://example.com/caretaker"),
    ] {
        assert_eq!(labels[&format!("org.opencontainers.image.{key}")], value);
    }
    assert_eq!(opened.manifest.annotations().as_ref(), Some(labels));
    let mut without = input(b"binary");
    without.source = None;
    let archive = make(without).expect("an image").archive;
    assert!(!String::from_utf8_lossy(&archive).contains("image.source"), "no address is made up");
}

#[test]
fn what_the_operator_needs_is_in_the_layer_and_belongs_to_root() {
    let opened = open(&image(b"binary").archive).expect("the layout is right");
    let mut previous = String::new();
    for entry in tar::Archive::new(opened.layer.as_slice()).entries().expect("a tar") {
        let entry = entry.expect("an entry");
        let (header, path) = (entry.header(), entry.path().expect("a path").display().to_string());
        assert_eq!((header.uid().ok(), header.gid().ok(), header.mtime().ok()), (Some(0), Some(0), Some(1_800_000_000)), "{path}");
        assert!(previous < path, "{path} comes after {previous}");
        previous = path;
    }
    let files = members(&opened.layer);
    for (path, expected) in
        [("caretaker", "binary"), ("lib64/ld-linux-x86-64.so.2", "a library"), ("etc/nsswitch.conf", "hosts: files dns")]
    {
        assert!(String::from_utf8_lossy(&files[path]).contains(expected), "{path}");
    }
    assert!(String::from_utf8_lossy(&files["etc/passwd"]).contains(":65532:65532:"));
    let texts = String::from_utf8_lossy(&files["usr/share/licenses/caretaker/THIRD-PARTY"]).into_owned();
    for (name, version) in real_packages().keys() {
        assert!(texts.contains(&format!("{name} {version} (")), "no licence text for {name} {version}");
    }
}

#[test]
fn the_operators_own_readers_read_zones_and_authorities() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("root");
    rootfs::base().expect("the base").write(&root).expect("it can be written");
    let zones = jiff::tz::TimeZoneDatabase::from_dir(root.join("usr/share/zoneinfo")).expect("a database");
    for name in ["Europe/Zurich", "America/Argentina/Buenos_Aires", "UTC"] {
        assert!(zones.get(name).is_ok(), "{name}");
    }
    let read = rustls_native_certs::load_certs_from_paths(Some(&root.join("etc/ssl/certs/ca-certificates.crt")), None);
    assert!(read.errors.is_empty(), "{:?}", read.errors);
    let found: BTreeSet<&[u8]> = read.certs.iter().map(|certificate| certificate.as_ref()).collect();
    assert!(found.len() > 100, "{} authorities", found.len());
    assert!(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().all(|certificate| found.contains(certificate.as_ref())));
}

#[test]
fn the_bill_names_each_crate_of_the_tree_once_and_each_library() {
    let bill: Value = serde_json::from_str(&image(b"binary").bill).expect("JSON");
    assert_eq!(bill["spdxVersion"], "SPDX-2.3");
    let entries = bill["packages"].as_array().expect("packages");
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for entry in entries {
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        *counted.entry(format!("{} {}", text("name"), text("versionInfo"))).or_default() += 1;
        assert!(ids.insert(text("SPDXID")), "{} is an identifier of two", text("SPDXID"));
        assert!(spdx::Expression::parse(&text("licenseDeclared")).is_ok(), "{}: {}", text("name"), text("licenseDeclared"));
    }
    // Asked in another way than the bill was made: the binary's own tree, without the rest of the workspace.
    let tree =
        packages::cargo(&["tree", "--locked", "--package", "caretaker", "--edges", "normal", "--prefix", "none"]).expect("cargo answers");
    let mut in_tree = BTreeSet::new();
    for line in tree.lines() {
        let mut words = line.split(' ');
        let (name, version) = words.next().zip(words.next()).expect("name and version");
        in_tree.insert(format!("{name} {}", version.trim_start_matches('v')));
    }
    assert!(in_tree.len() > 300, "{} crates", in_tree.len());
    for name in &in_tree {
        assert_eq!(counted.get(name), Some(&1), "{name}");
    }
    for name in ["libc.so.6 2.36-9+deb12u10", "ld-linux-x86-64.so.2 2.36-9+deb12u10", "rust-std 1.95.0"] {
        assert_eq!(counted.get(name), Some(&1), "{name}");
    }
    let relations = bill["relationships"].as_array().expect("relationships");
    ids.insert("SPDXRef-DOCUMENT".to_owned());
    for relation in relations {
        for key in ["spdxElementId", "relatedSpdxElement"] {
            assert!(ids.contains(relation[key].as_str().unwrap_or_default()), "{relation} leads nowhere");
        }
    }
    // Nothing that runs only while it is built, and nothing of the tests.
    for name in ["cc", "cmake", "xtask", "caretaker-testkit"] {
        assert!(!counted.keys().any(|known| known.starts_with(&format!("{name} "))), "{name} is not in the image");
    }
}
