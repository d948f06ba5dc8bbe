//! Which roles take no SourceIdentity.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use caretaker_cloud::AwsGrant;

/// Time after which a role is asked again whether it takes a SourceIdentity: each refusal stands in the client's audit log.
const ASK_AGAIN: Duration = Duration::from_secs(24 * 3600);

/// Grants whose role takes no SourceIdentity: it was made from an older kit.
#[derive(Default)]
pub struct Unnamed(Mutex<HashMap<AwsGrant, Instant>>);

impl Unnamed {
    /// Whether the role is known to take none.
    pub fn has(&self, grant: &AwsGrant) -> bool {
        self.0.lock().expect("no panic while held").get(grant).is_some_and(|since| since.elapsed() < ASK_AGAIN)
    }

    /// Remembers that it takes none.
    pub fn put(&self, grant: &AwsGrant) {
        self.0.lock().expect("no panic while held").insert(grant.clone(), Instant::now());
    }
}
