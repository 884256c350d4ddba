//! A reader for JSON as Python's `json.loads` takes it: `NaN` and infinities, lone surrogates, any depth up to a limit.

use super::scan::{Number, number, string};
use super::{Fault, Scratch, Shape, Sink};

/// Why reading ended early.
#[derive(Debug, PartialEq)]
pub enum Stop<E> {
    /// The text is not JSON, or goes beyond what was allowed.
    Fault(Fault),
    /// The sink refused a value.
    Sink(E),
}

impl<E> From<Fault> for Stop<E> {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What a text may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many containers may be open at once.
    pub levels: usize,
    /// Whether objects may occur.
    pub objects: bool,
}

/// Read one JSON value and nothing behind it.
pub fn read<S: Sink>(
    text: &[u8],
    limits: Limits,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<(), Stop<S::Error>> {
    let Scratch {
        frames,
        text: buffer,
    } = scratch;
    frames.clear();
    let mut at = blanks(text, 0);
    loop {
        // A value begins.
        match text.get(at) {
            Some(b'"') => {
                let (found, next) = string(text, at + 1, buffer)?;
                sink.string(found).map_err(Stop::Sink)?;
                at = next;
            }
            Some(&open @ (b'[' | b'{')) => {
                let (shape, close) = if open == b'[' {
                    (Shape::List, b']')
                } else {
                    (Shape::Map, b'}')
                };
                if open == b'{' && !limits.objects {
                    return Err(Fault::new("an object inside a list without a tag", at).into());
                }
                if frames.len() >= limits.levels {
                    return Err(Fault::new("nested too deeply", at).into());
                }
                at = blanks(text, at + 1);
                if text.get(at) == Some(&close) {
                    sink.end(shape, 0).map_err(Stop::Sink)?;
                    at += 1;
                } else {
                    frames.push((shape, 1));
                    if open == b'{' {
                        at = key(text, at, buffer, sink)?;
                    }
                    continue;
                }
            }
            Some(b'-' | b'0'..=b'9') => {
                if text[at..].starts_with(b"-Infinity") {
                    sink.float(f64::NEG_INFINITY).map_err(Stop::Sink)?;
                    at += 9;
                } else {
                    let (found, next) = number(text, at)?;
                    match found {
                        Number::Integer(value) => sink.integer(value),
                        Number::Big(digits) => sink.big_integer(digits),
                        Number::Float(value) => sink.float(value),
                    }
                    .map_err(Stop::Sink)?;
                    at = next;
                }
            }
            _ => at = constant(text, at, sink)?,
        }
        // A value is complete, and so may be what encloses it.
        loop {
            at = blanks(text, at);
            let Some((shape, count)) = frames.last_mut() else {
                if at == text.len() {
                    return Ok(());
                }
                return Err(Fault::new("text behind the value", at).into());
            };
            match (text.get(at), &shape) {
                (Some(b','), Shape::List) => {
                    *count += 1;
                    at = blanks(text, at + 1);
                    break;
                }
                (Some(b','), _) => {
                    *count += 1;
                    at = key(text, blanks(text, at + 1), buffer, sink)?;
                    break;
                }
                (Some(b']'), Shape::List) | (Some(b'}'), Shape::Map) => {
                    sink.end(*shape, *count).map_err(Stop::Sink)?;
                    frames.pop();
                    at += 1;
                }
                (_, Shape::List) => return Err(Fault::new("expected `,` or `]`", at).into()),
                _ => return Err(Fault::new("expected `,` or `}`", at).into()),
            }
        }
    }
}

/// Read a key and its colon; the position of the value comes back.
fn key<S: Sink>(
    text: &[u8],
    at: usize,
    buffer: &mut Vec<u8>,
    sink: &mut S,
) -> Result<usize, Stop<S::Error>> {
    if text.get(at) != Some(&b'"') {
        return Err(Fault::new("expected a key in double quotes", at).into());
    }
    let (found, next) = string(text, at + 1, buffer)?;
    sink.key(found).map_err(Stop::Sink)?;
    let colon = blanks(text, next);
    if text.get(colon) != Some(&b':') {
        return Err(Fault::new("expected `:`", colon).into());
    }
    Ok(blanks(text, colon + 1))
}

fn constant<S: Sink>(text: &[u8], at: usize, sink: &mut S) -> Result<usize, Stop<S::Error>> {
    let rest = text.get(at..).unwrap_or_default();
    let (size, taken) = if rest.starts_with(b"null") {
        (4, sink.none())
    } else if rest.starts_with(b"true") {
        (4, sink.boolean(true))
    } else if rest.starts_with(b"false") {
        (5, sink.boolean(false))
    } else if rest.starts_with(b"NaN") {
        (3, sink.float(f64::NAN))
    } else if rest.starts_with(b"Infinity") {
        (8, sink.float(f64::INFINITY))
    } else {
        return Err(Fault::new("expected a value", at).into());
    };
    taken.map_err(Stop::Sink)?;
    Ok(at + size)
}

#[inline]
fn blanks(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = text.get(at) {
        at += 1;
    }
    at
}
