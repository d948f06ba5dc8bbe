//! The handover bundle: its format, sealing and verification.
//!
//! A bundle is a BagIt bag (RFC 8493) in a tar, packed with zstd, sealed with age to X25519 recipients and signed in the minisign format. A receiver
//! needs no Caretaker to open it: `minisign -V`, `age -d`, `zstd -d`, `tar -xf`, `bagit.py --validate`. The format is written down in `FORMAT.md`.
//!
//! [`seal`] makes a bundle from [`Entry`]s; [`Verifier`] judges one, without or with an identity, and opens it. This crate knows no cluster and no
//! cloud, and never holds a payload in memory.

mod about;
mod acceptance;
mod bag;
mod hashing;
mod identity;
mod key;
mod paths;
mod recipient;
mod seal;
mod signature;
mod statement;
mod unpack;
mod verdict;
mod verify;

pub use about::{About, Mode, file_name};
pub use acceptance::acceptance_code;
pub use bag::{BagFault, Entry, Source, count};
pub use hashing::sha256_file;
pub use identity::{Identities, IdentityError};
pub use key::{KeyError, PublicKey, SigningKey};
pub use paths::portable;
pub use recipient::{RecipientFault, RecipientProblem, normalise, recipient_faults};
pub use seal::{SealError, Sealed, seal};
pub use signature::{is_signed, signature_path};
pub use statement::statement_path;
pub use unpack::Limits;
pub use verdict::Verdict;
pub use verify::{Claims, Opened, Outer, Progress, Stage, Verified, Verifier, claims, verify_outer};
