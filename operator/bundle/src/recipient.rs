//! Recipients as people paste them. All of a list's faults are told; a list with a fault gives no recipients, so that a bundle is never sealed to fewer
//! than listed. What was pasted is never echoed, not even in part: it may be a secret.

use std::collections::BTreeMap;

use age::x25519::Recipient;

/// What is wrong with a recipient, and the cure. Holds nothing of what was pasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientProblem {
    /// The list is empty.
    #[error("no recipient: ask the client to run age-keygen and list the public key it prints")]
    NoneListed,
    /// The entry is empty.
    #[error("empty: list the public key that age-keygen prints")]
    Empty,
    /// A secret key, of age, of a plugin or of SSH.
    #[error("a SECRET key: treat it as leaked, make a new pair with age-keygen and list the public key that starts with age1")]
    Secret,
    /// More than a key in one entry.
    #[error("more than one key: give each key an entry of its own, with nothing beside it")]
    Several,
    /// An SSH key.
    #[error("an SSH key: run age-keygen and list the public key that starts with age1")]
    Ssh,
    /// A key of an age plugin or of another kind than X25519.
    #[error("a key of an age plugin: list an X25519 key as age-keygen makes it, age1 and 58 characters without another 1")]
    Plugin,
    /// Upper-case letters.
    #[error("upper-case letters: an age public key is all lower case; copy it again as age-keygen printed it")]
    LetterCase,
    /// Nothing that looks like an age public key.
    #[error("not an age public key: it starts with age1 and has 62 characters, as age-keygen prints it")]
    NotAge,
    /// The checksum does not fit.
    #[error("mistyped: a character is wrong or missing; copy the public key again")]
    Mistyped,
    /// A point of small order: whoever seals to it seals to everybody.
    #[error("not a key that anybody holds: make a pair with age-keygen and list its public key")]
    Weak,
    /// The same key stands earlier in the list.
    #[error("the same key as entry {first}: list each key once")]
    Duplicate {
        /// Index of the entry that has it first, from 0.
        first: usize,
    },
}

/// A fault of a list of recipients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecipientFault {
    /// Index of the entry at fault, from 0; none where the whole list is.
    pub index: Option<usize>,
    /// What is wrong, and the cure.
    pub problem: RecipientProblem,
}

impl RecipientFault {
    /// The field at fault, below the field that holds the list: `spec.exit.recipients[1]`.
    #[must_use]
    pub fn field(&self, list: &str) -> String {
        self.index.map_or_else(|| list.to_owned(), |index| format!("{list}[{index}]"))
    }
}

impl std::fmt::Display for RecipientFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.index {
            Some(index) => write!(f, "entry {index}: {}", self.problem),
            None => self.problem.fmt(f),
        }
    }
}

/// A recipient without what surrounds it when it is pasted: blanks, line ends, byte order marks and characters of no width.
#[must_use]
pub fn normalise(pasted: &str) -> &str {
    pasted.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'..='\u{200d}' | '\u{2060}'))
}

/// Every fault of a list; none means that a bundle can be sealed to all of it.
#[must_use]
pub fn recipient_faults(pasted: &[String]) -> Vec<RecipientFault> {
    parse_recipients(pasted).err().unwrap_or_default()
}

/// The recipients of a list, all of them.
pub(crate) fn parse_recipients(pasted: &[String]) -> Result<Vec<Recipient>, Vec<RecipientFault>> {
    if pasted.is_empty() {
        return Err(vec![RecipientFault { index: None, problem: RecipientProblem::NoneListed }]);
    }
    let mut faults = Vec::new();
    let mut recipients = Vec::new();
    let mut first_seen: BTreeMap<[u8; 32], usize> = BTreeMap::new();
    for (index, text) in pasted.iter().enumerate() {
        let parsed = parse(normalise(text)).and_then(|(recipient, point)| match first_seen.get(&point) {
            Some(first) => Err(RecipientProblem::Duplicate { first: *first }),
            None => Ok((recipient, point)),
        });
        match parsed {
            Err(problem) => faults.push(RecipientFault { index: Some(index), problem }),
            Ok((recipient, point)) => {
                first_seen.insert(point, index);
                recipients.push(recipient);
            }
        }
    }
    if faults.is_empty() { Ok(recipients) } else { Err(faults) }
}

