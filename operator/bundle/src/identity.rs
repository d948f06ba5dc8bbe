//! The receiver's keys: an identity file as `age-keygen` writes it.

use std::fmt;

use age::x25519::Identity;

use crate::recipient::normalise;

/// An identity file that cannot be used. Holds nothing of what stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// No key is in it.
    #[error("no age identity: the file has a line that starts with AGE-SECRET-KEY-1, as age-keygen writes it")]
    NoneFound,
    /// The file is encrypted.
    #[error("the identity file is itself encrypted: decrypt it first with `age -d`")]
    Encrypted,
    /// A line is no X25519 identity.
    #[error(
        "line {line} is no X25519 identity: it starts with AGE-SECRET-KEY-1; identities of plugins and SSH keys are opened with `age -d` itself"
    )]
    Unsupported {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A key is damaged.
    #[error("line {line} is a damaged age identity: a character is wrong or missing")]
    Damaged {
        /// Number of the line, from 1.
        line: usize,
    },
}

/// The identities of a file; each is tried. Never printed.
pub struct Identities(Vec<Identity>);

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({}, secret redacted)", self.0.len())
    }
}

impl Identities {
    /// Reads the text of an identity file: one key in a line; blank lines and lines that start with `#` do not count.
    ///
    /// # Errors
    /// The text holds no key, or a line that is none.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let text = normalise(text);
        if text.starts_with("age-encryption.org/") || text.starts_with("-----BEGIN AGE ENCRYPTED FILE") {
            return Err(IdentityError::Encrypted);
        }
        let mut identities = Vec::new();
        for (index, line) in text.lines().map(normalise).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let line_number = index + 1;
            if !line.starts_with("AGE-SECRET-KEY-1") {
                return Err(IdentityError::Unsupported { line: line_number });
            }
            identities.push(line.parse().map_err(|_| IdentityError::Damaged { line: line_number })?);
        }
        if identities.is_empty() { Err(IdentityError::NoneFound) } else { Ok(Self(identities)) }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.0.iter().map(|identity| identity as &dyn age::Identity)
    }
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn identity_files_as_people_have_them() {
        let key = Identity::generate().to_string().expose_secret().to_owned();
        for (reason, text, expected) in [
            ("as age-keygen writes it", format!("# created: today\n# public key: age1x\n{key}\n"), Ok(1)),
            ("line ends of Windows and a byte order mark", format!("\u{feff}# x\r\n{key}\r\n"), Ok(1)),
            ("two keys", format!("{key}\n{key}\n"), Ok(2)),
            ("empty", "\n".into(), Err(IdentityError::NoneFound)),
            ("comments alone", "# x".into(), Err(IdentityError::NoneFound)),
            ("a public key", "# x\nage1abc".into(), Err(IdentityError::Unsupported { line: 2 })),
            ("a plugin", format!("{key}\nAGE-PLUGIN-YUBIKEY-1ABC"), Err(IdentityError::Unsupported { line: 2 })),
            ("a damaged key", key[..key.len() - 1].to_owned(), Err(IdentityError::Damaged { line: 1 })),
            ("encrypted", "age-encryption.org/v1\n-> scrypt".into(), Err(IdentityError::Encrypted)),
        ] {
            let parsed = Identities::parse(&text);
            if let Err(error) = &parsed {
                assert!(!format!("{error} {error:?}").contains(&key[20..30]), "{reason}: a secret is echoed");
            }
            assert_eq!(parsed.map(|identities| identities.0.len()), expected, "{reason}");
        }
        assert_eq!(format!("{:?}", Identities::parse(&key).unwrap()), "Identities(1, secret redacted)");
    }
}
