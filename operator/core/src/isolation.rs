//! The isolation test: a short-lived pod in the client's namespace tries things that must be refused and things that must work. Decides when a test is due,
//! which pod is made, and what its words come to.

mod attempts;
mod judge;
mod pod;
mod schedule;

pub use attempts::{Attempt, Found, Try, attempts};
pub use judge::{LATE, Verdict, admission, judge};
pub use pod::{ATTEMPTS, NAME, PodTerms, pod, privileged, too_large};
pub use schedule::{Began, Seen, Stage, Step, looks, settle, stage, step};
