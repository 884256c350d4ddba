//! What `Deliveries` does for a promise, from its making to its settling. See there.

use std::cell::RefCell;
use std::collections::HashSet;

use durable_core::delivery::{Event, Key, Kind, Order, Place};
use durable_core::history::Slot;
use durable_core::ids::Id;
use durable_core::status;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet, PyString};

use crate::deliveries::Deliveries;
use crate::journal::Journal;
use crate::promise::Getter;
use crate::scope::{Attempted, Scope};
use crate::source::{Origin, Whole};

/// A finished operation that was started: who hears of its completion, and what.
pub enum Answer {
    /// User code, through a promise that is settled.
    Promise {
        promise: Py<PyAny>,
        value: Py<PyAny>,
    },
    /// The driver, which is called.
    Listener {
        listener: Py<PyAny>,
        event: Py<PyAny>,
    },
}

impl Answer {
    /// The promise, if user code has one.
    pub fn promise(&self) -> Option<&Py<PyAny>> {
        match self {
            Self::Promise { promise, .. } => Some(promise),
            Self::Listener { .. } => None,
        }
    }
}

/// The task that called last, and where its operations number.
pub struct Caller {
    pub task: Py<PyAny>,
    pub context: Py<PyAny>,
    pub scope: Py<Scope>,
}

#[derive(Default)]
pub struct State {
    pub order: Order,
    /// Contexts that nothing is started in any more.
    pub left: HashSet<Id>,
    /// By the place of the event.
    pub answers: Vec<Option<Answer>>,
    pub caller: Option<Caller>,
    /// The `Run`; None once the invocation has ended.
    pub run: Option<Py<PyAny>>,
    /// Tasks that are being made: their code may run before they exist.
    pub starting: usize,
}

/// The loop as far as it tells whether user code could notice that a promise is settled at once.
pub struct Surroundings {
    pub event_loop: Py<PyAny>,
    pub current_tasks: Py<PyDict>,
    pub must_cancel: Getter,
    pub ready: Py<PyAny>,
    pub belongs: Py<PyAny>,
    pub deadlines: Py<PyList>,
    pub tasks: Py<PySet>,
    pub bodies: Py<PySet>,
}

thread_local! {
    /// The invocation that runs on this thread's loop.
    pub static CURRENT: RefCell<Option<Py<Deliveries>>> = const { RefCell::new(None) };
}

/// Somebody awaits a promise that `Deliveries` has made: settle it now if nobody can tell.
pub fn awaited(promise: &Bound<'_, PyAny>, place: Place) -> PyResult<()> {
    let py = promise.py();
    let current = CURRENT.with(|current| Some(current.borrow().as_ref()?.clone_ref(py)));
    match current {
        Some(current) => current.get().awaited(promise, place),
        None => Ok(()),
    }
}

/// What `next` found.
pub enum Found {
    Nothing,
    Answered(Answer),
    Elsewhere(Event),
    /// The smallest event belongs to an operation that nobody has started; may it still be?
    Open(Event),
}

impl State {
    /// User code has started a finished operation: where its event is.
    pub fn expect(&mut self, id: Id) -> Place {
        let kind = Kind::Finished;
        loop {
            if let Some(place) = self.order.listen(Key { id, kind }) {
                return place;
            }
            // Its event was dropped together with the context that it lies in.
            self.order.record(Event { ms: 0, id, kind });
        }
    }

    /// Keep who hears of an event; whoever was kept there is to be dropped by the caller.
    pub fn keep(&mut self, place: Place, answer: Answer) -> Option<Answer> {
        let at = place as usize;
        if self.answers.len() <= at {
            self.answers.resize_with(at + 1, || None);
        }
        self.answers[at].replace(answer)
    }

    pub fn answer(&mut self, place: Place) -> Option<Answer> {
        self.answers.get_mut(place as usize)?.take()
    }

