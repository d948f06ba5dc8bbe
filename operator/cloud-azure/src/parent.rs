//! The subscriptions of a client's tenant that are delegated to ours. Azure shows a caller only those: what is missing from a complete list has gone, or
//! is no longer delegated, and nobody outside can tell which.

use std::sync::Arc;

use async_trait::async_trait;
use caretaker_cloud::budget::Work;
use caretaker_cloud::runtime::Listing;
use caretaker_cloud::{
    Asset, AssetSink, AzureTenantGrant, CloudError, CloudLink, CloudStep, ErrorClass, ExcessReport, Identity, Intent, Member, MemberState,
    PermissionGap, Presence, Presented, ProtectionState, Receipt, Register, Result, Scope, WantedPermission,
};
use serde_json::Value;

use crate::call::Call;
use crate::entry::{WRONG, refusal};
use crate::proof::{OPERATION, SUBSCRIPTIONS};
use crate::session::shared::Shared;
use crate::session::still_expired;
use crate::token::Token;

/// A session that sees the delegated subscriptions of one tenant.
pub struct TenantLink {
    grant: AzureTenantGrant,
    token: Token,
    members: Vec<Member>,
}

impl TenantLink {
    /// Signs in and lists. A tenant of which nothing is delegated yet has an empty list; only an attempt says that it does not let us in.
    pub async fn open(shared: &Arc<Shared>, grant: AzureTenantGrant) -> Result<Self> {
        let token = shared.fresh_token(&grant.tenant_id).await?;
        let members = list(shared, &grant, (&token, Some(&shared.tenant_id))).await?;
        Ok(Self { grant, token, members })
    }

    fn unsupported<T>(operation: &str) -> Result<T> {
        Err(CloudError::new(ErrorClass::Unsupported, operation, "a tenant holds nothing itself; its subscriptions do"))
    }
}

/// The grant in the form that is used everywhere inside.
pub fn tenant(grant: &AzureTenantGrant, ours: &str) -> Result<AzureTenantGrant> {
    let tenant_id = grant.tenant_id.to_ascii_lowercase();
    if tenant_id == ours {
        return Err(CloudError::new(ErrorClass::WrongAccount, "connect", format!("the tenant {tenant_id} is the provider's own")));
    }
    Ok(AzureTenantGrant { tenant_id, ..grant.clone() })
}

/// Whether a subscription is looked after under the grant. Others may stay delegated for another entry, or by the client's own choice: they are no way in of
/// this one.
fn takes(grant: &AzureTenantGrant, id: &str) -> bool {
    let holds = |list: &[String]| list.iter().any(|held| held.eq_ignore_ascii_case(id));
    !holds(&grant.exclude) && (grant.subscription_ids.is_empty() || holds(&grant.subscription_ids))
}

/// Tries to get in: at least one subscription that is looked after must be delegated to ours.
pub async fn attempt(shared: &Shared, grant: &AzureTenantGrant, presented: Presented) -> Result<Identity> {
    let bearer = match presented {
        Presented::Right | Presented::Stolen => {
            let token = shared.fresh_token(&grant.tenant_id).await?;
            let manager = (presented == Presented::Right).then_some(shared.tenant_id.as_str());
            if list(shared, grant, (&token, manager)).await?.is_empty() {
                let message = format!(
                    "no subscription of the tenant {} that is looked after is delegated to the tenant {}",
                    grant.tenant_id, shared.tenant_id
                );
                return Err(CloudError::new(ErrorClass::Denied, OPERATION, message));
            }
            return Ok(Identity { account: grant.tenant_id.clone(), principal: token.identity.principal });
        }
        Presented::Wrong => Some(WRONG),
        Presented::Nothing => None,
    };
    shared.send(&Work::once(&grant.tenant_id), (&grant.tenant_id, &first_page()), bearer).await.map_err(refusal)?;
    Ok(Identity { account: grant.tenant_id.clone(), principal: "nobody".into() })
}

fn first_page() -> Call {
    Call::get(OPERATION, format!("/subscriptions?api-version={SUBSCRIPTIONS}"))
}

