//! `release`: everything that is published of a version, in one folder, with checksums and signatures. Nothing is sent anywhere.

mod archives;
mod krew;
mod signing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::image::{self, Image, Profile, VERSION};
use crate::world::Progress;
use signing::Key;

/// Where files are said to lie when nobody has said it: a rehearsal only.
const NOWHERE: &str = "https://example.com/caretaker";

/// Arguments of `release`.
#[derive(clap::Args)]
pub struct Args {
    /// A rehearsal: any tree will do, and without a key everything is signed with one that is thrown away.
    #[arg(long)]
    dry_run: bool,
    /// How the operator is built. A release that is none of a rehearsal is always built as such.
    #[arg(long, value_enum, default_value = "release")]
    profile: Profile,
    /// A folder that is empty or not there yet. In the target folder, when it is not said.
    #[arg(long)]
    to: Option<PathBuf>,
    /// Secret key as `minisign -G -W` makes it.
    #[arg(long, env = "CARETAKER_RELEASE_KEY")]
    key: Option<PathBuf>,
    /// Address below which the files will lie; the krew manifest names it.
    #[arg(long)]
    download: Option<String>,
    /// Where the source can be had, for the image's label and the krew manifest.
    #[arg(long, env = "CARETAKER_SOURCE_URL")]
    source: Option<String>,
}

/// What is published, by the names of its files.
type Files = BTreeMap<String, Vec<u8>>;

/// What a release is made from.
struct Parts {
    image: Image,
    chart: Vec<u8>,
    crds: String,
    download: String,
    source: String,
}

/// `cargo xtask release`.
pub fn run(args: &Args) -> Result<()> {
    let progress = Progress::start();
    let origin = image::origin()?;
    if !args.dry_run {
        ensure!(args.key.is_some() && args.download.is_some() && args.source.is_some(), "a release needs --key, --download and --source");
        ensure!(args.profile == Profile::Release, "a release is built with --profile release");
        ensure!(!origin.revision.ends_with("-dirty"), "files differ from the commit: what is released would be in no history");
    }
    let folder = folder(args.to.as_deref())?;
    let (key, whose) = key(args.key.as_deref())?;
    crate::generate::run(true)?;
    progress.say("packing the chart");
    let chart = archives::chart(&crate::root().join("charts/caretaker"), origin.time)?;
    let image = image::build(args.profile, args.source.clone(), &progress)?;
    progress.say("packing the plugin");
    let parts = Parts {
        image,
        chart,
        crds: crds(&crate::root().join("crds"))?,
        download: args.download.clone().unwrap_or_else(|| NOWHERE.to_owned()),
        source: args.source.clone().unwrap_or_else(|| NOWHERE.to_owned()),
    };
    let files = files(&parts)?;
    progress.say(format!("signing with {whose}"));
    let written = write(&folder, files, &key)?;
    if args.download.is_none() {
        progress.say(format!("the krew manifest names {NOWHERE}, where nothing is: give --download"));
    }
    for (name, size) in written {
        println!("{size:>12}  {name}");
    }
    progress.say(format!("{} of {} lies in {}", if args.dry_run { "a rehearsal" } else { "the release" }, VERSION, folder.display()));
    Ok(())
}

/// The folder for everything. Ours is emptied; one that was named must be empty.
fn folder(named: Option<&Path>) -> Result<PathBuf> {
    let folder = match named {
        Some(named) => named.to_path_buf(),
        None => {
            let ours = crate::world::target().join(format!("caretaker-{VERSION}"));
            if ours.exists() {
                std::fs::remove_dir_all(&ours).with_context(|| format!("empty {}", ours.display()))?;
            }
            ours
        }
    };
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    ensure!(std::fs::read_dir(&folder)?.next().is_none(), "{} is not empty", folder.display());
    Ok(folder)
}

/// The key, and its name for people.
fn key(file: Option<&Path>) -> Result<(Key, String)> {
    match file {
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| format!("read the key {}", file.display()))?;
            Ok((Key::read(&text)?, "your key".to_owned()))
        }
        None => {
            Ok((Key::ephemeral()?, "an ephemeral key, which is thrown away: these signatures prove nothing about who made this".to_owned()))
        }
    }
}

/// All definitions in one text.
fn crds(folder: &Path) -> Result<String> {
    let mut paths = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    let texts = paths.iter().map(|path| std::fs::read_to_string(path).with_context(|| format!("read {}", path.display())));
    Ok(texts.collect::<Result<Vec<_>>>()?.iter().map(|text| format!("---\n{}\n", text.trim_end())).collect())
}

/// Everything but checksums and signatures.
fn files(parts: &Parts) -> Result<Files> {
    let image = &parts.image;
    let architecture = image::architecture();
    let licence = std::fs::read(crate::root().join("LICENSE")).context("read LICENSE")?;
    let members = [
        ("LICENSE", 0o644, licence.as_slice()),
        ("THIRD-PARTY", 0o644, image.licences.as_bytes()),
        ("kubectl-caretaker", 0o755, image.binary.as_slice()),
    ];
    let plugin = archives::tgz(&members, image.origin.time)?;
    let plugin_name = format!("kubectl-caretaker-{VERSION}-linux-{architecture}.tar.gz");
    let place = krew::Place {
        uri: format!("{}/{plugin_name}", parts.download.trim_end_matches('/')),
        sha256: image::sha256(&plugin),
        architecture,
        homepage: parts.source.clone(),
    };
    Ok(BTreeMap::from([
        (format!("caretaker-{VERSION}-linux-{architecture}"), image.binary.clone()),
        (format!("caretaker-{VERSION}-linux-{architecture}.oci.tar"), image.archive.clone()),
        (format!("caretaker-{VERSION}-linux-{architecture}.spdx.json"), image.bill.clone().into_bytes()),
        (format!("caretaker-{VERSION}.tgz"), parts.chart.clone()),
        (format!("caretaker-{VERSION}-crds.yaml"), parts.crds.clone().into_bytes()),
        (plugin_name, plugin),
        ("caretaker.krew.yaml".to_owned(), krew::manifest(&place)?.into_bytes()),
        ("IMAGE-DIGEST".to_owned(), format!("{}\n", image.digest).into_bytes()),
    ]))
}

/// Writes the files, their checksums and a signature for each. Tells names and sizes.
fn write(folder: &Path, mut files: Files, key: &Key) -> Result<Vec<(String, usize)>> {
    files.insert("caretaker.pub".to_owned(), key.public_text().into_bytes());
    let sums: String = files.iter().map(|(name, content)| format!("{}  {name}\n", image::sha256(content))).collect();
    files.insert("SHA256SUMS".to_owned(), sums.into_bytes());
    let mut written = Vec::new();
    for (name, content) in &files {
        image::write(&folder.join(name), content)?;
        written.push((name.clone(), content.len()));
        // The key itself is believed because it was learned elsewhere, never because it lies here.
        if name != "caretaker.pub" {
            image::write(&folder.join(format!("{name}.minisig")), key.sign(name, content)?.as_bytes())?;
        }
    }
    archives::executable(&folder.join(format!("caretaker-{VERSION}-linux-{}", image::architecture())))?;
    Ok(written)
}
