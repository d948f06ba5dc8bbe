//! Closed doors: each person tries what is not theirs on the real control plane, under the chart's own roles and policies, and is refused. SECURITY.md names
//! these tests. Beside each refusal stands what the same guard must let through, so that none of them locks anybody out.

use anyhow::{Context, Result, ensure};
use caretaker_e2e::{Client, Lab, lab};
use caretaker_testkit::operator::{NAMESPACE, RELEASE};
use serde_json::{Value, json};

/// kubectl as somebody else.
struct Person<'a> {
    lab: &'a Lab,
    flags: Vec<String>,
}

impl<'a> Person<'a> {
    fn new(lab: &'a Lab, user: &str, groups: &[&str]) -> Self {
        let groups = groups.iter().chain(&["system:authenticated"]).map(|group| format!("--as-group={group}"));
        Self { lab, flags: std::iter::once(format!("--as={user}")).chain(groups).collect() }
    }

    /// The operator's own ServiceAccount: whoever took its token.
    fn operator(lab: &'a Lab) -> Self {
        let groups = ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{NAMESPACE}")];
        Self::new(lab, &format!("system:serviceaccount:{NAMESPACE}:{RELEASE}"), &groups.each_ref().map(String::as_str))
    }

    fn run(&self, args: &[&str]) -> Result<String> {
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        self.lab.kubectl.run(&[args, flags.as_slice()].concat())
    }

    /// Refused, in words that say so.
    fn refused(&self, args: &[&str], words: &str) -> Result<()> {
        let said = self.run(args).err().with_context(|| format!("let through: {args:?}"))?.to_string();
        ensure!(said.contains(words), "{args:?}: {words} is not in: {said}");
        Ok(())
    }

    fn let_through(&self, args: &[&str]) -> Result<()> {
        self.run(args).map(drop).with_context(|| format!("a guard that locks out: {args:?}"))
    }

    fn apply(&self, document: &Value) -> Result<String> {
        let mut file = tempfile::NamedTempFile::new()?;
        std::io::Write::write_all(&mut file, document.to_string().as_bytes())?;
        self.run(&["apply", "--server-side", "--force-conflicts", "-f", &file.path().display().to_string()])
    }
}

/// A client with groups, and nothing but its namespace and its account.
fn plain(lab: &Lab, name: &str, account: &str) -> Result<Client> {
    let client = Client::new(name, account, "eu-west-1");
    let mut document = client.document();
    let spec = document["spec"].as_object_mut().context("a client has a spec")?;
    spec.retain(|field, _| !matches!(field.as_str(), "monitoring" | "backups"));
    spec["groups"] = json!([{"group": format!("{name}-dev"), "role": "Edit"}, {"group": format!("{name}-viewers"), "role": "View"}]);
    lab.kubectl.apply(&document.to_string())?;
    lab.until("the kit", || lab.kubectl.get(&["configmap", "prod-grant-kit", "-n", &format!("client-{name}")]))?;
    lab.until("the groups", || lab.kubectl.get(&["rolebinding", "caretaker-edit", "-n", &format!("client-{name}")]))?;
    Ok(client)
}

fn binding((name, namespace): (&str, &str), role: &str, subject: &Value) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/managed-by": "caretaker"}},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}, "subjects": [subject],
    })
}

