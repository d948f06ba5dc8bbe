//! What a role of the cloud in memory holds beyond the manifest, and which roles lead in.

use super::link::FakeLink;
use super::{FakeRole, Permission, Trust, account_of};
use crate::access::{ExcessReport, ExcessStatement, Register, WayIn, WayKind, is_lasting, unreadable};
use crate::{Result, WantedPermission};

/// The calls by which a role's policies are read, in their order.
const POLICIES: [&str; 5] =
    ["iam:ListAttachedRolePolicies", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListRolePolicies", "iam:GetRolePolicy"];

impl FakeLink {
    /// What our role's policies allow beyond `wanted`.
    pub(super) fn find_excess(&self, wanted: &[WantedPermission]) -> Result<ExcessReport> {
        let mut role = None;
        for call in POLICIES {
            match self.call(call, "global", |account| Ok(account.roles.get(&self.grant.role_arn).cloned())) {
                Ok(found) => role = found,
                Err(error) if is_lasting(&error) => {
                    return Ok(ExcessReport { unknown: Some(unreadable("our role's policies", &error)), ..ExcessReport::default() });
                }
                Err(error) => return Err(error),
            }
        }
        let Some(FakeRole { inline, attached, .. }) = role else { return Ok(ExcessReport::default()) };
        let inline = inline.iter().map(|(name, held)| (format!("inline policy {name}"), held));
        let attached = attached.iter().map(|(arn, held)| (format!("policy {arn}"), held));
        let statements = inline.chain(attached).filter_map(|(name, held)| {
            let beyond: Vec<String> = held.iter().filter(|held| !is_wanted(held, wanted)).map(|held| held.action.clone()).collect();
            (!beyond.is_empty()).then(|| ExcessStatement { name: format!("{name}, statement 1"), beyond })
        });
        Ok(ExcessReport { statements: statements.collect(), unknown: None }.sorted())
    }

    /// The roles that trust the provider.
    pub(super) fn find_ways_in(&self) -> Result<Register> {
        let mut register = Register::default();
        let listed = self.call("iam:ListRoles", "global", |account| Ok(account.roles.clone()));
        for (arn, role) in register.take("roles", listed)?.unwrap_or_default() {
            let Trust::Principal { arn: trusted, .. } = &role.trust else { continue };
            if account_of(trusted) != account_of(self.cloud.principal()) {
                continue;
            }
            let mut way = WayIn::new(WayKind::Role, trusted.as_str(), arn.as_str());
            let shown = self.call("iam:GetRole", "global", |_| Ok(role.last_used));
            way.last_used = register.take(&format!("role {arn}"), shown)?.flatten();
            way.grants = role.inline.keys().map(|name| format!("inline policy {name}")).chain(role.attached.keys().cloned()).collect();
            register.ways.push(way);
        }
        let users = self.call("iam:ListUsers", "global", |_| Ok(()));
        register.take("users", users)?;
        Ok(register.sorted())
    }
}

fn is_wanted(held: &Permission, wanted: &[WantedPermission]) -> bool {
    wanted.iter().any(|wanted| wanted.action == held.action && (wanted.resource == "*" || wanted.resource == held.resource))
}
