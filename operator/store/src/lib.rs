//! Where inventories and bundles are: the object store behind one type, and the inventories in it.
//!
//! Nothing here knows Kubernetes or a cloud's SDK: a link to a cloud comes in as the port's trait.

pub mod inventory;
pub mod object;

pub use object::{Store, StoreError};
