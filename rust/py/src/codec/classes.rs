//! Classes of the standard library and of the model, looked up when they are first needed.

use super::refusal;
use crate::errors::CodecError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};
use std::sync::{Mutex, PoisonError};

/// `decimal.Decimal`.
pub(super) fn decimal(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "decimal", "Decimal")
}

/// `uuid.UUID`, and how to make one without its constructor.
pub(super) struct Uuid {
    pub class: Py<PyType>,
    int: Py<PyAny>,
    is_safe: Py<PyAny>,
    unknown: Py<PyAny>,
}

impl Uuid {
    pub fn get(py: Python<'_>) -> PyResult<&Self> {
        static UUID: PyOnceLock<Uuid> = PyOnceLock::new();
        UUID.get_or_try_init(py, || {
            let module = py.import("uuid")?;
            let class: Bound<'_, PyType> = module.getattr("UUID")?.cast_into()?;
            Ok(Self {
                int: class.getattr("int")?.unbind(),
                is_safe: class.getattr("is_safe")?.unbind(),
                unknown: module.getattr("SafeUUID")?.getattr("unknown")?.unbind(),
                class: class.unbind(),
            })
        })
    }

    /// What `UUID(int=value)` returns. The constructor costs ten times as much, all of it checks that hold here.
    pub fn build<'py>(&self, py: Python<'py>, value: u128) -> PyResult<Bound<'py, PyAny>> {
        let value = value.into_pyobject(py)?;
        let class = self.class.bind(py);
        // SAFETY: `class` is a heap type without `__new__`; its allocator returns a new object, or null.
        let new = unsafe {
            let kind = class.as_type_ptr();
            let allocate = (*kind).tp_alloc.unwrap_or(ffi::PyType_GenericAlloc);
            Bound::from_owned_ptr_or_err(py, allocate(kind, 0))?
        };
        for (slot, content) in [
            (&self.int, value.as_any()),
            (&self.is_safe, self.unknown.bind(py)),
        ] {
            let slot = slot.as_ptr();
            // SAFETY: the slot is a descriptor of the class, the object an instance of it. A descriptor that cannot be
            // set has no such function, and takes the way through the attribute instead.
            let result = unsafe {
                match (*ffi::Py_TYPE(slot)).tp_descr_set {
                    Some(set) => set(slot, new.as_ptr(), content.as_ptr()),
                    None => return self.construct(&value),
                }
            };
            if result != 0 {
                return Err(PyErr::fetch(py));
            }
        }
        Ok(new)
    }

    /// `UUID(int=value)`, for an implementation whose fields are no slots.
    fn construct<'py>(
        &self,
        value: &Bound<'py, pyo3::types::PyInt>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = value.py();
        let named = PyDict::new(py);
        named.set_item(intern!(py, "int"), value)?;
        self.class.bind(py).call((), Some(&named))
    }
}

struct BatchResult {
    class: Py<PyType>,
    to_plain: Py<PyAny>,
    from_plain: Py<PyAny>,
}

static BATCH_RESULT: Mutex<Option<BatchResult>> = Mutex::new(None);

/// Remember the class behind the tag `br`; the last call counts.
pub(super) fn register(
    class: Bound<'_, PyType>,
    to_plain: Bound<'_, PyAny>,
    from_plain: Bound<'_, PyAny>,
) {
    let new = BatchResult {
        class: class.unbind(),
        to_plain: to_plain.unbind(),
        from_plain: from_plain.unbind(),
    };
    let old = BATCH_RESULT
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .replace(new);
    drop(old); // after the lock: the last reference to a function may run code
}

/// One of the registered objects. The lock is held for no longer than a reference takes: no Python runs under it.
fn registered<T>(py: Python<'_>, part: impl FnOnce(&BatchResult) -> &Py<T>) -> Option<Py<T>> {
    BATCH_RESULT
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .as_ref()
        .map(|known| part(known).clone_ref(py))
}

/// The registered class, if there is one.
pub(super) fn batch_class(py: Python<'_>) -> Option<Bound<'_, PyType>> {
    registered(py, |known| &known.class).map(|class| class.into_bound(py))
}

/// The fields of a batch result.
pub(super) fn batch_to_plain<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let py = value.py();
    let Some(to_plain) = registered(py, |known| &known.to_plain) else {
        return Err(CodecError::raise(
            py,
            "no class for batch results is registered",
            None,
            None,
        ));
    };
    let fields = to_plain.bind(py).call1((value,))?;
    fields.cast_into::<PyDict>().map_err(|error| {
        let reason = format!(
            "a batch result gave {} instead of a dict",
            error.into_inner().get_type()
        );
        CodecError::raise(py, reason, None, None)
    })
}

/// The batch result that has these fields.
pub(super) fn batch_from_plain<'py>(fields: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = fields.py();
    let from_plain = || registered(py, |known| &known.from_plain);
    if from_plain().is_none() {
        // Whoever writes batch results has this module, and it registers their class; a bare reader may not.
        py.import("durable_execution_sdk.serdes")?;
    }
    let Some(known) = from_plain() else {
        let reason = "a batch result, but no class for them is registered";
        return Err(CodecError::raise(py, reason, None, None));
    };
    known
        .bind(py)
        .call1((fields,))
        .map_err(|error| refusal(py, "a batch result", error))
}
