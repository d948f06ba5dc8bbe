//! Every way of the provider into a project, and what our service account holds beyond the manifest: read from the policies of the project and of the service
//! account.

use caretaker_cloud::access::{is_lasting, unreadable};
use caretaker_cloud::{CloudError, ErrorClass, ExcessReport, ExcessStatement, Register, Result, WantedPermission, WayIn, WayKind};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::call::home_of;
use crate::call::http::{Call, url};
use crate::session::{Reach, Session};

const PROJECT_POLICY: &str = "cloudresourcemanager:projects.getIamPolicy";
const ACCOUNT_POLICY: &str = "iam:serviceAccounts.getIamPolicy";
const GET_ROLE: &str = "iam:projects.roles.get";
const LAST_USE: &str = "policyanalyzer:activities.query";
const LIST_KEYS: &str = "iam:serviceAccounts.keys.list";
/// Version of policies that shows conditions.
const WITH_CONDITIONS: u32 = 3;
/// Year in which Google says that a key ends which has no end.
const NO_END: i16 = 9999;

/// One member of one binding.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bound {
    role: String,
    member: String,
    /// Title of the condition, where there is one.
    condition: Option<String>,
    /// When the condition stops to hold, where it says so in the usual form.
    until: Option<Timestamp>,
}

impl Bound {
    fn grant(&self) -> String {
        self.condition.as_ref().map_or_else(|| self.role.clone(), |title| format!("{} under the condition {title:?}", self.role))
    }
}

/// What our service account holds beyond `wanted`. A predefined role is beyond as a whole: the kit grants none.
pub async fn excess(session: &Session, wanted: &[WantedPermission]) -> Result<ExcessReport> {
    let mut report = ExcessReport::default();
    let (account, project) = (session.grant.service_account.clone(), session.grant.project_id.clone());
    let places = [(format!("project {project}"), "*", of_project(session).await), (account.clone(), &*account, of_account(session).await)];
    for (place, resource, policy) in places {
        let bound = match policy {
            Ok(bound) => bound,
            Err(error) if is_lasting(&error) => {
                report.unknown = Some(unreadable(&format!("the policy of {place}"), &error));
                continue;
            }
            Err(error) => return Err(error),
        };
        let on = |wanted: &&WantedPermission| wanted.resource == "*" || wanted.resource == resource;
        let needed: Vec<&str> = wanted.iter().filter(on).map(|wanted| wanted.action.as_str()).collect();
        for bound in bound.iter().filter(|bound| bound.member == our_member(session)) {
            let beyond = match permissions(session, &bound.role).await {
                Ok(None) => vec![bound.role.clone()],
                Ok(Some(held)) => held.into_iter().filter(|held| !needed.contains(&held.as_str())).collect(),
                Err(error) if is_lasting(&error) => {
                    report.unknown = Some(unreadable(&bound.role, &error));
                    continue;
                }
                Err(error) => return Err(error),
            };
            if !beyond.is_empty() {
                report.statements.push(ExcessStatement { name: format!("binding of {} on {place}", bound.grant()), beyond });
            }
        }
    }
    // The account of a folder holds its rights there: the policy of a project does not show what the project inherits.
    if report.unknown.is_none() && home_of(&account).is_none_or(|home| home != project) {
        report.unknown =
            Some(format!("what {account} of another project is granted above project {project}, such as on its folder: it is not read"));
    }
    Ok(report.sorted())
}

