//! A shim in front of an AWS emulator. The emulator alone decides who is let in and what a caller may do: every signed request goes there first. What it
//! lacks is added to its answers: pages, throttling, failures of the service, answers that get lost, a clock of its own, and answers of services that it
//! does not know. Emulated: nothing here is proved against AWS.
//!
//! The service and the region of a call are read from the scope of its signature. What was said is judged by botocore's models, see [`judge`].

mod answers;
mod backups;
mod call;
mod clock;
mod explorer;
mod fault;
pub mod judge;
mod pages;
mod serve;
mod tags;
mod watch;
mod xml;

pub use answers::{Answers, Rows, disk, machine, machine_of_several, stopped_machine};
pub use backups::{Backups, Job, Point, Restore, RestoreTest};
pub use explorer::{Explorer, resource};
pub use fault::{Answer, Bucket, Fault};
pub use serve::{start, start_at};
pub use tags::SessionTags;
pub use watch::{Exchange, Watch};
