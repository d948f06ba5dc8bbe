//! `image`: the operator's image as an OCI archive, made without a container engine, and beside it the list of what is in it.
//!
//! The same input gives the same digest: times are those of the commit, entries are sorted and owned by root, nothing is taken from the machine but
//! the compiler and the C library.

mod archive;
mod compile;
mod libraries;
mod licences;
mod packages;
mod rootfs;
mod sbom;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

pub use archive::sha256;
pub use compile::Profile;
pub use rootfs::append;

use crate::world::Progress;

/// Arguments of `image`.
#[derive(clap::Args)]
pub struct Args {
    /// How the operator is built.
    #[arg(long, value_enum, default_value = "release")]
    profile: Profile,
    /// Where the archive is written; the list of its contents goes beside it. In the target folder, when it is not said.
    #[arg(long)]
    output: Option<PathBuf>,
    /// Name by which an import makes it known. `localhost/caretaker` with the version, when it is not said.
    #[arg(long)]
    name: Option<String>,
    /// Where the source can be had, for the label; without it there is no such label.
    #[arg(long, env = "CARETAKER_SOURCE_URL")]
    source: Option<String>,
    /// Writes the files of the image into this new folder instead, for the Containerfile.
    #[arg(long, conflicts_with = "output")]
    unpacked: Option<PathBuf>,
}

/// The version that is built.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What goes into an image.
struct Input {
    binary: Vec<u8>,
    libraries: Vec<libraries::Library>,
    packages: BTreeMap<packages::Id, packages::Package>,
    compiler: String,
    origin: Origin,
    name: String,
    source: Option<String>,
}

/// Which source it was built from.
#[derive(Clone)]
pub struct Origin {
    /// The commit; with `-dirty` where files differ from it.
    pub revision: String,
    /// Seconds since 1970: the time of the commit, else `SOURCE_DATE_EPOCH`.
    pub time: u64,
}

/// An image and what is told of it.
pub struct Image {
    /// The OCI archive.
    pub archive: Vec<u8>,
    /// Digest of its manifest.
    pub digest: String,
    /// SPDX 2.3.
    pub bill: String,
    /// The operator's binary as it is in the image.
    pub binary: Vec<u8>,
    /// Licence texts.
    pub licences: String,
    /// Source that it was made from.
    pub origin: Origin,
}

/// `cargo xtask image`.
pub fn run(args: &Args) -> Result<()> {
    let progress = Progress::start();
    let input = gather(args.profile, args.name.clone(), args.source.clone(), &progress)?;
    if let Some(folder) = &args.unpacked {
        ensure!(!folder.exists(), "{} is there already", folder.display());
        tree(&input)?.write(folder)?;
        progress.say(format!("wrote the files of the image to {}", folder.display()));
        return Ok(());
    }
    progress.say("packing");
    let image = make(input)?;
    let file =
        args.output.clone().unwrap_or_else(|| crate::world::target().join("image").join(args.profile.name()).join("caretaker.oci.tar"));
    write(&file, &image.archive)?;
    let bill = beside(&file, "spdx.json");
    write(&bill, image.bill.as_bytes())?;
    progress.say(format!("{} ({:.1} MB), contents in {}", file.display(), image.archive.len() as f64 / 1e6, bill.display()));
    println!("{}", image.digest);
    Ok(())
}

/// Builds the image under a name into a file. For a node on this machine.
pub fn to(file: &Path, profile: Profile, name: &str, progress: &Progress) -> Result<()> {
    let input = gather(profile, Some(name.to_owned()), None, progress)?;
    write(file, &make(input)?.archive)
}

/// Builds the image with its usual name. For a release.
pub fn build(profile: Profile, source: Option<String>, progress: &Progress) -> Result<Image> {
    let input = gather(profile, None, source, progress)?;
    progress.say("packing the image");
    make(input)
}

