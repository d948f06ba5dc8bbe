//! The accounts of an organization, listed from its management account or a delegated administrator's.

use aws_sdk_organizations::Client;
use aws_sdk_organizations::types::{Account, AccountState};
use caretaker_cloud::budget::Work;
use caretaker_cloud::runtime::Listing;
use caretaker_cloud::{CloudError, ErrorClass, Member, MemberState, Result};

use crate::call::GLOBAL;
use crate::session::Session;

const DESCRIBE: &str = "organizations:DescribeOrganization";
const LIST: &str = "organizations:ListAccounts";
/// Rows in one page: the most that the service gives.
/// Source: <https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html>
const PAGE: i32 = 20;

/// All accounts. An organization is asked for first: the same refusal of the list would have many causes.
pub async fn list(session: &Session) -> Result<Vec<Member>> {
    describe(session).await?;
    let (client, work) = (Client::new(&session.config(None)), Work::once(&session.grant.account_id));
    let (calls, mut members) = (session.calls(&work, GLOBAL), Vec::new());
    let (mut token, mut listing) = (None::<String>, Listing::of(LIST));
    loop {
        let request = || client.list_accounts().max_results(PAGE).set_next_token(token.clone()).send();
        let answer = calls.make(LIST, request).await.map_err(|error| refused(error, &session.grant.account_id))?;
        for account in answer.accounts() {
            members.push(member(account)?);
        }
        // A page without accounts is no end, only a missing token is.
        token = listing.after(answer.next_token())?;
        if token.is_none() {
            return Ok(members);
        }
    }
}

async fn describe(session: &Session) -> Result<()> {
    let (client, work) = (Client::new(&session.config(None)), Work::once(&session.grant.account_id));
    let answer = session.calls(&work, GLOBAL).make(DESCRIBE, || client.describe_organization().send()).await;
    answer.map(drop).map_err(|error| outside(error, &session.grant.account_id))
}

fn refused(mut error: CloudError, account: &str) -> CloudError {
    if error.class == ErrorClass::Denied {
        error.message = format!("{}; only the management account and delegated administrators may list the accounts", error.message);
    }
    outside(error, account)
}

/// An account that is in no organization is a mistake in the spec, which no waiting cures.
fn outside(mut error: CloudError, account: &str) -> CloudError {
    if error.code == "AWSOrganizationsNotInUseException" {
        error.class = ErrorClass::WrongAccount;
        error.message = format!("account {account} is in no organization");
    }
    error
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

#[cfg(test)]
mod tests {
    use super::*;

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
