//! The history of one execution, indexed for a reader that asks in the order in which things were recorded.
//!
//! Theory of operation. A replay asks for one operation after the other, and history lists them in nearly the same
//! order. So a cursor looks at the next record first. What it has to pass over goes into a map by the first 64 bits of
//! the id; ids are always compared whole before a record is believed to be the one. Only when something asks out of
//! order (a record by its id, an update from the service) is the map made complete.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::ids::{Id, key_of};
use crate::status::{Kind, Status, SubType};

/// What the index knows of an operation without looking into its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub status: Status,
    /// Which construct made it.
    pub sub_type: SubType,
    /// Its result is to be made again from its children.
    pub replay_children: bool,
    /// It was recorded in a form that only the complete reader understands.
    pub irregular: bool,
}

/// Where a record comes from: a Python object, a slice of a page.
pub trait Source {
    /// Whether the record has exactly this id.
    fn has_id(&self, id: &[u8]) -> bool;
}

/// One record.
#[derive(Debug)]
pub struct Slot<S> {
    key: u64,
    /// The next slot with the same key, if any.
    twin: u32,
    /// What the index knows.
    pub facts: Facts,
    /// Where the rest is.
    pub source: S,
}

const NONE: u32 = u32::MAX;

/// Keys are hashes already.
#[derive(Default)]
struct Verbatim(u64);

impl Hasher for Verbatim {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

type Map = HashMap<u64, u32, BuildHasherDefault<Verbatim>>;

/// All records of one execution, in the order first seen.
#[derive(Debug)]
pub struct History<S> {
    slots: Vec<Slot<S>>,
    cursor: usize,
    map: Map,
    complete: bool,
}

impl<S> Default for History<S> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            cursor: 0,
            map: Map::default(),
            complete: false,
        }
    }
}

impl<S: Source> History<S> {
    /// How many records there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// All records, in the order first seen.
    pub fn slots(&self) -> &[Slot<S>] {
        &self.slots
    }

    /// One record by its place.
    pub fn slot(&self, place: usize) -> &Slot<S> {
        &self.slots[place]
    }

    /// Make room for records that are about to come.
    pub fn reserve(&mut self, more: usize) {
        self.slots.reserve(more);
    }

    /// Add a record, or replace the one of that id; what was replaced is given back.
    pub fn put(&mut self, id: &[u8], facts: Facts, source: S) -> Option<S> {
        let key = key_of(id);
        if self.cursor > 0 || !self.map.is_empty() {
            self.index_all();
        }
        if self.complete {
            if let Some(place) = self.mapped(key, id) {
                let slot = &mut self.slots[place];
                slot.facts = facts;
                return Some(std::mem::replace(&mut slot.source, source));
            }
        }
        self.slots.push(Slot {
            key,
            twin: NONE,
            facts,
            source,
        });
        if self.complete {
            self.map_slot(self.slots.len() - 1);
        }
        None
    }

    /// Look records up by id from now on: after the first page, ids may come again.
    pub fn index_all(&mut self) {
        if self.complete {
            return;
        }
        self.map.clear();
        self.map.reserve(self.slots.len());
        for place in 0..self.slots.len() {
            self.slots[place].twin = NONE;
            self.map_slot(place);
        }
        self.complete = true;
    }

    /// The place of the record that a replay asks for next; the cursor moves past it.
    pub fn next(&mut self, id: &Id) -> Option<usize> {
        let place = self.seek(id)?;
        if place == self.cursor {
            self.cursor += 1;
        }
        Some(place)
    }

    /// Whether there is a record at the id that a replay will ask for next.
    pub fn is_next(&mut self, id: &Id) -> bool {
        self.seek(id).is_some()
    }

    /// The place of a record, whenever asked.
    pub fn find(&mut self, id: &[u8]) -> Option<usize> {
        self.index_all();
        self.mapped(key_of(id), id)
    }

    /// The place of a record by the key of its id alone: good enough to ask where a context lies.
    pub fn by_key(&self, key: u64) -> Option<usize> {
        match self.map.get(&key) {
            Some(&place) => Some(place as usize),
            None if self.complete => None,
            None => self.slots.iter().position(|slot| slot.key == key),
        }
    }

