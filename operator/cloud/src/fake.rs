//! A cloud in memory.
