//! How a changed profile goes out.

use super::*;

#[test]
fn a_change_is_shown_before_it_goes_out_and_goes_out_wave_by_wave() {
    let mut smb = profile(defaults(30), json!({}));
    let old = revision(&smb.spec);
    let mut clients: Vec<ManagedClient> = ["a", "b"].map(|name| ready(taken(&client(name), &smb, START), Is::True)).into();
    clients.push(ready(taken(&client_of("c", json!({"monitoring": {"retentionDays": 7}})), &smb, START), Is::True));
    assert!(matches!(look(&mut smb, &clients, START), Outcome::Settled(_)));
    assert!(smb.status.as_ref().unwrap().change.is_none());

    smb.spec = profile(defaults(60), json!({})).spec;
    let new = revision(&smb.spec);
    assert_ne!(old, new);
    look(&mut smb, &clients, after(10));
    let status = smb.status.clone().unwrap();
    let change = status.change.unwrap();
    assert_eq!((status.behind, change.clients, change.affected, change.fields), (3, 3, 2, 2), "c has its own value");
    let rows: Vec<(&str, &str, Option<&str>, Option<&str>)> =
        change.rows.iter().map(|row| (row.client.as_str(), row.path.as_str(), row.from.as_deref(), row.to.as_deref())).collect();
    assert_eq!(
        rows,
        [("a", "monitoring.retentionDays", Some("30"), Some("60")), ("b", "monitoring.retentionDays", Some("30"), Some("60"))]
    );
    assert!(wave(&smb).is_empty(), "it is only shown");
    for client in &clients {
        assert_eq!(standing(client, Some(&smb), after(11)), Standing::InForce { newer: Some(new.clone()), problem: None });
        assert_eq!(revision_of(client), old, "each keeps what it has");
    }
    look(&mut smb, &clients, after(69));
    assert!(wave(&smb).is_empty(), "the pause is not over");
    look(&mut smb, &clients, after(70));
    assert_eq!(wave(&smb), ["a"]);

    clients[0] = ready(taken(&clients[0], &smb, after(71)), Is::False);
    clients[1] = taken(&clients[1], &smb, after(71));
    assert_eq!((revision_of(&clients[0]), revision_of(&clients[1])), (new.as_str(), old.as_str()));
    let outcome = look(&mut smb, &clients, after(300));
    assert!(matches!(&outcome, Outcome::Waiting(wait) if wait.message.contains("a is not Ready again")), "{outcome:?}");
    clients[0] = ready(clients[0].clone(), Is::True);
    look(&mut smb, &clients, after(301));
    look(&mut smb, &clients, after(360));
    assert_eq!(wave(&smb), ["a"], "the pause between the waves");
    smb.spec.rollout.paused = true;
    let outcome = look(&mut smb, &clients, after(362));
    assert!(matches!(&outcome, Outcome::Waiting(wait) if wait.reason == Reason::RolloutPaused), "{outcome:?}");
    smb.spec.rollout.paused = false;
    look(&mut smb, &clients, after(363));
    assert_eq!(wave(&smb), ["b"]);
    clients[1] = taken(&clients[1], &smb, after(364));
    look(&mut smb, &clients, after(365));
    look(&mut smb, &clients, after(500));
    assert_eq!(wave(&smb), ["c"]);
    clients[2] = taken(&clients[2], &smb, after(501));
    assert!(matches!(look(&mut smb, &clients, after(502)), Outcome::Settled(_)));
    let status = smb.status.as_ref().unwrap();
    assert_eq!((status.behind, status.revisions.len(), status.deviations), (0, 1, 1));
    assert!(status.change.is_none() && status.wave.is_none());
}

