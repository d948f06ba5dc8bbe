//! Clusters with a real node, for the tests whose pods must really run; see [`caretaker_testkit::cluster`].

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use anyhow::{Context, Result};
use caretaker_testkit::cluster::{Cluster, Options, probe};

/// A cluster and the folder that goes with it.
pub struct Real {
    // Dropped before its folder.
    cluster: Cluster,
    folder: tempfile::TempDir,
}

impl Real {
    /// Starts a cluster of a test's own; `None`, and a note of it, where this machine cannot have one.
    ///
    /// # Errors
    /// The machine can, and it does not start.
    pub fn start(test: &str, options: &Options) -> Result<Option<Self>> {
        let Some(folder) = folder(test)? else { return Ok(None) };
        let cluster = Cluster::start(folder.path(), options)?;
        Ok(Some(Self { cluster, folder }))
    }

    /// Stops it and gives its folder.
    #[must_use]
    pub fn stop(self) -> tempfile::TempDir {
        drop(self.cluster);
        self.folder
    }
}

impl Deref for Real {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

/// Held by a test with a cluster of its own while it has it: beside the shared one, a machine starts one at a time.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    // A test that failed has stopped its cluster too.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder for a node's data; `None`, and a note of it, where this machine cannot have a node.
///
/// # Errors
/// The folder cannot be made, or the note not be written.
pub fn folder(test: &str) -> Result<Option<tempfile::TempDir>> {
    let folder = match std::env::var_os(crate::FOLDER) {
        Some(folder) => tempfile::Builder::new().prefix("node-").tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    match probe::probe(folder.path()) {
        Ok(()) => Ok(Some(folder)),
        Err(reason) => {
            crate::skip(test, &format!("no real node: {reason}"))?;
            Ok(None)
        }
    }
}

/// The cluster that the tests of a binary share while one of them uses it: DNS, policies and volumes. Each test has namespaces of its own. The last test
/// stops it, since a process that ends without that leaves the addresses to the next start.
///
/// # Errors
/// As [`Real::start`].
pub fn shared(test: &str) -> Result<Option<Arc<Real>>> {
    static SHARED: Mutex<Weak<Real>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = shared.upgrade() {
        return Ok(Some(running));
    }
    let Some(started) = Real::start(test, &Options::all()).context("the shared cluster does not start")? else { return Ok(None) };
    let started = Arc::new(started);
    *shared = Arc::downgrade(&started);
    Ok(Some(started))
}
