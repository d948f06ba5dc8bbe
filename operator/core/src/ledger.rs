//! The ledger: one append-only, hash-chained log for each client. It tells every write in the client's clouds, before and after it, and every step of an
//! exit.
//!
//! The store holds it as numbered segments, JSON lines each: the first line names the client, the number, and the SHA-256 of the segment before; each
//! further line is one entry. A segment is written once and never again, so that of two writers only one can win a number.

pub mod actor;
pub mod chain;
pub mod entry;
pub mod exit;
pub mod undo;

pub use chain::{Broken, Chain, Head, Place, Segment};
pub use entry::{AccountBaseline, Actor, Body, Decided, Decision, Entry, Operation, WriteState};

#[cfg(test)]
mod kills;
