//! `Deliveries`: the order in which the completions of one invocation of an async handler are delivered, and the promises
//! of finished operations.
//!
//! A step that is recorded takes two calls here, one that makes its promise and one that awaits it; neither runs Python code
//! of the SDK's. Whatever is not that simple is answered with None, or handed to the invocation's `Run`. What the calls do
//! is in `lane`.

use std::cell::RefCell;

use durable_core::delivery::{Event, Key, Kind, Order};
use durable_core::ids::Id;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet, PyString, PyType};

use crate::held::Held;
use crate::journal::Journal;
use crate::lane::{Answer, CURRENT, Caller, Found, State, Surroundings, hides, take};
use crate::promise::{Getter, Maker};
use crate::scope::{CHILD, CONDITION, INVOKE, STEP, Scope, WAIT};

/// See the top of this file.
#[pyclass(frozen, subclass, module = "durable_execution_sdk._core")]
pub struct Deliveries {
    pub journal: Py<Journal>,
    pub maker: Maker,
    pub around: Surroundings,
    pub state: Held<State>,
}

fn kind_of(kind: u8) -> PyResult<Kind> {
    match kind {
        0 => Ok(Kind::Created),
        1 => Ok(Kind::Finished),
        _ => Err(PyValueError::new_err(format!(
            "{kind} is no kind of event: 0 or 1"
        ))),
    }
}

fn key(operation_id: &str, kind: u8) -> PyResult<Key> {
    Ok(Key {
        id: Id::of_text(operation_id.as_bytes()),
        kind: kind_of(kind)?,
    })
}

