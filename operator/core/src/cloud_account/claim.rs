//! Claims: an account belongs to one object only; its number, whether it stands for an account or for a parent of many, and a service account that leads into
//! accounts belong to one client only. A claim is a ConfigMap of the operator's namespace whose name is made from what is claimed. A visit reads who holds its
//! claims; this decides; the writes follow.
//!
//! A claim refuses others only where it was proved: who merely names an account keeps nobody out of it. On AWS each object has an ExternalId of its own, so
//! that a proof is of this object: the claim of one that was never let in goes to the one that is. Azure and Google Cloud know no such secret: whoever names
//! the account first could not be told from who is meant, so there the first claim holds, proved or not.

use std::collections::BTreeMap;

use caretaker_api::CloudAccount;
use caretaker_api::cloud_account::Cloud;
use caretaker_api::condition::ConditionType;
use caretaker_api::parents::MemberState;
use kube::ResourceExt;

use super::{account_claimed, service_account_claimed};
use crate::conditions::{Is, find};
use crate::digest::sha256_hex;
use crate::outcome::Fault;

const NAMESPACE: &str = "namespace";
const NAME: &str = "name";
const UID: &str = "uid";
/// Hexadecimal digits of the digest in a claim's name.
const DIGITS: usize = 24;

/// Who a claim says that it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// Namespace of the CloudAccount.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

impl Holder {
    /// The holder that an account is.
    #[must_use]
    pub fn of(account: &CloudAccount) -> Self {
        Self { namespace: account.namespace().unwrap_or_default(), name: account.name_any(), uid: account.uid().unwrap_or_default() }
    }

    /// From the data of a claim's ConfigMap.
    #[must_use]
    pub fn from_data(data: &BTreeMap<String, String>) -> Self {
        let of = |key: &str| data.get(key).cloned().unwrap_or_default();
        Self { namespace: of(NAMESPACE), name: of(NAME), uid: of(UID) }
    }

    /// The data of a claim's ConfigMap.
    #[must_use]
    pub fn data(&self) -> BTreeMap<String, String> {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        BTreeMap::from([pair(NAMESPACE, &self.namespace), pair(NAME, &self.name), pair(UID, &self.uid)])
    }
}

/// The thing that is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The account, subscription, project or parent itself: it belongs to one object.
    Account,
    /// The account's number: a single account and a parent of the same number belong to one client.
    Number,
    /// The service account that we go through: it belongs to one client, since whoever may use it is let into all that it may read.
    ServiceAccount,
}

/// A claim that an account needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The subject's kind.
    pub subject: Subject,
    /// The subject, in the cloud's own way of comparing.
    key: String,
    /// The account that needs it.
    ours: Holder,
}

impl Claim {
    /// The claim of the account itself; `None` where it has no id yet.
    #[must_use]
    pub fn of_account(account: &CloudAccount) -> Option<Self> {
        Some(Self { subject: Subject::Account, key: account_key(account)?, ours: Holder::of(account) })
    }

    /// The claim of the account's number; `None` where it has none yet.
    #[must_use]
    pub fn of_number(account: &CloudAccount) -> Option<Self> {
        Some(Self { subject: Subject::Number, key: number_key(account)?, ours: Holder::of(account) })
    }

    /// The claim of the service account that the account is reached through; `None` where it is reached without one.
    #[must_use]
    pub fn of_service_account(account: &CloudAccount) -> Option<Self> {
        Some(Self { subject: Subject::ServiceAccount, key: service_account_key(account)?, ours: Holder::of(account) })
    }

    /// All claims that an account needs.
    #[must_use]
    pub fn all(account: &CloudAccount) -> Vec<Self> {
        [Self::of_account(account), Self::of_number(account), Self::of_service_account(account)].into_iter().flatten().collect()
    }

    /// Name of the ConfigMap. It follows from the subject alone, so that two claimants meet.
    #[must_use]
    pub fn name(&self) -> String {
        format!("claim-{}", &sha256_hex(&self.key)[..DIGITS])
    }

