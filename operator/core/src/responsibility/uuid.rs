//! UUIDs of names: the same name gives the same UUID. The crate `uuid` is not taken for it: its feature `v5` would build the SDKs of clouds again.

use sha1::{Digest, Sha1};

/// The name space of URLs. Source: RFC 9562, section 6.6.
const URLS: [u8; 16] = [0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8];

/// A UUID of version 5, RFC 9562, section 5.5.
fn version_5(space: &[u8], name: &str) -> String {
    let digest = Sha1::new().chain_update(space).chain_update(name).finalize();
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x50;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

/// The UUID of something of a client's.
pub(super) fn of(client: &str, what: &str) -> String {
    version_5(&URLS, &format!("https://caretaker.dev/ns/oscal/{client}/{what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: RFC 9562, Appendix A.4.
    #[test]
    fn the_example_of_the_rfc_comes_out() {
        let mut dns = URLS;
        dns[3] = 0x10;
        assert_eq!(version_5(&dns, "www.example.com"), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    }
}
