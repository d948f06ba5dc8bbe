//! Whether the client's acceptance counts: its digest is the bundle's, and its code proves that somebody opened the bundle.

use caretaker_api::handover::{Acceptance, BundleStatus};

use crate::digest::sha256_hex;
use crate::outcome::Fault;

/// SHA-256 of a code as the status shows it. Letter case, hyphens and spaces do not count, and neither does O for 0 or I and L for 1: people type it
/// from paper.
#[must_use]
pub fn code_digest(code: &str) -> String {
    let letters = code.chars().filter(char::is_ascii_alphanumeric).map(|letter| match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        letter => letter,
    });
    sha256_hex(letters.collect::<String>())
}

/// What is wrong with an acceptance, or `None` where it counts.
#[must_use]
pub fn fault(acceptance: &Acceptance, bundle: &BundleStatus) -> Option<Fault> {
    if acceptance.digest != bundle.sha256 || bundle.sha256.is_empty() {
        let message = format!("the accepted digest {} is not the bundle's, {}", acceptance.digest, bundle.sha256);
        return Some(Fault::spec("spec.acceptance.digest", message));
    }
    if bundle.code_sha256.is_empty() || code_digest(&acceptance.code) == bundle.code_sha256 {
        return None;
    }
    let what = if acceptance.code.is_empty() { "there is no code" } else { "the code is not the bundle's" };
    let cure = "open the bundle, and give the code that stands in its 15-acceptance.json";
    Some(Fault::spec("spec.acceptance.code", format!("{what}: {cure}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_opened_the_bundle_can_accept_it() {
        let bundle = |code: &str| BundleStatus { sha256: "ab".into(), code_sha256: code.into(), ..BundleStatus::default() };
        let given = |digest: &str, code: &str| Acceptance { digest: digest.into(), accepted_by: "Jo".into(), code: code.into() };
        let sealed = code_digest("K7Q01-00000-00000-00000");
        for (why, acceptance, bundle, field) in [
            ("another bundle", given("cd", "K7Q01-00000-00000-00000"), bundle(&sealed), Some("spec.acceptance.digest")),
            ("nothing is sealed", given("", ""), BundleStatus::default(), Some("spec.acceptance.digest")),
            ("the digest alone is public", given("ab", ""), bundle(&sealed), Some("spec.acceptance.code")),
            ("a guess", given("ab", "K7Q01-00000-00000-00001"), bundle(&sealed), Some("spec.acceptance.code")),
            ("the code", given("ab", "K7Q01-00000-00000-00000"), bundle(&sealed), None),
            ("typed from paper", given("ab", " k7qoi 00000 ooooo 00000"), bundle(&sealed), None),
            ("sealed by an earlier release", given("ab", ""), bundle(""), None),
        ] {
            assert_eq!(fault(&acceptance, &bundle).map(|fault| fault.field), field.map(str::to_owned), "{why}");
        }
    }
}
