//! The base of `DurablePromise`: an `asyncio.Future` that knows its operation, and asks before it lets anybody wait.
//!
//! Theory of operation. A replayed operation costs half a microsecond, and a Python class over `asyncio.Future` spends more
//! on its constructor, its `__await__` and its `__hash__` alone. So the base class is made here, once, when the first async
//! handler asks for it: a subtype of `asyncio.Future` with a few plain bytes behind each instance. They hold no references,
//! so that construction, garbage collection and destruction are those of the subtypes that Python itself makes.

use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use durable_core::delivery::Place;
use durable_core::ids::Id;
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::ffi::{self, PyObject};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use crate::lane;

/// What lies behind each instance.
#[repr(C)]
#[derive(Clone, Copy)]
struct Extra {
    id: Id,
    /// Its place in the order of deliveries, if the lane has made it.
    place: Place,
    /// Whether `id` was set.
    is_named: bool,
    /// Whether the lane has made it.
    is_recorded: bool,
}

/// The class, and what is needed to work on its instances.
struct Base {
    class: Py<PyType>,
    /// Where `Extra` lies in an instance.
    offset: usize,
    wait: ffi::unaryfunc,
    init: ffi::initproc,
    set_result: Py<PyAny>,
    callbacks: Getter,
    no_arguments: Py<PyTuple>,
}

static BASE: PyOnceLock<Base> = PyOnceLock::new();

/// The base class of promises. It is made when it is first asked for, since it needs asyncio.
#[pyfunction]
pub fn promise_base(py: Python<'_>) -> PyResult<Py<PyType>> {
    Ok(base(py)?.class.clone_ref(py))
}

/// Say which operation a promise is of.
#[pyfunction]
#[pyo3(signature = (promise, operation_id, /))]
pub fn identify(promise: &Bound<'_, PyAny>, operation_id: &str) -> PyResult<()> {
    let base = base(promise.py())?;
    base.require(promise)?;
    let id = Id::of_text(operation_id.as_bytes());
    if id.hex() != operation_id.as_bytes() {
        return Err(PyRuntimeError::new_err(format!(
            "{operation_id:?} is not the id of an operation that a handler starts"
        )));
    }
    // SAFETY: it is an instance.
    let extra = unsafe { &mut *base.extra(promise.as_ptr()) };
    (extra.id, extra.is_named) = (id, true);
    Ok(())
}

/// The id of a promise's operation; empty if it is of none.
#[pyfunction]
#[pyo3(signature = (promise, /))]
pub fn identity<'py>(promise: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    let base = base(promise.py())?;
    base.require(promise)?;
    // SAFETY: it is an instance.
    let extra = unsafe { *base.extra(promise.as_ptr()) };
    let hex = extra.id.hex();
    let text = if extra.is_named { &hex[..] } else { &[] };
    Ok(PyString::new(
        promise.py(),
        std::str::from_utf8(text).unwrap_or_default(),
    ))
}

/// A promise is cancelled: it is not settled any more when it is awaited.
#[pyfunction]
#[pyo3(signature = (promise, /))]
pub fn withdraw(promise: &Bound<'_, PyAny>) -> PyResult<()> {
    let base = base(promise.py())?;
    base.require(promise)?;
    // SAFETY: it is an instance.
    unsafe { (*base.extra(promise.as_ptr())).is_recorded = false };
    Ok(())
}

