//! The default serdes format: reading and writing, without Python.
//!
//! A value is plain JSON when it is a scalar or a list of nothing but scalars and such lists; everything else is an
//! envelope `{"t":<tag>,"v":<payload>}`, and so is every value inside it.
//!
//! Two readers feed a [`Sink`], which builds whatever values its owner wants:
//!
//! * [`tagged`] takes envelopes exactly as they are written (no blanks, `t` before `v`, payloads in the form that
//!   writing gives them) in one pass. It stops at the first byte that is anything else, and claims nothing about it.
//! * [`json`] takes any text that Python's `json` module takes. Texts that the first reader left are read by it as plain
//!   JSON, and the envelopes are interpreted afterwards by someone who knows Python's constructors.
//!
//! Texts are bytes in UTF-8, except that surrogates may occur in their three-byte form (Python strings may hold them).
//! Neither reader recurses: depth is bounded by [`MAX_LEVELS`], not by the stack of the thread that happens to call.

pub mod json;
mod scan;
pub mod tagged;
pub mod time;
pub mod write;

use time::{Date, DateTime};

/// How deep values may be nested: a scalar has no level, a list of scalars one.
pub const MAX_LEVELS: usize = 1_000;

/// A string as it was found, its escapes resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    /// UTF-8 in which lone surrogates occur in their three-byte form.
    pub bytes: &'a [u8],
    /// Whether every byte is below 0x80.
    pub ascii: bool,
}

/// What kind of container ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A list, or a JSON array.
    List,
    /// A tuple.
    Tuple,
    /// A dictionary, or a JSON object.
    Map,
    /// The fields of a batch result.
    Batch,
}

/// Receives a value depth first: scalars and keys as they come, containers when they end.
///
/// `end(shape, count)` closes the last `count` values, or the last `count` pairs of key and value.
pub trait Sink {
    /// Why a value cannot be taken.
    type Error;
    /// JSON `null`.
    fn none(&mut self) -> Result<(), Self::Error>;
    /// JSON `true` or `false`.
    fn boolean(&mut self, value: bool) -> Result<(), Self::Error>;
    /// An integer that fits.
    fn integer(&mut self, value: i64) -> Result<(), Self::Error>;
    /// Any other integer: an optional sign and decimal digits.
    fn big_integer(&mut self, digits: &str) -> Result<(), Self::Error>;
    /// A float, not-a-number and infinities included.
    fn float(&mut self, value: f64) -> Result<(), Self::Error>;
    /// A string.
    fn string(&mut self, text: Text<'_>) -> Result<(), Self::Error>;
    /// Bytes in base64, canonical and padded; `size` is that of the bytes.
    fn bytes(&mut self, base64: &[u8], size: usize) -> Result<(), Self::Error>;
    /// A UUID.
    fn uuid(&mut self, value: u128) -> Result<(), Self::Error>;
    /// The text of a decimal: ASCII, but not checked otherwise.
    fn decimal(&mut self, text: &[u8]) -> Result<(), Self::Error>;
    /// A moment.
    fn datetime(&mut self, value: DateTime) -> Result<(), Self::Error>;
    /// A day.
    fn date(&mut self, value: Date) -> Result<(), Self::Error>;
    /// The key of the pair whose value comes next.
    fn key(&mut self, text: Text<'_>) -> Result<(), Self::Error>;
    /// A container is complete.
    fn end(&mut self, shape: Shape, count: usize) -> Result<(), Self::Error>;
}

/// Why a text is refused, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A sentence without a full stop.
    pub reason: &'static str,
    /// Position in bytes.
    pub offset: usize,
}

impl Fault {
    const fn new(reason: &'static str, offset: usize) -> Self {
        Self { reason, offset }
    }
}

/// What a reader needs besides the text; kept from one text to the next so that nothing is allocated per value.
#[derive(Debug, Default)]
pub struct Scratch {
    frames: Vec<(Shape, usize)>,
    text: Vec<u8>,
}
