//! Ending our own access: which steps, in which order, and what is known after each answer. What was done is kept at every answer, so that an account that
//! does not answer takes nobody's receipts away.

use std::collections::VecDeque;

use caretaker_api::CloudAccount;
use caretaker_api::cloud_account::Capability;
use caretaker_api::handover::{Frozen, RevocationStatus};
use caretaker_api::provider_profile::ProviderProfileSpec;
use caretaker_api::words::RevokedBy;
use caretaker_cloud::{CloudError, CloudStep, ErrorClass, Purpose, Receipt};
use kube::ResourceExt;

use super::check::is_others;
use crate::digest::json_digest;
use crate::grant;
use crate::kit::parents::STACK_SET;
use crate::kit::policy_name;
use crate::ledger::exit::receipt_line;
use crate::outcome::Fault;

/// Hexadecimal digits of a step's digest in its key.
const DIGITS: usize = 12;

/// The steps that end our access, and what they leave behind.
///
/// On AWS the role is stripped, closed, and drops its last permission. A process that dies after the closing finds the door closed, which is the end that
/// was wanted; then at most the last permission remains, on a role that nobody can assume.
#[must_use]
pub fn plan(account: &CloudAccount, provider: Option<&ProviderProfileSpec>) -> (Vec<CloudStep>, String) {
    let target = &account.spec.target;
    if let Some(aws) = target.aws_role() {
        let (role, last) = (aws.role_name.clone(), policy_name(Purpose::Revoke).to_owned());
        let steps = vec![
            CloudStep::StripOwnRole { role: role.clone(), last: last.clone() },
            CloudStep::CloseOwnRole { role: role.clone() },
            CloudStep::DropLastPolicy { role, last },
        ];
        let left = format!("the role {}, without policies and closed to everybody", aws.role_name);
        if target.aws_organization.is_none() {
            return (steps, left);
        }
        let stack_set = format!(
            "the StackSet {STACK_SET}, which gives our role to accounts that come later: delete it first, by the revocation script"
        );
        return (steps, format!("{left}; {stack_set}"));
    }
    if target.azure.is_some() {
        return (vec![CloudStep::DeleteDelegation { subscription_id: target.id() }], String::new());
    }
    // The project that the session is in, or that the folder's service account is in.
    let place = match (&target.gcp, &target.gcp_folder) {
        // One service account leads into all projects of a folder: it is closed once, with the folder.
        (Some(gcp), _) if account.spec.member.is_none() => {
            (gcp.project_id.clone(), &gcp.service_account_name, gcp.service_account_project())
        }
        (_, Some(folder)) => {
            let project = &folder.service_account_project_id;
            (project.clone(), &folder.service_account_name, project.as_str())
        }
        // Each subscription of a tenant ends its own delegation.
        _ => return (Vec::new(), String::new()),
    };
    let (project_id, name, home) = place;
    let member = provider.and_then(|provider| provider.gcp.as_ref()).map(|gcp| grant::member(&gcp.principal)).unwrap_or_default();
    let email = grant::service_account(name, home);
    let step = CloudStep::RemoveBinding { project_id, member };
    (vec![step], format!("the service account {email}, which nobody of the provider's can use any more"))
}

/// A question that is to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Find the way in.
    WayIn,
    /// Open a session by it.
    Connect,
    /// Do a step under a key.
    Perform(String, CloudStep),
}

/// An answer to the question that was asked last.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Whether there is a way in; false where the ExternalId was never made.
    WayIn(Result<bool, Fault>),
    /// To [`Ask::Connect`].
    Connected(Result<(), CloudError>),
    /// To [`Ask::Perform`].
    Performed(Result<Receipt, CloudError>),
}

/// The account that is worked on.
#[derive(Clone, Debug)]
struct Present {
    account: CloudAccount,
    revocation: RevocationStatus,
    steps: VecDeque<CloudStep>,
    left: String,
}

impl Present {
    fn of(account: CloudAccount, provider: Option<&ProviderProfileSpec>, before: Option<&RevocationStatus>) -> Self {
        let principal = match account.spec.target.aws_role() {
            Some(aws) => format!("role {} in account {}", aws.role_name, aws.account_id),
            None => provider.map(|provider| grant::principal(&account.spec, provider)).unwrap_or_default(),
        };
        let may_revoke = account.spec.allow.contains(&Capability::Revoke);
        let by = if may_revoke { RevokedBy::Operator } else { RevokedBy::Client };
        let (steps, left) = if may_revoke { plan(&account, provider) } else { Default::default() };
        let mut revocation = before.cloned().unwrap_or_default();
        // A process that died after a write has told its receipt alone.
        if revocation.principal.is_empty() {
            revocation = RevocationStatus { account: account.name_any(), principal, by, ..revocation };
        }
        // Done steps are the first ones, in the plan's order.
        let steps = steps.into_iter().skip(revocation.steps.len()).collect();
        Self { account, revocation, steps, left }
    }

    /// Whether an earlier visit came to this account's end: all steps have receipts, or a refusal settled it, which left something behind.
    fn is_settled(&self) -> bool {
        let has_begun = !self.revocation.steps.is_empty();
        !self.revocation.left.is_empty() || has_begun && self.steps.is_empty()
    }

    fn next_step(&mut self) -> Option<Ask> {
        let step = self.steps.front()?.clone();
        let digest = json_digest(&step);
        let key = format!("{}-revoke-{}", self.account.uid().unwrap_or_default(), &digest[..DIGITS.min(digest.len())]);
        Some(Ask::Perform(key, step))
    }
}

