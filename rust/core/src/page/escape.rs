//! Undoing the escapes of a JSON string.

use super::scanner::{BLOCK, block, marks};

/// Undo the escapes of a JSON string; what comes out is WTF-8 (lone surrogates are three bytes each). None if an escape is
/// none. The buffer only grows, so that nothing is allocated from one string to the next.
pub fn unescape<'a>(raw: &[u8], buffer: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    if buffer.len() < raw.len() {
        buffer.resize(raw.len(), 0);
    }
    // What is written is never longer than what was read, so `to <= from`.
    let (mut from, mut to) = (0, 0);
    while from < raw.len() {
        if let Some(plain) = block(raw, from) {
            buffer[to..to + BLOCK].copy_from_slice(&plain);
            let marks = marks(plain, [b'\\'; 2], false);
            if marks == 0 {
                from += BLOCK;
                to += BLOCK;
                continue;
            }
            let taken = drop_backslashes(raw, from, marks, &mut buffer[to..]);
            from += taken.0;
            to += taken.1;
        }
        match raw.get(from) {
            Some(b'\\') => {
                let (size, written) = escape(&raw[from + 1..], &mut buffer[to..])?;
                from += 1 + size;
                to += written;
            }
            Some(byte) => {
                buffer[to] = *byte;
                from += 1;
                to += 1;
            }
            None => {}
        }
    }
    Some(&buffer[..to])
}

/// Most escapes stand for the character behind the backslash, so that undoing them is leaving the backslash out: what
/// follows it is copied over it, a block at a time. `marks` are the backslashes of the block at `from`, which is copied
/// already. Returns how much was read and written, up to an escape of another kind or the end of the block.
#[inline]
fn drop_backslashes(raw: &[u8], from: usize, mut marks: u32, out: &mut [u8]) -> (usize, usize) {
    let mut dropped = 0;
    while marks != 0 {
        let at = marks.trailing_zeros() as usize;
        let written = at - dropped;
        let Some(behind) = block(raw, from + at + 1) else {
            return (at, written);
        };
        if !matches!(behind[0], b'"' | b'\\' | b'/') {
            return (at, written);
        }
        out[written..written + BLOCK].copy_from_slice(&behind);
        dropped += 1;
        marks &= u32::MAX << at << 2;
        if at + 1 == BLOCK {
            // The character behind the last backslash lies in the next block.
            return (BLOCK + 1, written + 1);
        }
    }
    (BLOCK, BLOCK - dropped)
}

/// One escape behind its backslash: how much was read and written.
fn escape(rest: &[u8], out: &mut [u8]) -> Option<(usize, usize)> {
    let plain = match rest.first()? {
        escape @ (b'"' | b'\\' | b'/') => *escape,
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 0x08,
        b'f' => 0x0C,
        b'u' => {
            let (scalar, size) = scalar(&rest[1..])?;
            return Some((1 + size, put_scalar(out, scalar)));
        }
        _ => return None,
    };
    out[0] = plain;
    Some((1, 1))
}

/// The code point behind `\u`, and how many characters spell it: a pair of surrogates is one.
fn scalar(rest: &[u8]) -> Option<(u32, usize)> {
    let high = unit(rest)?;
    if (0xD800..0xDC00).contains(&high) && rest[4..].starts_with(b"\\u") {
        let low = unit(&rest[6..])?;
        if (0xDC00..0xE000).contains(&low) {
            return Some((0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00), 10));
        }
    }
    Some((high, 4))
}

/// Four hexadecimal digits.
pub(super) fn unit(digits: &[u8]) -> Option<u32> {
    digits.get(..4)?.iter().try_fold(0, |unit, &digit| {
        Some(unit << 4 | char::from(digit).to_digit(16)?)
    })
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "each byte is masked to its six or seven bits"
)]
fn put_scalar(out: &mut [u8], scalar: u32) -> usize {
    let tail = |shift: u32| 0x80 | (scalar >> shift & 0x3F) as u8;
    let mut put = |bytes: &[u8]| {
        out[..bytes.len()].copy_from_slice(bytes);
        bytes.len()
    };
    match scalar {
        0..0x80 => put(&[scalar as u8]),
        0x80..0x800 => put(&[0xC0 | (scalar >> 6) as u8, tail(0)]),
        0x800..0x1_0000 => put(&[0xE0 | (scalar >> 12) as u8, tail(6), tail(0)]),
        _ => put(&[0xF0 | (scalar >> 18) as u8, tail(12), tail(6), tail(0)]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn surrogates() {
        let mut buffer = Vec::new();
        assert_eq!(
            unescape(br"\ud83d\ude00\ud800x\u0041", &mut buffer),
            Some(
                [b"\xF0\x9F\x98\x80\xED\xA0\x80xA".as_slice()]
                    .concat()
                    .as_slice()
            )
        );
        for broken in [&br"\x"[..], br"\u12", br"\ud800\u12", b"\\", br"abcdefgh\"] {
            assert_eq!(unescape(broken, &mut buffer), None);
        }
    }

    fn simple(raw: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut rest = raw;
        while let [first, tail @ ..] = rest {
            rest = tail;
            if *first != b'\\' {
                out.push(*first);
                continue;
            }
            let (escape, tail) = rest.split_first()?;
            rest = tail;
            out.push(match escape {
                b'"' | b'\\' | b'/' => *escape,
                b'n' => b'\n',
                b't' => b'\t',
                b'r' => b'\r',
                b'b' => 8,
                b'f' => 12,
                _ => return None,
            });
        }
        Some(out)
    }

    proptest! {
        #[test]
        fn as_character_by_character(raw in "([a-zé\"]{0,20}(\\\\[\"\\\\/bfnrt]){0,3}){0,12}\\\\?") {
            let mut buffer = vec![7; 3];
            prop_assert_eq!(unescape(raw.as_bytes(), &mut buffer).map(<[u8]>::to_vec), simple(raw.as_bytes()));
        }
    }
}
