//! The writer's vocabulary: each function appends one piece of text, ASCII throughout.
//!
//! Who walks the values decides what is written; how it looks is decided here.

use super::scan::plain_end;
use super::time::{Date, DateTime};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A string in double quotes, from code units of one, two or four bytes. Units of one byte are code points (Latin-1), not
/// UTF-8; surrogates, lone or paired, are written as they are found.
#[inline]
pub fn string<U: Copy + Into<u32>>(out: &mut Vec<u8>, units: &[U]) {
    out.push(b'"');
    for unit in units {
        escape(out, (*unit).into());
    }
    out.push(b'"');
}

/// A string in double quotes that is known to be ASCII.
#[inline]
pub fn ascii_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let mut from = 0;
    loop {
        let end = plain_end(text, from);
        out.extend_from_slice(&text[from..end]);
        let Some(byte) = text.get(end) else { break };
        escape(out, u32::from(*byte));
        from = end + 1;
    }
    out.push(b'"');
}

#[inline]
#[allow(clippy::cast_possible_truncation)] // each cast keeps the bits it is meant to keep
fn escape(out: &mut Vec<u8>, code: u32) {
    match code {
        0x22 => out.extend_from_slice(b"\\\""),
        0x5c => out.extend_from_slice(b"\\\\"),
        0x20..0x7f => out.push(code as u8),
        0x08 => out.extend_from_slice(b"\\b"),
        0x09 => out.extend_from_slice(b"\\t"),
        0x0a => out.extend_from_slice(b"\\n"),
        0x0c => out.extend_from_slice(b"\\f"),
        0x0d => out.extend_from_slice(b"\\r"),
        0..0x1_0000 => unicode(out, code as u16),
        _ => {
            unicode(out, 0xd800 + ((code - 0x1_0000) >> 10) as u16);
            unicode(out, 0xdc00 + ((code - 0x1_0000) & 0x3ff) as u16);
        }
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn unicode(out: &mut Vec<u8>, unit: u16) {
    let digit = |shift: u16| HEX[usize::from(unit >> shift & 0xf)];
    out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
}

/// An integer.
#[inline]
pub fn integer(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// A float as Python's `repr` shows it, or the bare token for what JSON has no number for.
pub fn float(out: &mut Vec<u8>, value: f64) {
    if !value.is_finite() {
        let token: &[u8] = match value {
            _ if value.is_nan() => b"NaN",
            _ if value > 0.0 => b"Infinity",
            _ => b"-Infinity",
        };
        out.extend_from_slice(token);
        return;
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value == 0.0 {
        out.extend_from_slice(b"0.0");
        return;
    }
    // The shortest digits come from ryu, which lays them out in its own way; `point` is where the decimal point stands,
    // counted from the first digit.
    let mut buffer = ryu::Buffer::new();
    let shortest = buffer.format_finite(value.abs()).as_bytes();
    let (mantissa, exponent) = match shortest.iter().position(|byte| *byte == b'e') {
        Some(e) => (&shortest[..e], small_integer(&shortest[e + 1..])),
        None => (shortest, 0),
    };
    let mut digits = [0_u8; 24];
    let mut count = 0;
    let mut point = exponent;
    let mut before_point = true;
    for byte in mantissa {
        if *byte == b'.' {
            before_point = false;
            continue;
        }
        if count > 0 || *byte != b'0' {
            digits[count] = *byte;
            count += 1;
            point += i32::from(before_point);
        } else {
            point -= i32::from(!before_point);
        }
    }
    while count > 1 && digits[count - 1] == b'0' {
        count -= 1;
    }
    lay_out(out, &digits[..count], point);
}

/// Digits with the decimal point at `point`, in Python's choice between the plain and the exponent form.
#[allow(clippy::cast_sign_loss)] // each cast follows the comparison that makes it safe
fn lay_out(out: &mut Vec<u8>, digits: &[u8], point: i32) {
    if point <= -4 || point > 16 {
        out.push(digits[0]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        let exponent = point - 1;
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        if exponent.abs() < 10 {
            out.push(b'0');
        }
        integer(out, i64::from(exponent.abs()));
    } else if point <= 0 {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + -point as usize, b'0');
        out.extend_from_slice(digits);
    } else {
        let whole = point as usize;
        if digits.len() > whole {
            out.extend_from_slice(&digits[..whole]);
            out.push(b'.');
            out.extend_from_slice(&digits[whole..]);
        } else {
            out.extend_from_slice(digits);
            out.resize(out.len() + whole - digits.len(), b'0');
            out.extend_from_slice(b".0");
        }
    }
}

fn small_integer(text: &[u8]) -> i32 {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let value = digits
        .iter()
        .fold(0, |value, byte| value * 10 + i32::from(byte - b'0'));
    if negative { -value } else { value }
}

/// Bytes as a string of base64, padded.
pub fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + value.len().div_ceil(3) * 4, 0);
    // The slice has exactly the room that the encoding takes, so there is no error to report.
    let _ = STANDARD.encode_slice(value, &mut out[start..]);
    out.push(b'"');
}

/// Decode canonical base64 into a slice of exactly its size; false if the text is not canonical.
pub fn from_base64(text: &[u8], into: &mut [u8]) -> bool {
    STANDARD
        .decode_slice(text, into)
        .is_ok_and(|size| size == into.len())
}

/// A UUID as a string: lower-case hexadecimal digits in groups of 8, 4, 4, 4 and 12.
pub fn uuid(out: &mut Vec<u8>, value: u128) {
    out.push(b'"');
    let bytes = value.to_be_bytes();
    for (place, byte) in bytes.iter().enumerate() {
        if let 4 | 6 | 8 | 10 = place {
            out.push(b'-');
        }
        out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]]);
    }
    out.push(b'"');
}

/// A day as a string, `YYYY-MM-DD`.
pub fn date(out: &mut Vec<u8>, value: Date) {
    out.push(b'"');
    day(out, value);
    out.push(b'"');
}

/// A moment as a string: the fraction only if there is one, the zone only if there is one.
pub fn datetime(out: &mut Vec<u8>, value: DateTime) {
    out.push(b'"');
    day(out, value.date);
    for (mark, part) in [
        (b'T', value.hour),
        (b':', value.minute),
        (b':', value.second),
    ] {
        out.push(mark);
        two(out, part);
    }
    if value.microsecond != 0 {
        out.push(b'.');
        let mut divisor = 100_000;
        while divisor > 0 {
            out.push(b'0' + u8::try_from(value.microsecond / divisor % 10).unwrap_or(0));
            divisor /= 10;
        }
    }
    if let Some(offset) = value.offset {
        out.push(if offset < 0 { b'-' } else { b'+' });
        let minutes = offset.unsigned_abs();
        two(out, u8::try_from(minutes / 60).unwrap_or(0));
        out.push(b':');
        two(out, u8::try_from(minutes % 60).unwrap_or(0));
    }
    out.push(b'"');
}

fn day(out: &mut Vec<u8>, value: Date) {
    two(out, u8::try_from(value.year / 100).unwrap_or(0));
    two(out, u8::try_from(value.year % 100).unwrap_or(0));
    out.push(b'-');
    two(out, value.month);
    out.push(b'-');
    two(out, value.day);
}

fn two(out: &mut Vec<u8>, value: u8) {
    out.extend_from_slice(&[b'0' + value / 10 % 10, b'0' + value % 10]);
}