/// The revocation in all accounts of a client. Nothing is tried blindly again: what is refused is settled by the attempts that follow.
#[derive(Clone, Debug)]
pub struct Revoking {
    provider: Option<ProviderProfileSpec>,
    before: Vec<RevocationStatus>,
    frozen: Vec<String>,
    left: VecDeque<CloudAccount>,
    present: Option<Present>,
    done: Vec<RevocationStatus>,
    failure: Option<CloudError>,
}

impl Revoking {
    /// The revocation in `accounts`. `before` are the receipts of earlier visits.
    #[must_use]
    pub fn new(
        accounts: Vec<CloudAccount>,
        provider: Option<ProviderProfileSpec>,
        frozen: Option<&Frozen>,
        before: Vec<RevocationStatus>,
    ) -> Self {
        let frozen = frozen.map(|frozen| frozen.accounts.clone()).unwrap_or_default();
        Self { provider, before, frozen, left: accounts.into(), present: None, done: Vec::new(), failure: None }
    }

    /// Takes the answer to the last question and gives the next one, with its account; `None` at the end. The first call brings no answer.
    pub fn next(&mut self, answer: Option<Answer>) -> Option<(&CloudAccount, Ask)> {
        let follows = match (self.present.take(), answer) {
            (Some(present), Some(answer)) => self.take(present, answer),
            _ => None,
        };
        let ask = follows.or_else(|| self.begin())?;
        Some((&self.present.as_ref()?.account, ask))
    }

    /// The receipts of all visits, and the error for which this one did not come to the end of every account.
    #[must_use]
    pub fn into_done(mut self) -> (Vec<RevocationStatus>, Option<CloudError>) {
        self.done.extend(self.present.take().map(|present| present.revocation));
        let is_told = |done: &[RevocationStatus], name: &str| done.iter().any(|revocation| revocation.account == name);
        // What an earlier visit did in accounts that this one did not come to.
        for before in std::mem::take(&mut self.before) {
            if !is_told(&self.done, &before.account) {
                self.done.push(before);
            }
        }
        if self.failure.is_none() && self.left.is_empty() {
            for account in self.frozen {
                if !is_told(&self.done, &account) {
                    self.done.push(RevocationStatus { account, by: RevokedBy::Client, ..RevocationStatus::default() });
                }
            }
        }
        (self.done, self.failure)
    }

    fn begin(&mut self) -> Option<Ask> {
        while let Some(account) = self.left.pop_front() {
            let name = account.name_any();
            let before = self.before.iter().find(|before| before.account == name);
            let present = Present::of(account, self.provider.as_ref(), before);
            if present.is_settled() {
                self.done.push(present.revocation);
                continue;
            }
            self.present = Some(present);
            return Some(Ask::WayIn);
        }
        None
    }

    fn take(&mut self, mut present: Present, answer: Answer) -> Option<Ask> {
        match answer {
            // It was never this client's.
            Answer::WayIn(Err(fault)) if is_others(&fault) => return None,
            Answer::WayIn(_) if present.revocation.by != RevokedBy::Operator => {}
            Answer::WayIn(Err(fault)) => present.revocation.last_answer = fault.message,
            Answer::WayIn(Ok(false)) => present.revocation.last_answer = "there never was a way in".into(),
            Answer::WayIn(Ok(true)) if present.steps.is_empty() => {}
            Answer::WayIn(Ok(true)) => {
                present.revocation.last_answer.clear();
                return self.go_on(present, Ask::Connect);
            }
            Answer::Connected(Ok(())) => return self.step(present),
            Answer::Connected(Err(error)) => {
                let left = format!("{}, closed to us; what it still holds we cannot see", present.revocation.principal);
                self.settle(&mut present, error, left);
            }
            Answer::Performed(Ok(receipt)) => {
                let step = present.steps.pop_front().map(|step| step.describe()).unwrap_or_default();
                present.revocation.steps.push(receipt_line(&step, &receipt.calls));
                return self.step(present);
            }
            Answer::Performed(Err(error)) => {
                let step = present.steps.front().map(CloudStep::describe).unwrap_or_default();
                let left = format!("{}: we could not {step}; the revocation script ends it", present.revocation.principal);
                self.settle(&mut present, error, left);
            }
        }
        self.done.push(present.revocation);
        None
    }

    fn go_on(&mut self, present: Present, ask: Ask) -> Option<Ask> {
        self.present = Some(present);
        Some(ask)
    }

    fn step(&mut self, mut present: Present) -> Option<Ask> {
        match present.next_step() {
            Some(ask) => self.go_on(present, ask),
            None => {
                present.revocation.left = std::mem::take(&mut present.left);
                self.done.push(present.revocation);
                None
            }
        }
    }

    /// A refusal is settled by looking: the fresh attempts prove that we are out, or show that we are not. Anything else is tried again at a later visit; the
    /// other accounts go on meanwhile, unless the error is one that they would meet as well.
    fn settle(&mut self, present: &mut Present, error: CloudError, left: String) {
        if error.is_refusal() {
            present.revocation.last_answer = error.to_string();
            present.revocation.left = left;
            return;
        }
        if matches!(error.class, ErrorClass::Credentials | ErrorClass::Throttled(_)) {
            self.left.clear();
        }
        self.failure.get_or_insert(error);
    }
}

#[cfg(test)]
mod tests;
