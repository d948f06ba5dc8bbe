use caretaker_api::condition::Reason;
use caretaker_cloud::StepOutcome;
use serde_json::json;

use super::*;

fn account(name: &str, spec: serde_json::Value) -> CloudAccount {
    let mut account = CloudAccount::new(name, serde_json::from_value(spec).unwrap());
    account.metadata.uid = Some(format!("uid-{name}"));
    account
}

fn aws(name: &str, allow: &[&str]) -> CloudAccount {
    account(name, json!({"aws": {"accountId": "111122223333"}, "allow": allow}))
}

fn provider() -> ProviderProfileSpec {
    serde_json::from_value(json!({
        "displayName": "Care", "contacts": [], "aws": {"principalArn": "arn:aws:iam::999999999999:user/caretaker"},
        "azure": {"tenantId": "t", "clientId": "c", "principalId": "p"},
        "gcp": {"projectId": "provider-project", "principal": "us@provider.iam.gserviceaccount.com"},
    }))
    .unwrap()
}

fn error(class: ErrorClass) -> CloudError {
    CloudError::new(class, "iam:UpdateAssumeRolePolicy", "said so")
}

fn good(ask: &Ask) -> Answer {
    match ask {
        Ask::WayIn => Answer::WayIn(Ok(true)),
        Ask::Connect => Answer::Connected(Ok(())),
        Ask::Perform(..) => Answer::Performed(Ok(Receipt { outcome: StepOutcome::Done, id: None, calls: vec!["call".into()] })),
    }
}

type Script<'a> = &'a dyn Fn(&str, &Ask) -> Option<Answer>;

const WELL: Script<'_> = &|_, _| None;

/// The questions of a visit, its receipts, and the error that it ends with.
fn visit(
    accounts: &[CloudAccount],
    before: &[RevocationStatus],
    answer: Script<'_>,
) -> (Vec<String>, Vec<RevocationStatus>, Option<ErrorClass>) {
    let names = ["one", "two", "three"].map(str::to_owned).to_vec();
    let frozen = Frozen { accounts: names, ..Frozen::default() };
    let mut revoking = Revoking::new(accounts.to_vec(), Some(provider()), Some(&frozen), before.to_vec());
    let (mut asked, mut last) = (Vec::new(), None);
    while let Some((account, ask)) = revoking.next(last.take()) {
        let name = account.name_any();
        let what = match &ask {
            Ask::WayIn => "way".to_owned(),
            Ask::Connect => "connect".to_owned(),
            Ask::Perform(_, step) => step.describe().split(' ').next().unwrap_or_default().to_owned(),
        };
        asked.push(format!("{name} {what}"));
        last = Some(answer(&name, &ask).unwrap_or_else(|| good(&ask)));
        assert!(asked.len() < 50, "it ends: {asked:?}");
    }
    let (done, failure) = revoking.into_done();
    (asked, done, failure.map(|failure| failure.class))
}

fn is_closing(ask: &Ask) -> bool {
    matches!(ask, Ask::Perform(_, CloudStep::CloseOwnRole { .. }))
}

#[test]
fn each_target_has_its_own_steps() {
    let folder = json!({"gcpFolder": {"folderId": "1", "serviceAccountProjectId": "hub-project"}});
    let gcp = json!({"gcp": {"projectId": "acme-prod"}});
    let in_folder = json!({"gcp": {"projectId": "acme-prod"}, "member": {"parent": "folder", "state": "Active"}});
    let subscription = json!({"azure": {"subscriptionId": "AAAAAAAA-0000-4000-8000-000000000001"}});
    let tenant = json!({"azureTenant": {"tenantId": "aaaaaaaa-0000-4000-8000-000000000001"}});
    let organization = json!({"awsOrganization": {"accountId": "111122223333"}});
    for (why, spec, steps, left) in [
        (
            "a role is stripped, closed, and drops its last policy",
            json!({"aws": {"accountId": "1"}}),
            "take close take",
            "closed to everybody",
        ),
        ("of an organization a StackSet stays", organization, "take close take", "the StackSet caretaker-access"),
        ("a delegation ends and leaves nothing", subscription, "end", ""),
        ("a tenant's subscriptions end their own delegations", tenant, "", ""),
        ("a service account stays without us", gcp, "remove", "which nobody of the provider's can use"),
        ("a project of a folder is closed with the folder", in_folder, "", ""),
        ("a folder's service account stays without us", folder, "remove", "@hub-project."),
    ] {
        let (planned, rest) = plan(&account("one", spec), Some(&provider()));
        let words: Vec<String> = planned.iter().filter_map(|step| step.describe().split(' ').next().map(str::to_owned)).collect();
        assert_eq!(words.join(" "), steps, "{why}");
        assert!(rest.contains(left) && rest.is_empty() == left.is_empty(), "{why}: {rest}");
        if let Some(CloudStep::RemoveBinding { member, .. }) = planned.first() {
            assert!(member.contains("us@provider"), "{why}: {member}");
        }
    }
}

