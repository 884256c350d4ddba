//! How long reading and writing takes without Python: results as steps return them, and ten kilobytes of rows.

#![allow(missing_docs, clippy::unwrap_used)] // a bench

#[path = "../examples/support/nothing.rs"]
mod nothing;
#[path = "../tests/support/mod.rs"]
mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use durable_core::codec::time::{Date, DateTime};
use durable_core::codec::{MAX_LEVELS, Scratch, json, tagged};
use nothing::Nothing;
use std::hint::black_box;
use support::{Value, float, tagged_text, text};

fn int(value: i64) -> Value {
    Value::Int(value.to_string())
}

fn string(value: &str) -> Value {
    Value::Text(text(value))
}

fn map(pairs: Vec<(&str, Value)>) -> Value {
    Value::Map(
        pairs
            .into_iter()
            .map(|(key, value)| (text(key), value))
            .collect(),
    )
}

fn cases() -> [(&'static str, Value); 4] {
    let date = Date {
        year: 2026,
        month: 2,
        day: 28,
    };
    let moment = DateTime {
        date,
        hour: 3,
        minute: 4,
        second: 5,
        microsecond: 678,
        offset: Some(0),
    };
    let rows = |row: &dyn Fn(i64) -> Value, count| Value::Array((0..count).map(row).collect());
    #[allow(clippy::cast_precision_loss)] // small numbers
    let plain = |number: i64| {
        map(vec![
            ("id", int(number)),
            ("name", string("a customer with a name")),
            ("total", float(number as f64 / 7.0)),
            ("tags", Value::Array(vec![string("new"), string("paid")])),
        ])
    };
    let rich = |number: i64| {
        map(vec![
            (
                "id",
                Value::Uuid(0x1234_5678 << 64 | u128::from(number.unsigned_abs())),
            ),
            ("total", Value::Decimal(format!("{number}.50"))),
            ("at", Value::DateTime(moment)),
        ])
    };
    [
        (
            "small",
            map(vec![("id", int(17)), ("status", string("ok"))]),
        ),
        ("rows", rows(&plain, 50)),
        ("rich", rows(&rich, 60)),
        (
            "escapes",
            string(&"Gr\u{fc}\u{df}e aus K\u{f6}ln\n".repeat(500)),
        ),
    ]
}

fn reading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    let mut scratch = Scratch::default();
    for (name, value) in cases() {
        let text = tagged_text(&value);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("tagged/{name}"), |bench| {
            bench.iter(|| tagged::read(black_box(&text), &mut scratch, &mut Nothing).unwrap());
        });
        let limits = json::Limits {
            levels: 2 * MAX_LEVELS,
            objects: true,
        };
        group.bench_function(format!("json/{name}"), |bench| {
            bench
                .iter(|| json::read(black_box(&text), limits, &mut scratch, &mut Nothing).unwrap());
        });
    }
    group.finish();
}

fn writing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("write");
    for (name, value) in cases() {
        group.throughput(Throughput::Bytes(tagged_text(&value).len() as u64));
        group.bench_function(name, |bench| bench.iter(|| tagged_text(black_box(&value))));
    }
    group.finish();
}

criterion_group!(benches, reading, writing);
criterion_main!(benches);
