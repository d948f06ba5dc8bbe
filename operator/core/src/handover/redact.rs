//! What must not stand in a bundle: passwords, tokens and keys that somebody wrote where anybody can read them. All that goes into a bundle passes here.
//!
//! A false alarm costs a value that can be read in the account; what is missed is in the hands of whoever holds the bundle. So doubt withholds.

use std::collections::BTreeSet;

use caretaker_cloud::Asset;
use serde_json::Value;

/// Stands in the place of what is left out.
pub const WITHHELD: &str = "[withheld]";

/// Words that say that what they name is a secret, wherever they stand in the name.
const WITHIN: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "credential",
    "privatekey",
    "accesskey",
    "accountkey",
    "connectionstring",
];
/// Words that say so only where they stand alone.
const ALONE: [&str; 5] = ["pwd", "pass", "psk", "pw", "bearer"];
/// Last words of names that name a reference.
const REFERENCES: [&str; 2] = ["name", "arn"];
/// Parameters of a URL that hold a secret, beside those whose names say so.
const PARAMETERS: [&str; 6] = ["sig", "signature", "key", "code", "auth", "sv"];
/// How well-known tokens begin.
const TOKENS: [&str; 13] =
    ["AGE-SECRET-KEY-", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "xoxa-", "xapp-", "AIza", "sk_live_", "eyJ"];

/// Whether a name says that what it names is a secret: `db_password`, `DbPassword`, `API-Key`; not `secretName`, which names one.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    let joined = words.concat();
    let is_reference = words.last().is_some_and(|last| REFERENCES.contains(&last.as_str()));
    let says = WITHIN.iter().any(|word| joined.contains(word)) || words.iter().any(|word| ALONE.contains(&word.as_str()));
    says && !is_reference
}

/// The words of a name in small letters, also where capitals part them.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in name.chars() {
        let begins = !c.is_alphanumeric() || was_small && c.is_uppercase();
        if begins && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        was_small = c.is_lowercase() || c.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A text without user and password in URLs, without paths that are tokens, without values behind names of secrets, and without well-known tokens and
/// private keys.
#[must_use]
pub fn text(text: &str) -> String {
    let text = without_keys(text);
    let text = without_assignments(&urls(&text));
    let text: String = text.split_inclusive(is_end).map(word).collect();
    if is_bare_login(&text) { WITHHELD.to_owned() + &text[text.rfind('@').unwrap_or_default()..] } else { text }
}

/// Ends a word of a text.
fn is_end(c: char) -> bool {
    c.is_whitespace() || "\"'`<>,;=()".contains(c)
}

/// A word that is no well-known token.
fn word(word: &str) -> String {
    let bare = word.trim_end_matches(is_end);
    let begins = |start: &&str| bare.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    let is_token = bare.len() >= 20 && TOKENS.iter().any(|start| if start.len() > 4 { begins(start) } else { bare.starts_with(start) });
    if is_token { format!("{WITHHELD}{}", &word[bare.len()..]) } else { word.to_owned() }
}

/// `user:password@host:port`, without a scheme and with nothing else.
fn is_bare_login(text: &str) -> bool {
    let Some((login, host)) = text.rsplit_once('@') else { return false };
    let is_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    is_port && login.contains(':') && !login.contains(['/', ' ']) && login != WITHHELD
}

/// A private key in its armour goes whole.
fn without_keys(text: &str) -> String {
    const BEGIN: &str = "-----BEGIN ";
    let Some(at) = text.find(BEGIN) else { return text.to_owned() };
    let (before, rest) = text.split_at(at);
    let is_private = rest.lines().next().is_some_and(|line| line.contains("PRIVATE KEY"));
    if !is_private {
        let (head, rest) = rest.split_at(BEGIN.len());
        return format!("{before}{head}{}", without_keys(rest));
    }
    let after = rest.find("-----END ").and_then(|end| Some(end + 9 + rest[end + 9..].find("-----")? + 5)).unwrap_or(rest.len());
    format!("{before}{WITHHELD}{}", without_keys(&rest[after..]))
}

/// `name=value` with a name that says that the value is a secret, as in connection strings.
fn without_assignments(text: &str) -> String {
    let mut made = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('=') {
        let (before, after) = rest.split_at(at + 1);
        made.push_str(before);
        let name = before[..at].rsplit(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-')).next().unwrap_or_default();
        let length = after.find(|c: char| is_end(c) || c == '&').unwrap_or(after.len());
        let is_kept = length == 0 || !is_secret_name(name);
        made.push_str(if is_kept { &after[..length] } else { WITHHELD });
        rest = &after[length..];
    }
    made + rest
}

/// Every URL of a text, without what is secret in it.
fn urls(text: &str) -> String {
    let mut made = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        let length = after.find(|c: char| c.is_whitespace() || "\"'`<>".contains(c)).unwrap_or(after.len());
        made.push_str(before);
        made.push_str(&url(&after[..length]));
        rest = &after[length..];
    }
    made + rest
}

