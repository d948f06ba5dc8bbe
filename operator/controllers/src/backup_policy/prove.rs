//! Proving: the cloud's restore tests are set, their restores read, and each gets its verdict. Every write is on the client's ledger; a verdict's entry there
//! holds the whole record.

use caretaker_api::backup_policy::RestoreTestStatus;
use caretaker_api::cloud_account::Capability;
use caretaker_api::contract::Domain;
use caretaker_api::provider_profile::ProviderProfile;
use caretaker_api::{BackupPolicy, CloudAccount, ManagedClient};
use caretaker_cloud::{Cloud, CloudError, CloudLink, Offers, Purpose, RestoreTestTerms};
use caretaker_core::backup_policy::conversation::step_key;
use caretaker_core::backup_policy::restore_test::{Sample, interval, merge, name, record, schedule, steps};
use caretaker_core::backup_policy::{cloud_of, object_name, regions_of};
use caretaker_core::contract::Permit;
use caretaker_core::kit::backup_role_arn;
use caretaker_core::ownership::Kind;
use caretaker_engine::Failure;
use kube::ResourceExt;

use super::{contract, is_proven};
use crate::access::{client_of, enter};
use crate::context::Context;
use crate::ledger::Scribe;

/// Sets and reads the tests of every account that allows them. A place that refuses stops no other.
///
/// # Errors
/// A call to the API server or the store failed.
pub async fn prove(ctx: &Context, policy: &BackupPolicy, accounts: &[CloudAccount], sample: &Sample) -> Result<RestoreTestStatus, Failure> {
    let (mut records, mut unread, mut sampled) = (Vec::new(), Vec::new(), 0);
    let (client, verdict) = contract(ctx, policy).await?;
    let permit = verdict.permit();
    if permit.is_none() {
        unread.push(format!("restore tests are neither set nor judged by us: {}", verdict.shown(Domain::Backup).because));
    }
    let writer = client.as_ref().zip(permit.as_ref());
    for account in accounts {
        let of = account.name_any();
        if !Offers::of(cloud_of(&account.spec.target)).restores {
            unread.push(format!("account {of}: restores are not tested on this cloud in this release"));
            continue;
        }
        if !account.spec.allow.contains(&Capability::RestoreTest) {
            unread.push(format!("account {of} lacks the capability RestoreTest: add it to allow, and have the client apply the kit again"));
            continue;
        }
        let Some((link, role_arn)) = open(ctx, account).await? else {
            unread.push(format!("account {of}: access is not proven yet"));
            continue;
        };
        let link = match link {
            Ok(link) => link,
            Err(error) => {
                unread.push(format!("account {of}: {error}"));
                continue;
            }
        };
        for region in &regions_of(&policy.spec.terms, Cloud::Aws) {
            let sources = sample.of(&of, region);
            sampled += u64::try_from(sources.len()).unwrap_or_default();
            let wanted = terms(policy, (region, &role_arn), sources);
            match place(ctx, (policy, writer), (&of, link.as_ref()), &wanted).await? {
                Ok(found) => records.extend(found),
                Err(error) => unread.push(format!("account {of}, {region}: {error}")),
            }
        }
    }
    let before = policy.status.as_ref().and_then(|status| status.restore_tests.as_ref());
    Ok(merge(before, records, unread, sampled))
}

type Opened = Result<std::sync::Arc<dyn CloudLink>, CloudError>;

/// A session for restore tests, and the role that the backup service uses; `None` where there is no way in yet.
async fn open(ctx: &Context, account: &CloudAccount) -> Result<Option<(Opened, String)>, Failure> {
    let profile = ctx.find::<ProviderProfile>("", &account.spec.provider_profile).await?;
    let provider = profile.and_then(|profile| profile.spec.aws);
    let (Some(aws), Some(provider), true) = (&account.spec.target.aws, &provider, is_proven(account)) else { return Ok(None) };
    let role = backup_role_arn(aws, provider);
    let Ok(Some(way)) = enter(ctx, account).await? else { return Ok(None) };
    Ok(Some((way.connector.connect(&way.grant, Purpose::RestoreTest).await, role)))
}

fn terms(policy: &BackupPolicy, (region, role_arn): (&str, &str), sources: Vec<String>) -> RestoreTestTerms {
    let every = policy.spec.terms.restore_test.as_ref().map(|test| test.every).unwrap_or_default();
    RestoreTestTerms {
        region: region.into(),
        name: name(&object_name(&client_of(policy), &policy.name_any())),
        schedule: schedule(every).into(),
        role_arn: role_arn.into(),
        sources,
    }
}

/// Who writes, and in whose name.
type Writer<'a> = Option<(&'a ManagedClient, &'a Permit)>;

/// One region of an account. Without a writer it is only read.
async fn place(
    ctx: &Context,
    (policy, writer): (&BackupPolicy, Writer<'_>),
    (account, link): (&str, &dyn CloudLink),
    wanted: &RestoreTestTerms,
) -> Result<Result<Vec<caretaker_api::backup_policy::RestoreTestRecord>, CloudError>, Failure> {
    let every = policy.spec.terms.restore_test.as_ref().map(|test| test.every).unwrap_or_default();
    let since = ctx.now() - interval(every) * 2;
    let state = match link.restore_test((&wanted.region, &wanted.name), since).await {
        Ok(state) => state,
        Err(error) => return Ok(Err(error)),
    };
    if let Some((client, permit)) = writer {
        let scribe = Scribe::new(ctx, client, Kind::BackupPolicy, policy);
        for step in steps(wanted, &state) {
            if let Err(error) = scribe.perform(permit, (account, link), (&step_key(policy, &step), &step)).await? {
                return Ok(Err(error));
            }
        }
    }
    Ok(Ok(state.runs.iter().filter_map(|run| record((account, &wanted.region), run, ctx.now())).collect()))
}
