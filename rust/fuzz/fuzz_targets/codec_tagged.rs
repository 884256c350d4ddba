//! Whatever the one-pass reader takes, the reference takes as the same value.
#![no_main]

#[path = "../../core/tests/support/mod.rs"]
mod support;

use durable_core::codec::MAX_LEVELS;
use libfuzzer_sys::fuzz_target;
use support::{read_tagged, reference};

fuzz_target!(|bytes: &[u8]| {
    let found = read_tagged(bytes);
    // Of bytes that are no text nothing is promised, except to come back from them.
    if let (Some(value), Ok(text)) = (found, str::from_utf8(bytes)) {
        let raw = reference::json(text, 2 * MAX_LEVELS);
        assert_eq!(raw.as_ref().and_then(reference::envelope), Some(value));
    }
});
