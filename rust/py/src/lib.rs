//! `durable_execution_sdk._core`: registers what the other modules define, nothing else.

use pyo3::prelude::*;

mod arithmetic;
mod codec;
mod deliveries;
mod errors;
mod held;
mod journal;
mod lane;
mod promise;
mod reader;
mod record;
mod scope;
mod source;
mod timestamps;
mod update;

/// The extension module. Importing it has no side effects.
#[pymodule(gil_used = true)]
mod _core {
    use super::{Bound, PyModule, PyModuleMethods, PyResult};

    #[pymodule_export]
    use super::arithmetic::{
        exponential_delay, finalized, jittered, linear_delay, operation_id, task_scope_prefix,
    };
    #[pymodule_export]
    use super::codec::{decode, encode, register_batch_result};
    #[pymodule_export]
    use super::deliveries::Deliveries;
    #[pymodule_export]
    use super::errors::{CodecError, HistoryError};
    #[pymodule_export]
    use super::journal::{Acknowledgement, Journal, Request};
    #[pymodule_export]
    use super::promise::{identify, identity, promise_base, withdraw};
    #[pymodule_export]
    use super::record::Record;
    #[pymodule_export]
    use super::scope::Scope;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::held::require_lock(module.py())?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("MISS", crate::scope::miss(module.py())?)
    }
}
