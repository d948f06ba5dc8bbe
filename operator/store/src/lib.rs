//! Where inventories, ledgers and bundles are: the object store behind one type, and what stands in it.
//!
//! Nothing here knows Kubernetes or a cloud's SDK: a link to a cloud comes in as the port's trait.

pub mod incidents;
pub mod inventory;
pub mod ledger;
pub mod levels;
pub mod object;
pub mod units;

pub use object::{Guard, Store, StoreError};