/// The subscriptions that are looked after: those that this tenant manages, or all that can be seen.
async fn list(shared: &Shared, grant: &AzureTenantGrant, (token, manager): (&Token, Option<&str>)) -> Result<Vec<Member>> {
    let (mut members, mut listing, mut call) = (Vec::new(), Listing::of(OPERATION), first_page());
    let work = Work::once(&grant.tenant_id);
    loop {
        let answer = shared.send(&work, (&grant.tenant_id, &call), Some(token.secret.secret())).await.map_err(still_expired)?;
        let (found, next) = page(&answer.body, grant, manager)?;
        members.extend(found);
        match listing.after(next.as_deref())? {
            None => return Ok(members),
            Some(next) => call = Call::get(OPERATION, next),
        }
    }
}

/// The delegated subscriptions on a page that are looked after, and the link to the next one. One that does not say whose it is, or who manages it,
/// makes the list one from which nothing can be concluded.
fn page(body: &Value, grant: &AzureTenantGrant, manager: Option<&str>) -> Result<(Vec<Member>, Option<String>)> {
    let silent = |what: &str| {
        let message = format!("the list does not say {what}, so nothing is concluded from it: asked again at the next look");
        CloudError::new(ErrorClass::Unreachable, OPERATION, message)
    };
    let text = |value: &Value, name: &str| value[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let rows = body["value"].as_array().ok_or_else(|| silent("which subscriptions there are"))?;
    let mut members = Vec::new();
    for row in rows {
        let id = text(row, "subscriptionId").ok_or_else(|| silent("the id of a subscription"))?.to_ascii_lowercase();
        if !takes(grant, &id) {
            continue;
        }
        let home = text(row, "tenantId").ok_or_else(|| silent(&format!("the home of the subscription {id}")))?;
        if !home.eq_ignore_ascii_case(&grant.tenant_id) {
            continue;
        }
        if let Some(manager) = manager {
            let managers = row["managedByTenants"].as_array().ok_or_else(|| silent(&format!("who manages the subscription {id}")))?;
            if !managers.iter().any(|tenant| text(tenant, "tenantId").is_some_and(|tenant| tenant.eq_ignore_ascii_case(manager))) {
                continue;
            }
        }
        members.push(Member { id, name: text(row, "displayName").unwrap_or_default(), state: state(row["state"].as_str()) });
    }
    Ok((members, text(body, "nextLink")))
}

/// Warned and past due subscriptions can still be read.
fn state(word: Option<&str>) -> MemberState {
    match word {
        Some("Disabled") => MemberState::Suspended,
        Some("Deleted") => MemberState::Closed,
        _ => MemberState::Active,
    }
}

#[async_trait]
impl CloudLink for TenantLink {
    async fn identity(&self) -> Result<Identity> {
        Ok(Identity { account: self.grant.tenant_id.clone(), principal: self.token.identity.principal.clone() })
    }

    /// Azure grants nothing on a tenant: what is delegated is asked of each subscription.
    async fn permissions(&self, _wanted: &[WantedPermission]) -> Result<PermissionGap> {
        Ok(PermissionGap { missing: Vec::new(), known: true })
    }

    async fn excess(&self, _wanted: &[WantedPermission]) -> Result<ExcessReport> {
        Self::unsupported("excess")
    }

    async fn ways_in(&self) -> Result<Register> {
        Self::unsupported("ways in")
    }

    async fn discover(&self, _scope: &Scope, _sink: &mut dyn AssetSink) -> Result<()> {
        Self::unsupported("discover")
    }

    fn reads_an_index(&self, _service: &str) -> bool {
        false
    }

    async fn exists(&self, _asset: &Asset) -> Result<Presence> {
        Self::unsupported("exists")
    }

    async fn protection(&self, _of: &Intent) -> Result<ProtectionState> {
        Self::unsupported("protection")
    }

    async fn members(&self) -> Result<Vec<Member>> {
        Ok(self.members.clone())
    }

    async fn perform(&self, _key: &str, _step: &CloudStep) -> Result<Receipt> {
        Self::unsupported("perform")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OURS: &str = "aaaaaaaa-0000-4000-8000-000000000001";
    const CLIENT: &str = "bbbbbbbb-0000-4000-8000-000000000001";

    fn grant() -> AzureTenantGrant {
        AzureTenantGrant { tenant_id: CLIENT.into(), subscription_ids: Vec::new(), exclude: Vec::new() }
    }

    fn row(id: &str, tenant: &str, managers: &[&str], state: &str) -> Value {
        let managers: Vec<Value> = managers.iter().map(|tenant| json!({"tenantId": tenant})).collect();
        json!({"subscriptionId": id, "displayName": "D", "tenantId": tenant, "managedByTenants": managers, "state": state})
    }

    #[test]
    fn only_what_the_tenant_has_delegated_to_us_is_taken() {
        let body = json!({"nextLink": "", "value": [
            row("AA", &CLIENT.to_uppercase(), &[OURS], "Enabled"),
            row("bb", CLIENT, &["dddddddd-0000-4000-8000-000000000001"], "Enabled"),
            row("cc", OURS, &[OURS], "Enabled"),
            row("dd", CLIENT, &[&OURS.to_uppercase()], "Disabled"),
            row("ee", CLIENT, &[OURS], "PastDue"),
        ]});
        let (members, next) = page(&body, &grant(), Some(OURS)).unwrap();
        let found: Vec<(&str, MemberState)> = members.iter().map(|member| (member.id.as_str(), member.state)).collect();
        assert_eq!(found, [("aa", MemberState::Active), ("dd", MemberState::Suspended), ("ee", MemberState::Active)]);
        assert_eq!(next, None);
    }

    #[test]
    fn only_what_is_looked_after_counts() {
        let body = json!({"value": [row("AA", CLIENT, &[OURS], "Enabled"), row("bb", CLIENT, &[OURS], "Enabled")]});
        let ids = |named: &[&str], exclude: &[&str]| -> Vec<String> {
            let list = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
            let grant = AzureTenantGrant { subscription_ids: list(named), exclude: list(exclude), ..grant() };
            page(&body, &grant, Some(OURS)).unwrap().0.into_iter().map(|member| member.id).collect()
        };
        assert_eq!(ids(&[], &[]), ["aa", "bb"]);
        assert_eq!(ids(&["aA"], &[]), ["aa"]);
        assert_eq!(ids(&[], &["aA"]), ["bb"]);
        assert!(ids(&["aa"], &["AA"]).is_empty(), "what is left out stays out, named or not");
    }

    #[test]
    fn a_list_that_leaves_out_what_decides_is_no_list() {
        for field in ["subscriptionId", "tenantId", "managedByTenants"] {
            let mut one = row("aa", CLIENT, &[OURS], "Enabled");
            one.as_object_mut().unwrap().remove(field);
            assert_eq!(page(&json!({"value": [one]}), &grant(), Some(OURS)).unwrap_err().class, ErrorClass::Unreachable, "{field}");
        }
        assert!(page(&json!({}), &grant(), Some(OURS)).is_err());
        let mut strangers = row("aa", OURS, &[OURS], "Enabled");
        strangers.as_object_mut().unwrap().remove("managedByTenants");
        assert!(page(&json!({"value": [strangers]}), &grant(), Some(OURS)).is_ok(), "of another tenant's nothing is asked");
        let seen = page(&json!({"value": [row("aa", CLIENT, &[], "Enabled"), row("bb", OURS, &[], "Enabled")]}), &grant(), None).unwrap().0;
        assert_eq!(seen.len(), 1, "whoever sees one of the client's was let in, whoever manages it");
    }

    #[test]
    fn our_own_tenant_is_no_clients() {
        let own = AzureTenantGrant { tenant_id: OURS.to_uppercase(), ..grant() };
        assert_eq!(tenant(&own, OURS).unwrap_err().class, ErrorClass::WrongAccount);
    }
}
