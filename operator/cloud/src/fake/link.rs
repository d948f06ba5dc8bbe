//! A session in one account of the cloud in memory.

use async_trait::async_trait;
use jiff::Timestamp;

use super::backup::{plan_of, plan_state};
use super::{At, FakeAccount, FakeCloud, FakeRole, Trust};
use crate::manifest::aws_actions;
use crate::{
    Asset, AssetSink, AwsGrant, AwsType, BackupJob, Cell, CellKey, CloudError, CloudLink, CloudStep, EVERYWHERE, ErrorClass, ExcessReport,
    Ground, Identity, Intent, Member, PermissionGap, Presence, ProtectionState, Purpose, Receipt, RecoveryPoint, RecoverySink, Register,
    RestoreTestState, Result, Scope, SelectionState, StepOutcome, VaultState, Verdict, WantedPermission, verdict_of,
};

/// Kinds that AWS Backup takes, unless somebody leaves them out.
const KINDS: [&str; 6] = ["EC2", "EBS", "RDS", "Aurora", "DynamoDB", "S3"];

/// Rows in one page of an organization.
const MEMBERS_PAGE: usize = 20;

/// A session.
pub(super) struct FakeLink {
    pub(super) cloud: FakeCloud,
    pub(super) grant: AwsGrant,
    purpose: Purpose,
}

impl FakeLink {
    pub fn new(cloud: FakeCloud, grant: AwsGrant, purpose: Purpose) -> Self {
        Self { cloud, grant, purpose }
    }

    /// Assumes the role and proves that it leads to the declared account.
    pub fn open(&self) -> Result<()> {
        let mut state = self.cloud.lock();
        let account = state.enter((self.cloud.principal(), &self.grant))?;
        state.call(At { operation: "sts:GetCallerIdentity", account: &account, region: "global" })?;
        if account != self.grant.account_id {
            let message = format!("the role {} leads to account {account}, not {}", self.grant.role_arn, self.grant.account_id);
            return Err(CloudError::new(ErrorClass::WrongAccount, "sts:GetCallerIdentity", message));
        }
        Ok(())
    }

    /// Whether the session's own policy lets an action through.
    fn is_for(&self, action: &str) -> bool {
        let purposes: &[Purpose] = match self.purpose {
            Purpose::Backup => &[Purpose::Read, Purpose::Backup],
            Purpose::RestoreTest => &[Purpose::Read, Purpose::RestoreTest],
            Purpose::Read => &[Purpose::Read],
            Purpose::Revoke => &[Purpose::Revoke],
            Purpose::Members => &[Purpose::Members],
        };
        purposes.iter().flat_map(|purpose| aws_actions(*purpose)).any(|allowed| allowed.name == action)
    }

    /// One call: counted, failed where a fault fits, refused where session or role do not allow it, and done in the account.
    pub(super) fn call<T>(&self, operation: &str, region: &str, act: impl FnOnce(&mut FakeAccount) -> Result<T>) -> Result<T> {
        let mut state = self.cloud.lock();
        state.call(At { operation, account: &self.grant.account_id, region })?;
        let refused = || CloudError::new(ErrorClass::Denied, operation, "not authorized").with_code("AccessDenied");
        let account = state.accounts.get_mut(&self.grant.account_id).ok_or_else(refused)?;
        let role = account.roles.get(&self.grant.role_arn).ok_or_else(refused)?;
        let resource = if is_on_role(operation) { self.grant.role_arn.as_str() } else { "*" };
        if !self.is_for(operation) || !role.allows(operation, resource) {
            return Err(refused());
        }
        if region != "global" && region != EVERYWHERE && !account.regions.iter().any(|enabled| enabled == region) {
            return Err(CloudError::new(ErrorClass::NotEnabled, operation, "not subscribed").with_code("OptInRequired"));
        }
        let done = act(account)?;
        state.answer(At { operation, account: &self.grant.account_id, region })?;
        Ok(done)
    }

    /// The same, and it is counted as a write where it was done.
    pub(super) fn write<T>(&self, operation: &str, region: &str, act: impl FnOnce(&mut FakeAccount) -> Result<T>) -> Result<T> {
        let done = self.call(operation, region, act)?;
        self.cloud.lock().wrote();
        Ok(done)
    }

    fn on_role<T>(&self, operation: &str, name: &str, act: impl FnOnce(&mut FakeRole) -> T) -> Result<T> {
        let arn = self.grant.role_arn.clone();
        self.write(operation, "global", |account| {
            let missing = || CloudError::new(ErrorClass::NotFound, operation, "no such role").with_code("NoSuchEntity");
            if arn.rsplit('/').next() != Some(name) {
                return Err(missing());
            }
            account.roles.get_mut(&arn).map(act).ok_or_else(missing)
        })
    }

