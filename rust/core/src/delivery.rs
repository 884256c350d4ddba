//! In which order completions reach concurrent user code: events in, next delivery out.
//!
//! Theory of operation. Concurrent user code sees what finishes first: `asyncio.wait`, `as_completed` and races branch on
//! it. So that a replay sees the same, completions are not delivered as they arrive but one at a time, in an order that
//! history alone gives: the event itself (end time in whole milliseconds, operation id, kind) is the key.
//!
//! What was recorded before the invocation is sorted once and passed by a cursor; what comes later waits in a heap, as does
//! what was passed and put back. An event may be recorded before its operation was started in this run (a replay reaches the
//! operation later). While anything may still start it, the order waits for it. When nothing can, it is set aside and
//! delivered as soon as its operation starts: so replay histories whose stamps do not rise (other services, `def` handlers).
//!
//! Whether something may still start an operation is not known here. So the order is asked in two moves: `top` shows the
//! smallest event that is left, and one of `deliver`, `drop_top` and `set_aside_top` says what becomes of it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::ids::Id;

/// What has happened to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// A callback was created.
    Created = 0,
    /// An operation finished.
    Finished = 1,
}

/// A completion. The order of the fields is the order of delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// When, in milliseconds since the epoch.
    pub ms: i64,
    /// Of which operation.
    pub id: Id,
    /// What.
    pub kind: Kind,
}

/// Which event: an operation has one of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The operation.
    pub id: Id,
    /// What happens to it.
    pub kind: Kind,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Ids are digests: their bits are as good as those of a hash of them.
        state.write_u64(self.id.key() ^ self.kind as u64);
    }
}

/// Hands on what `Key` writes.
#[derive(Debug, Default)]
pub struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}

type Spreading = BuildHasherDefault<Spread>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not delivered.
    Waiting,
    /// Passed over: nothing had started its operation.
    Aside,
    /// Set aside, and started since.
    Late,
    /// Delivered or dropped. The order knows nothing of it any more.
    Gone,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    event: Event,
    state: State,
    listening: bool,
}

/// Where an event is kept, for whoever keeps something beside it. Never given to another event.
pub type Place = u32;

/// The smallest event that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Top {
    /// The event.
    pub event: Event,
    /// Where it is kept.
    pub place: Place,
    /// Whether user code has started its operation.
    pub listening: bool,
}

/// Which completion comes next. Knows no loop, no clock and no promise.
#[derive(Debug, Default)]
pub struct Order {
    entries: Vec<Entry>,
    /// Entries below this were sorted when the order was made.
    sorted: usize,
    /// The first sorted entry that the cursor has not passed.
    cursor: usize,
    waiting: BinaryHeap<Reverse<(Event, Place)>>,
    late: BinaryHeap<Reverse<(Event, Place)>>,
    /// Where events are, those that were sorted only once somebody asks out of turn: a replay asks for one after the other.
    places: HashMap<Key, Place, Spreading>,
    is_complete: bool,
    /// Behind the event that was listened to last.
    guess: usize,
    /// Started operations whose event is not recorded.
    expected: HashSet<Key, Spreading>,
    /// How many waiting events have a listener.
    available: usize,
    aside: usize,
    /// Callbacks of this run: their results may be asked for at any time, or never.
    created: HashSet<Id>,
    last: Option<Event>,
}

impl Order {
    /// An order that begins with what is recorded already. No two events have the same key.
    pub fn new(mut recorded: Vec<Event>) -> Self {
        recorded.sort_unstable();
        Self {
            sorted: recorded.len(),
            entries: recorded
                .into_iter()
                .map(|event| Entry::new(event, false))
                .collect(),
            ..Self::default()
        }
    }

    fn next_place(&self) -> Place {
        // Four billion completions do not fit in memory.
        Place::try_from(self.entries.len()).unwrap_or(Place::MAX)
    }

    /// Where an event is kept that is recorded and not delivered yet.
    #[inline]
    pub fn place(&mut self, key: Key) -> Option<Place> {
        let place = match self.entries.get(self.guess) {
            Some(entry) if entry.event.key() == key && entry.state != State::Gone => {
                Place::try_from(self.guess).ok()?
            }
            _ => self.look_up(key)?,
        };
        (self.entry(place).state != State::Gone).then_some(place)
    }

    fn look_up(&mut self, key: Key) -> Option<Place> {
        if !self.is_complete {
            self.is_complete = true;
            self.places.reserve(self.sorted);
            for (place, entry) in (0..).zip(&self.entries[..self.sorted]) {
                // What was dropped may have been recorded again since.
                self.places.entry(entry.event.key()).or_insert(place);
            }
        }
        self.places.get(&key).copied()
    }

    fn entry(&self, place: Place) -> &Entry {
        &self.entries[place as usize]
    }

    fn entry_mut(&mut self, place: Place) -> &mut Entry {
        &mut self.entries[place as usize]
    }

