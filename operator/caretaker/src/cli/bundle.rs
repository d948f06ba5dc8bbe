//! `bundle keygen|list|verify|open`: works without a cluster.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use caretaker_bundle::{About, Identities, Outer, PublicKey, Verdict, Verified, Verifier, claims};
use serde_json::{Value, json};

use super::output::{Form, bytes, json as print_json, table};
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

Exit codes of verify and open:
   0  good                     14  incomplete
  10  malformed signature      15  extra bytes after the end
  11  signed by another key    16  not the bundle that it poses as
  12  trusted comment edited   17  not sealed to this identity
  13  altered after signing    18  the bag inside is not valid
   1  anything else            19  not signed

Without Caretaker:
  minisign -Vm FILE -P RW… && age -d -i identity.txt FILE | zstd -d | tar x && bagit.py --validate FOLDER"
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
    #[command(after_help = "Example:\n  caretaker bundle keygen > identity.txt")]
    Keygen,
    /// List the bundles below a folder, with what their signatures claim. Verifies nothing.
    #[command(after_help = "Example:\n  caretaker bundle list /var/lib/caretaker/store -o json")]
    List {
        /// The folder, such as the store's.
        #[arg(default_value = ".")]
        folder: PathBuf,
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

/// Runs. Each verdict has an exit code of its own.
pub fn run(args: Args) -> ExitCode {
    let form = args.output;
    let ticker = Ticker::start();
    let result = match args.command {
        Command::Keygen => {
            keygen();
            Ok(())
        }
        Command::List { folder } => list(&folder, form),
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

fn keygen() {
    use age::secrecy::ExposeSecret;
    let identity = age::x25519::Identity::generate();
    outln!("# public key: {}", identity.to_public());
    outln!("{}", identity.to_string().expose_secret());
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
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    out!("{}", table(&["CLIENT", "MODE", "BUNDLE", "SEALED", "SIZE", "SIGNED BY", "FILE"], &cells));
    outln!("\nAs the signatures claim; nothing was verified. Next: caretaker bundle verify FILE --public-key RW…");
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

fn cells(row: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let signed = row["verdict"].as_str().map_or_else(|| text(&row["keyId"]), str::to_uppercase);
    let claims = &row["claims"];
    let size = bytes(row["bytes"].as_u64().unwrap_or_default());
    vec![text(&claims["client"]), text(&claims["mode"]), text(&claims["id"]), text(&claims["time"]), size, signed, text(&row["file"])]
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

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret;
    use caretaker_bundle::{Entry, Mode, SigningKey, seal};
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Whole {
        #[command(flatten)]
        args: Args,
    }

    /// A folder with a bundle, the receiver's identity and the provider's key.
    struct Sample {
        folder: tempfile::TempDir,
        bundle: PathBuf,
        key: String,
    }

    impl Sample {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (identity, key) = (age::x25519::Identity::generate(), SigningKey::generate().unwrap());
            std::fs::write(folder.path().join("identity.txt"), identity.to_string().expose_secret()).unwrap();
            std::fs::write(folder.path().join("provider.pub"), key.public().to_file_text()).unwrap();
            let about = About { client: "acme".into(), id: "8a1b".into(), mode: Mode::Final, at: "2026-11-25T12:00:00Z".parse().unwrap() };
            let entries = [Entry::text("00-READ-ME-FIRST.md", "# x\n")];
            let sealed = seal(folder.path(), &about, &entries, &[identity.to_public().to_string()], &key).unwrap();
            Self { bundle: sealed.path, key: key.public().to_base64().to_owned(), folder }
        }

        fn path(&self, name: &str) -> String {
            self.folder.path().join(name).display().to_string()
        }
    }

    fn code(words: &[&str]) -> ExitCode {
        run(Whole::try_parse_from([&["bundle"], words].concat()).unwrap_or_else(|error| panic!("{error}")).args)
    }

    fn same(reason: &str, found: ExitCode, expected: u8) {
        assert_eq!(format!("{found:?}"), format!("{:?}", ExitCode::from(expected)), "{reason}");
    }

    #[test]
    fn good_bundles_are_verified_listed_and_opened() {
        let sample = Sample::new();
        let (file, identity, public) = (sample.bundle.display().to_string(), sample.path("identity.txt"), sample.path("provider.pub"));
        let into = sample.path("out");
        same("outside", code(&["verify", &file, "--public-key", &sample.key]), 0);
        same("inside", code(&["verify", &file, "--public-key-file", &public, "--identity", &identity]), 0);
        same("json", code(&["verify", &file, "--public-key", &sample.key, "-o", "json"]), 0);
        same("list", code(&["list", &sample.path("")]), 0);
        same("open", code(&["open", &file, "--public-key", &sample.key, "--identity", &identity, "--into", &into]), 0);
        assert_eq!(std::fs::read_to_string(sample.path("out/acme-final/data/00-READ-ME-FIRST.md")).unwrap(), "# x\n");
        same("a second time", code(&["open", &file, "--public-key", &sample.key, "--identity", &identity, "--into", &into]), 1);
    }

    #[test]
    fn each_kind_of_damage_has_an_exit_code() {
        let sample = Sample::new();
        let file = sample.bundle.display().to_string();
        let whole = std::fs::read(&sample.bundle).unwrap();
        let verify = || code(&["verify", &file, "--public-key", &sample.key]);
        let mut flipped = whole.clone();
        flipped[9] ^= 1;
        for (reason, damaged, expected) in [
            ("altered", flipped, 13),
            ("incomplete", whole[..whole.len() - 1].to_vec(), 14),
            ("extra bytes", [whole.as_slice(), b"x"].concat(), 15),
        ] {
            std::fs::write(&sample.bundle, damaged).unwrap();
            same(reason, verify(), expected);
        }
        std::fs::write(&sample.bundle, &whole).unwrap();
        let other = Sample::new();
        same("another key", code(&["verify", &file, "--public-key", &other.key]), 11);
        let stranger = other.path("identity.txt");
        same("another identity", code(&["verify", &file, "--public-key", &sample.key, "--identity", &stranger]), 17);
        let signature = caretaker_bundle::signature_path(&sample.bundle);
        let text = std::fs::read_to_string(&signature).unwrap();
        std::fs::write(&signature, text.replace("mode=final", "mode=other")).unwrap();
        same("edited comment", verify(), 12);
        std::fs::write(&signature, "x").unwrap();
        same("malformed", verify(), 10);
        std::fs::remove_file(&signature).unwrap();
        same("unsigned", verify(), 19);
        same("no such file", code(&["verify", &sample.path("none"), "--public-key", &sample.key]), 1);
        same("no key", code(&["verify", &file, "--public-key", "age1x"]), 1);
    }

    #[test]
    fn a_list_says_what_is_claimed_and_what_is_wrong() {
        let sample = Sample::new();
        let size = std::fs::metadata(&sample.bundle).unwrap().len();
        let good = row(&sample.bundle, size);
        assert_eq!(good["claims"], json!({"client": "acme", "id": "8a1b", "mode": "final", "time": "2026-11-25T12:00:00Z"}));
        assert_eq!(cells(&good)[..4], ["acme", "final", "8a1b", "2026-11-25T12:00:00Z"]);
        assert_eq!(cells(&row(&sample.bundle, size - 1))[5], "INCOMPLETE");
        assert_eq!(cells(&row(&sample.bundle, size + 1))[5], "EXTRA-BYTES");
        assert_eq!(cells(&row(Path::new("none.tar.zst.age"), 1))[5], "UNSIGNED");
        let mut found = Vec::new();
        collect(sample.folder.path(), &mut found).unwrap();
        assert_eq!(found, [(sample.bundle.clone(), size)], "signatures and keys are no bundles");
    }

    #[test]
    fn a_signer_must_be_named_once() {
        for words in [vec!["verify", "x"], vec!["verify", "x", "--public-key", "a", "--public-key-file", "b"]] {
            assert!(Whole::try_parse_from([vec!["bundle"], words].concat()).is_err());
        }
    }

    #[test]
    fn an_identity_is_never_echoed() {
        let sample = Sample::new();
        let path = sample.folder.path().join("identity.txt");
        let secret = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{}x", &secret[..50])).unwrap();
        let error = read_identities(&path).unwrap_err();
        assert!(!format!("{error:#} {error:?}").contains(&secret[20..30]));
    }
}