    fn page(&self, region: &str, kind: AwsType, from: usize) -> Result<(Vec<Asset>, bool)> {
        let rows = self.cloud.lock().page_rows;
        self.call(kind.operation(), region, |account| {
            let all = account.assets.get(&(region.to_owned(), kind)).map(Vec::as_slice).unwrap_or_default();
            let page = &all[from.min(all.len())..(from + rows).min(all.len())];
            let now = Timestamp::now();
            Ok((page.iter().cloned().map(|asset| Asset { seen_at: now, ..asset }).collect(), from + rows < all.len()))
        })
    }

    async fn read_cell(&self, region: &str, kind: AwsType, sink: &mut dyn AssetSink) -> Result<()> {
        let (mut assets, mut calls, mut renewed) = (0, 0, false);
        let end = loop {
            calls += 1;
            match self.page(region, kind, usize::try_from(assets).unwrap_or(usize::MAX)) {
                Ok((page, more)) => {
                    for asset in page {
                        assets += 1;
                        sink.asset(asset).await?;
                    }
                    if !more {
                        break Ok(());
                    }
                }
                Err(error) if error.class == ErrorClass::Expired && !renewed => {
                    renewed = true;
                    if let Err(error) = self.open() {
                        break Err(error);
                    }
                }
                Err(error) => break Err(error),
            }
        };
        let key = CellKey { account: self.grant.account_id.clone(), region: region.into(), service: kind.service().into() };
        let (verdict, cause, retry_after_seconds) = match end {
            Ok(()) => (Verdict::Complete, String::new(), None),
            Err(error) => verdict_of(&error, &key, assets),
        };
        sink.cell(Cell { key, verdict, assets, calls, cause, retry_after_seconds, at: Timestamp::now() }).await
    }

    /// All rows of a list, asked for page by page.
    fn pages<T: Clone>(&self, operation: &str, region: &str, rows: impl Fn(&FakeAccount) -> Vec<T>) -> Result<Vec<T>> {
        let (size, mut found) = (self.cloud.lock().page_rows, Vec::new());
        loop {
            let (page, more) = self.call(operation, region, |account| {
                let all = rows(account);
                let to = (found.len() + size).min(all.len());
                Ok((all[found.len().min(to)..to].to_vec(), to < all.len()))
            })?;
            found.extend(page);
            if !more {
                return Ok(found);
            }
        }
    }

    fn close(&self, name: &str) -> Result<Receipt> {
        let call = "iam:UpdateAssumeRolePolicy";
        self.on_role(call, name, |role| role.trust = Trust::Nobody)?;
        Ok(receipt(StepOutcome::Done, None, call))
    }

    fn strip(&self, name: &str, last: &str) -> Result<Receipt> {
        let role = |account: &FakeAccount| account.roles.get(&self.grant.role_arn).cloned();
        let attached = self.call("iam:ListAttachedRolePolicies", "global", |account| Ok(role(account)))?;
        let mut calls = Vec::new();
        for arn in attached.iter().flat_map(|role| role.attached.keys()) {
            self.on_role("iam:DetachRolePolicy", name, |role| role.attached.remove(arn))?;
            calls.push(format!("iam:DetachRolePolicy {arn}"));
        }
        let inline = self.call("iam:ListRolePolicies", "global", |account| Ok(role(account)))?;
        for policy in inline.iter().flat_map(|role| role.inline.keys()).filter(|policy| *policy != last) {
            self.on_role("iam:DeleteRolePolicy", name, |role| role.inline.remove(policy))?;
            calls.push(format!("iam:DeleteRolePolicy {policy}"));
        }
        let outcome = if calls.is_empty() { StepOutcome::AlreadyDone } else { StepOutcome::Done };
        Ok(Receipt { outcome, id: None, calls })
    }

    fn drop_last(&self, name: &str, last: &str) -> Result<Receipt> {
        self.on_role("iam:DeleteRolePolicy", name, |role| role.inline.remove(last))?;
        Ok(receipt(StepOutcome::Done, None, &format!("iam:DeleteRolePolicy {last}")))
    }
}

/// Whether the kit allows an operation on our own role only.
fn is_on_role(operation: &str) -> bool {
    aws_actions(Purpose::Revoke).iter().any(|action| action.name == operation)
}

