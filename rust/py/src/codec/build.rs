//! Builds Python objects from what a reader finds.

use super::classes;
use super::scratch::Cache;
use durable_core::codec::time::{Date, DateTime};
use durable_core::codec::{Shape, Sink, Text, write};
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::ffi::PyObject;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDate, PyDateTime, PyDelta, PyString, PyTzInfo};
use std::borrow::Cow;
use std::{ptr, slice};

/// Keys up to this many bytes are looked up in the cache.
const CACHED_KEY: usize = 64;
/// Strings up to this many bytes are looked up in the cache.
const CACHED_STRING: usize = 24;

/// A sink with a stack: values wait on it until the container that holds them ends.
pub(super) struct Builder<'py, 'b> {
    py: Python<'py>,
    values: &'b mut Vec<*mut PyObject>,
    keys: &'b mut Cache,
    strings: &'b mut Cache,
    zone: &'b mut Option<(i16, Py<PyTzInfo>)>,
}

impl<'py, 'b> Builder<'py, 'b> {
    pub fn new(
        py: Python<'py>,
        values: &'b mut Vec<*mut PyObject>,
        keys: &'b mut Cache,
        strings: &'b mut Cache,
        zone: &'b mut Option<(i16, Py<PyTzInfo>)>,
    ) -> Self {
        Self {
            py,
            values,
            keys,
            strings,
            zone,
        }
    }

    /// Take over a value, or the exception that there is none.
    #[inline]
    fn push(&mut self, value: *mut PyObject) -> PyResult<()> {
        if value.is_null() {
            return Err(PyErr::fetch(self.py));
        }
        self.values.push(value);
        Ok(())
    }

    /// Put a value on the stack.
    pub fn add(&mut self, value: Bound<'py, PyAny>) {
        self.values.push(value.into_ptr());
    }

    /// Take the finished value.
    pub fn finish(&mut self) -> Bound<'py, PyAny> {
        match self.values.pop() {
            // SAFETY: the stack owns a reference to each of its objects, and this one goes to the caller.
            Some(value) => unsafe { Bound::from_owned_ptr(self.py, value) },
            None => unreachable!("a reader that succeeds leaves one value"),
        }
    }

    /// Forget everything that waits.
    pub fn clear(&mut self) {
        while let Some(value) = self.values.pop() {
            // SAFETY: the stack owns a reference to each of its objects, and gives this one up.
            unsafe { ffi::Py_DECREF(value) };
        }
    }

    /// A new list or tuple takes the last `count` values; `items` is where they go.
    #[inline]
    fn sequence(
        &mut self,
        container: *mut PyObject,
        items: *mut *mut PyObject,
        count: usize,
    ) -> PyResult<()> {
        if container.is_null() {
            return Err(PyErr::fetch(self.py));
        }
        let first = self.values.len() - count;
        if count > 0 {
            // SAFETY: the container is new and has `count` free places; the references move from the stack into them, and
            // the stack forgets them before anything else can happen.
            unsafe {
                let from = self.values.as_ptr().add(first);
                items.copy_from_nonoverlapping(from, count);
                self.values.set_len(first);
            }
        }
        self.values.push(container);
        Ok(())
    }

    /// A dictionary takes the last `count` pairs.
    #[inline]
    fn map(&mut self, count: usize) -> PyResult<()> {
        // SAFETY: plain constructor.
        let map = unsafe { ffi::PyDict_New() };
        if map.is_null() {
            return Err(PyErr::fetch(self.py));
        }
        let first = self.values.len() - 2 * count;
        let mut result = 0;
        for pair in self.values[first..].chunks_exact(2) {
            // SAFETY: three live objects; the dictionary takes references of its own, the stack gives its up below. A key
            // is a plain string, so that nothing but memory can fail and no foreign code runs.
            result = unsafe { ffi::PyDict_SetItem(map, pair[0], pair[1]) };
            if result != 0 {
                break;
            }
        }
        for value in self.values.drain(first..) {
            // SAFETY: the stack owns a reference to each of its objects, and gives this one up.
            unsafe { ffi::Py_DECREF(value) };
        }
        self.values.push(map);
        if result == 0 {
            Ok(())
        } else {
            Err(PyErr::fetch(self.py))
        }
    }
}

impl Drop for Builder<'_, '_> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Sink for Builder<'_, '_> {
    type Error = PyErr;

    #[inline]
    fn none(&mut self) -> PyResult<()> {
        self.values.push(self.py.None().into_ptr());
        Ok(())
    }

    #[inline]
    fn boolean(&mut self, value: bool) -> PyResult<()> {
        // SAFETY: plain constructor.
        self.push(unsafe { ffi::PyBool_FromLong(value.into()) })
    }

    #[inline]
    fn integer(&mut self, value: i64) -> PyResult<()> {
        // SAFETY: plain constructor.
        self.push(unsafe { ffi::PyLong_FromLongLong(value) })
    }