#[test]
fn where_we_may_not_revoke_the_client_does_and_the_cloud_is_not_called() {
    let (asked, done, failure) = visit(&[aws("one", &[]), aws("two", &["Revoke"])], &[], WELL);
    assert_eq!(asked, ["one way", "two way", "two connect", "two take", "two close", "two take"]);
    let told: Vec<(&str, RevokedBy, usize)> =
        done.iter().map(|revocation| (revocation.account.as_str(), revocation.by, revocation.steps.len())).collect();
    assert_eq!(
        told,
        [("one", RevokedBy::Client, 0), ("two", RevokedBy::Operator, 3), ("three", RevokedBy::Client, 0)],
        "what was fixed and is gone is told"
    );
    assert!(done[1].left.contains("closed to everybody") && done[1].steps[1].ends_with(": call") && failure.is_none());
    assert!(done[0].principal.contains("in account 111122223333") && done[2].principal.is_empty());
}

#[test]
fn an_answer_decides_what_follows_it() {
    let one = [aws("one", &["Revoke"])];
    let fault = |reason: Reason| Answer::WayIn(Err(Fault::outside(reason, "spec", "a fault")));
    let cannot = "we could not close our role CaretakerAccess";
    for (why, is_at, answer, questions, failure, steps, left, said) in [
        ("there never was a way", (|ask| *ask == Ask::WayIn) as fn(&Ask) -> bool, Answer::WayIn(Ok(false)), 1, None, 0, "", "never was"),
        ("a fault stands in the way", |ask| *ask == Ask::WayIn, fault(Reason::ReferenceMissing), 1, None, 0, "", "a fault"),
        (
            "closed already",
            |ask| *ask == Ask::Connect,
            Answer::Connected(Err(error(ErrorClass::Denied))),
            2,
            None,
            0,
            "cannot see",
            "said so",
        ),
        (
            "closed or gone",
            |ask| *ask == Ask::Connect,
            Answer::Connected(Err(error(ErrorClass::DeniedOrGone))),
            2,
            None,
            0,
            "cannot see",
            "said so",
        ),
        (
            "no session now",
            |ask| *ask == Ask::Connect,
            Answer::Connected(Err(error(ErrorClass::Unreachable))),
            2,
            Some(ErrorClass::Unreachable),
            0,
            "",
            "",
        ),
        ("a step is refused", is_closing, Answer::Performed(Err(error(ErrorClass::Denied))), 4, None, 1, cannot, "said so"),
        (
            "a step is not answered",
            is_closing,
            Answer::Performed(Err(error(ErrorClass::Conflict))),
            4,
            Some(ErrorClass::Conflict),
            1,
            "",
            "",
        ),
    ] {
        let (asked, done, failed) = visit(&one, &[], &|_, ask| is_at(ask).then(|| answer.clone()));
        assert_eq!((asked.len(), failed, done[0].steps.len()), (questions, failure, steps), "{why}: {asked:?}");
        assert!(done[0].left.contains(left) && done[0].left.is_empty() == left.is_empty(), "{why}: {}", done[0].left);
        assert!(done[0].last_answer.contains(said) && done[0].last_answer.is_empty() == said.is_empty(), "{why}: {}", done[0].last_answer);
    }
    let (asked, done, _) = visit(&one, &[], &|_, ask| (*ask == Ask::WayIn).then(|| fault(Reason::AccountClaimed)));
    assert!(
        asked.len() == 1 && done[0].by == RevokedBy::Client && done[0].principal.is_empty(),
        "another's account is no part of the exit"
    );
}

