//! Reading an `OperationUpdate` once, into the JSON that will be sent.

use durable_core::status::{Action, Kind};
use durable_core::wire::{self, ErrorFields, Options};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// What the outbox needs of an update.
pub struct Pushed {
    pub id: Vec<u8>,
    pub parent_id: Option<Vec<u8>>,
    pub kind: Kind,
    pub action: Action,
    pub json: Vec<u8>,
}

/// Text with its lone surrogates, if any, as three bytes each.
fn bytes(text: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let text = text.cast::<PyString>()?;
    match text.to_str() {
        Ok(plain) => Ok(plain.as_bytes().to_vec()),
        Err(_) => text
            .call_method1(intern!(text.py(), "encode"), ("utf-8", "surrogatepass"))?
            .extract(),
    }
}

fn optional(
    object: &Bound<'_, PyAny>,
    attribute: &Bound<'_, PyString>,
) -> PyResult<Option<Vec<u8>>> {
    let value = object.getattr(attribute)?;
    if value.is_none() {
        Ok(None)
    } else {
        bytes(&value).map(Some)
    }
}

fn part<'py>(
    object: &Bound<'py, PyAny>,
    attribute: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    Ok(Some(object.getattr(attribute)?).filter(|value| !value.is_none()))
}

fn number(object: &Bound<'_, PyAny>, attribute: &Bound<'_, PyString>) -> PyResult<String> {
    // Written by Python's own rules, so that a fraction of a second goes out as the official SDK sends it.
    Ok(object.getattr(attribute)?.repr()?.to_str()?.to_owned())
}

fn word<T>(
    object: &Bound<'_, PyAny>,
    attribute: &Bound<'_, PyString>,
    parse: impl Fn(&[u8]) -> Option<T>,
) -> PyResult<T> {
    // Not `value`, which goes through a descriptor written in Python.
    let value = object
        .getattr(attribute)?
        .getattr(intern!(object.py(), "_value_"))?;
    let text = value.str()?;
    parse(text.to_str()?.as_bytes())
        .ok_or_else(|| PyValueError::new_err(format!("{text:?} is no {attribute} of an update")))
}

/// Read an update.
pub fn read(update: &Bound<'_, PyAny>) -> PyResult<Pushed> {
    let py = update.py();
    let id = bytes(&update.getattr(intern!(py, "operation_id"))?)?;
    let kind = word(update, intern!(py, "operation_type"), Kind::parse)?;
    let action = word(update, intern!(py, "action"), Action::parse)?;
    let parent_id = optional(update, intern!(py, "parent_id"))?;
    let name = optional(update, intern!(py, "name"))?;
    let sub_type = optional(update, intern!(py, "sub_type"))?;
    let payload = optional(update, intern!(py, "payload"))?;
    let error = part(update, intern!(py, "error"))?
        .map(|error| RecordedError::read(&error))
        .transpose()?;
    let mut json =
        Vec::with_capacity(256 + payload.as_ref().map_or(0, |payload| payload.len() * 9 / 8));
    with_options(update, |options| {
        wire::update(
            &mut json,
            &wire::Update {
                id: &id,
                kind,
                action,
                parent_id: parent_id.as_deref(),
                name: name.as_deref(),
                sub_type: sub_type.as_deref(),
                payload: payload.as_deref(),
                error: error.as_ref().map(RecordedError::fields),
                options,
            },
        );
    })?;
    Ok(Pushed {
        id,
        parent_id,
        kind,
        action,
        json,
    })
}

fn with_options(update: &Bound<'_, PyAny>, mut write: impl FnMut(Options<'_>)) -> PyResult<()> {
    let py = update.py();
    if let Some(options) = part(update, intern!(py, "context_options"))? {
        write(Options::Context(
            options
                .getattr(intern!(py, "replay_children"))?
                .is_truthy()?,
        ));
    } else if let Some(options) = part(update, intern!(py, "step_options"))? {
        write(Options::Step(&number(
            &options,
            intern!(py, "next_attempt_delay_seconds"),
        )?));
    } else if let Some(options) = part(update, intern!(py, "wait_options"))? {
        write(Options::Wait(&number(
            &options,
            intern!(py, "wait_seconds"),
        )?));
    } else if let Some(options) = part(update, intern!(py, "callback_options"))? {
        let timeout = number(&options, intern!(py, "timeout_seconds"))?;
        write(Options::Callback(
            &timeout,
            &number(&options, intern!(py, "heartbeat_timeout_seconds"))?,
        ));
    } else if let Some(options) = part(update, intern!(py, "chained_invoke_options"))? {
        let function = bytes(&options.getattr(intern!(py, "function_name"))?)?;
        let tenant = optional(&options, intern!(py, "tenant_id"))?;
        let trace = optional(&options, intern!(py, "x_amzn_trace_id"))?;
        write(Options::ChainedInvoke(
            &function,
            tenant.as_deref(),
            trace.as_deref(),
        ));
    } else {
        write(Options::Absent);
    }
    Ok(())
}

struct RecordedError {
    texts: [Option<Vec<u8>>; 3],
    stack_trace: Option<Vec<Vec<u8>>>,
}

impl RecordedError {
    fn read(error: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = error.py();
        let stack_trace = part(error, intern!(py, "stack_trace"))?
            .map(|lines| {
                lines
                    .try_iter()?
                    .map(|line| bytes(&line?))
                    .collect::<PyResult<Vec<_>>>()
            })
            .transpose()?;
        Ok(Self {
            texts: [
                optional(error, intern!(py, "message"))?,
                optional(error, intern!(py, "type"))?,
                optional(error, intern!(py, "data"))?,
            ],
            stack_trace,
        })
    }

    fn fields(&self) -> ErrorFields<'_> {
        let [message, kind, data] = self.texts.each_ref().map(|text| text.as_deref());
        let stack_trace = self
            .stack_trace
            .as_ref()
            .map(|lines| lines.iter().map(|line| &line[..]).collect());
        ErrorFields {
            message,
            kind,
            data,
            stack_trace,
        }
    }
}
