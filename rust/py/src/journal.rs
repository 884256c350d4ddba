//! `Journal` and `Scope`: one invocation's history and outbox.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use durable_core::ids;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::errors::history_error;
use crate::record::Record;
use crate::timestamps::Unit;

const BATCH_BYTES: usize = 768_000;
const BATCH_ENTRIES: usize = 250;

struct Entry {
    ticket: u64,
    update: Option<Py<PyAny>>,
    json: Vec<u8>,
    ends_execution: bool,
}

#[derive(Default)]
struct State {
    token: String,
    records: HashMap<String, Py<Record>>,
    order: Vec<String>,
    prior: bool,
    queue: VecDeque<Entry>,
    sent: Vec<Entry>,
    next_ticket: u64,
    settled: u64,
    children: HashMap<String, Vec<String>>,
    orphans: HashSet<String>,
}

/// History, scopes and outbox of one invocation.
#[pyclass(frozen, module = "durable_execution_sdk._core")]
pub struct Journal {
    state: Mutex<State>,
}

/// One checkpoint request, ready to be sent.
#[pyclass(frozen, module = "durable_execution_sdk._core")]
pub struct Request {
    #[pyo3(get)]
    token: Py<PyString>,
    #[pyo3(get)]
    client_token: Py<PyString>,
    #[pyo3(get)]
    body: Py<PyBytes>,
    #[pyo3(get)]
    updates: Py<PyList>,
}

/// What came back for a checkpoint request.
#[pyclass(frozen, module = "durable_execution_sdk._core")]
pub struct Acknowledgement {
    #[pyo3(get)]
    outcome: &'static str,
    #[pyo3(get)]
    next_marker: Option<String>,
    #[pyo3(get)]
    changed: Vec<String>,
}

impl Journal {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn merge(&self, operations: &Bound<'_, PyAny>, unit: Unit) -> PyResult<Vec<String>> {
        let py = operations.py();
        let mut records = Vec::new();
        for operation in operations.try_iter()? {
            let record = Record::from_wire(&operation?, unit)?;
            let id = record.operation_id.bind(py).to_str()?.to_owned();
            let parent = match &record.parent_id {
                Some(parent) => parent.bind(py).to_str()?.to_owned(),
                None => String::new(),
            };
            let prior = record.operation_type.bind(py).to_str()? != "EXECUTION";
            records.push((id, parent, prior, Py::new(py, record)?));
        }
        let mut replaced = Vec::new();
        let mut ids = Vec::with_capacity(records.len());
        let mut state = self.lock();
        for (id, parent, prior, record) in records {
            state.prior |= prior;
            if let Some(old) = state.records.insert(id.clone(), record) {
                replaced.push(old);
            } else {
                state.order.push(id.clone());
                if !parent.is_empty() {
                    state.children.entry(parent).or_default().push(id.clone());
                }
            }
            ids.push(id);
        }
        drop(state);
        Ok(ids)
    }

    fn parsed<'py>(
        py: Python<'py>,
        body: &Bound<'py, PyAny>,
    ) -> PyResult<(Bound<'py, PyDict>, Unit)> {
        if let Ok(raw) = body.cast::<PyBytes>() {
            let parsed = py
                .import("json")?
                .call_method1("loads", (raw,))
                .map_err(|error| {
                    history_error(py, &format!("the answer is no JSON: {error}"), None, None)
                })?;
            let parsed = parsed
                .cast_into::<PyDict>()
                .map_err(|_| history_error(py, "the answer is no JSON object", None, None))?;
            return Ok((parsed, Unit::Seconds));
        }
        let parsed = body.cast::<PyDict>().map_err(|_| {
            history_error(py, "the answer is neither bytes nor a mapping", None, None)
        })?;
        Ok((parsed.clone(), Unit::Milliseconds))
    }
}

fn text(holder: &Bound<'_, PyDict>, member: &str) -> PyResult<Option<String>> {
    let found = holder.get_item(member)?.filter(|value| !value.is_none());
    let found: Option<String> = found.map(|value| value.extract()).transpose()?;
    Ok(found.filter(|text| !text.is_empty()))
}

#[pymethods]
impl Journal {
    #[new]
    fn new(token: String) -> Self {
        Self {
            state: Mutex::new(State {
                token,
                ..State::default()
            }),
        }
    }

    #[getter]
    fn token(&self) -> String {
        self.lock().token.clone()
    }

    fn load_operations(&self, operations: &Bound<'_, PyAny>) -> PyResult<()> {
        self.merge(operations, Unit::Milliseconds).map(|_| ())
    }

    fn load_page(&self, body: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
        let (page, unit) = Self::parsed(body.py(), body)?;
        if let Some(operations) = page
            .get_item("Operations")?
            .filter(|value| !value.is_none())
        {
            self.merge(&operations, unit)?;
        }
        text(&page, "NextMarker")
    }

    fn find(&self, py: Python<'_>, operation_id: &str) -> Option<Py<Record>> {
        self.lock()
            .records
            .get(operation_id)
            .map(|record| record.clone_ref(py))
    }

