//! `Journal`: one invocation's history and outbox.
//!
//! The lock is held for arithmetic on data only. Nothing that could run Python code (a constructor, a destructor) happens
//! under it: what is replaced or dropped is carried out first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use durable_core::batch::{Orphans, Outbox};
use durable_core::history::History;
use durable_core::page::{self, PageError, Scanned};
use durable_core::status::Kind;
use durable_core::wire;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::errors::history_error;
use crate::record::Record;
use crate::scope::Scope;
use crate::source::{Origin, id_of, read_object};
use crate::update;

pub struct State {
    pub history: History<Origin>,
    pub(crate) token: String,
    prior: bool,
    outbox: Outbox<Py<PyAny>>,
    orphans: Orphans,
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
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn merge_objects(&self, operations: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
        let py = operations.py();
        let mut read = Vec::with_capacity(operations.len().unwrap_or(0));
        for operation in operations.try_iter()? {
            read.push(read_object(&operation?)?);
        }
        let changed = read
            .iter()
            .map(|(_, origin)| String::from_utf8_lossy(id_of(py, origin)).into_owned());
        let changed: Vec<String> = changed.collect();
        self.put_all(py, read);
        Ok(changed)
    }

    fn put_all(&self, py: Python<'_>, records: Vec<(durable_core::history::Facts, Origin)>) {
        let mut replaced = Vec::new();
        let mut state = self.lock();
        state.history.reserve(records.len());
        for (facts, origin) in records {
            state.prior |= facts.kind != Kind::Execution;
            let id = id_of(py, &origin).to_vec();
            replaced.extend(state.history.put(&id, facts, origin));
        }
        drop(state);
        drop(replaced);
    }

    fn merge_raw(&self, py: Python<'_>, page: &Arc<[u8]>, scanned: &Scanned) -> Vec<String> {
        let records = scanned
            .operations
            .iter()
            .map(|located| (located.facts, Origin::raw(page, located)));
        let records: Vec<_> = records.collect();
        let changed = records
            .iter()
            .map(|(_, origin)| String::from_utf8_lossy(id_of(py, origin)).into_owned());
        let changed = changed.collect();
        self.put_all(py, records);
        changed
    }
}

fn page_error(py: Python<'_>, page: &[u8], error: &PageError) -> PyErr {
    match error {
        PageError::Form { expected, offset } => {
            let reason = format!(
                "the service's answer is not what it should be: {expected} expected at byte {offset}"
            );
            history_error(py, &reason, None, None)
        }
        PageError::NoId { offset } => history_error(
            py,
            &format!("the operation at byte {offset} has no Id"),
            None,
            Some("Id"),
        ),
        PageError::Word { field, span, id } => {
            let text = |span: &page::Span| {
                String::from_utf8_lossy(span.of(page).unwrap_or_default()).into_owned()
            };
            if span.of(page).is_none() {
                return history_error(
                    py,
                    &format!("an operation has no {field}"),
                    Some(&text(id)),
                    Some(field),
                );
            }
            PyValueError::new_err(format!(
                "{:?} is no {field} that this SDK knows (operation {})",
                text(span),
                text(id)
            ))
        }
    }
}

fn scanned(
    py: Python<'_>,
    body: &[u8],
    scan: impl Fn(&[u8]) -> Result<Scanned, PageError> + Send + Sync,
) -> PyResult<(Arc<[u8]>, Scanned)> {
    // Large pages are copied and scanned while other threads run.
    let work = || {
        let page: Arc<[u8]> = body.into();
        let scanned = scan(&page);
        (page, scanned)
    };
    let (page, scanned) = if body.len() > 1 << 16 {
        py.detach(work)
    } else {
        work()
    };
    let scanned = scanned.map_err(|error| page_error(py, &page, &error))?;
    Ok((page, scanned))
}

fn text(holder: &Bound<'_, PyDict>, member: &str) -> PyResult<Option<String>> {
    let found = holder.get_item(member)?.filter(|value| !value.is_none());
    let found: Option<String> = found.map(|value| value.extract()).transpose()?;
    Ok(found.filter(|text| !text.is_empty()))
}

