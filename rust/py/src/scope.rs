//! `Scope`: a position counter with its ids and its replay flag, and the replay lane.
//!
//! The lane answers an operation from its SUCCEEDED record: next id, lookup, identity, decoding, and the value. Whatever
//! is not that simple answers `MISS`, and nothing has changed then.

use std::sync::{Mutex, MutexGuard, PoisonError};

use durable_core::ids::Ids;
use durable_core::status::{Kind, Status, SubType};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

use crate::codec;
use crate::journal::Journal;
use crate::source::{Payload, unescaped};

/// The answer of the replay lane when it has no finished result.
#[pyclass(frozen, name = "_Miss", module = "durable_execution_sdk._core")]
pub struct Miss;

#[pymethods]
impl Miss {
    #[allow(clippy::unused_self, reason = "the signature of __repr__")]
    fn __repr__(&self) -> &'static str {
        "MISS"
    }
}

/// The one instance of `Miss`.
pub fn miss(py: Python<'_>) -> PyResult<&'static Py<Miss>> {
    static MISS: PyOnceLock<Py<Miss>> = PyOnceLock::new();
    MISS.get_or_try_init(py, || Py::new(py, Miss))
}

struct State {
    position: u64,
    replaying: bool,
    ids: Ids,
}

/// A position counter, its id prefix and its replay flag.
#[pyclass(frozen, module = "durable_execution_sdk._core")]
pub struct Scope {
    journal: Py<Journal>,
    parent_id: Option<Py<PyString>>,
    state: Mutex<State>,
}

/// How a recorded payload is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Tagged,
    Json,
    Nothing,
}

