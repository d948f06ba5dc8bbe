//! `bundle list|open|verify`: works without a cluster.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use caretaker_bundle::{About, PublicKey, Verdict, open, signature_path, verify_outer};
use serde_json::json;

use super::output::{Form, json as print_json, table};

/// What to do with bundles.
#[derive(clap::Args)]
#[command(after_help = "\
Exit codes of verify and open: 0 good, 10 malformed signature, 11 another key, 12 edited comment, 13 altered, 14 incomplete,
15 extra bytes, 16 not the bundle it poses as, 17 not sealed to this identity, 18 invalid bag, 1 anything else.

Without Caretaker:
  minisign -Vm FILE -P KEY && age -d -i identity.txt FILE | zstd -d | tar x && bagit.py --validate FOLDER")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t, global = true)]
    output: Form,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make a key pair for a recipient, as age-keygen does: the client keeps it and gives the public key.
    Keygen,
    /// List the bundles below a folder.
    List {
        /// The folder, such as the store's.
        folder: PathBuf,
    },
    /// Verify signature, size and name; with --identity the bag inside too.
    Verify {
        /// The sealed file; its .minisig must be beside it.
        file: PathBuf,
        /// The provider's public key, as the ProviderProfile's status shows it.
        #[arg(long)]
        public_key: String,
        /// File with the age identity of a recipient.
        #[arg(long)]
        identity: Option<PathBuf>,
    },
    /// Verify everything and unpack the bag.
    Open {
        /// The sealed file; its .minisig must be beside it.
        file: PathBuf,
        /// The provider's public key.
        #[arg(long)]
        public_key: String,
        /// File with the age identity of a recipient.
        #[arg(long)]
        identity: PathBuf,
        /// Folder to unpack into.
        #[arg(long, default_value = ".")]
        into: PathBuf,
    },
}

/// Runs. Each verdict has an exit code of its own.
pub fn run(args: Args) -> ExitCode {
    let progress = Progress::start();
    let result = match args.command {
        Command::Keygen => {
            keygen();
            Ok(())
        }
        Command::List { folder } => list(&folder, args.output),
        Command::Verify { file, public_key, identity } => verify(&file, &public_key, identity.as_deref(), args.output),
        Command::Open { file, public_key, identity, into } => unpack(&file, (&public_key, &identity), &into, args.output),
    };
    drop(progress);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            error.downcast_ref::<Verdict>().map_or(ExitCode::FAILURE, |verdict| ExitCode::from(verdict.exit_code()))
        }
    }
}

/// Says that work goes on, for anything longer than two seconds.
struct Progress {
    done: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl Progress {
    fn start() -> Self {
        let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let seen = done.clone();
        let began = Instant::now();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_secs(2));
                if seen.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                eprintln!("… {} s", began.elapsed().as_secs());
            }
        });
        Self { done }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.done.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

fn keygen() {
    use age::secrecy::ExposeSecret;
    let identity = age::x25519::Identity::generate();
    println!("# public key: {}", identity.to_public());
    println!("{}", identity.to_string().expose_secret());
}

fn read_identity(path: &Path) -> anyhow::Result<age::x25519::Identity> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let line = text.lines().map(str::trim).find(|line| line.starts_with("AGE-SECRET-KEY-"));
    let Some(line) = line else { bail!("{} holds no age identity: it has a line that starts with AGE-SECRET-KEY-", path.display()) };
    line.parse().map_err(|_| anyhow::anyhow!("{} holds a damaged age identity", path.display()))
}

fn about_json(about: &About) -> serde_json::Value {
    json!({"client": about.client, "id": about.id, "mode": about.mode.as_str(), "time": about.at.to_string()})
}

fn verify(file: &Path, public_key: &str, identity: Option<&Path>, form: Form) -> anyhow::Result<()> {
    let key = PublicKey::from_base64(public_key)?;
    let (about, bag) = match identity {
        None => (verify_outer(file, &key)?, false),
        Some(identity) => {
            let scratch = tempfile::tempdir()?;
            (open(file, &key, &read_identity(identity)?, scratch.path())?.about, true)
        }
    };
    if form == Form::Json {
        return print_json(&json!({"verified": true, "bag": bag, "bundle": about_json(&about)}));
    }
    println!("good: {} bundle {} of {}, sealed {}", about.mode, about.id, about.client, about.at);
    println!("{}", if bag { "the bag inside is valid" } else { "the bag inside was not looked at; give --identity to open it" });
    Ok(())
}

fn unpack(file: &Path, (public_key, identity): (&str, &Path), into: &Path, form: Form) -> anyhow::Result<()> {
    let opened = open(file, &PublicKey::from_base64(public_key)?, &read_identity(identity)?, into)?;
    if form == Form::Json {
        return print_json(&json!({"bag": opened.bag, "files": opened.files, "bundle": about_json(&opened.about)}));
    }
    println!("{} files in {}; begin with data/00-READ-ME-FIRST.md", opened.files, opened.bag.display());
    Ok(())
}

fn list(folder: &Path, form: Form) -> anyhow::Result<()> {
    let mut found = Vec::new();
    collect(folder, &mut found).with_context(|| format!("read {}", folder.display()))?;
    found.sort();
    if form == Form::Json {
        let rows: Vec<_> =
            found.iter().map(|(path, size)| json!({"file": path, "bytes": size, "signed": signature_path(path).exists()})).collect();
        return print_json(&rows);
    }
    if found.is_empty() {
        println!("no bundles below {}", folder.display());
        return Ok(());
    }
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|(path, size)| {
            let signed = if signature_path(path).exists() { "yes" } else { "NO" };
            vec![size.to_string(), signed.into(), path.display().to_string()]
        })
        .collect();
    print!("{}", table(&["BYTES", "SIGNED", "FILE"], &rows));
    Ok(())
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, u64)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, found)?;
        } else if path.to_string_lossy().ends_with(".tar.zst.age") {
            found.push((path, entry.metadata()?.len()));
        }
    }
    Ok(())
}
