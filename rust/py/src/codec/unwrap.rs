//! The complete way to read envelopes: from a text that was parsed as plain JSON, with Python's own constructors.

use super::build::Builder;
use super::classes;
use super::refusal;
use crate::errors::CodecError;
use durable_core::codec::{MAX_LEVELS, Shape, Sink};
use pyo3::prelude::*;
use pyo3::types::{PyDate, PyDateTime, PyDict, PyList, PyString};
use pyo3::{ffi, intern};

/// A container whose members are read one after the other.
enum Frame<'py> {
    Array {
        members: Bound<'py, PyList>,
        next: usize,
        shape: Shape,
    },
    Object {
        members: Bound<'py, PyDict>,
        position: ffi::Py_ssize_t,
        count: usize,
        shape: Shape,
    },
}

/// The value of the envelope at the root.
pub(super) fn unwrap<'py>(
    root: &Bound<'py, PyAny>,
    builder: &mut Builder<'py, '_>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = root.py();
    let Some((tag, payload)) = envelope(root)? else {
        return Err(CodecError::raise(
            py,
            "an object without `t` or without `v`",
            None,
            None,
        ));
    };
    let mut frames = Vec::new();
    frames.extend(open(&tag, payload, builder)?);
    while let Some(frame) = frames.last_mut() {
        let Some(member) = next(frame, builder)? else {
            let (shape, count) = match frame {
                Frame::Array { members, shape, .. } => (*shape, members.len()),
                Frame::Object { count, shape, .. } => (*shape, *count),
            };
            frames.pop();
            builder.end(shape, count)?;
            continue;
        };
        match envelope(&member)? {
            None => builder.add(member),
            Some((tag, payload)) => {
                if let Some(inner) = open(&tag, payload, builder)? {
                    if frames.len() >= MAX_LEVELS {
                        let reason = format!("nested deeper than {MAX_LEVELS} levels");
                        return Err(CodecError::raise(py, reason, None, None));
                    }
                    frames.push(inner);
                }
            }
        }
    }
    Ok(builder.finish())
}

/// The tag and the payload, if this is an envelope.
fn envelope<'py>(
    raw: &Bound<'py, PyAny>,
) -> PyResult<Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
    let py = raw.py();
    let Ok(object) = raw.cast::<PyDict>() else {
        return Ok(None);
    };
    let tag = object.get_item(intern!(py, "t"))?;
    let payload = object.get_item(intern!(py, "v"))?;
    Ok(tag.zip(payload))
}

/// The next member of a container; its key is on the stack by then.
fn next<'py>(
    frame: &mut Frame<'py>,
    builder: &mut Builder<'py, '_>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match frame {
        Frame::Array { members, next, .. } => {
            if *next == members.len() {
                return Ok(None);
            }
            *next += 1;
            members.get_item(*next - 1).map(Some)
        }
        Frame::Object {
            members,
            position,
            count,
            ..
        } => {
            let py = members.py();
            let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
            // SAFETY: a live dictionary that nobody changes: it was made for this reading and has not been given away.
            if unsafe { ffi::PyDict_Next(members.as_ptr(), position, &raw mut key, &raw mut value) }
                == 0
            {
                return Ok(None);
            }
            *count += 1;
            // SAFETY: both are borrowed from the dictionary, and become references of our own at once.
            unsafe {
                builder.add(Bound::from_borrowed_ptr(py, key));
                Ok(Some(Bound::from_borrowed_ptr(py, value)))
            }
        }
    }
}

/// Build what an envelope holds, or return the container whose members come first.
fn open<'py>(
    tag: &Bound<'py, PyAny>,
    payload: Bound<'py, PyAny>,
    builder: &mut Builder<'py, '_>,
) -> PyResult<Option<Frame<'py>>> {
    let py = tag.py();
    let name = match tag.cast::<PyString>() {
        Ok(name) => name.to_string_lossy(),
        Err(_) => return Err(CodecError::raise(py, "a tag that is no string", None, None)),
    };
    let shape = match &*name {
        "l" => Shape::List,
        "t" => Shape::Tuple,
        "m" => Shape::Map,
        "br" => Shape::Batch,
        tag => {
            let value = scalar(tag, payload)
                .map_err(|error| refusal(py, &format!("the value of tag `{tag}`"), error))?;
            builder.add(value);
            return Ok(None);
        }
    };
    match shape {
        Shape::List | Shape::Tuple => payload
            .cast_into::<PyList>()
            .map(|members| Frame::Array {
                members,
                next: 0,
                shape,
            })
            .ok(),
        Shape::Map | Shape::Batch => payload
            .cast_into::<PyDict>()
            .map(|members| Frame::Object {
                members,
                position: 0,
                count: 0,
                shape,
            })
            .ok(),
    }
    .map(Some)
    .ok_or_else(|| {
        CodecError::raise(
            py,
            format!("the value of tag `{name}` is no container of its kind"),
            None,
            None,
        )
    })
}

fn scalar<'py>(tag: &str, payload: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = payload.py();
    match tag {
        "n" => Ok(py.None().into_bound(py)),
        "s" => Ok(payload.str()?.into_any()),
        "b" => Ok(payload
            .is_truthy()?
            .into_pyobject(py)?
            .to_owned()
            .into_any()),
        // SAFETY: a live object; the result is a new reference or null. This is what `int(payload)` does.
        "i" => unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyNumber_Long(payload.as_ptr())) },
        // SAFETY: as above, for `float(payload)`.
        "f" => unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyNumber_Float(payload.as_ptr())) },
        "d" => classes::decimal(py)?.call1((payload,)),
        "u" => classes::Uuid::get(py)?.class.bind(py).call1((payload,)),
        "B" => {
            let text = payload.call_method1(intern!(py, "encode"), (intern!(py, "utf-8"),))?;
            py.import(intern!(py, "binascii"))?
                .call_method1(intern!(py, "a2b_base64"), (text,))
        }
        "dt" => {
            let text = match payload
                .cast::<PyString>()?
                .to_string_lossy()
                .strip_suffix('Z')
            {
                Some(moment) => PyString::new(py, &format!("{moment}+00:00")).into_any(),
                None => payload,
            };
            py.get_type::<PyDateTime>()
                .call_method1(intern!(py, "fromisoformat"), (text,))
        }
        "D" => py
            .get_type::<PyDate>()
            .call_method1(intern!(py, "fromisoformat"), (payload,)),
        _ => Err(CodecError::raise(
            py,
            format!("an unknown tag `{tag}`"),
            None,
            None,
        )),
    }
}
