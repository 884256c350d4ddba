//! Walks Python objects and writes them.

use super::classes;
use super::kinds::{Kind, described, kind};
use super::scratch::Scratch;
use crate::errors::CodecError;
use durable_core::codec::time::{Date, DateTime};
use durable_core::codec::{MAX_LEVELS, write};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyDate, PyDateAccess, PyDateTime, PyDict, PyFloat, PyInt, PyList, PyString,
    PyTimeAccess, PyTuple, PyTzInfo, PyTzInfoAccess,
};
use std::slice;

/// A container whose members are written one after the other.
enum Frame<'py> {
    List {
        members: Bound<'py, PyList>,
        next: usize,
    },
    Tuple {
        members: Bound<'py, PyTuple>,
        next: usize,
    },
    Map {
        members: Bound<'py, PyDict>,
        position: ffi::Py_ssize_t,
        size: usize,
        first: bool,
    },
}

pub(super) fn encode<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    let mut scratch = Scratch::take();
    let out = &mut scratch.text;
    out.clear();
    if !plain(value, out)? {
        out.clear();
        tagged(value, out)?;
    }
    // SAFETY: everything written is ASCII; the result is a new string, or null and an exception.
    let text = unsafe { Bound::from_owned_ptr_or_err(value.py(), super::build::new_ascii(out))? };
    Ok(text.cast_into()?)
}

/// Write a value that consists of scalars and lists; false, and void, if it holds anything else.
fn plain<'py>(root: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> PyResult<bool> {
    let mut lists: Vec<(Bound<'py, PyList>, usize)> = Vec::new();
    let mut value = root.clone();
    loop {
        match kind(&value)? {
            Kind::List => {
                if lists.len() >= MAX_LEVELS {
                    return Err(too_deep(value.py()));
                }
                out.push(b'[');
                lists.push((list(value)?, 0));
            }
            known if !scalar(known, &value, out)? => return Ok(false),
            _ => {}
        }
        value = loop {
            let Some((members, next)) = lists.last_mut() else {
                return Ok(true);
            };
            if *next < members.len() {
                if *next > 0 {
                    out.push(b',');
                }
                *next += 1;
                break members.get_item(*next - 1)?;
            }
            out.push(b']');
            lists.pop();
        };
    }
}

/// Write a value and all it holds in envelopes.
fn tagged(root: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    let mut frames = Vec::new();
    let mut value = root.clone();
    loop {
        if let Some(frame) = envelope(value, out)? {
            if frames.len() >= MAX_LEVELS {
                return Err(too_deep(root.py()));
            }
            frames.push(frame);
        }
        value = loop {
            let Some(frame) = frames.last_mut() else {
                return Ok(());
            };
            if let Some(member) = next(frame, out)? {
                break member;
            }
            frames.pop();
            out.push(b'}');
        };
    }
}

/// The next member of a container, its key written; the container's bracket is closed if there is none.
fn next<'py>(frame: &mut Frame<'py>, out: &mut Vec<u8>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let (member, place) = match frame {
        Frame::List { members, next } if *next < members.len() => (members.get_item(*next)?, next),
        Frame::Tuple { members, next } if *next < members.len() => (members.get_item(*next)?, next),
        Frame::List { .. } | Frame::Tuple { .. } => {
            out.push(b']');
            return Ok(None);
        }
        Frame::Map {
            members,
            position,
            size,
            first,
        } => {
            let py = members.py();
            if members.len() != *size {
                return Err(PyRuntimeError::new_err(
                    "dictionary changed size during iteration",
                ));
            }
            let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
            // SAFETY: a live dictionary; a position that its changes made senseless is checked against its bounds.
            if unsafe { ffi::PyDict_Next(members.as_ptr(), position, &raw mut key, &raw mut value) }
                == 0
            {
                out.push(b'}');
                return Ok(None);
            }
            // SAFETY: both are borrowed from the dictionary, and become references of our own at once.
            let (key, value) = unsafe {
                (
                    Bound::from_borrowed_ptr(py, key),
                    Bound::from_borrowed_ptr(py, value),
                )
            };
            if !*first {
                out.push(b',');
            }
            *first = false;
            self::key(&key, out)?;
            out.push(b':');
            return Ok(Some(value));
        }
    };
    if *place > 0 {
        out.push(b',');
    }
    *place += 1;
    Ok(Some(member))
}