    /// An operation finished, or a callback was created; the last delivery if this one should have come before it.
    pub fn record(&mut self, event: Event) -> Option<Event> {
        let key = event.key();
        if self.place(key).is_some() {
            return None;
        }
        let place = self.next_place();
        let listening = self.expected.remove(&key);
        self.entries.push(Entry::new(event, listening));
        self.places.insert(key, place);
        self.waiting.push(Reverse((event, place)));
        self.available += usize::from(listening);
        self.last.filter(|last| event < *last)
    }

    /// Whether the event waits for its turn and has a listener.
    pub fn listens(&self, place: Place) -> bool {
        let entry = self.entries.get(place as usize);
        entry.is_some_and(|entry| entry.state == State::Waiting && entry.listening)
    }

    /// User code started the operation: from now on its event can be delivered. Its place, if it is recorded.
    pub fn listen(&mut self, key: Key) -> Option<Place> {
        if key.kind == Kind::Created {
            self.created.insert(key.id);
        }
        let Some(place) = self.place(key) else {
            self.expected.insert(key);
            return None;
        };
        self.guess = place as usize + 1;
        let entry = self.entry_mut(place);
        if !std::mem::replace(&mut entry.listening, true) {
            if entry.state == State::Aside {
                entry.state = State::Late;
                let event = entry.event;
                self.late.push(Reverse((event, place)));
                self.aside -= 1;
            } else {
                self.available += 1;
            }
        }
        Some(place)
    }

    /// Whether some started operation has an event that is not delivered yet.
    pub fn deliverable(&self) -> bool {
        !self.late.is_empty() || self.available > 0
    }

    /// The event of an operation that was started after the event had been set aside: these come first.
    pub fn take_late(&mut self) -> Option<(Event, Place)> {
        let Reverse((event, place)) = self.late.pop()?;
        self.taken(place);
        Some((event, place))
    }

    /// Where the event is kept that `take_late` would give.
    pub fn first_late(&self) -> Option<Place> {
        self.late.peek().map(|Reverse((_, place))| *place)
    }

    /// The smallest event that waits.
    #[inline]
    pub fn top(&mut self) -> Option<Top> {
        while self.cursor < self.sorted && self.entries[self.cursor].state != State::Waiting {
            self.cursor += 1;
        }
        let sorted = self.entries[..self.sorted].get(self.cursor);
        let (event, place) = match (sorted, self.waiting.peek()) {
            (Some(entry), Some(Reverse((event, place)))) if *event < entry.event => {
                (*event, *place)
            }
            (Some(entry), _) => (
                entry.event,
                Place::try_from(self.cursor).unwrap_or(Place::MAX),
            ),
            (None, Some(Reverse((event, place)))) => (*event, *place),
            (None, None) => return None,
        };
        let listening = self.entry(place).listening;
        Some(Top {
            event,
            place,
            listening,
        })
    }

    fn pass(&mut self, top: Top) {
        if self.cursor == top.place as usize && self.cursor < self.sorted {
            self.cursor += 1;
        } else {
            self.waiting.pop();
        }
    }

    /// Deliver the top event.
    #[inline]
    pub fn deliver(&mut self, top: Top) {
        self.pass(top);
        self.available -= usize::from(top.listening);
        self.taken(top.place);
    }

    /// Nobody will start its operation: the top event is dropped.
    pub fn drop_top(&mut self, top: Top) {
        self.pass(top);
        self.entry_mut(top.place).state = State::Gone;
    }

    /// Pass over the top event, whose operation nothing had started.
    pub fn set_aside_top(&mut self, top: Top) {
        self.pass(top);
        self.entry_mut(top.place).state = State::Aside;
        self.aside += 1;
    }

    /// Undo `set_aside_top`: it is not known yet whether the event can be passed over.
    pub fn put_back(&mut self, top: Top) {
        self.entry_mut(top.place).state = State::Waiting;
        self.aside -= 1;
        self.waiting.push(Reverse((top.event, top.place)));
    }

    /// Whether a callback of this run was created under that id.
    pub fn has_created(&self, id: &Id) -> bool {
        self.created.contains(id)
    }

    /// Events that were passed over because nothing had started their operation, smallest first.
    ///
    /// Not those of callbacks that were created: whether and when to ask for a result is the handler's business.
    pub fn set_aside(&self) -> Vec<Event> {
        if self.aside == 0 {
            return Vec::new();
        }
        let aside = self.entries.iter();
        let aside = aside.filter(|entry| entry.state == State::Aside);
        let mut events: Vec<Event> = aside
            .map(|entry| entry.event)
            .filter(|event| !self.created.contains(&event.id))
            .collect();
        events.sort_unstable();
        events
    }

    fn taken(&mut self, place: Place) {
        let entry = self.entry_mut(place);
        entry.state = State::Gone;
        let event = entry.event;
        if self.last.is_none_or(|last| last < event) {
            self.last = Some(event);
        }
    }
}

