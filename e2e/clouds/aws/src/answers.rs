//! Lists whose rows a test gives, by operation, account and region: what the emulator does not know, or more than it could hold.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The rows of a list, each as it stands in the answer: an XML element with its tags, or a JSON value.
#[derive(Clone)]
pub enum Rows {
    /// These.
    These(Vec<String>),
    /// So many, each made from its number when it is asked for.
    Made(usize, Arc<dyn Fn(usize) -> String + Send + Sync>),
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rows").field(&self.len()).finish()
    }
}

impl Rows {
    /// So many, made from their numbers.
    pub fn made(count: usize, make: impl Fn(usize) -> String + Send + Sync + 'static) -> Self {
        Self::Made(count, Arc::new(make))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::These(rows) => rows.len(),
            Self::Made(count, _) => *count,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Some of them.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Vec<String> {
        match self {
            Self::These(rows) => rows[range].to_vec(),
            Self::Made(_, make) => range.map(|number| make(number)).collect(),
        }
    }
}

/// A machine as EC2 shows it, for lists that are longer than the emulator can bear.
#[must_use]
pub fn machine(account: &str, region: &str, number: usize) -> String {
    format!(
        "<item><reservationId>r-{number:017x}</reservationId><ownerId>{account}</ownerId><groupSet/><instancesSet><item>\
         <instanceId>i-{number:017x}</instanceId><imageId>ami-12345678</imageId><instanceState><code>16</code><name>running</name>\
         </instanceState><instanceType>t3.micro</instanceType><launchTime>2026-01-01T00:00:00.000Z</launchTime><placement>\
         <availabilityZone>{region}a</availabilityZone></placement></item></instancesSet></item>"
    )
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    rows: HashMap<(String, String, String), Rows>,
}

impl Answers {
    /// Sets the rows of a list.
    pub fn set(&mut self, operation: &str, account: &str, region: &str, rows: Rows) {
        self.rows.insert((operation.to_owned(), account.to_owned(), region.to_owned()), rows);
    }

    /// The rows of a list, where any were set.
    #[must_use]
    pub fn get(&self, operation: &str, account: &str, region: &str) -> Option<&Rows> {
        self.rows.get(&(operation.to_owned(), account.to_owned(), region.to_owned()))
    }
}
