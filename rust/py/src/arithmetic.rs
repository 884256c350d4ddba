//! Ids and delays as Python functions.

use durable_core::{ids, time};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

fn text(id: ids::Id) -> String {
    id.to_string()
}

/// The id of the operation at a position under a prefix.
#[pyfunction]
#[pyo3(signature = (prefix, position, /))]
pub fn operation_id(prefix: Option<&str>, position: u64) -> String {
    text(ids::operation_id(prefix.unwrap_or(""), position))
}

/// The prefix of a task's scope.
#[pyfunction]
#[pyo3(signature = (parent_prefix, qualname, ordinal, /))]
pub fn task_scope_prefix(parent_prefix: Option<&str>, qualname: &str, ordinal: u64) -> String {
    text(ids::task_scope_prefix(
        parent_prefix.unwrap_or(""),
        qualname,
        ordinal,
    ))
}

/// Exponential backoff before jitter, in seconds.
#[pyfunction]
#[pyo3(signature = (initial, rate, maximum, attempt, /))]
pub fn exponential_delay(initial: f64, rate: f64, maximum: f64, attempt: i64) -> f64 {
    time::exponential_delay(initial, rate, maximum, attempt)
}

/// Linear backoff before jitter, in seconds.
#[pyfunction]
#[pyo3(signature = (initial, increment, maximum, attempt, /))]
pub fn linear_delay(initial: f64, increment: f64, maximum: f64, attempt: i64) -> f64 {
    time::linear_delay(initial, increment, maximum, attempt)
}

/// A delay after jitter, in seconds.
#[pyfunction]
#[pyo3(signature = (strategy, delay, random, /))]
pub fn jittered(strategy: &str, delay: f64, random: f64) -> PyResult<f64> {
    time::Jitter::named(strategy)
        .map(|jitter| jitter.apply(delay, random))
        .ok_or_else(|| {
            PyValueError::new_err(format!(
                "{strategy:?} is no jitter strategy: NONE, HALF or FULL"
            ))
        })
}

/// Whole seconds, rounded up, at least 1.
#[pyfunction]
#[pyo3(signature = (delay, /))]
pub fn finalized(delay: f64) -> i64 {
    time::finalized(delay)
}
