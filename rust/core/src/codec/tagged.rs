//! The one-pass reader for envelopes exactly as they are written.

use super::scan::{HEX, Number, number, string, word};
use super::{MAX_LEVELS, Scratch, Shape, Sink, time};

/// Why reading ended early.
#[derive(Debug, PartialEq)]
pub enum Stop<E> {
    /// The text is not as writing would have left it; it may be good or bad.
    Irregular,
    /// The sink refused a value.
    Sink(E),
}

/// `{"t":"` as the six low bytes of a word.
const OPENING: u64 = u64::from_le_bytes(*b"{\"t\":\"\0\0");
const OPENING_MASK: u64 = 0x0000_ffff_ffff_ffff;
const QUOTE: u8 = b'"';
/// What stands between the tag and the payload.
const MIDDLE: &[u8] = b",\"v\":";

/// Read one envelope and nothing behind it.
///
/// Everything that the sink took before an error is void.
pub fn read<S: Sink>(
    text: &[u8],
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<(), Stop<S::Error>> {
    let Scratch {
        frames,
        text: buffer,
    } = scratch;
    frames.clear();
    let mut at = 0;
    loop {
        // An envelope begins: eight bytes up to the tag's closing quote, or one more.
        let head = word(text, at).ok_or(Stop::Irregular)?;
        if head & OPENING_MASK != OPENING {
            return Err(Stop::Irregular);
        }
        let [.., first, second] = head.to_le_bytes();
        // A tag of one character brings its closing quote along, which therefore stands for "no second one".
        let tag = (first, second);
        at += 8;
        if second != QUOTE {
            if text.get(at) != Some(&QUOTE) {
                return Err(Stop::Irregular);
            }
            at += 1;
        }
        if text.get(at..at + MIDDLE.len()) != Some(MIDDLE) {
            return Err(Stop::Irregular);
        }
        at += MIDDLE.len();
        let shape = match tag {
            (b'l', QUOTE) => Shape::List,
            (b't', QUOTE) => Shape::Tuple,
            (b'm', QUOTE) => Shape::Map,
            (b'b', b'r') => Shape::Batch,
            _ => {
                at = scalar(tag, text, at, buffer, sink)?;
                at = enclosing(text, at, frames, buffer, sink)?;
                if frames.is_empty() {
                    return Ok(());
                }
                continue;
            }
        };
        if frames.len() >= MAX_LEVELS {
            return Err(Stop::Irregular);
        }
        let (open, close) = if is_array(shape) {
            (b'[', b']')
        } else {
            (b'{', b'}')
        };
        if text.get(at) != Some(&open) {
            return Err(Stop::Irregular);
        }
        at += 1;
        if text.get(at) == Some(&close) {
            sink.end(shape, 0).map_err(Stop::Sink)?;
            at = enclosing(text, at + 1, frames, buffer, sink)?;
            if frames.is_empty() {
                return Ok(());
            }
        } else {
            frames.push((shape, 1));
            if !is_array(shape) {
                at = key(text, at, buffer, sink)?;
            }
        }
    }
}

const fn is_array(shape: Shape) -> bool {
    matches!(shape, Shape::List | Shape::Tuple)
}

/// A payload is complete at `at`: close its envelope and every container that ends with it. The position of the next
/// value comes back; no frame is left when there is none.
#[inline]
fn enclosing<S: Sink>(
    text: &[u8],
    mut at: usize,
    frames: &mut Vec<(Shape, usize)>,
    buffer: &mut Vec<u8>,
    sink: &mut S,
) -> Result<usize, Stop<S::Error>> {
    loop {
        if text.get(at) != Some(&b'}') {
            return Err(Stop::Irregular);
        }
        at += 1;
        let Some((shape, count)) = frames.last_mut() else {
            return if at == text.len() {
                Ok(at)
            } else {
                Err(Stop::Irregular)
            };
        };
        match (text.get(at), is_array(*shape)) {
            (Some(b','), true) => {
                *count += 1;
                return Ok(at + 1);
            }
            (Some(b','), false) => {
                *count += 1;
                return key(text, at + 1, buffer, sink);
            }
            (Some(b']'), true) | (Some(b'}'), false) => {
                sink.end(*shape, *count).map_err(Stop::Sink)?;
                frames.pop();
                at += 1;
            }
            _ => return Err(Stop::Irregular),
        }
    }
}

#[inline]
fn key<S: Sink>(
    text: &[u8],
    at: usize,
    buffer: &mut Vec<u8>,
    sink: &mut S,
) -> Result<usize, Stop<S::Error>> {
    let (found, next) = text_at(text, at, buffer)?;
    sink.key(found).map_err(Stop::Sink)?;
    if text.get(next) == Some(&b':') {
        Ok(next + 1)
    } else {
        Err(Stop::Irregular)
    }
}

#[inline]
fn text_at<'a, E>(
    text: &'a [u8],
    at: usize,
    buffer: &'a mut Vec<u8>,
) -> Result<(super::Text<'a>, usize), Stop<E>> {
    if text.get(at) != Some(&b'"') {
        return Err(Stop::Irregular);
    }
    string(text, at + 1, buffer).map_err(|_| Stop::Irregular)
}

