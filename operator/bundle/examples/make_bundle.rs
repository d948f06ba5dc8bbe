//! Writes a sample bundle with names that other systems refuse, for other people's tools to open:
//!
//! ```text
//! cargo run -p caretaker-bundle --example make_bundle -- FOLDER [PAYLOAD_MEBIBYTES]
//! ```
//!
//! The folder gets the bundle with its signature, `identity.txt` (a recipient's key, for `age -d -i`), `signing.pub` (for `minisign -p`),
//! `signing.key` (for `minisign -s`) and `expected.json`: the file that must hold each name, as its bytes too. The last line on standard
//! output is the bundle's path. The keys are made anew each time.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;

use age::secrecy::ExposeSecret;
use caretaker_bundle::{About, Entry, Mode, SigningKey, Source, seal};

/// Names that some file system, archiver or BagIt tool refuses or confuses, in groups that meet somewhere.
const NASTY: [&str; 26] = [
    "Ops",
    "ops",
    "OPS",
    "caretaker:edit",
    "aux",
    "AUX",
    "con.txt",
    "50%0A.",
    "50%25",
    "Z\u{fc}rich",
    "Zu\u{308}rich",
    "line\nfeed",
    "carriage\rreturn",
    "../../x",
    "/etc/passwd",
    "C:\\Windows",
    "end ",
    " begin",
    "dot.",
    ".hidden",
    "-rf",
    "~root",
    "a\"b'c`d$e",
    "日本",
    "",
    "\u{202e}gpj.exe",
];

/// Bytes that no packer makes smaller, in megabytes without holding them.
struct Noise(u64);

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for byte in buffer.iter_mut() {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            *byte = self.0.to_le_bytes()[4];
        }
        Ok(buffer.len())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("give a folder to write to")?);
    let mebibytes: u64 = args.next().map_or(Ok(0), |text| text.parse())?;
    fs::create_dir_all(&folder)?;
    let (identity, key) = (age::x25519::Identity::generate(), SigningKey::generate()?);
    let recipient = identity.to_public().to_string();
    fs::write(folder.join("identity.txt"), format!("# public key: {recipient}\n{}\n", identity.to_string().expose_secret()))?;
    fs::write(folder.join("signing.pub"), key.public().to_file_text())?;
    fs::write(folder.join("signing.key"), key.to_text()?)?;

    let long = "n".repeat(240);
    let mut entries = vec![Entry::text("00-READ-ME-FIRST.md", "# A sample\n")];
    let mut expected = BTreeMap::new();
    for name in NASTY.into_iter().chain([long.as_str()]) {
        let entry = Entry::named("02-inventory", name, ".txt", Source::Bytes(name.as_bytes().to_vec()));
        expected.insert(format!("data/{}", entry.path), name);
        entries.push(entry);
    }
    if mebibytes > 0 {
        let source = Source::spool(Noise(88_172_645_463_325_252).take(mebibytes << 20), &folder)?;
        entries.push(Entry { path: "02-inventory/large.bin".into(), true_name: None, source });
    }
    fs::write(folder.join("expected.json"), serde_json::to_string_pretty(&expected)? + "\n")?;
    let about = About { client: "acme".into(), id: "8a1b".into(), mode: Mode::Final, at: "2026-11-25T12:00:00Z".parse()? };
    let sealed = seal(&folder, &about, &entries, &[recipient], &key)?;
    println!("{}", sealed.path.display());
    Ok(())
}
