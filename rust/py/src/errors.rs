//! The one place where facts of the core become Python exceptions.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

pyo3::create_exception!(
    durable_execution_sdk._core,
    HistoryError,
    PyValueError,
    "A page, event or acknowledgement that is not what the service sends."
);

/// A `HistoryError` with its facts as attributes.
pub fn history_error(
    py: Python<'_>,
    reason: &str,
    operation_id: Option<&str>,
    field: Option<&str>,
) -> PyErr {
    let message = match operation_id {
        Some(id) => format!("{reason} (operation {id})"),
        None => reason.to_owned(),
    };
    let error = HistoryError::new_err(message);
    let value = error.value(py);
    let _ = value.setattr("reason", reason);
    let _ = value.setattr("operation_id", operation_id);
    let _ = value.setattr("field", field);
    error
}

/// A value that the default serdes cannot write, or a text that it cannot read.
#[pyclass(extends = PyValueError, subclass, frozen, module = "durable_execution_sdk._core")]
pub struct CodecError {
    /// What is wrong, a sentence without a full stop.
    #[pyo3(get)]
    reason: String,
    /// Position in the text in bytes, where there is one.
    #[pyo3(get)]
    offset: Option<usize>,
}

#[pymethods]
impl CodecError {
    #[new]
    #[pyo3(signature = (reason, offset=None))]
    fn new(reason: String, offset: Option<usize>) -> Self {
        Self { reason, offset }
    }

    fn __str__(&self) -> String {
        match self.offset {
            Some(offset) => format!("{} (at byte {offset})", self.reason),
            None => self.reason.clone(),
        }
    }
}

impl CodecError {
    /// The exception for a value or a text; `cause` becomes its `__cause__`.
    pub fn raise(
        py: Python<'_>,
        reason: impl Into<String>,
        offset: Option<usize>,
        cause: Option<PyErr>,
    ) -> PyErr {
        let error = PyErr::new::<Self, _>((reason.into(), offset));
        if cause.is_some() {
            error.set_cause(py, cause);
        }
        error
    }
}