#[pymethods]
impl Journal {
    #[new]
    #[pyo3(signature = (token, /))]
    fn new(token: String) -> Self {
        let state = State {
            history: History::default(),
            token,
            prior: false,
            outbox: Outbox::default(),
            orphans: Orphans::default(),
        };
        Self {
            state: Mutex::new(state),
        }
    }

    #[getter]
    fn token(&self) -> String {
        self.lock().token.clone()
    }

    #[pyo3(signature = (operations, /))]
    fn load_operations(&self, operations: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = operations.py();
        let mut read = Vec::with_capacity(operations.len().unwrap_or(0));
        for operation in operations.try_iter()? {
            read.push(read_object(&operation?)?);
        }
        self.put_all(py, read);
        Ok(())
    }

    #[pyo3(signature = (body, /))]
    fn load_page(&self, py: Python<'_>, body: &[u8]) -> PyResult<Option<String>> {
        let (page, scanned) = scanned(py, body, page::state_page)?;
        // An operation may come again on a later page.
        self.lock().history.index_all();
        self.merge_raw(py, &page, &scanned);
        Ok(scanned.next_marker)
    }

    #[pyo3(signature = (operation_id, /))]
    fn find(&self, py: Python<'_>, operation_id: &Bound<'_, PyString>) -> PyResult<Option<Record>> {
        let id = operation_id.to_str()?.as_bytes();
        let shared = {
            let mut state = self.lock();
            state
                .history
                .find(id)
                .map(|place| state.history.slot(place).source.share(py))
        };
        shared.map(|shared| shared.record(py)).transpose()
    }

    fn records(&self, py: Python<'_>) -> PyResult<Vec<Record>> {
        let shared: Vec<_> = self
            .lock()
            .history
            .slots()
            .iter()
            .map(|slot| slot.source.share(py))
            .collect();
        shared.iter().map(|shared| shared.record(py)).collect()
    }

    #[getter]
    fn has_prior_operations(&self) -> bool {
        self.lock().prior
    }

    fn __len__(&self) -> usize {
        self.lock().history.len()
    }

    #[pyo3(signature = (prefix, parent_id, replaying, /))]
    fn scope(
        slf: Bound<'_, Self>,
        prefix: Option<&str>,
        parent_id: Option<Py<PyString>>,
        replaying: bool,
    ) -> Scope {
        Scope::new(slf.unbind(), prefix.unwrap_or(""), parent_id, replaying)
    }

    #[pyo3(signature = (update, /))]
    fn push(&self, py: Python<'_>, update: Option<Py<PyAny>>) -> PyResult<u64> {
        let Some(object) = update else {
            return Ok(self.lock().outbox.push(None, false));
        };
        let update = update::read(object.bind(py))?;
        let mut state = self.lock();
        let State {
            orphans,
            history,
            outbox,
            ..
        } = &mut *state;
        let recorded_parent = |key: u64| {
            // Only contexts begun in an earlier invocation are asked for here.
            history
                .by_key(key)
                .and_then(|place| history.slot(place).source.parent_key(py))
        };
        let parent_id = update.parent_id.as_deref();
        if !orphans.admit(
            &update.id,
            parent_id,
            update.kind,
            update.action,
            recorded_parent,
        ) {
            drop(state);
            return Ok(0);
        }
        Ok(outbox.push(Some((object, update.json)), update.kind == Kind::Execution))
    }

    #[getter]
    fn queued(&self) -> usize {
        self.lock().outbox.queued()
    }

    #[getter]
    fn in_flight(&self) -> bool {
        !self.lock().outbox.in_flight().is_empty()
    }

    #[getter]
    fn settled(&self) -> u64 {
        self.lock().outbox.settled()
    }

