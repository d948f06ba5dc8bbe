//! A tree of files as an OCI archive: the image layout of the OCI in one tar.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result};
use oci_spec::image::{
    Arch, Config, ConfigBuilder, Descriptor, HistoryBuilder, ImageConfiguration, ImageConfigurationBuilder, ImageIndex, ImageIndexBuilder,
    ImageManifest, ImageManifestBuilder, MediaType, OciLayoutBuilder, Os, PlatformBuilder, RootFsBuilder, Sha256Digest,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::rootfs::{self, Tree, USER};

/// Smaller takes longer; this packs the operator within seconds.
const ZSTD_LEVEL: i32 = 9;

/// What an image says about itself.
pub struct About {
    /// Name under which an import makes it known.
    pub name: String,
    /// Labels of the configuration, and annotations of the manifest.
    pub labels: BTreeMap<String, String>,
    /// Time of everything in it, in seconds since 1970.
    pub time: u64,
}

/// An archive.
pub struct Archive {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Digest of the manifest: the image's name in a registry.
    pub digest: String,
}

/// Parts of an archive by their SHA-256.
#[derive(Default)]
struct Blobs(BTreeMap<String, Vec<u8>>);

impl Blobs {
    fn add(&mut self, kind: MediaType, bytes: Vec<u8>) -> Result<Descriptor> {
        let digest = sha256(&bytes);
        let descriptor = Descriptor::new(kind, bytes.len() as u64, digest.parse::<Sha256Digest>()?);
        self.0.insert(digest, bytes);
        Ok(descriptor)
    }
}

/// Packs a tree.
pub fn pack(tree: &Tree, about: &About) -> Result<Archive> {
    let layer = tree.tar(about.time)?;
    let diff_id = format!("sha256:{}", sha256(&layer));
    let mut blobs = Blobs::default();
    // zstd is read by containerd, CRI-O, podman and Docker with containerd's store; gzip would take minutes in a build without optimization.
    let packed = zstd::stream::encode_all(layer.as_slice(), ZSTD_LEVEL).context("pack the layer")?;
    let layer = blobs.add(MediaType::ImageLayerZstd, packed)?;
    let config = blobs.add(MediaType::ImageConfig, canonical(&configuration(about, diff_id)?)?)?;
    let manifest = manifest(about, config, layer)?;
    let mut entry = blobs.add(MediaType::ImageManifest, canonical(&manifest)?)?;
    let digest = entry.digest().to_string();
    let tag = about.name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
    entry.set_annotations(Some(HashMap::from([
        ("io.containerd.image.name".to_owned(), about.name.clone()),
        ("org.opencontainers.image.ref.name".to_owned(), tag.to_owned()),
    ])));
    entry.set_platform(Some(PlatformBuilder::default().architecture(architecture()).os(Os::Linux).build()?));
    let index: ImageIndex =
        ImageIndexBuilder::default().schema_version(2_u32).media_type(MediaType::ImageIndex).manifests(vec![entry]).build()?;
    Ok(Archive { bytes: layout(&blobs, &index, about.time)?, digest })
}

fn configuration(about: &About, diff_id: String) -> Result<ImageConfiguration> {
    let config: Config = ConfigBuilder::default()
        .user(format!("{USER}:{USER}"))
        .entrypoint(vec!["/caretaker".to_owned()])
        .cmd(vec!["run".to_owned()])
        .working_dir("/")
        .labels(unordered(&about.labels))
        .build()?;
    let created = created(about.time)?;
    let history = HistoryBuilder::default().created(created.clone()).created_by("cargo xtask image").build()?;
    Ok(ImageConfigurationBuilder::default()
        .created(created)
        .architecture(architecture())
        .os(Os::Linux)
        .config(config)
        .rootfs(RootFsBuilder::default().typ("layers").diff_ids(vec![diff_id]).build()?)
        .history(vec![history])
        .build()?)
}

fn manifest(about: &About, config: Descriptor, layer: Descriptor) -> Result<ImageManifest> {
    Ok(ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(config)
        .layers(vec![layer])
        .annotations(unordered(&about.labels))
        .build()?)
}

fn layout(blobs: &Blobs, index: &ImageIndex, time: u64) -> Result<Vec<u8>> {
    let version = OciLayoutBuilder::default().image_layout_version("1.0.0").build()?;
    let mut tar = tar::Builder::new(Vec::new());
    rootfs::append(&mut tar, "oci-layout", 0o644, time, &canonical(&version)?)?;
    rootfs::append(&mut tar, "index.json", 0o644, time, &canonical(index)?)?;
    for folder in ["blobs/", "blobs/sha256/"] {
        rootfs::append(&mut tar, folder, 0o755, time, &[])?;
    }
    for (digest, bytes) in &blobs.0 {
        rootfs::append(&mut tar, &format!("blobs/sha256/{digest}"), 0o644, time, bytes)?;
    }
    Ok(tar.into_inner()?)
}

/// JSON with sorted keys: the types keep labels in hash maps, whose order differs with each run. A `Value` keeps them sorted.
fn canonical(value: &impl Serialize) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec(&serde_json::to_value(value)?)?)
}

fn unordered(labels: &BTreeMap<String, String>) -> HashMap<String, String> {
    labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn architecture() -> Arch {
    // The binary was built for the machine that builds the image.
    Arch::from(super::architecture())
}

/// Seconds since 1970 as RFC 3339.
pub fn created(time: u64) -> Result<String> {
    Ok(jiff::Timestamp::from_second(i64::try_from(time)?)?.to_string())
}

/// SHA-256 as hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