    /// The part of a holder that decides whether the claim is its own: the object for an account, the client's namespace for what a client has once.
    #[must_use]
    pub fn owner_of<'a>(&self, holder: &'a Holder) -> &'a str {
        match self.subject {
            Subject::Account => &holder.uid,
            Subject::Number | Subject::ServiceAccount => &holder.namespace,
        }
    }

    /// Our own part, see [`Claim::owner_of`].
    #[must_use]
    pub fn owner(&self) -> &str {
        self.owner_of(&self.ours)
    }

    /// Whether a holder is us.
    #[must_use]
    pub fn is_ours(&self, holder: &Holder) -> bool {
        self.owner_of(holder) == self.owner()
    }

    /// Whether another holder still needs the claim. `accounts` are those of the holder's namespace. A claim whose holder is gone, or names something else
    /// by now, is void.
    #[must_use]
    pub fn is_alive(&self, holder: &Holder, accounts: &[CloudAccount]) -> bool {
        self.needed_by(holder, accounts).next().is_some()
    }

    /// Whether the cloud has ever let one of those in that need another holder's claim. `accounts` are those of the holder's namespace.
    #[must_use]
    pub fn is_proved(&self, holder: &Holder, accounts: &[CloudAccount]) -> bool {
        self.needed_by(holder, accounts).any(was_let_in)
    }

    fn needed_by<'a>(&'a self, holder: &'a Holder, accounts: &'a [CloudAccount]) -> impl Iterator<Item = &'a CloudAccount> {
        accounts.iter().filter(move |account| {
            let is_same = match self.subject {
                Subject::Account => account.name_any() == holder.name && account.uid().unwrap_or_default() == holder.uid,
                Subject::Number | Subject::ServiceAccount => true,
            };
            is_same && self.is_named_by(account)
        })
    }

    /// Whether our own claim may be given back when its account goes: what a client has once goes with the last account of the client that needs it.
    /// `accounts` are those of our namespace.
    #[must_use]
    pub fn may_go(&self, accounts: &[CloudAccount]) -> bool {
        let is_other = |account: &&CloudAccount| account.uid().unwrap_or_default() != self.ours.uid;
        self.subject == Subject::Account || !accounts.iter().filter(is_other).any(|account| self.is_named_by(account))
    }

    fn is_named_by(&self, account: &CloudAccount) -> bool {
        let key = match self.subject {
            Subject::Account => account_key(account),
            Subject::Number => number_key(account),
            Subject::ServiceAccount => service_account_key(account),
        };
        key.as_ref() == Some(&self.key) && !has_left(account)
    }
}

fn account_key(account: &CloudAccount) -> Option<String> {
    let target = &account.spec.target;
    let id = target.id();
    (!id.is_empty()).then(|| format!("{}:{id}", target.kind()))
}

/// The number alone: `aws:111122223333` is the same account, whether an entry means the account or the organization that it manages.
fn number_key(account: &CloudAccount) -> Option<String> {
    let target = &account.spec.target;
    let id = target.id();
    (!id.is_empty()).then(|| format!("number:{}:{id}", target.cloud().as_str()))
}

/// Whether the cloud has ever let us in for this object, as far as its status tells: a change of the spec takes the time of the last proof away, and a day on
/// which nothing answers takes the condition away, but not what was read.
#[must_use]
pub fn was_let_in(account: &CloudAccount) -> bool {
    account.status.as_ref().is_some_and(|status| {
        find(&status.conditions, ConditionType::AccessProven).is_some_and(|condition| Is::of(condition) == Is::True)
            || status.access.as_ref().is_some_and(|access| access.proven_at.is_some() || access.refusals_proven_at.is_some())
            || status.inventory.is_some()
            || status.members_listed_at.is_some()
    })
}

/// Whether an account may not have its ExternalId, since an older object of another client has it. It is asked until the cloud has let us in once: an
/// ExternalId never changes after.
#[must_use]
pub fn takes_external_id(account: &CloudAccount, all: impl FnOnce() -> Vec<CloudAccount>) -> bool {
    let of = |account: &CloudAccount| account.spec.target.aws_role().and_then(|role| role.external_id);
    let Some(own) = of(account).filter(|_| !was_let_in(account)) else { return false };
    let age = |account: &CloudAccount| (account.metadata.creation_timestamp.as_ref().map(|at| at.0), account.uid());
    all().iter().any(|other| other.namespace() != account.namespace() && of(other).as_ref() == Some(&own) && age(other) < age(account))
}

