//! Receivers of the provider's become placeholders of the same kind, which load and lead nowhere. What their Secret held is not in the bundle: another one
//! with a key for each stands in its place.

use serde_json::{Map, Value, json};

use super::{NOWHERE, receiver};

/// A kind of receiver whose key is in a Secret: its list, and the field that names the key.
struct Keyed {
    list: &'static str,
    field: &'static str,
    /// Whether the key holds an address.
    is_address: bool,
}

const KEYED: [Keyed; 5] = [
    Keyed { list: "slackConfigs", field: "apiURL", is_address: true },
    Keyed { list: "msteamsv2Configs", field: "webhookURL", is_address: true },
    Keyed { list: "msteamsConfigs", field: "webhookUrl", is_address: true },
    Keyed { list: "pagerdutyConfigs", field: "routingKey", is_address: false },
    Keyed { list: "opsgenieConfigs", field: "apiKey", is_address: false },
];
const EMAIL: &str = "emailConfigs";
/// Fields that say how a page looks.
const LOOKS: [&str; 12] = [
    "sendResolved",
    "title",
    "text",
    "fallback",
    "mrkdwnIn",
    "description",
    "severity",
    "details",
    "message",
    "html",
    "headers",
    "requireTLS",
];
/// Stands for a key that is no address.
const KEY: &str = "replace-me";

/// Name of the Secret of the placeholders.
pub(super) fn secret(stack: &str) -> String {
    format!("{stack}-receivers")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn keyed(held: &Value) -> Option<&'static Keyed> {
    KEYED.iter().find(|kind| held[kind.list].as_array().is_some_and(|list| !list.is_empty()))
}

/// The keys that the Secret of the placeholders needs for the receivers of an object.
pub(super) fn keys(spec: &Value) -> impl Iterator<Item = (String, String)> + '_ {
    let of = |held: &Value| {
        let name = text(&held["name"]);
        keyed(held).map(|kind| (name.to_owned(), if kind.is_address { receiver(name) } else { KEY.to_owned() }))
    };
    spec["receivers"].as_array().into_iter().flatten().filter_map(of)
}

/// Puts placeholders in the place of receivers, so that routes and names stay and everything loads. One of a kind that is not known becomes a webhook.
pub(super) fn replace(fields: &mut Map<String, Value>, stack: &str) {
    let Some(Value::Array(receivers)) = fields.get_mut("receivers") else { return };
    for held in receivers {
        let name = text(&held["name"]).to_owned();
        let looks = |list: &str| {
            let first = held[list][0].as_object().cloned().unwrap_or_default();
            first.into_iter().filter(|(field, _)| LOOKS.contains(&field.as_str())).collect::<Map<String, Value>>()
        };
        *held = if let Some(kind) = keyed(held) {
            let mut made = looks(kind.list);
            made.insert(kind.field.into(), json!({"name": secret(stack), "key": name}));
            json!({"name": name, kind.list: [made]})
        } else if held[EMAIL].as_array().is_some_and(|list| !list.is_empty()) {
            let (mut made, nobody) = (looks(EMAIL), format!("replace-me@{NOWHERE}"));
            made.extend(
                [("to", nobody.clone()), ("from", nobody), ("smarthost", format!("{NOWHERE}:587"))]
                    .map(|(field, value)| (field.to_owned(), json!(value))),
            );
            json!({"name": name, EMAIL: [made]})
        } else {
            json!({"name": name, "webhookConfigs": [{"sendResolved": true, "url": receiver(&name)}]})
        };
    }
}

/// Where the placeholder of a receiver stands in the object, the placeholder, and the words for what to put there.
pub(super) fn placeholder(number: usize, held: &Value) -> (String, String, String) {
    let name = text(&held["name"]);
    if let Some(kind) = keyed(held) {
        let of = &held[kind.list][0][kind.field];
        let what = if kind.is_address { receiver(name) } else { KEY.to_owned() };
        let meaning = format!(
            "put your own into the key {} of the Secret {}, for {name}: the provider's is left out",
            text(&of["key"]),
            text(&of["name"])
        );
        return (format!("spec.receivers[{number}].{}[0].{}", kind.list, kind.field), what, meaning);
    }
    if held[EMAIL].is_array() {
        let meaning = format!("put your own addresses, mail server and password here, for {name}: the provider's are left out");
        return (format!("spec.receivers[{number}].{EMAIL}[0]"), text(&held[EMAIL][0]["smarthost"]).to_owned(), meaning);
    }
    let meaning = format!("put the address of your own receiver of {name} here: the provider's is left out");
    (format!("spec.receivers[{number}].webhookConfigs[0].url"), text(&held["webhookConfigs"][0]["url"]).to_owned(), meaning)
}
