//! Wire JSON of checkpoint requests. Everything is written in ASCII, as botocore writes it.

use crate::status::{Action, Kind};

/// Text as it comes from Python: UTF-8, except that lone surrogates may stand in it as three bytes each (WTF-8).
pub type Wtf8 = [u8];

/// An error as it is recorded.
#[derive(Debug, Default)]
pub struct ErrorFields<'a> {
    /// `ErrorMessage`
    pub message: Option<&'a Wtf8>,
    /// `ErrorType`
    pub kind: Option<&'a Wtf8>,
    /// `ErrorData`
    pub data: Option<&'a Wtf8>,
    /// `StackTrace`
    pub stack_trace: Option<Vec<&'a Wtf8>>,
}

/// The options that go with an update of each type.
#[derive(Debug)]
pub enum Options<'a> {
    /// None.
    Absent,
    /// `ContextOptions.ReplayChildren`
    Context(bool),
    /// `StepOptions.NextAttemptDelaySeconds`, as JSON
    Step(&'a str),
    /// `WaitOptions.WaitSeconds`, as JSON
    Wait(&'a str),
    /// `CallbackOptions.TimeoutSeconds`, `.HeartbeatTimeoutSeconds`, as JSON
    Callback(&'a str, &'a str),
    /// `ChainedInvokeOptions.FunctionName`, `.TenantId`, `.XAmznTraceId`
    ChainedInvoke(&'a Wtf8, Option<&'a Wtf8>, Option<&'a Wtf8>),
}

/// One entry of a checkpoint request. Empty texts but the payload are left out.
#[derive(Debug)]
pub struct Update<'a> {
    /// `Id`
    pub id: &'a Wtf8,
    /// `Type`
    pub kind: Kind,
    /// `Action`
    pub action: Action,
    /// `ParentId`
    pub parent_id: Option<&'a Wtf8>,
    /// `Name`
    pub name: Option<&'a Wtf8>,
    /// `SubType`
    pub sub_type: Option<&'a Wtf8>,
    /// `Payload`
    pub payload: Option<&'a Wtf8>,
    /// `Error`
    pub error: Option<ErrorFields<'a>>,
    /// The options of its type.
    pub options: Options<'a>,
}

/// Append an update.
pub fn update(out: &mut Vec<u8>, update: &Update<'_>) {
    out.extend_from_slice(b"{\"Id\":");
    string(out, update.id);
    out.extend_from_slice(b",\"Type\":\"");
    out.extend_from_slice(kind_word(update.kind));
    out.extend_from_slice(b"\",\"Action\":\"");
    out.extend_from_slice(action_word(update.action));
    out.push(b'"');
    for (member, value) in [
        (&b",\"ParentId\":"[..], update.parent_id),
        (b",\"Name\":", update.name),
        (b",\"SubType\":", update.sub_type),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            out.extend_from_slice(member);
            string(out, value);
        }
    }
    if let Some(payload) = update.payload {
        out.extend_from_slice(b",\"Payload\":");
        string(out, payload);
    }
    if let Some(fields) = &update.error {
        error(out, fields);
    }
    options(out, &update.options);
    out.push(b'}');
}

fn error(out: &mut Vec<u8>, fields: &ErrorFields<'_>) {
    out.extend_from_slice(b",\"Error\":{");
    let start = out.len();
    for (member, value) in [
        (&b"\"ErrorMessage\":"[..], fields.message),
        (b"\"ErrorType\":", fields.kind),
        (b"\"ErrorData\":", fields.data),
    ] {
        if let Some(value) = value {
            separate(out, start);
            out.extend_from_slice(member);
            string(out, value);
        }
    }
    if let Some(trace) = &fields.stack_trace {
        separate(out, start);
        out.extend_from_slice(b"\"StackTrace\":[");
        let first = out.len();
        for line in trace {
            separate(out, first);
            string(out, line);
        }
        out.push(b']');
    }
    out.push(b'}');
}

fn options(out: &mut Vec<u8>, options: &Options<'_>) {
    let mut write = |parts: &[&str]| {
        for part in parts {
            out.extend_from_slice(part.as_bytes());
        }
    };
    match options {
        Options::Absent => {}
        Options::Context(true) => write(&[",\"ContextOptions\":{\"ReplayChildren\":true}"]),
        Options::Context(false) => write(&[",\"ContextOptions\":{\"ReplayChildren\":false}"]),
        Options::Step(delay) => {
            write(&[",\"StepOptions\":{\"NextAttemptDelaySeconds\":", delay, "}"]);
        }
        Options::Wait(seconds) => write(&[",\"WaitOptions\":{\"WaitSeconds\":", seconds, "}"]),
        Options::Callback(timeout, heartbeat) => write(&[
            ",\"CallbackOptions\":{\"TimeoutSeconds\":",
            timeout,
            ",\"HeartbeatTimeoutSeconds\":",
            heartbeat,
            "}",
        ]),
        Options::ChainedInvoke(function, tenant, trace) => {
            out.extend_from_slice(b",\"ChainedInvokeOptions\":{\"FunctionName\":");
            string(out, function);
            for (member, value) in [
                (&b",\"TenantId\":"[..], tenant),
                (b",\"XAmznTraceId\":", trace),
            ] {
                if let Some(value) = value {
                    out.extend_from_slice(member);
                    string(out, value);
                }
            }
            out.push(b'}');
        }
    }
}

