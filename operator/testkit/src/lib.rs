//! Caretaker: testkit.
