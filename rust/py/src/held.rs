//! State that the interpreter's lock guards, so that reaching it takes no lock of its own.

use std::cell::{Cell, UnsafeCell};

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;

/// A value that only threads attached to the interpreter reach, one at a time.
///
/// Work on it must not run Python code, since that may let another thread, or a finaliser on this one, come here too. If it
/// does nevertheless, the second visit panics instead of seeing half-done work.
pub struct Held<T> {
    busy: Cell<bool>,
    value: UnsafeCell<T>,
}

// SAFETY: `with` asks for proof that the thread is attached. The extension declares that it needs the interpreter's lock,
// and `require_lock` refuses to be imported without one; so at most one thread is attached at any time, and the lock orders
// what one thread writes before what the next one reads. `T: Send` because the value is used from, and dropped by, whichever
// thread is attached.
unsafe impl<T: Send> Sync for Held<T> {}

impl<T> Held<T> {
    pub const fn new(value: T) -> Self {
        Self {
            busy: Cell::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// Work on the value. `work` must not run Python code.
    #[inline]
    pub fn with<R>(&self, _py: Python<'_>, work: impl FnOnce(&mut T) -> R) -> R {
        assert!(
            !self.busy.replace(true),
            "Python code ran in the middle of work on guarded state"
        );
        let _done = Done(&self.busy);
        // SAFETY: this thread is attached, so no other thread is in here; `busy` was not set, so this thread is not in here
        // a second time, nor was the lock given up in the middle of another visit. The reference ends with this call.
        work(unsafe { &mut *self.value.get() })
    }
}

struct Done<'a>(&'a Cell<bool>);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// Refuse an interpreter that runs threads side by side.
pub fn require_lock(py: Python<'_>) -> PyResult<()> {
    let sys = py.import("sys")?;
    match sys.getattr("_is_gil_enabled") {
        Ok(enabled) if !enabled.call0()?.is_truthy()? => Err(PyImportError::new_err(
            "durable_execution_sdk._core needs the interpreter's lock: run without PYTHON_GIL=0 and -X gil=0",
        )),
        _ => Ok(()),
    }
}
