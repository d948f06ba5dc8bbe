//! Caretaker: cloud-aws.
