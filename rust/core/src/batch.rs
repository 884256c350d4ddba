//! The outbox: what is queued, what is in flight, what is acknowledged.
//!
//! Strictly first in, first out. A request takes what is queued up to 250 entries and 768,000 bytes; an entry that is
//! larger than that alone still goes out, in a request of its own, since no later request could take it better. Empty
//! checkpoints ask for news without an update; the first of a request counts as an entry, further ones ride free.
//!
//! At most one request is in flight. Tickets number the entries; they settle in order.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::ids::Id;
use crate::status::{Action, Kind};

/// Most entries of one request.
pub const MAX_ENTRIES: usize = 250;
/// Most bytes of updates in one request.
pub const MAX_BYTES: usize = 750 * 1024;

/// One queued update, or an empty checkpoint.
#[derive(Debug)]
pub struct Entry<U> {
    /// Its number.
    pub ticket: u64,
    /// Its wire JSON; empty for an empty checkpoint.
    pub json: Vec<u8>,
    /// It ends the execution.
    pub ends_execution: bool,
    /// Whatever the caller wants back with the request.
    pub update: Option<U>,
}

/// Queue and request in flight.
#[derive(Debug)]
pub struct Outbox<U> {
    queue: VecDeque<Entry<U>>,
    in_flight: Vec<Entry<U>>,
    next_ticket: u64,
    settled: u64,
}

impl<U> Default for Outbox<U> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            in_flight: Vec::new(),
            next_ticket: 1,
            settled: 0,
        }
    }
}

impl<U> Outbox<U> {
    /// Queue an update, or an empty checkpoint; the ticket to wait for.
    pub fn push(&mut self, update: Option<(U, Vec<u8>)>, ends_execution: bool) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let (update, json) =
            update.map_or((None, Vec::new()), |(update, json)| (Some(update), json));
        self.queue.push_back(Entry {
            ticket,
            json,
            ends_execution,
            update,
        });
        ticket
    }

    /// How many entries wait for a request.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// The entries of the request that is on its way; empty if none is.
    pub fn in_flight(&self) -> &[Entry<U>] {
        &self.in_flight
    }

    /// The highest ticket that is acknowledged.
    pub fn settled(&self) -> u64 {
        self.settled
    }

    /// Put the next request on its way; None if nothing is queued, or one is on its way already.
    pub fn next_request(&mut self) -> Option<&[Entry<U>]> {
        if !self.in_flight.is_empty() || self.queue.is_empty() {
            return None;
        }
        let (mut bytes, mut entries, mut has_empty) = (0, 0, false);
        while let Some(entry) = self.queue.front() {
            let is_empty = entry.update.is_none();
            let counts = usize::from(!is_empty || !has_empty);
            let fits = bytes + entry.json.len() <= MAX_BYTES && entries + counts <= MAX_ENTRIES;
            // Nothing but empty checkpoints so far: an entry too large for any request goes out with them.
            if !fits && bytes > 0 {
                break;
            }
            if entries + counts > MAX_ENTRIES {
                break;
            }
            bytes += entry.json.len();
            entries += counts;
            has_empty |= is_empty;
            self.in_flight.extend(self.queue.pop_front());
        }
        Some(&self.in_flight)
    }

    /// The request in flight is acknowledged; its entries are given back to be dropped.
    pub fn settle(&mut self) -> Vec<Entry<U>> {
        if let Some(last) = self.in_flight.last() {
            self.settled = last.ticket;
        }
        std::mem::take(&mut self.in_flight)
    }

    /// Forget the request in flight and all that is queued.
    pub fn discard(&mut self) -> (Vec<Entry<U>>, VecDeque<Entry<U>>) {
        (
            std::mem::take(&mut self.in_flight),
            std::mem::take(&mut self.queue),
        )
    }
}

/// Which operations lie in contexts that have ended: their updates have no place in history any more.
///
/// An operation is an orphan if any context around it has ended in this invocation. Where contexts lie is learnt from
/// their own updates, and asked of history for those begun earlier.
#[derive(Debug, Default)]
pub struct Orphans {
    parents: HashMap<Id, Id>,
    ended: HashSet<Id>,
}

/// Contexts are not nested deeper than this; a longer chain of parents is a circle in a corrupt history.
const MAX_NESTING: usize = 10_000;

