//! Which form of the format a Python object takes.

use super::classes;
use crate::errors::CodecError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{
    PyByteArray, PyBytes, PyDate, PyDateTime, PyDict, PyFloat, PyInt, PyList, PyMemoryView,
    PyString, PyTuple, PyType,
};

/// What a value is written as.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    None,
    Str,
    Bool,
    Int,
    Float,
    Bytes,
    Uuid,
    Decimal,
    DateTime,
    Date,
    List,
    Tuple,
    Map,
    Batch,
}

/// What a value is written as; an error if it has no form.
#[inline]
pub(super) fn kind(value: &Bound<'_, PyAny>) -> PyResult<Kind> {
    let class = value.get_type_ptr();
    Ok(match class {
        _ if class == &raw mut ffi::PyUnicode_Type => Kind::Str,
        _ if class == &raw mut ffi::PyDict_Type => Kind::Map,
        _ if class == &raw mut ffi::PyLong_Type => Kind::Int,
        _ if class == &raw mut ffi::PyFloat_Type => Kind::Float,
        _ if class == &raw mut ffi::PyBool_Type => Kind::Bool,
        _ if class == &raw mut ffi::PyList_Type => Kind::List,
        _ if class == &raw mut ffi::PyTuple_Type => Kind::Tuple,
        _ if class == &raw mut ffi::PyBytes_Type => Kind::Bytes,
        _ if value.is_none() => Kind::None,
        _ => return other_kind(value),
    })
}

/// Classes that are not known by their address, and subclasses, in the order of precedence of the official SDK 3.0.0.
fn other_kind(value: &Bound<'_, PyAny>) -> PyResult<Kind> {
    let py = value.py();
    if value.is_exact_instance_of::<PyDateTime>() {
        return Ok(Kind::DateTime);
    }
    if value.is_exact_instance_of::<PyDate>() {
        return Ok(Kind::Date);
    }
    let decimal = classes::decimal(py)?;
    let uuid = classes::Uuid::get(py)?.class.bind(py);
    let class = value.get_type();
    if class.is(decimal) {
        return Ok(Kind::Decimal);
    }
    if class.is(uuid) {
        return Ok(Kind::Uuid);
    }
    // `is_instance` also believes what `__class__` says, as Python's `isinstance` does.
    let of = |class: Bound<'_, PyType>| value.is_instance(&class);
    Ok(if of(py.get_type::<PyString>())? {
        Kind::Str
    } else if of(py.get_type::<PyInt>())? {
        Kind::Int
    } else if of(py.get_type::<PyFloat>())? {
        Kind::Float
    } else if of(py.get_type::<PyBytes>())?
        || of(py.get_type::<PyByteArray>())?
        || of(py.get_type::<PyMemoryView>())?
    {
        Kind::Bytes
    } else if value.is_instance(uuid)? {
        Kind::Uuid
    } else if value.is_instance(decimal)? {
        Kind::Decimal
    } else if of(py.get_type::<PyDateTime>())? {
        Kind::DateTime
    } else if of(py.get_type::<PyDate>())? {
        Kind::Date
    } else if classes::batch_class(py).map_or(Ok(false), of)? {
        Kind::Batch
    } else if of(py.get_type::<PyList>())? {
        Kind::List
    } else if of(py.get_type::<PyTuple>())? {
        Kind::Tuple
    } else if of(py.get_type::<PyDict>())? {
        Kind::Map
    } else {
        let reason = format!(
            "a value of {} has no form in the default serdes; convert it, or configure a serdes of your own",
            described(value)
        );
        return Err(CodecError::raise(py, reason, None, None));
    })
}

/// The class of a value as a person would write it.
pub(super) fn described(value: &Bound<'_, PyAny>) -> String {
    let class = value.get_type();
    match class.fully_qualified_name() {
        Ok(name) => format!("type `{name}`"),
        Err(_) => "an unnamed type".to_owned(),
    }
}
