//! `Journal`: one invocation's history and outbox.
//!
//! Work on the guarded state is arithmetic on data only. Nothing that could run Python code (a constructor, a destructor)
//! happens in it: what is replaced or dropped is carried out first.

use durable_core::batch::{Orphans, Outbox};
use durable_core::history::{History, MOST_RECORDS};
use durable_core::ids::Id;
use durable_core::page::{self, PageError, Scanned};
use durable_core::status::Kind;
use durable_core::wire;
use pyo3::exceptions::{PyKeyError, PyRuntimeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyMapping, PyString};

use crate::errors::history_error;
use crate::held::Held;
use crate::reader;
use crate::record::Record;
use crate::scope::Scope;
use crate::source::{Contexts, Found, Origin, Recent, id_text, read_object};
use crate::update;

/// What the journal guards.
pub struct State {
    pub history: History<Origin>,
    pub contexts: Contexts,
    token: String,
    prior: bool,
    pending: usize,
    outbox: Outbox<Py<PyAny>>,
    orphans: Orphans,
}

/// History, scopes and outbox of one invocation.
#[pyclass(frozen, module = "durable_execution_sdk._core")]
pub struct Journal {
    pub state: Held<State>,
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
    changed: Vec<Py<PyString>>,
}

impl State {
    /// Add a record: what it replaces or, if there is no room, itself.
    fn put(&mut self, found: Found) -> Result<Option<Origin>, Origin> {
        let mut origin = found.origin;
        if let Some(parent) = found.parent {
            match self.contexts.place(parent) {
                Some(place) => origin.lie_in(place),
                None => return Err(origin),
            }
        }
        let facts = origin.facts().facts();
        let (_, old) = self.history.put(found.id, origin)?;
        self.prior |= facts.kind != Kind::Execution;
        self.pending += usize::from(facts.is_pending());
        if let Some(old) = &old {
            self.pending -= usize::from(old.facts().facts().is_pending());
        }
        Ok(old)
    }
}

impl Journal {
    fn put_all(
        &self,
        py: Python<'_>,
        mut records: impl ExactSizeIterator<Item = Found>,
    ) -> PyResult<()> {
        let mut replaced = Vec::new();
        let refused = self.state.with(py, |state| {
            state.history.reserve(records.len());
            records.find_map(|found| match state.put(found) {
                Ok(old) => {
                    replaced.extend(old);
                    None
                }
                Err(refused) => Some(refused),
            })
        });
        match refused {
            None => Ok(()),
            Some(_) => Err(history_error(
                py,
                &format!("a history holds at most {MOST_RECORDS} operations"),
                None,
                None,
            )),
        }
    }

    /// Index objects in groups, so that what was just read is still near; what comes before a wrong one stays.
    fn put_objects(&self, operations: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = operations.py();
        let expected = operations.len().unwrap_or(0);
        self.state.with(py, |state| state.history.reserve(expected));
        let mut read = Vec::with_capacity(expected.min(reader::GROUP));
        let mut recent = Recent::default();
        if let Ok(list) = operations.cast::<PyList>() {
            for start in (0..).step_by(reader::GROUP) {
                if start >= list.len() {
                    break;
                }
                let outcome = reader::read_group(list, start, &mut recent, &mut read);
                self.state.with(py, |state| {
                    state.history.expect(read.iter().map(|found| &found.id));
                });
                self.put_all(py, read.drain(..))?;
                outcome?;
            }
        } else {
            for operation in operations.try_iter()? {
                let found = read_object(&operation?, &mut recent)?;
                self.put_all(py, std::iter::once(found))?;
            }
        }
        Ok(())
    }

    fn put_page(&self, page: &Bound<'_, PyBytes>, scanned: &Scanned) -> PyResult<()> {
        let records = scanned.operations.iter().map(|located| Found {
            id: located.id,
            parent: located.parent(page.as_bytes()),
            origin: Origin::raw(page, located),
        });
        self.put_all(page.py(), records)
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
    body: &Bound<'_, PyBytes>,
    scan: impl Fn(&[u8]) -> Result<Scanned, PageError> + Send + Sync,
) -> PyResult<Scanned> {
    // Large pages are scanned while other threads run.
    const LARGE: usize = 1 << 15;
    let (py, page) = (body.py(), body.as_bytes());
    let scanned = if page.len() > LARGE {
        py.detach(|| scan(page))
    } else {
        scan(page)
    };
    scanned.map_err(|error| page_error(py, page, &error))
}

fn member<'py>(
    holder: &Bound<'py, PyMapping>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match holder.get_item(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_none())),
        Err(error) if error.is_instance_of::<PyKeyError>(holder.py()) => Ok(None),
        Err(error) => Err(error),
    }
}

