//! The history of one execution, indexed for a reader that asks in the order in which things were recorded.
//!
//! Theory of operation. Records lie in the order first seen, each with its id as 32 bytes. A replay asks for one operation
//! after the other, and history lists them in nearly the same order: so whoever asks looks first at the record behind the
//! one that was found last, which costs one comparison of bytes that the processor has fetched ahead. All other asks go
//! through a table of places (open addressing, linear probing, at most two thirds full) that holds 32 bits of each id, so
//! that a wrong record is never touched.

use crate::ids::Id;
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

impl Facts {
    /// Whether the service will have news of it by itself: a timer, somebody outside, another function.
    pub fn is_pending(self) -> bool {
        match self.kind {
            Kind::Step => self.status == Status::Pending,
            Kind::Wait | Kind::Callback | Kind::ChainedInvoke => self.status == Status::Started,
            Kind::Execution | Kind::Context => false,
        }
    }
}

/// One record.
#[derive(Debug)]
pub struct Slot<S> {
    /// Its id.
    pub id: Id,
    /// What the index knows.
    pub facts: Facts,
    /// Where the rest is.
    pub source: S,
}

/// All records of one execution, in the order first seen.
#[derive(Debug)]
pub struct History<S> {
    slots: Vec<Slot<S>>,
    /// Behind the record that was found last.
    cursor: usize,
    /// 0 is free; else the upper half of a key above, and the place plus one below.
    table: Vec<u64>,
}

impl<S> Default for History<S> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            cursor: 0,
            table: Vec::new(),
        }
    }
}

const LOW: u64 = 0xffff_ffff;

impl<S> History<S> {
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

    /// Make room for records that are about to come.
    pub fn reserve(&mut self, more: usize) {
        self.slots.reserve(more);
        self.widen(self.slots.len() + more);
    }

    /// Add a record, or replace the one of that id; what was replaced is given back.
    pub fn put(&mut self, id: Id, facts: Facts, source: S) -> Option<(Facts, S)> {
        self.widen(self.slots.len() + 1);
        let free = match self.probe(&id) {
            Ok(place) => {
                let slot = &mut self.slots[place];
                let old = std::mem::replace(&mut slot.facts, facts);
                return Some((old, std::mem::replace(&mut slot.source, source)));
            }
            Err(free) => free,
        };
        self.slots.push(Slot { id, facts, source });
        self.table[free] = (id.key() & !LOW) | self.slots.len() as u64;
        None
    }

    /// The record of that id.
    #[inline]
    pub fn find(&mut self, id: &Id) -> Option<&Slot<S>> {
        let place = self.place(id)?;
        self.cursor = place + 1;
        Some(&self.slots[place])
    }

    /// The record of that id; who replays does not go on from it.
    #[inline]
    pub fn peek(&self, id: &Id) -> Option<&Slot<S>> {
        self.place(id).map(|place| &self.slots[place])
    }

    #[inline]
    fn place(&self, id: &Id) -> Option<usize> {
        match self.slots.get(self.cursor) {
            Some(slot) if slot.id == *id => Some(self.cursor),
            _ if self.table.is_empty() => None,
            _ => self.probe(id).ok(),
        }
    }

    /// The place of a record, or the free cell where it belongs. The table has cells.
    fn probe(&self, id: &Id) -> Result<usize, usize> {
        let mask = self.table.len() - 1;
        let key = id.key();
        let mut cell = first_cell(key, mask);
        loop {
            let held = self.table[cell];
            if held == 0 {
                return Err(cell);
            }
            if held & !LOW == key & !LOW {
                let place = place_in(held);
                if self.slots[place].id == *id {
                    return Ok(place);
                }
            }
            cell = (cell + 1) & mask;
        }
    }

    fn widen(&mut self, records: usize) {
        if records + records / 2 < self.table.len() {
            return;
        }
        let cells = (records + records / 2 + 1).next_power_of_two().max(16);
        self.table.clear();
        self.table.resize(cells, 0);
        let mask = cells - 1;
        for (place, slot) in self.slots.iter().enumerate() {
            let key = slot.id.key();
            let mut cell = first_cell(key, mask);
            while self.table[cell] != 0 {
                cell = (cell + 1) & mask;
            }
            self.table[cell] = (key & !LOW) | (place + 1) as u64;
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the mask keeps fewer bits than any machine has"
)]
#[inline]
fn first_cell(key: u64, mask: usize) -> usize {
    (key as usize) & mask
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "only the lower half is left; four billion records do not fit in memory"
)]
#[inline]
fn place_in(held: u64) -> usize {
    (held & LOW) as usize - 1
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::ids::operation_id;

    const FACTS: Facts = Facts {
        kind: Kind::Step,
        status: Status::Succeeded,
        sub_type: SubType::Step,
        replay_children: false,
        irregular: false,
    };

    #[test]
    fn ids_with_equal_keys_are_told_apart() {
        let mut text = operation_id("", 1).hex();
        let first = Id::of_text(&text);
        text[63] = if text[63] == b'0' { b'1' } else { b'0' };
        let second = Id::of_text(&text);
        assert_eq!(first.key(), second.key());
        let mut history = History::default();
        assert_eq!(history.put(first, FACTS, 1), None);
        assert_eq!(history.put(second, FACTS, 2), None);
        assert_eq!(history.find(&first).map(|slot| slot.source), Some(1));
        assert_eq!(history.find(&second).map(|slot| slot.source), Some(2));
        assert_eq!(history.put(first, FACTS, 3), Some((FACTS, 1)));
        assert_eq!(history.len(), 2);
    }

    #[test]
    fn nothing_is_found_in_nothing() {
        let mut history = History::<()>::default();
        assert!(history.is_empty());
        assert!(history.find(&operation_id("", 1)).is_none());
        assert!(history.peek(&operation_id("", 1)).is_none());
    }

    #[derive(Clone, Debug)]
    enum Move {
        Put(u64, u32),
        Find(u64),
        Peek(u64),
        Reserve(usize),
    }

    fn moves() -> impl Strategy<Value = Move> {
        prop_oneof![
            (1_u64..80, any::<u32>()).prop_map(|(position, value)| Move::Put(position, value)),
            (1_u64..80).prop_map(Move::Find),
            (1_u64..80).prop_map(Move::Peek),
            (0_usize..40).prop_map(Move::Reserve),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_map_that_keeps_order(moves in prop::collection::vec(moves(), 0..200)) {
            let mut history = History::default();
            let mut model = HashMap::new();
            let mut order = Vec::new();
            for next in moves {
                match next {
                    Move::Put(position, value) => {
                        let old = history.put(operation_id("", position), FACTS, value).map(|old| old.1);
                        prop_assert_eq!(old, model.insert(position, value));
                        if old.is_none() {
                            order.push(operation_id("", position));
                        }
                    }
                    Move::Find(position) => {
                        let found = history.find(&operation_id("", position)).map(|slot| slot.source);
                        prop_assert_eq!(found, model.get(&position).copied());
                    }
                    Move::Peek(position) => {
                        let found = history.peek(&operation_id("", position)).map(|slot| slot.source);
                        prop_assert_eq!(found, model.get(&position).copied());
                    }
                    Move::Reserve(more) => history.reserve(more),
                }
            }
            let kept: Vec<_> = history.slots().iter().map(|slot| slot.id).collect();
            prop_assert_eq!(kept, order);
        }
    }
}