    fn big_integer(&mut self, digits: &str) -> PyResult<()> {
        // Python's own conversion knows the interpreter's limit of digits.
        let text = PyString::new(self.py, digits);
        // SAFETY: a live string; the result is a new reference or null.
        self.push(unsafe { ffi::PyNumber_Long(text.as_ptr()) })
    }

    #[inline]
    fn float(&mut self, value: f64) -> PyResult<()> {
        // SAFETY: plain constructor.
        self.push(unsafe { ffi::PyFloat_FromDouble(value) })
    }

    #[inline]
    fn string(&mut self, text: Text<'_>) -> PyResult<()> {
        let string = if text.ascii && text.bytes.len() <= CACHED_STRING {
            cached(self.strings, text.bytes)
        } else {
            new_string(text)
        };
        self.push(string)
    }

    fn bytes(&mut self, base64: &[u8], size: usize) -> PyResult<()> {
        let value = PyBytes::new_with(self.py, size, |into| {
            if write::from_base64(base64, into) {
                Ok(())
            } else {
                Err(PyValueError::new_err("not base64"))
            }
        })?;
        self.add(value.into_any());
        Ok(())
    }

    fn uuid(&mut self, value: u128) -> PyResult<()> {
        let value = classes::Uuid::get(self.py)?.build(self.py, value)?;
        self.add(value);
        Ok(())
    }

    fn decimal(&mut self, text: &[u8]) -> PyResult<()> {
        let class = classes::decimal(self.py)?;
        let text = new_string(Text {
            bytes: text,
            ascii: true,
        });
        if text.is_null() {
            return Err(PyErr::fetch(self.py));
        }
        // SAFETY: a live class and a live string, which is ours and is given up after the call.
        let value = unsafe {
            let value = ffi::PyObject_CallOneArg(class.as_ptr(), text);
            ffi::Py_DECREF(text);
            value
        };
        self.push(value)
    }

    fn datetime(&mut self, value: DateTime) -> PyResult<()> {
        let py = self.py;
        let DateTime {
            date: Date { year, month, day },
            hour,
            minute,
            second,
            microsecond,
            offset,
        } = value;
        let zone = match offset {
            None => None,
            Some(0) => Some(PyTzInfo::utc(py)?.to_owned()),
            Some(minutes) => match &*self.zone {
                Some((known, zone)) if *known == minutes => Some(zone.bind(py).clone()),
                _ => {
                    let delta = PyDelta::new(py, 0, i32::from(minutes) * 60, 0, true)?;
                    let zone = PyTzInfo::fixed_offset(py, delta)?;
                    *self.zone = Some((minutes, zone.clone().unbind()));
                    Some(zone)
                }
            },
        };
        let value = PyDateTime::new(
            py,
            year.into(),
            month,
            day,
            hour,
            minute,
            second,
            microsecond,
            zone.as_ref(),
        )?;
        self.add(value.into_any());
        Ok(())
    }

    fn date(&mut self, value: Date) -> PyResult<()> {
        let value = PyDate::new(self.py, value.year.into(), value.month, value.day)?;
        self.add(value.into_any());
        Ok(())
    }

    #[inline]
    fn key(&mut self, text: Text<'_>) -> PyResult<()> {
        let key = if text.ascii && text.bytes.len() <= CACHED_KEY {
            cached(self.keys, text.bytes)
        } else {
            new_string(text)
        };
        self.push(key)
    }

    #[inline]
    fn end(&mut self, shape: Shape, count: usize) -> PyResult<()> {
        match shape {
            Shape::List => {
                // SAFETY: plain constructor; a list keeps its items behind a pointer.
                let (list, items) = unsafe {
                    let list = ffi::PyList_New(count.cast_signed());
                    let items = list.cast::<ffi::PyListObject>();
                    (
                        list,
                        if list.is_null() {
                            ptr::null_mut()
                        } else {
                            (*items).ob_item
                        },
                    )
                };
                self.sequence(list, items, count)
            }
            Shape::Tuple => {
                // SAFETY: plain constructor; a tuple keeps its items at its end.
                let (tuple, items) = unsafe {
                    let tuple = ffi::PyTuple_New(count.cast_signed());
                    let items = tuple.cast::<ffi::PyTupleObject>();
                    (
                        tuple,
                        if tuple.is_null() {
                            ptr::null_mut()
                        } else {
                            (&raw mut (*items).ob_item).cast()
                        },
                    )
                };
                self.sequence(tuple, items, count)
            }
            Shape::Map => self.map(count),
            Shape::Batch => {
                self.map(count)?;
                let fields = self.finish();
                let batch = classes::batch_from_plain(&fields)?;
                self.add(batch);
                Ok(())
            }
        }
    }
}

