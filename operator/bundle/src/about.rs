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
    /// Id of the bundle: letters, digits and `-`.
    pub id: String,
    /// Rehearsal or final.
    pub mode: Mode,
    /// The time that all files carry.
    pub at: Timestamp,
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

    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        if words.next()? != PREFIX {
            return None;
        }
        let fields: BTreeMap<&str, &str> = words.filter_map(|word| word.split_once('=')).collect();
        Some(Self {
            about: About {
                client: (*fields.get("client")?).into(),
                id: (*fields.get("id")?).into(),
                mode: Mode::parse(fields.get("mode")?)?,
                at: fields.get("time")?.parse().ok()?,
            },
            tar_sha256: (*fields.get("tar-sha256")?).into(),
            size: fields.get("size")?.parse().ok()?,
        })
    }
}

impl About {
    /// `bag-info.txt` without its `Payload-Oxum`.
    pub(crate) fn bag_info(&self) -> String {
        format!(
            "Bag-Software-Agent: Caretaker\nBagging-Date: {}\nCaretaker-Client: {}\nCaretaker-Mode: {}\nCaretaker-Time: {}\nExternal-Identifier: {}\n",
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
