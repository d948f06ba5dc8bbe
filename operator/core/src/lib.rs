//! Caretaker: core.
