//! How long it takes, without Python, to index a history and to find its operations again.

#![allow(missing_docs, clippy::unwrap_used)] // a bench

#[path = "../examples/support/mod.rs"]
mod support;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use durable_core::history::History;
use durable_core::ids::{Ids, operation_id};
use durable_core::page::{state_page, unescape};
use durable_core::status::Status;
use std::hint::black_box;
use support::{Kept, Results, children, index, steps};

/// Look up the operations at these positions of the root; how many are finished.
fn replay(history: &mut History<Kept>, positions: impl Iterator<Item = u64>) -> usize {
    let mut ids = Ids::new("");
    positions
        .filter(|position| {
            let found = history.find(&ids.at(*position));
            found.is_some_and(|slot| slot.source.0.status() == Status::Succeeded)
        })
        .count()
}

fn ids(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ids");
    let prefix = operation_id("", 1).to_string();
    group.bench_function("one", |bencher| {
        bencher.iter(|| operation_id(black_box(&prefix), 7));
    });
    group.throughput(Throughput::Elements(1_000));
    for (name, prefix) in [("in order", prefix.as_str()), ("in order, of the root", "")] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut ids = Ids::new(prefix);
                (1..=1_000).for_each(|position| {
                    black_box(ids.at(position));
                });
            });
        });
    }
    group.finish();
}

fn pages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("page");
    for count in [1, 1_000, 100_000] {
        let page = steps(count, Results::Small);
        group.throughput(Throughput::Elements(count));
        group.bench_with_input(BenchmarkId::new("scan", count), &page, |bencher, page| {
            bencher.iter(|| state_page(black_box(page)).unwrap());
        });
    }
    for (name, page) in [
        ("rich", steps(1_000, Results::Rich)),
        ("children", children(100)),
    ] {
        group.throughput(Throughput::Elements(1_000));
        group.bench_with_input(BenchmarkId::new("scan", name), &page, |bencher, page| {
            bencher.iter(|| state_page(black_box(page)).unwrap());
        });
    }
    let one = steps(1, Results::Small);
    let result = state_page(&one).unwrap().operations[0].result;
    let mut buffer = Vec::new();
    group.throughput(Throughput::Elements(1));
    group.bench_function("undo escapes", |bencher| {
        bencher
            .iter(|| unescape(black_box(result.of(&one).unwrap()), &mut buffer).map(<[u8]>::len));
    });
    group.finish();
}

fn histories(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("history");
    for count in [1_000, 100_000] {
        let page = steps(count, Results::Small);
        let scanned = state_page(&page).unwrap();
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::new("index", count), |bencher| {
            bencher.iter_batched(
                History::default,
                |history| index(history, &scanned),
                BatchSize::LargeInput,
            );
        });
        let mut history = index(History::default(), &scanned);
        group.bench_function(BenchmarkId::new("replay in order", count), |bencher| {
            bencher.iter(|| replay(&mut history, 1..=count));
        });
        group.bench_function(BenchmarkId::new("replay backwards", count), |bencher| {
            bencher.iter(|| replay(&mut history, (1..=count).rev()));
        });
    }
    group.finish();
}

criterion_group!(benches, ids, pages, histories);
criterion_main!(benches);
