//! Reading the operations of an event, several at a time.
//!
//! Theory of operation. A large event lies far beyond every cache, and an operation of it is spread over a dozen objects,
//! each found by way of the one before. The complete reader (`source::read_object`) goes to the end of each such way and
//! waits at every turn. Here a group of operations is gone through in passes: a pass looks at what the pass before has told
//! the processor to fetch, and has it fetch what the next one needs, so that the ways of a group are waited for together:
//! dictionaries, their tables, their members, those of the details, the results.
//!
//! References are borrowed until the last pass, and no pass runs Python code. What could make one do so (a key or a value of
//! an unusual class, text with lone surrogates) ends the passes: that operation and the rest of its group are left to the
//! complete reader. So is every operation that is wrong, which that reader names.

use durable_core::facts::{Facts, PackedFacts};
use durable_core::ids::Id;
use durable_core::status::{Kind, Status, SubType};
use pyo3::Borrowed;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList, PyString};

use crate::source::{Found, NOWHERE, Origin, Recent, read_object};

/// How many operations are read together: what they consist of has to find room in the nearest cache.
pub const GROUP: usize = 16;

/// A line of the cache.
const LINE: usize = 64;

/// Have the processor fetch some lines of what lies at an address.
#[inline]
fn fetch<T>(start: *const T, lines: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in 0..lines {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let place = start.cast::<i8>().wrapping_add(line * LINE);
        // SAFETY: it is a hint, which reads nothing and never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(place) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (start, lines);
}

/// Have the processor fetch the table of a dictionary.
#[inline]
fn fetch_table(dictionary: Borrowed<'_, '_, PyDict>, lines: usize) {
    let object = dictionary.as_ptr().cast::<ffi::PyDictObject>();
    // SAFETY: `dictionary` is a live dictionary, and this is how the headers of this CPython describe one.
    let table = unsafe { (*object).ma_keys };
    fetch(table, lines);
}

/// What a key says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Member {
    Id,
    Type,
    Status,
    SubType,
    Name,
    ParentId,
    Details,
    Result,
    ReplayChildren,
    Other,
}

/// Members that are text.
const TEXTS: usize = 6;

impl Member {
    fn of_operation(key: &[u8]) -> Self {
        match key {
            b"Id" => Self::Id,
            b"Type" => Self::Type,
            b"Status" => Self::Status,
            b"SubType" => Self::SubType,
            b"Name" => Self::Name,
            b"ParentId" => Self::ParentId,
            _ if key.ends_with(b"Details") => Self::Details,
            _ => Self::Other,
        }
    }

    fn of_details(key: &[u8]) -> Self {
        match key {
            b"Result" => Self::Result,
            b"ReplayChildren" => Self::ReplayChildren,
            _ => Self::Other,
        }
    }
}

/// The bytes of a text; None if it has none, and Python code may have run then.
#[inline]
fn bytes_of<'a>(text: Borrowed<'a, '_, PyAny>) -> Option<&'a [u8]> {
    let text = text.cast_exact::<PyString>().ok()?;
    let mut size = 0;
    // SAFETY: `text` is a string. The bytes are kept in it, and strings do not change.
    unsafe {
        let start = ffi::PyUnicode_AsUTF8AndSize(text.as_ptr(), &raw mut size);
        if start.is_null() {
            ffi::PyErr_Clear();
            return None;
        }
        Some(std::slice::from_raw_parts(
            start.cast(),
            usize::try_from(size).ok()?,
        ))
    }
}

/// What keys say, remembered by their places: neighbours have the same key objects in the same order.
struct Keys {
    known: [(*const ffi::PyObject, Member); 16],
    read: fn(&[u8]) -> Member,
}

impl Keys {
    /// Good for as long as the dictionaries that they are taken from are unchanged.
    fn new(read: fn(&[u8]) -> Member) -> Self {
        Self {
            known: [(std::ptr::null(), Member::Other); 16],
            read,
        }
    }

