//! Finding the operations in a raw answer of the service without building anything.
//!
//! A page lists operations as JSON objects. The scanner walks over it once and notes for each operation where its id,
//! name, parent and result stand; payloads are looked at again only if a replay asks for them. It checks that the text
//! is JSON in structure (brackets, strings, separators), not every digit of every number: what a skipped number looks
//! like is found out by the complete reader.

use crate::history::Facts;
use crate::status::{Kind, Status, SubType};

/// A piece of the page, in bytes. `start == end` stands for an empty string, `Span::ABSENT` for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
}

impl Span {
    /// Nothing there.
    pub const ABSENT: Self = Self {
        start: u32::MAX,
        end: u32::MAX,
    };

    /// The bytes it covers; None if there is nothing.
    pub fn of(self, page: &[u8]) -> Option<&[u8]> {
        if self == Self::ABSENT {
            None
        } else {
            page.get(self.start as usize..self.end as usize)
        }
    }
}

/// Where an operation and its parts stand in the page. Strings are without their quotes, escapes not undone.
#[derive(Clone, Copy, Debug)]
pub struct Located {
    /// The whole object.
    pub whole: Span,
    /// `Id`
    pub id: Span,
    /// `Name`
    pub name: Span,
    /// `ParentId`
    pub parent_id: Span,
    /// `Result` of whichever details there are.
    pub result: Span,
    /// What the index knows.
    pub facts: Facts,
}

/// What is wrong with a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageError {
    /// Not JSON, or not of the form that the service sends.
    Form {
        /// What was expected.
        expected: &'static str,
        /// Where, in bytes.
        offset: usize,
    },
    /// An operation without an id.
    NoId {
        /// Where the operation starts, in bytes.
        offset: usize,
    },
    /// A word that this SDK does not know.
    Word {
        /// `Type` or `Status`.
        field: &'static str,
        /// Where it stands.
        span: Span,
        /// The id of the operation.
        id: Span,
    },
}

/// A scanned page or acknowledgement.
#[derive(Debug, Default)]
pub struct Scanned {
    /// The operations, in order.
    pub operations: Vec<Located>,
    /// `NextMarker`, unless absent, null or empty.
    pub next_marker: Option<String>,
    /// `CheckpointToken`, unless absent, null or empty.
    pub token: Option<String>,
}

const MAX_DEPTH: usize = 200;

/// Scan the answer of `GetDurableExecutionState`.
pub fn state_page(page: &[u8]) -> Result<Scanned, PageError> {
    scan(page, false)
}

/// Scan the answer of `CheckpointDurableExecution`.
pub fn acknowledgement(page: &[u8]) -> Result<Scanned, PageError> {
    scan(page, true)
}

fn scan(page: &[u8], nested: bool) -> Result<Scanned, PageError> {
    if u32::try_from(page.len()).is_err() || std::str::from_utf8(page).is_err() {
        return Err(PageError::Form {
            expected: "less than 4 GiB of UTF-8",
            offset: 0,
        });
    }
    let mut scanner = Scanner { page, at: 0 };
    let mut found = Scanned::default();
    scanner.object(0, &mut |scanner, member| {
        match member {
            b"CheckpointToken" if nested => found.token = scanner.optional_text()?,
            b"NewExecutionState" if nested => {
                if scanner.is_null()? {
                    return Ok(());
                }
                scanner.object(1, &mut |scanner, member| {
                    scanner.state_member(member, &mut found)
                })?;
            }
            member if !nested => scanner.state_member(member, &mut found)?,
            _ => scanner.skip(1)?,
        }
        Ok(())
    })?;
    scanner.blank();
    if scanner.at < page.len() {
        Err(scanner.wrong("the end"))
    } else {
        Ok(found)
    }
}

struct Scanner<'a> {
    page: &'a [u8],
    at: usize,
}

type Scan<T> = Result<T, PageError>;

