//! Caretaker: bundle.