fn text(holder: &Bound<'_, PyMapping>, name: &Bound<'_, PyString>) -> PyResult<Option<String>> {
    let Some(value) = member(holder, name)? else {
        return Ok(None);
    };
    let text: String = value.extract().map_err(|_| {
        let reason = format!("the answer's {name} is not a string");
        history_error(holder.py(), &reason, None, name.to_str().ok())
    })?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

#[pymethods]
impl Journal {
    #[new]
    #[pyo3(signature = (token, /))]
    fn new(token: String) -> Self {
        Self {
            state: Held::new(State {
                history: History::default(),
                contexts: Contexts::default(),
                token,
                prior: false,
                pending: 0,
                outbox: Outbox::default(),
                orphans: Orphans::default(),
            }),
        }
    }

    #[getter]
    fn token(&self, py: Python<'_>) -> String {
        self.state.with(py, |state| state.token.clone())
    }

    #[pyo3(signature = (operations, /))]
    fn load_operations(&self, operations: &Bound<'_, PyAny>) -> PyResult<()> {
        self.put_objects(operations)
    }

    #[pyo3(signature = (body, /))]
    fn load_page(&self, body: &Bound<'_, PyBytes>) -> PyResult<Option<String>> {
        let scanned = scanned(body, page::state_page)?;
        self.put_page(body, &scanned)?;
        Ok(scanned.next_marker)
    }

    #[pyo3(signature = (operation_id, /))]
    fn find(&self, operation_id: &Bound<'_, PyString>) -> PyResult<Option<Record>> {
        let py = operation_id.py();
        let id = Id::of_text(operation_id.to_str()?.as_bytes());
        let whole = self.state.with(py, |state| {
            state.history.peek(&id).map(|slot| slot.source.whole(py))
        });
        whole.map(|whole| whole.record(py)).transpose()
    }

    fn records(&self, py: Python<'_>) -> PyResult<Vec<Record>> {
        let all: Vec<_> = self.state.with(py, |state| {
            let slots = state.history.slots().iter();
            slots.map(|slot| slot.source.whole(py)).collect()
        });
        all.iter().map(|whole| whole.record(py)).collect()
    }

    #[getter]
    fn has_prior_operations(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.prior)
    }

    #[getter]
    fn has_pending_operations(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.pending > 0)
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.state.with(py, |state| state.history.len())
    }

    #[pyo3(signature = (prefix, parent_id, replaying, /))]
    fn scope(
        slf: Bound<'_, Self>,
        prefix: Option<&str>,
        parent_id: Option<Py<PyString>>,
        replaying: bool,
    ) -> PyResult<Scope> {
        let py = slf.py();
        Scope::new(py, slf.unbind(), prefix.unwrap_or(""), parent_id, replaying)
    }

    #[pyo3(signature = (update, /))]
    fn push(&self, py: Python<'_>, update: Option<Py<PyAny>>) -> PyResult<u64> {
        let Some(object) = update else {
            return Ok(self.state.with(py, |state| state.outbox.push(None, false)));
        };
        let update = update::read(object.bind(py))?;
        let id = Id::of_text(&update.id);
        let parent = update
            .parent_id
            .as_deref()
            .filter(|parent| !parent.is_empty());
        let parent = parent.map(Id::of_text);
        let (ticket, refused) = self.state.with(py, |state| {
            let (history, contexts) = (&state.history, &state.contexts);
            let recorded_parent = |context: &Id| {
                let place = history.peek(context)?.source.parent();
                contexts.get(place).copied()
            };
            if state
                .orphans
                .admit(id, parent, update.kind, update.action, recorded_parent)
            {
                let ends_execution = update.kind == Kind::Execution;
                (
                    state
                        .outbox
                        .push(Some((object, update.json)), ends_execution),
                    None,
                )
            } else {
                (0, Some(object))
            }
        });
        drop(refused);
        Ok(ticket)
    }

    #[getter]
    fn queued(&self, py: Python<'_>) -> usize {
        self.state.with(py, |state| state.outbox.queued())
    }

    #[getter]
    fn in_flight(&self, py: Python<'_>) -> bool {
        self.state
            .with(py, |state| !state.outbox.in_flight().is_empty())
    }

    #[getter]
    fn settled(&self, py: Python<'_>) -> u64 {
        self.state.with(py, |state| state.outbox.settled())
    }

    #[pyo3(signature = (client_token, /))]
    fn next_request(&self, py: Python<'_>, client_token: &str) -> PyResult<Option<Request>> {
        let request = self.state.with(py, |state| {
            if !state.outbox.in_flight().is_empty() {
                return Err(());
            }
            let token = state.token.clone();
            Ok(state.outbox.next_request().map(|batch| {
                let sent = batch.iter().filter(|entry| entry.update.is_some());
                let body = wire::request(&token, client_token, sent.map(|entry| &entry.json[..]));
                let updates = batch.iter().filter_map(|entry| entry.update.as_ref());
                let updates: Vec<_> = updates.map(|update| update.clone_ref(py)).collect();
                (token, body, updates)
            }))
        });
        let Ok(request) = request else {
            return Err(PyRuntimeError::new_err(
                "a checkpoint request is in flight already: settle or discard it first",
            ));
        };
        let Some((token, body, updates)) = request else {
            return Ok(None);
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
        if let Ok(raw) = response.cast::<PyBytes>() {
            self.acknowledge_raw(raw)
        } else {
            self.acknowledge_parsed(response)
        }
    }

    fn settle(&self, py: Python<'_>) -> u64 {
        let (done, settled) = self
            .state
            .with(py, |state| (state.outbox.settle(), state.outbox.settled()));
        drop(done);
        settled
    }

    fn discard(&self, py: Python<'_>) {
        let dropped = self.state.with(py, |state| state.outbox.discard());
        drop(dropped);
    }
}