    pub fn found(&mut self, event: Event, place: Place) -> Found {
        match self.answer(place) {
            Some(answer) => Found::Answered(answer),
            None => Found::Elsewhere(event),
        }
    }
}

impl Deliveries {
    /// The lane: a promise of the operation that comes next, if it is finished and a replay could repeat the call.
    #[inline]
    pub fn promised(
        &self,
        attempted: Attempted,
        context: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Py<PyAny>>> {
        let py = name.py();
        if !self.is_current() {
            return Ok(None); // another thread
        }
        let caller = self.state.with(py, |state| {
            let caller = state.caller.as_ref()?;
            let same = caller.context.as_ptr() == context.as_ptr() && state.run.is_some();
            same.then(|| (caller.task.as_ptr(), caller.scope.clone_ref(py)))
        });
        let Some((task, scope)) = caller else {
            return Ok(None);
        };
        if self.current_task(py)?.map(|current| current.as_ptr()) != Some(task)
            || !self.around.deadlines.bind(py).is_empty()
        {
            return Ok(None);
        }
        let Some((id, value)) = scope.get().answer(attempted, name)? else {
            return Ok(None);
        };
        let promise = self.maker.make(py, id)?;
        let answer = Answer::Promise {
            promise: promise.clone().unbind(),
            value,
        };
        let (place, replaced) = self.state.with(py, |state| {
            let place = state.expect(id);
            (place, state.keep(place, answer))
        });
        drop(replaced);
        self.maker.put(&promise, place);
        Ok(Some(promise.unbind()))
    }

    #[inline]
    pub fn current_task<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let tasks = self.around.current_tasks.bind(py);
        Ok(tasks
            .get_item(self.around.event_loop.bind(py))?
            .filter(|task| !task.is_none()))
    }

    /// Whether this thread's loop runs the invocation.
    #[inline]
    pub fn is_current(&self) -> bool {
        CURRENT.with(|current| {
            let current = current.borrow();
            current
                .as_ref()
                .is_some_and(|current| std::ptr::eq(current.get(), self))
        })
    }

    pub fn awaited(&self, promise: &Bound<'_, PyAny>, place: Place) -> PyResult<()> {
        let py = promise.py();
        let around = &self.around;
        let (waits, run) = self.state.with(py, |state| {
            let answer = state.answers.get(place as usize).and_then(Option::as_ref);
            let waits = answer
                .and_then(Answer::promise)
                .is_some_and(|kept| kept.as_ptr() == promise.as_ptr());
            (
                waits && state.starting == 0,
                state.run.as_ref().map(|run| run.clone_ref(py)),
            )
        });
        let Some(run) = run.filter(|_| waits) else {
            return Ok(());
        };
        let Some(task) = self.current_task(py)? else {
            return Ok(());
        };
        if !self.is_of(&run, py)? {
            return Ok(());
        }
        if !around.deadlines.bind(py).is_empty() {
            run.call_method1(py, intern!(py, "refuse_deadline"), (&task,))?;
        }
        if around.ready.bind(py).len()? > 0
            || self.maker.is_heard(promise)?
            || around.must_cancel.get(&task)?.is_truthy()?
        {
            return Ok(());
        }
        let alone = around.tasks.bind(py).len() <= 1 && around.bodies.bind(py).is_empty();
        let answer = self.state.with(py, |state| {
            let taken = take(py, &self.journal, state, place, !alone);
            if taken { state.answer(place) } else { None }
        });
        match answer {
            Some(Answer::Promise { value, .. }) => self.maker.settle(promise, value.bind(py)),
            _ => Ok(()),
        }
    }

