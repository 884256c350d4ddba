//! The codec against its reference, and what it writes against what it reads.

#![allow(clippy::expect_used)] // a test says what it expects

mod support;

use durable_core::codec::time::{Date, DateTime};
use durable_core::codec::{MAX_LEVELS, json, write};
use proptest::prelude::*;
use support::{Value, float, json_text, read_json, read_tagged, reference, tagged_text, text};

const ANYTHING: json::Limits = json::Limits {
    levels: MAX_LEVELS,
    objects: true,
};

fn any_text() -> impl Strategy<Value = Vec<u32>> {
    let point = prop_oneof![
        8 => 0x20_u32..0x7f,
        2 => 0_u32..0x20,
        2 => 0x7f_u32..0x800,
        2 => 0x800_u32..0xd800,
        1 => 0xe000_u32..0x1_0000,
        2 => 0x1_0000_u32..0x11_0000,
        // Never high and low in this order: they would come back as one.
        1 => 0xdc00_u32..0xe000,
        1 => 0xd800_u32..0xdc00,
    ];
    prop::collection::vec(point, 0..20).prop_map(|points| {
        let mut kept: Vec<u32> = Vec::new();
        for point in points {
            let meets =
                matches!(kept.last(), Some(0xd800..=0xdbff)) && (0xdc00..0xe000).contains(&point);
            kept.push(if meets { 0x20 } else { point });
        }
        kept
    })
}

prop_compose! {
    fn dates()(year in 1_u16..=9999, month in 1_u8..=12, day in 1_u8..=28) -> Date {
        Date { year, month, day }
    }
}

prop_compose! {
    fn datetimes()(
        date in dates(),
        hour in 0_u8..24,
        minute in 0_u8..60,
        second in 0_u8..60,
        microsecond in prop_oneof![Just(0_u32), 1_u32..1_000_000],
        offset in prop::option::of(-1439_i16..1440),
    ) -> DateTime {
        DateTime { date, hour, minute, second, microsecond, offset }
    }
}

fn scalars() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::None),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|value| Value::Int(value.to_string())),
        any::<i128>().prop_map(|value| Value::Int(value.to_string())),
        any::<f64>().prop_map(float),
        any_text().prop_map(Value::Text),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    let leaves = prop_oneof![
        scalars(),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
        any::<u128>().prop_map(Value::Uuid),
        "-?[0-9]{1,9}(\\.[0-9]{1,5})?(E[+-][0-9]{1,2})?".prop_map(Value::Decimal),
        datetimes().prop_map(Value::DateTime),
        dates().prop_map(Value::Date),
    ];
    leaves.prop_recursive(5, 40, 6, |inner| {
        let pairs = prop::collection::vec((any_text(), inner.clone()), 0..6).boxed();
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec(inner, 0..6).prop_map(Value::Tuple),
            pairs.clone().prop_map(Value::Map),
            pairs.prop_map(Value::Batch),
        ]
    })
}

fn plain_json() -> impl Strategy<Value = Value> {
    scalars().prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((any_text(), inner), 0..6).prop_map(Value::Map),
        ]
    })
}

