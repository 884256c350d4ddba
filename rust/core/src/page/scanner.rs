//! A walk over JSON that builds nothing: tokens, objects and arrays, each checked.

use super::escape::unit;
use super::{PageError, Span};

pub(super) type Scan<T> = Result<T, PageError>;

const MAX_DEPTH: usize = 200;
/// Bytes that are looked at together.
pub(super) const BLOCK: usize = 16;

/// A bit for each byte of a block that is one of `wanted`, or a control character if those are wanted.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(super) fn marks(block: [u8; BLOCK], wanted: [u8; 2], controls: bool) -> u32 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x,
        _mm_set1_epi8,
    };
    let [low, high] = [u128::from_le_bytes(block), u128::from_le_bytes(block) >> 64];
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the halves of a block are taken apart on purpose"
    )]
    let [low, high] = [low as u64, high as u64];
    #[allow(
        unused_unsafe,
        reason = "these became safe to call, for baseline features, in a later compiler than our oldest"
    )]
    // SAFETY: SSE2 belongs to every x86-64 processor; no pointer is involved.
    unsafe {
        let block = _mm_set_epi64x(high.cast_signed(), low.cast_signed());
        let is = |byte: u8| _mm_cmpeq_epi8(block, _mm_set1_epi8(byte.cast_signed()));
        let mut found = _mm_or_si128(is(wanted[0]), is(wanted[1]));
        if controls {
            let capped = _mm_min_epu8(block, _mm_set1_epi8(0x1f));
            found = _mm_or_si128(found, _mm_cmpeq_epi8(block, capped));
        }
        _mm_movemask_epi8(found).cast_unsigned()
    }
}

/// The same, for processors that we know no better way for.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(super) fn marks(block: [u8; BLOCK], wanted: [u8; 2], controls: bool) -> u32 {
    block.iter().rev().fold(0, |marks, byte| {
        marks << 1 | u32::from(wanted.contains(byte) || controls && *byte < 0x20)
    })
}

/// A block of bytes from `at`.
#[inline]
pub(super) fn block(text: &[u8], at: usize) -> Option<[u8; BLOCK]> {
    text.get(at..at + BLOCK)?.try_into().ok()
}

/// Where the walk stands.
pub(super) struct Scanner<'a> {
    pub page: &'a [u8],
    pub at: usize,
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "pages of 4 GiB are refused before they are scanned"
)]
#[inline]
pub(super) fn span(start: usize, end: usize) -> Span {
    Span {
        start: start as u32,
        end: end as u32,
    }
}

impl<'a> Scanner<'a> {
    #[cold]
    pub fn wrong(&self, expected: &'static str) -> PageError {
        PageError::Form {
            expected,
            offset: self.at,
        }
    }

    #[inline]
    pub fn blank(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.page.get(self.at) {
            self.at += 1;
        }
    }

    /// The first byte of the next token.
    #[inline]
    pub fn peek(&mut self) -> Scan<u8> {
        self.blank();
        match self.page.get(self.at) {
            Some(byte) => Ok(*byte),
            None => Err(self.wrong("a value")),
        }
    }