/// Length of an X25519 recipient: `age1`, 52 characters of key, 6 of checksum.
const LENGTH: usize = 62;

fn parse(text: &str) -> Result<(Recipient, [u8; 32]), RecipientProblem> {
    let upper = text.to_ascii_uppercase();
    let lower = text.to_ascii_lowercase();
    if ["AGE-SECRET-KEY-", "AGE-PLUGIN-", "PRIVATE KEY"].iter().any(|mark| upper.contains(mark)) {
        return Err(RecipientProblem::Secret);
    }
    if text.is_empty() {
        return Err(RecipientProblem::Empty);
    }
    if ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"].iter().any(|kind| lower.starts_with(kind)) {
        return Err(RecipientProblem::Ssh);
    }
    // The alphabet of an age key has no `1`, so a second `age1` is a second key, whatever joins them.
    if text.contains([',', ';']) || text.contains(char::is_whitespace) || lower.matches("age1").count() > 1 {
        return Err(RecipientProblem::Several);
    }
    let Some(rest) = lower.strip_prefix("age1") else { return Err(RecipientProblem::NotAge) };
    if rest.contains('1') && text.len() != LENGTH {
        return Err(RecipientProblem::Plugin);
    }
    let recipient: Recipient = lower.parse().map_err(|_| RecipientProblem::Mistyped)?;
    if text != lower {
        return Err(RecipientProblem::LetterCase);
    }
    let point = point(rest).ok_or(RecipientProblem::Mistyped)?;
    if SMALL_ORDER.contains(&point) { Err(RecipientProblem::Weak) } else { Ok((recipient, point)) }
}

/// The point behind a key whose checksum was checked: bech32's five bits per character. X25519 ignores the topmost bit, so two keys that differ only
/// there are the same.
fn point(data: &str) -> Option<[u8; 32]> {
    const ALPHABET: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(32), 0_u32, 0_u32);
    for letter in data.chars().take(52) {
        bits = (bits << 5) | u32::try_from(ALPHABET.find(letter)?).ok()?;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    let mut point: [u8; 32] = bytes.try_into().ok()?;
    point[31] &= 0x7f;
    Some(point)
}

/// The encodings of the points of small order on Curve25519: 0, 1, the two of order 8, p-1, p and p+1. Sealing to one of them aborts inside `age`.
/// Source: <https://cr.yp.to/ecdh.html>, "Validating Curve25519 public keys".
const SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    with_first(0, 1),
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
        0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
        0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
    below_two_to_255(0xec),
    below_two_to_255(0xed),
    below_two_to_255(0xee),
];

const fn with_first(fill: u8, first: u8) -> [u8; 32] {
    let mut point = [fill; 32];
    point[0] = first;
    point
}