    fn records(&self, py: Python<'_>) -> Vec<Py<Record>> {
        let state = self.lock();
        state
            .order
            .iter()
            .filter_map(|id| state.records.get(id))
            .map(|record| record.clone_ref(py))
            .collect()
    }

    #[getter]
    fn has_prior_operations(&self) -> bool {
        self.lock().prior
    }

    fn __len__(&self) -> usize {
        self.lock().records.len()
    }

    fn scope(
        slf: Py<Self>,
        prefix: Option<String>,
        parent_id: Option<String>,
        replaying: bool,
    ) -> Scope {
        let state = ScopeState {
            position: 0,
            replaying,
        };
        Scope {
            journal: slf,
            prefix: prefix.filter(|p| !p.is_empty()),
            parent_id,
            state: Mutex::new(state),
        }
    }

    fn push(&self, py: Python<'_>, update: Option<Py<PyAny>>) -> PyResult<u64> {
        let mut json = Vec::new();
        let mut ends_execution = false;
        if let Some(update) = &update {
            let update = update.bind(py);
            let id: String = update.getattr("operation_id")?.extract()?;
            let parent: Option<String> = update.getattr("parent_id")?.extract()?;
            let kind: String = update
                .getattr("operation_type")?
                .getattr("value")?
                .extract()?;
            let action: String = update.getattr("action")?.getattr("value")?.extract()?;
            ends_execution = kind == "EXECUTION";
            let mut state = self.lock();
            if state.orphans.contains(&id) {
                return Ok(0);
            }
            if let Some(parent) = parent {
                if state.orphans.contains(&parent) {
                    return Ok(0);
                }
                let siblings = state.children.entry(parent).or_default();
                if !siblings.contains(&id) {
                    siblings.push(id.clone());
                }
            }
            if kind == "CONTEXT" && (action == "SUCCEED" || action == "FAIL") {
                let mut todo = vec![id];
                while let Some(parent) = todo.pop() {
                    for child in state.children.get(&parent).cloned().unwrap_or_default() {
                        if state.orphans.insert(child.clone()) {
                            todo.push(child);
                        }
                    }
                }
            }
            drop(state);
            let wire = update.call_method0("to_dict")?;
            let kwargs = PyDict::new(py);
            kwargs.set_item("separators", (",", ":"))?;
            let text = py
                .import("json")?
                .call_method("dumps", (wire,), Some(&kwargs))?;
            json = text.cast::<PyString>()?.to_str()?.as_bytes().to_vec();
        }
        let mut state = self.lock();
        state.next_ticket += 1;
        let ticket = state.next_ticket;
        state.queue.push_back(Entry {
            ticket,
            update,
            json,
            ends_execution,
        });
        Ok(ticket)
    }

    #[getter]
    fn queued(&self) -> usize {
        self.lock().queue.len()
    }

    #[getter]
    fn in_flight(&self) -> bool {
        !self.lock().sent.is_empty()
    }

    #[getter]
    fn settled(&self) -> u64 {
        self.lock().settled
    }

    fn next_request(&self, py: Python<'_>, client_token: &str) -> PyResult<Option<Request>> {
        let mut state = self.lock();
        if !state.sent.is_empty() {
            return Err(PyRuntimeError::new_err("a request is in flight already"));
        }
        let (mut bytes, mut entries, mut empties) = (0, 0, 0);
        let mut batch = Vec::new();
        while let Some(entry) = state.queue.front() {
            let counts = usize::from(entry.update.is_some() || empties == 0);
            if !batch.is_empty()
                && (bytes + entry.json.len() > BATCH_BYTES || entries + counts > BATCH_ENTRIES)
            {
                break;
            }
            bytes += entry.json.len();
            entries += counts;
            empties += usize::from(entry.update.is_none());
            batch.extend(state.queue.pop_front());
        }
        if batch.is_empty() {
            return Ok(None);
        }
        let token = state.token.clone();
        let mut body = Vec::with_capacity(bytes + token.len() + 128);
        body.extend_from_slice(b"{\"CheckpointToken\":");
        body.extend_from_slice(&quoted(py, &token)?);
        body.extend_from_slice(b",\"ClientToken\":");
        body.extend_from_slice(&quoted(py, client_token)?);
        body.extend_from_slice(b",\"Updates\":[");
        let mut updates = Vec::new();
        for entry in &batch {
            if let Some(update) = &entry.update {
                if !updates.is_empty() {
                    body.push(b',');
                }
                body.extend_from_slice(&entry.json);
                updates.push(update.clone_ref(py));
            }
        }
        body.extend_from_slice(b"]}");
        state.sent = batch;
        drop(state);
        Ok(Some(Request {
            token: PyString::new(py, &token).unbind(),
            client_token: PyString::new(py, client_token).unbind(),
            body: PyBytes::new(py, &body).unbind(),
            updates: PyList::new(py, updates)?.unbind(),
        }))
    }

