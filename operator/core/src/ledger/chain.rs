//! Segments and their chain: how one is written, and what is wrong where one was lost, altered, replaced or cut off.

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use crate::digest::sha256_hex;

/// Version of the format.
const VERSION: u32 = 1;
/// Digits of a segment's number in its name.
const DIGITS: usize = 8;

/// Whose ledger it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// Name of the client.
    pub client: String,
    /// UID of its ManagedClient: another client of the same name has another ledger.
    pub uid: String,
}

impl Place {
    /// The folder in the store.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("clients/{}/ledger/{}", self.client, self.uid)
    }

    /// Address of a segment.
    #[must_use]
    pub fn address(&self, number: u64) -> String {
        format!("{}/{number:0DIGITS$}.ndjson", self.folder())
    }

    /// Number of the segment at an address; `None` where it is none.
    #[must_use]
    pub fn number(address: &str) -> Option<u64> {
        address.rsplit('/').next()?.strip_suffix(".ndjson")?.parse().ok()
    }
}

/// The end of a chain as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Head {
    /// Number of the last segment; 0 before the first.
    pub number: u64,
    /// SHA-256 of its bytes, hexadecimal; empty before the first.
    pub digest: String,
}

/// First line of a segment.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    caretaker_ledger: u32,
    client: String,
    uid: String,
    segment: u64,
    previous: String,
}

/// A segment that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Its number.
    pub number: u64,
    /// SHA-256 of its bytes.
    pub digest: String,
    /// Digest of the segment before, as this one names it.
    pub previous: String,
    /// Its entries.
    pub entries: Vec<Entry>,
}

/// What is wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Segments in between are not there.
    #[error("segments {first} to {last} are lost")]
    Lost {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// A segment is no segment.
    #[error("segment {number} cannot be read: {why}")]
    Unreadable {
        /// Its number.
        number: u64,
        /// Why.
        why: String,
    },
    /// A segment of another client, or under another's number.
    #[error("segment {number} is not of this ledger: it says that it is segment {said}")]
    Foreign {
        /// The number that it stands under.
        number: u64,
        /// What it says of itself.
        said: String,
    },
    /// A segment does not name the one before.
    #[error("segment {number} does not follow from segment {}: one of the two was altered or replaced", .number - 1)]
    Forked {
        /// Its number.
        number: u64,
    },
    /// A segment is another one than was recorded in the cluster.
    #[error("segment {number} is not the one that was written: the chain was replaced from there or before")]
    Replaced {
        /// Its number.
        number: u64,
    },
    /// The chain ends before the segment that was recorded in the cluster.
    #[error("the chain was shortened: segment {known} was written, and the last one there is {found}")]
    Shortened {
        /// Number of the last segment that is known to have been written.
        known: u64,
        /// Number of the last one that is there.
        found: u64,
    },
}

/// The next segment: its number and its bytes.
#[must_use]
pub fn next(place: &Place, head: &Head, entries: &[Entry]) -> (u64, Vec<u8>) {
    let number = head.number + 1;
    let header = Header {
        caretaker_ledger: VERSION,
        client: place.client.clone(),
        uid: place.uid.clone(),
        segment: number,
        previous: head.digest.clone(),
    };
    let mut bytes = line(&header);
    entries.iter().for_each(|entry| bytes.extend(line(entry)));
    (number, bytes)
}

/// Everything in here is plain data, which always has a JSON form.
fn line<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(value).expect("plain data has a JSON form");
    bytes.push(b'\n');
    bytes
}

/// Reads a segment that stands under a number.
///
/// # Errors
/// [`Broken::Unreadable`] or [`Broken::Foreign`].
pub fn read(place: &Place, number: u64, bytes: &[u8]) -> Result<Segment, Broken> {
    let unreadable = |why: String| Broken::Unreadable { number, why };
    let mut lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let first = lines.next().ok_or_else(|| unreadable("it is empty".into()))?;
    let header: Header = serde_json::from_slice(first).map_err(|error| unreadable(error.to_string()))?;
    if header.caretaker_ledger != VERSION {
        return Err(unreadable(format!("it has version {}, and this release reads version {VERSION}", header.caretaker_ledger)));
    }
    if (header.segment, &header.client, &header.uid) != (number, &place.client, &place.uid) {
        let said = format!("{} of client {} ({})", header.segment, header.client, header.uid);
        return Err(Broken::Foreign { number, said });
    }
    let entries = lines.map(serde_json::from_slice).collect::<Result<Vec<Entry>, _>>().map_err(|error| unreadable(error.to_string()))?;
    Ok(Segment { number, digest: sha256_hex(bytes), previous: header.previous, entries })
}

/// Follows a chain from its first segment to its last and notes what is wrong. It goes on behind a fault: what is still there is still told.
#[derive(Clone, Debug)]
pub struct Chain {
    place: Place,
    known: Head,
    head: Head,
    faults: Vec<Broken>,
}

impl Chain {
    /// A chain that is followed from its beginning. `known` is the last segment that is known to have been written, from the cluster.
    #[must_use]
    pub fn new(place: Place, known: Head) -> Self {
        Self { place, known, head: Head::default(), faults: Vec::new() }
    }