const fn below_two_to_255(first: u8) -> [u8; 32] {
    let mut point = with_first(0xff, first);
    point[31] = 0x7f;
    point
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret;
    use age::x25519::Identity;

    use super::RecipientProblem as Problem;
    use super::*;

    /// A reason, a list as it was pasted, and its faults.
    type Case = (&'static str, Vec<String>, Vec<(usize, Problem)>);

    fn key() -> String {
        Identity::generate().to_public().to_string()
    }

    /// The recipient of any 32 bytes, which no constructor of `age` gives.
    fn encode(point: [u8; 32]) -> String {
        const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
        let mut values = Vec::new();
        let (mut bits, mut held) = (0_u32, 0);
        for byte in point {
            bits = (bits << 8) | u32::from(byte);
            held += 8;
            while held >= 5 {
                held -= 5;
                values.push((bits >> held) & 31);
            }
        }
        values.push((bits << (5 - held)) & 31);
        let prefix = b"age".iter().map(|c| u32::from(c >> 5)).chain([0]).chain(b"age".iter().map(|c| u32::from(c & 31)));
        let mut state = 1_u32;
        for value in prefix.chain(values.iter().copied()).chain([0; 6]) {
            let top = state >> 25;
            state = ((state & 0x01ff_ffff) << 5) ^ value;
            for (bit, term) in [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3].iter().enumerate() {
                state ^= if (top >> bit) & 1 == 1 { *term } else { 0 };
            }
        }
        state ^= 1;
        values.extend((0..6).map(|at| (state >> (5 * (5 - at))) & 31));
        let letters: String = values.iter().map(|value| char::from(ALPHABET[*value as usize])).collect();
        format!("age1{letters}")
    }

    #[test]
    fn recipients_as_people_paste_them() {
        let (good, other) = (key(), key());
        let secret = Identity::generate().to_string().expose_secret().to_owned();
        let (head, tail) = good.split_at(30);
        let cases: Vec<Case> = vec![
            ("blank and CRLF around a good key", vec![format!(" {good}\r\n")], vec![]),
            ("a byte order mark and a character of no width", vec![format!("\u{feff}{good}\u{200b}")], vec![]),
            ("two good keys", vec![good.clone(), other.clone()], vec![]),
            ("an SSH key", vec![good.clone(), "ssh-ed25519 AAAAC3Nza user@host".into()], vec![(1, Problem::Ssh)]),
            ("an SSH RSA key", vec!["ssh-rsa AAAAB3Nza".into()], vec![(0, Problem::Ssh)]),
            ("a security key of SSH", vec!["sk-ssh-ed25519@openssh.com AAAA".into()], vec![(0, Problem::Ssh)]),
            ("a YubiKey", vec!["age1yubikey1qtdv6d8yh2vn3s8y4m3l4j8e8x8xkq5u6".into()], vec![(0, Problem::Plugin)]),
            ("a post-quantum key", vec![format!("age1pq1{}", "q".repeat(1900))], vec![(0, Problem::Plugin)]),
            ("a secret key", vec![secret.clone()], vec![(0, Problem::Secret)]),
            ("a secret key in lower case", vec![secret.to_lowercase()], vec![(0, Problem::Secret)]),
            ("a whole key file", vec![format!("# public key: {good}\n{secret}\n")], vec![(0, Problem::Secret)]),
            ("an SSH private key", vec!["-----BEGIN OPENSSH PRIVATE KEY-----".into()], vec![(0, Problem::Secret)]),
            ("two keys joined by a comma", vec![format!("{good},{other}")], vec![(0, Problem::Several)]),
            ("two keys joined by a blank", vec![format!("{good} {other}")], vec![(0, Problem::Several)]),
            ("two keys joined by a line end", vec![format!("{good}\r\n{other}")], vec![(0, Problem::Several)]),
            ("two keys joined by nothing", vec![format!("{good}{other}")], vec![(0, Problem::Several)]),
            ("a line end inside a key", vec![format!("{head}\n{tail}")], vec![(0, Problem::Several)]),
            ("upper case", vec![good.to_uppercase()], vec![(0, Problem::LetterCase)]),
            ("mixed case", vec![format!("Age1{}", &good[4..])], vec![(0, Problem::LetterCase)]),
            ("the same key twice", vec![good.clone(), format!("{good}\n")], vec![(1, Problem::Duplicate { first: 0 })]),
            ("an e-mail address", vec!["jo@client.example".into()], vec![(0, Problem::NotAge)]),
            ("an entry without a key", vec![" \r\n".into()], vec![(0, Problem::Empty)]),
            ("a key cut short", vec![good[..61].into()], vec![(0, Problem::Mistyped)]),
            (
                "all faults are told",
                vec![secret, good.clone(), good, String::new()],
                vec![(0, Problem::Secret), (2, Problem::Duplicate { first: 1 }), (3, Problem::Empty)],
            ),
        ];
        for (reason, pasted, expected) in cases {
            let found: Vec<(usize, Problem)> =
                recipient_faults(&pasted).iter().map(|fault| (fault.index.expect(reason), fault.problem)).collect();
            assert_eq!(found, expected, "{reason}");
            assert_eq!(
                parse_recipients(&pasted).map_or(0, |all| all.len()),
                if expected.is_empty() { pasted.len() } else { 0 },
                "{reason}"
            );
        }
    }

    #[test]
    fn an_empty_list_is_a_fault_of_the_list() {
        let faults = recipient_faults(&[]);
        assert_eq!(faults, [RecipientFault { index: None, problem: Problem::NoneListed }]);
        assert_eq!(faults[0].field("spec.exit.recipients"), "spec.exit.recipients");
        assert_eq!(RecipientFault { index: Some(1), problem: Problem::Ssh }.field("spec.exit.recipients"), "spec.exit.recipients[1]");
    }

    #[test]
    fn no_changed_character_passes() {
        let good = key();
        for at in 0..good.len() {
            for letter in "qpzry9x8gf2tvdw0s3jn54khce6mua7l1boi".chars().filter(|letter| *letter != char::from(good.as_bytes()[at])) {
                let mut changed = good.clone();
                changed.replace_range(at..=at, &letter.to_string());
                let faults = recipient_faults(std::slice::from_ref(&changed));
                assert_eq!(faults.len(), 1, "{letter} at {at}");
                let expected: &[Problem] = if at < 4 { &[Problem::NotAge] } else { &[Problem::Mistyped] };
                assert!(expected.contains(&faults[0].problem), "{letter} at {at}: {:?}", faults[0].problem);
            }
        }
    }

    #[test]
    fn nothing_of_a_secret_is_echoed() {
        let secret = Identity::generate().to_string().expose_secret().to_owned();
        for pasted in [secret.clone(), secret.to_lowercase(), format!("{}\n{secret}", key()), secret[..40].to_owned()] {
            let told = recipient_faults(&[pasted]).iter().map(|fault| format!("{fault} {fault:?}")).collect::<String>().to_uppercase();
            for start in 0..secret.len() - 6 {
                let part = &secret[start..start + 6];
                assert!(part.starts_with("AGE-") || !told.contains(part) || "AGE-SECRET-KEY-1".contains(part), "{part} is echoed");
            }
        }
    }

    #[test]
    fn points_of_small_order_are_refused_since_age_would_abort() {
        assert_eq!(encode([9; 32]).parse::<Recipient>().unwrap().to_string(), encode([9; 32]), "the test's encoder is sound");
        for small in SMALL_ORDER {
            let mut topmost = small;
            topmost[31] |= 0x80;
            for point in [small, topmost] {
                let text = encode(point);
                assert_eq!(recipient_faults(std::slice::from_ref(&text))[0].problem, Problem::Weak, "{text}");
                let recipient: Recipient = text.parse().unwrap();
                let sealed = std::panic::catch_unwind(|| {
                    let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient)).map(|_| ());
                    encryptor.is_ok()
                });
                assert!(sealed.is_err(), "age takes {text} by now: the table can shrink");
            }
        }
    }

    #[test]
    fn keys_that_differ_in_the_ignored_bit_are_the_same() {
        let plain = [9; 32];
        let mut topmost = plain;
        topmost[31] |= 0x80;
        let faults = recipient_faults(&[encode(plain), encode(topmost)]);
        assert_eq!(faults, [RecipientFault { index: Some(1), problem: Problem::Duplicate { first: 0 } }]);
    }
}
