//! The pure core: arithmetic on data. No Python, no I/O, no clock, no randomness.

pub mod batch;
pub mod codec;
pub mod delivery;
pub mod facts;
pub mod history;
pub mod ids;
pub mod page;
pub mod status;
pub mod time;
pub mod wire;
