//! 15: how the client accepts. The digest of the sealed file cannot stand in it.

use caretaker_api::handover::HandoverMode;
use kube::ResourceExt;
use serde::Serialize;

use super::{File, Part};
use crate::handover::contents::Inputs;

pub(super) struct Acceptance;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    bundle: &'a str,
    mode: HandoverMode,
    is_to_be_accepted: bool,
    by: &'a str,
    what: &'static str,
    digest: Digest<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    acceptance: &'static str,
}

/// How the digest is found.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Digest<'a> {
    of: &'a str,
    algorithm: &'static str,
    linux: String,
    mac_os: String,
    windows: String,
}

const FINAL: &str = "Check the bundle as 00-READ-ME-FIRST.md says, read 14-gaps.json, and give the provider the SHA-256 digest of the sealed file and the \
                     code of this file in a signed letter, with your exceptions. The code proves that you opened the bundle: until you accept, show it to \
                     nobody. The provider enters both with the command. Nothing is revoked before.";
const REHEARSAL: &str = "A rehearsal: nothing is accepted, and nothing is revoked.";
const EMPTY: &str = "Signer, date and exceptions stand in the letter; this file is sealed before it is signed.";

/// The command by which the provider enters an acceptance; a rehearsal has none.
#[must_use]
pub fn accept_command(inputs: &Inputs<'_>) -> Option<String> {
    let name = inputs.client.name_any();
    (inputs.mode == HandoverMode::Final).then(|| format!("kubectl caretaker accept {name} --digest DIGEST --code CODE --by NAME"))
}

impl Part for Acceptance {
    fn path(&self) -> &'static str {
        "15-acceptance.json"
    }

    fn holds(&self) -> &'static str {
        "how you accept the bundle"
    }

    fn files(&self, inputs: &Inputs<'_>) -> Vec<File> {
        let (file, is_final) = (inputs.bundle.file, inputs.mode == HandoverMode::Final);
        let told = Told {
            bundle: file,
            mode: inputs.mode,
            is_to_be_accepted: is_final,
            by: &inputs.client.spec.contacts.vendor_manager.name,
            what: if is_final { FINAL } else { REHEARSAL },
            digest: Digest {
                of: file,
                algorithm: "SHA-256",
                linux: format!("sha256sum {file}"),
                mac_os: format!("shasum -a 256 {file}"),
                windows: format!("Get-FileHash -Algorithm SHA256 {file}"),
            },
            code: inputs.acceptance_code,
            command: accept_command(inputs),
            acceptance: EMPTY,
        };
        vec![File::json(self.path(), &told)]
    }
}