fn base(py: Python<'_>) -> PyResult<&'static Base> {
    BASE.get_or_try_init(py, || Base::new(py))
}

impl Base {
    fn new(py: Python<'_>) -> PyResult<Self> {
        let future: Bound<'_, PyType> = py.import("asyncio")?.getattr("Future")?.cast_into()?;
        let size: usize = future.getattr("__basicsize__")?.extract()?;
        let offset = size.next_multiple_of(align_of::<Extra>());
        let slot = |slot, pfunc| ffi::PyType_Slot { slot, pfunc };
        let mut slots = [
            slot(
                ffi::Py_am_await,
                promise_await as ffi::unaryfunc as *mut c_void,
            ),
            slot(
                ffi::Py_tp_iter,
                promise_await as ffi::unaryfunc as *mut c_void,
            ),
            slot(
                ffi::Py_tp_hash,
                promise_hash as ffi::hashfunc as *mut c_void,
            ),
            ffi::PyType_Slot::default(),
        ];
        let basicsize = c_int::try_from(offset + size_of::<Extra>())
            .map_err(|_| PyTypeError::new_err("asyncio.Future is too large to be extended"))?;
        let mut spec = ffi::PyType_Spec {
            name: c"durable_execution_sdk._core.PromiseBase".as_ptr(),
            basicsize,
            itemsize: 0,
            flags: (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_BASETYPE)
                .try_into()
                .unwrap_or_default(),
            slots: slots.as_mut_ptr(),
        };
        let bases = PyTuple::new(py, [&future])?;
        // SAFETY: `spec` and its slots outlive the call, which copies them; the name is static. The slots have the
        // function types that their numbers stand for. An instance begins with one of the base, since the size is that of
        // the base and more. Nothing is said of garbage collection, so both ends of it are inherited from the base, and of
        // destruction, so that it is Python's own for subtypes, which calls the base's. `Extra` needs neither: it is plain
        // bytes, all zero in a new instance, as every field of it may be.
        let class = unsafe {
            Bound::from_owned_ptr_or_err(
                py,
                ffi::PyType_FromSpecWithBases(&raw mut spec, bases.as_ptr()),
            )?
        };
        Ok(Self {
            class: class.cast_into::<PyType>()?.unbind(),
            offset,
            // SAFETY: these are the types of the functions in these slots.
            wait: unsafe { function_in(&future, ffi::Py_am_await)? },
            // SAFETY: as above.
            init: unsafe { function_in(&future, ffi::Py_tp_init)? },
            set_result: future.getattr(intern!(py, "set_result"))?.unbind(),
            callbacks: Getter::new(&future, "_callbacks")?,
            no_arguments: PyTuple::empty(py).unbind(),
        })
    }

    fn require(&self, promise: &Bound<'_, PyAny>) -> PyResult<()> {
        if promise.is_instance(self.class.bind(promise.py()))? {
            return Ok(());
        }
        Err(PyTypeError::new_err(format!(
            "{} is no promise",
            promise.get_type().name()?
        )))
    }

    /// # Safety
    ///
    /// `promise` is an instance of the class. The reference that is made of the pointer must end before Python code runs.
    unsafe fn extra(&self, promise: *mut PyObject) -> *mut Extra {
        // SAFETY: an instance has `Extra` at this offset: the class was made with room for it, and subclasses keep the
        // layout of their base. The offset suits its alignment, since objects are aligned for any field.
        unsafe { promise.byte_add(self.offset).cast() }
    }
}

/// What is in a slot of a type.
///
/// # Safety
///
/// `F` is the type of functions in that slot.
unsafe fn function_in<F: Copy>(class: &Bound<'_, PyType>, slot: c_int) -> PyResult<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    // SAFETY: the type is alive; any slot may be asked for.
    let function = unsafe { ffi::PyType_GetSlot(class.as_type_ptr(), slot) };
    if function.is_null() {
        return Err(PyTypeError::new_err(format!(
            "{} has nothing in slot {slot}",
            class.name()?
        )));
    }
    // SAFETY: it is no null pointer, and of the type that the caller has promised.
    Ok(unsafe { ptr::read((&raw const function).cast::<F>()) })
}

/// An attribute that a class of the standard library implements in C, looked up once.
pub struct Getter {
    class: Py<PyType>,
    descriptor: Py<PyAny>,
    get: ffi::descrgetfunc,
}

impl Getter {
    /// The attribute `name` of instances of `class`.
    pub fn new(class: &Bound<'_, PyType>, name: &str) -> PyResult<Self> {
        let descriptor = class.getattr(name)?;
        Ok(Self {
            class: class.clone().unbind(),
            // SAFETY: this is the type of the function in that slot.
            get: unsafe { function_in(&descriptor.get_type(), ffi::Py_tp_descr_get)? },
            descriptor: descriptor.unbind(),
        })
    }

    /// Its value. A descriptor itself refuses objects of other classes.
    pub fn get<'py>(&self, object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: how Python itself reads an attribute through a descriptor; it returns a new reference or null.
        unsafe {
            let value = (self.get)(
                self.descriptor.as_ptr(),
                object.as_ptr(),
                self.class.as_ptr(),
            );
            Bound::from_owned_ptr_or_err(object.py(), value)
        }
    }
}

/// Makes the promises of one invocation.
pub struct Maker {
    base: &'static Base,
    class: Py<PyType>,
    arguments: Py<PyDict>,
}

