//! Histories of finished steps, as the service sends them.

use durable_core::history::History;
use durable_core::ids::{Ids, operation_id};
use durable_core::page::{Scanned, Span};
use durable_core::status::Status;

/// A page of that many finished steps at the root.
pub fn page(count: u64) -> Vec<u8> {
    let step = |position| {
        format!(
            concat!(
                r#"{{"Id":"{}","Type":"STEP","SubType":"Step","Name":"charge","Status":"SUCCEEDED","#,
                r#""StartTimestamp":1783980131.127,"EndTimestamp":1783980131.227,"#,
                r#""StepDetails":{{"Attempt":1,"Result":"{{\"t\":\"m\",\"v\":{{\"amount\":{{\"t\":\"i\",\"v\":{}}}}}}}"}}}}"#
            ),
            operation_id("", position),
            position
        )
    };
    let steps: Vec<String> = (1..=count).map(step).collect();
    format!(r#"{{"Operations":[{}],"NextMarker":""}}"#, steps.join(",")).into_bytes()
}

/// Index a scanned page.
pub fn index(mut history: History<Span>, scanned: &Scanned) -> History<Span> {
    history.reserve(scanned.operations.len());
    for operation in &scanned.operations {
        history.put(operation.id, operation.facts, operation.result);
    }
    history
}

/// Look up the operations at these positions of the root; how many are finished.
pub fn replay(history: &mut History<Span>, positions: impl Iterator<Item = u64>) -> usize {
    let mut ids = Ids::new("");
    positions
        .filter(|position| {
            let found = history.find(&ids.at(*position));
            found.is_some_and(|slot| slot.facts.status == Status::Succeeded)
        })
        .count()
}
