//! What is in the image, for machines: SPDX 2.3 as JSON.
//!
//! The types are here because the crates that have them would either change features of `syn`, and with them rebuild the whole workspace, or
//! generate their code from a schema at each build.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use super::archive::{created, sha256};
use super::libraries::Library;
use super::packages::{Id, Package};

/// Licence of Rust's standard library.
pub const RUST_LICENCE: &str = "MIT OR Apache-2.0";
/// What SPDX has where nothing is known.
const UNKNOWN: &str = "NOASSERTION";

/// What a bill is made from.
pub struct Contents<'a> {
    /// Name of the crate with the binary.
    pub name: &'a str,
    /// Crates in it.
    pub packages: &'a BTreeMap<Id, Package>,
    /// Libraries beside it.
    pub libraries: &'a [Library],
    /// Version of the compiler, and with it of the standard library.
    pub compiler: &'a str,
    /// Time that the bill has, in seconds since 1970.
    pub time: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: String,
    document_namespace: String,
    creation_info: CreationInfo,
    packages: Vec<Entry>,
    relationships: Vec<Relationship>,
}

#[derive(Serialize)]
struct CreationInfo {
    created: String,
    creators: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    name: String,
    #[serde(rename = "SPDXID")]
    id: String,
    version_info: String,
    download_location: &'static str,
    files_analyzed: bool,
    license_concluded: String,
    license_declared: String,
    copyright_text: &'static str,
    primary_package_purpose: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum>,
    external_refs: Vec<Reference>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: &'static str,
    checksum_value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    reference_category: &'static str,
    reference_type: &'static str,
    reference_locator: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: String,
    relationship_type: &'static str,
    related_spdx_element: String,
}

/// The bill, as text that is the same for the same contents.
pub fn bill(contents: &Contents) -> Result<String> {
    let mut packages: Vec<Entry> = contents.packages.values().map(|package| of_crate(package, contents.name)).collect();
    let standard = entry("rust-std", contents.compiler, RUST_LICENCE, "pkg:generic", None);
    let ours = contents.packages.keys().find(|(name, _)| name == contents.name).map(reference).unwrap_or_default();
    let mut relationships = vec![relation("SPDXRef-DOCUMENT", "DESCRIBES", &ours), relation(&ours, "STATIC_LINK", &standard.id)];
    packages.push(standard);
    for package in contents.packages.values() {
        relationships.extend(package.needs.iter().map(|need| relation(&reference(&package.id), "DEPENDS_ON", &reference(need))));
    }
    for library in contents.libraries {
        let entry = of_library(library);
        relationships.push(relation(&ours, "DYNAMIC_LINK", &entry.id));
        packages.push(entry);
    }
    let name = ours.trim_start_matches("SPDXRef-").to_owned();
    let digest = sha256(serde_json::to_string(&packages)?.as_bytes());
    let document = Document {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        id: "SPDXRef-DOCUMENT",
        // A name that no other contents have; nothing has to be found there.
        document_namespace: format!("https://{}/spdx/{name}-{digest}", caretaker_api::GROUP),
        name,
        creation_info: CreationInfo { created: created(contents.time)?, creators: vec!["Tool: cargo-xtask-image".to_owned()] },
        packages,
        relationships,
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn of_crate(package: &Package, binary: &str) -> Entry {
    let (name, version) = &package.id;
    let mut entry = entry(name, version, &package.licence, "pkg:cargo", package.checksum.clone());
    if name == binary {
        entry.primary_package_purpose = "APPLICATION";
    }
    entry
}

fn of_library(library: &Library) -> Entry {
    let name = library.path.rsplit('/').next().unwrap_or(&library.path);
    let version = library.version.as_deref().unwrap_or(UNKNOWN);
    let mut entry = entry(name, version, library.licence.unwrap_or(UNKNOWN), "pkg:generic", Some(sha256(&library.content)));
    if let (Some(package), Some(version)) = (&library.package, &library.version) {
        entry.external_refs[0].reference_locator =
            format!("pkg:deb/debian/{package}@{}?arch={}", version.replace('+', "%2B"), super::architecture());
    }
    entry
}

fn entry(name: &str, version: &str, licence: &str, kind: &str, checksum: Option<String>) -> Entry {
    let locator = format!("{kind}/{name}@{}", version.replace('+', "%2B"));
    Entry {
        name: name.to_owned(),
        id: reference(&(name.to_owned(), version.to_owned())),
        version_info: version.to_owned(),
        download_location: UNKNOWN,
        files_analyzed: false,
        license_concluded: licence.to_owned(),
        license_declared: licence.to_owned(),
        copyright_text: UNKNOWN,
        primary_package_purpose: "LIBRARY",
        checksums: checksum.into_iter().map(|checksum_value| Checksum { algorithm: "SHA256", checksum_value }).collect(),
        external_refs: vec![Reference { reference_category: "PACKAGE-MANAGER", reference_type: "purl", reference_locator: locator }],
    }
}

/// An identifier of SPDX: letters, digits, dots and hyphens.
fn reference((name, version): &Id) -> String {
    let text: String = format!("{name}-{version}").chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    format!("SPDXRef-{text}")
}

fn relation(from: &str, kind: &'static str, to: &str) -> Relationship {
    Relationship { spdx_element_id: from.to_owned(), relationship_type: kind, related_spdx_element: to.to_owned() }
}
