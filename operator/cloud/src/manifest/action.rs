//! One row of the manifest.

/// What a permission is granted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum On {
    /// The whole account, subscription or project.
    Account,
    /// Our own role or service account, and nothing else.
    OwnPrincipal,
    /// The role that the backup service uses.
    BackupRole,
}

/// One permission in the cloud's own words, and the call that needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// The permission, such as `ec2:DescribeInstances`; empty where the call needs none.
    pub name: &'static str,
    /// The call, where the cloud names it otherwise than the permission.
    pub call: &'static str,
    /// What it is needed for, for the client's reader.
    pub why: &'static str,
    /// What it is granted on.
    pub on: On,
}

/// A permission on the whole account, whose call has the same name.
pub(crate) const fn action(name: &'static str, why: &'static str) -> Action {
    Action { name, call: name, why, on: On::Account }
}

impl Action {
    /// The same, asked for by this call.
    pub(crate) const fn by(self, call: &'static str) -> Self {
        Self { call, ..self }
    }

    /// The same, granted on this only.
    pub(crate) const fn on(self, on: On) -> Self {
        Self { on, ..self }
    }
}
