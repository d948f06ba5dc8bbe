//! The matrix as OSCAL component definitions, version 1.1.2: <https://pages.nist.gov/OSCAL-Reference/models/v1.1.2/component-definition/json-reference/>.
//!
//! It says who does the work of a control, and nothing about whether it is done: there is no `implementation-status`. UUIDs are made of the client, the
//! framework and the control, and stay; that of the document is made of its contents, and changes with them, as OSCAL asks of every document. So a client
//! that has not changed gives the same text again.

use caretaker_api::cloud_account::Cloud;
use caretaker_api::{ManagedClient, ProviderProfile};
use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::lists::Party;
use super::{ACCOUNTABLE, Matrix, Row, identity, uuid};
use crate::digest::json_digest;
use crate::handover::redact;

/// The version that the documents are written in.
pub const VERSION: &str = "1.1.2";
/// Name space of the properties that are Caretaker's own.
const SPACE: &str = "https://caretaker.dev/ns/oscal";

/// The parties by role.
struct Parties {
    client: String,
    provider: String,
    clouds: Vec<(Cloud, String)>,
}

impl Parties {
    fn of(client: &ManagedClient) -> Self {
        let id = identity(client);
        let mut clouds: Vec<Cloud> = client.spec.accounts.iter().map(|account| account.target.cloud()).collect();
        clouds.sort_unstable_by_key(|cloud| cloud.as_str());
        clouds.dedup();
        Self {
            client: uuid::of(&id, "party/client"),
            provider: uuid::of(&id, "party/provider"),
            clouds: clouds.into_iter().map(|cloud| (cloud, uuid::of(&id, &format!("party/{}", cloud.as_str())))).collect(),
        }
    }

    fn role(&self, party: Party) -> Value {
        match party {
            Party::Provider => json!({"role-id": "provider", "party-uuids": [self.provider]}),
            Party::Cloud if self.clouds.is_empty() => json!({"role-id": "cloud"}),
            Party::Cloud => json!({"role-id": "cloud", "party-uuids": self.clouds.iter().map(|(_, uuid)| uuid).collect::<Vec<_>>()}),
            // Whoever has a domain is named before a row is made.
            Party::Client | Party::Domain => json!({"role-id": "client", "party-uuids": [self.client]}),
        }
    }

    fn listed(&self, client: &ManagedClient, provider: &str) -> Vec<Value> {
        let party = |uuid: &str, name: &str| json!({"uuid": uuid, "type": "organization", "name": name});
        let own = [party(&self.client, &name(client)), party(&self.provider, &line(provider, &client.spec.provider_profile))];
        own.into_iter().chain(self.clouds.iter().map(|(cloud, uuid)| party(uuid, cloud.as_str()))).collect()
    }
}

/// A name as a string of OSCAL: one line, not empty, without blanks at its ends. Source: <https://pages.nist.gov/metaschema/specification/datatypes/#string>.
fn line(text: &str, otherwise: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}').filter(|word| !word.is_empty()).collect();
    if words.is_empty() { otherwise.to_owned() } else { words.join(" ") }
}

fn name(client: &ManagedClient) -> String {
    line(&client.spec.display_name, &client.name_any())
}