#[test]
fn an_account_that_does_not_answer_takes_nobodys_receipts_away() {
    let all = [aws("one", &["Revoke"]), aws("two", &["Revoke"]), aws("three", &["Revoke"])];
    let silent_two: Script<'_> =
        &|name, ask| (name == "two" && is_closing(ask)).then(|| Answer::Performed(Err(error(ErrorClass::Unreachable))));
    let (_, first, failure) = visit(&all, &[], silent_two);
    assert_eq!(failure, Some(ErrorClass::Unreachable));
    assert_eq!(first.iter().map(|revocation| revocation.steps.len()).collect::<Vec<_>>(), [3, 1, 3], "the others go on");
    let (asked, second, failure) = visit(&all, &first, WELL);
    assert_eq!(asked, ["two way", "two connect", "two close", "two take"], "only what is left is done, from the step where it stopped");
    assert_eq!(second.iter().map(|revocation| revocation.steps.len()).collect::<Vec<_>>(), [3, 3, 3]);
    assert!(failure.is_none() && second[0] == first[0] && second[2] == first[2] && second[1].left.contains("closed to everybody"));
    for class in [ErrorClass::Throttled(None), ErrorClass::Credentials] {
        let refuses: Script<'_> = &|name, ask| (name == "two" && *ask == Ask::Connect).then(|| Answer::Connected(Err(error(class))));
        let (asked, done, failure) = visit(&all, &first, refuses);
        assert!(asked == ["two way", "two connect"] && failure == Some(class), "all would meet the same: {asked:?}");
        assert_eq!(
            done.iter().map(|revocation| revocation.steps.len()).collect::<Vec<_>>().iter().sum::<usize>(),
            7,
            "and nothing is lost"
        );
    }
}

#[test]
fn an_error_that_all_would_meet_stops_the_visit() {
    let all = [aws("one", &["Revoke"]), aws("two", &["Revoke"])];
    for (class, questions) in [(ErrorClass::Throttled(None), 2), (ErrorClass::Credentials, 2), (ErrorClass::Unreachable, 4)] {
        let (asked, _, failure) = visit(&all, &[], &|_, ask| (*ask == Ask::Connect).then(|| Answer::Connected(Err(error(class)))));
        assert_eq!((asked.len(), failure), (questions, Some(class)), "{asked:?}");
    }
}

#[test]
fn a_settled_refusal_is_not_tried_again_and_a_fault_that_was_cured_is() {
    let all = [aws("one", &["Revoke"]), aws("two", &["Revoke"])];
    let (_, first, _) = visit(&all, &[], &|name, ask| match (name, ask) {
        ("one", Ask::Connect) => Some(Answer::Connected(Err(error(ErrorClass::Denied)))),
        ("two", Ask::WayIn) => Some(Answer::WayIn(Ok(false))),
        _ => None,
    });
    let (asked, second, _) = visit(&all, &first, WELL);
    assert_eq!(asked, ["two way", "two connect", "two take", "two close", "two take"]);
    assert!(second[0] == first[0] && second[1].last_answer.is_empty() && second[1].steps.len() == 3);
}

#[test]
fn no_two_steps_share_a_key_and_a_repeat_has_the_same() {
    let keys = || {
        let mut revoking = Revoking::new(vec![aws("one", &["Revoke"])], Some(provider()), None, Vec::new());
        let (mut keys, mut last) = (Vec::new(), None);
        while let Some((_, ask)) = revoking.next(last.take()) {
            last = Some(good(&ask));
            keys.extend(if let Ask::Perform(key, _) = ask { Some(key) } else { None });
        }
        keys
    };
    let first = keys();
    assert!(first.len() == 3 && first[0] != first[1] && first[1] != first[2] && first[0] != first[2], "{first:?}");
    assert!(first.iter().all(|key| key.starts_with("uid-one-revoke-")) && first == keys());
}