    #[pyo3(signature = (client_token, /))]
    fn next_request(&self, py: Python<'_>, client_token: &str) -> PyResult<Option<Request>> {
        let (token, body, updates) = {
            let mut state = self.lock();
            if !state.outbox.in_flight().is_empty() {
                return Err(PyRuntimeError::new_err(
                    "a checkpoint request is in flight already",
                ));
            }
            let token = state.token.clone();
            let Some(batch) = state.outbox.next_request() else {
                return Ok(None);
            };
            let json = batch
                .iter()
                .filter(|entry| entry.update.is_some())
                .map(|entry| &entry.json[..]);
            let body = wire::request(&token, client_token, json);
            let updates = batch
                .iter()
                .filter_map(|entry| entry.update.as_ref())
                .map(|update| update.clone_ref(py));
            let updates: Vec<_> = updates.collect();
            (token, body, updates)
        };
        Ok(Some(Request {
            token: PyString::new(py, &token).unbind(),
            client_token: PyString::new(py, client_token).unbind(),
            body: PyBytes::new(py, &body).unbind(),
            updates: PyList::new(py, updates)?.unbind(),
        }))
    }

    #[pyo3(signature = (response, /))]
    fn acknowledge(&self, response: &Bound<'_, PyAny>) -> PyResult<Acknowledgement> {
        let py = response.py();
        if let Ok(raw) = response.cast::<PyBytes>() {
            let (page, scanned) = scanned(py, raw.as_bytes(), page::acknowledgement)?;
            let outcome = self.outcome(scanned.token.as_deref());
            let changed = if outcome == "revoked" {
                Vec::new()
            } else {
                self.merge_raw(py, &page, &scanned)
            };
            let next_marker = scanned.next_marker.filter(|_| outcome == "continue");
            return Ok(Acknowledgement {
                outcome,
                next_marker,
                changed,
            });
        }
        let answer = response
            .cast::<PyDict>()
            .map_err(|_| history_error(py, "the answer is neither bytes nor a dict", None, None))?;
        let outcome = self.outcome(text(answer, "CheckpointToken")?.as_deref());
        let mut acknowledgement = Acknowledgement {
            outcome,
            next_marker: None,
            changed: Vec::new(),
        };
        let state = answer
            .get_item("NewExecutionState")?
            .and_then(|state| state.cast_into::<PyDict>().ok());
        let Some(state) = state.filter(|_| outcome != "revoked") else {
            return Ok(acknowledgement);
        };
        if let Some(operations) = state
            .get_item("Operations")?
            .filter(|value| !value.is_none())
        {
            acknowledgement.changed = self.merge_objects(&operations)?;
        }
        if outcome == "continue" {
            acknowledgement.next_marker = text(&state, "NextMarker")?;
        }
        Ok(acknowledgement)
    }

    fn settle(&self) -> u64 {
        let mut state = self.lock();
        let done = state.outbox.settle();
        let settled = state.outbox.settled();
        drop(state);
        drop(done);
        settled
    }

    fn discard(&self) {
        let dropped = self.lock().outbox.discard();
        drop(dropped);
    }

    fn completions(&self, py: Python<'_>) -> PyResult<Vec<(i64, Py<PyString>)>> {
        let mut completions = Vec::new();
        for record in self.records(py)? {
            if record.is_terminal(py)? && record.operation_type.bind(py).to_str()? != "EXECUTION" {
                completions.push((
                    record.end_ms.unwrap_or(0),
                    record.operation_id.clone_ref(py),
                ));
            }
        }
        completions.sort_by(|(ms, id), (other_ms, other_id)| {
            let order = |id: &Py<PyString>| id.bind(py).to_str().unwrap_or_default().to_owned();
            ms.cmp(other_ms)
                .then_with(|| order(id).cmp(&order(other_id)))
        });
        Ok(completions)
    }
}

impl Journal {
    /// Take over the new token, if there is one, and say what its absence means.
    fn outcome(&self, token: Option<&str>) -> &'static str {
        let mut state = self.lock();
        if let Some(token) = token {
            token.clone_into(&mut state.token);
            return "continue";
        }
        if state
            .outbox
            .in_flight()
            .iter()
            .any(|entry| entry.ends_execution)
        {
            "completed"
        } else {
            "revoked"
        }
    }
}
