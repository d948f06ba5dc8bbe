//! `bundle keygen|list|verify|open|diff|gaps`: works without a cluster and without a network.

mod contents;
mod diff;
mod held;
mod keygen;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use caretaker_bundle::{About, Identities, Outer, PublicKey, Verdict, Verified, Verifier, claims};
use serde_json::{Value, json};

use self::held::Held;
use super::output::{Form, bytes, json as print_json};
use super::progress::Ticker;

/// What to do with bundles.
#[derive(clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  caretaker bundle list /var/lib/caretaker/store
  caretaker bundle verify acme-final-8a1b.tar.zst.age --public-key RW…
  caretaker bundle open acme-final-8a1b.tar.zst.age --public-key RW… --identity identity.txt --into handover
  caretaker bundle gaps handover/acme-final
  caretaker bundle diff rehearsal/acme-rehearsal handover/acme-final

Exit codes of verify and open:
   0  good                     14  incomplete
  10  malformed signature      15  extra bytes after the end
  11  signed by another key    16  not the bundle that it poses as
  12  trusted comment edited   17  not sealed to this identity
  13  altered after signing    18  the bag inside is not valid
   1  anything else            19  not signed

Without Caretaker, on Linux, macOS and Windows, one after the other:
  minisign -V -m FILE -P RW…
  age -d -i identity.txt -o bundle.tar.zst FILE
  zstd -d -o bundle.tar bundle.tar.zst
  tar -xf bundle.tar
  bagit.py --validate FOLDER
The SHA-256 of bundle.tar must be the tar-sha256 of the comment that minisign prints."
)]
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
    #[command(after_help = "Example:\n  caretaker bundle keygen --file identity.txt")]
    Keygen {
        /// File for the identity, which must not be there yet: only you may read it. Without it the identity goes to standard output, and never to a terminal.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// List the bundles below a folder, with what their signatures claim, and verify nothing; or the files of one bundle with their sizes.
    #[command(after_help = "\
Examples:
  caretaker bundle list /var/lib/caretaker/store -o json
  caretaker bundle list handover/acme-final
  caretaker bundle list acme-final-8a1b.tar.zst.age --public-key RW… --identity identity.txt")]
    List {
        /// A folder, such as the store's; or a bundle: the folder of an opened one, or a sealed file.
        #[arg(default_value = ".")]
        path: PathBuf,
        #[command(flatten)]
        opener: Opener,
    },
    /// Show what differs between two bundles: files, and assets of the inventories.
    #[command(after_help = "Example:\n  caretaker bundle diff rehearsal/acme-rehearsal handover/acme-final")]
    Diff {
        /// The older one: the folder of an opened bundle, or a sealed file.
        old: PathBuf,
        /// The newer one.
        new: PathBuf,
        #[command(flatten)]
        opener: Opener,
    },
    /// Show what a bundle says is missing in it, and why.
    #[command(after_help = "Example:\n  caretaker bundle gaps handover/acme-final -o json")]
    Gaps {
        /// The folder of an opened bundle, or a sealed file.
        path: PathBuf,
        #[command(flatten)]
        opener: Opener,
    },
    /// Verify signature, size and name; with --identity the bag inside too. Writes nothing.
    #[command(after_help = "\
Examples:
  caretaker bundle verify acme-final-8a1b.tar.zst.age --public-key RW…
  caretaker bundle verify acme-final-8a1b.tar.zst.age --public-key-file provider.pub --identity identity.txt

The provider's key stands in the ProviderProfile's status; compare its fingerprint by telephone:
  kubectl get pprof default -o jsonpath='{.status.signing}'")]
    Verify {
        /// The sealed file; its .minisig must be beside it.
        file: PathBuf,
        #[command(flatten)]
        signer: Signer,
        /// File with the age identity of a recipient.
        #[arg(long, value_name = "FILE")]
        identity: Option<PathBuf>,
    },
    /// Verify everything and unpack the bag. Nothing is left where the bundle is refused.
    #[command(after_help = "\
Example:
  caretaker bundle open acme-final-8a1b.tar.zst.age --public-key RW… --identity identity.txt --into handover
  less handover/acme-final/data/00-READ-ME-FIRST.md")]
    Open {
        /// The sealed file; its .minisig must be beside it.
        file: PathBuf,
        #[command(flatten)]
        signer: Signer,
        /// File with the age identity of a recipient.
        #[arg(long, value_name = "FILE")]
        identity: PathBuf,
        /// Folder to unpack into; the bag gets a folder of its own in it, which must not be there yet.
        #[arg(long, value_name = "DIR", default_value = ".")]
        into: PathBuf,
    },
}

