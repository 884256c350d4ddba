//! Where the records of a history come from: objects of the event, and slices of raw pages.

use durable_core::facts::{Facts, PackedFacts};
use durable_core::history::{History, Slot};
use durable_core::ids::Id;
use durable_core::page::{self, Located, Span};
use durable_core::status::{Kind, Status, SubType};
use pyo3::Borrowed;
use pyo3::exceptions::PyValueError;
use pyo3::ffi::PyObject;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyMapping, PyString};

use crate::codec;
use crate::errors::history_error;
use crate::record::Record;
use crate::timestamps::{Unit, milliseconds};

/// A record that is kept as it came, with what replay asks first. In every form it takes 32 bytes: with its id, a line of
/// the processor's cache.
pub enum Origin {
    /// A dictionary, and the strings in it that replay looks at: they are held apart, so that no later change of the
    /// dictionary is seen.
    Object {
        facts: PackedFacts,
        /// Its place among the contexts.
        parent: u32,
        whole: Py<PyDict>,
        name: Option<Py<PyString>>,
        result: Option<Py<PyString>>,
    },
    /// A slice of a raw page.
    Raw {
        facts: PackedFacts,
        /// Its place among the contexts.
        parent: u32,
        page: Py<PyBytes>,
        /// Where the record starts.
        whole: u32,
        /// Where the name starts, or `NOWHERE`.
        name: u32,
        result: Span,
    },
}

const _: () = assert!(size_of::<Slot<Origin>>() == 64);

/// The place of what is not there.
pub const NOWHERE: u32 = u32::MAX;

/// The contexts that recorded operations lie in, each once.
#[derive(Default)]
pub struct Contexts {
    ids: History<()>,
    last: u32,
}

impl Contexts {
    /// The place of a context, which is given one if it has none; None if there are too many.
    pub fn place(&mut self, id: Id) -> Option<u32> {
        // Neighbours lie in the same context.
        if self.get(self.last) != Some(&id) {
            self.last = self.ids.put(id, ()).ok()?.0;
        }
        Some(self.last)
    }

    /// The context at a place.
    pub fn get(&self, place: u32) -> Option<&Id> {
        Some(&self.ids.slots().get(place as usize)?.id)
    }
}

/// A recorded result, taken out of the history.
pub enum Payload {
    /// None recorded.
    Absent,
    /// Text that is a Python string.
    Text(Py<PyString>),
    /// A JSON string in a page, escapes not undone.
    Escaped(Py<PyBytes>, Span),
}

/// The bytes of a string, unless it holds lone surrogates.
#[inline]
fn bytes_of<'a>(text: &'a Bound<'_, PyString>) -> Option<&'a [u8]> {
    text.to_str().map(str::as_bytes).ok()
}

/// The bytes of a string that was found to have some when it came. Nothing and an empty text are the same. Runs no Python
/// code: what an earlier conversion made is kept in the string.
#[inline]
fn known_bytes<'a>(py: Python<'a>, text: Option<&'a Py<PyString>>) -> &'a [u8] {
    text.and_then(|text| bytes_of(text.bind(py)))
        .unwrap_or_default()
}

/// What the code attempts, to be compared with a record.
pub struct Wanted<'a> {
    name_object: *mut PyObject,
    name: &'a [u8],
    parent: Option<&'a Id>,
}

impl<'a> Wanted<'a> {
    /// None if the name is none, or cannot have been recorded.
    #[inline]
    pub fn read(name: &'a Bound<'_, PyAny>, parent: Option<&'a Id>) -> Option<Self> {
        let text = if name.is_none() {
            b""
        } else {
            bytes_of(name.cast::<PyString>().ok()?)?
        };
        Some(Self {
            name_object: name.as_ptr(),
            name: text,
            parent,
        })
    }
}

impl Origin {
    /// Keep a slice of a page.
    pub fn raw(page: &Bound<'_, PyBytes>, located: &Located) -> Self {
        Self::Raw {
            facts: PackedFacts::new(located.facts),
            parent: NOWHERE,
            page: page.clone().unbind(),
            whole: located.whole.start,
            name: located.name.start,
            result: located.result,
        }
    }

    /// What replay asks first.
    #[inline]
    pub fn facts(&self) -> PackedFacts {
        let (Self::Object { facts, .. } | Self::Raw { facts, .. }) = self;
        *facts
    }

    /// The place of the context that the operation lies in, or `NOWHERE`.
    #[inline]
    pub fn parent(&self) -> u32 {
        let (Self::Object { parent, .. } | Self::Raw { parent, .. }) = self;
        *parent
    }

    /// Note the context that the operation lies in.
    pub fn lie_in(&mut self, place: u32) {
        let (Self::Object { parent, .. } | Self::Raw { parent, .. }) = self;
        *parent = place;
    }