impl Event {
    /// Which event it is.
    pub fn key(&self) -> Key {
        Key {
            id: self.id,
            kind: self.kind,
        }
    }
}

impl Entry {
    fn new(event: Event, listening: bool) -> Self {
        Self {
            event,
            state: State::Waiting,
            listening,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::operation_id;

    fn event(ms: i64, position: u64, kind: Kind) -> Event {
        Event {
            ms,
            id: operation_id("", position),
            kind,
        }
    }

    /// The order as a list that is searched from end to end.
    #[derive(Default)]
    struct Model {
        known: Vec<Entry>,
        expected: Vec<Key>,
        last: Option<Event>,
    }

    impl Model {
        fn record(&mut self, event: Event) -> Option<Event> {
            if self
                .known
                .iter()
                .any(|entry| entry.event.key() == event.key())
            {
                return None;
            }
            let before = self.expected.len();
            self.expected.retain(|key| *key != event.key());
            self.known
                .push(Entry::new(event, self.expected.len() < before));
            self.last.filter(|last| event < *last)
        }

        fn listen(&mut self, key: Key) {
            match self.known.iter_mut().find(|entry| entry.event.key() == key) {
                Some(entry) => {
                    entry.listening = true;
                    if entry.state == State::Aside {
                        entry.state = State::Late;
                    }
                }
                None if self.expected.contains(&key) => {}
                None => self.expected.push(key),
            }
        }

        fn smallest(&self, state: State) -> Option<Entry> {
            let entries = self.known.iter().filter(|entry| entry.state == state);
            entries.min_by_key(|entry| entry.event).copied()
        }

        fn take(&mut self, event: Event) {
            self.known.retain(|entry| entry.event != event);
            self.last = self.last.max(Some(event));
        }

        fn set(&mut self, event: Event, state: State) {
            for entry in &mut self.known {
                if entry.event == event {
                    entry.state = state;
                }
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Move {
        Record(Event),
        Listen(Key),
        Late,
        Deliver,
        Drop,
        SetAside,
        PassAndPutBack,
    }

    fn events() -> impl Strategy<Value = Event> {
        let kinds = prop_oneof![Just(Kind::Created), Just(Kind::Finished)];
        (0_i64..6, 0_u64..12, kinds).prop_map(|(ms, position, kind)| event(ms, position, kind))
    }

    fn moves() -> impl Strategy<Value = Move> {
        prop_oneof![
            events().prop_map(Move::Record),
            events().prop_map(|event| Move::Listen(event.key())),
            Just(Move::Late),
            Just(Move::Deliver),
            Just(Move::Drop),
            Just(Move::SetAside),
            Just(Move::PassAndPutBack),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_list(
            recorded in prop::collection::vec(events(), 0..20), moves in prop::collection::vec(moves(), 0..80),
        ) {
            let mut model = Model::default();
            for event in recorded {
                model.record(event);
            }
            let mut order = Order::new(model.known.iter().map(|entry| entry.event).collect());
            for next in moves {
                let top = order.top();
                prop_assert_eq!(
                    top.map(|top| (top.event, top.listening)),
                    model.smallest(State::Waiting).map(|entry| (entry.event, entry.listening))
                );
                match (next, top) {
                    (Move::Record(event), _) => prop_assert_eq!(order.record(event), model.record(event)),
                    (Move::Listen(key), _) => {
                        let place = order.listen(key);
                        prop_assert_eq!(place.is_some(), order.place(key).is_some());
                        model.listen(key);
                    }
                    (Move::Late, _) => {
                        let expected = model.smallest(State::Late).map(|entry| entry.event);
                        prop_assert_eq!(order.first_late(), expected.and_then(|event| order.place(event.key())));
                        prop_assert_eq!(order.take_late().map(|taken| taken.0), expected);
                        if let Some(event) = expected {
                            model.take(event);
                        }
                    }
                    (Move::Deliver, Some(top)) => {
                        order.deliver(top);
                        model.take(top.event);
                    }
                    (Move::Drop, Some(top)) if !top.listening => {
                        order.drop_top(top);
                        model.known.retain(|entry| entry.event != top.event);
                    }
                    (Move::SetAside, Some(top)) if !top.listening => {
                        order.set_aside_top(top);
                        model.set(top.event, State::Aside);
                    }
                    (Move::PassAndPutBack, Some(top)) if !top.listening => {
                        order.set_aside_top(top);
                        order.put_back(top);
                    }
                    _ => {}
                }
                let deliverable = model.known.iter().any(|entry| entry.listening);
                prop_assert_eq!(order.deliverable(), deliverable);
                let aside = model.known.iter().filter(|entry| entry.state == State::Aside);
                let mut aside: Vec<Event> = aside
                    .map(|entry| entry.event)
                    .filter(|event| !order.has_created(&event.id))
                    .collect();
                aside.sort_unstable();
                prop_assert_eq!(order.set_aside(), aside);
            }
        }
    }
}
