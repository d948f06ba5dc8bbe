//! What a budget is for.

use std::fmt;

/// What a cloud counts calls by. The first part is the cloud.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// AWS counts by account and region.
    #[must_use]
    pub fn aws(account: &str, region: &str) -> Self {
        Self(format!("aws/{account}/{region}"))
    }

    /// Azure Resource Manager counts by subscription and principal.
    #[must_use]
    pub fn azure(subscription: &str, principal: &str) -> Self {
        Self(format!("azure/{subscription}/{principal}"))
    }

    /// Google counts by paying project and service.
    #[must_use]
    pub fn gcp(project: &str, service: &str) -> Self {
        Self(format!("gcp/{project}/{service}"))
    }

    /// A key that was written down before.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The cloud, in a word of a closed list.
    #[must_use]
    pub fn cloud(&self) -> &'static str {
        let cloud = self.0.split('/').next().unwrap_or_default();
        ["aws", "azure", "gcp"].into_iter().find(|known| *known == cloud).unwrap_or("other")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
