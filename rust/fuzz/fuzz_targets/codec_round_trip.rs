//! What the writer writes, the one-pass reader takes, and gives the same value.
#![no_main]

#[path = "../../core/tests/support/mod.rs"]
mod support;

use arbitrary::{Result, Unstructured};
use durable_core::codec::time::{Date, DateTime};
use libfuzzer_sys::fuzz_target;
use support::{Value, float, read_tagged, tagged_text, text};

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = value(&mut Unstructured::new(bytes), 0) else {
        return;
    };
    assert_eq!(read_tagged(&tagged_text(&value)), Some(value));
});

fn value(input: &mut Unstructured<'_>, level: u32) -> Result<Value> {
    let kinds = if level < 6 { 14 } else { 10 };
    Ok(match input.int_in_range(1..=kinds)? {
        1 => Value::None,
        2 => Value::Bool(input.arbitrary()?),
        3 => Value::Int(input.arbitrary::<i64>()?.to_string()),
        4 => Value::Int(input.arbitrary::<i128>()?.to_string()),
        5 => float(input.arbitrary()?),
        6 => Value::Text(text(input.arbitrary()?)),
        7 => Value::Bytes(input.arbitrary()?),
        8 => Value::Uuid(input.arbitrary()?),
        9 => Value::Date(date(input)?),
        10 => Value::DateTime(DateTime {
            date: date(input)?,
            hour: input.int_in_range(0..=23)?,
            minute: input.int_in_range(0..=59)?,
            second: input.int_in_range(0..=59)?,
            microsecond: input.int_in_range(0..=999_999)?,
            offset: if input.arbitrary()? {
                Some(input.int_in_range(-1439..=1439)?)
            } else {
                None
            },
        }),
        11 => Value::Array(many(input, |input| value(input, level + 1))?),
        12 => Value::Tuple(many(input, |input| value(input, level + 1))?),
        13 => Value::Map(many(input, |input| {
            Ok((text(input.arbitrary()?), value(input, level + 1)?))
        })?),
        _ => Value::Batch(many(input, |input| {
            Ok((text(input.arbitrary()?), value(input, level + 1)?))
        })?),
    })
}

fn many<T>(
    input: &mut Unstructured<'_>,
    one: impl Fn(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    (0..input.int_in_range(0..=5)?)
        .map(|_| one(input))
        .collect()
}

fn date(input: &mut Unstructured<'_>) -> Result<Date> {
    Ok(Date {
        year: input.int_in_range(1..=9999)?,
        month: input.int_in_range(1..=12)?,
        day: input.int_in_range(1..=28)?,
    })
}
