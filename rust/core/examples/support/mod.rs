//! Histories of finished steps, as the service sends them.

use durable_core::facts::PackedFacts;
use durable_core::history::History;
use durable_core::ids::operation_id;
use durable_core::page::{Scanned, Span};

/// How many steps a child context of `nested` holds.
pub const STEPS_OF_A_CHILD: u64 = 9;

/// What the results of steps look like.
#[derive(Clone, Copy)]
pub enum Results {
    /// A dict of one number.
    Small,
    /// A row with a decimal, a UUID, a moment, and text with escapes.
    Rich,
}

impl Results {
    fn text(self, number: u64) -> String {
        match self {
            Self::Small => {
                format!(r#"{{"t":"m","v":{{"amount":{{"t":"i","v":{number}}}}}}}"#)
            }
            Self::Rich => format!(
                concat!(
                    r#"{{"t":"m","v":{{"id":{{"t":"u","v":"12345678-1234-5678-1234-{:012}"}},"#,
                    r#""total":{{"t":"d","v":"{}.50"}},"#,
                    r#""at":{{"t":"dt","v":"2026-02-28T03:04:05.000678+00:00"}},"#,
                    r#""note":{{"t":"s","v":"Gr\u00fc\u00dfe aus K\u00f6ln, \"fast\""}},"#,
                    r#""tags":{{"t":"l","v":[{{"t":"s","v":"new"}},{{"t":"n","v":null}},{{"t":"b","v":true}}]}}}}}}"#
                ),
                number, number
            ),
        }
    }
}

fn step(id: &str, parent: &str, number: u64, results: Results) -> String {
    let result = results
        .text(number)
        .replace('\\', r"\\")
        .replace('"', r#"\""#);
    format!(
        concat!(
            r#"{{"Id":"{}",{}"Type":"STEP","SubType":"Step","Name":"charge","Status":"SUCCEEDED","#,
            r#""StartTimestamp":1783980131.127,"EndTimestamp":1783980131.227,"#,
            r#""StepDetails":{{"Attempt":1,"Result":"{}"}}}}"#
        ),
        id, parent, result
    )
}

fn page_of(operations: &[String]) -> Vec<u8> {
    format!(
        r#"{{"Operations":[{}],"NextMarker":""}}"#,
        operations.join(",")
    )
    .into_bytes()
}

/// A page of that many finished steps at the root.
pub fn steps(count: u64, results: Results) -> Vec<u8> {
    let step = |position| {
        step(
            &operation_id("", position).to_string(),
            "",
            position,
            results,
        )
    };
    page_of(&(1..=count).map(step).collect::<Vec<_>>())
}

/// A page of that many child contexts, made again from their steps.
pub fn children(count: u64) -> Vec<u8> {
    let child = |position| {
        let id = operation_id("", position).to_string();
        let context = format!(
            concat!(
                r#"{{"Id":"{}","Type":"CONTEXT","SubType":"RunInChildContext","Name":"batch","#,
                r#""Status":"SUCCEEDED","StartTimestamp":1783980131.127,"EndTimestamp":1783980131.227,"#,
                r#""ContextDetails":{{"ReplayChildren":true,"Result":""}}}}"#
            ),
            id
        );
        let parent = format!(r#""ParentId":"{id}","#);
        let inside = |number| {
            let own = operation_id(&id, number).to_string();
            step(&own, &parent, number, Results::Small)
        };
        std::iter::once(context)
            .chain((1..=STEPS_OF_A_CHILD).map(inside))
            .collect::<Vec<_>>()
    };
    page_of(&(1..=count).flat_map(child).collect::<Vec<_>>())
}

/// What is kept of a step: its facts, and where its result stands.
pub type Kept = (PackedFacts, Span);

/// Index a scanned page.
pub fn index(mut history: History<Kept>, scanned: &Scanned) -> History<Kept> {
    history.reserve(scanned.operations.len());
    for operation in &scanned.operations {
        let facts = PackedFacts::new(operation.facts);
        let _ = history.put(operation.id, (facts, operation.result)); // which has room
    }
    history
}
