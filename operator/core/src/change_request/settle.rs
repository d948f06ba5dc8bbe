//! What becomes of a policy's changes once its accounts were read: which are void, which are worked on, and what is to
//! be proposed.

use caretaker_api::change_request::ChangeAccount;

use super::{Change, MOST_ACCOUNTS, Standing};
use crate::contract::Verdict;
use crate::ledger::Decided;

/// One account that was read, with the steps that would close its gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What a change would say of it.
    pub account: ChangeAccount,
    /// Whether the account allows the steps.
    pub is_allowed: bool,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settled {
    /// Changes that are void, and why.
    pub voids: Vec<(Change, String)>,
    /// Changes to begin or to go on with, under the yes that stands with each.
    pub work: Vec<Change>,
    /// Accounts to propose, change by change.
    pub proposes: Vec<Vec<ChangeAccount>>,
    /// Names of the changes that wait for the client's word.
    pub waiting: Vec<String>,
    /// Who said no to what is still to be done, and why.
    pub rejected: Vec<String>,
}

/// Decides. `named` are the accounts of the policy; those that could not be read are not among `seen`, and nothing is
/// concluded from that.
#[must_use]
pub fn settle(verdict: &Verdict, changes: &[Change], named: &[String], seen: &[Seen]) -> Settled {
    let mut settled = Settled::default();
    let mut covered: Vec<&str> = Vec::new();
    for change in changes {
        let accounts = change.spec.accounts.iter();
        match &change.standing {
            Standing::Open | Standing::Approved(_) => match void(verdict, change, named, seen) {
                Some(why) => settled.voids.push((change.clone(), why)),
                None => {
                    covered.extend(accounts.map(|account| account.name.as_str()));
                    let is_read = |account: &ChangeAccount| seen.iter().any(|seen| seen.account.name == account.name);
                    let is_approved = matches!(change.standing, Standing::Approved(_));
                    if is_approved && change.spec.accounts.iter().all(is_read) {
                        settled.work.push(change.clone());
                    } else {
                        settled.waiting.push(change.name.clone());
                    }
                }
            },
            Standing::Begun(_) if *verdict == Verdict::Propose => {
                covered.extend(accounts.map(|account| account.name.as_str()));
                settled.work.push(change.clone());
            }
            Standing::Over(end) if end.decided == Decided::Rejected => {
                let is_same = |account: &&ChangeAccount| seen.iter().any(|seen| seen.account == **account && !account.steps.is_empty());
                let same: Vec<&str> = accounts.filter(is_same).map(|account| account.name.as_str()).collect();
                if !same.is_empty() {
                    let why = if end.text.is_empty() { String::new() } else { format!(": {}", end.text) };
                    settled.rejected.push(format!("{} was rejected by {}{why}", change.name, end.by));
                }
                covered.extend(same);
            }
            Standing::Begun(_) | Standing::Over(_) => {}
        }
    }
    if *verdict == Verdict::Propose {
        let is_new = |seen: &&Seen| seen.is_allowed && !seen.account.steps.is_empty() && !covered.contains(&seen.account.name.as_str());
        let new: Vec<ChangeAccount> = seen.iter().filter(is_new).map(|seen| seen.account.clone()).collect();
        settled.proposes = new.chunks(MOST_ACCOUNTS).map(<[_]>::to_vec).collect();
    }
    settled
}

/// Why a change that was not begun is void; `None` where it holds.
fn void(verdict: &Verdict, change: &Change, named: &[String], seen: &[Seen]) -> Option<String> {
    match verdict {
        Verdict::Propose => {}
        Verdict::Never(why) => return Some(why.clone()),
        Verdict::Apply => return Some("the provider decides in this domain now".into()),
        Verdict::Emergency(declared) => return Some(format!("an emergency was declared by {}: {}", declared.by, declared.reason)),
    }
    change.spec.accounts.iter().find_map(|planned| {
        if !named.contains(&planned.name) {
            return Some(format!("account {} is no longer one of the policy's", planned.name));
        }
        let now = seen.iter().find(|seen| seen.account.name == planned.name)?;
        if !now.is_allowed {
            return Some(format!("account {} does not allow it any more", planned.name));
        }
        (now.account.seen != planned.seen).then(|| format!("account {} is not as it was when the change was planned", planned.name))
    })
}
