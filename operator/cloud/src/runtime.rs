//! What all adapters do in the same way: hold sessions, read a list to its end, and go on under a new session where one has expired.

mod listing;
mod proxies;
mod renewal;
mod sessions;

pub use listing::{Listing, after_cut, said};
pub use proxies::Proxies;
pub use renewal::once_renewed;
pub use sessions::{Grant, Sessions};
