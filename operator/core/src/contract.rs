//! The one question that every planned write in a client's cloud passes: apply, propose, or never.
//!
//! Not asked are two things. The revocation of our own access at an exit is the provider's own, whatever the model is:
//! a client who could forbid it would keep us in. And bundles that are delivered to a place which the client named for
//! them are the client's own wish.

use caretaker_api::cloud_account::Capability;
use caretaker_api::contract::{Authority, BreakGlass, DeliveryModel, Domain, DomainStatus, May};
use caretaker_api::lifecycle::Stage;
use caretaker_api::managed_client::ManagedClientSpec;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub mod emergency;

/// Domains in which this release writes in a client's cloud.
pub const WRITTEN: [Domain; 1] = [Domain::Backup];

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// It is written.
    #[default]
    Apply,
    /// It is written although it would wait, since an emergency was declared.
    Emergency(BreakGlass),
    /// It waits in a ChangeRequest.
    Propose,
    /// It is shown and never written. The text says why.
    Never(String),
}

/// In whose name a write is made. Nothing else opens the way to a client's cloud, see `Scribe::perform`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit(Basis);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Basis {
    Provider,
    Emergency(BreakGlass),
    Approved(Approval),
    OwnAccess,
}

/// The client's yes, as it stands beside each write that was made under it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Name of the ChangeRequest.
    pub change: String,
    /// Its UID.
    pub uid: String,
    /// The user who said yes.
    pub by: String,
}

impl Permit {
    /// For the steps that end our own access: an exit needs no other yes than its acceptance.
    #[must_use]
    pub const fn own_access() -> Self {
        Self(Basis::OwnAccess)
    }

    /// Under the client's yes.
    #[must_use]
    pub const fn approved(approval: Approval) -> Self {
        Self(Basis::Approved(approval))
    }

    /// The client's yes; `None` where none was needed.
    #[must_use]
    pub const fn approval(&self) -> Option<&Approval> {
        match &self.0 {
            Basis::Approved(approval) => Some(approval),
            Basis::Provider | Basis::Emergency(_) | Basis::OwnAccess => None,
        }
    }

    /// The emergency that stands for a yes.
    #[must_use]
    pub const fn emergency(&self) -> Option<&BreakGlass> {
        match &self.0 {
            Basis::Emergency(declared) => Some(declared),
            Basis::Provider | Basis::Approved(_) | Basis::OwnAccess => None,
        }
    }
}

impl Verdict {
    /// The permit to write without a ChangeRequest; `None` where there is none.
    #[must_use]
    pub fn permit(&self) -> Option<Permit> {
        match self {
            Self::Apply => Some(Permit(Basis::Provider)),
            Self::Emergency(declared) => Some(Permit(Basis::Emergency(declared.clone()))),
            Self::Propose | Self::Never(_) => None,
        }
    }

    /// In the words of a status.
    #[must_use]
    pub fn shown(&self, domain: Domain) -> DomainStatus {
        let (writes, because) = match self {
            Self::Apply => (May::Apply, "the provider decides".to_owned()),
            Self::Emergency(declared) => {
                let BreakGlass { by, reason, until, .. } = declared;
                (May::Apply, format!("emergency until {}, declared by {by}: {reason}", until.0))
            }
            Self::Propose => (May::Propose, "provider and client decide together: a write waits in a ChangeRequest".to_owned()),
            Self::Never(why) => (May::Never, why.clone()),
        };
        DomainStatus { name: domain, writes, because }
    }
}

/// Who decides in a domain.
#[must_use]
pub fn authority(spec: &ManagedClientSpec, domain: Domain) -> Authority {
    match spec.delivery_model {
        DeliveryModel::FullyManaged => Authority::Provider,
        DeliveryModel::StaffAugmentation => Authority::Client,
        DeliveryModel::CoManaged => {
            spec.domains.iter().find(|terms| terms.name == domain).map_or(Authority::Joint, |terms| terms.authority)
        }
    }
}

/// Whether there is no contract yet: then nothing is written in any cloud of the client's.
#[must_use]
pub fn is_assessment(spec: &ManagedClientSpec) -> bool {
    spec.lifecycle.as_ref().is_some_and(|terms| terms.stage == Stage::Assessment)
}

/// What the operator asks the client to grant in an account: before the contract nothing but reading, so that no kit of an assessment holds a permission to
/// write.
#[must_use]
pub fn granted(spec: &ManagedClientSpec, allow: &[Capability]) -> Vec<Capability> {
    if is_assessment(spec) { Vec::new() } else { allow.to_vec() }
}