/// Write an envelope whole, or its beginning and return the container that follows.
fn envelope<'py>(value: Bound<'py, PyAny>, out: &mut Vec<u8>) -> PyResult<Option<Frame<'py>>> {
    let kind = kind(&value)?;
    out.extend_from_slice(match kind {
        Kind::None => b"{\"t\":\"n\",\"v\":",
        Kind::Str => b"{\"t\":\"s\",\"v\":",
        Kind::Bool => b"{\"t\":\"b\",\"v\":",
        Kind::Int => b"{\"t\":\"i\",\"v\":",
        Kind::Float => b"{\"t\":\"f\",\"v\":",
        Kind::Bytes => b"{\"t\":\"B\",\"v\":",
        Kind::Uuid => b"{\"t\":\"u\",\"v\":",
        Kind::Decimal => b"{\"t\":\"d\",\"v\":",
        Kind::DateTime => b"{\"t\":\"dt\",\"v\":",
        Kind::Date => b"{\"t\":\"D\",\"v\":",
        Kind::List => b"{\"t\":\"l\",\"v\":[",
        Kind::Tuple => b"{\"t\":\"t\",\"v\":[",
        Kind::Map => b"{\"t\":\"m\",\"v\":{",
        Kind::Batch => b"{\"t\":\"br\",\"v\":{",
    });
    let frame = match kind {
        Kind::List => Frame::List {
            members: list(value)?,
            next: 0,
        },
        Kind::Tuple => Frame::Tuple {
            members: tuple(value)?,
            next: 0,
        },
        Kind::Map => map(items(value)?),
        Kind::Batch => map(classes::batch_to_plain(&value)?),
        _ => {
            if !scalar(kind, &value, out)? {
                rich(kind, &value, out)?;
            }
            out.push(b'}');
            return Ok(None);
        }
    };
    Ok(Some(frame))
}