impl Journal {
    fn acknowledge_raw(&self, body: &Bound<'_, PyBytes>) -> PyResult<Acknowledgement> {
        let py = body.py();
        let scanned = scanned(body, page::acknowledgement)?;
        let outcome = self.outcome(py, scanned.token.as_deref());
        let mut changed = Vec::new();
        if outcome != "revoked" {
            self.put_page(body, &scanned)?;
            let mut buffer = Vec::new();
            changed.reserve(scanned.operations.len());
            for located in &scanned.operations {
                let raw = located.id_text.of(body.as_bytes()).unwrap_or_default();
                let text = page::unescape(raw, &mut buffer).unwrap_or_default();
                changed.push(PyString::new(py, &String::from_utf8_lossy(text)).unbind());
            }
        }
        Ok(Acknowledgement {
            outcome,
            next_marker: scanned.next_marker.filter(|_| outcome == "continue"),
            changed,
        })
    }

    fn acknowledge_parsed(&self, response: &Bound<'_, PyAny>) -> PyResult<Acknowledgement> {
        let py = response.py();
        let answer = response.cast::<PyMapping>().map_err(|_| {
            history_error(py, "the answer is neither bytes nor a mapping", None, None)
        })?;
        let state = member(answer, intern!(py, "NewExecutionState"))?;
        let state = state.and_then(|state| state.cast_into::<PyMapping>().ok());
        let token = text(answer, intern!(py, "CheckpointToken"))?;
        let outcome = self.outcome(py, token.as_deref());
        let mut acknowledgement = Acknowledgement {
            outcome,
            next_marker: None,
            changed: Vec::new(),
        };
        let Some(state) = state.filter(|_| outcome != "revoked") else {
            return Ok(acknowledgement);
        };
        if let Some(operations) = member(&state, intern!(py, "Operations"))? {
            self.put_objects(&operations)?;
            for operation in operations.try_iter()? {
                acknowledgement.changed.extend(id_text(&operation?)?);
            }
        }
        if outcome == "continue" {
            acknowledgement.next_marker = text(&state, intern!(py, "NextMarker"))?;
        }
        Ok(acknowledgement)
    }

    /// Take over the new token, if there is one, and say what its absence means.
    fn outcome(&self, py: Python<'_>, token: Option<&str>) -> &'static str {
        self.state.with(py, |state| {
            if let Some(token) = token {
                token.clone_into(&mut state.token);
                "continue"
            } else if state
                .outbox
                .in_flight()
                .iter()
                .any(|entry| entry.ends_execution)
            {
                "completed"
            } else {
                "revoked"
            }
        })
    }
}
