//! Claims: an account belongs to one object only, and a service account that leads into accounts to one client only. A claim is a ConfigMap of the
//! operator's namespace whose name is made from what is claimed. A visit reads who holds its claims; this decides; the writes follow.

use std::collections::BTreeMap;

use caretaker_api::CloudAccount;
use caretaker_api::parents::MemberState;
use kube::ResourceExt;

use super::{account_claimed, service_account_claimed};
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

    /// The claim of the service account that the account is reached through; `None` where it is reached without one.
    #[must_use]
    pub fn of_service_account(account: &CloudAccount) -> Option<Self> {
        Some(Self { subject: Subject::ServiceAccount, key: service_account_key(account)?, ours: Holder::of(account) })
    }

    /// All claims that an account needs.
    #[must_use]
    pub fn all(account: &CloudAccount) -> Vec<Self> {
        Self::of_account(account).into_iter().chain(Self::of_service_account(account)).collect()
    }

    /// Name of the ConfigMap. It follows from the subject alone, so that two claimants meet.
    #[must_use]
    pub fn name(&self) -> String {
        format!("claim-{}", &sha256_hex(&self.key)[..DIGITS])
    }

    /// The part of a holder that decides whether the claim is its own: the object for an account, the client's namespace for a service account.
    #[must_use]
    pub fn owner_of<'a>(&self, holder: &'a Holder) -> &'a str {
        match self.subject {
            Subject::Account => &holder.uid,
            Subject::ServiceAccount => &holder.namespace,
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
        accounts.iter().any(|account| {
            let is_same = match self.subject {
                Subject::Account => account.name_any() == holder.name && account.uid().unwrap_or_default() == holder.uid,
                Subject::ServiceAccount => true,
            };
            is_same && self.is_named_by(account)
        })
    }

    /// Whether our own claim may be given back when its account goes: that of a service account only with the client's last account that is reached
    /// through it. `accounts` are those of our namespace.
    #[must_use]
    pub fn may_go(&self, accounts: &[CloudAccount]) -> bool {
        let is_other = |account: &&CloudAccount| account.uid().unwrap_or_default() != self.ours.uid;
        self.subject == Subject::Account || !accounts.iter().filter(is_other).any(|account| self.is_named_by(account))
    }

    fn is_named_by(&self, account: &CloudAccount) -> bool {
        let key = match self.subject {
            Subject::Account => account_key(account),
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
    /// The claims that a visit takes before it goes to the cloud; none where one is refused.
    pub takes: Vec<Take>,
}

impl Claims {
    /// Whether another object holds the account itself.
    #[must_use]
    pub fn is_account_refused(&self) -> bool {
        self.refused == Some(Subject::Account)
    }

    /// The fault of the claim that is refused.
    #[must_use]
    pub fn fault(&self, account: &CloudAccount) -> Option<Fault> {
        self.refused.map(|subject| match subject {
            Subject::Account => account_claimed(account),
            Subject::ServiceAccount => service_account_claimed(account),
        })
    }
}

/// Decides on each claim. An account that has left takes none, and is refused none that nobody else needs.
#[must_use]
pub fn decide(account: &CloudAccount, found: &[(Claim, Found)]) -> Claims {
    let is_refused = |found: &Found| matches!(found, Found::Other { is_alive: true, .. });
    if let Some((claim, _)) = found.iter().find(|(_, found)| is_refused(found)) {
        return Claims { refused: Some(claim.subject), takes: Vec::new() };
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
    Claims { refused: None, takes }
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
        Other { version: Version { uid: Some("u".into()), resource_version: Some("7".into()) }, is_alive }
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
        let found = |first: Found, second: Found| Claim::all(&account).into_iter().zip([first, second]).collect::<Vec<_>>();
        let claims = decide(&account, &found(Nobody, Nobody));
        assert_eq!(claims.takes.iter().map(|take| take.owner.as_str()).collect::<Vec<_>>(), ["uid-of-client-a-prod", "client-a"]);
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

    #[test]
    fn a_holder_reads_back_as_it_was_written() {
        let holder = Holder::of(&aws("client-a", "prod"));
        assert_eq!(Holder::from_data(&holder.data()), holder);
        assert_eq!((holder.namespace.as_str(), holder.name.as_str()), ("client-a", "prod"));
        assert_ne!(Claim::of_account(&aws("a", "b")).unwrap().name(), Claim::of_account(&gcp("a", "b", "p")).unwrap().name());
    }
}