impl Maker {
    /// Promises of this class, which is `DurablePromise`, on this loop.
    pub fn new(class: &Bound<'_, PyType>, event_loop: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = class.py();
        let base = base(py)?;
        if !class.is_subclass(base.class.bind(py))? {
            return Err(PyTypeError::new_err("promises derive from promise_base()"));
        }
        let arguments = PyDict::new(py);
        arguments.set_item(intern!(py, "loop"), event_loop)?;
        Ok(Self {
            base,
            class: class.clone().unbind(),
            arguments: arguments.unbind(),
        })
    }

    /// A promise of an operation that is recorded as finished. May run Python code.
    pub fn make<'py>(&self, py: Python<'py>, id: Id) -> PyResult<Bound<'py, PyAny>> {
        let class = self.class.bind(py).as_type_ptr();
        // SAFETY: a class that Python has made has an allocator, which returns a new instance or null.
        let promise = unsafe {
            let allocate = (*class).tp_alloc.unwrap_or(ffi::PyType_GenericAlloc);
            Bound::from_owned_ptr_or_err(py, allocate(class, 0))?
        };
        // SAFETY: this is how Python itself initialises an instance of a subclass of `asyncio.Future`.
        let failed = unsafe {
            (self.base.init)(
                promise.as_ptr(),
                self.base.no_arguments.as_ptr(),
                self.arguments.as_ptr(),
            )
        };
        if failed != 0 {
            return Err(PyErr::fetch(py));
        }
        // SAFETY: `Maker::new` has seen that it is an instance.
        let extra = unsafe { &mut *self.base.extra(promise.as_ptr()) };
        (extra.id, extra.is_named, extra.is_recorded) = (id, true, true);
        Ok(promise)
    }

    /// Say where the event that settles a promise from `make` has its place.
    pub fn put(&self, promise: &Bound<'_, PyAny>, place: Place) {
        // SAFETY: `make` has made it.
        let extra = unsafe { &mut *self.base.extra(promise.as_ptr()) };
        extra.place = place;
    }

    /// Whether anything would run when the promise is settled.
    pub fn is_heard(&self, promise: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(!self.base.callbacks.get(promise)?.is_none())
    }

    /// Settle a promise. Callbacks are scheduled, not run; still that is Python code.
    pub fn settle(&self, promise: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.base
            .set_result
            .bind(promise.py())
            .call1((promise, value))?;
        Ok(())
    }
}

/// `__await__`, and `__iter__`: let it be settled on the spot where that is possible, then wait as any future does.
unsafe extern "C" fn promise_await(promise: *mut PyObject) -> *mut PyObject {
    let answer = catch_unwind(AssertUnwindSafe(|| {
        Python::attach(|py| {
            // SAFETY: Python calls this with an object that lives longer than the call.
            let promise = unsafe { Bound::from_borrowed_ptr(py, promise) };
            let answer = base(py).and_then(|base| {
                ask(base, &promise)?;
                Ok(base.wait)
            });
            answer.map_err(|error| error.restore(py)).ok()
        })
    }));
    match answer {
        // SAFETY: an instance of a subclass of `asyncio.Future`, whose own function this is; the thread is attached, since
        // Python has called it.
        Ok(Some(wait)) => unsafe { wait(promise) },
        Ok(None) => ptr::null_mut(),
        Err(_) => {
            Python::attach(|py| PyRuntimeError::new_err("awaiting a promise panicked").restore(py));
            ptr::null_mut()
        }
    }
}

fn ask(base: &Base, promise: &Bound<'_, PyAny>) -> PyResult<()> {
    // SAFETY: slots of the class are called with its instances.
    let extra = unsafe { *base.extra(promise.as_ptr()) };
    if extra.is_recorded {
        return lane::awaited(promise, extra.place);
    }
    promise.call_method0(intern!(promise.py(), "_awaited"))?;
    Ok(())
}

/// The operation decides: sets of promises have the same order in every process.
unsafe extern "C" fn promise_hash(promise: *mut PyObject) -> ffi::Py_hash_t {
    let hash = catch_unwind(AssertUnwindSafe(|| {
        Python::attach(|py| {
            // SAFETY: slots of the class are called with its instances.
            let extra = unsafe { BASE.get(py).map(|base| *base.extra(promise)) };
            extra.filter(|extra| extra.is_named)
        })
    }));
    match hash {
        // The first fifteen hexadecimal digits, as tasks are hashed; no hash is -1.
        Ok(Some(extra)) => ffi::Py_hash_t::try_from(extra.id.key().swap_bytes() >> 4).unwrap_or(0),
        _ => 0,
    }
}