    /// Whether name and parent are the wanted ones; nothing and an empty text are the same. Runs no Python code.
    #[inline]
    pub fn agrees(&self, py: Python<'_>, wanted: &Wanted<'_>, contexts: &Contexts) -> bool {
        let same_name = match self {
            Self::Object { name, .. } => {
                let name = name.as_ref();
                name.is_some_and(|name| name.as_ptr() == wanted.name_object)
                    || known_bytes(py, name) == wanted.name
            }
            Self::Raw { page, name, .. } => {
                let page = page.as_bytes(py);
                match page::text_at(page, *name) {
                    Some((name, true)) => name == wanted.name,
                    Some((name, false)) => {
                        page::unescape(name, &mut Vec::new()) == Some(wanted.name)
                    }
                    None => wanted.name.is_empty(),
                }
            }
        };
        same_name && contexts.get(self.parent()) == wanted.parent
    }

    /// The recorded result. Runs no Python code.
    #[inline]
    pub fn payload(&self, py: Python<'_>) -> Payload {
        match self {
            Self::Object { result, .. } => match result {
                Some(text) => Payload::Text(text.clone_ref(py)),
                None => Payload::Absent,
            },
            Self::Raw { result, .. } if *result == Span::ABSENT => Payload::Absent,
            Self::Raw { page, result, .. } => Payload::Escaped(page.clone_ref(py), *result),
        }
    }

    /// The whole record, taken out of the history to be read. Runs no Python code.
    pub fn whole(&self, py: Python<'_>) -> Whole {
        match self {
            Self::Object { whole, .. } => Whole::Object(whole.clone_ref(py)),
            Self::Raw { page, whole, .. } => Whole::Raw(page.clone_ref(py), *whole),
        }
    }
}

/// A record outside the history.
pub enum Whole {
    /// A dictionary.
    Object(Py<PyDict>),
    /// A page, and where in it the record starts.
    Raw(Py<PyBytes>, u32),
}

impl Whole {
    /// Read everything.
    pub fn record(&self, py: Python<'_>) -> PyResult<Record> {
        match self {
            Self::Object(object) => Record::from_wire(object.bind(py), Unit::Milliseconds),
            Self::Raw(page, start) => {
                let text = page::value_at(page.as_bytes(py), *start).unwrap_or_default();
                Record::from_wire(&codec::decode_json_bytes(py, text)?, Unit::Seconds)
            }
        }
    }

    /// When the operation ended, if that is known.
    pub fn end_ms(&self, py: Python<'_>) -> PyResult<Option<i64>> {
        match self {
            Self::Object(object) => {
                let ended = object.bind(py).get_item(intern!(py, "EndTimestamp"))?;
                Ok(ended.and_then(|moment| milliseconds(&moment, Unit::Milliseconds)))
            }
            Self::Raw(page, start) => {
                let page = page.as_bytes(py);
                let text = page.get(*start as usize..).unwrap_or_default();
                let [ended] = page::members(text, ["EndTimestamp"]);
                let ended = ended.map(|text| codec::decode_json_bytes(py, text));
                Ok(ended
                    .transpose()?
                    .and_then(|moment| milliseconds(&moment, Unit::Seconds)))
            }
        }
    }
}

/// What the index needs of an operation that is a Python object, in the order of its members.
#[derive(Default)]
struct Members<'py> {
    id: Option<Bound<'py, PyString>>,
    kind: Option<Bound<'py, PyString>>,
    status: Option<Bound<'py, PyString>>,
    sub_type: Option<Bound<'py, PyString>>,
    name: Option<Bound<'py, PyString>>,
    parent_id: Option<Bound<'py, PyString>>,
    result: Option<Bound<'py, PyString>>,
    replay_children: bool,
    irregular: bool,
}

impl<'py> Members<'py> {
    fn read(&mut self, operation: &Bound<'py, PyDict>) -> PyResult<()> {
        for (member, value) in operation.iter() {
            let Ok(member) = member.cast::<PyString>() else {
                continue;
            };
            let Some(word) = bytes_of(member) else {
                continue;
            };
            let place = match word {
                b"Id" => &mut self.id,
                b"Type" => &mut self.kind,
                b"Status" => &mut self.status,
                b"SubType" => &mut self.sub_type,
                b"Name" => &mut self.name,
                b"ParentId" => &mut self.parent_id,
                word if word.ends_with(b"Details") => {
                    if let Ok(details) = value.cast::<PyDict>() {
                        self.read_details(details)?;
                    } else {
                        self.irregular |= !value.is_none();
                    }
                    continue;
                }
                _ => continue,
            };
            // boto3 and the event give strings; enums are read by the complete reader as far as it can.
            match value.cast_into::<PyString>() {
                Ok(text) if bytes_of(&text).is_some() => *place = Some(text),
                Ok(_) => self.irregular = true,
                Err(error) => self.irregular |= !error.into_inner().is_none(),
            }
        }
        Ok(())
    }

