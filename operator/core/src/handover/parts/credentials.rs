//! 11: which secrets there are, by reference, and what has become of them. No value.

use caretaker_api::ProviderProfile;
use kube::ResourceExt;
use serde::Serialize;

use super::{File, Part};
use crate::handover::contents::{Inputs, Withheld};

pub(super) struct Credentials;

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    what: String,
    kind: &'static str,
    held: String,
    owner: &'static str,
    rotation: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LooksSecret {
    account: String,
    name: String,
    assets: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    note: &'static str,
    references: Vec<Reference>,
    names_that_look_like_secrets: Vec<LooksSecret>,
}

const NOTE: &str = "References only: no value of any secret is in this bundle. The names at the end are tags and facts of your own assets: their values are \
                    readable by whoever may read the assets, so move them to a store of secrets and change them.";
const STAYS: &str = "the provider's own: it does not move, and opens nothing of yours once the access is closed";

impl Part for Credentials {
    fn path(&self) -> &'static str {
        "11-credentials"
    }

    fn holds(&self) -> &'static str {
        "which secrets there are, by reference, and names in your accounts that look like secrets; no value"
    }

    fn files(&self, inputs: &Inputs<'_>) -> Vec<File> {
        let looks = |held: &Withheld| LooksSecret { account: held.account.clone(), name: held.name.clone(), assets: held.assets };
        let references = [of_tiers(inputs), of_accounts(inputs), of_destination(inputs), of_provider(inputs.profile)].concat();
        let told = Told { note: NOTE, references, names_that_look_like_secrets: inputs.withheld.iter().map(looks).collect() };
        vec![File::json("11-credentials/references.json", &told)]
    }
}

fn of_tiers(inputs: &Inputs<'_>) -> Vec<Reference> {
    let terms = inputs.client.spec.monitoring.iter();
    let keys = terms.clone().flat_map(crate::monitoring_stack::keys_of);
    let kept = keys.map(|(way, kind, key)| Reference {
        what: way,
        kind,
        held: format!("Secret {}, key {}, in the client's namespace of the provider's cluster", key.name, key.key),
        owner: "provider",
        rotation: STAYS,
    });
    let tiers = terms.flat_map(|terms| &terms.tiers).filter(|tier| tier.receivers.is_empty());
    let of = |tier: &caretaker_api::monitoring_stack::Tier| {
        let held = tier.webhook_secret.as_ref().map_or_else(
            || "in the provider's configuration".to_owned(),
            |secret| format!("Secret {}, key {}, in the client's namespace of the provider's cluster", secret.name, secret.key),
        );
        Reference { what: format!("receiver of tier {}", tier.name), kind: "address", held, owner: "provider", rotation: STAYS }
    };
    tiers.map(of).chain(kept).collect()
}

fn of_accounts(inputs: &Inputs<'_>) -> Vec<Reference> {
    let of = |account: &caretaker_api::CloudAccount| {
        let role = account.spec.target.aws_role()?;
        role.external_id.as_ref()?;
        Some(Reference {
            what: format!("ExternalId of account {}", account.name_any()),
            kind: "ExternalId",
            held: format!("trust policy of the role {} in account {}", role.role_name, role.account_id),
            owner: "client",
            rotation: "never rotated by this release; it is no password, and means nothing once the role is gone",
        })
    };
    inputs.accounts.iter().filter_map(of).collect()
}

fn of_destination(inputs: &Inputs<'_>) -> Vec<Reference> {
    let destination = inputs.client.spec.exit.destination.as_ref();
    let secret = destination.and_then(|destination| destination.secret_name.as_ref());
    let of = |secret: &String| Reference {
        what: "credentials for your own bucket of bundles".to_owned(),
        kind: "Secret",
        held: format!("Secret {secret} in the operator's namespace"),
        owner: "client",
        rotation: "take the right away, or the key, once you hold the last bundle",
    };
    secret.into_iter().map(of).collect()
}

fn of_provider(profile: &ProviderProfile) -> Vec<Reference> {
    let spec = &profile.spec;
    let clouds = [
        ("credentials for AWS", spec.aws.as_ref().and_then(|aws| aws.credentials.secret_name.clone())),
        ("credentials for Azure", spec.azure.as_ref().and_then(|azure| azure.credentials.secret_name.clone())),
        ("credentials for Google Cloud", spec.gcp.as_ref().and_then(|gcp| gcp.credentials.secret_name.clone())),
    ];
    let clouds = clouds.into_iter().filter_map(|(what, secret)| Some((what, secret?)));
    let signing = spec.signing_key.as_ref().map(|key| ("key that signs bundles", key.secret_name.clone()));
    let of = |(what, secret): (&str, String)| Reference {
        what: what.to_owned(),
        kind: "Secret",
        held: format!("Secret {secret} in the operator's namespace"),
        owner: "provider",
        rotation: STAYS,
    };
    clouds.chain(signing).map(of).collect()
}
