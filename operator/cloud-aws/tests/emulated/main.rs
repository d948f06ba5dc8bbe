//! The port on an AWS emulator that enforces, behind a shim that adds what it lacks. What is shown here is emulated; every exchange is judged by botocore's
//! models.

mod cases;
mod members;
mod others;
mod register;
mod stage;
mod tags;

caretaker_cloud::behaviour_suite!(stage::OnEmulator::set().await);