/// What becomes of a planned write in a domain.
#[must_use]
pub fn verdict(spec: &ManagedClientSpec, domain: Domain, now: Timestamp) -> Verdict {
    if is_assessment(spec) {
        return Verdict::Never("this is an assessment before the contract: the operator reads and writes nothing".into());
    }
    if spec.delivery_model == DeliveryModel::StaffAugmentation {
        return Verdict::Never("staff augmentation: the operator observes and writes nothing".into());
    }
    match authority(spec, domain) {
        Authority::Provider => Verdict::Apply,
        Authority::Client => Verdict::Never(format!("the domain {} is the client's: the operator writes nothing in it", domain.as_str())),
        Authority::Joint => match spec.break_glass.as_ref().filter(|declared| emergency::lasts(declared, now)) {
            Some(declared) => Verdict::Emergency(declared.clone()),
            None => Verdict::Propose,
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    pub(crate) fn spec(more: Value) -> ManagedClientSpec {
        let mut spec = json!({
            "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@x.example"}}, "accounts": [],
            "exit": {"recipients": ["age1"]},
        });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn each_model_and_authority_has_one_answer() {
        let of = |authority: &str| json!({"deliveryModel": "CoManaged", "domains": [{"name": "Backup", "authority": authority}]});
        let glass = |mut spec: Value| {
            spec["breakGlass"] = json!({"by": "Jo", "reason": "ransom", "from": "2026-01-01T10:00:00Z", "until": "2026-01-01T12:00:00Z"});
            spec
        };
        let other = json!({"deliveryModel": "CoManaged", "domains": [{"name": "Network", "authority": "Client"}]});
        let (during, before, after) = ("2026-01-01T11:00:00Z", "2026-01-01T09:59:59Z", "2026-01-01T12:00:00Z");
        for (why, terms, now, may, approval_is_open) in [
            ("nothing is said", json!({}), during, May::Apply, false),
            ("fully managed", json!({"deliveryModel": "FullyManaged"}), during, May::Apply, false),
            ("staff augmentation", json!({"deliveryModel": "StaffAugmentation"}), during, May::Never, false),
            ("an emergency opens no staff augmentation", glass(json!({"deliveryModel": "StaffAugmentation"})), during, May::Never, false),
            ("the provider's domain", of("Provider"), during, May::Apply, false),
            ("the client's domain", of("Client"), during, May::Never, false),
            ("a joint domain", of("Joint"), during, May::Propose, false),
            ("a domain that is not named", other, during, May::Propose, false),
            ("an emergency in a joint domain", glass(of("Joint")), during, May::Apply, true),
            ("before it begins", glass(of("Joint")), before, May::Propose, false),
            ("at its end", glass(of("Joint")), after, May::Propose, false),
            ("an emergency opens nothing that is the client's", glass(of("Client")), during, May::Never, false),
            ("what is the provider's needs none", glass(of("Provider")), during, May::Apply, false),
        ] {
            let verdict = verdict(&spec(terms), Domain::Backup, now.parse().unwrap());
            assert_eq!(verdict.shown(Domain::Backup).writes, may, "{why}");
            assert_eq!(verdict.permit().is_some(), may == May::Apply, "{why}");
            assert_eq!(verdict.permit().is_some_and(|permit| permit.emergency().is_some()), approval_is_open, "{why}");
        }
    }

    /// F59: whatever the model, the domains, the capabilities and an emergency say.
    #[test]
    fn an_assessment_writes_nothing_and_asks_for_no_permission_to_write() {
        let glass = json!({"by": "Jo", "reason": "ransom", "from": "2026-01-01T10:00:00Z", "until": "2026-01-01T12:00:00Z"});
        let provider = json!([{"name": "Backup", "authority": "Provider"}]);
        let all = [Capability::Backup, Capability::RestoreTest, Capability::Revoke];
        for (why, mut terms) in [
            ("fully managed", json!({})),
            ("the provider's domain", json!({"deliveryModel": "CoManaged", "domains": provider})),
            ("an emergency", json!({"deliveryModel": "CoManaged", "breakGlass": glass})),
            ("staff", json!({"deliveryModel": "StaffAugmentation"})),
        ] {
            let now = "2026-01-01T11:00:00Z".parse().unwrap();
            terms["lifecycle"] = json!({"stage": "Assessment"});
            let assessed = spec(terms.clone());
            for domain in Domain::ALL {
                let verdict = verdict(&assessed, domain, now);
                assert!(verdict.permit().is_none(), "{why}: {domain:?}");
                let shown = verdict.shown(domain);
                assert!(shown.writes == May::Never && shown.because.contains("assessment"), "{why}: {shown:?}");
            }
            assert_eq!(granted(&assessed, &all), [], "{why}");
            terms["lifecycle"] = json!({});
            assert_eq!(granted(&spec(terms), &all), all, "{why}: under the contract it is as the account says");
        }
    }

    #[test]
    fn every_domain_of_every_model_has_an_authority() {
        for (model, expected) in
            [("FullyManaged", Authority::Provider), ("StaffAugmentation", Authority::Client), ("CoManaged", Authority::Joint)]
        {
            for domain in Domain::ALL {
                assert_eq!(authority(&spec(json!({"deliveryModel": model})), domain), expected, "{model} {domain:?}");
            }
        }
    }
}
