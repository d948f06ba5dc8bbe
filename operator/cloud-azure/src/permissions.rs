//! Which actions of the manifest are granted, by the caller's effective permissions as Azure lists them.

use caretaker_cloud::{CloudError, ErrorClass, PermissionGap, Result, WantedPermission};
use serde_json::Value;

use crate::call::{Call, segment};
use crate::session::Session;

/// Version of the resource groups API.
const GROUPS: &str = "2021-04-01";
/// Version of the permissions API.
const PERMISSIONS: &str = "2015-07-01";

/// One grant as Azure lists it: all of `actions` but those of `not_actions`. Grants add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// Actions, with `*` for any text.
    pub actions: Vec<String>,
    /// Actions taken out again, of this grant only.
    pub not_actions: Vec<String>,
}

impl Granted {
    /// Whether this grant allows the action.
    #[must_use]
    pub fn allows(&self, action: &str) -> bool {
        self.actions.iter().any(|pattern| matches(pattern, action)) && !self.not_actions.iter().any(|pattern| matches(pattern, action))
    }

    fn read(entry: &Value) -> Option<Self> {
        let list = |name: &str| -> Option<Vec<String>> {
            match entry.get(name) {
                None | Some(Value::Null) => Some(Vec::new()),
                Some(list) => list.as_array()?.iter().map(|action| action.as_str().map(str::to_owned)).collect(),
            }
        };
        Some(Self { actions: list("actions")?, not_actions: list("notActions")? })
    }
}

/// Whether a pattern of Azure's covers an action: letter case does not count, and `*` stands for any text, slashes included.
#[must_use]
pub fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = action.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        // The first place is the best one: it leaves the most for the parts that follow.
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The actions of `wanted` that no grant allows, sorted.
#[must_use]
pub fn missing(granted: &[Granted], wanted: &[WantedPermission]) -> Vec<String> {
    let refused = wanted.iter().filter(|wanted| !granted.iter().any(|grant| grant.allows(&wanted.action)));
    let mut missing: Vec<String> = refused.map(|wanted| wanted.action.clone()).collect();
    missing.sort();
    missing.dedup();
    missing
}

/// Asks Azure. The question is documented for resource groups, not for whole subscriptions; what is granted on the subscription holds in
/// each of its groups, so the first group answers. Without a group, or where the question is denied, nothing is known.
pub async fn gap(session: &Session, wanted: &[WantedPermission]) -> Result<PermissionGap> {
    let unknown = PermissionGap { missing: Vec::new(), known: false };
    match read(session).await {
        Ok(Some(granted)) => Ok(PermissionGap { missing: missing(&granted, wanted), known: true }),
        Ok(None) => Ok(unknown),
        Err(error) if error.is_refusal() => Ok(unknown),
        Err(error) => Err(error),
    }
}

async fn read(session: &Session) -> Result<Option<Vec<Granted>>> {
    let subscription = session.subscription();
    let path = format!("/subscriptions/{subscription}/resourcegroups?api-version={GROUPS}&$top=1");
    let groups = session.call(&Call::get("Microsoft.Resources/subscriptions/resourceGroups/read", path)).await?;
    let name = groups.body.pointer("/value/0/name").and_then(Value::as_str);
    let Some(name) = name else { return Ok(None) };
    let operation = "Microsoft.Authorization/permissions/read";
    let group = segment(name);
    let path = format!(
        "/subscriptions/{subscription}/resourcegroups/{group}/providers/Microsoft.Authorization/permissions?api-version={PERMISSIONS}"
    );
    let mut granted = Vec::new();
    let malformed = || CloudError::new(ErrorClass::Unreachable, operation, "the answer is not a list of permissions");
    let take = |page: &Value| {
        for entry in page["value"].as_array().ok_or_else(malformed)? {
            granted.push(Granted::read(entry).ok_or_else(malformed)?);
        }
        Ok(())
    };
    session.each_page(Call::get(operation, path), take).await?;
    Ok(Some(granted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(actions: &[&str]) -> Vec<WantedPermission> {
        actions.iter().map(|action| WantedPermission { resource: "*".into(), action: (*action).into() }).collect()
    }

    #[test]
    fn patterns_match_whole_actions_without_letter_case() {
        for (pattern, action, expected) in [
            ("*", "Microsoft.Compute/disks/read", true),
            ("*/read", "Microsoft.Compute/disks/READ", true),
            ("*/read", "Microsoft.Compute/disks/readAll", false),
            ("Microsoft.Compute/*", "microsoft.compute/disks/write", true),
            ("Microsoft.Compute/*/read", "Microsoft.Compute/disks/read", true),
            ("Microsoft.Compute/*/read", "Microsoft.Compute/read", false),
            ("Microsoft.Compute/disks/read", "Microsoft.Compute/disks/read", true),
            ("Microsoft.Compute/disks/read", "Microsoft.Compute/disks/read/more", false),
            ("Microsoft.*/disks/*", "Microsoft.Compute/disks/disks/read", true),
            ("a*b*c", "abxbc", true),
            ("a*b*bc", "abc", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, action), expected, "{pattern} on {action}");
        }
    }

    #[test]
    fn what_one_grant_takes_out_another_may_give() {
        let reader = Granted { actions: vec!["*/read".into()], not_actions: vec!["Microsoft.Secret/*".into()] };
        let secret = Granted { actions: vec!["Microsoft.Secret/keys/read".into()], not_actions: Vec::new() };
        let asked = wanted(&["Microsoft.Secret/keys/read", "Microsoft.Compute/disks/read", "Microsoft.Compute/disks/write"]);
        assert_eq!(missing(std::slice::from_ref(&reader), &asked), ["Microsoft.Compute/disks/write", "Microsoft.Secret/keys/read"]);
        assert_eq!(missing(&[reader, secret], &asked), ["Microsoft.Compute/disks/write"]);
        assert_eq!(missing(&[], &asked).len(), 3);
    }
}