    fn seek(&mut self, id: &Id) -> Option<usize> {
        if let Some(slot) = self.slots.get(self.cursor) {
            if slot.key == id.key && slot.source.has_id(&id.hex) {
                return Some(self.cursor);
            }
        }
        if let Some(place) = self.mapped(id.key, &id.hex) {
            return Some(place);
        }
        if self.complete {
            return None;
        }
        while let Some(slot) = self.slots.get(self.cursor) {
            if slot.key == id.key && slot.source.has_id(&id.hex) {
                return Some(self.cursor);
            }
            self.map_slot(self.cursor);
            self.cursor += 1;
        }
        None
    }

    fn mapped(&self, key: u64, id: &[u8]) -> Option<usize> {
        let mut place = *self.map.get(&key)?;
        while place != NONE {
            let slot = &self.slots[place as usize];
            if slot.source.has_id(id) {
                return Some(place as usize);
            }
            place = slot.twin;
        }
        None
    }

    fn map_slot(&mut self, place: usize) {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "a history of four billion records does not fit in memory"
        )]
        let number = place as u32;
        let slot = &mut self.slots[place];
        let before = self.map.insert(slot.key, number);
        slot.twin = before.filter(|&twin| twin != number).unwrap_or(NONE);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap as Model;

    use proptest::prelude::*;

    use super::*;
    use crate::ids::operation_id;

    #[derive(Debug, Clone, PartialEq)]
    struct Plain(Vec<u8>, u32);

    impl Source for Plain {
        fn has_id(&self, id: &[u8]) -> bool {
            self.0 == id
        }
    }

    const FACTS: Facts = Facts {
        kind: Kind::Step,
        status: Status::Succeeded,
        sub_type: SubType::Step,
        replay_children: false,
        irregular: false,
    };

    fn history(positions: &[u64]) -> History<Plain> {
        let mut history = History::default();
        for &position in positions {
            let id = operation_id("", position).hex.to_vec();
            history.put(&id, FACTS, Plain(id.clone(), 0));
        }
        history
    }

    #[test]
    fn ids_with_equal_keys_are_told_apart() {
        let mut first = operation_id("", 1).hex.to_vec();
        let second = first.clone();
        first[63] = if first[63] == b'0' { b'1' } else { b'0' };
        let mut history = History::default();
        history.put(&first, FACTS, Plain(first.clone(), 1));
        history.put(&second, FACTS, Plain(second.clone(), 2));
        assert_eq!(history.find(&first), Some(0));
        assert_eq!(history.find(&second), Some(1));
        assert_eq!(
            history.put(&first, FACTS, Plain(first.clone(), 3)),
            Some(Plain(first.clone(), 1))
        );
        assert_eq!(history.len(), 2);
    }

    proptest! {
        #[test]
        fn asks_in_any_order_find_what_a_map_finds(
            recorded in prop::collection::hash_set(1_u64..60, 0..50),
            asked in prop::collection::vec((1_u64..70, 0_u8..4), 0..120),
        ) {
            let recorded: Vec<u64> = recorded.into_iter().collect();
            let model: Model<u64, usize> = recorded.iter().enumerate().map(|(place, &p)| (p, place)).collect();
            let mut history = history(&recorded);
            let mut taken = std::collections::HashSet::new();
            for (position, how) in asked {
                let id = operation_id("", position);
                let expected = model.get(&position).copied();
                match how {
                    0 => prop_assert_eq!(history.find(&id.hex), expected),
                    // A replay asks for each position once.
                    1 if taken.insert(position) => prop_assert_eq!(history.next(&id), expected),
                    2 if !taken.contains(&position) => prop_assert_eq!(history.is_next(&id), expected.is_some()),
                    _ => {}
                }
            }
        }

        #[test]
        fn updates_replace_or_append(updates in prop::collection::vec((1_u64..20, any::<u32>()), 1..60)) {
            let mut history = history(&[1, 2, 3]);
            history.index_all();
            let mut model: Model<u64, u32> = [(1, 0), (2, 0), (3, 0)].into();
            for (position, value) in updates {
                let id = operation_id("", position).hex.to_vec();
                let old = history.put(&id, FACTS, Plain(id.clone(), value)).map(|plain| plain.1);
                prop_assert_eq!(old, model.insert(position, value));
            }
            prop_assert_eq!(history.len(), model.len());
            for (position, value) in model {
                let place = history.find(&operation_id("", position).hex);
                prop_assert_eq!(place.map(|place| history.slot(place).source.1), Some(value));
            }
        }
    }
}
