//! The port on the Google simulator: what is shown here is emulated, and every exchange is judged by Google's discovery documents.

mod access;
mod behaviour;
mod credentials;
mod discovery;
mod faults;
mod kit;
mod leaving;
mod members;
mod patches;
mod presence;
mod quota;
mod register;
mod schedules;
mod stage;