/// The payload of a tag that is no container.
#[inline]
fn scalar<S: Sink>(
    tag: (u8, u8),
    text: &[u8],
    at: usize,
    buffer: &mut Vec<u8>,
    sink: &mut S,
) -> Result<usize, Stop<S::Error>> {
    let rest = &text[at..];
    let (taken, next) = match tag {
        (b's', QUOTE) => {
            let (found, next) = text_at(text, at, buffer)?;
            (sink.string(found), next)
        }
        (b'i', QUOTE) => match number(text, at) {
            Ok((Number::Integer(value), next)) => (sink.integer(value), next),
            Ok((Number::Big(digits), next)) => (sink.big_integer(digits), next),
            _ => return Err(Stop::Irregular),
        },
        (b'f', QUOTE) => match number(text, at) {
            Ok((Number::Float(value), next)) => (sink.float(value), next),
            _ if rest.starts_with(b"NaN") => (sink.float(f64::NAN), at + 3),
            _ if rest.starts_with(b"Infinity") => (sink.float(f64::INFINITY), at + 8),
            _ if rest.starts_with(b"-Infinity") => (sink.float(f64::NEG_INFINITY), at + 9),
            _ => return Err(Stop::Irregular),
        },
        (b'b', QUOTE) if rest.starts_with(b"true") => (sink.boolean(true), at + 4),
        (b'b', QUOTE) if rest.starts_with(b"false") => (sink.boolean(false), at + 5),
        (b'n', QUOTE) if rest.starts_with(b"null") => (sink.none(), at + 4),
        (b'd', QUOTE) => {
            let (found, next) = text_at(text, at, buffer)?;
            if !found.ascii {
                return Err(Stop::Irregular);
            }
            (sink.decimal(found.bytes), next)
        }
        (b'u', QUOTE) => {
            let (found, next) = text_at(text, at, buffer)?;
            (sink.uuid(uuid(found.bytes).ok_or(Stop::Irregular)?), next)
        }
        (b'd', b't') => {
            let (found, next) = text_at(text, at, buffer)?;
            (
                sink.datetime(time::datetime(found.bytes).ok_or(Stop::Irregular)?),
                next,
            )
        }
        (b'D', QUOTE) => {
            let (found, next) = text_at(text, at, buffer)?;
            (
                sink.date(time::date(found.bytes).ok_or(Stop::Irregular)?),
                next,
            )
        }
        (b'B', QUOTE) => {
            let (found, next) = text_at(text, at, buffer)?;
            let size = base64_size(found.bytes).ok_or(Stop::Irregular)?;
            (sink.bytes(found.bytes, size), next)
        }
        _ => return Err(Stop::Irregular),
    };
    taken.map_err(Stop::Sink)?;
    Ok(next)
}

/// How many bytes canonical base64 stands for. The sink checks the alphabet.
fn base64_size(text: &[u8]) -> Option<usize> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    (padding <= 2).then(|| text.len() / 4 * 3 - padding)
}

/// The usual form: hexadecimal digits in groups of 8, 4, 4, 4 and 12.
fn uuid(text: &[u8]) -> Option<u128> {
    /// Where the sixteen pairs of digits stand.
    const PAIRS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    let text: &[u8; 36] = text.try_into().ok()?;
    if [text[8], text[13], text[18], text[23]] != *b"----" {
        return None;
    }
    let mut all = 0;
    let bytes = PAIRS.map(|at| {
        let (high, low) = (HEX[usize::from(text[at])], HEX[usize::from(text[at + 1])]);
        all |= high | low;
        high << 4 | low
    });
    // Whatever is no digit sets bits that no digit has.
    (all <= 0xf).then(|| u128::from_be_bytes(bytes))
}
