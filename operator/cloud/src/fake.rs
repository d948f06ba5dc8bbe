//! A cloud in memory: accounts with roles, assets and backup objects, which refuses what a cloud refuses.
//!
//! It is deterministic, counts every call under the cloud's own name for it, and makes faults on demand. Answers are those of AWS, call by call, so that a
//! test of a controller sees what the adapter would show it.

mod access;
mod account;
mod backup;
mod link;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

pub use account::{ExternalIdRule, FakeAccount, FakePlan, FakeRole, Permission, Trust};

use crate::model::is_principal;
use crate::{AccessGrant, AwsGrant, CloudConnector, CloudError, CloudLink, ErrorClass, Identity, Presented, Purpose, Result};
use link::FakeLink;

/// Rows in one page of a list, unless it is said otherwise.
const PAGE_ROWS: usize = 500;
/// What is presented where a wrong ExternalId is asked for.
const WRONG: &str = "caretaker-negative-test";

/// A fault to be made. Where several fit a call, the first wins.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The call, such as `ec2:DescribeInstances`; a prefix is enough, empty stands for every call.
    pub operation: String,
    /// Account; `None` for all.
    pub account: Option<String>,
    /// Region; `None` for all.
    pub region: Option<String>,
    /// How the call fails.
    pub class: ErrorClass,
    /// How many calls pass before the first fails.
    pub skip: u32,
    /// How many calls fail before the fault is over; `None` for ever.
    pub times: Option<u32>,
    /// Of the calls that would fail, only each one with a number that this divides does.
    pub each: u32,
    /// Whether the call is done, and only its answer is lost.
    pub is_answer_lost: bool,
    fitted: u32,
}

impl Fault {
    /// A fault of an operation that lasts, everywhere.
    pub fn of(operation: impl Into<String>, class: ErrorClass) -> Self {
        Self {
            operation: operation.into(),
            account: None,
            region: None,
            class,
            skip: 0,
            times: None,
            each: 1,
            is_answer_lost: false,
            fitted: 0,
        }
    }

    /// The same in one region only.
    #[must_use]
    pub fn in_region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// The same in one account only.
    #[must_use]
    pub fn in_account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    /// The same, from the call after `skip` others.
    #[must_use]
    pub fn after(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// The same for a number of calls only.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// The same for each call only with a number that this divides.
    #[must_use]
    pub fn each(mut self, each: u32) -> Self {
        self.each = each.max(1);
        self
    }

    /// The call is done, and its answer does not come.
    #[must_use]
    pub fn answer_lost(operation: impl Into<String>) -> Self {
        Self { is_answer_lost: true, ..Self::of(operation, ErrorClass::Unreachable) }
    }

    /// Counts a call that fits; whether it fails.
    fn strikes(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.fitted += 1;
        if !self.fitted.is_multiple_of(self.each) {
            return false;
        }
        if let Some(times) = &mut self.times {
            *times -= 1;
        }
        true
    }

    fn fits(&self, at: &At<'_>) -> bool {
        self.times != Some(0)
            && at.operation.starts_with(&self.operation)
            && self.account.as_deref().is_none_or(|account| account == at.account)
            && self.region.as_deref().is_none_or(|region| region == at.region)
    }
}

/// Where a call is made.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub operation: &'a str,
    pub account: &'a str,
    pub region: &'a str,
}

/// A caller and the grant that it uses.
type As<'a> = (&'a str, &'a AwsGrant);

/// All that the cloud holds.
pub(crate) struct State {
    pub accounts: BTreeMap<String, FakeAccount>,
    faults: Vec<Fault>,
    /// Rows in one page of a list.
    pub page_rows: usize,
    calls: BTreeMap<String, u64>,
    writes: u64,
    /// Grants whose role takes no SourceIdentity.
    unnamed: HashSet<AwsGrant>,
}

impl State {
    /// Counts a call, and fails it where a fault fits.
    pub fn call(&mut self, at: At<'_>) -> Result<()> {
        *self.calls.entry(at.operation.to_owned()).or_default() += 1;
        let Some(fault) = self.faults.iter_mut().find(|fault| !fault.is_answer_lost && fault.fits(&at)) else { return Ok(()) };
        if fault.strikes() { Err(CloudError::new(fault.class, at.operation, "made by the test")) } else { Ok(()) }
    }

    /// Fails a call that is done, where its answer is to be lost.
    pub fn answer(&mut self, at: At<'_>) -> Result<()> {
        let Some(fault) = self.faults.iter_mut().find(|fault| fault.is_answer_lost && fault.fits(&at)) else { return Ok(()) };
        if fault.strikes() { Err(CloudError::new(fault.class, at.operation, "done, and the answer was lost by the test")) } else { Ok(()) }
    }

    /// Notes that a call changes something.
    pub fn wrote(&mut self) {
        self.writes += 1;
    }

    /// One `sts:AssumeRole` with the base credentials; the account that it leads to.
    fn assume(&mut self, (who, grant): As<'_>, external_id: Option<&str>, (may_teach, named): (bool, bool)) -> Result<String> {
        let account = account_of(&grant.role_arn).to_owned();
        self.call(At { operation: "sts:AssumeRole", account: &account, region: "global" })?;
        let refused = || {
            let message = format!("not authorized to assume {}", grant.role_arn);
            CloudError::new(ErrorClass::Denied, "sts:AssumeRole", message).with_code("AccessDenied")
        };
        let role = self.accounts.get_mut(&account).and_then(|held| held.roles.get_mut(&grant.role_arn)).ok_or_else(refused)?;
        let takes_name = role.takes_source_identity;
        let Trust::Principal { arn, external_id: rule } = &mut role.trust else { return Err(refused()) };
        if named && !takes_name || !is_principal(who, arn) || !rule.lets_in(external_id, may_teach) {
            return Err(refused());
        }
        Ok(account)
    }

