//! A page is found again however its strings are spelled and whatever stands between.
#![no_main]

#[path = "../../core/tests/support/mod.rs"]
mod support;

use arbitrary::{Result, Unstructured};
use durable_core::page::{acknowledgement, state_page, unescape};
use libfuzzer_sys::fuzz_target;

/// Id, name, parent and result of an operation.
type Operation = [Option<String>; 4];

fuzz_target!(|bytes: &[u8]| {
    let mut input = Unstructured::new(bytes);
    let Ok((page, operations, marker)) = page(&mut input) else {
        return;
    };
    let nested = format!("{{\"CheckpointToken\":null,\"NewExecutionState\":{page}}}");
    for (text, scanned) in [
        (&page, state_page(page.as_bytes())),
        (&nested, acknowledgement(nested.as_bytes())),
    ] {
        let scanned = scanned.expect("a page of the service");
        assert_eq!(
            scanned.next_marker,
            marker.clone().filter(|marker| !marker.is_empty())
        );
        assert_eq!(scanned.operations.len(), operations.len());
        for (found, operation) in scanned.operations.iter().zip(&operations) {
            for (span, wanted) in [found.id_text, found.name, found.parent_id, found.result]
                .into_iter()
                .zip(operation)
            {
                let mut buffer = Vec::new();
                let plain = span.of(text.as_bytes()).map(|raw| {
                    let plain = unescape(raw, &mut buffer).expect("escapes of JSON");
                    String::from_utf8_lossy(plain).into_owned()
                });
                assert_eq!(plain, *wanted);
            }
        }
    }
});

fn page(input: &mut Unstructured<'_>) -> Result<(String, Vec<Operation>, Option<String>)> {
    let mut shown = Vec::new();
    let mut operations = Vec::new();
    for _ in 0..input.int_in_range(0..=3)? {
        let id: String = input.arbitrary()?;
        let id = if id.is_empty() { "x".to_owned() } else { id };
        let operation = [
            Some(id),
            input.arbitrary()?,
            input.arbitrary()?,
            input.arbitrary()?,
        ];
        let mut members = vec![
            "\"Type\":\"STEP\"".to_owned(),
            "\"Status\":\"SUCCEEDED\"".to_owned(),
        ];
        for (key, value) in ["Id", "Name", "ParentId"].iter().zip(&operation) {
            members.push(format!("\"{key}\":{}", spelled(input, value.as_deref())?));
        }
        let result = spelled(input, operation[3].as_deref())?;
        members.push(format!(
            "\"StepDetails\":{{\"Attempt\":1,\"Result\":{result},\"Error\":{{\"x\":[]}}}}"
        ));
        members.push("\"StartTimestamp\":1.5e9".to_owned());
        let turn = input.int_in_range(0..=members.len() - 1)?;
        members.rotate_left(turn);
        shown.push(format!("{{{}}}", members.join(blank(input)?)));
        operations.push(operation);
    }
    let marker: Option<String> = input.arbitrary()?;
    let gap = blank(input)?;
    let next = spelled(input, marker.as_deref())?;
    let page = format!(
        "{{\"NextMarker\":{next}{gap}\"Operations\":[{}]}}",
        shown.join(blank(input)?)
    );
    Ok((page, operations, marker))
}

/// A comma and what may stand around it.
fn blank(input: &mut Unstructured<'_>) -> Result<&'static str> {
    input.choose(&[",", " ,\n", ",\t", "\r\n , "]).copied()
}

fn spelled(input: &mut Unstructured<'_>, value: Option<&str>) -> Result<String> {
    let Some(value) = value else {
        return Ok("null".to_owned());
    };
    let mut out = String::from('"');
    for character in value.chars() {
        let must = matches!(character, '"' | '\\' | '\0'..'\u{20}');
        if must || input.ratio(1, 4)? {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                out.push_str(&if input.arbitrary()? {
                    format!("\\u{unit:04x}")
                } else {
                    format!("\\u{unit:04X}")
                });
            }
        } else {
            out.push(character);
        }
    }
    out.push('"');
    Ok(out)
}
