//! The address of a resource, made from its id alone.

use caretaker_cloud::{Asset, Cloud, EVERYWHERE};

use crate::digest::sha256_hex;

/// Letters of an id that an address keeps beside a digest.
const KEPT: usize = 40;

/// Resource type and name. On AWS an id may be that of another thing in another region; elsewhere it holds its place.
pub(super) fn address(asset: &Asset, resource: &str, import_id: &str) -> String {
    let name = match asset.cloud {
        Cloud::Aws if asset.region == EVERYWHERE || resource == "aws_s3_bucket" => name(&asset.id, &asset.id),
        Cloud::Aws => name(&asset.id, &format!("{}-{}", asset.id, asset.region)),
        Cloud::Azure => hashed(&import_id.to_lowercase()),
        Cloud::Gcp => hashed(import_id),
    };
    format!("{resource}.{name}")
}

/// A valid name: the unique text itself where it loses nothing by it, else what its last part is called and a digest.
fn name(id: &str, unique: &str) -> String {
    let is_letter = |c: char| c.is_ascii_lowercase();
    let faithful = unique.chars().all(|c| is_letter(c) || c.is_ascii_digit() || c == '-') && unique.starts_with(is_letter);
    if faithful && unique.len() <= 80 { unique.replace('-', "_") } else { digested(id, unique) }
}

fn hashed(id: &str) -> String {
    digested(id, id)
}

fn digested(id: &str, unique: &str) -> String {
    let last = id.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    let kept: String = last.chars().take(KEPT).map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let begin = if kept.starts_with(|c: char| c.is_ascii_alphabetic()) { "" } else { "x_" };
    format!("{begin}{kept}_{}", &sha256_hex(unique)[..12])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_that_look_alike_get_names_of_their_own() {
        let ids = ["i-1", "I-1", "i_1", "i-1\"", "1i", "日本", "", "a/b", "b", "a:b"];
        let names: BTreeSet<String> = ids.iter().map(|id| name(id, id)).collect();
        assert_eq!(names.len(), ids.len(), "{names:?}");
        let valid = |name: &String| {
            name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        assert!(names.iter().all(valid), "{names:?}");
        assert_eq!(name("i-0a", "i-0a-eu-west-1"), "i_0a_eu_west_1");
        assert!(name(&"x".repeat(300), &"x".repeat(300)).len() < 80);
    }
}