/// A new reference to the string of these ASCII bytes, or null and an exception.
#[inline]
fn cached(cache: &mut Cache, bytes: &[u8]) -> *mut PyObject {
    let place = cache.place(bytes);
    // SAFETY: a place is null or owns a string of ASCII that we made.
    unsafe {
        if !place.is_null() && ascii_of(*place) == bytes {
            ffi::Py_INCREF(*place);
            return *place;
        }
        let string = new_ascii(bytes);
        if !string.is_null() {
            ffi::Py_INCREF(string);
            let old = std::mem::replace(place, string);
            ffi::Py_XDECREF(old);
        }
        string
    }
}

/// The bytes of a string.
///
/// SAFETY: `string` must be a live string of ASCII characters in the compact form, which all that `new_ascii` makes are.
#[inline]
unsafe fn ascii_of<'a>(string: *mut PyObject) -> &'a [u8] {
    // SAFETY: the caller's promise; such a string is one byte per character.
    unsafe {
        let size = ffi::PyUnicode_GET_LENGTH(string).cast_unsigned();
        slice::from_raw_parts(ffi::PyUnicode_1BYTE_DATA(string), size)
    }
}

/// A new string of ASCII bytes, or null and an exception.
#[inline]
pub(super) fn new_ascii(bytes: &[u8]) -> *mut PyObject {
    // SAFETY: the new string has one byte for each of ours (none if there are none: the empty string is shared), and
    // nobody else has seen it yet. 127 promises ASCII, which callers have made sure of.
    unsafe {
        let string = ffi::PyUnicode_New(bytes.len().cast_signed(), 127);
        if !string.is_null() && !bytes.is_empty() {
            ffi::PyUnicode_1BYTE_DATA(string).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        string
    }
}

/// A new string, or null and an exception.
#[inline]
fn new_string(text: Text<'_>) -> *mut PyObject {
    if text.ascii {
        new_ascii(text.bytes)
    } else {
        new_wide(text.bytes)
    }
}

/// A new string of anything: short ones by way of their code points, which spares Python two growing buffers.
fn new_wide(bytes: &[u8]) -> *mut PyObject {
    let mut points = [0_u32; 128];
    if bytes.len() <= points.len() {
        if let Some(count) = code_points(bytes, &mut points) {
            // SAFETY: four bytes for each of `count` code points; Python copies them.
            return unsafe {
                ffi::PyUnicode_FromKindAndData(
                    ffi::PyUnicode_4BYTE_KIND.cast_signed(),
                    points.as_ptr().cast(),
                    count.cast_signed(),
                )
            };
        }
    }
    // SAFETY: a pointer and the size behind it; the handler is asked only about surrogates.
    unsafe {
        ffi::PyUnicode_DecodeUTF8(
            bytes.as_ptr().cast(),
            bytes.len().cast_signed(),
            c"surrogatepass".as_ptr(),
        )
    }
}

/// The code points of UTF-8, surrogates included; none if a sequence is cut or stray.
fn code_points(bytes: &[u8], points: &mut [u32; 128]) -> Option<usize> {
    let (mut at, mut count) = (0, 0);
    while let Some(&lead) = bytes.get(at) {
        let (size, bits) = match lead {
            0..0x80 => (1, lead),
            0xc2..0xe0 => (2, lead & 0x1f),
            0xe0..0xf0 => (3, lead & 0x0f),
            0xf0..0xf5 => (4, lead & 0x07),
            _ => return None,
        };
        let mut point = u32::from(bits);
        for byte in bytes.get(at + 1..at + size)? {
            if byte & 0xc0 != 0x80 {
                return None;
            }
            point = point << 6 | u32::from(byte & 0x3f);
        }
        *points.get_mut(count)? = point;
        at += size;
        count += 1;
    }
    let last = points.get(..count)?.iter().max()?;
    (*last < 0x11_0000).then_some(count)
}

/// The UTF-8 of a string, with surrogates in their three-byte form.
pub(super) fn utf8_of<'a>(text: &'a Bound<'_, PyString>) -> PyResult<Cow<'a, [u8]>> {
    let pointer = text.as_ptr();
    // SAFETY: a live string; a compact one of ASCII holds its UTF-8, and lives and stays as it is while it is borrowed.
    if unsafe { ffi::PyUnicode_IS_COMPACT_ASCII(pointer) } != 0 {
        // SAFETY: as above.
        return Ok(Cow::Borrowed(unsafe { ascii_of(pointer) }));
    }
    // SAFETY: a live string and two names; the result is a new reference or null.
    let bytes = unsafe {
        let bytes =
            ffi::PyUnicode_AsEncodedString(pointer, c"utf-8".as_ptr(), c"surrogatepass".as_ptr());
        Bound::from_owned_ptr_or_err(text.py(), bytes)?
    };
    Ok(Cow::Owned(
        bytes.cast_into::<PyBytes>()?.as_bytes().to_vec(),
    ))
}
