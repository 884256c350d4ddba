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
    let mut message = String::from(reason);
    if let Some(id) = operation_id {
        message.push_str(&format!(" (operation {id})"));
    }
    let error = HistoryError::new_err(message);
    let value = error.value(py);
    let _ = value.setattr("reason", reason);
    let _ = value.setattr("operation_id", operation_id);
    let _ = value.setattr("field", field);
    error
}
