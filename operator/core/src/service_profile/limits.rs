//! What a profile holds its clients to, and what must be whole once the profile's values and the client's own are one.

use caretaker_api::ManagedClient;
use caretaker_api::cloud_account::{Cloud, CloudTarget};
use caretaker_api::condition::Reason;
use caretaker_api::contract::DeliveryModel;
use caretaker_api::exit_terms::AtEnd;
use caretaker_api::managed_client::ManagedClientSpec;
use caretaker_api::service_profile::{AllowedRegions, NeededAuthorization, ProfileLimits};

use crate::outcome::Fault;

/// Faults of a client that is read with a profile. Admission sees only what the client says itself, and so cannot judge rules over several fields.
#[must_use]
pub fn whole_faults(client: &ManagedClient) -> Vec<Fault> {
    if client.spec.profile.is_none() {
        return Vec::new();
    }
    let unread = |(part, why): &(String, String)| {
        Fault::spec(
            format!("spec.{part}"),
            format!("{why}, and the profile does not give it: set it here, or go without it by spec.profile.without"),
        )
    };
    let mut faults: Vec<Fault> = client.reading.unread.iter().map(unread).collect();
    faults.extend(across(&client.spec).into_iter().map(|(field, message)| Fault::spec(format!("spec.{field}"), message)));
    faults
}

/// The rules of the spec over several fields, as admission has them for a client without a profile.
fn across(spec: &ManagedClientSpec) -> Vec<(&'static str, String)> {
    let mut faults = Vec::new();
    if spec.service_levels.is_some() && spec.monitoring.is_none() {
        faults.push(("serviceLevels", "what is not monitored cannot be measured: add spec.monitoring, here or in the profile".to_owned()));
    }
    if let Some(monitoring) = &spec.monitoring {
        if let Some(storage) = &monitoring.storage
            && storage.size_gib + storage.alertmanager_size_gib > spec.quota.storage_gib
        {
            let room = spec.quota.storage_gib;
            faults.push((
                "monitoring.storage",
                format!("the volumes together are more than spec.quota.storageGib ({room}): raise it, or ask for less"),
            ));
        }
        let is_there = |name: &String| monitoring.hours.iter().any(|hours| hours.name == *name);
        if let Some(name) = monitoring.tiers.iter().filter_map(|tier| tier.hours.as_ref()).find(|name| !is_there(name)) {
            faults.push(("monitoring.tiers", format!("a tier names the hours {name}, and there is no entry of hours of that name")));
        }
    }
    if spec.break_glass.is_some() && spec.delivery_model != DeliveryModel::CoManaged {
        faults.push((
            "breakGlass",
            "only where writes wait for the client's yes, with deliveryModel CoManaged, is there something to open".to_owned(),
        ));
    }
    let contract = spec.exit.contract.as_ref();
    if contract.is_some_and(|terms| terms.at_end == AtEnd::HandOver && terms.ends_on.is_empty()) {
        faults.push(("exit.contract.atEnd", "HandOver needs endsOn, the last day of the contract".to_owned()));
    }
    faults
}

/// Regions that are allowed in one cloud; `None` where it is not limited.
fn allowed(regions: &AllowedRegions, cloud: Cloud) -> Option<&[String]> {
    match cloud {
        Cloud::Aws => regions.aws.as_deref(),
        Cloud::Azure => regions.azure.as_deref(),
        Cloud::Gcp => regions.gcp.as_deref(),
    }
}

/// The regions that an account or a parent names, and the field in which it does.
fn named(target: &CloudTarget) -> (Option<Vec<String>>, &'static str) {
    let parent = |regions: Option<&Option<Vec<String>>>| regions.cloned().flatten();
    match target.kind() {
        "aws-organization" => (parent(target.aws_organization.as_ref().map(|parent| &parent.regions)), "awsOrganization.regions"),
        "azure-tenant" => (parent(target.azure_tenant.as_ref().map(|parent| &parent.locations)), "azureTenant.locations"),
        "gcp-folder" => (parent(target.gcp_folder.as_ref().map(|parent| &parent.locations)), "gcpFolder.locations"),
        "azure" => (target.regions(), "azure.locations"),
        "gcp" => (target.regions(), "gcp.locations"),
        _ => (target.regions(), "aws.regions"),
    }
}

/// Regions of a client that its profile does not allow.
#[must_use]
pub fn limit_faults(limits: &ProfileLimits, spec: &ManagedClientSpec) -> Vec<Fault> {
    let Some(regions) = &limits.regions else { return Vec::new() };
    let fault = |field: String, message: String| Fault { reason: Reason::RegionNotAllowed, field, message, outside: false };
    let mut faults = Vec::new();
    for account in &spec.accounts {
        let Some(allowed) = allowed(regions, account.target.cloud()) else { continue };
        let (found, field) = named(&account.target);
        let field = format!("spec.accounts[{}].{field}", account.name);
        let allows = format!("the profile allows {}", allowed.join(", "));
        match found {
            None => faults.push(fault(field, format!("no region is named, and then every one is read: {allows}; name some of them"))),
            Some(found) => {
                if let Some(outside) = found.iter().find(|region| !allowed.contains(region)) {
                    faults.push(fault(field, format!("{outside} is not allowed: {allows}; remove it")));
                }
            }
        }
    }
    faults.extend(backup_fault(regions, spec).map(|message| fault("spec.backups.regions".into(), message)));
    faults
}

/// A backup lies in a region too. Their list is of all clouds, so that only what is allowed in none of the client's is outside.
fn backup_fault(regions: &AllowedRegions, spec: &ManagedClientSpec) -> Option<String> {
    let lists = spec.accounts.iter().map(|account| allowed(regions, account.target.cloud())).collect::<Option<Vec<_>>>()?;
    let is_allowed = |region: &String| lists.iter().any(|list| list.contains(region));
    let outside = spec.backups.as_ref()?.regions.iter().find(|region| !is_allowed(region))?;
    Some(format!("{outside} is not allowed by the profile: remove it, here or in the profile's defaults"))
}

/// Authorizations that the profile asks for and the client has not named.
pub(super) fn unnamed<'a>(limits: &'a ProfileLimits, spec: &ManagedClientSpec) -> Vec<&'a NeededAuthorization> {
    let named = spec.profile.as_ref().map(|choice| choice.authorizations.as_slice()).unwrap_or_default();
    limits.authorizations.iter().filter(|needed| !named.iter().any(|named| named.kind == needed.kind)).collect()
}
