//! Why a bundle is not accepted: each kind of damage has a word and an exit code of its own.

use std::io;
use std::path::PathBuf;

/// Why a bundle is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Verdict {
    /// No signature is there.
    #[error("not signed: {} is missing; copy it together with the bundle", .0.display())]
    Unsigned(PathBuf),
    /// The signature file cannot be read as one of a bundle.
    #[error("the signature file is malformed: get the .minisig that belongs to the bundle")]
    MalformedSignature,
    /// No valid signature of this key.
    #[error("signed by another key: compare the public key with the provider's fingerprint, and get the .minisig again")]
    AnotherKey,
    /// The bundle is as it was signed, but the trusted comment was edited.
    #[error("the signature's trusted comment was edited: believe nothing in it, and get the .minisig again")]
    CommentEdited,
    /// The bytes differ from what was signed.
    #[error("the bundle's bytes were altered after it was signed: copy the bundle again, and do not open this one")]
    Altered,
    /// The file ends too early.
    #[error("incomplete: {actual} of {expected} bytes; copy the bundle again")]
    Incomplete {
        /// Bytes that were signed.
        expected: u64,
        /// Bytes that are there.
        actual: u64,
    },
    /// The file goes on after its end.
    #[error("extra bytes: {actual} where {expected} were signed; copy the bundle again")]
    ExtraBytes {
        /// Bytes that were signed.
        expected: u64,
        /// Bytes that are there.
        actual: u64,
    },
    /// The statement beside the bundle is not this bundle's, or not signed by this key.
    #[error("{} is not the statement of this bundle under this key: get it again, or remove it and check with the .minisig alone", .0.display())]
    Statement(PathBuf),
    /// Name, trusted comment and bag do not speak of the same bundle.
    #[error("not the bundle that it poses as: {0}")]
    Mismatch(String),
    /// The identities open nothing here.
    #[error("not sealed to this identity: use one whose public key is among the recipients")]
    WrongIdentity,
    /// The bag inside is not valid.
    #[error("the bag inside is not valid: {0}; ask the provider to seal again")]
    Invalid(String),
    /// The folder to open into holds something already.
    #[error("{} is there already and not empty: open into another folder", .0.display())]
    Occupied(PathBuf),
    /// A file could not be read or written.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl Verdict {
    /// Exit code of the command line, one for each kind; 1 where nothing is known of the bundle.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Io { .. } | Self::Occupied(_) => 1,
            Self::MalformedSignature => 10,
            Self::AnotherKey => 11,
            Self::CommentEdited => 12,
            Self::Altered => 13,
            Self::Incomplete { .. } => 14,
            Self::ExtraBytes { .. } => 15,
            Self::Mismatch(_) => 16,
            Self::WrongIdentity => 17,
            Self::Invalid(_) => 18,
            Self::Unsigned(_) => 19,
            Self::Statement(_) => 20,
        }
    }

    /// The verdict in one word, for machines.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Io { .. } => "failed",
            Self::Occupied(_) => "occupied",
            Self::MalformedSignature => "malformed-signature",
            Self::AnotherKey => "another-key",
            Self::CommentEdited => "comment-edited",
            Self::Altered => "altered",
            Self::Incomplete { .. } => "incomplete",
            Self::ExtraBytes { .. } => "extra-bytes",
            Self::Mismatch(_) => "mismatch",
            Self::WrongIdentity => "wrong-identity",
            Self::Invalid(_) => "invalid",
            Self::Unsigned(_) => "unsigned",
            Self::Statement(_) => "statement",
        }
    }
}

/// A failure that says nothing of the bundle.
pub(crate) fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> Verdict {
    let what = what.into();
    move |source| Verdict::Io { what, source }
}
