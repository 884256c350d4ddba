//! The pure core: arithmetic on data. No Python, no I/O, no clock, no randomness.

pub mod codec;
pub mod ids;
pub mod time;