#[test]
fn a_client_that_was_not_ready_before_holds_nobody_up_and_one_that_is_left_alone_is_in_no_wave() {
    let mut smb = profile(defaults(30), json!({}));
    let mut clients: Vec<ManagedClient> = ["a", "b", "c"].map(|name| ready(taken(&client(name), &smb, START), Is::False)).into();
    clients[1].metadata.annotations = Some([(caretaker_api::names::PAUSED.to_owned(), "true".to_owned())].into());
    smb.spec = profile(defaults(60), json!({})).spec;
    look(&mut smb, &clients, START);
    look(&mut smb, &clients, after(60));
    assert_eq!(wave(&smb), ["a"]);
    let outcome = look(&mut smb, &clients, after(200));
    assert!(matches!(&outcome, Outcome::Waiting(wait) if wait.message.contains("a has not taken it")), "{outcome:?}");
    clients[0] = taken(&clients[0], &smb, after(61));
    look(&mut smb, &clients, after(201));
    look(&mut smb, &clients, after(261));
    assert_eq!(wave(&smb), ["c"], "b is paused");
    clients[2] = taken(&clients[2], &smb, after(262));
    look(&mut smb, &clients, after(263));
    let outcome = look(&mut smb, &clients, after(400));
    assert!(matches!(&outcome, Outcome::Waiting(wait) if wait.message.contains("paused or on their way out")), "{outcome:?}");
    clients[1].metadata.annotations = None;
    look(&mut smb, &clients, after(401));
    assert_eq!(wave(&smb), ["b"]);
}

#[test]
fn a_share_is_rounded_up_and_never_nobody() {
    use super::rollout::{pause, wave_size};
    let terms = |size: Value, pause: &str| serde_json::from_value(json!({"waveSize": size, "pause": pause})).unwrap();
    for (size, clients, expected) in
        [(json!("25%"), 10, 3), (json!("1%"), 1, 1), (json!("100%"), 7, 7), (json!(4), 10, 4), (json!("25%"), 0, 1)]
    {
        assert_eq!(wave_size(&terms(size.clone(), "10m"), clients), expected, "{size} of {clients}");
    }
    for (text, seconds) in [("10m", Some(600)), ("1h30m", Some(5400)), ("0s", Some(0)), ("90s", Some(90)), ("soon", None), ("-1m", None)] {
        assert_eq!(pause(&terms(json!(1), text)).map(|pause| pause.as_secs()), seconds, "{text}");
    }
}

#[test]
fn a_change_that_is_shown_is_never_begun_by_the_same_write() {
    let mut smb = profile(defaults(30), json!({}));
    let clients = [ready(taken(&client("a"), &smb, START), Is::True)];
    smb.spec = profile(defaults(60), json!({"rollout": {"waveSize": "100%", "pause": "0s"}})).spec;
    look(&mut smb, &clients, after(10));
    assert!(wave(&smb).is_empty() && smb.status.as_ref().unwrap().change.is_some());
    look(&mut smb, &clients, after(11));
    assert_eq!(wave(&smb), ["a"]);
}

#[test]
fn a_change_within_a_rollout_begins_anew() {
    let mut smb = profile(defaults(30), json!({}));
    let mut clients: Vec<ManagedClient> = ["a", "b"].map(|name| ready(taken(&client(name), &smb, START), Is::True)).into();
    smb.spec = profile(defaults(60), json!({})).spec;
    look(&mut smb, &clients, START);
    look(&mut smb, &clients, after(60));
    clients[0] = taken(&clients[0], &smb, after(61));
    smb.spec = profile(defaults(61), json!({})).spec;
    assert_eq!(taken(&clients[1], &smb, after(62)), clients[1], "the wave that stands is of another revision");
    look(&mut smb, &clients, after(62));
    let status = smb.status.as_ref().unwrap();
    assert!(status.wave.is_none());
    assert_eq!((status.change.as_ref().unwrap().clients, status.revisions.len()), (2, 2));
    look(&mut smb, &clients, after(121));
    assert!(wave(&smb).is_empty(), "the pause runs from when this revision was shown");
    look(&mut smb, &clients, after(122));
    assert_eq!(wave(&smb), ["a"]);
}

/// Argo CD 12202: conditions flipped at each look, and each look wrote.
#[test]
fn a_second_look_at_the_same_world_writes_nothing() {
    let mut smb = profile(defaults(30), json!({}));
    let clients = [ready(taken(&client("a"), &smb, START), Is::True), ready(taken(&client("b"), &smb, START), Is::True)];
    for (days, at) in [(30, 0), (60, 10), (60, 71)] {
        smb.spec = profile(defaults(days), json!({})).spec;
        look(&mut smb, &clients, after(at));
        let before = smb.status.clone();
        look(&mut smb, &clients, after(at + 5));
        assert_eq!(smb.status, before, "{days} days at {at} s");
    }
    let a = taken(&clients[0], &smb, after(80));
    assert_eq!(shown(&a, &standing(&a, Some(&smb), after(90))).as_ref(), a.status.as_ref().unwrap().profile.as_ref());
}
