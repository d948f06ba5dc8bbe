use serde_json::{Value, json};

use super::*;

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

/// The derive macro takes literals only: this holds the two together.
#[test]
fn a_descriptor_says_the_same_as_the_definition() {
    for kind in Kinds::OURS.iter() {
        let crd = (kind.definition)();
        let (names, api) = (&crd.spec.names, kind.api());
        assert_eq!((names.kind.as_str(), names.plural.as_str()), (api.kind, api.plural));
        assert_eq!((crd.spec.group.as_str(), crd.spec.versions[0].name.as_str()), (api.group, api.version), "{kind:?}");
        assert_eq!(crd.spec.scope == "Namespaced", api.namespaced, "{kind:?}");
        assert_eq!(names.short_names.as_deref(), Some(&[kind.short.to_owned()][..]), "{kind:?}");
        assert_eq!(
            kind.deletion.is_some(),
            api.namespaced,
            "{kind:?}: what lies in a client's namespace has a place in the order of deletion"
        );
    }
}

/// What a child's clean-up needs outlives it: a handover revokes by accounts, a policy takes its plans out of them.
#[test]
fn accounts_are_deleted_last() {
    let order: Vec<&str> = Kinds::OURS.in_order_of_deletion().into_iter().map(Kind::as_str).collect();
    assert_eq!(order, ["Handover", "BackupPolicy", "MonitoringStack", "CloudAccount"]);
}

#[test]
fn a_kind_makes_what_its_descriptor_names() {
    assert!(Kind::MANAGED_CLIENT.makes("Namespace").is_some_and(|made| !made.namespaced));
    assert!(Kind::MANAGED_CLIENT.makes("CloudAccount").is_some_and(|made| made == Kind::CLOUD_ACCOUNT.api()));
    assert!(Kind::BACKUP_POLICY.makes("ConfigMap").is_none());
    let makers: Vec<Kind> = Kinds::OURS.makers_of("ConfigMap").collect();
    assert_eq!(makers, [Kind::PROVIDER_PROFILE, Kind::CLOUD_ACCOUNT, Kind::HANDOVER]);
}

/// Row: who, of which kind, in which namespace; what has changed; whether it is read.
#[test]
fn an_object_reads_what_it_names() {
    let id = |kind: Kind, namespace: &str, name: &str| ObjectId { kind, namespace: namespace.into(), name: name.into() };
    let aws = json!({"accountId": "111111111111", "roleName": "r"});
    let account = json!({"providerProfile": "default", "aws": aws});
    let stack = json!({"accounts": ["prod"], "tiers": []});
    let policy =
        json!({"accounts": ["prod"], "dailyAt": "03:30", "retentionDays": 1, "tag": {"key": "k", "value": "v"}, "regions": ["eu-west-1"]});
    let handover = json!({"mode": "Rehearsal"});
    let rows = [
        ("its profile", Kind::CLOUD_ACCOUNT, &account, id(Kind::PROVIDER_PROFILE, "", "default"), true),
        ("another profile", Kind::CLOUD_ACCOUNT, &account, id(Kind::PROVIDER_PROFILE, "", "other"), false),
        ("the client's handover", Kind::CLOUD_ACCOUNT, &account, id(Kind::HANDOVER, "client-a", "exit"), true),
        ("an account that it watches", Kind::MONITORING_STACK, &stack, id(Kind::CLOUD_ACCOUNT, "client-a", "prod"), true),
        ("an account that it does not watch", Kind::MONITORING_STACK, &stack, id(Kind::CLOUD_ACCOUNT, "client-a", "test"), false),
        ("an account that it protects", Kind::BACKUP_POLICY, &policy, id(Kind::CLOUD_ACCOUNT, "client-a", "prod"), true),
        ("an account that it does not protect", Kind::BACKUP_POLICY, &policy, id(Kind::CLOUD_ACCOUNT, "client-a", "test"), false),
        ("a handover freezes backups", Kind::BACKUP_POLICY, &policy, id(Kind::HANDOVER, "client-a", "exit"), true),
        ("every account is handed over", Kind::HANDOVER, &handover, id(Kind::CLOUD_ACCOUNT, "client-a", "prod"), true),
    ];
    for (why, kind, spec, changed, reads) in rows {
        let value = json!({"apiVersion": "caretaker.dev/v1alpha1", "kind": kind.as_str(), "metadata": {"name": "x", "namespace": "client-a"}, "spec": spec});
        let reader = (kind.decode)(object(value)).unwrap_or_else(|cause| panic!("{why}: {cause}"));
        assert!(kind.reads.contains(&changed.kind), "{why}: the descriptor does not name {:?}", changed.kind);
        assert_eq!(reader.reads(&changed), reads, "{why}");
    }
}