    #[inline]
    fn take(&mut self, wanted: u8, expected: &'static str) -> Scan<()> {
        if self.peek()? != wanted {
            return Err(self.wrong(expected));
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    pub fn is_null(&mut self) -> Scan<bool> {
        if self.peek()? != b'n' {
            return Ok(false);
        }
        let is_null = self.page[self.at..].starts_with(b"null");
        if is_null {
            self.at += 4;
        }
        Ok(is_null)
    }

    /// A string, without its quotes; and whether it has no escapes.
    #[inline]
    pub fn text(&mut self) -> Scan<(Span, bool)> {
        self.take(b'"', "a string")?;
        let start = self.at;
        let mut at = start;
        let mut plain = true;
        while let Some(block) = block(self.page, at) {
            let mut marks = marks(block, *b"\"\\", true);
            let mut next = at + BLOCK;
            while marks != 0 {
                let mark = at + marks.trailing_zeros() as usize;
                match self.page[mark] {
                    b'"' => {
                        self.at = mark + 1;
                        return Ok((span(start, mark), plain));
                    }
                    b'\\' => {
                        plain = false;
                        let behind = self.escape(mark)?;
                        if behind >= next {
                            next = behind;
                            break;
                        }
                        marks &= u32::MAX << (behind - at);
                    }
                    _ => return Err(self.unended(mark)),
                }
            }
            at = next;
        }
        self.text_end(start, at, plain)
    }

    /// The rest of a string near the end of the page.
    fn text_end(&mut self, start: usize, mut at: usize, mut plain: bool) -> Scan<(Span, bool)> {
        loop {
            match self.page.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok((span(start, at), plain));
                }
                Some(b'\\') => {
                    plain = false;
                    at = self.escape(at)?;
                }
                None | Some(0..0x20) => return Err(self.unended(at)),
                Some(_) => at += 1,
            }
        }
    }

    #[cold]
    fn unended(&mut self, at: usize) -> PageError {
        self.at = at;
        self.wrong("the end of a string")
    }

    /// Behind the escape at `at`.
    #[inline]
    fn escape(&mut self, at: usize) -> Scan<usize> {
        match self.page.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') if unit(&self.page[at + 2..]).is_some() => Ok(at + 6),
            _ => {
                self.at = at;
                Err(self.wrong("an escape that JSON has"))
            }
        }
    }

    /// A string, or null, which is `Span::ABSENT`; and whether it has no escapes.
    #[inline]
    pub fn text_or_null(&mut self) -> Scan<(Span, bool)> {
        if self.is_null()? {
            Ok((Span::ABSENT, true))
        } else {
            self.text()
        }
    }

    /// Each member of an object: its name (escapes not undone), with the walk standing before its value.
    #[inline]
    pub fn object(
        &mut self,
        depth: usize,
        mut member: impl FnMut(&mut Self, &'a [u8]) -> Scan<()>,
    ) -> Scan<()> {
        if depth > MAX_DEPTH {
            return Err(self.wrong("less deep nesting"));
        }
        self.take(b'{', "an object")?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            let (name, _) = self.text()?;
            self.take(b':', "a colon")?;
            let page = self.page;
            member(self, name.of(page).unwrap_or_default())?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.wrong("a comma or a brace")),
            }
        }
    }

    /// Each element of an array, with the walk standing before it.
    pub fn array(&mut self, mut element: impl FnMut(&mut Self) -> Scan<()>) -> Scan<()> {
        self.take(b'[', "an array")?;
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            element(self)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.wrong("a comma or a bracket")),
            }
        }
    }

    /// Any value.
    pub fn skip(&mut self, depth: usize) -> Scan<()> {
        match self.peek()? {
            b'"' => self.text().map(|_| ()),
            b'{' => self.object(depth, |scanner, _| scanner.skip(depth + 1)),
            b'[' if depth > MAX_DEPTH => Err(self.wrong("less deep nesting")),
            b'[' => self.array(|scanner| scanner.skip(depth + 1)),
            b'-' | b'0'..=b'9' => self.number(),
            _ => {
                let rest = &self.page[self.at..];
                let words: [&[u8]; 3] = [b"null", b"true", b"false"];
                match words.iter().find(|word| rest.starts_with(word)) {
                    Some(word) => {
                        self.at += word.len();
                        Ok(())
                    }
                    None => Err(self.wrong("a value")),
                }
            }
        }
    }

    #[inline]
    fn number(&mut self) -> Scan<()> {
        self.at += usize::from(self.page[self.at] == b'-');
        let first = self.at;
        let whole = self.digits()?;
        if whole > 1 && self.page[first] == b'0' {
            self.at = first;
            return Err(self.wrong("a number without leading zeros"));
        }
        if self.page.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.page.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.page.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> Scan<usize> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.page.get(self.at) {
            self.at += 1;
        }
        if self.at == start {
            Err(self.wrong("a digit"))
        } else {
            Ok(self.at - start)
        }
    }
}