pub(super) fn receipt(outcome: StepOutcome, id: Option<String>, call: &str) -> Receipt {
    Receipt { outcome, id, calls: vec![call.to_owned()] }
}

#[async_trait]
impl CloudLink for FakeLink {
    async fn identity(&self) -> Result<Identity> {
        let AwsGrant { account_id, role_arn, session_name, .. } = &self.grant;
        let role = role_arn.rsplit('/').next().unwrap_or_default();
        Ok(Identity { account: account_id.clone(), principal: format!("arn:aws:sts::{account_id}:assumed-role/{role}/{session_name}") })
    }

    async fn permissions(&self, wanted: &[WantedPermission]) -> Result<PermissionGap> {
        let asked = self.call("iam:SimulatePrincipalPolicy", "global", |account| {
            let role = account.roles.get(&self.grant.role_arn);
            let is_missing = |wanted: &&WantedPermission| !role.is_some_and(|role| role.allows(&wanted.action, &wanted.resource));
            let mut missing: Vec<String> = wanted.iter().filter(is_missing).map(|wanted| wanted.action.clone()).collect();
            missing.sort();
            Ok(missing)
        });
        let mut gap = match asked {
            Ok(missing) => PermissionGap { missing, known: true },
            Err(error) if error.class == ErrorClass::Denied => PermissionGap { missing: Vec::new(), known: false },
            Err(error) => return Err(error),
        };
        if self.cloud.lock().is_unnamed(&self.grant) {
            gap.missing.push("sts:SetSourceIdentity".into());
        }
        Ok(gap)
    }

    async fn excess(&self, wanted: &[WantedPermission]) -> Result<ExcessReport> {
        self.find_excess(wanted)
    }

    async fn ways_in(&self) -> Result<Register> {
        self.find_ways_in()
    }

    async fn discover(&self, scope: &Scope, sink: &mut dyn AssetSink) -> Result<()> {
        let regions = match &scope.regions {
            Some(regions) => regions.clone(),
            None => self
                .call("account:ListRegions", "global", |account| Ok(account.regions.clone()))
                .or_else(|_| self.call("ec2:DescribeRegions", "global", |account| Ok(account.regions.clone())))?,
        };
        for (region, kind) in AwsType::cells(regions.iter().map(String::as_str)) {
            let key = CellKey { account: self.grant.account_id.clone(), region: region.clone(), service: kind.service().into() };
            if !scope.finished.contains(&key) {
                self.read_cell(&region, kind, sink).await?;
            }
        }
        Ok(())
    }

    fn reads_an_index(&self, service: &str) -> bool {
        AwsType::of_service(service).is_some_and(AwsType::is_of_an_index)
    }

    async fn exists(&self, asset: &Asset) -> Result<Presence> {
        // What a service's own list lacks is gone. How to ask the service of what only the index shows is not known.
        Ok(if self.reads_an_index(&asset.service) { Presence::Unknown } else { Presence::Gone })
    }

    async fn protection(&self, of: &Intent) -> Result<ProtectionState> {
        let (mut state, prefix) = (ProtectionState::default(), of.name.as_str());
        for region in &of.regions {
            let vaults = self.call("backup:ListBackupVaults", region, |account| Ok(account.vaults.clone()))?;
            let locks = self.cloud.account(&self.grant.account_id, |account| account.locks.clone()).unwrap_or_default();
            let ours = vaults.into_iter().filter(|((found, name), _)| found == region && name.starts_with(prefix));
            state.vaults.extend(ours.map(|(key, recovery_points)| {
                let least_days = locks.get(&key).copied();
                let (region, name) = key;
                VaultState { region, name, recovery_points, locked: least_days.is_some(), least_days, ..VaultState::default() }
            }));
            let plans = self.call("backup:ListBackupPlans", region, |account| Ok(account.plans.clone()))?;
            for ((_, id), plan) in plans.iter().filter(|((found, _), plan)| found == region && plan.name.starts_with(prefix)) {
                self.call("backup:GetBackupPlan", region, |_| Ok(()))?;
                state.plans.push(plan_state(region, id, plan));
            }
        }
        Ok(state)
    }