#[allow(
    clippy::cast_possible_truncation,
    reason = "scan() has checked that the page is shorter than 4 GiB"
)]
fn span(start: usize, end: usize) -> Span {
    Span {
        start: start as u32,
        end: end as u32,
    }
}

impl<'a> Scanner<'a> {
    fn wrong(&self, expected: &'static str) -> PageError {
        PageError::Form {
            expected,
            offset: self.at,
        }
    }

    fn blank(&mut self) {
        while matches!(self.page.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn peek(&mut self) -> Scan<u8> {
        self.blank();
        self.page
            .get(self.at)
            .copied()
            .ok_or_else(|| self.wrong("a value"))
    }

    fn take(&mut self, wanted: u8, expected: &'static str) -> Scan<()> {
        if self.peek()? != wanted {
            return Err(self.wrong(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn is_null(&mut self) -> Scan<bool> {
        self.peek()?;
        let is_null = self.page[self.at..].starts_with(b"null");
        if is_null {
            self.at += 4;
        }
        Ok(is_null)
    }

    /// A string, without its quotes.
    fn text(&mut self) -> Scan<Span> {
        self.take(b'"', "a string")?;
        let start = self.at;
        loop {
            let rest = &self.page[self.at..];
            let Some(offset) = memchr::memchr2(b'"', b'\\', rest) else {
                self.at = self.page.len();
                return Err(self.wrong("the end of a string"));
            };
            self.at += offset;
            if self.page[self.at] == b'"' {
                self.at += 1;
                return Ok(span(start, self.at - 1));
            }
            self.at += 2;
            if self.at > self.page.len() {
                return Err(self.wrong("the end of an escape"));
            }
        }
    }

    /// A string, `Span::ABSENT` for null; whether it was one.
    fn text_or_null(&mut self) -> Scan<Span> {
        if self.is_null()? {
            Ok(Span::ABSENT)
        } else {
            self.text()
        }
    }

    fn optional_text(&mut self) -> Scan<Option<String>> {
        let raw = self.text_or_null()?;
        let mut text = Vec::new();
        match raw.of(self.page) {
            Some(raw) if !raw.is_empty() => {
                if !unescape(raw, &mut text) {
                    return Err(self.wrong("a string with known escapes"));
                }
                String::from_utf8(text)
                    .map(Some)
                    .map_err(|_| self.wrong("text"))
            }
            _ => Ok(None),
        }
    }

    fn object(
        &mut self,
        depth: usize,
        member: &mut dyn FnMut(&mut Self, &'a [u8]) -> Scan<()>,
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
            let name = self.text()?;
            self.take(b':', "a colon")?;
            let page = self.page;
            member(self, name.of(page).unwrap_or_default())?;
            match self.peek()? {
                b',' => {
                    self.at += 1;
                    self.blank();
                }
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.wrong("a comma or a brace")),
            }
        }
    }

    fn array(&mut self, element: &mut dyn FnMut(&mut Self) -> Scan<()>) -> Scan<()> {
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

    fn skip(&mut self, depth: usize) -> Scan<()> {
        match self.peek()? {
            b'"' => self.text().map(|_| ()),
            b'{' => self.object(depth, &mut |scanner, _| scanner.skip(depth + 1)),
            b'[' if depth > MAX_DEPTH => Err(self.wrong("less deep nesting")),
            b'[' => self.array(&mut |scanner| scanner.skip(depth + 1)),
            _ => {
                let start = self.at;
                while self
                    .page
                    .get(self.at)
                    .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
                {
                    self.at += 1;
                }
                if self.at == start {
                    Err(self.wrong("a value"))
                } else {
                    Ok(())
                }
            }
        }
    }

    fn state_member(&mut self, member: &[u8], scanned: &mut Scanned) -> Scan<()> {
        match member {
            b"NextMarker" => scanned.next_marker = self.optional_text()?,
            b"Operations" => {
                if !self.is_null()? {
                    self.array(&mut |scanner| {
                        let operation = scanner.operation()?;
                        scanned.operations.push(operation);
                        Ok(())
                    })?;
                }
            }
            _ => self.skip(2)?,
        }
        Ok(())
    }

    fn operation(&mut self) -> Scan<Located> {
        self.peek()?;
        let start = self.at;
        let mut found = [Span::ABSENT; 7];
        let [id, kind, status, sub_type, name, parent_id, result] = &mut found;
        let mut replay_children = false;
        let mut irregular = false;
        self.object(3, &mut |scanner, member| {
            let place = match member {
                b"Id" => &mut *id,
                b"Type" => &mut *kind,
                b"Status" => &mut *status,
                b"SubType" => &mut *sub_type,
                b"Name" => &mut *name,
                b"ParentId" => &mut *parent_id,
                _ if member.ends_with(b"Details") => {
                    if scanner.is_null()? {
                        return Ok(());
                    }
                    return scanner.object(4, &mut |scanner, member| match member {
                        b"Result" => {
                            irregular |= *result != Span::ABSENT;
                            *result = scanner.text_or_null()?;
                            Ok(())
                        }
                        b"ReplayChildren" => {
                            replay_children = scanner.peek()? == b't';
                            scanner.skip(5)
                        }
                        _ => scanner.skip(5),
                    });
                }
                _ => {
                    irregular |= member.contains(&b'\\');
                    return scanner.skip(4);
                }
            };
            *place = scanner.text_or_null()?;
            Ok(())
        })?;
        let text = |span: Span| span.of(self.page).unwrap_or_default();
        if text(*id).is_empty() {
            return Err(PageError::NoId { offset: start });
        }
        let unknown = |field, span| PageError::Word {
            field,
            span,
            id: *id,
        };
        let facts = Facts {
            kind: Kind::parse(text(*kind)).ok_or_else(|| unknown("Type", *kind))?,
            status: Status::parse(text(*status)).ok_or_else(|| unknown("Status", *status))?,
            sub_type: SubType::parse(text(*sub_type)),
            replay_children,
            irregular: irregular
                || [*id, *name, *parent_id, *sub_type]
                    .iter()
                    .any(|&span| memchr::memchr(b'\\', text(span)).is_some()),
        };
        let whole = span(start, self.at);
        Ok(Located {
            whole,
            id: *id,
            name: *name,
            parent_id: *parent_id,
            result: *result,
            facts,
        })
    }
}

/// Undo the escapes of a JSON string; what comes out is WTF-8. False if an escape is none.
pub fn unescape(raw: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    out.reserve(raw.len());
    let mut rest = raw;
    while let Some(offset) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..offset]);
        let Some(&escape) = rest.get(offset + 1) else {
            return false;
        };
        rest = &rest[offset + 2..];
        let plain = match escape {
            b'"' | b'\\' | b'/' => escape,
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 0x08,
            b'f' => 0x0C,
            b'u' => {
                let Some(mut unit) = unit(rest) else {
                    return false;
                };
                rest = &rest[4..];
                if (0xD800..0xDC00).contains(&unit) && rest.starts_with(b"\\u") {
                    if let Some(low) =
                        self::unit(&rest[2..]).filter(|low| (0xDC00..0xE000).contains(low))
                    {
                        unit = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                        rest = &rest[6..];
                    }
                }
                push_scalar(out, unit);
                continue;
            }
            _ => return false,
        };
        out.push(plain);
    }
    out.extend_from_slice(rest);
    true
}

fn unit(digits: &[u8]) -> Option<u32> {
    digits.get(..4)?.iter().try_fold(0, |unit, &digit| {
        Some(unit << 4 | char::from(digit).to_digit(16)?)
    })
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "each byte is masked to its six or seven bits"
)]
fn push_scalar(out: &mut Vec<u8>, scalar: u32) {
    let tail = |shift: u32| 0x80 | (scalar >> shift & 0x3F) as u8;
    match scalar {
        0..0x80 => out.push(scalar as u8),
        0x80..0x800 => out.extend_from_slice(&[0xC0 | (scalar >> 6) as u8, tail(0)]),
        0x800..0x1_0000 => out.extend_from_slice(&[0xE0 | (scalar >> 12) as u8, tail(6), tail(0)]),
        _ => out.extend_from_slice(&[0xF0 | (scalar >> 18) as u8, tail(12), tail(6), tail(0)]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGE: &str = r#"{ "Operations" : [
        {"Id":"a","Type":"STEP","SubType":"Step","Name":"n","Status":"SUCCEEDED","StartTimestamp":1.5,
         "StepDetails":{"Attempt":1,"Result":"{\"t\":\"m\"}","Error":null}},
        {"Id":"b","ParentId":"a","Type":"CONTEXT","Status":"STARTED","ContextDetails":{"ReplayChildren":true}}
      ], "NextMarker":"more", "Other":[{"x":[1,2,null,true]}] }"#;

    #[test]
    fn parts_are_located() {
        let scanned = state_page(PAGE.as_bytes()).unwrap();
        let [a, b] = &scanned.operations[..] else {
            panic!("two operations")
        };
        let text = |span: Span| {
            span.of(PAGE.as_bytes())
                .map(|text| std::str::from_utf8(text).unwrap())
        };
        assert_eq!(
            (text(a.id), text(a.name), text(a.parent_id)),
            (Some("a"), Some("n"), None)
        );
        assert_eq!(text(a.result), Some(r#"{\"t\":\"m\"}"#));
        assert_eq!(
            (a.facts.status, a.facts.irregular),
            (Status::Succeeded, false)
        );
        assert!(text(a.whole).unwrap().ends_with("null}}"));
        assert_eq!(
            (text(b.parent_id), b.facts.replay_children),
            (Some("a"), true)
        );
        assert_eq!(scanned.next_marker.as_deref(), Some("more"));
    }

    #[test]
    fn acknowledgements_are_one_level_deeper() {
        let body = format!(r#"{{"CheckpointToken":"t\u00e9","NewExecutionState":{PAGE}}}"#);
        let scanned = acknowledgement(body.as_bytes()).unwrap();
        assert_eq!(
            (scanned.token.as_deref(), scanned.operations.len()),
            (Some("té"), 2)
        );
        let bare = acknowledgement(b"{}").unwrap();
        assert_eq!((bare.token, bare.operations.len()), (None, 0));
    }

    #[test]
    fn every_truncation_is_noticed() {
        for end in 0..PAGE.len() {
            assert!(state_page(&PAGE.as_bytes()[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn errors_tell_what_and_where() {
        let error = state_page(br#"{"Operations":[{"Type":"STEP"}]}"#).unwrap_err();
        assert_eq!(error, PageError::NoId { offset: 15 });
        let error = state_page(br#"{"Operations":[{"Id":"a","Type":"NAP","Status":"STARTED"}]}"#)
            .unwrap_err();
        assert!(matches!(error, PageError::Word { field: "Type", .. }));
        assert!(matches!(
            state_page(b"[]").unwrap_err(),
            PageError::Form {
                expected: "an object",
                offset: 0
            }
        ));
        assert!(state_page(&[b"[".repeat(100_000)].concat()).is_err());
        let deep = format!(r#"{{"x":{}"#, "[".repeat(100_000));
        assert!(state_page(deep.as_bytes()).is_err());
    }

    #[test]
    fn surrogates() {
        let mut out = Vec::new();
        assert!(unescape(br"\ud83d\ude00\ud800x\u0041", &mut out));
        assert_eq!(out, [b"\xF0\x9F\x98\x80\xED\xA0\x80xA".as_slice()].concat());
        assert!(!unescape(br"\x", &mut out));
        assert!(!unescape(br"\u12", &mut out));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(page in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = state_page(&page);
            let _ = acknowledgement(&page);
        }
    }
}