/// A text with a piece of it doubled, removed, or replaced by characters that mean something.
fn damaged(texts: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = String> {
    let piece = prop::collection::vec(
        prop::sample::select(&b"{}[]\",:tvnsifbBudDlmr0189.eE+-\\ \nZT"[..]),
        0..3,
    );
    (
        texts,
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        0_usize..4,
        piece,
    )
        .prop_map(|(mut text, from, to, size, piece)| {
            let from = from.index(text.len() + 1);
            let end = (from + size).min(text.len());
            let moved = text[from..end].to_vec();
            text.splice(from..end, piece);
            let to = to.index(text.len() + 1);
            text.splice(to..to, moved);
            String::from_utf8_lossy(&text).into_owned()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_is_written_is_read_in_one_pass(value in values()) {
        let text = tagged_text(&value);
        prop_assert!(text.is_ascii());
        prop_assert_eq!(read_tagged(&text), Some(value));
    }

    #[test]
    fn json_is_read_whatever_its_blanks(value in plain_json(), blank in "[ \t\r\n]{0,2}") {
        prop_assert_eq!(read_json(&json_text(&value, &blank), ANYTHING), Some(value));
    }

    #[test]
    fn json_is_read_as_the_reference_reads_it(text in damaged(plain_json().prop_map(|value| json_text(&value, "")))) {
        prop_assert_eq!(read_json(text.as_bytes(), ANYTHING), reference::json(&text, MAX_LEVELS));
    }

    #[test]
    fn what_is_read_in_one_pass_is_what_the_reference_reads(text in damaged(values().prop_map(|value| tagged_text(&value)))) {
        if let Some(value) = read_tagged(text.as_bytes()) {
            let raw = reference::json(&text, 2 * MAX_LEVELS);
            prop_assert_eq!(raw.as_ref().and_then(reference::envelope), Some(value));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(text in prop::collection::vec(any::<u8>(), 0..40)) {
        read_json(&text, ANYTHING);
        read_tagged(&text);
    }

    #[test]
    fn floats_are_laid_out_as_python_does(value in prop_oneof![any::<f64>(), -1e20..1e20, -1e-3..1e-3]) {
        prop_assume!(value.is_finite());
        let mut out = Vec::new();
        write::float(&mut out, value);
        let (ours, expected) = (String::from_utf8_lossy(&out), python_repr(value));
        // Where two shortest texts are equally near, Python takes the even digit and Rust's own formatter the upper one.
        let is_tie = ours.len() == expected.len() && ours.parse() == Ok(value) && expected.parse() == Ok(value);
        prop_assert!(ours == expected || is_tie, "{} instead of {}", ours, expected);
    }
}

/// Python's rule, from the digits that Rust's own formatter finds.
fn python_repr(value: f64) -> String {
    let shown = format!("{value:e}");
    let (mantissa, exponent) = shown.split_once('e').expect("an exponent");
    let exponent: i32 = exponent.parse().expect("a number");
    if value == 0.0 || (-4..16).contains(&exponent) {
        let plain = format!("{value}");
        return if plain.contains('.') {
            plain
        } else {
            format!("{plain}.0")
        };
    }
    format!(
        "{mantissa}e{}{:02}",
        if exponent < 0 { '-' } else { '+' },
        exponent.abs()
    )
}

#[test]
fn floats_at_the_edges() {
    for value in [
        0.0,
        -0.0,
        1e-5,
        9.99e-5,
        1e-4,
        1e15,
        9_999_999_999_999_998.0,
        1e16,
        5e-324,
        f64::MAX,
        f64::MIN_POSITIVE,
    ] {
        let mut out = Vec::new();
        write::float(&mut out, value);
        assert_eq!(String::from_utf8_lossy(&out), python_repr(value));
    }
}

#[test]
fn surrogates_may_stand_in_the_text_itself() {
    let text = b"\"a\xed\xa0\x80\xed\xb0\x80\\ud800\xed\xb0\x80\"";
    let points = vec![0x61, 0xd800, 0xdc00, 0xd800, 0xdc00];
    assert_eq!(read_json(text, ANYTHING), Some(Value::Text(points)));
}

#[test]
fn depth_ends_at_its_limit() {
    let array = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert!(read_json(array(MAX_LEVELS).as_bytes(), ANYTHING).is_some());
    assert!(read_json(array(MAX_LEVELS + 1).as_bytes(), ANYTHING).is_none());
    let tuples = |levels: usize| "{\"t\":\"t\",\"v\":[".repeat(levels) + &"]}".repeat(levels);
    assert!(read_tagged(tuples(MAX_LEVELS).as_bytes()).is_some());
    assert!(read_tagged(tuples(MAX_LEVELS + 1).as_bytes()).is_none());
}

#[test]
fn objects_are_refused_where_they_may_not_be() {
    let lists = json::Limits {
        levels: MAX_LEVELS,
        objects: false,
    };
    assert_eq!(read_json(b"[[1,{}]]", lists), None);
    assert_eq!(
        read_json(b"[[1]]", lists),
        Some(Value::Array(vec![Value::Array(vec![Value::Int(
            "1".into()
        )])]))
    );
}

#[test]
fn tags_are_taken_whole() {
    for tag in ["n\0", "n\"", "", "nn", "\\u006e", "n "] {
        let envelope = format!("{{\"t\":\"{tag}\",\"v\":null}}");
        assert_eq!(read_tagged(envelope.as_bytes()), None, "{tag:?}");
    }
}

#[test]
fn days_that_do_not_exist() {
    for (shown, exists) in [
        ("2024-02-29", true),
        ("2023-02-29", false),
        ("1900-02-29", false),
        ("2000-02-29", true),
    ] {
        let envelope = format!("{{\"t\":\"D\",\"v\":\"{shown}\"}}");
        assert_eq!(
            read_tagged(envelope.as_bytes()).is_some(),
            exists,
            "{shown}"
        );
    }
}

#[test]
fn the_reference_agrees_with_itself() {
    let value = Value::Map(vec![(
        text("é"),
        Value::Array(vec![float(1.5), Value::None]),
    )]);
    assert_eq!(
        reference::json("{ \"\\u00e9\" : [ 1.5 , null ] }", 2),
        Some(value.clone())
    );
    assert_eq!(reference::json("{ \"\\u00e9\" : [ 1.5 , null ] }", 1), None);
    let shown = String::from_utf8(tagged_text(&value)).expect("ASCII");
    assert_eq!(
        reference::json(&shown, 9)
            .as_ref()
            .and_then(reference::envelope),
        Some(value)
    );
}