    /// Takes the next segment by number, and gives its entries; none where it cannot be read.
    pub fn take(&mut self, number: u64, bytes: &[u8]) -> Vec<Entry> {
        let expected = self.head.number + 1;
        let follows = number == expected;
        if number > expected {
            self.faults.push(Broken::Lost { first: expected, last: number - 1 });
        }
        let digest = sha256_hex(bytes);
        let entries = match read(&self.place, number, bytes) {
            Ok(segment) => {
                if follows && segment.previous != self.head.digest {
                    self.faults.push(Broken::Forked { number });
                }
                segment.entries
            }
            Err(broken) => {
                self.faults.push(broken);
                Vec::new()
            }
        };
        if number == self.known.number && digest != self.known.digest {
            self.faults.push(Broken::Replaced { number });
        }
        self.head = Head { number, digest };
        entries
    }

    /// The end of the chain, behind which the next segment goes, and everything that is wrong. A chain whose end was cut off or replaced goes on behind the
    /// last segment that is known to have been written, so that the loss stays to be seen.
    #[must_use]
    pub fn finish(mut self) -> (Head, Vec<Broken>) {
        if self.head.number < self.known.number {
            self.faults.push(Broken::Shortened { known: self.known.number, found: self.head.number });
        }
        if self.head.number <= self.known.number {
            self.head = self.known;
        }
        (self.head, self.faults)
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::{Body, Operation};
    use super::*;

    fn place() -> Place {
        Place { client: "acme".into(), uid: "u1".into() }
    }

    fn entry(error: &str) -> Entry {
        Entry {
            at: jiff::Timestamp::UNIX_EPOCH,
            operation: Operation::default(),
            subject: "prod".into(),
            by: Default::default(),
            body: Body::Failure { key: "k".into(), error: error.into() },
        }
    }

    type Segments = Vec<(u64, Vec<u8>)>;

    /// Segments 1 to `count`.
    fn written(count: u64) -> Segments {
        let mut head = Head::default();
        (1..=count)
            .map(|number| {
                let made = next(&place(), &head, &[entry(&number.to_string())]);
                head = Head { number: made.0, digest: sha256_hex(&made.1) };
                made
            })
            .collect()
    }

    fn follow(known: Head, segments: &[(u64, Vec<u8>)]) -> (usize, Head, Vec<Broken>) {
        let mut chain = Chain::new(place(), known);
        let entries = segments.iter().map(|(number, bytes)| chain.take(*number, bytes).len()).sum();
        let (head, faults) = chain.finish();
        (entries, head, faults)
    }

    #[test]
    fn every_way_to_tamper_with_a_chain_is_named() {
        let good = written(5);
        let known = Head { number: 5, digest: sha256_hex(&good[4].1) };
        let but = |change: &dyn Fn(&mut Segments)| {
            let mut segments = good.clone();
            change(&mut segments);
            segments
        };
        let edited = |number: usize| {
            but(&|segments| {
                let text = String::from_utf8(segments[number - 1].1.clone()).unwrap().replace("prod", "test");
                segments[number - 1].1 = text.into_bytes();
            })
        };
        let other = next(&Place { uid: "u2".into(), ..place() }, &Head::default(), &[]);
        for (why, segments, expected) in [
            ("nothing is wrong", good.clone(), vec![]),
            ("one is lost", but(&|all| drop(all.remove(2))), vec![Broken::Lost { first: 3, last: 3 }]),
            ("the first ones are lost", but(&|all| drop(all.drain(..2))), vec![Broken::Lost { first: 1, last: 2 }]),
            ("an entry was edited", edited(2), vec![Broken::Forked { number: 3 }]),
            ("an entry of the last one was edited", edited(5), vec![Broken::Replaced { number: 5 }]),
            ("the end is gone", but(&|all| all.truncate(3)), vec![Broken::Shortened { known: 5, found: 3 }]),
            ("all is gone", vec![], vec![Broken::Shortened { known: 5, found: 0 }]),
            (
                "another client's stands in its place",
                but(&|all| all[0].1.clone_from(&other.1)),
                vec![Broken::Foreign { number: 1, said: "1 of client acme (u2)".into() }, Broken::Forked { number: 2 }],
            ),
        ] {
            let (_, head, faults) = follow(known.clone(), &segments);
            assert_eq!(faults, expected, "{why}");
            assert_eq!(head.number, 5, "{why}: the next one goes behind all that were ever written");
        }
        let (entries, head, faults) = follow(Head::default(), &good);
        assert_eq!((entries, head, faults), (5, known, vec![]));
    }

    #[test]
    fn what_cannot_be_read_stops_nothing_behind_it() {
        let mut segments = written(3);
        segments[1].1 = b"\0".to_vec();
        let (entries, head, faults) = follow(Head::default(), &segments);
        assert!(entries == 2 && head.number == 3, "{faults:?}");
        assert!(matches!(&faults[..], [Broken::Unreadable { number: 2, .. }, Broken::Forked { number: 3 }]), "{faults:?}");
    }

    #[test]
    fn a_segment_s_address_tells_its_number() {
        assert_eq!(place().address(12), "clients/acme/ledger/u1/00000012.ndjson");
        assert_eq!(Place::number(&place().address(123_456_789)), Some(123_456_789));
        assert_eq!((Place::number("clients/acme/ledger/u1/probe"), Place::number("x.ndjson")), (None, None));
    }
}
