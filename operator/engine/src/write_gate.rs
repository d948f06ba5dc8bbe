//! Every write of the process passes here: a gate that closes before the lease ends, a counter, and the layer of kube's client that asks both.

mod count;
mod gate;
mod layer;

pub use count::Writes;
pub use gate::{Closed, Gate};
pub use layer::WriteLayer;
