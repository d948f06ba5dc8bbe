//! The sessions that are held, by grant and purpose.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};

use caretaker_cloud::{AwsGrant, Purpose, Result};

/// Where a session is held, and waited for by those who want the same one.
type Slot<T> = Arc<tokio::sync::Mutex<Option<Arc<T>>>>;

/// Sessions. A client that does not answer keeps only those waiting who want the same session.
pub struct Sessions<T> {
    slots: Mutex<HashMap<(AwsGrant, Purpose), Slot<T>>>,
}

impl<T> Default for Sessions<T> {
    fn default() -> Self {
        Self { slots: Mutex::default() }
    }
}

impl<T> Sessions<T> {
    /// The held session, or a new one in its place where it is not fresh. It is opened once, however many ask for it.
    pub async fn get(
        &self,
        (grant, purpose): (&AwsGrant, Purpose),
        is_fresh: impl Fn(&T) -> bool,
        open: impl Future<Output = Result<T>>,
    ) -> Result<Arc<T>> {
        let slot = self.slot(grant, purpose);
        let mut held = slot.lock().await;
        if let Some(session) = held.as_ref().filter(|session| is_fresh(session)) {
            return Ok(session.clone());
        }
        *held = None;
        let session = Arc::new(open.await?);
        *held = Some(session.clone());
        Ok(session)
    }

    /// A changed grant drops every session made from the old one; one that is being opened under it is never held.
    fn slot(&self, grant: &AwsGrant, purpose: Purpose) -> Slot<T> {
        let mut slots = self.slots.lock().expect("no panic while held");
        slots.retain(|(held, _), _| held.account_id != grant.account_id || held == grant);
        slots.entry((grant.clone(), purpose)).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
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
        let (sessions, stalled, other) = (Arc::new(Sessions::<u32>::default()), grant("1", "a"), grant("2", "a"));
        let (within, of) = (sessions.clone(), stalled.clone());
        let waiting = tokio::spawn(async move { within.get((&of, Purpose::Read), |_| true, std::future::pending()).await });
        tokio::task::yield_now().await;
        for (grant, purpose) in [(&other, Purpose::Read), (&stalled, Purpose::Revoke)] {
            let opened = sessions.get((grant, purpose), |_| true, async { Ok(7) });
            assert_eq!(*tokio::time::timeout(SOON, opened).await.expect("it does not wait").unwrap(), 7);
        }
        assert!(!waiting.is_finished());
        waiting.abort();
    }

    #[tokio::test]
    async fn many_at_once_open_one_session_and_a_stale_one_is_opened_anew() {
        let (sessions, grant, opened) = (Sessions::<u32>::default(), grant("1", "a"), AtomicU32::new(0));
        let open = || async {
            tokio::task::yield_now().await;
            Ok(opened.fetch_add(1, Ordering::SeqCst))
        };
        let key = (&grant, Purpose::Read);
        let (one, two) = tokio::join!(sessions.get(key, |_| true, open()), sessions.get(key, |_| true, open()));
        assert_eq!((*one.unwrap(), *two.unwrap()), (0, 0));
        assert_eq!(*sessions.get(key, |_| false, open()).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_changed_grant_and_a_refusal_leave_nothing_behind() {
        let (sessions, old, new) = (Sessions::<u32>::default(), grant("1", "a"), grant("1", "b"));
        let get = async |grant: &AwsGrant, value: u32| *sessions.get((grant, Purpose::Read), |_| true, async { Ok(value) }).await.unwrap();
        assert_eq!((get(&old, 1).await, get(&old, 2).await), (1, 1));
        assert_eq!((get(&new, 3).await, get(&old, 4).await), (3, 4));
        let refused = || async { Err(caretaker_cloud::CloudError::new(caretaker_cloud::ErrorClass::Denied, "x", "no")) };
        assert!(sessions.get((&old, Purpose::Read), |_| false, refused()).await.is_err());
        assert_eq!(get(&old, 5).await, 5);
    }
}