    #[inline]
    fn member(&mut self, place: usize, key: Borrowed<'_, '_, PyAny>) -> Option<Member> {
        let known = &mut self.known[place % 16];
        if known.0 != key.as_ptr() {
            *known = (key.as_ptr(), (self.read)(bytes_of(key)?));
        }
        Some(known.1)
    }
}

/// Go through a dictionary; None as soon as `each` answers None.
///
/// # Safety
///
/// For as long as `'a` lasts, the dictionary does not change and keeps what it holds. `each` must see to that.
#[inline]
unsafe fn go_through<'a, 'py>(
    dictionary: Borrowed<'a, 'py, PyDict>,
    mut each: impl FnMut(usize, Borrowed<'a, 'py, PyAny>, Borrowed<'a, 'py, PyAny>) -> Option<()>,
) -> Option<()> {
    let (py, mut at) = (dictionary.py(), 0);
    let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
    let mut place = 0;
    // SAFETY: it is a dictionary, which does not change meanwhile. What it hands out is not null, and the dictionary owns it.
    unsafe {
        while ffi::PyDict_Next(
            dictionary.as_ptr(),
            &raw mut at,
            &raw mut key,
            &raw mut value,
        ) != 0
        {
            each(
                place,
                Borrowed::from_ptr(py, key),
                Borrowed::from_ptr(py, value),
            )?;
            place += 1;
        }
    }
    Some(())
}

/// What the passes have found of an operation.
struct Seen<'a, 'py> {
    whole: Borrowed<'a, 'py, PyDict>,
    texts: [Option<Borrowed<'a, 'py, PyAny>>; TEXTS],
    details: Option<Borrowed<'a, 'py, PyAny>>,
    result: Option<Borrowed<'a, 'py, PyAny>>,
    replay_children: bool,
}

impl<'py> Seen<'_, 'py> {
    /// Its members; what is not there may be `None`.
    ///
    /// # Safety
    ///
    /// As for `go_through`.
    #[inline]
    unsafe fn see_members(&mut self, keys: &mut Keys) -> Option<()> {
        let (texts, details) = (&mut self.texts, &mut self.details);
        // SAFETY: the caller's promise; nothing in here runs Python code.
        unsafe {
            go_through(self.whole, |place, key, value| {
                let member = keys.member(place, key)?;
                if member == Member::Other || value.is_none() {
                    return Some(());
                }
                // Ids are longer than what is left of their first line.
                let lines = 1 + usize::from(matches!(member, Member::Id | Member::ParentId));
                fetch(value.as_ptr(), lines);
                if member == Member::Details {
                    return details.replace(value).is_none().then_some(());
                }
                texts[member as usize] = Some(value);
                Some(())
            })
        }
    }

    /// What its details hold.
    ///
    /// # Safety
    ///
    /// As for `go_through`.
    #[inline]
    unsafe fn see_details(&mut self, keys: &mut Keys) -> Option<()> {
        let Some(details) = self.details else {
            return Some(());
        };
        let details = details.cast_exact::<PyDict>().ok()?;
        let (result, replay_children) = (&mut self.result, &mut self.replay_children);
        // SAFETY: the caller's promise; nothing in here runs Python code.
        unsafe {
            go_through(details, |place, key, value| {
                let member = keys.member(place, key)?;
                if member == Member::Other || value.is_none() {
                    return Some(());
                }
                if member == Member::Result {
                    fetch(value.as_ptr(), 1);
                    *result = Some(value);
                } else {
                    *replay_children = value.cast_exact::<PyBool>().ok()?.is_true();
                }
                Some(())
            })
        }
    }

    /// What to keep of it; None if the complete reader is to say.
    #[inline]
    fn found(&self, recent: &mut Recent<'py>) -> Option<Found> {
        let text = |member: Member| match self.texts[member as usize] {
            Some(value) => bytes_of(value),
            None => Some(&b""[..]),
        };
        let id = text(Member::Id).filter(|id| !id.is_empty())?;
        let parent = text(Member::ParentId)?;
        let facts = Facts {
            kind: Kind::parse(text(Member::Type)?)?,
            status: Status::parse(text(Member::Status)?)?,
            sub_type: SubType::parse(text(Member::SubType)?),
            replay_children: self.replay_children,
            irregular: false,
        };
        text(Member::Name)?;
        let name = match self.texts[Member::Name as usize] {
            Some(name) => Some(recent.shared(name.cast_exact().ok()?)),
            None => None,
        };
        let result = match self.result {
            Some(result) => Some(result.cast_exact::<PyString>().ok()?.to_owned().unbind()),
            None => None,
        };
        Some(Found {
            id: Id::of_text(id),
            parent: (!parent.is_empty()).then(|| Id::of_text(parent)),
            origin: Origin::Object {
                facts: PackedFacts::new(facts),
                parent: NOWHERE,
                whole: self.whole.to_owned().unbind(),
                name,
                result,
            },
        })
    }
}