    async fn recovery(&self, region: &str, since: Timestamp, sink: &mut dyn RecoverySink) -> Result<Ground> {
        let vaults = self.call("backup:ListBackupVaults", region, |account| Ok(account.vaults.clone()))?;
        for (_, vault) in vaults.keys().filter(|(found, _)| found == region) {
            self.pages("backup:ListRecoveryPointsByBackupVault", region, |account| {
                let held = |point: &&RecoveryPoint| point.region == region && point.vault == *vault;
                account.points.iter().filter(held).cloned().collect()
            })?
            .into_iter()
            .for_each(|point| sink.point(point));
        }
        let is_asked = |job: &&BackupJob| job.region == region && job.created >= since;
        let jobs = self.pages("backup:ListBackupJobs", region, |account| account.jobs.iter().filter(is_asked).cloned().collect())?;
        jobs.into_iter().for_each(|job| sink.job(job));
        self.call("backup:DescribeRegionSettings", region, |account| {
            let takes = |kind: &str| !account.left_out.contains(&(region.to_owned(), kind.to_owned()));
            Ok(Ground { takes: KINDS.iter().map(|kind| ((*kind).to_owned(), takes(kind))).collect() })
        })
    }

    async fn restore_test(&self, (region, name): (&str, &str), since: Timestamp) -> Result<RestoreTestState> {
        let key = (region.to_owned(), name.to_owned());
        let held = self.call("backup:GetRestoreTestingPlan", region, |account| Ok(account.restore_tests.get(&key).cloned()))?;
        let Some(terms) = held else { return Ok(RestoreTestState::default()) };
        self.call("backup:GetRestoreTestingSelection", region, |_| Ok(()))?;
        let runs = self.pages("backup:ListRestoreJobs", region, |account| {
            account.restores.iter().filter(|run| run.began >= since).cloned().collect()
        })?;
        Ok(RestoreTestState { terms: Some(terms), runs })
    }

    async fn members(&self) -> Result<Vec<Member>> {
        let outside = |call: &str| {
            let message = format!("account {} is in no organization", self.grant.account_id);
            CloudError::new(ErrorClass::WrongAccount, call, message).with_code("AWSOrganizationsNotInUseException")
        };
        let (described, listed) = ("organizations:DescribeOrganization", "organizations:ListAccounts");
        self.call(described, "global", |account| account.organization.as_ref().map(drop).ok_or_else(|| outside(described)))?;
        let mut members: Vec<Member> = Vec::new();
        loop {
            let from = members.len();
            let (page, more) = self.call(listed, "global", |account| {
                let all = account.organization.as_deref().ok_or_else(|| outside(listed))?;
                let to = (from + MEMBERS_PAGE).min(all.len());
                Ok((all[from.min(to)..to].to_vec(), to < all.len()))
            })?;
            members.extend(page);
            if !more {
                return Ok(members);
            }
        }
    }

    async fn perform(&self, _key: &str, step: &CloudStep) -> Result<Receipt> {
        match step {
            CloudStep::CreateVault { region, name } => self.create_vault(region, name),
            CloudStep::CreatePlan { region, name, vault, schedule, retention_days } => {
                self.create_plan(region, plan_of(name, vault, schedule, *retention_days))
            }
            CloudStep::UpdatePlan { region, id, name, vault, schedule, retention_days } => {
                self.update_plan(region, id, plan_of(name, vault, schedule, *retention_days))
            }
            CloudStep::CreateSelection { region, plan, name, tag_key, tag_value, role_arn } => {
                let (id, name) = (String::new(), name.clone());
                let (tag_key, tag_value, role_arn) = (tag_key.clone(), tag_value.clone(), role_arn.clone());
                self.create_selection(region, plan, SelectionState { id, name, tag_key, tag_value, role_arn, beyond: Vec::new() })
            }
            CloudStep::DeleteSelection { region, plan_id, id } => self.delete_selection(region, plan_id, id),
            CloudStep::SetRestoreTest { terms } => self.set_restore_test(terms),
            CloudStep::NoteRestore { region, run, is_sound, .. } => self.note_restore(region, (run, *is_sound)),
            CloudStep::CloseOwnRole { role } => self.close(role),
            CloudStep::StripOwnRole { role, last } => self.strip(role, last),
            CloudStep::DropLastPolicy { role, last } => self.drop_last(role, last),
            CloudStep::DeleteDelegation { .. } => {
                Err(CloudError::new(ErrorClass::Unsupported, "perform", "a delegation is a thing of Azure, and this account is on AWS"))
            }
            CloudStep::RemoveBinding { .. }
            | CloudStep::CreateSchedule { .. }
            | CloudStep::UpdateSchedule { .. }
            | CloudStep::AttachSchedule { .. }
            | CloudStep::DetachSchedule { .. } => Err(CloudError::new(ErrorClass::Unsupported, "perform", "the answers are those of AWS")),
        }
    }
}
