//! Caretaker: cloud.