/// Whether a proof of access is one of this object, and of no other that names the account.
fn has_secret_of_its_own(account: &CloudAccount) -> bool {
    account.spec.target.cloud() == Cloud::Aws
}

fn service_account_key(account: &CloudAccount) -> Option<String> {
    let target = &account.spec.target;
    let (name, project) = match (&target.gcp, &target.gcp_folder) {
        (Some(gcp), _) => (&gcp.service_account_name, gcp.service_account_project()),
        (_, Some(folder)) => (&folder.service_account_name, folder.service_account_project_id.as_str()),
        _ => return None,
    };
    Some(format!("serviceAccount:{name}@{project}"))
}

/// An account that its parent does not name any more may have moved to another client, whose claim it must not stand against.
fn has_left(account: &CloudAccount) -> bool {
    account.spec.member.as_ref().is_some_and(|member| member.state == MemberState::Gone)
}

/// The version of a ConfigMap that was read. Only this one may be removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Its uid.
    pub uid: Option<String>,
    /// Its resourceVersion.
    pub resource_version: Option<String>,
}

/// What was read of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nobody holds it.
    Nobody,
    /// We hold it.
    Ours,
    /// Another one holds it.
    Other {
        /// The version that was read.
        version: Version,
        /// Whether that one still needs it, see [`Claim::is_alive`].
        is_alive: bool,
        /// Whether the cloud has let that one in, see [`Claim::is_proved`].
        is_proved: bool,
    },
}

/// A claim that is to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Take {
    /// Name of the ConfigMap.
    pub name: String,
    /// Who holds it from now on.
    pub holder: Holder,
    /// The part of the holder that decides, see [`Claim::owner`].
    pub owner: String,
    /// A void claim that is removed before.
    pub replaces: Option<Version>,
}

/// What the claims of an account come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// The subject that somebody else holds. Who, is told to nobody.
    pub refused: Option<Subject>,
    /// The claims that a visit takes; none where one is refused.
    pub takes: Vec<Take>,
    /// Whether somebody else names the account and was never let in: the claims are taken once the cloud has let us in, and nothing is asked for before.
    pub is_contested: bool,
}

impl Claims {
    /// Whether another object holds the account itself.
    #[must_use]
    pub fn is_account_refused(&self) -> bool {
        matches!(self.refused, Some(Subject::Account | Subject::Number))
    }

    /// The fault for who does more than prove its access: also a claim that somebody else holds without proof.
    #[must_use]
    pub fn fault_before_proof(&self, account: &CloudAccount) -> Option<Fault> {
        self.fault(account).or_else(|| self.is_contested.then(|| account_claimed(account)))
    }

    /// The fault of the claim that is refused.
    #[must_use]
    pub fn fault(&self, account: &CloudAccount) -> Option<Fault> {
        self.refused.map(|subject| match subject {
            Subject::Account | Subject::Number => account_claimed(account),
            Subject::ServiceAccount => service_account_claimed(account),
        })
    }
}