fn task_class(py: Python<'_>) -> PyResult<Bound<'_, PyType>> {
    Ok(py.import("asyncio")?.getattr("Task")?.cast_into()?)
}

#[pymethods]
impl Deliveries {
    #[new]
    #[pyo3(signature = (journal, promise_class, run, event_loop, *, current_tasks, ready, belongs, deadlines,
        tasks, bodies))]
    #[allow(
        clippy::too_many_arguments,
        reason = "what it looks at, all by keyword"
    )]
    fn new(
        journal: &Bound<'_, Journal>,
        promise_class: &Bound<'_, PyType>,
        run: Py<PyAny>,
        event_loop: &Bound<'_, PyAny>,
        current_tasks: Py<PyDict>,
        ready: Py<PyAny>,
        belongs: &Bound<'_, PyAny>,
        deadlines: Py<PyList>,
        tasks: Py<PySet>,
        bodies: Py<PySet>,
    ) -> PyResult<Self> {
        let py = journal.py();
        // SAFETY: any object may be asked for its type.
        if unsafe { ffi::PyContextVar_CheckExact(belongs.as_ptr()) } == 0 {
            return Err(PyValueError::new_err("belongs is a context variable"));
        }
        let events = journal.get().events(py)?;
        let state = State {
            order: Order::new(events),
            run: Some(run),
            ..State::default()
        };
        Ok(Self {
            journal: journal.clone().unbind(),
            maker: Maker::new(promise_class, event_loop)?,
            around: Surroundings {
                event_loop: event_loop.clone().unbind(),
                must_cancel: Getter::new(&task_class(py)?, "_must_cancel")?,
                current_tasks,
                ready,
                belongs: belongs.clone().unbind(),
                deadlines,
                tasks,
                bodies,
            },
            state: Held::new(state),
        })
    }

    // --- the lane ---

    #[pyo3(signature = (context, name, /))]
    fn step(
        &self,
        context: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Py<PyAny>>> {
        self.promised(STEP, context, name)
    }

    #[pyo3(signature = (context, name, /))]
    fn condition(
        &self,
        context: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Py<PyAny>>> {
        self.promised(CONDITION, context, name)
    }

    #[pyo3(signature = (context, name, /))]
    fn wait(
        &self,
        context: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Py<PyAny>>> {
        self.promised(WAIT, context, name)
    }

    #[pyo3(signature = (context, name, /))]
    fn child(
        &self,
        context: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Py<PyAny>>> {
        self.promised(CHILD, context, name)
    }

    #[pyo3(signature = (context, name, /))]
    fn invoke(
        &self,
        context: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Py<PyAny>>> {
        self.promised(INVOKE, context, name)
    }

    #[pyo3(signature = (task, context, scope, /))]
    fn set_caller(&self, py: Python<'_>, task: Py<PyAny>, context: Py<PyAny>, scope: Py<Scope>) {
        let caller = Caller {
            task,
            context,
            scope,
        };
        let old = self.state.with(py, |state| state.caller.replace(caller));
        drop(old);
    }

    fn task_starting(&self, py: Python<'_>) {
        self.state.with(py, |state| state.starting += 1);
    }

    fn task_started(&self, py: Python<'_>) {
        self.state.with(py, |state| {
            state.starting = state.starting.saturating_sub(1);
        });
    }

    #[getter]
    fn is_starting(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.starting > 0)
    }

    fn attach(slf: &Bound<'_, Self>) {
        let new = slf.clone().unbind();
        let old = CURRENT.with(|current| current.replace(Some(new)));
        drop(old);
    }

    fn promises(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        self.state.with(py, |state| {
            let answers = state.answers.iter().flatten();
            let promises = answers.filter_map(Answer::promise);
            promises.map(|promise| promise.clone_ref(py)).collect()
        })
    }

    fn close(&self, py: Python<'_>) {
        let held = self.state.with(py, |state| {
            (
                std::mem::take(&mut state.answers),
                state.caller.take(),
                state.run.take(),
            )
        });
        drop(held);
        if self.is_current() {
            let old = CURRENT.with(RefCell::take);
            drop(old);
        }
    }

    // --- the order ---

    #[pyo3(signature = (operation_id, kind, ms, /))]
    fn record(
        &self,
        py: Python<'_>,
        operation_id: &str,
        kind: u8,
        ms: i64,
    ) -> PyResult<Option<Py<PyString>>> {
        let Key { id, kind } = key(operation_id, kind)?;
        let last = self
            .state
            .with(py, |state| state.order.record(Event { ms, id, kind }));
        last.map(|last| self.journal.get().id_text(py, &last.id))
            .transpose()
    }

    #[pyo3(signature = (operation_id, kind, /))]
    fn knows(&self, py: Python<'_>, operation_id: &str, kind: u8) -> PyResult<bool> {
        let key = key(operation_id, kind)?;
        Ok(self
            .state
            .with(py, |state| state.order.place(key).is_some()))
    }

    #[pyo3(signature = (operation_id, kind, /))]
    fn listen(&self, py: Python<'_>, operation_id: &str, kind: u8) -> PyResult<()> {
        let key = key(operation_id, kind)?;
        self.state.with(py, |state| state.order.listen(key));
        Ok(())
    }

    #[pyo3(signature = (operation_id, listener, event, /))]
    fn tell(
        &self,
        py: Python<'_>,
        operation_id: &str,
        listener: Py<PyAny>,
        event: Py<PyAny>,
    ) -> bool {
        let id = Id::of_text(operation_id.as_bytes());
        let kind = Kind::Finished;
        let place = self.state.with(py, |state| {
            state.order.place(Key { id, kind })?;
            state.order.listen(Key { id, kind })
        });
        let Some(place) = place else {
            return false;
        };
        let answer = Answer::Listener { listener, event };
        let replaced = self.state.with(py, |state| state.keep(place, answer));
        drop(replaced);
        true
    }

    #[pyo3(signature = (*, bodies, outside_work))]
    fn next(
        &self,
        py: Python<'_>,
        bodies: bool,
        outside_work: &Bound<'_, PyAny>,
    ) -> PyResult<Py<PyAny>> {
        let mut nothing_outside = false;
        loop {
            let found = self.state.with(py, |state| {
                if let Some((event, place)) = state.order.take_late() {
                    return state.found(event, place);
                }
                if !state.order.deliverable() {
                    return Found::Nothing;
                }
                loop {
                    let Some(top) = state.order.top() else {
                        return Found::Nothing;
                    };
                    if top.listening {
                        state.order.deliver(top);
                        return state.found(top.event, top.place);
                    }
                    if !hides(py, &self.journal, &state.left, top.event.id) {
                        return Found::Open(top.event);
                    }
                    state.order.drop_top(top);
                }
            });
            match found {
                Found::Nothing => return false.into_py_any(py),
                Found::Answered(answer) => {
                    self.settle(py, &answer)?;
                    return true.into_py_any(py);
                }
                Found::Elsewhere(event) => {
                    let text = self.journal.get().id_text(py, &event.id)?;
                    return (text, event.kind as u8).into_py_any(py);
                }
                Found::Open(event) => {
                    let must_wait = bodies
                        && !self
                            .state
                            .with(py, |state| state.order.has_created(&event.id));
                    // One answer for all events that are set aside now: no user code runs between them.
                    nothing_outside =
                        nothing_outside || (!must_wait && !outside_work.call0()?.is_truthy()?);
                    if must_wait || !nothing_outside {
                        return false.into_py_any(py);
                    }
                    self.state.with(py, |state| {
                        // Whoever was asked may have changed something.
                        if let Some(top) = state.order.top() {
                            if top.event == event && !top.listening {
                                state.order.set_aside_top(top);
                            }
                        }
                    });
                }
            }
        }
    }

    #[pyo3(signature = (operation_id, kind, /, *, outside_work))]
    fn take_if_next(
        &self,
        py: Python<'_>,
        operation_id: &str,
        kind: u8,
        outside_work: bool,
    ) -> PyResult<bool> {
        let key = key(operation_id, kind)?;
        Ok(self.state.with(py, |state| {
            let place = state.order.place(key);
            place.is_some_and(|place| take(py, &self.journal, state, place, outside_work))
        }))
    }

    #[pyo3(signature = (operation_id, /))]
    fn leave(&self, py: Python<'_>, operation_id: &str) {
        let id = Id::of_text(operation_id.as_bytes());
        self.state.with(py, |state| state.left.insert(id));
    }

    fn set_aside(&self, py: Python<'_>) -> PyResult<Vec<Py<PyString>>> {
        let mut events = self.state.with(py, |state| {
            let mut events = state.order.set_aside();
            events.retain(|event| !hides(py, &self.journal, &state.left, event.id));
            events
        });
        let text = |event: Event| self.journal.get().id_text(py, &event.id);
        events.drain(..).map(text).collect()
    }
}
