//! Any text is a day or a moment to the core exactly where it is one to the reference.
#![no_main]

#[path = "../../core/tests/support/mod.rs"]
mod support;

use durable_core::codec::time;
use libfuzzer_sys::fuzz_target;
use support::reference;

fuzz_target!(|text: &str| {
    assert_eq!(time::date(text.as_bytes()), reference::date(text));
    assert_eq!(time::datetime(text.as_bytes()), reference::datetime(text));
});
