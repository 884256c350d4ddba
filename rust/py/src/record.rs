//! `Record`: what the service holds for one operation.

use durable_core::status::{Kind, Status};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use crate::errors::history_error;
use crate::timestamps::{Unit, milliseconds};

type OptionalText = Option<Py<PyString>>;

/// What the service holds for one operation, as last acknowledged. Read-only.
#[pyclass(frozen, module = "durable_execution_sdk._core")]
pub struct Record {
    #[pyo3(get)]
    pub operation_id: Py<PyString>,
    #[pyo3(get)]
    pub operation_type: Py<PyString>,
    #[pyo3(get)]
    pub status: Py<PyString>,
    #[pyo3(get)]
    pub parent_id: OptionalText,
    #[pyo3(get)]
    pub name: OptionalText,
    #[pyo3(get)]
    pub sub_type: OptionalText,
    #[pyo3(get)]
    pub start_ms: Option<i64>,
    #[pyo3(get)]
    pub end_ms: Option<i64>,
    #[pyo3(get)]
    pub attempt: i64,
    #[pyo3(get)]
    pub next_attempt_ms: Option<i64>,
    #[pyo3(get)]
    pub scheduled_end_ms: Option<i64>,
    #[pyo3(get)]
    pub result: OptionalText,
    #[pyo3(get)]
    pub error: Option<Py<PyTuple>>,
    #[pyo3(get)]
    pub replay_children: bool,
    #[pyo3(get)]
    pub callback_id: OptionalText,
    #[pyo3(get)]
    pub input_payload: OptionalText,
}

#[pymethods]
impl Record {
    #[new]
    #[pyo3(signature = (operation_id, operation_type, status, *, parent_id=None, name=None, sub_type=None, start_ms=None,
        end_ms=None, attempt=0, next_attempt_ms=None, scheduled_end_ms=None, result=None, error=None,
        replay_children=false, callback_id=None, input_payload=None))]
    #[allow(
        clippy::too_many_arguments,
        reason = "the fields of a record, all but three by keyword"
    )]
    fn new(
        operation_id: Py<PyString>,
        operation_type: Py<PyString>,
        status: Py<PyString>,
        parent_id: OptionalText,
        name: OptionalText,
        sub_type: OptionalText,
        start_ms: Option<i64>,
        end_ms: Option<i64>,
        attempt: i64,
        next_attempt_ms: Option<i64>,
        scheduled_end_ms: Option<i64>,
        result: OptionalText,
        error: Option<Py<PyTuple>>,
        replay_children: bool,
        callback_id: OptionalText,
        input_payload: OptionalText,
    ) -> Self {
        Self {
            operation_id,
            operation_type,
            status,
            parent_id,
            name,
            sub_type,
            start_ms,
            end_ms,
            attempt,
            next_attempt_ms,
            scheduled_end_ms,
            result,
            error,
            replay_children,
            callback_id,
            input_payload,
        }
    }

    #[getter]
    pub fn is_terminal(&self, py: Python<'_>) -> PyResult<bool> {
        let status = self.status.bind(py).to_str()?;
        Ok(matches!(
            status,
            "SUCCEEDED" | "FAILED" | "CANCELLED" | "TIMED_OUT" | "STOPPED"
        ))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!(
            "<Record {} {} {}>",
            self.operation_type.bind(py),
            self.operation_id.bind(py),
            self.status.bind(py)
        )
    }
}

/// A text that is not what it should be counts as absent, as it does for replay.
fn text(value: Bound<'_, PyAny>) -> OptionalText {
    value.cast_into::<PyString>().ok().map(Bound::unbind)
}

/// The one string object of a known word.
fn word(
    value: Option<&Bound<'_, PyAny>>,
    is_known: impl Fn(&[u8]) -> bool,
) -> PyResult<Option<Py<PyString>>> {
    let Some(value) = value else {
        return Ok(None);
    };
    let word = value.str()?;
    let text = word.to_str()?;
    Ok(is_known(text.as_bytes()).then(|| PyString::intern(value.py(), text).unbind()))
}

