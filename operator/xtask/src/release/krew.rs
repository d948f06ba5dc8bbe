//! The manifest with which krew installs the kubectl plugin.

use anyhow::Result;
use serde::Serialize;

use crate::image::VERSION;

/// Where the plugin's archive lies, and what it is.
pub struct Place {
    /// Its address.
    pub uri: String,
    /// Its SHA-256.
    pub sha256: String,
    /// Architecture of the binary in it.
    pub architecture: &'static str,
    /// Where people read more.
    pub homepage: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Plugin<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    spec: Spec<'a>,
}

#[derive(Serialize)]
struct Metadata {
    name: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    version: String,
    homepage: &'a str,
    short_description: &'static str,
    description: &'static str,
    caveats: &'static str,
    platforms: Vec<Platform<'a>>,
}

#[derive(Serialize)]
struct Platform<'a> {
    selector: Selector<'a>,
    uri: &'a str,
    sha256: &'a str,
    bin: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Selector<'a> {
    match_labels: Labels<'a>,
}

#[derive(Serialize)]
struct Labels<'a> {
    os: &'static str,
    arch: &'a str,
}

/// The manifest as YAML.
pub fn manifest(place: &Place) -> Result<String> {
    let platform = Platform {
        selector: Selector { match_labels: Labels { os: "linux", arch: place.architecture } },
        uri: &place.uri,
        sha256: &place.sha256,
        bin: "kubectl-caretaker",
    };
    let plugin = Plugin {
        api_version: "krew.googlecontainertools.github.com/v1alpha2",
        kind: "Plugin",
        metadata: Metadata { name: "caretaker" },
        spec: Spec {
            version: format!("v{VERSION}"),
            homepage: &place.homepage,
            short_description: "Look after clients, and let them leave",
            description: "Status, access, inventory and exit of the clients that a managed service provider looks after with Caretaker.",
            caveats: "The binary needs the GNU C library of the machine.",
            platforms: vec![platform],
        },
    };
    Ok(serde_saphyr::to_string(&plugin)?)
}