    /// Whether the running code is of this invocation.
    pub fn is_of(&self, run: &Py<PyAny>, py: Python<'_>) -> PyResult<bool> {
        let mut value = std::ptr::null_mut();
        // SAFETY: `belongs` is a context variable, as the constructor has seen; without a default given, its own is taken.
        let failed = unsafe {
            ffi::PyContextVar_Get(
                self.around.belongs.as_ptr(),
                std::ptr::null_mut(),
                &raw mut value,
            )
        };
        if failed != 0 {
            return Err(PyErr::fetch(py));
        }
        // SAFETY: a new reference, or null where there is no value.
        let value = unsafe { Bound::from_owned_ptr_or_opt(py, value) };
        Ok(value.is_some_and(|value| value.is(run)))
    }

    pub fn settle(&self, py: Python<'_>, answer: &Answer) -> PyResult<()> {
        match answer {
            Answer::Listener { listener, event } => listener.call1(py, (event,)).map(drop),
            Answer::Promise { promise, value } => {
                let promise = promise.bind(py);
                if promise.call_method0(intern!(py, "done"))?.is_truthy()? {
                    return Ok(()); // cancelled meanwhile
                }
                self.maker.settle(promise, value.bind(py))
            }
        }
    }
}

/// The inline lane: take this event if it is the one that `next` would give. Runs no Python code.
pub fn take(
    py: Python<'_>,
    journal: &Py<Journal>,
    state: &mut State,
    place: Place,
    outside_work: bool,
) -> bool {
    let order = &mut state.order;
    if let Some(first) = order.first_late() {
        return first == place && order.take_late().is_some();
    }
    if !order.listens(place) {
        return false;
    }
    let mut passed = Vec::new();
    while let Some(top) = order.top() {
        if top.place == place {
            order.deliver(top);
            return true;
        }
        if !top.listening && hides(py, journal, &state.left, top.event.id) {
            order.drop_top(top);
        } else if outside_work || top.listening {
            break;
        } else {
            order.set_aside_top(top);
            passed.push(top);
        }
    }
    for top in passed {
        order.put_back(top);
    }
    false
}

/// Whether an operation lies in a context that answers from its own record, or was left. Runs no Python code.
pub fn hides(py: Python<'_>, journal: &Py<Journal>, left: &HashSet<Id>, id: Id) -> bool {
    journal.get().state.with(py, |journal| {
        let mut record = journal.history.peek(&id);
        let parent = |record: &Slot<Origin>| journal.contexts.get(record.source.parent());
        while let Some(context) = record.and_then(parent) {
            if left.contains(context) {
                return true;
            }
            record = journal.history.peek(context);
            match record.map(|record| record.source.facts().facts()) {
                // The service shows nothing below a finished context, except what ends there later.
                None => return true,
                Some(facts) if facts.status.is_terminal() && !facts.replay_children => return true,
                Some(_) => {}
            }
        }
        false
    })
}

impl Journal {
    /// The completions of all recorded operations but the execution.
    pub fn events(&self, py: Python<'_>) -> PyResult<Vec<Event>> {
        let ended: Vec<_> = self.state.with(py, |state| {
            let slots = state.history.slots().iter();
            let ended = slots.filter(|slot| {
                let facts = slot.source.facts().facts();
                facts.kind != status::Kind::Execution && facts.status.is_terminal()
            });
            ended.map(|slot| (slot.id, slot.source.whole(py))).collect()
        });
        let kind = Kind::Finished;
        let event = |(id, whole): &(Id, Whole)| {
            let ms = whole.end_ms(py)?.unwrap_or(0);
            Ok(Event { ms, id: *id, kind })
        };
        ended.iter().map(event).collect()
    }

    /// An id as it stands in the history, or as digests are written.
    pub fn id_text(&self, py: Python<'_>, id: &Id) -> PyResult<Py<PyString>> {
        let whole = self
            .state
            .with(py, |state| Some(state.history.peek(id)?.source.whole(py)));
        match whole {
            Some(whole) => Ok(whole.record(py)?.operation_id),
            None => {
                Ok(PyString::new(py, std::str::from_utf8(&id.hex()).unwrap_or_default()).unbind())
            }
        }
    }
}
