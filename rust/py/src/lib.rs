//! `durable_execution_sdk._core`: registers what the other modules define, nothing else.

use pyo3::prelude::*;

/// The extension module. Importing it has no side effects.
#[pymodule(gil_used = true)]
mod _core {
    use super::{Bound, PyModule, PyModuleMethods, PyResult, pymodule};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