fn map(members: Bound<'_, PyDict>) -> Frame<'_> {
    let size = members.len();
    Frame::Map {
        members,
        position: 0,
        size,
        first: true,
    }
}

/// A list itself; of a subclass, what iteration gives.
fn list(value: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyList>> {
    match value.cast_into_exact::<PyList>() {
        Ok(list) => Ok(list),
        Err(error) => {
            let value = error.into_inner();
            // SAFETY: a live object; the result is a new list, or null and an exception.
            let list = unsafe {
                Bound::from_owned_ptr_or_err(value.py(), ffi::PySequence_List(value.as_ptr()))?
            };
            Ok(list.cast_into()?)
        }
    }
}

/// A tuple itself; of a subclass, what iteration gives.
fn tuple(value: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyTuple>> {
    match value.cast_into_exact::<PyTuple>() {
        Ok(tuple) => Ok(tuple),
        Err(error) => {
            let value = error.into_inner();
            // SAFETY: a live object; the result is a new tuple, or null and an exception.
            let tuple = unsafe {
                Bound::from_owned_ptr_or_err(value.py(), ffi::PySequence_Tuple(value.as_ptr()))?
            };
            Ok(tuple.cast_into()?)
        }
    }
}

/// A dictionary itself; of a subclass, what `items()` gives.
fn items(value: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyDict>> {
    match value.cast_into_exact::<PyDict>() {
        Ok(map) => Ok(map),
        Err(error) => {
            let value = error.into_inner();
            let py = value.py();
            let map = PyDict::new(py);
            for pair in value.call_method0(intern!(py, "items"))?.try_iter()? {
                let (key, member): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair?.extract()?;
                map.set_item(key, member)?;
            }
            Ok(map)
        }
    }
}

fn too_deep(py: Python<'_>) -> PyErr {
    let reason =
        format!("a value nested deeper than {MAX_LEVELS} levels, or one that holds itself");
    CodecError::raise(py, reason, None, None)
}

/// Write the payload of a value that JSON knows; false if it is none.
fn scalar(kind: Kind, value: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<bool> {
    match kind {
        Kind::None => out.extend_from_slice(b"null"),
        Kind::Bool => out.extend_from_slice(if value.is_truthy()? {
            b"true"
        } else {
            b"false"
        }),
        Kind::Str => string(value, out)?,
        Kind::Int => integer(value, out)?,
        Kind::Float => float(value, out)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn string(value: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    let text = value
        .cast::<PyString>()
        .map_err(|_| imitation(value))?
        .as_ptr();
    // SAFETY: a live string, which does not change; its length, kind and data belong together once it is ready.
    unsafe {
        if ffi::PyUnicode_READY(text) != 0 {
            return Err(PyErr::fetch(value.py()));
        }
        let size = ffi::PyUnicode_GET_LENGTH(text).cast_unsigned();
        match ffi::PyUnicode_KIND(text) {
            ffi::PyUnicode_1BYTE_KIND => {
                let units = slice::from_raw_parts(ffi::PyUnicode_1BYTE_DATA(text), size);
                if ffi::PyUnicode_IS_COMPACT_ASCII(text) != 0 {
                    write::ascii_string(out, units);
                } else {
                    write::string(out, units);
                }
            }
            ffi::PyUnicode_2BYTE_KIND => {
                write::string(
                    out,
                    slice::from_raw_parts(ffi::PyUnicode_2BYTE_DATA(text), size),
                );
            }
            _ => write::string(
                out,
                slice::from_raw_parts(ffi::PyUnicode_4BYTE_DATA(text), size),
            ),
        }
    }
    Ok(())
}

fn integer(value: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    let number = value.cast::<PyInt>().map_err(|_| imitation(value))?;
    let mut overflow = 0;
    // SAFETY: a live integer.
    let small = unsafe { ffi::PyLong_AsLongLongAndOverflow(number.as_ptr(), &raw mut overflow) };
    if overflow == 0 {
        write::integer(out, small);
        return Ok(());
    }
    // The stored value, whatever a subclass shows instead; and Python knows the interpreter's limit of digits.
    // SAFETY: a live integer and the function that shows integers; the result is a new string, or null and an exception.
    let shown = unsafe {
        let shown = ffi::PyLong_Type
            .tp_repr
            .map_or(std::ptr::null_mut(), |repr| repr(number.as_ptr()));
        Bound::from_owned_ptr_or_err(value.py(), shown)
    };
    match shown {
        Ok(shown) => out.extend_from_slice(shown.cast::<PyString>()?.to_str()?.as_bytes()),
        Err(error) if error.is_instance_of::<PyValueError>(value.py()) => {
            let reason = format!("an integer that is too long: {}", error.value(value.py()));
            return Err(CodecError::raise(value.py(), reason, None, Some(error)));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn float(value: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    let number = value.cast::<PyFloat>().map_err(|_| imitation(value))?;
    // SAFETY: a live float, or an instance of a subclass.
    write::float(out, unsafe { ffi::PyFloat_AS_DOUBLE(number.as_ptr()) });
    Ok(())
}

/// An object that only claims to be of a class cannot be written by what it stores.
fn imitation(value: &Bound<'_, PyAny>) -> PyErr {
    let reason = format!(
        "a value of {} poses as a scalar; convert it first",
        described(value)
    );
    CodecError::raise(value.py(), reason, None, None)
}

/// A key of a dictionary: strings, and the scalars that JSON shows as strings.
fn key(key: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    if key.is_instance_of::<PyString>() {
        return string(key, out);
    }
    out.push(b'"');
    if key.is_none() {
        out.extend_from_slice(b"null");
    } else if key.is_instance_of::<PyBool>() {
        out.extend_from_slice(if key.is_truthy()? { b"true" } else { b"false" });
    } else if key.is_instance_of::<PyFloat>() {
        float(key, out)?;
    } else if key.is_instance_of::<PyInt>() {
        integer(key, out)?;
    } else {
        let reason = format!(
            "a dict key of {}; keys are str, int, float, bool or None",
            described(key)
        );
        return Err(CodecError::raise(key.py(), reason, None, None));
    }
    out.push(b'"');
    Ok(())
}

/// Write the payload of a value that JSON does not know.
fn rich(kind: Kind, value: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    let py = value.py();
    match kind {
        Kind::Bytes => {
            if let Ok(bytes) = value.cast_exact::<PyBytes>() {
                write::bytes(out, bytes.as_bytes());
            } else {
                // SAFETY: a live object; the result is a new bytes object, or null and an exception.
                let bytes = unsafe {
                    Bound::from_owned_ptr_or_err(py, ffi::PyObject_Bytes(value.as_ptr()))?
                };
                write::bytes(out, bytes.cast::<PyBytes>()?.as_bytes());
            }
        }
        Kind::DateTime => match regular_datetime(value)? {
            Some(moment) => write::datetime(out, moment),
            None => string(&value.call_method0(intern!(py, "isoformat"))?, out)?,
        },
        Kind::Date => match value.cast_exact::<PyDate>() {
            Ok(day) => write::date(out, date(day)),
            Err(_) => string(&value.call_method0(intern!(py, "isoformat"))?, out)?,
        },
        Kind::Uuid if value.get_type().is(&classes::Uuid::get(py)?.class) => {
            match value.getattr(intern!(py, "int"))?.extract() {
                Ok(number) => write::uuid(out, number),
                Err(_) => string(value.str()?.as_any(), out)?,
            }
        }
        _ => string(value.str()?.as_any(), out)?,
    }
    Ok(())
}

/// The fields of a plain datetime, without a zone or in UTC; any other shows itself.
fn regular_datetime(value: &Bound<'_, PyAny>) -> PyResult<Option<DateTime>> {
    let Ok(moment) = value.cast_exact::<PyDateTime>() else {
        return Ok(None);
    };
    let offset = match moment.get_tzinfo() {
        None => None,
        Some(zone) if zone.is(&*PyTzInfo::utc(value.py())?) => Some(0),
        Some(_) => return Ok(None),
    };
    Ok(Some(DateTime {
        date: date(moment),
        hour: moment.get_hour(),
        minute: moment.get_minute(),
        second: moment.get_second(),
        microsecond: moment.get_microsecond(),
        offset,
    }))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a year is between 1 and 9999
fn date(value: &impl PyDateAccess) -> Date {
    Date {
        year: value.get_year() as u16,
        month: value.get_month(),
        day: value.get_day(),
    }
}
