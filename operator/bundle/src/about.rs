//! What a bundle says of itself: in the signature's trusted comment and in `bag-info.txt`. The two must agree.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

/// Rehearsal or the real thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is revoked after it.
    Rehearsal,
    /// The end of the contract.
    Final,
}

impl Mode {
    /// The word in the bundle.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rehearsal => "rehearsal",
            Self::Final => "final",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Rehearsal, Self::Final].into_iter().find(|mode| mode.as_str() == word)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which bundle it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Name of the ManagedClient: a DNS label.
    pub client: String,
    /// Id of the bundle: at most 64 letters, digits and `-`.
    pub id: String,
    /// Rehearsal or final.
    pub mode: Mode,
    /// The time that all files carry.
    pub at: Timestamp,
}

/// The file name of a bundle: it says whose it is and whether it is a rehearsal, and verifying holds it to that.
#[must_use]
pub fn file_name(about: &About) -> String {
    format!("{}-{}-{}.tar.zst.age", about.client, about.mode, about.id)
}

/// Word that a trusted comment of ours starts with.
const PREFIX: &str = "caretaker-bundle-v1";

/// What the trusted comment says beyond [`About`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Comment {
    pub about: About,
    pub tar_sha256: String,
    pub size: u64,
}

impl Comment {
    pub fn render(&self) -> String {
        let About { client, id, mode, at } = &self.about;
        format!("{PREFIX} client={client} id={id} mode={mode} time={at} size={} tar-sha256={}", self.size, self.tar_sha256)
    }

    /// Takes only what [`Comment::render`] writes, so that a comment has one reading.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        if words.next()? != PREFIX {
            return None;
        }
        let fields: BTreeMap<&str, &str> = words.filter_map(|word| word.split_once('=')).collect();
        let comment = Self {
            about: About {
                client: (*fields.get("client")?).into(),
                id: (*fields.get("id")?).into(),
                mode: Mode::parse(fields.get("mode")?)?,
                at: fields.get("time")?.parse().ok()?,
            },
            tar_sha256: (*fields.get("tar-sha256")?).into(),
            size: fields.get("size")?.parse().ok()?,
        };
        (comment.about.fault().is_none() && comment.render() == text).then_some(comment)
    }
}

impl About {
    /// What is wrong with the client's name or the id, which stand in file names, folders and the trusted comment.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let edge = |text: &str, at: fn(&str) -> Option<char>| at(text).is_some_and(|c| c.is_ascii_alphanumeric());
        let ends_well = |text: &str| edge(text, |text| text.chars().next()) && edge(text, |text| text.chars().last());
        let label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !ends_well(&self.client) || self.client.len() > 63 || !self.client.chars().all(label) {
            return Some("the client's name is no DNS label: at most 63 lower-case letters, digits and -");
        }
        if !ends_well(&self.id) || self.id.len() > 64 || !self.id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Some("the bundle's id is not made of at most 64 letters, digits and -");
        }
        None
    }

    /// The folder that the tar holds: at most 73 bytes.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("{}-{}", self.client, self.mode)
    }

    /// `bag-info.txt` over a payload of so many bytes in so many files.
    pub(crate) fn bag_info(&self, (bytes, files): (u64, usize)) -> String {
        format!(
            "Bag-Software-Agent: Caretaker\nBagging-Date: {}\nCaretaker-Client: {}\nCaretaker-Mode: {}\nCaretaker-Time: {}\n\
             External-Identifier: {}\nPayload-Oxum: {bytes}.{files}\n",
            self.at.strftime("%Y-%m-%d"),
            self.client,
            self.mode,
            self.at,
            self.id
        )
    }

    pub(crate) fn from_bag_info(text: &str) -> Option<Self> {
        let fields: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once(": ")).collect();
        Some(Self {
            client: (*fields.get("Caretaker-Client")?).into(),
            id: (*fields.get("External-Identifier")?).into(),
            mode: Mode::parse(fields.get("Caretaker-Mode")?)?,
            at: fields.get("Caretaker-Time")?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comment() -> Comment {
        let about = About { client: "acme".into(), id: "8a1b".into(), mode: Mode::Final, at: "2026-11-25T12:00:00.5Z".parse().unwrap() };
        Comment { about, tar_sha256: "0".repeat(64), size: 7 }
    }

    #[test]
    fn a_comment_has_one_reading() {
        let text = comment().render();
        assert_eq!(Comment::parse(&text), Some(comment()));
        for other in [
            format!("{text} mode=rehearsal"),
            format!("{text} "),
            text.replace(" id=", "  id="),
            text.replace("client=acme", "client=acme client=acme"),
            text.replace("size=7", "size=07"),
            text.replace("12:00:00.5Z", "13:00:00.5+01:00"),
            text.replace("mode=final", "mode=Final"),
            text.replace(PREFIX, "caretaker-bundle-v2"),
            text.replace("acme", "Acme"),
        ] {
            assert_eq!(Comment::parse(&other), None, "{other}");
        }
    }

    #[test]
    fn names_that_would_speak_in_the_comment_are_faults() {
        for (client, id) in [
            ("", "1"),
            ("a mode=final", "1"),
            ("a\nb", "1"),
            ("../a", "1"),
            ("-a", "1"),
            ("a-", "1"),
            ("A", "1"),
            (&*"a".repeat(64), "1"),
            ("a", ""),
            ("a", "1 mode=final"),
            ("a", "../1"),
            ("a", &*"1".repeat(65)),
        ] {
            let about = About { client: client.into(), id: id.into(), ..comment().about };
            assert!(about.fault().is_some(), "{client:?} {id:?}");
        }
        assert_eq!(comment().about.fault(), None);
    }

    #[test]
    fn bag_info_is_read_as_it_was_written() {
        let about = comment().about;
        assert_eq!(About::from_bag_info(&about.bag_info((3, 1))), Some(about));
    }
}
