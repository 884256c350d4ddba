//! The history of one execution, indexed for a reader that asks in the order in which things were recorded.
//!
//! Theory of operation. Records lie in the order first seen, each with its id as 32 bytes. A replay asks for one operation
//! after the other, and history lists them in nearly the same order: so whoever asks looks first at the record behind the
//! one that was found last, which costs one comparison of bytes that the processor has fetched ahead. All other asks go
//! through a hash table of places. Ids are digests, so their first bytes are the hash; what the table keeps of it beside
//! each place lets a wrong record be touched once in a hundred asks.

use std::fmt;
use std::hint::black_box;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::ids::Id;

/// One record.
#[derive(Debug)]
pub struct Slot<S> {
    /// Its id.
    pub id: Id,
    /// What is kept of it.
    pub source: S,
}

/// All records of one execution, in the order first seen.
pub struct History<S> {
    slots: Vec<Slot<S>>,
    /// Behind the record that was found last.
    cursor: usize,
    /// Places in `slots`.
    table: HashTable<u32>,
    /// How many records there may be.
    most: usize,
}

/// Places are kept in 32 bits; the highest number is left to those who want to say "nowhere".
pub const MOST_RECORDS: usize = u32::MAX as usize;

/// The table of fewer records is in the processor's own caches, as a rule.
const BEYOND_CACHES: usize = 1 << 16;

impl<S> Default for History<S> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            cursor: 0,
            table: HashTable::new(),
            most: MOST_RECORDS,
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for History<S> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.slots.fmt(out)
    }
}

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
        let slots = &self.slots;
        self.table
            .reserve(more, |place| slots[*place as usize].id.key());
    }

    /// Fetch what is looked at when these ids are put. In a large history their places in the table lie far apart, and the
    /// processor waits for several of them at once where nothing else has to be done in between.
    pub fn expect<'a>(&self, ids: impl Iterator<Item = &'a Id>) {
        if self.slots.len() >= BEYOND_CACHES {
            for id in ids {
                black_box(self.table.find(id.key(), |_| false).is_some());
            }
        }
    }

    /// Add a record, or replace the one of that id. Gives back its place and what was replaced, or, where there are
    /// `MOST_RECORDS` already, what was to be added.
    pub fn put(&mut self, id: Id, source: S) -> Result<(u32, Option<S>), S> {
        let slots = &mut self.slots;
        let entry = self.table.entry(
            id.key(),
            |place| slots[*place as usize].id == id,
            |place| slots[*place as usize].id.key(),
        );
        match entry {
            Entry::Occupied(found) => {
                let place = *found.get();
                let old = std::mem::replace(&mut slots[place as usize].source, source);
                Ok((place, Some(old)))
            }
            Entry::Vacant(free) => match u32::try_from(slots.len()) {
                Ok(place) if slots.len() < self.most => {
                    free.insert(place);
                    slots.push(Slot { id, source });
                    Ok((place, None))
                }
                _ => Err(source),
            },
        }
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
            _ => self
                .table
                .find(id.key(), |place| self.slots[*place as usize].id == *id)
                .map(|place| *place as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::ids::operation_id;

    #[test]
    fn ids_with_equal_keys_are_told_apart() {
        let mut text = operation_id("", 1).hex();
        let first = Id::of_text(&text);
        text[63] = if text[63] == b'0' { b'1' } else { b'0' };
        let second = Id::of_text(&text);
        assert_eq!(first.key(), second.key());
        let mut history = History::default();
        assert_eq!(history.put(first, 1), Ok((0, None)));
        assert_eq!(history.put(second, 2), Ok((1, None)));
        assert_eq!(history.find(&first).map(|slot| slot.source), Some(1));
        assert_eq!(history.find(&second).map(|slot| slot.source), Some(2));
        assert_eq!(history.put(first, 3), Ok((0, Some(1))));
        assert_eq!(history.len(), 2);
    }

    #[test]
    fn nothing_is_found_in_nothing() {
        let mut history = History::<()>::default();
        assert!(history.is_empty());
        assert!(history.find(&operation_id("", 1)).is_none());
        assert!(history.peek(&operation_id("", 1)).is_none());
    }

    #[test]
    fn ids_may_be_expected_in_a_history_of_any_size() {
        let mut ids = crate::ids::Ids::new("");
        let mut history = History::default();
        let count = BEYOND_CACHES as u64 + 100;
        for first in (1..count).step_by(16) {
            let group: Vec<_> = (first..first + 16).map(|at| ids.at(at)).collect();
            history.expect(group.iter());
            for (id, position) in group.into_iter().zip(first..) {
                assert!(
                    history
                        .put(id, position)
                        .is_ok_and(|(_, old)| old.is_none())
                );
            }
        }
        for position in [1, count / 2, count - 1] {
            let found = history.peek(&operation_id("", position));
            assert_eq!(found.map(|slot| slot.source), Some(position));
        }
    }

    #[test]
    fn a_full_history_gives_back_what_it_cannot_take() {
        let id = |position| operation_id("", position);
        let mut history = History {
            most: 2,
            ..History::default()
        };
        assert_eq!(history.put(id(1), "a"), Ok((0, None)));
        assert_eq!(history.put(id(2), "b"), Ok((1, None)));
        assert_eq!(history.put(id(3), "c"), Err("c"));
        assert!(history.find(&id(3)).is_none());
        assert_eq!(history.put(id(2), "d"), Ok((1, Some("b"))));
        assert_eq!(history.find(&id(2)).map(|slot| slot.source), Some("d"));
        assert_eq!(history.len(), 2);
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
                        let put = history.put(operation_id("", position), value);
                        let old = model.insert(position, value);
                        if old.is_none() {
                            order.push(operation_id("", position));
                        }
                        let place = order.iter().position(|id| *id == operation_id("", position)).unwrap();
                        prop_assert_eq!(put, Ok((u32::try_from(place).unwrap(), old)));
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