/// Whose signature is expected.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Signer {
    /// The provider's public key, a line that starts with RW.
    #[arg(long, value_name = "KEY")]
    public_key: Option<String>,
    /// File with the provider's public key, such as minisign's .pub.
    #[arg(long, value_name = "FILE")]
    public_key_file: Option<PathBuf>,
}

impl Signer {
    fn read(&self) -> anyhow::Result<PublicKey> {
        let Some(path) = &self.public_key_file else {
            return PublicKey::from_base64(self.public_key.as_deref().unwrap_or_default()).context("--public-key");
        };
        let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        PublicKey::from_base64(&text).with_context(|| path.display().to_string())
    }
}

/// With what a sealed bundle is opened; an opened one needs nothing.
#[derive(clap::Args)]
struct Opener {
    /// File with the age identity of a recipient.
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// The provider's public key, a line that starts with RW.
    #[arg(long, value_name = "KEY", conflicts_with = "public_key_file")]
    public_key: Option<String>,
    /// File with the provider's public key, such as minisign's .pub.
    #[arg(long, value_name = "FILE")]
    public_key_file: Option<PathBuf>,
}

impl Opener {
    fn key(&self) -> anyhow::Result<Option<PublicKey>> {
        let (public_key, public_key_file) = (self.public_key.clone(), self.public_key_file.clone());
        if public_key.is_none() && public_key_file.is_none() {
            return Ok(None);
        }
        Signer { public_key, public_key_file }.read().map(Some)
    }
}

/// Runs. Each verdict has an exit code of its own.
pub fn run(args: Args) -> ExitCode {
    let form = args.output;
    let ticker = Ticker::start();
    let result = match args.command {
        Command::Keygen { file } => keygen::keygen(file.as_deref()),
        Command::List { path, opener } if path.is_file() || held::is_bag(&path) => {
            Held::at(&path, &opener, &ticker).and_then(|held| contents::list(&held, form))
        }
        Command::List { path, .. } => list(&path, form),
        Command::Diff { old, new, opener } => {
            let both = Held::at(&old, &opener, &ticker).and_then(|old| Ok((old, Held::at(&new, &opener, &ticker)?)));
            both.and_then(|(old, new)| diff::diff(&old, &new, form))
        }
        Command::Gaps { path, opener } => Held::at(&path, &opener, &ticker).and_then(|held| contents::gaps(&held, form)),
        Command::Verify { file, signer, identity } => verify((&file, &signer), identity.as_deref(), &ticker, form),
        Command::Open { file, signer, identity, into } => open((&file, &signer), (&identity, &into), &ticker, form),
    };
    drop(ticker);
    result.map_or_else(|error| tell(&error, form), |()| ExitCode::SUCCESS)
}

/// Tells a failure to people, and to machines in the form that they asked for.
fn tell(error: &anyhow::Error, form: Form) -> ExitCode {
    let verdict = error.downcast_ref::<Verdict>();
    let message = verdict.map_or_else(|| format!("{error:#}"), ToString::to_string);
    let (word, code) = verdict.map_or(("failed", 1), |verdict| (verdict.word(), verdict.exit_code()));
    if form == Form::Json {
        // Standard output may be closed; the exit code and the line below tell the same.
        let _ = print_json(&json!({"verified": false, "verdict": word, "exitCode": code, "message": message}));
    }
    eprintln!("error: {message}");
    ExitCode::from(code)
}

fn read_identities(path: &Path) -> anyhow::Result<Identities> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    Identities::parse(&text).with_context(|| path.display().to_string())
}

fn about_json(about: &About) -> Value {
    json!({"client": about.client, "id": about.id, "mode": about.mode.as_str(), "time": about.at.to_string()})
}

fn outer_json(outer: &Outer, key: &PublicKey) -> Value {
    json!({
        "verified": true, "verdict": "good", "exitCode": 0, "bundle": about_json(&outer.about), "sha256": outer.sha256,
        "tarSha256": outer.tar_sha256, "bytes": outer.size_bytes, "keyId": key.key_id(), "fingerprint": key.fingerprint(),
        "statement": outer.has_statement,
    })
}

fn inside_json(verified: &Verified) -> Value {
    json!({"files": verified.files, "bytes": verified.payload_bytes})
}

