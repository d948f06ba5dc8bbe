//! What a bundle holds: of an opened one its folder, of a sealed one what is opened into a folder that goes at the end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use caretaker_bundle::Verifier;

use super::{Opener, read_identities};
use crate::cli::progress::Ticker;

/// A bundle that can be read.
pub struct Held {
    /// The bag.
    pub bag: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

/// Whether a path is an opened bundle.
pub fn is_bag(path: &Path) -> bool {
    path.join("bagit.txt").is_file()
}

impl Held {
    /// Takes an opened bundle as it is, and verifies and opens a sealed one.
    pub fn at(path: &Path, opener: &Opener, ticker: &Ticker) -> anyhow::Result<Self> {
        if is_bag(path) {
            return Ok(Self { bag: path.to_path_buf(), _temporary: None });
        }
        if path.is_dir() {
            bail!("{} is no opened bundle: it holds no bagit.txt", path.display());
        }
        ensure!(path.is_file(), "{} is not there", path.display());
        let (Some(identity), Some(key)) = (&opener.identity, opener.key()?) else {
            bail!("{} is sealed: give --identity and --public-key, or the folder of the opened bundle", path.display());
        };
        let identities = read_identities(identity)?;
        let temporary = tempfile::tempdir().context("make a temporary folder")?;
        let progress = ticker.progress();
        let opened = Verifier::new(&key).progress(&progress).open(path, &identities, temporary.path())?;
        Ok(Self { bag: opened.bag, _temporary: Some(temporary) })
    }

    /// The payload files by path below `data/`: the digest of the manifest, and the size on disk.
    pub fn files(&self) -> anyhow::Result<BTreeMap<String, File>> {
        let path = self.bag.join("manifest-sha256.txt");
        let manifest = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let mut files = BTreeMap::new();
        for line in manifest.lines() {
            let (digest, name) = line.split_once("  ").with_context(|| format!("{} has a line that is none", path.display()))?;
            let held = self.bag.join(name);
            let size = std::fs::metadata(&held).with_context(|| format!("read {}", held.display()))?.len();
            files.insert(name.trim_start_matches("data/").to_owned(), File { sha256: digest.to_owned(), bytes: size });
        }
        Ok(files)
    }

    /// The path of a payload file.
    pub fn file(&self, name: &str) -> PathBuf {
        self.bag.join("data").join(name)
    }
}

/// A payload file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct File {
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Size.
    pub bytes: u64,
}
