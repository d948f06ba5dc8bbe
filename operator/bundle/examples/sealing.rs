//! Seals and verifies a bundle of many megabytes, for `cargo xtask bench bundle`: one JSON document with seconds and the peak of memory.
//!
//! `sealing make FOLDER MEBIBYTES` writes files such as a bundle has, and `sealing keygen INTO` a client's key; `sealing seal FOLDER INTO` and
//! `sealing verify INTO` are measured.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use age::secrecy::ExposeSecret;
use caretaker_bundle::{About, Entry, Identities, Mode, SigningKey, Source, Verifier, file_name, seal};

type Failed = Box<dyn std::error::Error>;

/// Size of one file.
const FILE: usize = 16 << 20;

fn main() -> Result<(), Failed> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let path = |place: usize| args.get(place).map(PathBuf::from).ok_or("an argument is missing");
    match args.first().map(String::as_str) {
        Some("make") => make(&path(1)?, args.get(2).ok_or("an argument is missing")?.parse()?),
        Some("keygen") => keygen(&path(1)?),
        Some("seal") => sealed(&path(1)?, &path(2)?),
        Some("verify") => verified(&path(1)?),
        _ => Err("make, keygen, seal or verify".into()),
    }
}

/// Lines of an inventory, with ids that no compressor knows: a multiplicative generator is enough for that.
fn make(folder: &Path, mebibytes: usize) -> Result<(), Failed> {
    std::fs::create_dir_all(folder)?;
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for number in 0..(mebibytes << 20) / FILE {
        let mut file = BufWriter::new(File::create(folder.join(format!("inventory-{number:04}.ndjson")))?);
        let mut written = 0;
        while written < FILE {
            state = state.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(1);
            let line = format!(
                "{{\"cloud\":\"aws\",\"account\":\"222222222222\",\"region\":\"eu-west-{}\",\"type\":\"Instance\",\"id\":\"i-{state:016x}\",\"name\":\"web-{}\"}}\n",
                state >> 62,
                state >> 40 & 0xFFFF,
            );
            file.write_all(line.as_bytes())?;
            written += line.len();
        }
        file.flush()?;
    }
    Ok(())
}

fn keygen(into: &Path) -> Result<(), Failed> {
    std::fs::create_dir_all(into)?;
    let identity = age::x25519::Identity::generate();
    std::fs::write(into.join("recipient.txt"), identity.to_public().to_string())?;
    std::fs::write(into.join("identity.txt"), format!("{}\n", identity.to_string().expose_secret()))?;
    Ok(())
}

fn about() -> Result<About, Failed> {
    Ok(About { client: "acme".into(), id: "1".into(), mode: Mode::Final, at: "2026-11-25T12:00:00Z".parse()? })
}

fn sealed(folder: &Path, into: &Path) -> Result<(), Failed> {
    std::fs::create_dir_all(into)?;
    let mut entries = Vec::new();
    for found in std::fs::read_dir(folder)? {
        let found = found?;
        let name = found.file_name().into_string().map_err(|_| "a name")?;
        entries.push(Entry { path: format!("02-inventory/{name}"), true_name: None, source: Source::File(found.path()) });
    }
    let recipient = std::fs::read_to_string(into.join("recipient.txt"))?.trim().to_owned();
    let key = SigningKey::generate()?;
    std::fs::write(into.join("key.txt"), key.to_text()?)?;
    let began = Instant::now();
    let sealed = seal(into, &about()?, &entries, &[recipient], &key)?;
    told(began, sealed.size_bytes)
}

fn verified(into: &Path) -> Result<(), Failed> {
    let identities = Identities::parse(&std::fs::read_to_string(into.join("identity.txt"))?)?;
    let key = SigningKey::from_text(&std::fs::read_to_string(into.join("key.txt"))?)?;
    let bundle = into.join(file_name(&about()?));
    let began = Instant::now();
    let outer = Verifier::new(key.public()).outer(&bundle)?;
    let outer_seconds = began.elapsed().as_secs_f64();
    let began = Instant::now();
    Verifier::new(key.public()).full(&bundle, &identities)?;
    eprintln!("without opening it: {outer_seconds:.1} s");
    told(began, outer.size_bytes)
}

fn told(began: Instant, bytes: u64) -> Result<(), Failed> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("the kernel tells the peak")?;
    let peak: u64 = peak.trim().trim_end_matches(" kB").trim().parse()?;
    let seconds = began.elapsed().as_secs_f64();
    println!("{}", serde_json::json!({"seconds": seconds, "peakRssBytes": peak * 1024, "sealedBytes": bytes}));
    Ok(())
}
