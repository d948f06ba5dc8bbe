//! The engine: one loop for all kinds. It fetches an object, guards it with a finalizer, lets its reconciler observe, check, plan, act and tell
//! its status, publishes that status if it differs, and says when the next visit is due.

mod publish;
mod reconciler;
mod refused;
mod stream;
mod visit;

pub use reconciler::{Acted, CleanUp, Reconciler, Seen};
pub use stream::run;

#[cfg(test)]
mod tests;
