//! The handover bundle: its format, sealing and verification.
//!
//! A bundle is a BagIt bag (RFC 8493) in a tar, packed with zstd, sealed with age to X25519 recipients and signed in the minisign format. A receiver
//! needs no Caretaker to open it: `minisign -V`, `age -d`, `zstd -d`, `tar x`, `bagit.py --validate`. The format is written down in `FORMAT.md`.
//!
//! This crate knows no cluster and no cloud.

mod about;
mod bag;
mod hashing;
mod key;
mod paths;
mod recipient;
mod seal;
mod verify;

pub use about::{About, Mode};
pub use bag::{Entry, Source};
pub use hashing::sha256_file;
pub use key::{KeyError, PublicKey, SigningKey};
pub use paths::portable;
pub use recipient::{normalise, parse_recipients, recipient_faults};
pub use seal::{SealError, Sealed, file_name, seal, signature_path};
pub use verify::{Opened, Verdict, open, verify_outer};
