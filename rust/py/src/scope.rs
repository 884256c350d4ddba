//! `Scope`: a position counter with its ids and its replay flag, and the replay lane.
//!
//! The lane answers an operation from its SUCCEEDED record: next id, lookup, identity, decoding, and the value. Whatever
//! is not that simple answers `MISS`, and nothing has changed then.

use durable_core::facts::{Facts, PackedFacts};
use durable_core::ids::{Id, Ids};
use durable_core::page::unescape;
use durable_core::status::{Kind, Status, SubType};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

use crate::codec;
use crate::held::Held;
use crate::journal::{self, Journal};
use crate::source::{Payload, Wanted};

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
    /// What `parent_id` spells; an empty text is none.
    parent: Option<Id>,
    state: Held<State>,
}

/// What the code attempts.
#[derive(Clone, Copy)]
pub struct Attempted {
    kind: Kind,
    sub_type: SubType,
    form: Form,
}

impl Attempted {
    /// The facts of a record that answers it.
    const fn finished(self) -> PackedFacts {
        PackedFacts::new(Facts {
            kind: self.kind,
            status: Status::Succeeded,
            sub_type: self.sub_type,
            replay_children: false,
            irregular: false,
        })
    }
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
        py: Python<'_>,
        journal: Py<Journal>,
        prefix: &str,
        parent_id: Option<Py<PyString>>,
        replaying: bool,
    ) -> PyResult<Self> {
        let parent = match &parent_id {
            Some(parent_id) => parent_id.bind(py).to_str()?,
            None => "",
        };
        let parent = (!parent.is_empty()).then(|| Id::of_text(parent.as_bytes()));
        let state = State {
            position: 0,
            replaying,
            ids: Ids::new(prefix),
        };
        Ok(Self {
            journal,
            parent_id,
            parent,
            state: Held::new(state),
        })
    }

    /// The lane: the value at the next position, or `MISS`.
    #[inline]
    fn replay(&self, attempted: Attempted, name: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        match self.answer(attempted, name)? {
            Some((_, value)) => Ok(value),
            None => missed(name.py()),
        }
    }

    /// The id and the value at the next position, if the operation there is finished and the one that the code attempts.
    #[inline]
    pub fn answer(
        &self,
        attempted: Attempted,
        name: &Bound<'_, PyAny>,
    ) -> PyResult<Option<(Id, Py<PyAny>)>> {
        let py = name.py();
        let (position, id) = self.state.with(py, |state| {
            let position = state.position + 1;
            (position, state.ids.at(position))
        });
        if let Some(payload) = self.recorded(&id, attempted, name) {
            if let Some(value) = decode(py, &payload, attempted.form)? {
                if self.advance(py, position) {
                    return Ok(Some((id, value)));
                }
            }
        }
        Ok(None)
    }

    /// The payload of an operation, if it is finished and the one that the code attempts.
    #[inline]
    fn recorded(&self, id: &Id, attempted: Attempted, name: &Bound<'_, PyAny>) -> Option<Payload> {
        let py = name.py();
        // Read before the history is reached: text that is none raises, which may run Python code.
        let wanted = Wanted::read(name, self.parent.as_ref())?;
        self.journal.get().state.with(py, |journal| {
            let record = &journal.history.find(id)?.source;
            (record.facts() == attempted.finished()
                && record.agrees(py, &wanted, &journal.contexts))
            .then(|| record.payload(py))
        })
    }

    /// Take the position, unless another thread was faster; leave replay if nothing is recorded after it.
    #[inline]
    fn advance(&self, py: Python<'_>, position: u64) -> bool {
        self.state.with(py, |state| {
            if state.position + 1 != position {
                return false;
            }
            state.position = position;
            if state.replaying {
                state.replaying = self.status(py, &state.ids.at(position + 1)).is_some();
            }
            true
        })
    }

    #[inline]
    fn status(&self, py: Python<'_>, id: &Id) -> Option<Status> {
        let status =
            |journal: &mut journal::State| Some(journal.history.peek(id)?.source.facts().status());
        self.journal.get().state.with(py, status)
    }
}

fn missed(py: Python<'_>) -> PyResult<Py<PyAny>> {
    Ok(miss(py)?.clone_ref(py).into_any())
}

