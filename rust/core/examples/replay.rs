//! Index a page of finished steps and replay it, without Python: a program for counting instructions.
//!
//! ```text
//! cargo build --release --example replay
//! for steps in 1000 11000; do
//!     target/release/examples/replay page $steps > page-$steps.json
//!     valgrind --tool=callgrind target/release/examples/replay page-$steps.json
//! done
//! ```
//!
//! The difference of the two totals, divided by that of the steps, is the number of instructions per operation.

mod support;

use durable_core::history::History;
use durable_core::page::{state_page, unescape};
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match &words[..] {
        [word, steps] if word == "page" => write(steps),
        [file] => std::fs::read(file).is_ok_and(|page| replay(&page)),
        _ => false,
    };
    ExitCode::from(u8::from(!done))
}

fn write(steps: &str) -> bool {
    let page = steps.parse().map(support::page);
    page.is_ok_and(|page| std::io::stdout().write_all(&page).is_ok())
}

fn replay(page: &[u8]) -> bool {
    let Ok(scanned) = state_page(page) else {
        return false;
    };
    let steps = scanned.operations.len() as u64;
    let mut history = support::index(History::default(), &scanned);
    let finished = support::replay(&mut history, 1..=steps) as u64;
    let mut buffer = Vec::new();
    let mut results = history
        .slots()
        .iter()
        .map(|slot| slot.source.of(page).unwrap_or_default());
    finished == steps && results.all(|result| unescape(result, &mut buffer).is_some())
}
