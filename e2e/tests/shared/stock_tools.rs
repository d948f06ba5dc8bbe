//! A bundle with names that other systems refuse, and one of a gigabyte, opened by other people's tools alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use caretaker_testkit::process::run;
use caretaker_testkit::{python, source_root, tools};
use sha2::{Digest, Sha256};

/// Makes a sample and opens its outer layers with minisign, age and plain zstd. Gives the tar.
fn opened(folder: &Path, mebibytes: &str) -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| source_root().join("target"), PathBuf::from);
    let bundle = run(Command::new(target.join("debug/examples/make_bundle")).arg(folder).arg(mebibytes))?;
    let bundle = bundle.trim();
    run(Command::new(tools::path("minisign")?).args(["-V", "-m", bundle, "-p"]).arg(folder.join("signing.pub")))?;
    let packed = folder.join("bundle.tar.zst");
    run(Command::new(tools::path("age")?).args(["-d", "-i"]).arg(folder.join("identity.txt")).arg("-o").arg(&packed).arg(bundle))?;
    std::fs::remove_file(bundle)?;
    run(Command::new("zstd").args(["-q", "-d", "--rm"]).arg(&packed)).context("zstd is in Debian's package zstd")?;
    Ok(folder.join("bundle.tar"))
}

/// Path and digest of every file below a folder.
fn files(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder)?.to_path_buf(), Sha256::digest(std::fs::read(&path)?).to_vec());
            }
        }
    }
    Ok(found)
}

#[test]
fn gnu_tar_bsdtar_and_python_unpack_the_same_files_and_bagit_says_valid() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let tar = opened(folder.path(), "0")?;
    let python = python::environment("judges")?;
    let extract = "import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2], filter='data')";
    let into = |name: &str| -> Result<PathBuf> {
        let path = folder.path().join(name);
        std::fs::create_dir(&path)?;
        Ok(path)
    };
    let (gnu, bsd, snake) = (into("gnu")?, into("bsd")?, into("snake")?);
    run(Command::new("tar").arg("-xf").arg(&tar).arg("-C").arg(&gnu))?;
    run(Command::new("bsdtar").arg("-xf").arg(&tar).arg("-C").arg(&bsd)).context("bsdtar is in Debian's package libarchive-tools")?;
    run(Command::new(&python).args(["-c", extract]).arg(&tar).arg(&snake))?;
    let all = files(&gnu)?;
    ensure!(all.len() > 26 && all == files(&bsd)? && all == files(&snake)?, "the three do not agree");
    let bag = std::fs::read_dir(&gnu)?.next().context("the tar holds a folder")??.path();
    run(Command::new(python.with_file_name("bagit.py")).arg("--validate").arg(&bag))?;

    let expected: BTreeMap<String, String> = serde_json::from_slice(&std::fs::read(folder.path().join("expected.json"))?)?;
    ensure!(expected.len() == 27, "one path for each name");
    let mut folded = std::collections::BTreeSet::new();
    for (path, name) in &expected {
        ensure!(std::fs::read(bag.join(path))? == name.as_bytes(), "{path} does not hold {name:?}");
        ensure!(path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte)), "{path} is not portable");
        ensure!(folded.insert(path.to_lowercase()), "{path} meets another in lower case");
    }
    Ok(())
}

#[test]
fn a_gigabyte_opens_without_a_flag() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let tar = opened(folder.path(), "1024")?;
    ensure!(std::fs::metadata(&tar)?.len() > 1 << 30, "a gigabyte went in");
    let listed = run(Command::new("tar").arg("-tf").arg(&tar))?;
    ensure!(listed.lines().any(|line| line.ends_with("02-inventory/large.bin")), "{listed}");
    Ok(())
}

/// What tools of supply chains make of the statement: the reference library of DSSE takes it under the provider's key, and it names the sealed file.
const STATEMENT: &str = r#"
import base64, hashlib, json, sys
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey
bundle, public = sys.argv[1:3]
raw = base64.b64decode(open(public).read().splitlines()[1])
key = SSlibKey(raw[2:10][::-1].hex().upper(), "ed25519", "ed25519", {"public": raw[10:].hex()})
envelope = Envelope.from_dict(json.load(open(bundle + ".intoto.json")))
envelope.verify([key], 1)
statement = json.loads(envelope.payload)
assert envelope.payload_type == "application/vnd.in-toto+json" and statement["_type"] == "https://in-toto.io/Statement/v1", statement
assert statement["subject"][0]["digest"]["sha256"] == hashlib.sha256(open(bundle, "rb").read()).hexdigest(), statement
assert bundle.endswith("/" + statement["subject"][0]["name"]), statement
"#;

#[test]
fn the_statement_is_signed_as_tools_of_supply_chains_read_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| source_root().join("target"), PathBuf::from);
    let bundle = run(Command::new(target.join("debug/examples/make_bundle")).arg(folder.path()).arg("0"))?;
    let (bundle, python) = (PathBuf::from(bundle.trim()), python::environment("google")?);
    let judge = || run(Command::new(&python).args(["-c", STATEMENT]).arg(&bundle).arg(folder.path().join("signing.pub")));
    judge()?;
    let statement = PathBuf::from(format!("{}.intoto.json", bundle.display()));
    let text = std::fs::read_to_string(&statement)?;
    std::fs::write(&statement, text.replace("application/vnd", "application/vne"))?;
    ensure!(judge().is_err(), "a statement of another type is taken");
    Ok(())
}
