//! Caretaker: api.