/// One document about some frameworks of a client. Secrets in what people wrote are withheld.
#[must_use]
pub fn document(client: &ManagedClient, profile: Option<&ProviderProfile>, matrices: &[Matrix]) -> Value {
    let parties = Parties::of(client);
    let provider = profile.map_or(client.spec.provider_profile.as_str(), |profile| profile.spec.display_name.as_str());
    let body = body(client, &parties, matrices);
    let names = parties.listed(client, provider);
    let digest = json_digest(&(&body, &names));
    let title = format!("Who does what for {}", name(client));
    // Each role that is defined has somebody who holds it, as rules of FedRAMP ask.
    let held =
        [Party::Client, Party::Provider, Party::Cloud].into_iter().filter(|role| *role != Party::Cloud || !parties.clouds.is_empty());
    let role = |id: &str, title: &str| json!({"id": id, "title": title});
    let metadata = json!({
        "title": title,
        "last-modified": changed_at(client).to_string(),
        "version": &digest[..16],
        "oscal-version": VERSION,
        "roles": [role("client", "The client, who is accountable"), role("provider", "The managed service provider"), role("cloud", "The clouds of the client's accounts")],
        "parties": names,
        "responsible-parties": held.map(|role| parties.role(role)).collect::<Vec<_>>(),
        "remarks": "It says who does the work of each control, not that the work is done. The client is accountable for all of it.",
    });
    let mut definition = json!({"uuid": uuid::of(&identity(client), &format!("document/{digest}")), "metadata": metadata});
    if let (Some(whole), Value::Object(body)) = (definition.as_object_mut(), body) {
        whole.extend(body);
    }
    redact::value(json!({"component-definition": definition}))
}

/// When who does what has last changed; of a client that was never looked at, when it was made.
fn changed_at(client: &ManagedClient) -> Timestamp {
    let status = client.status.as_ref().and_then(|status| status.responsibility.as_ref()?.changed_at.as_ref());
    let made = client.creation_timestamp();
    status.map(|time| time.0).or_else(|| made.map(|time| time.0)).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn body(client: &ManagedClient, parties: &Parties, matrices: &[Matrix]) -> Value {
    let id = identity(client);
    let implementations: Vec<Value> = matrices.iter().map(|matrix| implementation(&id, parties, matrix)).collect();
    let resource = |matrix: &Matrix| {
        let link = json!({"href": matrix.list.source});
        json!({"uuid": source(&id, matrix), "title": matrix.list.title, "rlinks": [link]})
    };
    json!({
        "components": [{
            "uuid": uuid::of(&id, "component"),
            "type": "service",
            "title": format!("Managed service for {}", name(client)),
            "description": "What the provider does for the client, and what the client and the clouds do themselves.",
            "control-implementations": implementations,
        }],
        "back-matter": {"resources": matrices.iter().map(resource).collect::<Vec<_>>()},
    })
}

fn source(id: &str, matrix: &Matrix) -> String {
    uuid::of(id, &format!("source/{}", matrix.list.framework.as_str()))
}

fn implementation(id: &str, parties: &Parties, matrix: &Matrix) -> Value {
    let list = matrix.list;
    let left_out = list.partial.map_or_else(String::new, |partial| format!(" The list is partial: {partial}."));
    let requirements: Vec<Value> = matrix.rows.iter().map(|row| requirement(id, parties, matrix, row)).collect();
    json!({
        "uuid": uuid::of(id, list.framework.as_str()),
        "source": format!("#{}", source(id, matrix)),
        "description": format!("Who does the work of {} controls of {}.{left_out}", matrix.rows.len(), list.title),
        "implemented-requirements": requirements,
    })
}

fn requirement(id: &str, parties: &Parties, matrix: &Matrix, row: &Row) -> Value {
    let own = |name: &str, value: &str| json!({"name": name, "ns": SPACE, "value": value});
    json!({
        "uuid": uuid::of(id, &format!("{}/{}", row.framework.as_str(), row.control)),
        "control-id": matrix.list.token(row.control),
        "description": format!("Done by: {}. About: {}.", row.done_by(), row.work),
        "props": [
            json!({"name": "label", "value": row.control}),
            own("responsible", row.responsible.as_str()),
            own("accountable", ACCOUNTABLE),
            own("domain", row.domain),
            own("decides", row.decides),
            own("after-the-exit", &row.after_the_exit),
            own("evidence", row.evidence),
        ],
        "responsible-roles": row.parties.iter().map(|party| parties.role(*party)).collect::<Vec<_>>(),
        "remarks": format!("{}: {}", row.by, row.note),
    })
}