/// A URL without its scheme.
fn url(rest: &str) -> String {
    let (address, query) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
    let authority = address.split('/').next().unwrap_or_default();
    // A password with a slash in it ends what a parser takes for the host.
    let login = address.rfind('@').filter(|at| authority.contains('@') || address[..*at].contains(':'));
    let (login, place) = login.map_or(("", address), |at| (WITHHELD, &address[at..]));
    let (host, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    let path = if is_token_path(host, path) { format!("/{WITHHELD}") } else { path.to_owned() };
    format!("{login}{host}{path}{}", parameters(query))
}

fn parameters(query: &str) -> String {
    let one = |part: &str| {
        let Some((name, value)) = part.split_once('=') else { return part.to_owned() };
        let bare = name.trim_start_matches(['?', '#']).to_ascii_lowercase();
        let is_secret = is_secret_name(&bare) || PARAMETERS.contains(&bare.as_str());
        if is_secret && !value.is_empty() { format!("{name}={WITHHELD}") } else { part.to_owned() }
    };
    query.split('&').map(one).collect::<Vec<_>>().join("&")
}

/// Whether a path is a key by itself: that of a webhook, or one with a part that no person made up.
fn is_token_path(host: &str, path: &str) -> bool {
    let is_hook = |part: &str| words(part).iter().any(|word| matches!(word.as_str(), "hook" | "hooks" | "webhook" | "webhooks"));
    let is_hooks = host.split('.').any(is_hook) || path.split('/').any(is_hook) || path.starts_with("/services/");
    is_hooks && path.len() > 1 || path.split('/').any(is_random)
}

fn is_random(part: &str) -> bool {
    let has = |is: fn(&u8) -> bool| part.bytes().any(|byte| is(&byte));
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    let is_hex = part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_word = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    is_word && (part.len() >= 20 && is_mixed || part.len() >= 32 && is_hex)
}

/// JSON without secrets: each text by itself, whole where the field's name says so, and the value beside a key with such a name.
#[must_use]
pub fn value(found: Value) -> Value {
    match found {
        Value::String(found) => Value::String(text(&found)),
        Value::Array(items) => items.into_iter().map(value).collect(),
        Value::Object(mut fields) => {
            let label = ["key", "name"].iter().find_map(|field| fields.get(*field)?.as_str().map(is_secret_name));
            let is_labelled = label.unwrap_or_default();
            for (name, held) in &mut fields {
                let is_secret = is_secret_name(name) || is_labelled && matches!(name.as_str(), "value" | "values");
                *held = if is_secret { withheld(held.take()) } else { value(held.take()) };
            }
            Value::Object(fields)
        }
        other => other,
    }
}

/// The texts of a secret field go whole. An object in it names a secret, such as a key of a Secret, and holds none.
fn withheld(found: Value) -> Value {
    match found {
        Value::String(found) if !found.is_empty() => Value::String(WITHHELD.to_owned()),
        Value::Array(items) => items.into_iter().map(withheld).collect(),
        other => value(other),
    }
}

/// Takes secrets out of an asset. Gives the names of the tags and facts whose values are withheld.
pub fn asset(asset: &mut Asset) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (name, held) in asset.tags.iter_mut().chain(&mut asset.facts) {
        let shown = if is_secret_name(name) && !held.is_empty() { WITHHELD.to_owned() } else { text(held) };
        if shown != *held {
            names.insert(name.clone());
            *held = shown;
        }
    }
    asset.name = text(&asset.name);
    names
}

#[cfg(test)]
mod tests {
    use caretaker_cloud::{AssetType, Cloud};
    use serde_json::json;

    use super::*;