/// H6: with the operator's token, two calls were enough to be administrator of the cluster.
#[test]
fn the_operators_token_is_worth_no_more_than_the_clients() -> Result<()> {
    let lab = lab();
    plain(lab, "bound", "200000000721")?;
    let thief = Person::operator(lab);
    let group = |name: &str| json!({"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": name});
    let own = json!({"kind": "ServiceAccount", "name": RELEASE, "namespace": NAMESPACE});
    let bind = |place: (&str, &str), role: &str, subject: &Value, words: &str| -> Result<()> {
        let said = thief.apply(&binding(place, role, subject)).err().with_context(|| format!("bound {role} in {place:?} to {subject}"))?;
        ensure!(said.to_string().contains(words), "{place:?} {role}: {said}");
        Ok(())
    };
    bind(("x", "kube-system"), "edit", &own, "neither")?;
    bind(("x", "client-bound"), "edit", &own, "binds the groups that the ManagedClient names")?;
    bind(("x", "client-bound"), "edit", &group("strangers"), "binds the groups that the ManagedClient names")?;
    bind(("x", "client-bound"), "edit", &group("bound-viewers"), "binds the groups that the ManagedClient names")?;
    bind(("x", "client-bound"), "admin", &group("bound-dev"), "")?;
    let mut unmarked = binding(("x", "client-bound"), "edit", &group("bound-dev"));
    unmarked["metadata"]["labels"] = json!({});
    ensure!(thief.apply(&unmarked).is_err_and(|error| error.to_string().contains("carries its label")), "a binding that no policy asks");
    thief.apply(&binding(("caretaker-edit", "client-bound"), "edit", &group("bound-dev"))).context("what the client names is bound")?;

    for (args, words) in [
        (&["create", "configmap", "x", "-n", "kube-system"][..], "neither"),
        (&["create", "configmap", "x", "-n", NAMESPACE], "neither"),
        (&["create", "secret", "generic", "x", "-n", NAMESPACE], "neither"),
        (&["label", "namespace", "kube-system", "pod-security.kubernetes.io/enforce=privileged"], "neither"),
        (&["label", "namespace", "client-bound", "--overwrite", "pod-security.kubernetes.io/enforce=privileged"], "restricted"),
        (&["delete", "namespace", "default"], ""),
        (&["create", "namespace", "client-forged"], "belongs to a client"),
        (&["delete", "managedclient", "bound"], "cannot delete"),
        (&["delete", "pprof", "default"], "cannot delete"),
    ] {
        thief.refused(args, words)?;
    }
    let prometheus = |further: Value| {
        let mut spec = json!({"serviceAccountName": "main-monitoring", "replicas": 1});
        spec.as_object_mut().expect("it is one").extend(further.as_object().cloned().unwrap_or_default());
        let metadata = json!({"name": "main", "namespace": "client-bound"});
        thief.apply(&json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus", "metadata": metadata, "spec": spec}))
    };
    for further in
        [json!({"serviceAccountName": "default"}), json!({"containers": [{"name": "x", "image": "x"}]}), json!({"hostNetwork": true})]
    {
        let said = prometheus(further.clone()).err().with_context(|| format!("a Prometheus with {further}"))?.to_string();
        ensure!(said.contains("ServiceAccount of their own"), "{said}");
    }
    Ok(())
}

/// M5: a guard of DELETE that an update takes away first.
#[test]
fn a_clients_namespace_cannot_be_made_nobodys() -> Result<()> {
    let lab = lab();
    plain(lab, "guarded", "200000000702")?;
    let admin = Person { lab, flags: Vec::new() };
    let owner = json!([{"op": "replace", "path": "/metadata/ownerReferences/0/uid", "value": "00000000-0000-0000-0000-000000000000"}]);
    let none = json!([{"op": "remove", "path": "/metadata/ownerReferences"}]);
    for (args, words) in [
        (&["label", "namespace", "client-guarded", "app.kubernetes.io/managed-by-"][..], "only it changes them"),
        (&["label", "namespace", "client-guarded", "--overwrite", "caretaker.dev/client=other"], "only it changes them"),
        (&["label", "namespace", "client-guarded", "--overwrite", "pod-security.kubernetes.io/enforce=privileged"], "only it changes them"),
        (&["patch", "namespace", "client-guarded", "--type=json", "-p", &owner.to_string()], "only the operator changes them"),
        (&["patch", "namespace", "client-guarded", "--type=json", "-p", &none.to_string()], "only the operator changes them"),
        (&["delete", "namespace", "client-guarded"], "belongs to ManagedClient guarded; delete that instead"),
        (&["delete", "managedclient", "guarded"], "was not handed over"),
    ] {
        admin.refused(args, words)?;
    }
    admin.let_through(&["label", "namespace", "client-guarded", "team=x"])?;
    // One identity for all controllers of the cluster, as where --use-service-account-credentials is not set.
    let controllers = Person::new(lab, "system:kube-controller-manager", &["system:masters"]);
    controllers.let_through(&["delete", "namespace", "client-guarded", "--dry-run=server"])?;
    admin.let_through(&["annotate", "managedclient", "guarded", "caretaker.dev/confirm-deletion=guarded"])?;
    admin.let_through(&["delete", "managedclient", "guarded", "--timeout=60s"])?;
    lab.until("the end of the namespace", || {
        ensure!(lab.kubectl.run(&["get", "namespace", "client-guarded"]).is_err(), "it is still there");
        Ok(())
    })
}

/// K01, K05: the cure that a message names is not refused by another guard.
#[test]
fn a_namespace_that_only_looks_like_ours_can_be_removed() -> Result<()> {
    let lab = lab();
    lab.kubectl.run(&["create", "namespace", "client-stranger"])?;
    lab.kubectl.run(&[
        "label",
        "namespace",
        "client-stranger",
        "app.kubernetes.io/managed-by=caretaker",
        "caretaker.dev/client=stranger",
    ])?;
    let mut document = Client::new("stranger", "200000000703", "eu-west-1").document();
    document["spec"].as_object_mut().context("a spec")?.retain(|field, _| !matches!(field.as_str(), "monitoring" | "backups"));
    lab.kubectl.apply(&document.to_string())?;
    let told = lab.condition(&["mc", "stranger"], "Ready", "False", "NameTaken")?;
    ensure!(told.contains("remove the namespace"), "{told}");
    lab.kubectl.run(&["delete", "namespace", "client-stranger", "--timeout=60s"]).context("the cure that is named")?;
    lab.condition(&["mc", "stranger"], "NamespaceReady", "True", "")?;
    Ok(())
}

/// M1, M2: a tenant's `edit` users, and who may only make ConfigMaps somewhere.
#[test]
fn what_the_operator_made_is_changed_by_nobody_of_the_client() -> Result<()> {
    let lab = lab();
    plain(lab, "tenant", "200000000704")?;
    let dev = Person::new(lab, "dev", &["tenant-dev"]);
    let kit = r#"{"data":{"override.tf":"resource \"null_resource\" \"x\" {}"}}"#;
    let within = ["-n", "client-tenant"];
    for args in [
        &["patch", "configmap", "prod-grant-kit", "--type=merge", "-p", kit][..],
        &["patch", "configmap", "prod-grant-kit", "--type=json", "-p", r#"[{"op":"remove","path":"/metadata/ownerReferences"}]"#],
        &["label", "configmap", "prod-grant-kit", "app.kubernetes.io/managed-by-"],
        &["patch", "networkpolicy", "default-deny", "--type=merge", "-p", r#"{"spec":{"ingress":[{}]}}"#],
    ] {
        dev.refused(&[args, &within].concat(), "are made and changed by the operator")?;
    }
    dev.let_through(&["create", "configmap", "own", "-n", "client-tenant"])?;
    dev.refused(
        &["label", "configmap", "own", "-n", "client-tenant", "app.kubernetes.io/managed-by=caretaker"],
        "made and changed by the operator",
    )?;
    dev.let_through(&["get", "cloudaccount", "prod", "-n", "client-tenant"])?;
    for args in [
        &["create", "rolebinding", "x", "--clusterrole=admin", "--user=dev"][..],
        &["delete", "cloudaccount", "prod"],
        &["get", "cloudaccount", "prod", "-n", "client-control"],
        &["get", "managedclients"],
    ] {
        let args = if args.contains(&"-n") { args.to_vec() } else { [args, &within].concat() };
        dev.refused(&args, "orbidden")?;
    }
    // Another controller without rights of ours sets a finalizer and takes it away, as prometheus-operator does: it is in nobody's way.
    lab.kubectl.run(&["create", "rolebinding", "controller", "-n", "client-tenant", "--clusterrole=edit", "--user=controller"])?;
    let controller = Person::new(lab, "controller", &[]);
    for finalizers in [r#"{"metadata":{"finalizers":["example.org/clean-up"]}}"#, r#"{"metadata":{"finalizers":null}}"#] {
        controller.let_through(&[&["patch", "configmap", "prod-grant-kit", "--type=merge", "-p", finalizers], &within[..]].concat())?;
    }
    // Somebody who may only make ConfigMaps in another namespace.
    lab.kubectl.run(&["create", "rolebinding", "clerk", "-n", "default", "--clusterrole=edit", "--user=clerk"])?;
    let clerk = Person::new(lab, "clerk", &[]);
    clerk.let_through(&["create", "configmap", "clerks", "-n", "default"])?;
    clerk.refused(
        &["label", "configmap", "clerks", "-n", "default", "app.kubernetes.io/managed-by=caretaker"],
        "made and changed by the operator",
    )
}

/// M6: what a tenant fills, it fills for itself.
#[test]
fn a_tenants_objects_and_volumes_are_counted() -> Result<()> {
    let lab = lab();
    plain(lab, "counted", "200000000705")?;
    lab.until("the quota's own count", || {
        let quota = lab.kubectl.get(&["resourcequota", "caretaker", "-n", "client-counted"])?;
        let (hard, used) = (&quota["status"]["hard"], &quota["status"]["used"]);
        for resource in ["count/configmaps", "count/secrets", "requests.storage", "persistentvolumeclaims", "limits.cpu", "limits.memory"] {
            ensure!(hard[resource].is_string() && used[resource].is_string(), "{resource} is not counted: {quota}");
        }
        Ok(())
    })?;
    let dev = Person::new(lab, "dev", &["counted-dev"]);
    let claim = |size: &str| {
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "client-counted"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
        })
    };
    ensure!(dev.apply(&claim("10Ti")).is_err_and(|error| error.to_string().contains("exceeded quota")), "ten terabytes");
    dev.apply(&claim("1Gi")).map(drop)
}

/// The roles that the chart ships, and what they are not.
#[test]
fn people_have_roles_that_end_where_they_say() -> Result<()> {
    let lab = lab();
    plain(lab, "peopled", "200000000706")?;
    for role in ["provider-operator", "viewer", "provider-admin"] {
        let (role, user) = (format!("--clusterrole={RELEASE}-{role}"), format!("--user={role}"));
        lab.kubectl.run(&["create", "clusterrolebinding", &format!("doors{}", &user[7..]), &role, &user])?;
    }
    let accepter = format!("--clusterrole={RELEASE}-client-accepter");
    lab.kubectl.run(&["create", "rolebinding", "accepter", "-n", "client-peopled", &accepter, "--user=jo"])?;
    let [operator, viewer, admin, jo] = ["provider-operator", "viewer", "provider-admin", "jo"].map(|user| Person::new(lab, user, &[]));
    let within = ["-n", "client-peopled"];
    operator.let_through(&["annotate", "managedclient", "peopled", "a=b"])?;
    operator.refused(&["delete", "managedclient", "peopled"], "cannot delete")?;
    operator.refused(&["annotate", "pprof", "default", "a=b"], "cannot patch")?;
    // Who changes a package changes every client of it.
    let package = json!({"apiVersion": "caretaker.dev/v1alpha1", "kind": "ServiceProfile", "metadata": {"name": "peopled"}, "spec": {}});
    admin.apply(&package)?;
    operator.refused(&["annotate", "sprof", "peopled", "a=b"], "cannot patch")?;
    viewer.let_through(&["get", "sprof", "peopled"])?;
    admin.let_through(&["delete", "sprof", "peopled"])?;
    viewer.let_through(&["get", "managedclients,cloudaccounts,handovers", "-A"])?;
    viewer.refused(&["annotate", "managedclient", "peopled", "a=b"], "cannot patch")?;
    viewer.refused(&["get", "secrets", "-n", NAMESPACE], "cannot list")?;
    admin.refused(&["delete", "managedclient", "peopled"], "was not handed over")?;
    let hold = |value: &str| format!(r#"{{"spec":{{"exit":{{"legalHold":{value}}}}}}}"#);
    let (set, lift) = (hold(r#"{"by":"court","reason":"case 7"}"#), hold("null"));
    let [set, lift] = [&set, &lift].map(|patch| ["patch", "managedclient", "peopled", "--type=merge", "-p", patch]);
    operator.let_through(&set)?;
    operator.refused(&lift, "is lifted or changed by who may delete")?;
    admin.refused(&["delete", "managedclient", "peopled"], "a legal hold of court stands")?;
    admin.let_through(&lift)?;

    let handover = json!({"apiVersion": "caretaker.dev/v1alpha1", "kind": "Handover", "metadata": {"name": "rehearsal", "namespace": "client-peopled"}, "spec": {"mode": "Rehearsal"}});
    ensure!(jo.apply(&handover).is_err_and(|error| error.to_string().contains("orbidden")), "an accepter begins no exit");
    operator.apply(&handover)?;
    let only = "sets spec.acceptance and nothing else";
    let cancel = r#"{"spec":{"cancelled":{"by":"x","reason":"y"}}}"#;
    jo.refused(&["patch", "handover", "rehearsal", within[0], within[1], "--type=merge", "-p", cancel], only)?;
    jo.refused(&["annotate", "handover", "rehearsal", within[0], within[1], "caretaker.dev/confirm-deletion=rehearsal"], only)?;
    jo.refused(&["get", "handovers", "-n", "client-control"], "cannot list")?;
    jo.refused(&["get", "configmaps", within[0], within[1]], "cannot list")
}

/// H4: a namespace is a client's by what the operator made of it, and not by its name.
#[test]
fn our_kinds_stand_in_namespaces_of_clients_only() -> Result<()> {
    let lab = lab();
    lab.kubectl.run(&["create", "namespace", "doors-forged"])?;
    let admin = Person { lab, flags: Vec::new() };
    let object = |kind: &str, spec: Value| {
        let metadata = json!({"name": "forged", "namespace": "doors-forged"});
        json!({"apiVersion": "caretaker.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
    };
    let documents =
        [object("CloudAccount", json!({"aws": {"accountId": "200000000713"}})), object("Handover", json!({"mode": "Rehearsal"}))];
    for document in documents {
        let said = admin.apply(&document).err().with_context(|| format!("let through: {document}"))?.to_string();
        ensure!(said.contains("was not made for a ManagedClient"), "{said}");
    }
    Ok(())
}

/// M3: a claim is a proof, not a word.
#[test]
fn who_merely_names_an_account_keeps_nobody_out_and_gets_nothing() -> Result<()> {
    let lab = lab();
    plain(lab, "squatter", "200000000707")?;
    lab.condition(&["ca", "prod", "-n", "client-squatter"], "AccessProven", "False", "WaitingForGrant")?;
    let real = plain(lab, "realco", "200000000707").context("the second to name the account gets its kit")?;
    lab.grant(&real)?;
    lab.condition(&["ca", "prod", "-n", "client-realco"], "AccessProven", "True", "")?;
    lab.condition(&["ca", "prod", "-n", "client-realco"], "InventoryComplete", "True", "")?;
    lab.poke("squatter")?;
    lab.condition(&["ca", "prod", "-n", "client-squatter"], "AccessProven", "False", "AccountClaimed")?;
    let squatter = lab.kubectl.get(&["ca", "prod", "-n", "client-squatter"])?;
    ensure!(squatter["status"]["inventory"].is_null(), "it was given what it never proved: {squatter}");

    // The same number as an organization, with the other's ExternalId, is the same account.
    let known =
        lab.kubectl.get(&["ca", "prod", "-n", "client-realco"])?["spec"]["aws"]["externalId"].as_str().context("an ExternalId")?.to_owned();
    let mut thief = Client::new("thief", "200000000708", "eu-west-1").document();
    thief["spec"].as_object_mut().context("a spec")?.retain(|field, _| !matches!(field.as_str(), "monitoring" | "backups"));
    thief["spec"]["accounts"] = json!([
        {"name": "org", "awsOrganization": {"accountId": "200000000707", "roleName": "CaretakerAccess", "externalId": known}, "allow": ["Revoke"]},
        {"name": "prod", "aws": {"accountId": "200000000708", "externalId": known}},
    ]);
    lab.kubectl.apply(&thief.to_string())?;
    lab.condition(&["ca", "org", "-n", "client-thief"], "AccessProven", "False", "AccountClaimed")?;
    let told = lab.condition(&["ca", "prod", "-n", "client-thief"], "AccessProven", "False", "InvalidSpec")?;
    ensure!(told.contains("another object has this ExternalId") && !told.contains("realco"), "{told}");
    Ok(())
}

/// M3: an ExternalId that a person chooses, and one that would change by a detour.
#[test]
fn an_external_id_is_long_and_never_changes() -> Result<()> {
    let lab = lab();
    plain(lab, "steady", "200000000709")?;
    let within = ["-n", "client-steady", "--type=json", "-p"];
    let admin = Person { lab, flags: Vec::new() };
    let azure = r#"[{"op":"remove","path":"/spec/aws"},{"op":"add","path":"/spec/azure","value":{"subscriptionId":"11111111-2222-3333-4444-555555555555"}}]"#;
    let other = r#"[{"op":"replace","path":"/spec/aws/externalId","value":"0123456789012345678901234567"}]"#;
    admin.refused(&[&["patch", "ca", "prod"], &within[..], &[azure]].concat(), "an entry stays what it is")?;
    admin.refused(&[&["patch", "ca", "prod"], &within[..], &[other]].concat(), "never changes")?;
    let short = r#"[{"op":"add","path":"/spec/accounts/0/aws/externalId","value":"guess-me"}]"#;
    admin.refused(&["patch", "mc", "steady", "--type=json", "-p", short], "22 characters or more")
}

/// M3c: a profile whose principal leads into one client's accounts.
#[test]
fn a_profile_serves_the_clients_that_it_names() -> Result<()> {
    let lab = lab();
    let mut profile = lab.kubectl.get(&["pprof", "default"])?;
    profile["metadata"] = json!({"name": "named"});
    profile["spec"]["clients"] = json!(["served"]);
    profile.as_object_mut().context("an object")?.remove("status");
    profile["spec"].as_object_mut().context("a spec")?.remove("controlClient");
    lab.kubectl.apply(&profile.to_string())?;
    lab.condition(&["pprof", "named"], "SigningKeyReady", "True", "")?;
    let document = |name: &str, account: &str| -> Result<Value> {
        let mut document = Client::new(name, account, "eu-west-1").document();
        document["spec"].as_object_mut().context("a spec")?.retain(|field, _| !matches!(field.as_str(), "monitoring" | "backups"));
        document["spec"]["providerProfile"] = json!("named");
        Ok(document)
    };
    let said = lab.until("the refusal", || {
        let applied = lab.kubectl.apply(&document("unserved", "200000000711")?.to_string());
        applied.err().map(|error| error.to_string()).context("let through")
    })?;
    ensure!(said.contains("is for other clients"), "{said}");
    lab.kubectl.apply(&document("served", "200000000710")?.to_string())?;
    lab.until("the kit", || lab.kubectl.get(&["configmap", "prod-grant-kit", "-n", "client-served"]))?;
    // The profile's owner changes his mind: who is served already is refused by the operator.
    lab.kubectl.run(&["patch", "pprof", "named", "--type=merge", "-p", r#"{"spec":{"clients":["somebody"]}}"#])?;
    let told = lab.condition(&["ca", "prod", "-n", "client-served"], "AccessProven", "False", "ReferenceMissing")?;
    ensure!(told.contains("is for other clients"), "{told}");
    Ok(())
}

/// M5: receipts go with the object.
#[test]
fn a_running_exit_is_not_deleted_by_the_way() -> Result<()> {
    let lab = lab();
    let mut client = plain(lab, "exiting", "200000000712")?;
    client.allow.clear();
    lab.grant(&client)?;
    lab.condition(&["ca", "prod", "-n", "client-exiting"], "AccessProven", "True", "")?;
    lab.plugin(&["exit", "exiting", "--final", "--yes"])?;
    let admin = Person { lab, flags: Vec::new() };
    let of = ["handover", "final", "-n", "client-exiting"];
    lab.until("the exit's first step", || {
        let exit = lab.kubectl.get(&of)?;
        ensure!(exit["status"]["step"].is_string(), "{exit}");
        Ok(())
    })?;
    admin.refused(&[&["delete"], &of[..]].concat(), "is a final exit at step")?;
    admin.refused(&[&["delete", "--dry-run=server"], &of[..]].concat(), "confirm-deletion=final")?;
    admin.let_through(&[&["annotate"], &of[..], &["caretaker.dev/confirm-deletion=final"]].concat())?;
    admin.let_through(&[&["delete", "--timeout=60s"], &of[..]].concat())
}