/// Decides on each claim. An account that has left takes none, and is refused none that nobody else needs.
#[must_use]
pub fn decide(account: &CloudAccount, found: &[(Claim, Found)]) -> Claims {
    let can_contest = has_secret_of_its_own(account) && !has_left(account);
    let is_contested = |(claim, found): &(Claim, Found)| {
        let unproved = matches!(found, Found::Other { is_alive: true, is_proved: false, .. });
        unproved && can_contest && claim.subject != Subject::ServiceAccount
    };
    let is_refused = |pair: &&(Claim, Found)| matches!(pair.1, Found::Other { is_alive: true, .. }) && !is_contested(pair);
    if let Some((claim, _)) = found.iter().find(is_refused) {
        return Claims { refused: Some(claim.subject), ..Claims::default() };
    }
    let take = |(claim, found): &(Claim, Found)| {
        let replaces = match found {
            Found::Ours => return None,
            Found::Nobody => None,
            Found::Other { version, .. } => Some(version.clone()),
        };
        Some(Take { name: claim.name(), holder: claim.ours.clone(), owner: claim.owner().to_owned(), replaces })
    };
    let takes = if has_left(account) { Vec::new() } else { found.iter().filter_map(take).collect() };
    Claims { refused: None, takes, is_contested: found.iter().any(is_contested) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cloud_account::claim::Found::{Nobody, Other, Ours};

    fn account(namespace: &str, name: &str, spec: serde_json::Value) -> CloudAccount {
        let mut account = CloudAccount::new(name, serde_json::from_value(spec).unwrap());
        account.metadata.namespace = Some(namespace.into());
        account.metadata.uid = Some(format!("uid-of-{namespace}-{name}"));
        account
    }

    fn aws(namespace: &str, name: &str) -> CloudAccount {
        account(namespace, name, json!({"aws": {"accountId": "111122223333"}}))
    }

    fn gcp(namespace: &str, name: &str, project: &str) -> CloudAccount {
        let service = json!({"projectId": project, "serviceAccountName": "care", "serviceAccountProjectId": "hub-project"});
        account(namespace, name, json!({"gcp": service}))
    }

    fn gone(mut account: CloudAccount) -> CloudAccount {
        account.spec.member = Some(serde_json::from_value(json!({"parent": "org", "state": "Gone"})).unwrap());
        account
    }

    fn other(is_alive: bool) -> Found {
        Other { version: Version { uid: Some("u".into()), resource_version: Some("7".into()) }, is_alive, is_proved: true }
    }

    fn unproved() -> Found {
        Other { version: Version { uid: Some("u".into()), resource_version: Some("7".into()) }, is_alive: true, is_proved: false }
    }

    #[test]
    fn who_holds_a_claim_decides_what_a_visit_does() {
        let (here, left) = (aws("client-a", "prod"), gone(aws("client-a", "prod")));
        for (why, account, found, refused, takes, replaces) in [
            ("nobody holds it", &here, Nobody, false, 1, false),
            ("it is ours already", &here, Ours, false, 0, false),
            ("its holder needs it", &here, other(true), true, 0, false),
            ("its holder is gone: the void claim is replaced", &here, other(false), false, 1, true),
            ("an account that has left takes none", &left, Nobody, false, 0, false),
            ("an account that has left keeps its own", &left, Ours, false, 0, false),
            ("an account that has left is kept out of another's", &left, other(true), true, 0, false),
            ("an account that has left replaces nothing", &left, other(false), false, 0, false),
        ] {
            let claims = decide(account, &[(Claim::of_account(account).unwrap(), found)]);
            assert_eq!((claims.is_account_refused(), claims.takes.len()), (refused, takes), "{why}");
            let version = claims.takes.first().and_then(|take| take.replaces.clone());
            assert_eq!(version.is_some_and(|version| version.resource_version.as_deref() == Some("7")), replaces, "{why}");
            assert_eq!(claims.fault(account).is_some(), refused, "{why}");
        }
    }

    #[test]
    fn one_claim_that_is_refused_leaves_the_others_untaken() {
        let account = gcp("client-a", "prod", "acme-prod");
        let found = |first: Found, last: Found| Claim::all(&account).into_iter().zip([first, Nobody, last]).collect::<Vec<_>>();
        let claims = decide(&account, &found(Nobody, Nobody));
        assert_eq!(
            claims.takes.iter().map(|take| take.owner.as_str()).collect::<Vec<_>>(),
            ["uid-of-client-a-prod", "client-a", "client-a"]
        );
        let claims = decide(&account, &found(Nobody, other(true)));
        assert_eq!((claims.refused, claims.takes.len()), (Some(Subject::ServiceAccount), 0));
        let fault = claims.fault(&account).unwrap();
        assert!(fault.message.contains("through this service account") && !claims.is_account_refused(), "{}", fault.message);
        let claims = decide(&account, &found(other(true), Nobody));
        assert!(claims.is_account_refused() && claims.fault(&account).unwrap().message.contains("already looked after"));
    }

    #[test]
    fn a_holder_that_is_gone_or_names_something_else_is_none() {
        let claim = Claim::of_account(&aws("client-a", "prod")).unwrap();
        let held = aws("client-b", "theirs");
        let holder = Holder::of(&held);
        let elsewhere = account("client-b", "theirs", json!({"aws": {"accountId": "444455556666"}}));
        let mut again = held.clone();
        again.metadata.uid = Some("another".into());
        let renamed = aws("client-b", "renamed");
        for (why, accounts, is_alive) in [
            ("it is there", vec![held.clone()], true),
            ("it is there beside others", vec![elsewhere.clone(), held.clone()], true),
            ("it was deleted", vec![], false),
            ("it names another account by now", vec![elsewhere], false),
            ("another object has its name", vec![again], false),
            ("another object names the account", vec![renamed], false),
            ("its parent does not list it any more", vec![gone(held)], false),
        ] {
            assert_eq!(claim.is_alive(&holder, &accounts), is_alive, "{why}");
        }
        assert!(!claim.is_ours(&holder) && claim.is_ours(&Holder::of(&aws("client-a", "prod"))));
    }

    #[test]
    fn a_service_account_belongs_to_a_client_and_goes_with_its_last_account() {
        let (one, two) = (gcp("client-a", "one", "acme-one"), gcp("client-a", "two", "acme-two"));
        let claim = Claim::of_service_account(&one).unwrap();
        assert_eq!(claim.name(), Claim::of_service_account(&two).unwrap().name(), "one service account, one claim");
        assert!(claim.is_ours(&Holder::of(&two)) && !claim.is_ours(&Holder::of(&gcp("client-b", "one", "acme-one"))));
        assert!(claim.is_alive(&Holder::of(&one), std::slice::from_ref(&two)), "any account of the client keeps it");
        assert!(!claim.is_alive(&Holder::of(&one), &[gone(two.clone()), aws("client-a", "prod")]));
        assert!(!claim.may_go(&[one.clone(), two.clone()]), "another account is reached through it");
        assert!(claim.may_go(std::slice::from_ref(&one)) && claim.may_go(&[one.clone(), gone(two)]), "the last one");
        assert!(Claim::of_account(&one).unwrap().may_go(&[one.clone(), gcp("client-a", "copy", "acme-one")]));
        assert!(Claim::of_service_account(&aws("client-a", "prod")).is_none());
    }

    fn organization(namespace: &str, id: &str) -> CloudAccount {
        account(namespace, "org", json!({"awsOrganization": {"accountId": id}}))
    }

    /// M3a: the same number as an account and as an organization.
    #[test]
    fn a_number_belongs_to_one_client_however_it_is_named() {
        let (single, parent) = (aws("client-a", "prod"), organization("client-b", "111122223333"));
        let [theirs, ours] = [&parent, &single].map(|account| Claim::of_number(account).unwrap());
        assert_eq!(theirs.name(), ours.name(), "they meet");
        assert_ne!(Claim::of_account(&parent).unwrap().name(), Claim::of_account(&single).unwrap().name(), "each is an object of its own");
        assert!(!theirs.is_ours(&Holder::of(&single)), "of another client");
        assert!(theirs.is_alive(&Holder::of(&single), std::slice::from_ref(&single)));
        let claims = decide(&parent, &[(theirs, other(true))]);
        assert!(claims.is_account_refused() && claims.fault(&parent).unwrap().message.contains("already looked after"));
        let own_parent = organization("client-a", "111122223333");
        assert!(Claim::of_number(&own_parent).unwrap().is_ours(&Holder::of(&single)), "an organization's own account is its client's");
        assert!(!ours.may_go(&[single.clone(), own_parent]), "the parent still needs it");
    }

    /// M3b: who merely names an account keeps nobody out of it, and gets nothing.
    #[test]
    fn a_claim_without_proof_yields_to_who_is_let_in() {
        for (why, account, found, refused, contested, takes) in [
            ("never let in: ours to be proved", aws("client-a", "prod"), unproved(), false, true, 1),
            ("let in once: theirs", aws("client-a", "prod"), other(true), true, false, 0),
            ("gone: nothing to contest", aws("client-a", "prod"), other(false), false, false, 1),
            ("no secret tells claimants of a project apart", gcp("client-a", "prod", "acme-prod"), unproved(), true, false, 0),
            ("an account that has left contests nothing", gone(aws("client-a", "prod")), unproved(), true, false, 0),
        ] {
            let claims = decide(&account, &[(Claim::of_account(&account).unwrap(), found)]);
            assert_eq!((claims.is_account_refused(), claims.is_contested, claims.takes.len()), (refused, contested, takes), "{why}");
            assert_eq!(claims.fault_before_proof(&account).is_some(), refused || contested, "nothing more than a proof: {why}");
        }
    }

    /// M3d: an ExternalId that a person took from another client.
    #[test]
    fn an_external_id_is_that_of_the_older_object() {
        let with = |namespace: &str, external_id: &str, day: u32| {
            let mut account = account(namespace, "prod", json!({"aws": {"accountId": "111122223333", "externalId": external_id}}));
            let at = format!("2026-01-{day:02}T00:00:00Z").parse().unwrap();
            account.metadata.creation_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at));
            account
        };
        let mut let_in = with("client-b", "e1", 2);
        let_in.status = Some(serde_json::from_value(json!({"membersListedAt": "2026-01-01T00:00:00Z"})).unwrap());
        for (why, account, other, expected) in [
            ("another client's, which is older", with("client-b", "e1", 2), with("client-a", "e1", 1), true),
            ("the older one keeps it", with("client-a", "e1", 1), with("client-b", "e1", 2), false),
            ("another ExternalId", with("client-b", "e2", 2), with("client-a", "e1", 1), false),
            ("accounts of an organization have one", with("client-a", "e1", 2), with("client-a", "e1", 1), false),
            ("it was let in with it", let_in, with("client-a", "e1", 1), false),
        ] {
            assert_eq!(takes_external_id(&account, || vec![other, account.clone()]), expected, "{why}");
        }
    }

    #[test]
    fn what_was_read_once_proves_a_claim_also_on_a_bad_day() {
        let with =
            |status: serde_json::Value| CloudAccount { status: Some(serde_json::from_value(status).unwrap()), ..aws("client-a", "prod") };
        let condition = |status: &str| json!({"type": "AccessProven", "status": status, "reason": "Settled", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        for (why, account, expected) in [
            ("new", aws("client-a", "prod"), false),
            ("refused since day one", with(json!({"conditions": [condition("False")]})), false),
            ("let in", with(json!({"conditions": [condition("True")]})), true),
            (
                "let in before the spec changed",
                with(json!({"access": {"principal": "p", "refusalsProvenAt": "2026-01-01T00:00:00Z"}})),
                true,
            ),
            (
                "read once, and refused today",
                with(json!({
                    "conditions": [condition("False")],
                    "inventory": {"digest": "d", "address": "a", "coverage": {"text": "1/1"}},
                })),
                true,
            ),
            ("a parent that was listed", with(json!({"membersListedAt": "2026-01-01T00:00:00Z"})), true),
        ] {
            assert_eq!(was_let_in(&account), expected, "{why}");
            let claim = Claim::of_account(&account).unwrap();
            assert_eq!(claim.is_proved(&Holder::of(&account), std::slice::from_ref(&account)), expected, "{why}");
        }
    }

    #[test]
    fn a_holder_reads_back_as_it_was_written() {
        let holder = Holder::of(&aws("client-a", "prod"));
        assert_eq!(Holder::from_data(&holder.data()), holder);
        assert_eq!((holder.namespace.as_str(), holder.name.as_str()), ("client-a", "prod"));
        assert_ne!(Claim::of_account(&aws("a", "b")).unwrap().name(), Claim::of_account(&gcp("a", "b", "p")).unwrap().name());
    }
}
