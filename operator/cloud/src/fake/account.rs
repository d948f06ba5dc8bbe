//! Accounts of the cloud in memory: what their owners make and change.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::manifest::aws_actions;
use crate::{
    Address, Asset, AwsType, BackupJob, Cloud, Member, Power, Purpose, RecoveryPoint, RestoreRun, RestoreTestTerms, SelectionState, Size,
};

/// An allowed action on a resource; `*` for everything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// The action, such as `ec2:DescribeInstances`.
    pub action: String,
    /// ARN, or `*`.
    pub resource: String,
}

/// Which ExternalId a role demands.
#[derive(Clone, PartialEq, Eq)]
pub enum ExternalIdRule {
    /// This one.
    Demanded(String),
    /// Any, and none: a mistake that the operator must find.
    NotDemanded,
    /// The first right one that is presented is demanded from then on: a client who has applied the grant kit at once.
    Learned(Option<String>),
}

impl std::fmt::Debug for ExternalIdRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Demanded(_) => "Demanded(redacted)",
            Self::NotDemanded => "NotDemanded",
            Self::Learned(_) => "Learned(redacted)",
        })
    }
}

impl ExternalIdRule {
    /// Whether somebody who presents this is let in.
    pub(crate) fn lets_in(&mut self, presented: Option<&str>, may_teach: bool) -> bool {
        match self {
            Self::Demanded(demanded) => presented == Some(demanded.as_str()),
            Self::NotDemanded => true,
            Self::Learned(learned) => {
                if learned.is_none() && may_teach {
                    *learned = presented.map(str::to_owned);
                }
                learned.is_some() && learned.as_deref() == presented
            }
        }
    }
}

/// Who may assume a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Nobody.
    Nobody,
    /// A principal, under a condition.
    Principal {
        /// ARN of the principal.
        arn: String,
        /// The condition.
        external_id: ExternalIdRule,
    },
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FakeRole {
    /// Who may assume it.
    pub trust: Trust,
    /// Inline policies by name.
    pub inline: BTreeMap<String, Vec<Permission>>,
    /// Attached managed policies by ARN.
    pub attached: BTreeMap<String, Vec<Permission>>,
    /// Whether the trust policy allows a SourceIdentity; roles from older kits do not.
    pub takes_source_identity: bool,
    /// Day of the last use.
    pub last_used: Option<Date>,
}

impl FakeRole {
    /// A role with one inline policy for each purpose, called `caretaker-PURPOSE` as in the grant kit.
    #[must_use]
    pub fn for_purposes(trust: Trust, purposes: &[Purpose]) -> Self {
        let policy = |purpose: &Purpose| {
            let all = aws_actions(*purpose).iter();
            let permissions = all.map(|action| Permission { action: action.name.into(), resource: "*".into() }).collect();
            (format!("caretaker-{purpose:?}").to_lowercase(), permissions)
        };
        let inline = purposes.iter().map(policy).collect();
        Self { trust, inline, attached: BTreeMap::new(), takes_source_identity: true, last_used: None }
    }

    /// Whether its policies allow an action on a resource.
    #[must_use]
    pub fn allows(&self, action: &str, resource: &str) -> bool {
        let mut all = self.inline.values().chain(self.attached.values()).flatten();
        all.any(|held| held.action == action && (held.resource == "*" || held.resource == resource))
    }

    /// Takes an action out of every policy.
    pub fn forbid(&mut self, action: &str) {
        for policy in self.inline.values_mut().chain(self.attached.values_mut()) {
            policy.retain(|held| held.action != action);
        }
    }
}

/// A backup plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FakePlan {
    /// Name.
    pub name: String,
    /// Vault.
    pub vault: String,
    /// Schedule in the cloud's words.
    pub schedule: String,
    /// Days that recovery points are kept.
    pub retention_days: u32,
    /// Number of rules.
    pub rules: u32,
    /// Selections.
    pub selections: Vec<SelectionState>,
}

/// A client's account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FakeAccount {
    /// 12 digits.
    pub id: String,
    /// Enabled regions.
    pub regions: Vec<String>,
    /// Roles by ARN.
    pub roles: BTreeMap<String, FakeRole>,
    /// Assets by region and kind.
    pub assets: BTreeMap<(String, AwsType), Vec<Asset>>,
    /// Names of backup vaults by region, with the number of recovery points.
    pub vaults: BTreeMap<(String, String), u64>,
    /// Backup plans by region and id.
    pub plans: BTreeMap<(String, String), FakePlan>,
    /// Locks of vaults by region and name: the fewest days that a point is kept.
    pub locks: BTreeMap<(String, String), u32>,
    /// Recovery points.
    pub points: Vec<RecoveryPoint>,
    /// Jobs that make recovery points.
    pub jobs: Vec<BackupJob>,
    /// Restore tests by region and name.
    pub restore_tests: BTreeMap<(String, String), RestoreTestTerms>,
    /// Restores of tests.
    pub restores: Vec<RestoreRun>,
    /// Kinds that AWS Backup does not take, by region.
    pub left_out: BTreeSet<(String, String)>,
    /// Accounts of the organization that this account may list; `None` where it is in none.
    pub organization: Option<Vec<Member>>,
    made: u64,
}

impl FakeAccount {
    /// An empty account.
    pub fn new(id: impl Into<String>, regions: &[&str]) -> Self {
        Self { id: id.into(), regions: regions.iter().map(|region| (*region).to_owned()).collect(), ..Self::default() }
    }

    /// Adds a role.
    #[must_use]
    pub fn with_role(mut self, arn: impl Into<String>, role: FakeRole) -> Self {
        self.roles.insert(arn.into(), role);
        self
    }

    /// Makes assets of one kind in one region. Ids and names follow from account, kind and number.
    pub fn add_assets(&mut self, region: &str, kind: AwsType, count: usize) {
        let held = self.assets.entry((region.to_owned(), kind)).or_default();
        for number in held.len()..held.len() + count {
            held.push(asset(&self.id, region, kind, number));
        }
    }

    /// An id that the cloud gives to a new object: never the same twice, and the same in every run.
    pub(crate) fn next_id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}-{}-{:04}", self.id, self.made)
    }
}

fn asset(account: &str, region: &str, kind: AwsType, number: usize) -> Asset {
    let name = format!("{}-{number:05}", kind.asset_type());
    let made = Asset::new(Cloud::Aws, account, region, kind.asset_type(), &format!("{}-{account}{number:07x}", kind.asset_type()));
    let made = match kind {
        AwsType::Instance => {
            let [_, a, b, c] = u32::try_from(number).unwrap_or_default().to_be_bytes();
            Asset {
                power: Some(Power::Running),
                addresses: vec![Address::private(IpAddr::from([10, a, b, c]))],
                size: Some(Size::Class("t3.micro".into())),
                zone: Some(format!("{region}a")),
                facts: facts(&[("state", "running")]),
                ..made
            }
        }
        AwsType::Volume => Asset { size: Some(Size::Gib(8)), facts: facts(&[("state", "in-use"), ("encrypted", "true")]), ..made },
        _ => made,
    };
    Asset {
        native_type: kind.native_type().into(),
        service: kind.service().into(),
        tags: BTreeMap::from([("Name".to_owned(), name.clone())]),
        name,
        created: Some(Timestamp::UNIX_EPOCH),
        source: kind.operation().into(),
        ..made
    }
}

fn facts(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
