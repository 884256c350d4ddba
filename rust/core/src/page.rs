//! Finding the operations in a raw answer of the service without building anything.
//!
//! A page lists operations as JSON objects. The scanner walks over it once and notes for each operation where its id,
//! name, parent and result stand; payloads are looked at again only if a replay asks for them. A member of an
//! operation that appears twice counts as it stands last, as for Python's `json`.

mod escape;
mod scanner;

use crate::facts::Facts;
use crate::ids::Id;
use crate::status::{Kind, Status, SubType};
pub use escape::unescape;
use scanner::{Scan, Scanner, span};

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
    /// `Id`, read.
    pub id: Id,
    /// `Id`, as it stands there.
    pub id_text: Span,
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

/// Scan the answer of `GetDurableExecutionState`.
pub fn state_page(page: &[u8]) -> Result<Scanned, PageError> {
    scan(page, false)
}

/// Scan the answer of `CheckpointDurableExecution`.
pub fn acknowledgement(page: &[u8]) -> Result<Scanned, PageError> {
    scan(page, true)
}

/// What members of an object are, as JSON; the object was scanned before.
pub fn members<'a, const N: usize>(object: &'a [u8], wanted: [&str; N]) -> [Option<&'a [u8]>; N] {
    let mut scanner = Scanner {
        page: object,
        at: 0,
    };
    let mut found = [None; N];
    let _ = scanner.object(0, |scanner, name| {
        scanner.blank();
        let start = scanner.at;
        scanner.skip(1)?;
        for (found, wanted) in found.iter_mut().zip(wanted) {
            if name == wanted.as_bytes() {
                *found = object.get(start..scanner.at);
            }
        }
        Ok(())
    });
    found
}

/// The string whose first character (or closing quote) is at `start`, without its quotes; and whether it has no escapes.
/// None if there is no such string.
#[inline]
pub fn text_at(page: &[u8], start: u32) -> Option<(&[u8], bool)> {
    let at = (start as usize).checked_sub(1)?;
    let (text, plain) = Scanner { page, at }.text().ok()?;
    Some((text.of(page)?, plain))
}

/// The value that starts at `start`, as JSON; the page was scanned before.
pub fn value_at(page: &[u8], start: u32) -> Option<&[u8]> {
    let start = start as usize;
    let mut scanner = Scanner { page, at: start };
    scanner.skip(0).ok()?;
    page.get(start..scanner.at)
}

/// Places in a page are kept in 32 bits.
fn check_size(bytes: usize) -> Scan<()> {
    if u32::try_from(bytes).is_ok() {
        return Ok(());
    }
    Err(PageError::Form {
        expected: "a page of less than 4 GiB",
        offset: u32::MAX as usize,
    })
}

fn scan(page: &[u8], nested: bool) -> Result<Scanned, PageError> {
    check_size(page.len())?;
    if let Err(error) = std::str::from_utf8(page) {
        return Err(PageError::Form {
            expected: "UTF-8",
            offset: error.valid_up_to(),
        });
    }
    let mut scanner = Scanner { page, at: 0 };
    let mut found = Scanned::default();
    scanner.object(0, |scanner, member| match member {
        b"CheckpointToken" if nested => {
            found.token = optional_text(scanner)?;
            Ok(())
        }
        b"NewExecutionState" if nested => {
            if scanner.is_null()? {
                return Ok(());
            }
            scanner.object(1, |scanner, member| {
                state_member(scanner, member, &mut found)
            })
        }
        member if !nested => state_member(scanner, member, &mut found),
        _ => scanner.skip(1),
    })?;
    scanner.blank();
    if scanner.at < page.len() {
        Err(scanner.wrong("the end"))
    } else {
        Ok(found)
    }
}

fn optional_text(scanner: &mut Scanner<'_>) -> Scan<Option<String>> {
    let (raw, _) = scanner.text_or_null()?;
    let mut buffer = Vec::new();
    let text = raw
        .of(scanner.page)
        .filter(|raw| !raw.is_empty())
        .map(|raw| unescape(raw, &mut buffer).and_then(|text| std::str::from_utf8(text).ok()));
    match text {
        None => Ok(None),
        Some(Some(text)) => Ok(Some(text.to_owned())),
        Some(None) => Err(scanner.wrong("text without lone surrogates")),
    }
}

fn state_member(scanner: &mut Scanner<'_>, member: &[u8], found: &mut Scanned) -> Scan<()> {
    match member {
        b"NextMarker" => found.next_marker = optional_text(scanner)?,
        b"Operations" => {
            if !scanner.is_null()? {
                scanner.array(|scanner| {
                    found.operations.push(operation(scanner)?);
                    Ok(())
                })?;
            }
        }
        _ => scanner.skip(2)?,
    }
    Ok(())
}

