//! Ways, their keys and their ports.

use serde_json::json;

use super::*;

fn terms() -> MonitoringTerms {
    let key = |key: &str| json!({"name": "caretaker-receivers", "key": key});
    serde_json::from_value(json!({
        "tiers": [
            {"name": "desk", "ackWithinMinutes": 5, "receivers": [
                {"slack": key("slack")}, {"pagerDuty": {"name": "caretaker-receivers", "key": "pd", "eu": true}}, {"opsgenie": key("og")},
                {"msTeams": key("teams")}, {"webhook": key("hook")}, {"webhook": key("hook2")},
                {"email": {"to": ["a@x.example", "b@x.example"], "from": "c@x.example", "smarthost": "smtp.x.example:587", "username": "u", "password": key("pw")}},
            ]},
            {"name": "lead", "webhookSecret": {"name": "other", "key": "url"}},
        ],
        "heartbeat": {"webhook": key("beat")},
    }))
    .unwrap()
}

fn secret(changes: &[(&str, Option<&str>)]) -> Secret {
    let mut data: BTreeMap<String, String> = [
        ("slack", "https://hooks.slack.com/services/T0/B0/x"),
        ("pd", "0123456789abcdefABCDEF0123456789"),
        ("og", "01234567-89ab-cdef-0123-456789abcdef"),
        ("teams", "https://x.logic.azure.com:443/workflows/1?sig=a%2Fb"),
        ("hook", "http://desk.x.example:8080/a"),
        ("hook2", "https://desk.x.example/b"),
        ("pw", "p\"a'ss w$rd"),
        ("beat", "https://beats.example:8443/uuid"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    for (key, value) in changes {
        match value {
            Some(value) => drop(data.insert((*key).to_owned(), (*value).to_owned())),
            None => drop(data.remove(*key)),
        }
    }
    let data = data.into_iter().map(|(key, value)| (key, k8s_openapi::ByteString(value.into_bytes()))).collect();
    Secret { data: Some(data), ..Secret::default() }
}

#[test]
fn a_value_of_the_wrong_sort_is_named_and_touches_no_other_way() {
    let good = Judged::of(&terms(), Some(&secret(&[])));
    assert_eq!(good.told(), None, "{good:?}");
    for (key, value, way, words) in [
        ("slack", Some("https://hooks.slack.com/x\n"), "desk.slack", "holds a line end"),
        ("slack", Some("\"https://hooks.slack.com/x\""), "desk.slack", "holds quotes"),
        ("slack", Some("http://hooks.slack.com/x"), "desk.slack", "does not begin with https"),
        ("slack", Some("xoxb-1-2"), "desk.slack", "no address"),
        ("teams", Some("hello"), "desk.msteams", "no address"),
        ("teams", Some("https://x.example/%zz"), "desk.msteams", "no address"),
        ("teams", Some("https://x.example:port/"), "desk.msteams", "no address"),
        ("teams", Some("https:///x"), "desk.msteams", "no address"),
        ("pd", Some("0123456789abcdef0123456789abcde"), "desk.pagerduty", "32 letters"),
        ("og", Some("0123456789abcdef0123456789abcdef"), "desk.opsgenie", "API key"),
        ("hook2", Some("https://a b.example"), "desk.webhook-2", "holds blanks"),
        ("hook", None, "desk.webhook", "no key hook"),
        ("pw", Some(""), "desk.email", "is empty"),
        ("pw", Some("s3cr3t\n"), "desk.email", "holds a line end"),
    ] {
        let judged = Judged::of(&terms(), Some(&secret(&[(key, value)])));
        let told = judged.told().unwrap_or_default();
        assert!(told.starts_with(&format!("{way} is not paged: ")) && told.contains(words), "{key} {value:?}: {told}");
        assert_eq!(judged.faults.len(), 1, "{judged:?}");
        assert!(
            value.is_none_or(|value| value.is_empty() || !format!("{judged:?}").contains(value.trim())),
            "a value is shown: {judged:?}"
        );
    }
    let told = Judged::of(&terms(), Some(&secret(&[("beat", Some("x"))]))).told().unwrap();
    assert!(told.starts_with("no heartbeat goes out: "), "{told}");
    let missing = Judged::of(&terms(), None);
    assert_eq!(missing.faults.len(), 8, "{missing:?}");
    assert!(missing.is_usable("tier-lead"), "its Secret is another one, and nobody looked");
}

#[test]
fn each_way_has_a_name_of_its_own_and_the_ports_that_it_needs() {
    let (terms, judged) = (terms(), Judged::of(&terms(), Some(&secret(&[]))));
    let found: Vec<(String, Vec<u16>)> = terms
        .tiers
        .iter()
        .flat_map(ways)
        .map(|(name, way)| {
            let ports = ports(way, &part(&name), &judged);
            (name, ports)
        })
        .collect();
    let expected = [
        ("desk.slack", vec![443]),
        ("desk.pagerduty", vec![443]),
        ("desk.opsgenie", vec![443]),
        ("desk.msteams", vec![443]),
        ("desk.webhook", vec![8080]),
        ("desk.webhook-2", vec![443]),
        ("desk.email", vec![587]),
        ("lead", vec![443, 80]),
    ];
    assert_eq!(found, expected.map(|(name, ports)| (name.to_owned(), ports)));
    let nowhere: TierReceiver =
        serde_json::from_value(json!({"email": {"to": ["a@x.example"], "from": "a@x.example", "smarthost": "x:99999"}})).unwrap();
    assert_eq!(ports(Way::Entry(&nowhere), "tier-x.email", &judged), [443], "no port would be every port");
    assert_eq!(beat_port(&judged), Some(8443));
    assert!(needs_secret(&terms));
}
