//! Caretaker: controllers.