    /// Gets in with the grant's own ExternalId: with the SourceIdentity, and where that is refused once without.
    pub fn enter(&mut self, by: As<'_>) -> Result<String> {
        let (_, grant) = by;
        let id = Some(grant.external_id.as_str());
        if self.is_unnamed(grant) {
            return self.assume(by, id, (true, false));
        }
        match self.assume(by, id, (true, true)) {
            Err(error) if error.is_refusal() => {
                let account = self.assume(by, id, (true, false))?;
                self.unnamed.insert(grant.clone());
                Ok(account)
            }
            other => other,
        }
    }

    /// Tries to get in with an ExternalId that must be refused, in every way in which the right one could be let in.
    fn trespass(&mut self, by: As<'_>, external_id: Option<&str>) -> Result<String> {
        match self.assume(by, external_id, (false, false)) {
            Err(error) if error.is_refusal() && !self.is_unnamed(by.1) => self.assume(by, external_id, (false, true)),
            other => other,
        }
    }

    /// Whether the grant's role was found to take no SourceIdentity.
    pub fn is_unnamed(&self, grant: &AwsGrant) -> bool {
        self.unnamed.contains(grant)
    }
}

/// The cloud, and the provider's way into it. Cheap to clone; clones are the same cloud.
#[derive(Clone)]
pub struct FakeCloud {
    state: Arc<Mutex<State>>,
    principal: Arc<str>,
}

impl FakeCloud {
    /// An empty cloud, seen by a provider whose base credentials are `principal`.
    pub fn new(principal: impl Into<Arc<str>>) -> Self {
        let state = State {
            accounts: BTreeMap::new(),
            faults: Vec::new(),
            page_rows: PAGE_ROWS,
            calls: BTreeMap::new(),
            writes: 0,
            unnamed: HashSet::new(),
        };
        Self { state: Arc::new(Mutex::new(state)), principal: principal.into() }
    }

    /// The same cloud, seen by a provider whose base credentials are another `principal`.
    #[must_use]
    pub fn seen_by(&self, principal: impl Into<Arc<str>>) -> Self {
        Self { state: self.state.clone(), principal: principal.into() }
    }

    /// Who the base credentials are.
    pub(crate) fn principal(&self) -> &str {
        &self.principal
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }

    /// Adds an account, or replaces the one with its id.
    pub fn put_account(&self, account: FakeAccount) {
        self.lock().accounts.insert(account.id.clone(), account);
    }

    /// Reads or changes an account behind the provider's back, as its owner would; `None` where it is not there.
    pub fn account<T>(&self, id: &str, act: impl FnOnce(&mut FakeAccount) -> T) -> Option<T> {
        self.lock().accounts.get_mut(id).map(act)
    }

    /// Reads or changes a role, as the account's owner would; `None` where it is not there.
    pub fn role<T>(&self, arn: &str, act: impl FnOnce(&mut FakeRole) -> T) -> Option<T> {
        self.account(account_of(arn), |account| account.roles.get_mut(arn).map(act)).flatten()
    }

    /// Adds a fault.
    pub fn fault(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    /// Sets the number of rows in one page of a list.
    pub fn page_rows(&self, rows: usize) {
        self.lock().page_rows = rows.max(1);
    }

    /// Ends all faults.
    pub fn cure(&self) {
        self.lock().faults.clear();
    }

    /// Number of calls of an operation so far; a prefix such as `ec2:` sums up.
    #[must_use]
    pub fn calls(&self, operation: &str) -> u64 {
        self.lock().calls.iter().filter(|(name, _)| name.starts_with(operation)).map(|(_, count)| count).sum()
    }

    /// Number of calls that changed something so far.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.lock().writes
    }
}

/// The account in an ARN.
fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

#[async_trait]
impl CloudConnector for FakeCloud {
    async fn base_identity(&self) -> Result<Identity> {
        let mut state = self.lock();
        let account = account_of(&self.principal);
        state.call(At { operation: "sts:GetCallerIdentity", account, region: "global" })?;
        Ok(Identity { account: account.into(), principal: self.principal.as_ref().into() })
    }

    async fn connect(&self, grant: &AccessGrant, purpose: Purpose) -> Result<Arc<dyn CloudLink>> {
        let AccessGrant::Aws(grant) = grant else { return Err(CloudError::other_cloud()) };
        let link = FakeLink::new(self.clone(), grant.clone(), purpose);
        link.open()?;
        Ok(Arc::new(link))
    }

    async fn attempt(&self, grant: &AccessGrant, presented: Presented) -> Result<Identity> {
        let AccessGrant::Aws(grant) = grant else { return Err(CloudError::other_cloud()) };
        let (mut state, by) = (self.lock(), (self.principal(), grant));
        let account = match presented {
            Presented::Right => state.enter(by)?,
            Presented::Wrong => state.trespass(by, Some(WRONG))?,
            Presented::Nothing => state.trespass(by, None)?,
            Presented::Stolen => state.trespass(by, Some(&grant.external_id))?,
        };
        Ok(Identity { account, principal: grant.role_arn.clone() })
    }
}

#[cfg(test)]
mod tests;