    #[test]
    fn names_of_secrets_are_told_from_names_of_references() {
        for name in [
            "db_password",
            "DbPassword",
            "DB-PASSWORD",
            "dbpassword",
            "Secret",
            "api_key",
            "apiKey",
            "APIKEY",
            "access-token",
            "root_pw",
            "PWD",
            "wifi psk",
            "vault:secret_id",
            "awsSecretAccessKey",
            "privateKey",
            "connectionString",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["secretName", "tokenArn", "Name", "backup", "env", "compass", "passenger", "key", "monkey", "owner", "", "kms-key-id"]
        {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    /// X05, and what people write into tags and addresses.
    #[test]
    fn secrets_in_texts_are_withheld() {
        for (given, expected) in [
            ("https://user:hunter2@desk.example/a", "https://[withheld]@desk.example/a"),
            ("https://user@desk.example/a", "https://[withheld]@desk.example/a"),
            ("https://user:hun/ter2@desk.example/a", "https://[withheld]@desk.example/a"),
            ("https://us er:x@desk.example", "https://us er:x@desk.example"),
            ("postgres://app:hunter2@10.0.0.1:5432/db", "postgres://[withheld]@10.0.0.1:5432/db"),
            ("user:hunter2@blackbox:9115", "[withheld]@blackbox:9115"),
            ("https://hooks.example/services/T0/B0/x", "https://hooks.example/[withheld]"),
            ("https://acme.webhook.office.com/webhookb2/1@2/IncomingWebhook/3", "https://acme.webhook.office.com/[withheld]"),
            ("https://desk.example/api/webhooks/123/abc", "https://desk.example/[withheld]"),
            ("https://desk.example/v2/R0qZk1vT7bX2mN5pL9sD", "https://desk.example/[withheld]"),
            ("https://desk.example/0123456789abcdef0123456789abcdef/x", "https://desk.example/[withheld]"),
            ("https://desk.example/a?token=hunter2&x=1", "https://desk.example/a?token=[withheld]&x=1"),
            ("https://b.example/c?sv=2024&sig=hunter2", "https://b.example/c?sv=[withheld]&sig=[withheld]"),
            ("Server=db;User Id=sa;Password=hunter2;Encrypt=yes", "Server=db;User Id=sa;Password=[withheld];Encrypt=yes"),
            (
                "see https://a.example/runbook and https://u:p@b.example/, please",
                "see https://a.example/runbook and https://[withheld]@b.example/, please",
            ),
            ("key -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- end", "key [withheld] end"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nMII", "[withheld]"),
            ("use ghp_0123456789abcdefghij, now", "use [withheld], now"),
            ("AGE-SECRET-KEY-1QQQQQQQQQQQ", "[withheld]"),
        ] {
            assert_eq!(text(given), expected, "{given}");
            assert_eq!(text(&text(given)), text(given), "a second time: {given}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for given in [
            "https://desk.provider.example/alerts",
            "https://www.googleapis.com/compute/v1/projects/p/zones/europe-west1-b/instances/gke-cluster-default-pool-1a2b3c4d-x1y2",
            "arn:aws:iam::222222222222:user/jo@acme.example",
            "user:jo@acme.example",
            "deleted:serviceAccount:x@p.iam.gserviceaccount.com?uid=123456789012345678901",
            "mailto:jo@acme.example",
            "jo@acme.example",
            "AKIAIOSFODNN7EXAMPLE",
            "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
            "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kudljd4ks7fgjnq",
            "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
            "a = b, x==y, password=",
            "Acme – 日本 👍",
        ] {
            assert_eq!(text(given), given);
        }
    }

    #[test]
    fn fields_and_labels_of_secrets_are_withheld_and_references_stay() {
        let given = json!({
            "webhookSecret": {"name": "pager", "key": "url"}, "credentials": {"secretName": "aws-base"}, "automountServiceAccountToken": false,
            "password": "hunter2", "tokens": ["a", "b"], "tag": {"key": "db_password", "value": "hunter2"}, "empty": {"secret": ""},
            "env": [{"name": "API_KEY", "value": "x"}, {"name": "LOG", "value": "debug"}],
        });
        let expected = json!({
            "webhookSecret": {"name": "pager", "key": "url"}, "credentials": {"secretName": "aws-base"}, "automountServiceAccountToken": false,
            "password": WITHHELD, "tokens": [WITHHELD, WITHHELD], "tag": {"key": "db_password", "value": WITHHELD}, "empty": {"secret": ""},
            "env": [{"name": "API_KEY", "value": WITHHELD}, {"name": "LOG", "value": "debug"}],
        });
        assert_eq!(value(given), expected);
    }

    #[test]
    fn an_asset_keeps_its_tags_names_and_loses_their_secrets() {
        let mut found = Asset::new(Cloud::Aws, "222222222222", "eu-west-1", AssetType::Instance, "i-1");
        found.tags =
            [("db_password", "hunter2"), ("env", "prod"), ("db", "mysql://u:hunter2@h/d")].map(|(k, v)| (k.into(), v.into())).into();
        assert_eq!(asset(&mut found).into_iter().collect::<Vec<_>>(), ["db", "db_password"]);
        assert_eq!(found.tags["env"], "prod");
        assert!(!serde_json::to_string(&found).unwrap().contains("hunter2") && found.tags.contains_key("db_password"));
    }
}