#[test]
fn an_account_that_goes_unread_by_a_fault_of_the_providers_tells_its_profile() {
    let account = |reason: &str| {
        let condition = json!({"type": "AccessProven", "status": "False", "reason": reason, "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let value = json!({"apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "x", "namespace": "client-a"},
            "spec": {"providerProfile": "default", "aws": {"accountId": "111111111111", "roleName": "r"}},
            "status": {"conditions": [condition]}});
        (Kind::CLOUD_ACCOUNT.decode)(object(value)).unwrap().tells()
    };
    assert_eq!(
        account("CredentialsInvalid"),
        [ObjectId { kind: Kind::PROVIDER_PROFILE, namespace: String::new(), name: "default".into() }]
    );
    assert_eq!(account("AccessDenied"), []);
}

/// A value may be a secret; the field and what is expected of it are not.
#[test]
fn the_cause_of_an_unfit_object_names_the_field_and_not_its_value() {
    let stack = json!({"apiVersion": "caretaker.dev/v1alpha1", "kind": "MonitoringStack", "metadata": {"name": "main", "namespace": "client-a"},
        "spec": {"accounts": ["prod"], "tiers": [{"name": "t", "afterMinutes": "s3cret, expected u8 of me", "webhookUrl": "https://x"}]}});
    let cause = (Kind::MONITORING_STACK.decode)(object(stack)).err().unwrap();
    // Below a flattened struct the decoder has lost the path.
    assert!(cause.starts_with("spec") && cause.ends_with(": expected u32") && !cause.contains("s3cret"), "{cause}");
    let account = json!({"apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "prod", "namespace": "client-a"},
        "spec": {"discoveryIntervalMinutes": "s3cret", "aws": {"accountId": "111111111111"}}});
    let cause = (Kind::CLOUD_ACCOUNT.decode)(object(account)).err().unwrap();
    assert_eq!(cause, "spec.discoveryIntervalMinutes: expected u32");
    let bare =
        json!({"apiVersion": "caretaker.dev/v1alpha1", "kind": "Handover", "metadata": {"name": "x", "namespace": "client-a"}, "spec": {}});
    let cause = (Kind::HANDOVER.decode)(object(bare)).err().unwrap();
    assert_eq!(cause, "spec: missing field `mode`");
    assert_eq!(
        harmless("spec.mode", "unknown variant `s3cret`, expected `Rehearsal` or `Final`"),
        "spec.mode: expected `Rehearsal` or `Final`"
    );
    assert_eq!(harmless("spec.a", "s3cret is bad"), "spec.a: the value does not fit");
}

/// An object is told apart by its type only: whoever asks for another type gets none.
#[test]
fn a_decoded_object_is_shared_as_its_type() {
    let handover = json!({"apiVersion": "caretaker.dev/v1alpha1", "kind": "Handover",
        "metadata": {"name": "x", "namespace": "client-a", "managedFields": [{"manager": "kubectl"}]}, "spec": {"mode": "Final"}});
    let shared = (Kind::HANDOVER.decode)(object(handover)).unwrap();
    assert_eq!(shared.meta().managed_fields, None);
    assert!(shared.clone().into_any().downcast::<caretaker_api::CloudAccount>().is_err());
    let back = shared.to_dynamic().unwrap();
    assert_eq!((back.types.unwrap().kind.as_str(), &back.data["spec"]["mode"]), ("Handover", &json!("Final")));
    assert!(shared.into_any().downcast::<caretaker_api::Handover>().is_ok());
}
