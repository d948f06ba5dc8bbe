//! Inventories in the store: sorted lines in shards that are named by their content, a manifest for each reading, and the one way to read them.

mod diff;
mod history;
mod merge;
mod reader;
mod segments;
mod shards;
mod spool;
mod vanished;

pub use diff::{Compared, compare};
pub use history::clean;
pub use merge::merge;
pub use reader::{Reader, differences, read};
pub use segments::{Resumed, Run, Segments};
pub use shards::Shards;
pub use spool::Spool;
pub use vanished::{Vanished, may_hold_some};

/// zstd's level for inventories: they are written often and read seldom.
pub const LEVEL: i32 = 3;