fn separate(out: &mut Vec<u8>, start: usize) {
    if out.len() > start {
        out.push(b',');
    }
}

fn kind_word(kind: Kind) -> &'static [u8] {
    match kind {
        Kind::Execution => b"EXECUTION",
        Kind::Context => b"CONTEXT",
        Kind::Step => b"STEP",
        Kind::Wait => b"WAIT",
        Kind::Callback => b"CALLBACK",
        Kind::ChainedInvoke => b"CHAINED_INVOKE",
    }
}

fn action_word(action: Action) -> &'static [u8] {
    match action {
        Action::Start => b"START",
        Action::Succeed => b"SUCCEED",
        Action::Fail => b"FAIL",
        Action::Retry => b"RETRY",
        Action::Cancel => b"CANCEL",
    }
}

/// Append a JSON string in ASCII; what lies above U+FFFF becomes a surrogate pair, a lone surrogate its own escape.
pub fn string(out: &mut Vec<u8>, text: &Wtf8) {
    out.push(b'"');
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest
            .iter()
            .position(|&byte| !is_plain(byte))
            .unwrap_or(rest.len());
        out.extend_from_slice(&rest[..plain]);
        rest = &rest[plain..];
        let Some(&byte) = rest.first() else { break };
        let taken = if byte < 0x80 {
            escape(out, byte);
            1
        } else {
            let (scalar, width) = wide(rest);
            if scalar > 0xFFFF {
                let offset = scalar - 0x1_0000;
                unicode(out, 0xD800 | offset >> 10);
                unicode(out, 0xDC00 | offset & 0x3FF);
            } else {
                unicode(out, scalar);
            }
            width
        };
        rest = &rest[taken.min(rest.len())..];
    }
    out.push(b'"');
}

fn is_plain(byte: u8) -> bool {
    (0x20..0x7F).contains(&byte) && byte != b'"' && byte != b'\\'
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0C => b'f',
        _ => return unicode(out, u32::from(byte)),
    };
    out.extend_from_slice(&[b'\\', short]);
}

fn unicode(out: &mut Vec<u8>, unit: u32) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(HEX[(unit >> shift & 15) as usize]);
    }
}

/// The code point at the start of well-formed WTF-8, and its width in bytes.
fn wide(text: &Wtf8) -> (u32, usize) {
    let tail = |index: usize| u32::from(text.get(index).copied().unwrap_or(0) & 0x3F);
    let first = u32::from(text[0]);
    match text[0] {
        0xF0.. => (
            (first & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3),
            4,
        ),
        0xE0.. => ((first & 0x0F) << 12 | tail(1) << 6 | tail(2), 3),
        _ => ((first & 0x1F) << 6 | tail(1), 2),
    }
}

/// Append the body of a checkpoint request around updates that are JSON already.
pub fn request<'a>(
    token: &str,
    client_token: &str,
    updates: impl Iterator<Item = &'a [u8]>,
) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(b"{\"CheckpointToken\":");
    string(&mut out, token.as_bytes());
    out.extend_from_slice(b",\"ClientToken\":");
    string(&mut out, client_token.as_bytes());
    out.extend_from_slice(b",\"Updates\":[");
    let start = out.len();
    for update in updates {
        separate(&mut out, start);
        out.extend_from_slice(update);
    }
    out.extend_from_slice(b"]}");
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &[u8]) -> String {
        let mut out = Vec::new();
        string(&mut out, text);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn escapes() {
        assert_eq!(
            written("a\"\\/\n\u{7f}é\u{1F600}".as_bytes()),
            r#""a\"\\/\n\u007f\u00e9\ud83d\ude00""#
        );
        assert_eq!(written(&[0xED, 0xA0, 0x80]), r#""\ud800""#);
    }

    #[test]
    fn an_update_in_full() {
        let mut out = Vec::new();
        update(
            &mut out,
            &Update {
                id: b"i",
                kind: Kind::ChainedInvoke,
                action: Action::Start,
                parent_id: Some(b"p"),
                name: Some(b""),
                sub_type: Some(b"ChainedInvoke"),
                payload: Some(b""),
                error: Some(ErrorFields {
                    message: Some(b"m"),
                    stack_trace: Some(vec![b"x", b"y"]),
                    ..Default::default()
                }),
                options: Options::ChainedInvoke(b"f", None, Some(b"t")),
            },
        );
        let expected = concat!(
            r#"{"Id":"i","Type":"CHAINED_INVOKE","Action":"START","ParentId":"p","SubType":"ChainedInvoke","Payload":"","#,
            r#""Error":{"ErrorMessage":"m","StackTrace":["x","y"]},"#,
            r#""ChainedInvokeOptions":{"FunctionName":"f","XAmznTraceId":"t"}}"#
        );
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    proptest! {
        #[test]
        fn written_strings_are_ascii_and_read_back(text in any::<String>()) {
            let out = written(text.as_bytes());
            prop_assert!(out.is_ascii());
            let mut scratch = Vec::new();
            let inner = &out.as_bytes()[1..out.len() - 1];
            prop_assert_eq!(crate::page::unescape(inner, &mut scratch), Some(text.as_bytes()));
        }
    }
}
