//! Recipients as people paste them. All of a list's faults are told; a list with a fault gives no recipients, so that a bundle is never sealed to fewer
//! than listed. What was pasted is never echoed: it may be a secret.

use std::collections::BTreeMap;

use age::x25519::Recipient;

/// A recipient without the blanks and line ends around it.
#[must_use]
pub fn normalise(pasted: &str) -> &str {
    pasted.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// Every fault of a list, as index and what to do. An empty list is a fault of index 0.
#[must_use]
pub fn recipient_faults(pasted: &[String]) -> Vec<(usize, String)> {
    parse_recipients(pasted).err().unwrap_or_default()
}

/// The recipients of a list.
///
/// # Errors
/// Every fault of the list, as index and what to do.
pub fn parse_recipients(pasted: &[String]) -> Result<Vec<Recipient>, Vec<(usize, String)>> {
    if pasted.is_empty() {
        return Err(vec![(0, "no recipient: ask the client to run age-keygen and list the public key it prints".into())]);
    }
    let mut faults = Vec::new();
    let mut recipients = Vec::new();
    let mut first_seen: BTreeMap<String, usize> = BTreeMap::new();
    for (index, text) in pasted.iter().enumerate() {
        match parse(normalise(text)) {
            Err(message) => faults.push((index, message.to_owned())),
            Ok(recipient) => match first_seen.get(&recipient.to_string()) {
                Some(first) => faults.push((index, format!("the same key as entry {first}: list each key once"))),
                None => {
                    first_seen.insert(recipient.to_string(), index);
                    recipients.push(recipient);
                }
            },
        }
    }
    if faults.is_empty() { Ok(recipients) } else { Err(faults) }
}

fn parse(text: &str) -> Result<Recipient, &'static str> {
    let upper = text.to_ascii_uppercase();
    if upper.contains("AGE-SECRET-KEY-") || upper.contains("AGE-PLUGIN-") {
        return Err("a SECRET key: treat it as leaked, make a new pair with age-keygen and list the public key that starts with age1");
    }
    if text.is_empty() {
        return Err("empty: list the public key that age-keygen prints");
    }
    if text.contains([',', ';']) || text.split_whitespace().count() > 1 && !text.starts_with("ssh-") {
        return Err("more than one key: give each key an entry of its own");
    }
    if text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.starts_with("sk-") {
        return Err("an SSH key: run age-keygen and list the public key that starts with age1");
    }
    if text.starts_with("age1") && text[4..].contains('1') {
        return Err("a key of an age plugin: list an X25519 key as age-keygen makes it");
    }
    if !text.starts_with("age1") {
        return Err("not an age public key: it starts with age1 and has 62 characters, as age-keygen prints it");
    }
    text.parse().map_err(|_| "mistyped: a character is wrong or missing; copy the public key again")
}

#[cfg(test)]
mod tests {
    use age::x25519::Identity;

    use super::*;

    #[test]
    fn recipients_as_people_paste_them() {
        use age::secrecy::ExposeSecret;
        let identity = Identity::generate();
        let good = identity.to_public().to_string();
        let other = Identity::generate().to_public().to_string();
        let mut mistyped = good.clone();
        let flipped = if mistyped.ends_with('q') { 'p' } else { 'q' };
        mistyped.pop();
        mistyped.push(flipped);
        let secret = identity.to_string().expose_secret().to_owned();
        let cases: [(&str, Vec<String>, Option<(usize, &str)>); 10] = [
            ("blank and CRLF around a good key", vec![format!(" {good}\r\n")], None),
            ("two good keys", vec![good.clone(), other.clone()], None),
            ("an SSH key", vec![good.clone(), "ssh-ed25519 AAAAC3Nza user@host".into()], Some((1, "SSH"))),
            ("a plugin's key", vec!["age1yubikey1qtdv6d8yh2vn3s8y4m3l4j8e8x8xkq5u6".into()], Some((0, "plugin"))),
            ("a secret key", vec![secret.clone()], Some((0, "SECRET"))),
            ("two keys joined by a comma", vec![format!("{good},{other}")], Some((0, "more than one"))),
            ("two keys joined by a blank", vec![format!("{good} {other}")], Some((0, "more than one"))),
            ("one character changed", vec![mistyped], Some((0, "mistyped"))),
            ("the same key twice", vec![good.clone(), format!("{good}\n")], Some((1, "same key as entry 0"))),
            ("none", vec![], Some((0, "no recipient"))),
        ];
        for (reason, pasted, expected) in cases {
            let faults = recipient_faults(&pasted);
            match expected {
                None => assert!(faults.is_empty(), "{reason}: {faults:?}"),
                Some((index, part)) => {
                    assert_eq!(faults.len(), 1, "{reason}: {faults:?}");
                    assert_eq!(faults[0].0, index, "{reason}");
                    assert!(faults[0].1.contains(part), "{reason}: {faults:?}");
                    assert!(!faults[0].1.contains(&secret[20..]), "{reason}: a secret is echoed");
                }
            }
        }
    }
}