impl Scope {
    pub fn new(
        journal: Py<Journal>,
        prefix: &str,
        parent_id: Option<Py<PyString>>,
        replaying: bool,
    ) -> Self {
        let state = State {
            position: 0,
            replaying,
            ids: Ids::new(prefix),
        };
        Self {
            journal,
            parent_id,
            state: Mutex::new(state),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replay(
        &self,
        py: Python<'_>,
        (kind, sub_type, form): (Kind, SubType, Form),
        name: Option<&Bound<'_, PyString>>,
    ) -> PyResult<Py<PyAny>> {
        match self.recorded(py, kind, sub_type, name) {
            Some((position, payload)) => {
                if let Some(value) = decode(py, &payload, form)? {
                    if self.advance(position) {
                        return Ok(value);
                    }
                }
                Ok(miss(py)?.clone_ref(py).into_any())
            }
            None => Ok(miss(py)?.clone_ref(py).into_any()),
        }
    }

    /// The payload of the next operation, if it is finished and the one that the code attempts.
    fn recorded(
        &self,
        py: Python<'_>,
        kind: Kind,
        sub_type: SubType,
        name: Option<&Bound<'_, PyString>>,
    ) -> Option<(u64, Payload)> {
        let mut scope = self.lock();
        let position = scope.position + 1;
        let id = scope.ids.at(position);
        let mut journal = self.journal.get().lock();
        let place = journal.history.next(&id)?;
        let slot = journal.history.slot(place);
        let facts = slot.facts;
        let finished =
            facts.status == Status::Succeeded && !facts.replay_children && !facts.irregular;
        if !finished || facts.kind != kind || facts.sub_type != sub_type {
            return None;
        }
        slot.source
            .agrees(py, name, self.parent_id.as_ref())
            .then(|| (position, slot.source.payload(py)))
    }

    /// Take the position, unless another thread was faster; leave replay if nothing is recorded after it.
    fn advance(&self, position: u64) -> bool {
        let mut scope = self.lock();
        if scope.position + 1 != position {
            return false;
        }
        scope.position = position;
        if scope.replaying {
            let next = scope.ids.at(position + 1);
            scope.replaying = self.journal.get().lock().history.is_next(&next);
        }
        true
    }
}

fn decode(py: Python<'_>, payload: &Payload, form: Form) -> PyResult<Option<Py<PyAny>>> {
    if form == Form::Nothing {
        return Ok(Some(py.None()));
    }
    let read = |text: &[u8]| match form {
        Form::Json => codec::decode_json_bytes(py, text),
        _ => codec::decode_bytes(py, text),
    };
    let value = match payload {
        Payload::Absent => return Ok(Some(py.None())),
        Payload::Text(text) => match text.bind(py).to_str() {
            Ok(plain) => read(plain.as_bytes()),
            Err(_) => return Ok(None),
        },
        Payload::Escaped(page, span) => {
            let mut buffer = BUFFER.take();
            let value = unescaped(page, *span, &mut buffer).map(read);
            BUFFER.set(buffer);
            match value {
                Some(value) => value,
                None => return Ok(None),
            }
        }
    };
    match value {
        Ok(value) => Ok(Some(value.unbind())),
        // The slow path reads it again and raises what is to be raised, with the operation's name.
        Err(error) if error.is_instance_of::<pyo3::exceptions::PyException>(py) => Ok(None),
        Err(error) => Err(error),
    }
}

thread_local! {
    static BUFFER: std::cell::Cell<Vec<u8>> = const { std::cell::Cell::new(Vec::new()) };
}

#[pymethods]
impl Scope {
    #[getter]
    fn prefix(&self) -> Option<String> {
        Some(self.lock().ids.prefix().to_owned()).filter(|prefix| !prefix.is_empty())
    }

    #[getter]
    fn parent_id(&self, py: Python<'_>) -> Option<Py<PyString>> {
        self.parent_id.as_ref().map(|parent| parent.clone_ref(py))
    }

    #[getter]
    fn position(&self) -> u64 {
        self.lock().position
    }

    #[getter]
    fn replaying(&self) -> bool {
        self.lock().replaying
    }

    #[pyo3(signature = (name, /))]
    fn replay_step(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
    ) -> PyResult<Py<PyAny>> {
        self.replay(py, (Kind::Step, SubType::Step, Form::Tagged), name)
    }

    #[pyo3(signature = (name, /))]
    fn replay_condition(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
    ) -> PyResult<Py<PyAny>> {
        self.replay(
            py,
            (Kind::Step, SubType::WaitForCondition, Form::Tagged),
            name,
        )
    }

    #[pyo3(signature = (name, /))]
    fn replay_wait(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
    ) -> PyResult<Py<PyAny>> {
        self.replay(py, (Kind::Wait, SubType::Wait, Form::Nothing), name)
    }

    #[pyo3(signature = (name, /))]
    fn replay_child(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
    ) -> PyResult<Py<PyAny>> {
        self.replay(
            py,
            (Kind::Context, SubType::RunInChildContext, Form::Tagged),
            name,
        )
    }

    #[pyo3(signature = (name, /))]
    fn replay_invoke(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
    ) -> PyResult<Py<PyAny>> {
        self.replay(
            py,
            (Kind::ChainedInvoke, SubType::ChainedInvoke, Form::Json),
            name,
        )
    }

    #[pyo3(signature = (operation_type, /))]
    fn begin(&self, operation_type: &str) -> String {
        let mut scope = self.lock();
        scope.position += 1;
        let position = scope.position;
        let id = scope.ids.at(position);
        let mut journal = self.journal.get().lock();
        let status = journal
            .history
            .find(&id.hex)
            .map(|place| journal.history.slot(place).facts.status);
        if status.is_none_or(|status| operation_type == "STEP" && !status.is_terminal()) {
            scope.replaying = false;
        }
        id.as_str().to_owned()
    }

    #[pyo3(signature = (operation_id, /))]
    fn end(&self, operation_id: &str) {
        let mut scope = self.lock();
        if !scope.replaying {
            return;
        }
        let next = scope.position + 1;
        let next = scope.ids.at(next);
        let mut journal = self.journal.get().lock();
        let found = journal.history.find(operation_id.as_bytes());
        let open =
            found.is_some_and(|place| !journal.history.slot(place).facts.status.is_terminal());
        if open || journal.history.find(&next.hex).is_none() {
            scope.replaying = false;
        }
    }
}
