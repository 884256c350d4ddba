//! Where the records of a history come from: objects of the event, and slices of raw pages.

use std::sync::Arc;

use durable_core::history::{Facts, Source};
use durable_core::page::{Located, Span, unescape};
use durable_core::status::{Kind, Status, SubType};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::errors::history_error;
use crate::record::Record;
use crate::timestamps::Unit;

/// A record that is kept as it came.
pub enum Origin {
    /// A dictionary, and the strings in it that replay looks at.
    Object(Object),
    /// A slice of a raw page.
    Raw(Raw),
}

/// A record given as a Python object. The strings are held apart, so that no later change of the object is seen.
pub struct Object {
    whole: Py<PyDict>,
    id: Py<PyString>,
    name: Option<Py<PyString>>,
    parent_id: Option<Py<PyString>>,
    result: Option<Py<PyString>>,
}

/// A record in a raw page.
pub struct Raw {
    page: Arc<[u8]>,
    whole: Span,
    id: Span,
    name: Span,
    parent_id: Span,
    result: Span,
}

/// A recorded result, cheap to carry away from the lock that guards the history.
pub enum Payload {
    /// None recorded.
    Absent,
    /// Text that is a Python string.
    Text(Py<PyString>),
    /// A JSON string in a page, escapes not undone.
    Escaped(Arc<[u8]>, Span),
}

/// The bytes of a Python string that is plain text. Allocates at most once per string and runs no Python code.
fn bytes_of<'a>(py: Python<'a>, text: &'a Py<PyString>) -> &'a [u8] {
    text.bind(py).to_str().map_or(b"\xFF", str::as_bytes)
}

fn same(
    py: Python<'_>,
    recorded: Option<&Py<PyString>>,
    wanted: Option<&Bound<'_, PyString>>,
) -> bool {
    match (recorded, wanted) {
        (Some(recorded), Some(wanted)) => {
            recorded.is(wanted) || bytes_of(py, recorded) == bound_bytes(wanted)
        }
        (None, None) => true,
        (Some(recorded), None) => bytes_of(py, recorded).is_empty(),
        (None, Some(wanted)) => bound_bytes(wanted).is_empty(),
    }
}

fn bound_bytes<'a>(text: &'a Bound<'_, PyString>) -> &'a [u8] {
    text.to_str().map_or(b"\xFF", str::as_bytes)
}

impl Source for Origin {
    fn has_id(&self, id: &[u8]) -> bool {
        match self {
            // Every caller of the history is attached to the interpreter.
            Self::Object(object) => {
                Python::try_attach(|py| bytes_of(py, &object.id) == id).unwrap_or(false)
            }
            Self::Raw(raw) => raw.id.of(&raw.page) == Some(id),
        }
    }
}

impl Origin {
    /// Whether name and parent are the wanted ones; nothing and an empty text are the same.
    pub fn agrees(
        &self,
        py: Python<'_>,
        name: Option<&Bound<'_, PyString>>,
        parent_id: Option<&Py<PyString>>,
    ) -> bool {
        match self {
            Self::Object(object) => {
                same(py, object.name.as_ref(), name)
                    && same(
                        py,
                        object.parent_id.as_ref(),
                        parent_id.map(|parent| parent.bind(py)),
                    )
            }
            Self::Raw(raw) => {
                raw.name.of(&raw.page).unwrap_or_default() == name.map_or(&b""[..], bound_bytes)
                    && raw.parent_id.of(&raw.page).unwrap_or_default()
                        == parent_id.map_or(&b""[..], |parent| bytes_of(py, parent))
            }
        }
    }

    /// The recorded result.
    pub fn payload(&self, py: Python<'_>) -> Payload {
        match self {
            Self::Object(object) => object
                .result
                .as_ref()
                .map_or(Payload::Absent, |text| Payload::Text(text.clone_ref(py))),
            Self::Raw(raw) if raw.result == Span::ABSENT => Payload::Absent,
            Self::Raw(raw) => Payload::Escaped(Arc::clone(&raw.page), raw.result),
        }
    }

    /// The map key of the context that the operation lies in.
    pub fn parent_key(&self, py: Python<'_>) -> Option<u64> {
        let parent = match self {
            Self::Object(object) => bytes_of(py, object.parent_id.as_ref()?),
            Self::Raw(raw) => raw.parent_id.of(&raw.page)?,
        };
        (!parent.is_empty()).then(|| durable_core::ids::key_of(parent))
    }

    /// A second handle on the same record, cheap to carry away from the lock that guards the history.
    pub fn share(&self, py: Python<'_>) -> Shared {
        match self {
            Self::Object(object) => Shared::Object(object.whole.clone_ref(py)),
            Self::Raw(raw) => Shared::Raw(Arc::clone(&raw.page), raw.whole),
        }
    }

