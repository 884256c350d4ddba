//! Ids and the wire's words: what is read as an id is written back as it was, what is a word is so in one spelling only.
#![no_main]

use durable_core::ids::Id;
use durable_core::status::{Action, Kind, Status};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let id = Id::of_text(text);
    assert_eq!(Id::of_text(&id.hex()), id);
    let hexadecimal = text.len() == 64
        && text
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    assert_eq!(id.hex() == text, hexadecimal);
    let lower = text.to_ascii_lowercase();
    assert!(Kind::parse(&lower).is_none());
    assert!(Status::parse(&lower).is_none());
    assert!(Action::parse(&lower).is_none());
});
