//! Any text is read as plain JSON exactly as the reference reads it.
#![no_main]

#[path = "../../core/tests/support/mod.rs"]
mod support;

use durable_core::codec::json::Limits;
use libfuzzer_sys::fuzz_target;
use support::{read_json, reference};

// Small, so that the limit is found.
const LEVELS: usize = 30;

fuzz_target!(|text: &str| {
    let found = read_json(
        text.as_bytes(),
        Limits {
            levels: LEVELS,
            objects: true,
        },
    );
    assert_eq!(found, reference::json(text, LEVELS));
});
