//! What stands against a handover before its first step, and what it fixes in it.

use caretaker_api::condition::Reason;
use caretaker_api::handover::Frozen;
use caretaker_api::{CloudAccount, Handover, ManagedClient};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::steps;
use crate::managed_client;
use crate::outcome::Fault;

/// What a handover sees before it begins.
#[derive(Clone, Debug, Default)]
pub struct Surroundings<'a> {
    /// The client whose namespace it is in.
    pub client: Option<&'a ManagedClient>,
    /// Whether the client's ProviderProfile exists.
    pub has_profile: bool,
    /// The accounts that are made.
    pub accounts: &'a [CloudAccount],
    /// What is wrong with the recipients: place among them and words.
    pub recipient_faults: Vec<(String, String)>,
}

/// What a handover refuses. Once accounts and recipients are fixed, only what every step needs is asked for; after the end nothing is.
#[must_use]
pub fn check(handover: &Handover, seen: &Surroundings<'_>) -> Vec<Fault> {
    let status = handover.status.clone().unwrap_or_default();
    if steps::current(&status).is_none() {
        return Vec::new();
    }
    let missing = |field: &str, message: String| Fault::outside(Reason::ReferenceMissing, field, message);
    let Some(client) = seen.client else {
        let namespace = handover.namespace().unwrap_or_default();
        let message = format!("namespace {namespace} belongs to no ManagedClient: make the Handover in a client's namespace");
        return vec![missing("metadata.namespace", message)];
    };
    if !handover.spec.client.is_empty() && handover.spec.client != client.name_any() {
        let message = format!("{} is not the client of this namespace, {}: nothing is begun", handover.spec.client, client.name_any());
        return vec![Fault::spec("spec.client", message)];
    }
    if !seen.has_profile {
        let message = format!("ProviderProfile {} does not exist: the bundle cannot be signed", client.spec.provider_profile);
        return vec![missing("ManagedClient.spec.providerProfile", message)];
    }
    if status.frozen.is_some() {
        return Vec::new();
    }
    let is_made = |name: &str| seen.accounts.iter().any(|account| account.name_any() == name);
    let observed = managed_client::Observed { accounts: seen.accounts.to_vec(), ..managed_client::Observed::default() };
    let unmade = managed_client::accounts(client, &observed).into_iter().filter(|account| !is_made(&account.name)).map(|account| {
        let message = format!("account {} is not made yet: without it the bundle would lack it", account.name);
        missing("ManagedClient.spec.accounts", message)
    });
    let recipients = seen.recipient_faults.iter().map(|(field, problem)| Fault::outside(Reason::InvalidSpec, field, problem));
    unmade.chain(recipients).collect()
}

/// Whether a fault says that another object holds the account: it was never this client's, and nothing of ours in it is handed over or ended here.
#[must_use]
pub fn is_others(fault: &Fault) -> bool {
    fault.reason == Reason::AccountClaimed
}

/// What is fixed at the beginning. `claimed` are the accounts beside the fault of their claims.
#[must_use]
pub fn freeze(
    (client, handover): (&ManagedClient, &Handover),
    claimed: &[(&CloudAccount, Option<Fault>)],
    recipients: Vec<String>,
    now: Timestamp,
) -> Frozen {
    let ours = claimed.iter().filter(|(_, fault)| !fault.as_ref().is_some_and(is_others));
    Frozen {
        client_generation: client.metadata.generation.unwrap_or_default(),
        recipients,
        accounts: ours.map(|(account, _)| account.name_any()).collect(),
        at: Some(Time(now)),
        is_emergency: handover.spec.emergency.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn client() -> ManagedClient {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme", "generation": 7},
            "spec": {
                "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@acme.example"}}, "providerProfile": "default",
                "exit": {"recipients": ["age1"]},
                "accounts": [{"name": "prod", "aws": {"accountId": "111122223333"}}, {"name": "test", "aws": {"accountId": "444455556666"}}],
            },
        }))
        .unwrap()
    }

    fn account(name: &str) -> CloudAccount {
        CloudAccount::new(name, serde_json::from_value(json!({"aws": {"accountId": "111122223333"}})).unwrap())
    }

    fn handover(status: serde_json::Value) -> Handover {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "Handover", "metadata": {"name": "exit", "namespace": "client-acme"},
            "spec": {"mode": "Final"}, "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_handover_refuses_what_its_bundle_would_lack() {
        let (client, both, one) = (client(), [account("prod"), account("test")], [account("prod")]);
        let frozen = json!({"frozen": {"clientGeneration": 1, "recipients": [], "accounts": [], "at": "2026-01-01T00:00:00Z"}});
        let ended = json!({"steps": [{"step": "Done", "state": "Completed"}]});
        let bad = || vec![("ManagedClient.spec.exit.recipients[0]".to_owned(), "is no key".to_owned())];
        let all = |accounts| Surroundings { client: Some(&client), has_profile: true, accounts, recipient_faults: Vec::new() };
        for (why, status, seen, expected) in [
            ("all is there", json!({}), all(&both[..]), vec![]),
            ("it has ended", ended, Surroundings::default(), vec![]),
            ("nobody's namespace", json!({}), Surroundings { client: None, ..all(&both) }, vec!["metadata.namespace"]),
            ("no client, although frozen", frozen.clone(), Surroundings { client: None, ..all(&both) }, vec!["metadata.namespace"]),
            (
                "no key to sign with",
                json!({}),
                Surroundings { has_profile: false, ..all(&both) },
                vec!["ManagedClient.spec.providerProfile"],
            ),
            ("an account is not made", json!({}), all(&one), vec!["ManagedClient.spec.accounts"]),
            ("no reader", json!({}), Surroundings { recipient_faults: bad(), ..all(&both) }, vec!["ManagedClient.spec.exit.recipients[0]"]),
            (
                "both, accounts first",
                json!({}),
                Surroundings { recipient_faults: bad(), ..all(&one) },
                vec!["ManagedClient.spec.accounts", "ManagedClient.spec.exit.recipients[0]"],
            ),
            ("what is fixed is not asked for again", frozen, Surroundings { recipient_faults: bad(), ..all(&one) }, vec![]),
        ] {
            let faults = check(&handover(status), &seen);
            assert_eq!(faults.iter().map(|fault| fault.field.as_str()).collect::<Vec<_>>(), expected, "{why}");
            assert!(faults.iter().all(|fault| fault.outside), "{why}: the cure lies in another object");
        }
        assert!(check(&handover(json!({})), &all(&one))[0].message.contains("account test is not made yet"));
    }

    #[test]
    fn an_account_of_somebody_else_is_not_handed_over() {
        let (one, two, three) = (account("prod"), account("theirs"), account("faulty"));
        let claimed = Fault::outside(Reason::AccountClaimed, "spec.aws.accountId", "held");
        let other = Fault::outside(Reason::ReferenceMissing, "spec.providerProfile", "missing");
        let claimed = [(&one, None), (&two, Some(claimed)), (&three, Some(other))];
        let frozen = freeze((&client(), &handover(json!({}))), &claimed, vec!["age1".into()], Timestamp::UNIX_EPOCH);
        assert_eq!(frozen.accounts, ["prod", "faulty"], "an account that cannot be read is a gap of the bundle");
        assert_eq!(
            (frozen.client_generation, frozen.recipients, frozen.at),
            (7, vec!["age1".to_owned()], Some(Time(Timestamp::UNIX_EPOCH)))
        );
    }
}
