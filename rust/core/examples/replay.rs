//! Index a page of finished steps and replay it, without Python: a program for counting instructions.
//!
//! ```text
//! cargo build --release --example replay
//! valgrind --tool=callgrind target/release/examples/replay 10000
//! ```
//!
//! Run it with two counts and divide the difference of the totals by that of the counts: instructions per operation.

mod support;

use durable_core::history::History;
use durable_core::page::{state_page, unescape};
use std::process::ExitCode;

fn main() -> ExitCode {
    let count = std::env::args().nth(1).and_then(|word| word.parse().ok());
    let Some(count) = count else {
        return ExitCode::from(2);
    };
    let page = support::page(count);
    let Ok(scanned) = state_page(&page) else {
        return ExitCode::FAILURE;
    };
    let mut history = support::index(History::default(), &scanned);
    let finished = support::replay(&mut history, 1..=count);
    let mut buffer = Vec::new();
    let results = history
        .slots()
        .iter()
        .map(|slot| slot.source.of(&page).unwrap_or_default());
    let readable = results
        .filter(|result| unescape(result, &mut buffer).is_some())
        .count();
    ExitCode::from(u8::from(finished != readable || finished as u64 != count))
}
