//! Strings and numbers, as both readers need them.

use super::{Fault, Text};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = ONES << 7;

/// The eight bytes from `at`, the first one lowest.
#[inline]
pub(super) fn word(text: &[u8], at: usize) -> Option<u64> {
    let chunk = text.get(at..at + 8)?;
    chunk.try_into().ok().map(u64::from_le_bytes)
}

/// Marks bytes that end a run of ordinary characters: `"`, `\`, control characters and, where `highs` has its bits, all
/// that is not ASCII. Only the lowest mark is exact: a borrow may raise false ones above it.
#[inline]
fn special(word: u64, highs: u64) -> u64 {
    let quote = word ^ (ONES * 0x22);
    let backslash = word ^ (ONES * 0x5c);
    let marks = (word.wrapping_sub(ONES * 0x20) & !word)
        | (quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash);
    (marks & HIGHS) | (word & highs)
}

/// Read the rest of a string whose opening quote is at `start - 1`; the position behind its closing quote comes with it.
#[inline]
pub(super) fn string<'a>(
    text: &'a [u8],
    start: usize,
    scratch: &'a mut Vec<u8>,
) -> Result<(Text<'a>, usize), Fault> {
    let (end, ascii) = run(text, start, true);
    if text.get(end) == Some(&b'"') {
        return Ok((
            Text {
                bytes: &text[start..end],
                ascii,
            },
            end + 1,
        ));
    }
    escaped(text, start, end, ascii, scratch)
}

/// The end of a run of ordinary characters from `at`, and whether all of them (and `ascii` before) are ASCII.
#[inline]
fn run(text: &[u8], mut at: usize, mut ascii: bool) -> (usize, bool) {
    let mut highs = if ascii { HIGHS } else { 0 };
    loop {
        if let Some(word) = word(text, at) {
            let marks = special(word, highs);
            if marks == 0 {
                at += 8;
                continue;
            }
            at += marks.trailing_zeros() as usize / 8;
        }
        match text.get(at) {
            None | Some(0..0x20 | b'"' | b'\\') => return (at, ascii),
            Some(&byte) => {
                if byte >= 0x80 {
                    ascii = false;
                    highs = 0;
                }
                at += 1;
            }
        }
    }
}

/// The first place from `at` that the writer escapes, in a text that is ASCII.
#[inline]
pub(super) fn plain_end(text: &[u8], mut at: usize) -> usize {
    while let Some(word) = word(text, at) {
        let delete = word ^ (ONES * 0x7f);
        let marks = special(word, HIGHS) | (delete.wrapping_sub(ONES) & !delete & HIGHS);
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let plain = |byte: &u8| matches!(byte, 0x20..0x7f) && !matches!(byte, b'"' | b'\\');
    at + text[at..]
        .iter()
        .position(|byte| !plain(byte))
        .unwrap_or(text.len() - at)
}

/// The general case: the string has escapes, or is broken.
#[cold]
#[inline(never)]
fn escaped<'a>(
    text: &'a [u8],
    start: usize,
    mut end: usize,
    mut ascii: bool,
    scratch: &'a mut Vec<u8>,
) -> Result<(Text<'a>, usize), Fault> {
    scratch.clear();
    let mut from = start;
    loop {
        scratch.extend_from_slice(&text[from..end]);
        match text.get(end) {
            Some(b'"') => {
                return Ok((
                    Text {
                        bytes: scratch,
                        ascii,
                    },
                    end + 1,
                ));
            }
            Some(b'\\') => {}
            Some(_) => return Err(Fault::new("a control character inside a string", end)),
            None => {
                return Err(Fault::new(
                    "a string without an end",
                    start.saturating_sub(1),
                ));
            }
        }
        let plain = match text.get(end + 1) {
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(&byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'u') => {
                from = end;
                while text.get(from..from + 2) == Some(b"\\u") {
                    let (code, next) = unicode(text, from)?;
                    ascii &= code < 0x80;
                    push(scratch, code);
                    from = next;
                }
                (end, ascii) = run(text, from, ascii);
                continue;
            }
            _ => return Err(Fault::new("an unknown escape inside a string", end)),
        };
        scratch.push(plain);
        from = end + 2;
        (end, ascii) = run(text, from, ascii);
    }
}