impl Record {
    /// Read one operation in the wire shape.
    pub fn from_wire(wire: &Bound<'_, PyAny>, unit: Unit) -> PyResult<Self> {
        let py = wire.py();
        let wire = wire
            .cast::<PyDict>()
            .map_err(|_| history_error(py, "an operation is an object", None, None))?;
        let (mut id, mut kind, mut status) = (None, None, None);
        let empty = PyString::intern(py, "");
        let mut record = Self {
            operation_id: empty.clone().unbind(),
            operation_type: empty.clone().unbind(),
            status: empty.unbind(),
            parent_id: None,
            name: None,
            sub_type: None,
            start_ms: None,
            end_ms: None,
            attempt: 0,
            next_attempt_ms: None,
            scheduled_end_ms: None,
            result: None,
            error: None,
            replay_children: false,
            callback_id: None,
            input_payload: None,
        };
        let mut details = Vec::new();
        for (member, value) in wire.iter() {
            let Some(member) = member.cast::<PyString>().ok().and_then(|m| m.to_str().ok()) else {
                continue;
            };
            match member {
                "Id" => id = text(value),
                "Type" => kind = Some(value),
                "Status" => status = Some(value),
                "ParentId" => record.parent_id = text(value),
                "Name" => record.name = text(value),
                "SubType" => record.sub_type = text(value),
                "StartTimestamp" => record.start_ms = milliseconds(&value, unit),
                "EndTimestamp" => record.end_ms = milliseconds(&value, unit),
                _ if member.ends_with("Details") => {
                    details.extend(value.cast_into::<PyDict>().ok());
                }
                _ => {}
            }
        }
        let id = id
            .filter(|id| !id.bind(py).is_empty().unwrap_or(true))
            .ok_or_else(|| history_error(py, "an operation has no Id", None, Some("Id")))?;
        let unknown = |field: &str, value: Option<&Bound<'_, PyAny>>| match value {
            None => history_error(
                py,
                &format!("an operation has no {field}"),
                Some(&id.bind(py).to_string()),
                Some(field),
            ),
            Some(value) => PyValueError::new_err(format!(
                "{value:?} is no {field} that this SDK knows (operation {})",
                id.bind(py)
            )),
        };
        record.operation_type = word(kind.as_ref(), |word| Kind::parse(word).is_some())?
            .ok_or_else(|| unknown("Type", kind.as_ref()))?;
        record.status = word(status.as_ref(), |word| Status::parse(word).is_some())?
            .ok_or_else(|| unknown("Status", status.as_ref()))?;
        for details in &details {
            record.read_details(details, unit).map_err(|field| {
                let reason =
                    format!("the {field} of an operation is not of the form it should have");
                history_error(py, &reason, Some(&id.bind(py).to_string()), Some(field))
            })?;
        }
        record.operation_id = id;
        Ok(record)
    }

    /// The error is the member that is not of its form.
    fn read_details(
        &mut self,
        details: &Bound<'_, PyDict>,
        unit: Unit,
    ) -> Result<(), &'static str> {
        for (member, value) in details.iter() {
            let Some(member) = member.cast::<PyString>().ok().and_then(|m| m.to_str().ok()) else {
                continue;
            };
            if value.is_none() {
                continue;
            }
            match member {
                "Result" => self.result = text(value),
                "InputPayload" => self.input_payload = text(value),
                "CallbackId" => self.callback_id = text(value),
                "ReplayChildren" => {
                    self.replay_children = value.is_truthy().map_err(|_| "ReplayChildren")?;
                }
                "Attempt" => self.attempt = value.extract().map_err(|_| "Attempt")?,
                "NextAttemptTimestamp" => self.next_attempt_ms = milliseconds(&value, unit),
                "ScheduledEndTimestamp" => self.scheduled_end_ms = milliseconds(&value, unit),
                "Error" => self.error = Some(read_error(&value).map_err(|_| "Error")?),
                _ => {}
            }
        }
        Ok(())
    }
}

/// (message, type, data, stack trace)
fn read_error(error: &Bound<'_, PyAny>) -> PyResult<Py<PyTuple>> {
    let py = error.py();
    let error = error.cast::<PyDict>()?;
    let trace = error.get_item(intern!(py, "StackTrace"))?;
    let fields = (
        error.get_item(intern!(py, "ErrorMessage"))?,
        error.get_item(intern!(py, "ErrorType"))?,
        error.get_item(intern!(py, "ErrorData"))?,
        trace.filter(PyAnyMethods::is_instance_of::<PyList>),
    );
    Ok(fields.into_pyobject(py)?.unbind())
}
