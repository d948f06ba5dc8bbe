use serde_json::{Value, json};

use super::*;
use crate::cloud_account::{self, Done, Observed};
use crate::conditions::find;

const AWS: &str = "arn:aws:iam::999999999999:user/";

fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()
}

fn account(namespace: &str, profile: &str, target: &Value) -> CloudAccount {
    serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount",
        "metadata": {"name": "prod", "namespace": namespace, "generation": 1, "uid": format!("uid of {namespace}")},
        "spec": {"providerProfile": profile, "aws": target["aws"], "azure": target["azure"], "gcp": target["gcp"]},
    }))
    .unwrap()
}

fn aws() -> Value {
    json!({"aws": {"accountId": "111122223333", "externalId": "abc123"}})
}

/// A profile that has signed in on all of its clouds or on none.
fn profile(name: &str, has_signed_in: bool, user: &str) -> ProviderProfile {
    let identity = json!({"account": "a", "principal": user});
    let status = json!({"aws": {"accountId": "999999999999", "arn": user}, "azure": identity, "gcp": identity});
    serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ProviderProfile", "metadata": {"name": name, "generation": 1},
        "spec": {
            "displayName": "Care", "contacts": [], "aws": {"principalArn": format!("{AWS}{user}")},
            "azure": {"tenantId": "T", "clientId": user, "principalId": "p"}, "gcp": {"projectId": "p", "principal": user},
        },
        "status": if has_signed_in { status } else { json!({}) },
    }))
    .unwrap()
}

/// An account of acme's under the profile `default`, and one of another client's under each of these.
fn world(target: &Value, profiles: &[&str]) -> (CloudAccount, Vec<CloudAccount>) {
    let others = profiles.iter().map(|profile| account(&format!("client-of-{profile}"), profile, target));
    let own = account("client-acme", "default", target);
    (own.clone(), std::iter::once(own).chain(others).collect())
}

fn visited(account: &mut CloudAccount, tried: Option<Tried>, now: Timestamp) -> (String, String, String) {
    let done = Done { principal: "role".into(), others: tried, ..Done::default() };
    let mut status = cloud_account::status(account, &Observed::default(), &[], &done, now).0;
    status.access.as_mut().unwrap().generation = Some(1);
    let condition = find(&status.conditions, ConditionType::ClientsSeparated).unwrap().clone();
    account.status = Some(status);
    (condition.status, condition.reason, condition.message)
}

fn names(round: &Round) -> Vec<&str> {
    round.others.iter().map(|other| other.profile.as_str()).collect()
}

#[test]
fn only_what_leads_into_other_clients_accounts_of_the_same_cloud_tries() {
    let mut leaving = profile("leaving", true, "leaving");
    leaving.metadata.deletion_timestamp = Some(Time(at(0)));
    let mut china = profile("china", true, "china");
    china.spec.aws.as_mut().unwrap().principal_arn = "arn:aws-cn:iam::999999999999:user/china".into();
    let profiles = [
        profile("default", true, "us"),
        profile("same", true, "us"),
        profile("other", true, "other"),
        profile("other-again", true, "other"),
        profile("not-signed-in", false, "x"),
        profile("spare", true, "spare"),
        leaving,
        china,
    ];
    let used = ["same", "other", "other-again", "not-signed-in", "leaving", "china"];
    for (target, expected) in [
        (aws(), vec!["other"]),
        (json!({"azure": {"subscriptionId": "s"}}), vec!["china", "other"]),
        (json!({"gcp": {"projectId": "acme-prod"}}), vec!["china", "other"]),
    ] {
        let (own, accounts) = world(&target, &used);
        let round = round((&own, &profiles[0].spec), &accounts, &profiles, at(0));
        let mut tries = names(&round);
        tries.sort_unstable();
        assert_eq!((tries, round.known), (expected.clone(), expected.len()), "{target}");
        assert_eq!(round.is_shared, target["aws"].is_null(), "an ExternalId keeps clients of one principal apart: {target}");
        assert!(
            super::round((&own, &profiles[0].spec), std::slice::from_ref(&own), &profiles, at(0)).others.is_empty(),
            "nobody else is there"
        );
    }
}

#[test]
fn of_many_a_few_try_and_others_each_week() {
    let users: Vec<String> = (0..20).map(|number| format!("p{number:02}")).collect();
    let mut profiles: Vec<ProviderProfile> = users.iter().map(|user| profile(user, true, user)).collect();
    profiles.push(profile("default", true, "us"));
    let (own, accounts) = world(&aws(), &users.iter().map(String::as_str).collect::<Vec<_>>());
    let spec = profiles[20].spec.clone();
    let of = |hours: i64, profiles: &[ProviderProfile]| round((&own, &spec), &accounts, profiles, at(hours));
    let first = of(0, &profiles);
    assert_eq!((first.others.len(), first.known), (MOST, 20));
    profiles.reverse();
    assert_eq!(of(0, &profiles), first, "whatever the order");
    let over_a_year: BTreeSet<String> = (0..52).flat_map(|week| of(week * 24 * 7, &profiles).others).map(|other| other.profile).collect();
    assert_eq!(over_a_year.len(), 20);
}

