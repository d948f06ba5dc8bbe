//! The sessions that are held, by grant and purpose.
//!
//! A changed grant drops every session made from the old one.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use crate::{AwsGrant, AzureGrant, GcpGrant, Purpose, Result};

/// Where a session is held, and waited for by those who want the same one.
type Slot<T> = Arc<tokio::sync::Mutex<Option<Arc<T>>>>;

/// Grants of one kind.
pub trait Grant: Clone + Eq + Hash {
    /// Account, subscription or project.
    fn account(&self) -> &str;
}

impl Grant for AwsGrant {
    fn account(&self) -> &str {
        &self.account_id
    }
}

impl Grant for AzureGrant {
    fn account(&self) -> &str {
        &self.subscription_id
    }
}

impl Grant for GcpGrant {
    fn account(&self) -> &str {
        &self.project_id
    }
}

/// Sessions by grant and purpose. A client that does not answer keeps only those waiting who want the same session.
pub struct Sessions<G, T> {
    slots: Mutex<HashMap<(G, Purpose), Slot<T>>>,
}

impl<G, T> Default for Sessions<G, T> {
    fn default() -> Self {
        Self { slots: Mutex::default() }
    }
}

impl<G: Grant, T> Sessions<G, T> {
    /// The held session, or a new one in its place where it is not fresh. It is opened once, however many ask for it.
    ///
    /// # Errors
    /// That of opening it; nothing is held then.
    pub async fn get<F: Future<Output = bool>>(
        &self,
        (grant, purpose): (&G, Purpose),
        is_fresh: impl Fn(Arc<T>) -> F,
        open: impl Future<Output = Result<T>>,
    ) -> Result<Arc<T>> {
        let slot = self.slot(grant, purpose);
        let mut held = slot.lock().await;
        if let Some(session) = held.as_ref()
            && is_fresh(session.clone()).await
        {
            return Ok(session.clone());
        }
        *held = None;
        let session = Arc::new(open.await?);
        *held = Some(session.clone());
        Ok(session)
    }

    /// Drops a session, where it is still the one that is held.
    pub async fn forget(&self, (grant, purpose): (&G, Purpose), session: &Arc<T>) {
        let slot = self.slot(grant, purpose);
        let mut held = slot.lock().await;
        if held.as_ref().is_some_and(|held| Arc::ptr_eq(held, session)) {
            *held = None;
        }
    }

    /// A changed grant drops every session made from the old one; one that is being opened under it is never held.
    fn slot(&self, grant: &G, purpose: Purpose) -> Slot<T> {
        let mut slots = self.slots.lock().expect("no panic while held");
        slots.retain(|(held, _), _| held.account() != grant.account() || held == grant);
        slots.entry((grant.clone(), purpose)).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;

    fn grant(account: &str, role: &str) -> AwsGrant {
        AwsGrant {
            account_id: account.into(),
            role_arn: role.into(),
            external_id: "e".into(),
            session_name: "s".into(),
            source_identity: "i".into(),
        }
    }

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn one_that_is_never_answered_holds_no_other_up() {
        let (sessions, stalled, other) = (Arc::new(Sessions::<AwsGrant, u32>::default()), grant("1", "a"), grant("2", "a"));
        let (within, of) = (sessions.clone(), stalled.clone());
        let waiting = tokio::spawn(async move { within.get((&of, Purpose::Read), |_| ready(true), std::future::pending()).await });
        tokio::task::yield_now().await;
        for (grant, purpose) in [(&other, Purpose::Read), (&stalled, Purpose::Revoke)] {
            let opened = sessions.get((grant, purpose), |_| ready(true), async { Ok(7) });
            assert_eq!(*tokio::time::timeout(SOON, opened).await.expect("it does not wait").unwrap(), 7);
        }
        assert!(!waiting.is_finished());
        waiting.abort();
    }

    #[tokio::test]
    async fn many_at_once_open_one_session_and_a_stale_one_is_opened_anew() {
        let (sessions, grant, opened) = (Sessions::<AwsGrant, u32>::default(), grant("1", "a"), AtomicU32::new(0));
        let open = || async {
            tokio::task::yield_now().await;
            Ok(opened.fetch_add(1, Ordering::SeqCst))
        };
        let key = (&grant, Purpose::Read);
        let (one, two) = tokio::join!(sessions.get(key, |_| ready(true), open()), sessions.get(key, |_| ready(true), open()));
        assert_eq!((*one.unwrap(), *two.unwrap()), (0, 0));
        assert_eq!(*sessions.get(key, |_| ready(false), open()).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_changed_grant_and_a_refusal_leave_nothing_behind() {
        let (sessions, old, new) = (Sessions::<AwsGrant, u32>::default(), grant("1", "a"), grant("1", "b"));
        let get =
            async |grant: &AwsGrant, value: u32| *sessions.get((grant, Purpose::Read), |_| ready(true), async { Ok(value) }).await.unwrap();
        assert_eq!((get(&old, 1).await, get(&old, 2).await), (1, 1));
        assert_eq!((get(&new, 3).await, get(&old, 4).await), (3, 4));
        let refused = || async { Err(crate::CloudError::new(crate::ErrorClass::Denied, "x", "no")) };
        assert!(sessions.get((&old, Purpose::Read), |_| ready(false), refused()).await.is_err());
        assert_eq!(get(&old, 5).await, 5);
    }

    #[tokio::test]
    async fn only_the_session_that_was_meant_is_forgotten() {
        let (sessions, grant) = (Sessions::<AwsGrant, u32>::default(), grant("1", "a"));
        let key = (&grant, Purpose::Read);
        let get = async |value: u32| sessions.get(key, |_| ready(true), async { Ok(value) }).await.unwrap();
        let first = get(1).await;
        sessions.forget(key, &first).await;
        assert_eq!(*get(2).await, 2);
        sessions.forget(key, &first).await;
        assert_eq!(*get(3).await, 2, "another was opened meanwhile");
    }
}
