//! Pages of history and acknowledgements: whatever the scanner finds in a text that is JSON, the reference finds there.
//!
//! The scanner leaves much unread and never resolves escapes in names, so it may take what is not quite JSON; then only
//! its own promises are checked. Texts with a backslash are left to the target `page_spelling`.
#![no_main]

#[path = "../../core/tests/support/mod.rs"]
mod support;

use durable_core::page::{Scanned, Span, acknowledgement, state_page, text_at, value_at};
use durable_core::status::{Kind, Status, SubType};
use libfuzzer_sys::fuzz_target;
use support::{Value, reference};

fuzz_target!(|bytes: &[u8]| {
    for (nested, scanned) in [(false, state_page(bytes)), (true, acknowledgement(bytes))] {
        let Ok(scanned) = scanned else { continue };
        let text = str::from_utf8(bytes).expect("pages that are no text are refused");
        for operation in &scanned.operations {
            assert!(
                operation
                    .whole
                    .of(bytes)
                    .is_some_and(|whole| whole.starts_with(b"{") && whole.ends_with(b"}"))
            );
            assert!(operation.id_text.of(bytes).is_some_and(|id| !id.is_empty()));
            assert_eq!(
                value_at(bytes, operation.whole.start),
                operation.whole.of(bytes)
            );
            for part in [operation.name, operation.result] {
                let found = text_at(bytes, part.start).map(|(text, _)| text);
                assert_eq!(found, part.of(bytes));
            }
        }
        if !text.contains('\\') {
            if let Some(Value::Map(members)) = reference::json(text, 1_000) {
                compare(bytes, &scanned, &members, nested);
            }
        }
    }
});

type Members = [(Vec<u32>, Value)];

fn compare(page: &[u8], scanned: &Scanned, members: &Members, nested: bool) {
    let states: Vec<&Members> = if nested {
        let inner = |value: &'_ Value| matches!(value, Value::Map(_));
        all(members, "NewExecutionState")
            .filter(|value| inner(value))
            .map(inner_members)
            .collect()
    } else {
        vec![members]
    };
    if nested {
        assert_eq!(
            scanned.token,
            all(members, "CheckpointToken")
                .last()
                .and_then(shown)
                .filter(|token| !token.is_empty())
        );
    }
    let marker = states
        .iter()
        .flat_map(|state| all(state, "NextMarker"))
        .last();
    assert_eq!(
        scanned.next_marker,
        marker.and_then(shown).filter(|marker| !marker.is_empty())
    );

    let mut found = scanned.operations.iter();
    let lists = states.iter().flat_map(|state| all(state, "Operations"));
    for operation in lists.flat_map(|list| {
        if let Value::Array(operations) = list {
            operations.as_slice()
        } else {
            &[]
        }
    }) {
        let found = found.next().expect("every operation is found");
        let members = inner_members(operation);
        let part = |span: Span| {
            span.of(page)
                .map(|part| String::from_utf8_lossy(part).into_owned())
        };
        let last = |name| all(members, name).last().and_then(shown);
        assert_eq!(part(found.id_text), last("Id"));
        assert_eq!(part(found.name), last("Name"));
        assert_eq!(part(found.parent_id), last("ParentId"));
        let word = |name| last(name).unwrap_or_default();
        assert_eq!(Some(found.facts.kind), Kind::parse(word("Type").as_bytes()));
        assert_eq!(
            Some(found.facts.status),
            Status::parse(word("Status").as_bytes())
        );
        assert_eq!(
            found.facts.sub_type,
            SubType::parse(word("SubType").as_bytes())
        );
        let details = || {
            let named = |key: &[u32]| key.ends_with(&support::text("Details"));
            members
                .iter()
                .filter(move |(key, value)| named(key) && matches!(value, Value::Map(_)))
        };
        let inside = |name| {
            details()
                .flat_map(move |(_, value)| all(inner_members(value), name))
                .last()
        };
        assert_eq!(part(found.result), inside("Result").and_then(shown));
        assert_eq!(
            found.facts.replay_children,
            inside("ReplayChildren") == Some(&Value::Bool(true))
        );
    }
    assert!(found.next().is_none(), "nothing is found twice");
}

fn all<'a>(members: &'a Members, name: &str) -> impl Iterator<Item = &'a Value> {
    let name = support::text(name);
    members
        .iter()
        .filter(move |(key, _)| *key == name)
        .map(|(_, value)| value)
}

fn inner_members(value: &Value) -> &Members {
    if let Value::Map(members) = value {
        members
    } else {
        panic!("the scanner takes objects only here: {value:?}")
    }
}

fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Text(points) => points.iter().map(|point| char::from_u32(*point)).collect(),
        _ => None,
    }
}