#[test]
fn who_was_let_in_stays_told_until_it_is_refused_or_nobody_is_it_any_more() {
    let profiles = [profile("default", true, "us"), profile("other", true, "other"), profile("third", true, "third")];
    let spec = &profiles[0].spec;
    let (mut own, accounts) = world(&aws(), &["other", "third"]);
    let mut go = |profiles: &[ProviderProfile], accounts: &[CloudAccount], hours: i64, answer: &dyn Fn(&str) -> Refusal| {
        let round = round((&own, spec), accounts, profiles, at(hours));
        let answers = round.others.iter().map(|other| answer(&other.profile)).collect();
        let told = visited(&mut own, Some(Tried { round: round.clone(), answers }), at(hours));
        (told, names(&round).into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    let hole = |profile: &str| if profile == "other" { Refusal::LetIn } else { Refusal::Refused };
    let ((is, reason, message), _) = go(&profiles, &accounts, 0, &hole);
    assert_eq!((is.as_str(), reason.as_str()), ("False", "NotRefused"));
    assert!(
        message.contains("trust policy") && !message.contains("other\"") && !message.contains(AWS),
        "whose it is, is told to nobody: {message}"
    );
    let ((is, ..), tried) = go(&profiles, &accounts, 1, &|_| Refusal::Unknown("the cloud did not answer".into()));
    assert_eq!((is.as_str(), tried[0].as_str()), ("False", "other"), "an error closes no hole, and it is tried first");
    let signed_out = [profiles[0].clone(), profile("other", false, "other"), profiles[2].clone()];
    let ((is, ..), tried) = go(&signed_out, &accounts[..1], 2, &|_| Refusal::Unknown("its own credentials do not work".into()));
    assert_eq!((is.as_str(), tried), ("False", vec!["other".to_owned()]), "nor does a profile that cannot sign in, or serves nobody");
    let ((is, _, message), _) = go(&profiles, &accounts, 3, &|_| Refusal::Refused);
    assert!(is == "True" && message.starts_with("2 of the 2"), "{message}");
    assert_eq!(go(&profiles, &accounts, 4, &hole).0.0, "False");
    assert_eq!(go(&[profiles[0].clone(), profiles[2].clone()], &accounts, 5, &hole).0.0, "True", "no profile has that principal any more");
}

#[test]
fn an_error_proves_nothing_and_no_other_principal_is_said() {
    let profiles = [profile("default", true, "us"), profile("other", true, "other"), profile("third", true, "third")];
    let answers = |first: Refusal| vec![first, Refusal::Unknown("the cloud did not answer".into())];
    for (used, answers, expected, text) in [
        (vec!["other", "third"], answers(Refusal::Refused), ("True", "Proven"), "1 of the 2"),
        (
            vec!["other", "third"],
            answers(Refusal::Unknown("no".into())),
            ("Unknown", "Unreachable"),
            "2 could not be tried, the first because: no",
        ),
        (vec![], Vec::new(), ("Unknown", "NotRequested"), "none was tried"),
    ] {
        let (mut own, accounts) = world(&aws(), &used);
        let round = round((&own, &profiles[0].spec), &accounts, &profiles, at(0));
        let (is, reason, message) = visited(&mut own, Some(Tried { round, answers }), at(0));
        assert_eq!((is.as_str(), reason.as_str()), expected, "{message}");
        assert!(message.contains(text), "{message}");
        assert_eq!(visited(&mut own, None, at(1)).0, expected.0, "a visit that tries nothing changes nothing");
    }
    let gcp = json!({"gcp": {"projectId": "acme-prod"}});
    let (mut own, accounts) = world(&gcp, &["default"]);
    let round = round((&own, &profiles[0].spec), &accounts, &profiles, at(0));
    let (_, _, message) = visited(&mut own, Some(Tried { round, answers: Vec::new() }), at(0));
    assert!(message.contains("no ExternalId to keep them apart"), "{message}");
}

#[test]
fn a_round_is_due_once_a_week_after_a_hole_each_hour_and_in_another_world_soon() {
    let profiles = [profile("default", true, "us"), profile("other", true, "other"), profile("unready", false, "unready")];
    let spec = &profiles[0].spec;
    let (fresh, accounts) = world(&aws(), &["other", "unready"]);
    assert!(is_due((&fresh, spec), &profiles, false, at(0)), "never tried");
    let after = |answer: Refusal| {
        let mut own = fresh.clone();
        let round = round((&own, spec), &accounts, &profiles, at(0));
        visited(&mut own, Some(Tried { round, answers: vec![answer] }), at(0));
        own
    };
    let due = |own: &CloudAccount, profiles: &[ProviderProfile], asked: bool, hours: i64| is_due((own, spec), profiles, asked, at(hours));
    let well = after(Refusal::Refused);
    assert!(!due(&well, &profiles, false, 100) && due(&well, &profiles, false, 7 * 24 + 20), "once a week");
    assert!(!due(&well, &profiles, true, 0) && due(&well, &profiles, true, 2), "a person may ask once an hour");
    let ready = [profiles[0].clone(), profiles[1].clone(), profile("unready", true, "unready")];
    assert!(!due(&well, &ready, false, 0) && due(&well, &ready, false, 2), "a further principal that has signed in");
    assert!(due(&well, &profiles[..1], false, 2), "one that is gone");
    assert!(is_due((&well, &profile("default", true, "moved").spec), &profiles, false, at(2)), "another principal of our own");
    let unknown = after(Refusal::Unknown("no".into()));
    assert!(
        !due(&unknown, &profiles, false, 12) && due(&unknown, &profiles, false, 30),
        "an error is tried again the next day, not each hour"
    );
    let hole = after(Refusal::LetIn);
    assert!(!due(&hole, &profiles, false, 0) && due(&hole, &profiles, false, 2) && due(&hole, &profiles, true, 0));
}
