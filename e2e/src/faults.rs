//! Faults of the AWS emulator that several tests have at the same time.

use std::collections::BTreeMap;
use std::sync::Mutex;

use caretaker_aws_shim::{Fault, Watch};

/// All faults that stand, by the number of who has them.
#[derive(Default)]
pub struct Standing {
    watch: Watch,
    held: Mutex<(u64, BTreeMap<u64, Vec<Fault>>)>,
}

/// One test's faults. Dropping them ends them.
#[must_use = "the faults end with it"]
pub struct Faults<'a> {
    all: &'a Standing,
    number: u64,
}

impl Standing {
    /// None yet.
    #[must_use]
    pub fn of(watch: &Watch) -> Self {
        Self { watch: watch.clone(), held: Mutex::default() }
    }

    /// Adds faults. Those that strike a number of times begin anew whenever any are added or end.
    ///
    /// # Panics
    /// Another thread panicked meanwhile.
    pub fn add(&self, faults: Vec<Fault>) -> Faults<'_> {
        let mut held = self.held.lock().expect("no panic while held");
        held.0 += 1;
        let number = held.0;
        held.1.insert(number, faults);
        self.watch.set_faults(held.1.values().flatten().cloned().collect());
        Faults { all: self, number }
    }
}

impl Drop for Faults<'_> {
    fn drop(&mut self) {
        let Ok(mut held) = self.all.held.lock() else { return };
        held.1.remove(&self.number);
        self.all.watch.set_faults(held.1.values().flatten().cloned().collect());
    }
}