    fn acknowledge(&self, response: &Bound<'_, PyAny>) -> PyResult<Acknowledgement> {
        let py = response.py();
        let (answer, unit) = Self::parsed(py, response)?;
        let token = text(&answer, "CheckpointToken")?;
        let ends_execution = self.lock().sent.iter().any(|entry| entry.ends_execution);
        let outcome = match (&token, ends_execution) {
            (Some(_), _) => "continue",
            (None, true) => "completed",
            (None, false) => "revoked",
        };
        let mut changed = Vec::new();
        let mut next_marker = None;
        if outcome != "revoked" {
            if let Some(state) = answer
                .get_item("NewExecutionState")?
                .and_then(|v| v.cast_into::<PyDict>().ok())
            {
                if let Some(operations) = state
                    .get_item("Operations")?
                    .filter(|value| !value.is_none())
                {
                    changed = self.merge(&operations, unit)?;
                }
                if outcome == "continue" {
                    next_marker = text(&state, "NextMarker")?;
                }
            }
        }
        if let Some(token) = token {
            self.lock().token = token;
        }
        Ok(Acknowledgement {
            outcome,
            next_marker,
            changed,
        })
    }

    fn settle(&self) -> u64 {
        let mut state = self.lock();
        if let Some(last) = state.sent.last() {
            state.settled = last.ticket;
        }
        let done = std::mem::take(&mut state.sent);
        let settled = state.settled;
        drop(state);
        drop(done);
        settled
    }

    fn discard(&self) {
        let mut state = self.lock();
        let dropped = (
            std::mem::take(&mut state.sent),
            std::mem::take(&mut state.queue),
        );
        drop(state);
        drop(dropped);
    }
}

fn quoted(py: Python<'_>, text: &str) -> PyResult<Vec<u8>> {
    let quoted = py.import("json")?.call_method1("dumps", (text,))?;
    Ok(quoted.cast::<PyString>()?.to_str()?.as_bytes().to_vec())
}

struct ScopeState {
    position: u64,
    replaying: bool,
}

/// A position counter, its id prefix and its replay flag.
#[pyclass(frozen, module = "durable_execution_sdk._core")]
pub struct Scope {
    journal: Py<Journal>,
    #[pyo3(get)]
    prefix: Option<String>,
    #[pyo3(get)]
    parent_id: Option<String>,
    state: Mutex<ScopeState>,
}

impl Scope {
    fn lock(&self) -> MutexGuard<'_, ScopeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn id_at(&self, position: u64) -> String {
        String::from_utf8_lossy(&ids::operation_id(
            self.prefix.as_deref().unwrap_or(""),
            position,
        ))
        .into_owned()
    }

    fn status_of(&self, py: Python<'_>, id: &str) -> PyResult<Option<(String, bool)>> {
        let Some(record) = self.journal.get().find(py, id) else {
            return Ok(None);
        };
        let record = record.get();
        let kind = record.operation_type.bind(py).to_str()?.to_owned();
        let status = record.status.bind(py).to_str()?;
        let terminal = matches!(
            status,
            "SUCCEEDED" | "FAILED" | "CANCELLED" | "TIMED_OUT" | "STOPPED"
        );
        Ok(Some((kind, terminal)))
    }
}

#[pymethods]
impl Scope {
    #[getter]
    fn position(&self) -> u64 {
        self.lock().position
    }

    #[getter]
    fn replaying(&self) -> bool {
        self.lock().replaying
    }

    fn replay_step(&self, py: Python<'_>, _name: Option<&str>) -> PyResult<Py<PyAny>> {
        miss(py)
    }

    fn replay_condition(&self, py: Python<'_>, _name: Option<&str>) -> PyResult<Py<PyAny>> {
        miss(py)
    }

    fn replay_wait(&self, py: Python<'_>, _name: Option<&str>) -> PyResult<Py<PyAny>> {
        miss(py)
    }

    fn replay_child(&self, py: Python<'_>, _name: Option<&str>) -> PyResult<Py<PyAny>> {
        miss(py)
    }

    fn replay_invoke(&self, py: Python<'_>, _name: Option<&str>) -> PyResult<Py<PyAny>> {
        miss(py)
    }

    fn begin(&self, py: Python<'_>, operation_type: &str) -> PyResult<String> {
        let position = {
            let mut state = self.lock();
            state.position += 1;
            state.position
        };
        let id = self.id_at(position);
        let found = self.status_of(py, &id)?;
        let leaves = match found {
            None => true,
            Some((_, terminal)) => operation_type == "STEP" && !terminal,
        };
        if leaves {
            self.lock().replaying = false;
        }
        Ok(id)
    }

    fn end(&self, py: Python<'_>, operation_id: &str) -> PyResult<()> {
        if !self.lock().replaying {
            return Ok(());
        }
        let open = matches!(self.status_of(py, operation_id)?, Some((_, false)));
        let next = self.id_at(self.position() + 1);
        if open || self.status_of(py, &next)?.is_none() {
            self.lock().replaying = false;
        }
        Ok(())
    }
}

fn miss(py: Python<'_>) -> PyResult<Py<PyAny>> {
    Ok(py
        .import("durable_execution_sdk._core")?
        .getattr("MISS")?
        .unbind())
}
