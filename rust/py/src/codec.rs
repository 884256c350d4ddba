//! The default serdes format, between Python objects and text.
//!
//! Reading tries the one-pass reader first. Whatever it leaves is read as plain JSON into Python objects, and their
//! envelopes are then interpreted one by one with Python's own constructors ([`unwrap`]): slower, but complete.

mod build;
mod classes;
mod kinds;
mod scratch;
mod unwrap;
mod walk;

use crate::errors::CodecError;
use build::{Builder, utf8_of};
use durable_core::codec::{Fault, MAX_LEVELS, json, tagged};
use pyo3::exceptions::{PyException, PyMemoryError};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};
use scratch::Scratch;

/// Envelopes take two levels of JSON for each level of value.
const IRREGULAR_LEVELS: usize = 2 * MAX_LEVELS + 1;

/// Write a value in the official extended format.
#[pyfunction]
#[pyo3(signature = (value, /))]
pub fn encode<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    walk::encode(value)
}

/// Read what `encode`, or the official SDK, wrote.
#[pyfunction]
#[pyo3(signature = (text, /))]
pub fn decode<'py>(text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    decode_bytes(text.py(), &utf8_of(text)?)
}

/// Teach the codec the class behind the tag `br`.
#[pyfunction]
#[pyo3(signature = (cls, to_plain, from_plain, /))]
pub fn register_batch_result(
    cls: Bound<'_, PyType>,
    to_plain: Bound<'_, PyAny>,
    from_plain: Bound<'_, PyAny>,
) {
    classes::register(cls, to_plain, from_plain);
}

/// [`decode`], for a text in UTF-8 in which surrogates may occur in their three-byte form.
pub fn decode_bytes<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let mut scratch = Scratch::take();
    let (buffers, mut builder) = scratch.open(py);
    if text.first() == Some(&b'{') {
        match tagged::read(text, buffers, &mut builder) {
            Ok(()) => return Ok(builder.finish()),
            Err(tagged::Stop::Sink(error)) if is_fatal(py, &error) => return Err(error),
            // Either the other reader finds out what is wrong, or nothing is: a repeated key may replace what failed.
            Err(_) => builder.clear(),
        }
    }
    let blank = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    let object = text.iter().find(|byte| !blank(byte)) == Some(&b'{');
    let limits = json::Limits {
        levels: if object { IRREGULAR_LEVELS } else { MAX_LEVELS },
        objects: object,
    };
    read_json(py, text, limits, buffers, &mut builder)?;
    let value = builder.finish();
    if object {
        unwrap::unwrap(&value, &mut builder)
    } else {
        Ok(value)
    }
}

/// What Python's `json.loads` makes of a text, in UTF-8 in which surrogates may occur in their three-byte form.
pub fn decode_json_bytes<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let mut scratch = Scratch::take();
    let (buffers, mut builder) = scratch.open(py);
    let limits = json::Limits {
        levels: MAX_LEVELS,
        objects: true,
    };
    read_json(py, text, limits, buffers, &mut builder)?;
    Ok(builder.finish())
}

fn read_json(
    py: Python<'_>,
    text: &[u8],
    limits: json::Limits,
    buffers: &mut durable_core::codec::Scratch,
    builder: &mut Builder<'_, '_>,
) -> PyResult<()> {
    json::read(text, limits, buffers, builder).map_err(|stop| match stop {
        json::Stop::Fault(Fault { reason, offset }) => {
            CodecError::raise(py, reason, Some(offset), None)
        }
        json::Stop::Sink(error) if is_fatal(py, &error) => error,
        json::Stop::Sink(error) => refusal(py, "a value", error),
    })
}

/// Errors that are not about the text: those that end a program, and lack of memory.
fn is_fatal(py: Python<'_>, error: &PyErr) -> bool {
    !error.is_instance_of::<PyException>(py) || error.is_instance_of::<PyMemoryError>(py)
}

/// A constructor or a registered function did not take what the text holds.
fn refusal(py: Python<'_>, what: &str, error: PyErr) -> PyErr {
    if is_fatal(py, &error) || error.is_instance_of::<CodecError>(py) {
        return error;
    }
    CodecError::raise(
        py,
        format!("{what} cannot be read: {}", error.value(py)),
        None,
        Some(error),
    )
}