/// The value of a payload; None where the slow path is to read it again and to raise what there is to be raised.
#[inline]
fn decode(py: Python<'_>, payload: &Payload, form: Form) -> PyResult<Option<Py<PyAny>>> {
    let read = |text: &[u8]| match form {
        Form::Json => codec::decode_json_bytes(py, text),
        _ => codec::decode_bytes(py, text),
    };
    let value = match payload {
        _ if form == Form::Nothing => return Ok(Some(py.None())),
        Payload::Absent => return Ok(Some(py.None())),
        Payload::Text(text) => match text.bind(py).to_str() {
            Ok(plain) => read(plain.as_bytes()),
            Err(_) => return Ok(None),
        },
        Payload::Escaped(page, span) => {
            // Taken, because reading may run Python code that comes here again.
            let mut buffer = BUFFER.with(py, std::mem::take);
            let raw = span.of(page.as_bytes(py)).unwrap_or_default();
            let value = unescape(raw, &mut buffer).map(read);
            if buffer.capacity() <= KEPT_BYTES {
                BUFFER.with(py, |kept| *kept = buffer);
            }
            match value {
                Some(value) => value,
                None => return Ok(None),
            }
        }
    };
    match value {
        Ok(value) => Ok(Some(value.unbind())),
        Err(error) if error.is_instance_of::<PyException>(py) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where the escapes of payloads are undone.
static BUFFER: Held<Vec<u8>> = Held::new(Vec::new());

/// A buffer that grew beyond this is not kept.
const KEPT_BYTES: usize = 1 << 18;

pub const STEP: Attempted = Attempted {
    kind: Kind::Step,
    sub_type: SubType::Step,
    form: Form::Tagged,
};
pub const CONDITION: Attempted = Attempted {
    sub_type: SubType::WaitForCondition,
    ..STEP
};
pub const WAIT: Attempted = Attempted {
    kind: Kind::Wait,
    sub_type: SubType::Wait,
    form: Form::Nothing,
};
pub const CHILD: Attempted = Attempted {
    kind: Kind::Context,
    sub_type: SubType::RunInChildContext,
    form: Form::Tagged,
};
pub const INVOKE: Attempted = Attempted {
    kind: Kind::ChainedInvoke,
    sub_type: SubType::ChainedInvoke,
    form: Form::Json,
};

#[pymethods]
impl Scope {
    #[getter]
    fn prefix(&self, py: Python<'_>) -> Option<String> {
        let prefix = self.state.with(py, |state| state.ids.prefix().to_owned());
        Some(prefix).filter(|prefix| !prefix.is_empty())
    }

    #[getter]
    fn parent_id(&self, py: Python<'_>) -> Option<Py<PyString>> {
        self.parent_id.as_ref().map(|parent| parent.clone_ref(py))
    }

    #[getter]
    fn position(&self, py: Python<'_>) -> u64 {
        self.state.with(py, |state| state.position)
    }

    #[getter]
    fn replaying(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.replaying)
    }

    #[pyo3(signature = (name, /))]
    fn replay_step(&self, name: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.replay(STEP, name)
    }

    #[pyo3(signature = (name, /))]
    fn replay_condition(&self, name: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.replay(CONDITION, name)
    }

    #[pyo3(signature = (name, /))]
    fn replay_wait(&self, name: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.replay(WAIT, name)
    }

    #[pyo3(signature = (name, /))]
    fn replay_child(&self, name: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.replay(CHILD, name)
    }

    #[pyo3(signature = (name, /))]
    fn replay_invoke(&self, name: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.replay(INVOKE, name)
    }

    /// A branch takes no position of the counter: its id is made from its index.
    #[pyo3(signature = (index, sub_type, name, /))]
    fn replay_branch(
        &self,
        index: u64,
        sub_type: &str,
        name: &Bound<'_, PyAny>,
    ) -> PyResult<Py<PyAny>> {
        let py = name.py();
        let sub_type = SubType::parse(sub_type.as_bytes());
        if matches!(sub_type, SubType::Custom | SubType::Absent) {
            return missed(py); // kept as text, which the long way compares
        }
        let id = self.state.with(py, |state| state.ids.at(index));
        let attempted = Attempted { sub_type, ..CHILD };
        if let Some(payload) = self.recorded(&id, attempted, name) {
            if let Some(value) = decode(py, &payload, Form::Tagged)? {
                return Ok(value);
            }
        }
        missed(py)
    }

    #[pyo3(signature = (operation_type, /))]
    fn begin<'py>(&self, py: Python<'py>, operation_type: &str) -> Bound<'py, PyString> {
        let id = self.state.with(py, |state| {
            state.position += 1;
            let id = state.ids.at(state.position);
            let status = self.status(py, &id);
            if status.is_none_or(|status| operation_type == "STEP" && !status.is_terminal()) {
                state.replaying = false;
            }
            id
        });
        PyString::new(py, std::str::from_utf8(&id.hex()).unwrap_or_default())
    }

    #[pyo3(signature = (operation_id, /))]
    fn end(&self, py: Python<'_>, operation_id: &str) {
        self.state.with(py, |state| {
            if !state.replaying {
                return;
            }
            let next = state.ids.at(state.position + 1);
            let status = self.status(py, &Id::of_text(operation_id.as_bytes()));
            let open = status.is_some_and(|status| !status.is_terminal());
            state.replaying = !open && self.status(py, &next).is_some();
        });
    }
}