impl Orphans {
    /// An operation is about to be updated; whether it may be.
    ///
    /// `recorded_parent` tells the parent of a context from history.
    pub fn admit(
        &mut self,
        id: Id,
        parent: Option<Id>,
        kind: Kind,
        action: Action,
        recorded_parent: impl Fn(&Id) -> Option<Id>,
    ) -> bool {
        if !self.ended.is_empty() {
            let outwards = |context: &Id| {
                let parent = self.parents.get(context).copied();
                parent.or_else(|| recorded_parent(context))
            };
            if std::iter::successors(parent, outwards)
                .take(MAX_NESTING)
                .any(|context| self.ended.contains(&context))
            {
                return false;
            }
        }
        if kind == Kind::Context {
            if let Some(parent) = parent {
                self.parents.insert(id, parent);
            }
            if matches!(action, Action::Succeed | Action::Fail) {
                self.ended.insert(id);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sizes(outbox: &mut Outbox<()>) -> Vec<usize> {
        let mut sizes = Vec::new();
        while let Some(request) = outbox.next_request() {
            sizes.push(request.len());
            outbox.settle();
        }
        sizes
    }

    #[test]
    fn the_first_empty_checkpoint_counts() {
        let mut outbox = Outbox::default();
        for _ in 0..300 {
            outbox.push(None, false);
        }
        for _ in 0..250 {
            outbox.push(Some(((), vec![b'x'])), false);
        }
        assert_eq!(sizes(&mut outbox), [300 + 249, 1]);
    }

    #[test]
    fn what_is_too_large_goes_alone() {
        let mut outbox = Outbox::default();
        for size in [10, MAX_BYTES + 1, 10, MAX_BYTES] {
            outbox.push(Some(((), vec![b'x'; size])), false);
        }
        assert_eq!(sizes(&mut outbox), [1, 1, 1, 1]);
    }

    #[test]
    fn descendants_of_an_ended_context_are_orphans() {
        let mut orphans = Orphans::default();
        let [a, b, c, d, old] = [b"a", b"b", b"c", b"d", b"o"].map(|text| Id::of_text(text));
        let nowhere = |_: &Id| None;
        let mut admit = |id, parent, kind, action| orphans.admit(id, parent, kind, action, nowhere);
        assert!(admit(a, None, Kind::Context, Action::Start));
        assert!(admit(b, Some(a), Kind::Context, Action::Start));
        assert!(admit(c, Some(b), Kind::Step, Action::Start));
        assert!(admit(a, None, Kind::Context, Action::Succeed));
        assert!(!admit(c, Some(b), Kind::Step, Action::Succeed));
        assert!(!admit(d, Some(a), Kind::Step, Action::Start));
        assert!(!admit(b, Some(a), Kind::Context, Action::Succeed));
        assert!(admit(d, None, Kind::Step, Action::Start));
        let recorded = |context: &Id| (*context == old).then_some(a);
        assert!(!orphans.admit(c, Some(old), Kind::Step, Action::Start, recorded));
        let circle = |context: &Id| Some(if *context == old { d } else { old });
        assert!(orphans.admit(c, Some(old), Kind::Step, Action::Start, circle));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_order_is_kept(
            entries in prop::collection::vec(prop::option::of(0_usize..400_000), 0..40),
        ) {
            let mut outbox = Outbox::default();
            let tickets: Vec<u64> = entries
                .iter()
                .map(|size| outbox.push(size.map(|size| ((), vec![b'x'; size.max(1)])), false))
                .collect();
            let mut sent = Vec::new();
            while let Some(request) = outbox.next_request() {
                let bytes: usize = request.iter().map(|entry| entry.json.len()).sum();
                let updates = request.iter().filter(|entry| entry.update.is_some()).count();
                prop_assert!(bytes <= MAX_BYTES || updates == 1);
                prop_assert!(updates <= MAX_ENTRIES);
                sent.extend(request.iter().map(|entry| entry.ticket));
                prop_assert!(outbox.next_request().is_none());
                outbox.settle();
                prop_assert_eq!(Some(&outbox.settled()), sent.last());
            }
            prop_assert_eq!(sent, tickets);
        }
    }
}