fn gather(profile: Profile, name: Option<String>, source: Option<String>, progress: &Progress) -> Result<Input> {
    let origin = origin()?;
    progress.say(format!("building the operator ({}; cold: up to half an hour on two cores, and 8 GB of memory)", profile.name()));
    let aside = tempfile::tempdir()?;
    let built = compile::operator(profile, aside.path())?;
    let binary = std::fs::read(&built).context("read the operator")?;
    let places = compile::named_places(&binary);
    let shown = places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ");
    match profile {
        Profile::Release if !places.is_empty() => {
            bail!("the operator names folders of this machine, so no other machine can build the same: {shown}")
        }
        Profile::Dev if !places.is_empty() => progress.say(format!("a dev image is the same on this machine only; it names {shown}")),
        _ => {}
    }
    progress.say("reading what is in it");
    Ok(Input {
        libraries: libraries::of(&built)?,
        packages: packages::of("caretaker")?,
        compiler: compile::compiler()?,
        name: name.unwrap_or_else(|| format!("localhost/caretaker:{VERSION}")),
        binary,
        origin,
        source,
    })
}

fn make(input: Input) -> Result<Image> {
    let tree = tree(&input)?;
    let about = archive::About { name: input.name.clone(), labels: labels(&input), time: input.origin.time };
    let archive = archive::pack(&tree, &about)?;
    let bill = sbom::bill(&sbom::Contents {
        name: "caretaker",
        packages: &input.packages,
        libraries: &input.libraries,
        compiler: &input.compiler,
        time: input.origin.time,
    })?;
    let licences = texts(&input)?;
    Ok(Image { archive: archive.bytes, digest: archive.digest, bill, binary: input.binary, licences, origin: input.origin })
}

fn texts(input: &Input) -> Result<String> {
    licences::texts(input.packages.values(), &input.libraries, &input.compiler)
}

/// The files of the image.
fn tree(input: &Input) -> Result<rootfs::Tree> {
    let mut tree = rootfs::base()?;
    tree.file("caretaker", 0o755, input.binary.clone());
    for library in &input.libraries {
        tree.file(&library.path, 0o755, library.content.clone());
    }
    tree.file("usr/share/licenses/caretaker/LICENSE", 0o644, std::fs::read(crate::root().join("LICENSE")).context("read LICENSE")?);
    tree.file("usr/share/licenses/caretaker/THIRD-PARTY", 0o644, texts(input)?);
    Ok(tree)
}

fn labels(input: &Input) -> BTreeMap<String, String> {
    let known = [
        ("title", Some("caretaker".to_owned())),
        ("description", Some("Looks after a managed service provider's clients, and lets them leave with everything.".to_owned())),
        ("version", Some(VERSION.to_owned())),
        ("revision", Some(input.origin.revision.clone())),
        ("licenses", Some("Apache-2.0".to_owned())),
        ("source", input.source.clone()),
    ];
    known.into_iter().filter_map(|(key, value)| Some((format!("org.opencontainers.image.{key}"), value?))).collect()
}

/// The source that is built. A build without git, such as the Containerfile's, is told by `CARETAKER_REVISION` and `SOURCE_DATE_EPOCH`.
pub fn origin() -> Result<Origin> {
    let told = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let git = |args: &[&str]| -> Option<String> {
        let output = Command::new("git").args(args).current_dir(crate::root()).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = || {
        let dirty = git(&["status", "--porcelain"]).is_some_and(|said| !said.is_empty());
        git(&["rev-parse", "HEAD"]).map(|commit| commit + if dirty { "-dirty" } else { "" })
    };
    let revision = told("CARETAKER_REVISION").or_else(commit).unwrap_or_else(|| "unknown".to_owned());
    let time = told("SOURCE_DATE_EPOCH").or_else(|| git(&["log", "-1", "--format=%ct"])).unwrap_or_else(|| "0".to_owned());
    Ok(Origin { revision, time: time.parse().with_context(|| format!("SOURCE_DATE_EPOCH is no number of seconds: {time}"))? })
}

/// The machine's architecture as images name it.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// A file with the same name and another ending.
fn beside(file: &Path, ending: &str) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = name.strip_suffix(".tar").unwrap_or(&name);
    file.with_file_name(format!("{}.{ending}", stem.strip_suffix(".oci").unwrap_or(stem)))
}

/// Writes a file and makes its folder.
pub fn write(file: &Path, content: &[u8]) -> Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    std::fs::write(file, content).with_context(|| format!("write {}", file.display()))
}