fn operation(scanner: &mut Scanner<'_>) -> Scan<Located> {
    scanner.peek()?;
    let page = scanner.page;
    let start = scanner.at;
    let mut found = [Span::ABSENT; 6];
    let [id, kind, status, sub_type, name, parent_id] = &mut found;
    let mut details = Details::default();
    scanner.object(3, |scanner, member| {
        let place = match member {
            b"Id" => &mut *id,
            b"Type" => &mut *kind,
            b"Status" => &mut *status,
            b"SubType" => &mut *sub_type,
            b"Name" => &mut *name,
            b"ParentId" => &mut *parent_id,
            _ if member.ends_with(b"Details") => return details.read(scanner),
            _ => {
                details.irregular |= member.contains(&b'\\');
                return scanner.skip(4);
            }
        };
        let (text, plain) = scanner.text_or_null()?;
        *place = text;
        // Escapes in a name are undone when it is compared.
        details.irregular |= !plain && member != b"Name";
        Ok(())
    })?;
    let text = |span: Span| span.of(page).unwrap_or_default();
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
        replay_children: details.replay_children,
        irregular: details.irregular,
    };
    Ok(Located {
        whole: span(start, scanner.at),
        id: read_id(text(*id)),
        id_text: *id,
        name: *name,
        parent_id: *parent_id,
        result: details.result,
        facts,
    })
}

impl Located {
    /// The id of the context that the operation lies in; nothing and an empty text are the same.
    pub fn parent(&self, page: &[u8]) -> Option<Id> {
        let parent = self.parent_id.of(page)?;
        (!parent.is_empty()).then(|| read_id(parent))
    }
}

/// The id behind a JSON string without its quotes.
fn read_id(raw: &[u8]) -> Id {
    if raw.contains(&b'\\') {
        Id::of_text(unescape(raw, &mut Vec::new()).unwrap_or(raw))
    } else {
        Id::of_text(raw)
    }
}

/// What the details of an operation hold, of whichever kind they are.
struct Details {
    result: Span,
    replay_children: bool,
    irregular: bool,
}

impl Default for Details {
    fn default() -> Self {
        Self {
            result: Span::ABSENT,
            replay_children: false,
            irregular: false,
        }
    }
}

impl Details {
    fn read(&mut self, scanner: &mut Scanner<'_>) -> Scan<()> {
        if scanner.is_null()? {
            return Ok(());
        }
        scanner.object(4, |scanner, member| {
            match member {
                b"Result" => {
                    self.irregular |= self.result != Span::ABSENT;
                    self.result = scanner.text_or_null()?.0;
                }
                b"ReplayChildren" => {
                    self.replay_children = scanner.peek()? == b't';
                    scanner.skip(5)?;
                }
                _ => scanner.skip(5)?,
            }
            Ok(())
        })
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
            (text(a.id_text), text(a.name), text(a.parent_id)),
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
    fn broken_json_is_refused_whatever_is_skipped() {
        for value in [
            "01",
            "-",
            "1.",
            "1e",
            "1e+",
            "nul",
            "tru",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\u{1}\"",
            "[1,]",
            "{,}",
            "'a'",
            "NaN",
            "1 2",
        ] {
            let page = format!(r#"{{"Other":{value}}}"#);
            assert!(state_page(page.as_bytes()).is_err(), "{page}");
        }
        for value in ["0", "-0.5e-7", "1E9", "[ ]", "{ }", r#""\u00e9\n""#] {
            let page = format!(r#"{{"Other": {value} }}"#);
            assert!(state_page(page.as_bytes()).is_ok(), "{page}");
        }
    }

    #[test]
    fn escaped_ids_are_irregular_but_found() {
        let page = br#"{"Operations":[{"Id":"\u0061","Type":"WAIT","Status":"STARTED"}]}"#;
        let scanned = state_page(page).unwrap();
        assert_eq!(scanned.operations[0].id, Id::of_text(b"a"));
        assert!(scanned.operations[0].facts.irregular);
    }

    #[test]
    fn sizes_beyond_32_bits_are_refused() {
        assert_eq!(check_size(u32::MAX as usize), Ok(()));
        assert_eq!(
            check_size(1 << 32),
            Err(PageError::Form {
                expected: "a page of less than 4 GiB",
                offset: u32::MAX as usize
            })
        );
    }

    #[test]
    fn strings_and_values_are_found_by_their_start() {
        let scanned = state_page(PAGE.as_bytes()).unwrap();
        let [a, b] = &scanned.operations[..] else {
            panic!("two operations")
        };
        let page = PAGE.as_bytes();
        assert_eq!(text_at(page, a.name.start), Some((&b"n"[..], true)));
        assert_eq!(
            text_at(page, a.result.start),
            Some((&br#"{\"t\":\"m\"}"#[..], false))
        );
        assert_eq!(text_at(br#""""#, 1), Some((&b""[..], true)));
        for absent in [0, 1, 3, u32::MAX] {
            assert_eq!(text_at(b"abc", absent), None);
        }
        for operation in [a, b] {
            assert_eq!(
                value_at(page, operation.whole.start),
                operation.whole.of(page)
            );
        }
        assert_eq!(value_at(page, u32::MAX), None);
        assert_eq!((a.parent(page), b.parent(page)), (None, Some(a.id)));
    }

    #[test]
    fn members_of_an_object() {
        let object = br#"{"a" : [1, 2] ,"b":"x","a":7}"#;
        assert_eq!(
            members(object, ["a", "b", "c"]),
            [Some(&b"7"[..]), Some(br#""x""#), None]
        );
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(page in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = state_page(&page);
            let _ = acknowledgement(&page);
        }
    }
}