    fn read_details(&mut self, details: &Bound<'py, PyDict>) -> PyResult<()> {
        for (member, value) in details.iter() {
            let Ok(member) = member.cast::<PyString>() else {
                continue;
            };
            match bytes_of(member).unwrap_or_default() {
                b"Result" if !value.is_none() => {
                    self.irregular |= self.result.is_some();
                    match value.cast_into::<PyString>() {
                        Ok(text) => self.result = Some(text),
                        Err(_) => self.irregular = true,
                    }
                }
                b"ReplayChildren" => self.replay_children = value.is_truthy()?,
                _ => {}
            }
        }
        Ok(())
    }

    #[cold]
    fn refuse(&self, py: Python<'py>, field: &str) -> PyErr {
        let text = |text: &Option<Bound<'_, PyString>>| text.as_ref().map(ToString::to_string);
        let word = if field == "Type" {
            &self.kind
        } else {
            &self.status
        };
        let id = text(&self.id).unwrap_or_default();
        match text(word) {
            None => history_error(
                py,
                &format!("an operation has no {field}"),
                Some(&id),
                Some(field),
            ),
            Some(word) => PyValueError::new_err(format!(
                "{word:?} is no {field} that this SDK knows (operation {id})"
            )),
        }
    }
}

/// The bytes of a text that may be absent.
fn word<'a>(text: Option<&'a Bound<'_, PyString>>) -> &'a [u8] {
    text.and_then(bytes_of).unwrap_or_default()
}

/// Names that came lately. Neighbours in a history have the same names, in string objects of their own; where they share
/// one, a replay touches an object that it has touched just before instead of one that is far away.
#[derive(Default)]
pub struct Recent<'py> {
    names: [Option<Bound<'py, PyString>>; 4],
    oldest: usize,
}

impl<'py> Recent<'py> {
    /// The same text, as an object that came before if there is one. Runs no Python code: only strings are kept, whose
    /// bytes are known and whose end is nobody's business.
    #[inline]
    pub fn shared(&mut self, name: Borrowed<'_, 'py, PyString>) -> Py<PyString> {
        let same =
            |known: &&Bound<'py, PyString>| known.is(name) || bytes_of(known) == bytes_of(&name);
        if let Some(known) = self.names.iter().flatten().find(same) {
            return known.clone().unbind();
        }
        if name.is_exact_instance_of::<PyString>() {
            self.names[self.oldest % self.names.len()] = Some(name.to_owned());
            self.oldest = self.oldest.wrapping_add(1);
        }
        name.to_owned().unbind()
    }
}

/// An operation on its way into the history.
pub struct Found {
    pub id: Id,
    pub parent: Option<Id>,
    pub origin: Origin,
}

/// Look at an operation that is a Python object: its id, and what to keep of it.
pub fn read_object<'py>(
    operation: &Bound<'py, PyAny>,
    recent: &mut Recent<'py>,
) -> PyResult<Found> {
    let py = operation.py();
    let converted;
    let whole = if let Ok(whole) = operation.cast::<PyDict>() {
        whole
    } else if operation.cast::<PyMapping>().is_ok() {
        converted = py
            .get_type::<PyDict>()
            .call1((operation,))?
            .cast_into::<PyDict>()?;
        &converted
    } else {
        return Err(history_error(py, "an operation is an object", None, None));
    };
    let mut members = Members::default();
    members.read(whole)?;
    let id = match &members.id {
        Some(id) if !word(Some(id)).is_empty() => Id::of_text(word(Some(id))),
        _ => {
            return Err(history_error(
                py,
                "an operation has no Id",
                None,
                Some("Id"),
            ));
        }
    };
    let facts = Facts {
        kind: Kind::parse(word(members.kind.as_ref())).ok_or_else(|| members.refuse(py, "Type"))?,
        status: Status::parse(word(members.status.as_ref()))
            .ok_or_else(|| members.refuse(py, "Status"))?,
        sub_type: SubType::parse(word(members.sub_type.as_ref())),
        replay_children: members.replay_children,
        irregular: members.irregular,
    };
    let name = members.name.as_ref();
    let name = name.map(|name| recent.shared(name.as_borrowed()));
    let parent = word(members.parent_id.as_ref());
    Ok(Found {
        id,
        parent: (!parent.is_empty()).then(|| Id::of_text(parent)),
        origin: Origin::Object {
            facts: PackedFacts::new(facts),
            parent: NOWHERE,
            whole: whole.clone().unbind(),
            name,
            result: members.result.map(Bound::unbind),
        },
    })
}

/// The text of an operation's id, of whatever form.
pub fn id_text(operation: &Bound<'_, PyAny>) -> PyResult<Option<Py<PyString>>> {
    let id = operation.get_item(intern!(operation.py(), "Id"))?;
    Ok(id.cast_into::<PyString>().ok().map(Bound::unbind))
}
