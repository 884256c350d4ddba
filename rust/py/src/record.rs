//! `Record`: what the service holds for one operation.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use crate::errors::history_error;
use crate::timestamps::{Unit, milliseconds};

const TYPES: [&str; 6] = [
    "EXECUTION",
    "CONTEXT",
    "STEP",
    "WAIT",
    "CALLBACK",
    "CHAINED_INVOKE",
];
const STATUSES: [&str; 8] = [
    "STARTED",
    "PENDING",
    "READY",
    "SUCCEEDED",
    "FAILED",
    "CANCELLED",
    "TIMED_OUT",
    "STOPPED",
];
const DETAILS: [&str; 6] = [
    "ExecutionDetails",
    "ContextDetails",
    "StepDetails",
    "WaitDetails",
    "CallbackDetails",
    "ChainedInvokeDetails",
];

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

impl Record {
    /// Read one operation in the wire shape.
    pub fn from_wire(wire: &Bound<'_, PyAny>, unit: Unit) -> PyResult<Self> {
        let py = wire.py();
        let wire = wire
            .cast::<PyDict>()
            .map_err(|_| history_error(py, "an operation is an object", None, None))?;
        let text = |member: &str| -> PyResult<OptionalText> {
            Ok(wire
                .get_item(member)?
                .and_then(|v| v.cast_into::<PyString>().ok())
                .map(Bound::unbind))
        };
        let operation_id = text("Id")?
            .filter(|id| !id.bind(py).is_empty().unwrap_or(true))
            .ok_or_else(|| history_error(py, "an operation has no Id", None, Some("Id")))?;
        let named = |member: &'static str, known: &[&str]| -> PyResult<Py<PyString>> {
            let id = operation_id.bind(py).to_string();
            let value = wire.get_item(member)?.ok_or_else(|| {
                history_error(
                    py,
                    &format!("an operation has no {member}"),
                    Some(&id),
                    Some(member),
                )
            })?;
            let word = value.str()?;
            if known.contains(&word.to_str()?) {
                return Ok(PyString::intern(py, word.to_str()?).unbind());
            }
            Err(PyValueError::new_err(format!(
                "{word:?} is no {member} that this SDK knows (operation {id})"
            )))
        };
        let time = |holder: &Bound<'_, PyDict>, member: &str| -> PyResult<Option<i64>> {
            Ok(holder
                .get_item(member)?
                .and_then(|value| milliseconds(&value, unit)))
        };
        let operation_type = named("Type", &TYPES)?;
        let status = named("Status", &STATUSES)?;
        let mut record = Self {
            operation_type,
            status,
            parent_id: text("ParentId")?,
            name: text("Name")?,
            sub_type: text("SubType")?,
            start_ms: time(wire, "StartTimestamp")?,
            end_ms: time(wire, "EndTimestamp")?,
            attempt: 0,
            next_attempt_ms: None,
            scheduled_end_ms: None,
            result: None,
            error: None,
            replay_children: false,
            callback_id: None,
            input_payload: None,
            operation_id: operation_id.clone_ref(py),
        };
        for member in DETAILS {
            let Some(details) = wire
                .get_item(member)?
                .and_then(|value| value.cast_into::<PyDict>().ok())
            else {
                continue;
            };
            record.read_details(&details, unit)?;
        }
        Ok(record)
    }

    fn read_details(&mut self, details: &Bound<'_, PyDict>, unit: Unit) -> PyResult<()> {
        for (member, value) in details.iter() {
            if value.is_none() {
                continue;
            }
            let text = || {
                value
                    .cast::<PyString>()
                    .ok()
                    .map(|text| text.clone().unbind())
            };
            match member.cast::<PyString>()?.to_str()? {
                "Result" => self.result = text(),
                "InputPayload" => self.input_payload = text(),
                "CallbackId" => self.callback_id = text(),
                "ReplayChildren" => self.replay_children = value.is_truthy()?,
                "Attempt" => self.attempt = value.extract()?,
                "NextAttemptTimestamp" => self.next_attempt_ms = milliseconds(&value, unit),
                "ScheduledEndTimestamp" => self.scheduled_end_ms = milliseconds(&value, unit),
                "Error" => {
                    let error = value.cast::<PyDict>()?;
                    let field =
                        |name: &str| -> PyResult<Option<Bound<'_, PyAny>>> { error.get_item(name) };
                    let trace = field("StackTrace")?.filter(PyAnyMethods::is_instance_of::<PyList>);
                    let fields = (
                        field("ErrorMessage")?,
                        field("ErrorType")?,
                        field("ErrorData")?,
                        trace,
                    );
                    self.error = Some(fields.into_pyobject(details.py())?.unbind());
                }
                _ => {}
            }
        }
        Ok(())
    }
}