/// The permissions of a custom role, sorted; `None` for a predefined one.
async fn permissions(session: &Session, role: &str) -> Result<Option<Vec<String>>> {
    let is_custom = role.split('/').count() == 4 && role.split('/').all(crate::errors::is_plain);
    if !is_custom {
        return Ok(None);
    }
    let address = url(&session.shared.services.endpoints.iam, &format!("/v1/{role}"), &[])?;
    let answer = session.call(GET_ROLE, Reach::Full, address, Call::default()).await?;
    let mut held: Vec<String> =
        answer["includedPermissions"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    held.sort();
    Ok(Some(if answer["deleted"] == true { Vec::new() } else { held }))
}

/// Reads the register.
pub async fn ways_in(session: &Session) -> Result<Register> {
    let mut register = Register::default();
    let (account, us) = (session.grant.service_account.clone(), our_member(session));
    let project = format!("project {}", session.grant.project_id);
    let listed = of_project(session).await;
    for bound in register.take(&format!("the policy of {project}"), listed)?.unwrap_or_default() {
        if bound.member == us || is_providers(&bound.member, &session.shared.expected_principal, &session.shared.services.provider_project)
        {
            register.ways.push(way(WayKind::Binding, &bound, &project));
        }
    }
    let listed = of_account(session).await;
    for bound in register.take(&format!("the policy of {account}"), listed)?.unwrap_or_default() {
        let kind = if bound.member == us { WayKind::Binding } else { WayKind::Impersonation };
        register.ways.push(way(kind, &bound, &account));
    }
    let listed = keys(session).await;
    for mut key in register.take(&format!("the keys of {account}"), listed)?.unwrap_or_default() {
        let answer = last_use(session, &key.id).await.map_err(no_fault_of_ours);
        let is_off = answer.as_ref().is_err_and(|error| error.code == "SERVICE_DISABLED");
        let paying = session.shared.services.paying(&session.grant);
        let cure = if is_off { format!(" (policyanalyzer.googleapis.com must be on in {paying})") } else { String::new() };
        key.way.last_used = register.take(&format!("the last use of the keys of {account}{cure}"), answer)?.flatten();
        register.ways.push(key.way);
    }
    Ok(register.sorted())
}

/// Without the service that knows of last uses everything else is still read.
fn no_fault_of_ours(mut error: CloudError) -> CloudError {
    if error.class == ErrorClass::Credentials {
        error.class = ErrorClass::NotEnabled;
    }
    error
}

/// When a key was last used, as far as Google has told: it knows of some 400 days, a day or two late.
async fn last_use(session: &Session, key: &str) -> Result<Option<Date>> {
    let account = &session.grant.service_account;
    let project = home_of(account).unwrap_or_else(|| session.grant.project_id.clone());
    if project != session.grant.project_id {
        let message = format!("project {project} holds the account, and nothing is granted there");
        return Err(CloudError::new(ErrorClass::Unsupported, LAST_USE, message));
    }
    let path = format!("/v1/projects/{project}/locations/global/activityTypes/serviceAccountKeyLastAuthentication/activities:query");
    let name = format!("//iam.googleapis.com/projects/{project}/serviceAccounts/{account}/keys/{key}");
    let filter = format!("activities.full_resource_name=\"{name}\"");
    let base = session.shared.services.endpoints.service("policyanalyzer");
    let address = url(&base, &path, &[("filter", &filter)])?;
    let answer = session.call(LAST_USE, Reach::Full, address, Call::default()).await?;
    let of_key = |activity: &&Value| activity["fullResourceName"].as_str().is_some_and(|of| of.rsplit('/').next() == Some(key));
    let uses = answer["activities"].as_array().into_iter().flatten().filter(of_key);
    let times = uses.filter_map(|activity| activity["activity"]["lastAuthenticatedTime"].as_str()?.parse::<Timestamp>().ok());
    Ok(times.max().map(|time| time.to_zoned(TimeZone::UTC).date()))
}

fn way(kind: WayKind, bound: &Bound, scope: &str) -> WayIn {
    WayIn { grants: vec![bound.grant()], expires: bound.until, ..WayIn::new(kind, bound.member.as_str(), scope) }
}

/// Our service account as IAM writes members.
fn our_member(session: &Session) -> String {
    format!("serviceAccount:{}", session.grant.service_account)
}

/// Whether a member is evidently the provider's: its principal, a service account of its own project, or an identity of the pool that its principal is of.
fn is_providers(member: &str, principal: &str, project: &str) -> bool {
    let home = match project.split_once(':') {
        Some((domain, project)) => format!("@{project}.{domain}.iam.gserviceaccount.com"),
        None => format!("@{project}.iam.gserviceaccount.com"),
    };
    let pool = |name: &str| -> Option<String> {
        let (_, rest) = name.split_once("://")?;
        let (before, after) = rest.split_once("/workloadIdentityPools/")?;
        Some(format!("{before}/{}", after.split('/').next()?))
    };
    member == principal
        || member.strip_prefix("serviceAccount:").is_some_and(|email| email == principal || email.ends_with(&home))
        || pool(member).is_some_and(|of| pool(principal) == Some(of))
}

async fn of_project(session: &Session) -> Result<Vec<Bound>> {
    let path = format!("/v3/projects/{}:getIamPolicy", session.grant.project_id);
    let address = url(&session.shared.services.endpoints.resource_manager, &path, &[])?;
    let request = json!({"options": {"requestedPolicyVersion": WITH_CONDITIONS}});
    let answer = session.call(PROJECT_POLICY, Reach::Read, address, Call { json: Some(&request), ..Call::default() }).await?;
    bindings(PROJECT_POLICY, &answer)
}

async fn of_account(session: &Session) -> Result<Vec<Bound>> {
    let path = format!("/v1/projects/-/serviceAccounts/{}:getIamPolicy", session.grant.service_account);
    let query = [("options.requestedPolicyVersion", &*WITH_CONDITIONS.to_string())];
    let address = url(&session.shared.services.endpoints.iam, &path, &query)?;
    let answer = session.call(ACCOUNT_POLICY, Reach::Full, address, Call { post: true, ..Call::default() }).await?;
    bindings(ACCOUNT_POLICY, &answer)
}

/// The members of a policy one by one. Those whose account was deleted get in nowhere.
fn bindings(operation: &str, policy: &Value) -> Result<Vec<Bound>> {
    let unclear = || CloudError::new(ErrorClass::Unreachable, operation, "the answer is no policy");
    let mut all = Vec::new();
    if !policy.is_object() {
        return Err(unclear());
    }
    for binding in policy["bindings"].as_array().into_iter().flatten() {
        let role = binding["role"].as_str().ok_or_else(unclear)?;
        let condition = binding.get("condition").filter(|condition| !condition.is_null());
        let title = condition.map(|condition| condition["title"].as_str().unwrap_or_default().to_owned());
        let until = condition.and_then(|condition| ends(condition["expression"].as_str()?));
        for member in binding["members"].as_array().into_iter().flatten() {
            let member = member.as_str().ok_or_else(unclear)?;
            if !member.starts_with("deleted:") {
                all.push(Bound { role: role.to_owned(), member: member.to_owned(), condition: title.clone(), until });
            }
        }
    }
    Ok(all)
}

/// When a condition stops to hold, where it has the form that Google's console writes: `request.time < timestamp("…")`.
fn ends(expression: &str) -> Option<Timestamp> {
    let (_, rest) = expression.split_once("request.time")?;
    let rest = rest.trim_start().strip_prefix('<')?;
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim_start().strip_prefix("timestamp(")?;
    rest.trim_start().trim_start_matches(['"', '\'']).split(['"', '\'']).next()?.parse().ok()
}

/// A key as a way in.
struct Key {
    id: String,
    way: WayIn,
}

/// Keys of our service account that people made; Google's own are no way in.
async fn keys(session: &Session) -> Result<Vec<Key>> {
    let account = &session.grant.service_account;
    let path = format!("/v1/projects/-/serviceAccounts/{account}/keys");
    let address = url(&session.shared.services.endpoints.iam, &path, &[("keyTypes", "USER_MANAGED")])?;
    let answer = session.call(LIST_KEYS, Reach::Full, address, Call::default()).await?;
    let unclear = || CloudError::new(ErrorClass::Unreachable, LIST_KEYS, "the answer does not name each key");
    let mut keys = Vec::new();
    for key in answer["keys"].as_array().into_iter().flatten() {
        let id = key["name"].as_str().and_then(|name| name.rsplit('/').next()).ok_or_else(unclear)?;
        let mut way = WayIn::new(WayKind::ServiceAccountKey, format!("{} key {id}", our_member(session)), account.as_str());
        let ends = key["validBeforeTime"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
        way.expires = ends.filter(|time| time.to_zoned(TimeZone::UTC).year() < NO_END);
        if key["disabled"] == true {
            way.grants.push("disabled".into());
        }
        keys.push(Key { id: id.into(), way });
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_the_providers_where_that_is_evident() {
        let us = "caretaker@provider.iam.gserviceaccount.com";
        let of = |member: &str| is_providers(member, us, "provider");
        assert!(of("serviceAccount:caretaker@provider.iam.gserviceaccount.com"));
        assert!(of("serviceAccount:other@provider.iam.gserviceaccount.com"));
        assert!(!of("serviceAccount:other@notprovider.iam.gserviceaccount.com"));
        assert!(!of("user:owner@client.example"));
        assert!(is_providers("serviceAccount:x@prod.example.com.iam.gserviceaccount.com", us, "example.com:prod"));
        let pool = "iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pods";
        let federated = format!("principal://{pool}/subject/system:serviceaccount:a:b");
        assert!(is_providers(&federated, &federated, "provider"));
        assert!(is_providers(&format!("principalSet://{pool}/*"), &federated, "provider"));
        assert!(!is_providers(
            "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pods2/*",
            &federated,
            "provider"
        ));
    }

    #[test]
    fn a_conditions_end_is_told_where_it_is_written_in_the_usual_form() {
        let end = Some("2026-12-31T00:00:00Z".parse().unwrap());
        assert_eq!(ends("request.time < timestamp(\"2026-12-31T00:00:00.000Z\")"), end);
        assert_eq!(ends("resource.type == 'x' && request.time <= timestamp('2026-12-31T00:00:00Z')"), end);
        assert_eq!(ends("request.time > timestamp(\"2026-12-31T00:00:00Z\")"), None);
        assert_eq!(ends("true"), None);
    }

    #[test]
    fn a_policy_is_taken_apart_and_no_policy_is_an_error() {
        let policy = json!({"bindings": [
            {"role": "r", "members": ["a", "deleted:b?uid=1"], "condition": {"title": "until", "expression": "request.time < timestamp('2026-12-31T00:00:00Z')"}},
        ]});
        let all = bindings("x", &policy).unwrap();
        assert_eq!(all.len(), 1);
        assert!(all[0].until.is_some() && all[0].grant() == "r under the condition \"until\"", "{all:?}");
        assert!(bindings("x", &json!({"etag": "a"})).unwrap().is_empty());
        assert!(bindings("x", &Value::Null).is_err());
        assert!(bindings("x", &json!({"bindings": [{"members": ["a"]}]})).is_err());
    }
}
