//! Timestamps in every form in which events and API answers carry them.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString};

/// What a bare number counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Events carry epoch milliseconds.
    Milliseconds,
    /// API bodies carry epoch seconds, possibly fractional.
    Seconds,
}

/// Milliseconds since the epoch; None for what is no time.
pub fn milliseconds(value: &Bound<'_, PyAny>, unit: Unit) -> Option<i64> {
    if value.is_none() || value.is_instance_of::<PyBool>() {
        return None;
    }
    if unit == Unit::Milliseconds && value.is_exact_instance_of::<PyInt>() {
        // What fits as it is takes no way through a float.
        if let Ok(ms) = value.extract::<i64>() {
            return (ms.unsigned_abs() < 9_000_000_000_000_000).then_some(ms);
        }
    }
    if value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>() {
        let number: f64 = value.extract().ok()?;
        return scaled(number, if unit == Unit::Seconds { 1000.0 } else { 1.0 });
    }
    if let Ok(text) = value.cast::<PyString>() {
        return iso(text);
    }
    let seconds: f64 = aware(value)
        .ok()?
        .call_method0("timestamp")
        .ok()?
        .extract()
        .ok()?;
    scaled(seconds, 1000.0)
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "checked to be in range just before"
)]
fn scaled(number: f64, factor: f64) -> Option<i64> {
    let ms = (number * factor).round();
    (ms.is_finite() && ms.abs() < 9.0e15).then_some(ms as i64)
}

fn iso(text: &Bound<'_, PyString>) -> Option<i64> {
    let datetime = text
        .py()
        .import("datetime")
        .ok()?
        .getattr("datetime")
        .ok()?;
    let parsed = datetime.call_method1("fromisoformat", (text,)).ok()?;
    let seconds: f64 = aware(&parsed)
        .ok()?
        .call_method0("timestamp")
        .ok()?
        .extract()
        .ok()?;
    scaled(seconds, 1000.0)
}

/// A datetime without a zone is UTC here.
fn aware<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if value.getattr("tzinfo")?.is_none() {
        let utc = value
            .py()
            .import("datetime")?
            .getattr("timezone")?
            .getattr("utc")?;
        let kwargs = pyo3::types::PyDict::new(value.py());
        kwargs.set_item("tzinfo", utc)?;
        return value.call_method("replace", (), Some(&kwargs));
    }
    Ok(value.clone())
}
