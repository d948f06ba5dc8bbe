//! The keys that a bundle is sealed to, as the schema takes them.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::json;

/// Longest list of recipients.
const MAX_RECIPIENTS: usize = 20;
/// An entry that holds a secret key, in CEL.
const IS_SECRET: &str = ".upperAscii().contains('AGE-SECRET-KEY-')";

/// The API server names the entry at fault, and it prints the value of an entry whose own rule fails. So the rule against secret keys stands at the list,
/// which is not printed, and the rules of the entries let a secret key pass.
pub(crate) fn recipients_schema(_: &mut SchemaGenerator) -> Schema {
    let is_ssh = "self.trim().startsWith('ssh-')";
    let is_many = "self.trim().matches('[,; \\t\\r\\n]')";
    let is_plugin = "self.trim().matches('^age1[a-z0-9]+1[a-z0-9]+$')";
    let is_key = "self.trim().matches('^age1[02-9ac-hj-np-z]{58}$')";
    let shapes = [
        (format!("!{is_ssh}"), "this is an SSH key: run age-keygen and give the public key that starts with age1"),
        (format!("!{is_many} || {is_ssh}"), "this holds more than one key: give each key an entry of its own"),
        (format!("!{is_plugin}"), "this key belongs to an age plugin: give an X25519 key as age-keygen makes it"),
        (
            format!("{is_key} || {is_plugin} || {is_ssh} || {is_many}"),
            "this is not an age public key: it must be age1 and 58 more characters, as age-keygen prints it",
        ),
    ];
    let entry_rules: Vec<_> =
        shapes.iter().map(|(rule, message)| json!({"rule": format!("self{IS_SECRET} || {rule}"), "message": message})).collect();
    // CEL has no index of the first match within the budget that the API server allows; a chain of choices has.
    let index = (0..MAX_RECIPIENTS)
        .rev()
        .fold("'?'".to_owned(), |rest, at| format!("(size(self) > {at} && self[{at}]{IS_SECRET}) ? '{at}' : {rest}"));
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_RECIPIENTS,
        "items": {"type": "string", "maxLength": 500, "x-kubernetes-validations": entry_rules},
        "x-kubernetes-validations": [
            {
                "rule": format!("!self.exists(r, r{IS_SECRET})"),
                "messageExpression": format!(
                    "'spec.exit.recipients[' + ({index}) + ']: this is an age SECRET key: treat it as leaked, make a new pair with age-keygen and give the \
                     public key that starts with age1'"
                ),
                "message": "this is an age SECRET key: treat it as leaked, make a new pair with age-keygen and give the public key that starts with age1",
            },
            {
                "rule": "self.all(r, self.exists_one(o, o.trim() == r.trim()))",
                "message": "the same recipient is listed twice: list each key once",
            },
        ],
    })
}