    /// Keep a slice of a page.
    pub fn raw(page: &Arc<[u8]>, located: &Located) -> Self {
        Self::Raw(Raw {
            page: Arc::clone(page),
            whole: located.whole,
            id: located.id,
            name: located.name,
            parent_id: located.parent_id,
            result: located.result,
        })
    }
}

/// A record outside the lock, to be read in full.
pub enum Shared {
    /// A dictionary.
    Object(Py<PyDict>),
    /// A slice of a page.
    Raw(Arc<[u8]>, Span),
}

impl Shared {
    /// Read everything.
    pub fn record(&self, py: Python<'_>) -> PyResult<Record> {
        match self {
            Self::Object(object) => Record::from_wire(object.bind(py), Unit::Milliseconds),
            Self::Raw(page, whole) => {
                let text = whole.of(page).unwrap_or_default();
                let parsed = crate::codec::decode_json_bytes(py, text)?;
                Record::from_wire(&parsed, Unit::Seconds)
            }
        }
    }
}

/// Undo the escapes of a payload into a buffer.
pub fn unescaped<'a>(page: &[u8], span: Span, buffer: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    unescape(span.of(page)?, buffer).then_some(buffer)
}

/// Look at an operation that is a Python object: the facts that replay needs, and what to keep of it.
pub fn read_object(operation: &Bound<'_, PyAny>) -> PyResult<(Facts, Origin)> {
    let py = operation.py();
    let whole = operation
        .cast::<PyDict>()
        .map_err(|_| history_error(py, "an operation is an object", None, None))?;
    let mut texts: [Option<Bound<'_, PyString>>; 6] = Default::default();
    let [id, kind, status, sub_type, name, parent_id] = &mut texts;
    let mut result = None;
    let mut replay_children = false;
    let mut irregular = false;
    for (member, value) in whole.iter() {
        let member = member.cast::<PyString>()?;
        let place = match member.to_str()?.as_bytes() {
            b"Id" => &mut *id,
            b"Type" => &mut *kind,
            b"Status" => &mut *status,
            b"SubType" => &mut *sub_type,
            b"Name" => &mut *name,
            b"ParentId" => &mut *parent_id,
            word if word.ends_with(b"Details") => {
                if let Ok(details) = value.cast::<PyDict>() {
                    for (member, value) in details.iter() {
                        match member.cast::<PyString>()?.to_str()?.as_bytes() {
                            b"Result" if !value.is_none() => {
                                irregular |= result.is_some();
                                match value.cast_into::<PyString>() {
                                    Ok(text) => result = Some(text.unbind()),
                                    Err(_) => irregular = true,
                                }
                            }
                            b"ReplayChildren" => replay_children = value.is_truthy()?,
                            _ => {}
                        }
                    }
                }
                continue;
            }
            _ => continue,
        };
        *place = value.cast_into::<PyString>().ok();
    }
    let text = |text: &Option<Bound<'_, PyString>>| text.as_ref().map(ToString::to_string);
    let Some(id) = id.take().filter(|id| !id.is_empty().unwrap_or(true)) else {
        return Err(history_error(
            py,
            "an operation has no Id",
            None,
            Some("Id"),
        ));
    };
    let unknown = |field: &str, word: Option<String>| match word {
        None => history_error(
            py,
            &format!("an operation has no {field}"),
            Some(&id.to_string()),
            Some(field),
        ),
        Some(word) => PyValueError::new_err(format!(
            "{word:?} is no {field} that this SDK knows (operation {id})"
        )),
    };
    let word = |text: &Option<Bound<'_, PyString>>| -> PyResult<Vec<u8>> {
        Ok(text
            .as_ref()
            .map(|text| text.to_str())
            .transpose()?
            .unwrap_or_default()
            .as_bytes()
            .to_vec())
    };
    let facts = Facts {
        kind: Kind::parse(&word(kind)?).ok_or_else(|| unknown("Type", text(kind)))?,
        status: Status::parse(&word(status)?).ok_or_else(|| unknown("Status", text(status)))?,
        sub_type: SubType::parse(&word(sub_type)?),
        replay_children,
        irregular,
    };
    let object = Object {
        whole: whole.clone().unbind(),
        id: id.unbind(),
        name: name.take().map(Bound::unbind),
        parent_id: parent_id.take().map(Bound::unbind),
        result,
    };
    Ok((facts, Origin::Object(object)))
}

/// The id of an operation that was just read, for the index.
pub fn id_of<'a>(py: Python<'a>, origin: &'a Origin) -> &'a [u8] {
    match origin {
        Origin::Object(object) => bytes_of(py, &object.id),
        Origin::Raw(raw) => raw.id.of(&raw.page).unwrap_or_default(),
    }
}