fn print_outer(outer: &Outer, key: &PublicKey) {
    let About { client, id, mode, at } = &outer.about;
    outln!("good: {mode} bundle {id} of {client}, sealed {at}");
    outln!("signed by    {}, fingerprint {}", key.key_id(), key.fingerprint());
    outln!("sealed file  {}, sha256 {}", bytes(outer.size_bytes), outer.sha256);
    if outer.has_statement {
        outln!("statement    in-toto, signed by the same key, of this file");
    }
}

fn verify((file, signer): (&Path, &Signer), identity: Option<&Path>, ticker: &Ticker, form: Form) -> anyhow::Result<()> {
    let key = signer.read()?;
    let progress = ticker.progress();
    let verifier = Verifier::new(&key).progress(&progress);
    let (outer, inside) = match identity {
        None => (verifier.outer(file)?, None),
        Some(identity) => {
            let verified = verifier.full(file, &read_identities(identity)?)?;
            (verified.outer.clone(), Some(verified))
        }
    };
    if form == Form::Json {
        let mut told = outer_json(&outer, &key);
        told["inside"] = inside.as_ref().map_or(Value::Null, inside_json);
        return print_json(&told);
    }
    print_outer(&outer, &key);
    match inside {
        Some(inside) => outln!("bag inside   valid: {} files, {}", inside.files, bytes(inside.payload_bytes)),
        None => outln!("bag inside   not looked at; give --identity to open it"),
    }
    Ok(())
}

fn open((file, signer): (&Path, &Signer), (identity, into): (&Path, &Path), ticker: &Ticker, form: Form) -> anyhow::Result<()> {
    let key = signer.read()?;
    let identities = read_identities(identity)?;
    let progress = ticker.progress();
    let opened = Verifier::new(&key).progress(&progress).open(file, &identities, into)?;
    if form == Form::Json {
        let mut told = outer_json(&opened.verified.outer, &key);
        told["inside"] = inside_json(&opened.verified);
        told["bag"] = json!(opened.bag);
        return print_json(&told);
    }
    print_outer(&opened.verified.outer, &key);
    outln!("bag inside   valid: {} files, {}", opened.verified.files, bytes(opened.verified.payload_bytes));
    outln!("\nBegin with {}", opened.bag.join("data/00-READ-ME-FIRST.md").display());
    Ok(())
}

fn list(folder: &Path, form: Form) -> anyhow::Result<()> {
    let mut found = Vec::new();
    collect(folder, &mut found).with_context(|| format!("read {}", folder.display()))?;
    found.sort();
    let rows: Vec<Value> = found.iter().map(|(path, size)| row(path, *size)).collect();
    if form == Form::Json {
        return print_json(&rows);
    }
    if rows.is_empty() {
        outln!("no bundles below {}", folder.display());
        return Ok(());
    }
    rows.iter().for_each(|row| outln!("{}", lines_of(row)));
    outln!("\nAs the signatures claim; nothing was verified.\nNext: caretaker bundle verify FILE --public-key RW…");
    Ok(())
}

/// What is known of a bundle without a key: what its signature claims, or why that cannot be read.
fn row(path: &Path, size: u64) -> Value {
    let mut row = json!({"file": path, "bytes": size});
    let claims = claims(path).and_then(|claims| match claims.size_bytes {
        expected if size < expected => Err(Verdict::Incomplete { expected, actual: size }),
        expected if size > expected => Err(Verdict::ExtraBytes { expected, actual: size }),
        _ => Ok(claims),
    });
    match claims {
        Ok(claims) => {
            row["claims"] = about_json(&claims.about);
            row["keyId"] = claims.key_id.into();
        }
        Err(verdict) => row["verdict"] = verdict.word().into(),
    }
    row
}

/// The path on a line of its own, so that it can be copied, and what is claimed below.
fn lines_of(row: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let size = bytes(row["bytes"].as_u64().unwrap_or_default());
    let claims = &row["claims"];
    let told = match row["verdict"].as_str() {
        Some(verdict) => format!("{}, {size}", verdict.to_uppercase()),
        None => format!(
            "{} of {}, {size}\n  sealed {}, signed by {}",
            text(&claims["mode"]),
            text(&claims["client"]),
            text(&claims["time"]),
            text(&row["keyId"])
        ),
    };
    format!("{}\n  {told}", text(&row["file"]))
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