/// The code point of the escape `\uxxxx` at `at`, joined with the low surrogate that may follow it.
fn unicode(text: &[u8], at: usize) -> Result<(u32, usize), Fault> {
    let first = hex4(text, at + 2)?;
    if (0xd800..0xdc00).contains(&first) && text.get(at + 6..at + 8) == Some(b"\\u") {
        let second = hex4(text, at + 8)?;
        if (0xdc00..0xe000).contains(&second) {
            return Ok((
                0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00),
                at + 12,
            ));
        }
    }
    Ok((first, at + 6))
}

fn hex4(text: &[u8], at: usize) -> Result<u32, Fault> {
    let fault = Fault::new("an escape without four hexadecimal digits", at);
    let &[a, b, c, d] = text
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .ok_or(fault)?;
    let [a, b, c, d] = [a, b, c, d].map(|byte| u32::from(HEX[usize::from(byte)]));
    // Whatever is no digit sets bits that no digit has.
    if (a | b | c | d) > 0xf {
        Err(fault)
    } else {
        Ok(a << 12 | b << 8 | c << 4 | d)
    }
}

/// What a byte is worth as a hexadecimal digit; 0xff if it is none.
pub(super) static HEX: [u8; 256] = {
    let mut table = [0xff; 256];
    let mut digit = 0;
    while digit < 16 {
        table[b"0123456789abcdef"[digit as usize] as usize] = digit;
        table[b"0123456789ABCDEF"[digit as usize] as usize] = digit;
        digit += 1;
    }
    table
};

/// Append a code point in UTF-8, surrogates in the same scheme.
#[allow(clippy::cast_possible_truncation)] // each cast keeps the bits it is meant to keep
fn push(out: &mut Vec<u8>, code: u32) {
    let tail = |shift: u32| 0x80 | ((code >> shift) as u8 & 0x3f);
    match code {
        0..0x80 => out.push(code as u8),
        0x80..0x800 => out.extend_from_slice(&[0xc0 | (code >> 6) as u8, tail(0)]),
        0x800..0x1_0000 => out.extend_from_slice(&[0xe0 | (code >> 12) as u8, tail(6), tail(0)]),
        _ => out.extend_from_slice(&[0xf0 | (code >> 18) as u8, tail(12), tail(6), tail(0)]),
    }
}

/// A number as it stands in a text.
pub(super) enum Number<'a> {
    Integer(i64),
    Big(&'a str),
    Float(f64),
}

/// Read the number at `start`; the position behind it comes with it.
#[inline]
pub(super) fn number(text: &[u8], start: usize) -> Result<(Number<'_>, usize), Fault> {
    let negative = text.get(start) == Some(&b'-');
    let first = start + usize::from(negative);
    let mut at = first;
    let mut value: i64 = 0;
    while let Some(digit @ b'0'..=b'9') = text.get(at) {
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
        at += 1;
    }
    let digits = at - first;
    if digits == 0 || (digits > 1 && text[first] == b'0') {
        return Err(Fault::new("not a number", start));
    }
    match text.get(at) {
        Some(b'.' | b'e' | b'E') => fraction(text, start, at),
        _ if digits <= 18 => Ok((Number::Integer(if negative { -value } else { value }), at)),
        _ => Ok((Number::Big(ascii(&text[start..at])), at)),
    }
}

/// The general case of a float; `at` is behind its whole part.
fn fraction(text: &[u8], start: usize, mut at: usize) -> Result<(Number<'_>, usize), Fault> {
    let skip = |mut at: usize| {
        let from = at;
        while text.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        if at == from {
            Err(Fault::new("not a number", start))
        } else {
            Ok(at)
        }
    };
    if text.get(at) == Some(&b'.') {
        at = skip(at + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = text.get(at) {
            at += 1;
        }
        at = skip(at)?;
    }
    let value = ascii(&text[start..at])
        .parse()
        .map_err(|_| Fault::new("not a number", start))?;
    Ok((Number::Float(value), at))
}

/// Digits, signs and points are text.
fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
