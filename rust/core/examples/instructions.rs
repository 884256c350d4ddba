//! What the core does for one operation, many times over, without Python: for `tools/instructions.py`, which counts.
//!
//! ```text
//! instructions write SHAPE COUNT > FILE
//! instructions run SHAPE FILE
//! ```
//!
//! Input is written by another run than the one that is counted, so that making it up costs nothing.

#![allow(missing_docs)] // a program

#[path = "support/nothing.rs"]
mod nothing;
mod support;

use durable_core::batch::Outbox;
use durable_core::codec::{Scratch, tagged};
use durable_core::history::History;
use durable_core::ids::Ids;
use durable_core::page::{state_page, unescape};
use durable_core::status::Status;
use durable_core::time::{Jitter, exponential_delay, finalized};
use nothing::Nothing;
use std::hint::black_box;
use std::io::Write as _;
use std::process::ExitCode;
use support::{Kept, Results, STEPS_OF_A_CHILD, children, steps};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match &words[..] {
        [word, shape, count] if word == "write" => {
            count.parse().is_ok_and(|count| write(shape, count))
        }
        [word, shape, file] if word == "run" => {
            std::fs::read(file).is_ok_and(|input| run(shape, &input).is_some())
        }
        _ => false,
    };
    ExitCode::from(u8::from(!done))
}

fn write(shape: &str, count: u64) -> bool {
    let input = match shape {
        "scan" | "small" => steps(count, Results::Small),
        "rich" => steps(count, Results::Rich),
        "children" => children(count / (STEPS_OF_A_CHILD + 1)),
        "checkpoints" | "retries" => count.to_string().into_bytes(),
        _ => return false,
    };
    std::io::stdout().write_all(&input).is_ok()
}

fn run(shape: &str, input: &[u8]) -> Option<()> {
    match shape {
        "scan" => {
            black_box(state_page(input).ok()?);
            Some(())
        }
        "small" | "rich" => replay(input, false),
        "children" => replay(input, true),
        "checkpoints" => checkpoints(number(input)?),
        "retries" => retries(number(input)?),
        _ => None,
    }
}

fn number(input: &[u8]) -> Option<u64> {
    std::str::from_utf8(input).ok()?.parse().ok()
}

/// Index a page, then ask for every operation in order of the code, and read each result.
fn replay(page: &[u8], nested: bool) -> Option<()> {
    let scanned = state_page(page).ok()?;
    let count = scanned.operations.len() as u64;
    let mut history = support::index(History::default(), &scanned);
    let mut reader = Reader::default();
    let mut root = Ids::new("");
    if !nested {
        for position in 1..=count {
            reader.recall(&mut history, page, &mut root, position)?;
        }
        return Some(());
    }
    for position in 1..=count / (STEPS_OF_A_CHILD + 1) {
        let id = root.at(position);
        (history.find(&id)?.source.0.status() == Status::Succeeded).then_some(())?;
        let mut inside = Ids::new(&id.to_string());
        for number in 1..=STEPS_OF_A_CHILD {
            reader.recall(&mut history, page, &mut inside, number)?;
        }
    }
    Some(())
}

#[derive(Default)]
struct Reader {
    buffer: Vec<u8>,
    scratch: Scratch,
}

impl Reader {
    fn recall(
        &mut self,
        history: &mut History<Kept>,
        page: &[u8],
        ids: &mut Ids,
        position: u64,
    ) -> Option<()> {
        let (facts, result) = history.find(&ids.at(position))?.source;
        (facts.status() == Status::Succeeded).then_some(())?;
        let result = unescape(result.of(page)?, &mut self.buffer)?;
        tagged::read(result, &mut self.scratch, &mut Nothing).ok()
    }
}

/// Queue updates, take them in requests of the size that is allowed, and have them acknowledged.
fn checkpoints(count: u64) -> Option<()> {
    let mut outbox = Outbox::default();
    let update = br#"{"Id":"1ced8f5be2db23a6513eba4d819c7380","Type":"STEP","Action":"SUCCEED","Payload":"1"}"#;
    let mut settled = 0;
    for ticket in 0..count {
        outbox.push(Some((ticket, update.to_vec())), false);
    }
    while let Some(request) = outbox.next_request() {
        black_box(request.iter().map(|entry| entry.json.len()).sum::<usize>());
        settled += outbox.settle().len() as u64;
    }
    (settled == count).then_some(())
}

/// Delays of retries, with and without jitter.
fn retries(count: u64) -> Option<()> {
    for number in 0..count {
        let attempt = i64::try_from(number % 9).ok()? + 1;
        let delay = exponential_delay(black_box(5.0), 2.0, 300.0, attempt);
        black_box(finalized(Jitter::named("FULL")?.apply(delay, 0.25)));
    }
    Some(())
}