/// The item of a list, if there is one.
///
/// # Safety
///
/// For as long as `'a` lasts, the list does not change.
#[inline]
unsafe fn item<'a, 'py>(
    list: &'a Bound<'py, PyList>,
    place: usize,
) -> Option<Borrowed<'a, 'py, PyAny>> {
    if place >= list.len() {
        return None;
    }
    // SAFETY: it is a list, the place is within it, and it owns what lies there.
    unsafe {
        let item = ffi::PyList_GET_ITEM(list.as_ptr(), ffi::Py_ssize_t::try_from(place).ok()?);
        Some(Borrowed::from_ptr(list.py(), item))
    }
}

/// Read a group of operations, and leave out those that only the complete reader understands.
fn read_regular<'py>(
    list: &Bound<'py, PyList>,
    start: usize,
    recent: &mut Recent<'py>,
    into: &mut Vec<Found>,
) -> Option<()> {
    // SAFETY: what is borrowed from the list and its dictionaries is used in this function alone, and nothing in it runs
    // Python code: whatever might, answers None, and that ends it.
    unsafe {
        // The dictionaries of the next group, too: their addresses are known already.
        let first = if start == 0 { 0 } else { start + GROUP };
        for place in first..start + 2 * GROUP {
            if let Some(operation) = item(list, place) {
                fetch(operation.as_ptr(), 1);
            }
        }
        let end = list.len().min(start + GROUP);
        let mut group: [Option<Seen<'_, 'py>>; GROUP] = [const { None }; GROUP];
        for (place, seen) in (start..end).zip(&mut group) {
            let whole = item(list, place)?.cast_exact::<PyDict>().ok()?;
            fetch_table(whole, 4);
            *seen = Some(Seen {
                whole,
                texts: [None; TEXTS],
                details: None,
                result: None,
                replay_children: false,
            });
        }
        let group = &mut group[..end - start];
        let mut keys = Keys::new(Member::of_operation);
        for seen in group.iter_mut().flatten() {
            seen.see_members(&mut keys)?;
        }
        for seen in group.iter().flatten() {
            if let Some(details) = seen.details {
                fetch_table(details.cast_exact().ok()?, 2);
            }
        }
        let mut keys = Keys::new(Member::of_details);
        for seen in group.iter_mut().flatten() {
            seen.see_details(&mut keys)?;
        }
        for seen in group.iter().flatten() {
            into.push(seen.found(recent)?);
        }
    }
    Some(())
}

/// Read a group of operations of a list, from `start` on; `into` has them, up to the first wrong one.
pub fn read_group<'py>(
    list: &Bound<'py, PyList>,
    start: usize,
    recent: &mut Recent<'py>,
    into: &mut Vec<Found>,
) -> PyResult<()> {
    let before = into.len();
    if read_regular(list, start, recent, into).is_some() {
        return Ok(());
    }
    let mut place = start + into.len() - before;
    while place < list.len().min(start + GROUP) {
        let operation = list.get_item(place)?; // owned: reading may change the list
        into.push(read_object(&operation, recent)?);
        place += 1;
    }
    Ok(())
}
