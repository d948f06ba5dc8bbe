//! The accounts of an organization, listed from its management account or a delegated administrator's.

use std::collections::HashSet;

use aws_sdk_organizations::types::{Account, AccountState};
use caretaker_cloud::budget::Work;
use caretaker_cloud::{CloudError, ErrorClass, Member, MemberState, Result};

use crate::calls::{Calls, GLOBAL};
use crate::page::next;
use crate::session::Link;

const DESCRIBE: &str = "organizations:DescribeOrganization";
const LIST: &str = "organizations:ListAccounts";
/// Rows in one page: the most that the service gives.
const PAGE: i32 = 20;
/// Pages after which the list is taken for an endless one.
const MAX_PAGES: usize = 1_000;

type Page = (Vec<Member>, Option<String>);

/// All accounts. An organization is asked for first: the same refusal of the list would have many causes.
pub async fn list(link: &Link) -> Result<Vec<Member>> {
    let session = link.session_key().await;
    if let Err(error) = describe(link).await {
        renew(link, error, &session).await?;
        describe(link).await?;
    }
    let mut listing = Listing::default();
    loop {
        let session = link.session_key().await;
        let (found, next) = match page(link, listing.token.clone()).await {
            Ok(page) => page,
            // Page tokens outlive a session.
            Err(error) => {
                renew(link, error, &session).await?;
                page(link, listing.token.clone()).await?
            }
        };
        if !listing.came(found, next)? {
            return Ok(listing.members);
        }
    }
}

/// A new session where the held one has expired; any other error stays what it is.
async fn renew(link: &Link, error: CloudError, session: &str) -> Result<()> {
    if error.class == ErrorClass::Expired { link.renew(session).await } else { Err(error) }
}

async fn describe(link: &Link) -> Result<()> {
    let (client, work) = (aws_sdk_organizations::Client::new(&link.config(None).await), Work::once(&link.grant.account_id));
    let answer = Calls::new(&work, link.budget(GLOBAL)).make(DESCRIBE, || client.describe_organization().send()).await;
    answer.map(drop).map_err(|error| outside(error, &link.grant.account_id))
}

/// An account that is in no organization is a mistake in the spec, which no waiting cures.
fn outside(mut error: CloudError, account: &str) -> CloudError {
    if error.code == "AWSOrganizationsNotInUseException" {
        error.class = ErrorClass::WrongAccount;
        error.message = format!("account {account} is in no organization");
    }
    error
}

async fn page(link: &Link, token: Option<String>) -> Result<Page> {
    let (client, work) = (aws_sdk_organizations::Client::new(&link.config(None).await), Work::once(&link.grant.account_id));
    let request = || client.list_accounts().max_results(PAGE).set_next_token(token.clone()).send();
    let answer = Calls::new(&work, link.budget(GLOBAL)).make(LIST, request).await.map_err(|mut error| {
        if error.class == ErrorClass::Denied {
            error.message = format!("{}; only the management account and delegated administrators may list the accounts", error.message);
        }
        outside(error, &link.grant.account_id)
    })?;
    let members = answer.accounts().iter().map(member).collect::<Result<Vec<Member>>>()?;
    Ok((members, next(answer.next_token())))
}

/// A row without an id would be an account that is missed in silence.
fn member(account: &Account) -> Result<Member> {
    let id = account.id().filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| CloudError::new(ErrorClass::Unreachable, LIST, "the answer holds an account without an id"))?;
    Ok(Member { id: id.to_owned(), name: account.name().unwrap_or_default().to_owned(), state: state(account) })
}

/// The newer field says more than the older one, which not every endpoint has left behind.
fn state(account: &Account) -> MemberState {
    let word = account.state().map(AccountState::as_str).or_else(|| account.status().map(|status| status.as_str()));
    match word {
        Some("PENDING_ACTIVATION") => MemberState::Pending,
        Some("SUSPENDED") => MemberState::Suspended,
        Some("PENDING_CLOSURE" | "CLOSED") => MemberState::Closed,
        // A word that is not known yet: whether it can be read shows when it is tried.
        _ => MemberState::Active,
    }
}

/// Where the reading of the list stands.
#[derive(Debug, Default)]
struct Listing {
    members: Vec<Member>,
    token: Option<String>,
    tokens: HashSet<String>,
}

impl Listing {
    /// A page came. Whether there is more: a page without accounts is no end, only a missing token is.
    fn came(&mut self, found: Vec<Member>, next: Option<String>) -> Result<bool> {
        self.members.extend(found);
        let Some(next) = next else { return Ok(false) };
        if !self.tokens.insert(next.clone()) {
            let message = "the cloud repeated a page token: the list cannot be read to its end";
            return Err(CloudError::new(ErrorClass::Conflict, LIST, message));
        }
        if self.tokens.len() >= MAX_PAGES {
            return Err(CloudError::new(ErrorClass::Conflict, LIST, "the list has no end"));
        }
        self.token = Some(next);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str) -> Member {
        Member { id: id.into(), name: String::new(), state: MemberState::Active }
    }

    fn came(listing: &mut Listing, ids: &[&str], next: Option<&str>) -> Result<bool> {
        listing.came(ids.iter().map(|id| row(id)).collect(), next.map(str::to_owned))
    }

    #[test]
    fn only_a_missing_token_ends_the_list() {
        let mut listing = Listing::default();
        assert!(came(&mut listing, &["1"], Some("a")).unwrap());
        assert_eq!(listing.token.as_deref(), Some("a"), "the next page is asked for with it");
        assert!(came(&mut listing, &[], Some("b")).unwrap(), "a page without accounts is no end");
        assert!(!came(&mut listing, &["2"], None).unwrap());
        assert_eq!(listing.members, [row("1"), row("2")]);
        assert!(!came(&mut Listing::default(), &[], None).unwrap(), "an organization without accounts is one");
    }

    #[test]
    fn a_repeated_token_is_no_complete_list() {
        let mut listing = Listing::default();
        assert!(came(&mut listing, &["1"], Some("a")).unwrap());
        assert_eq!(came(&mut listing, &["2"], Some("a")).unwrap_err().class, ErrorClass::Conflict);
    }

    #[test]
    fn states_are_read_from_either_field() {
        let of = |state: Option<&str>, status: Option<&str>| {
            let account = Account::builder().set_state(state.map(AccountState::from)).set_status(status.map(Into::into)).build();
            super::state(&account)
        };
        for (state, status, expected) in [
            (Some("ACTIVE"), None, MemberState::Active),
            (Some("CLOSED"), Some("SUSPENDED"), MemberState::Closed),
            (None, Some("SUSPENDED"), MemberState::Suspended),
            (None, Some("PENDING_CLOSURE"), MemberState::Closed),
            (Some("PENDING_ACTIVATION"), None, MemberState::Pending),
            (None, None, MemberState::Active),
        ] {
            assert_eq!(of(state, status), expected, "{state:?} {status:?}");
        }
    }
}
