//! What tests, fuzz targets and benches of the codec share: a tree of values, and a second way to read.

#![allow(missing_docs, dead_code)] // for tests, and each uses a part of it
#![allow(clippy::unnecessary_wraps)] // a shorthand of the sink below

pub mod reference;

use durable_core::codec::time::{Date, DateTime};
use durable_core::codec::{Scratch, Shape, Sink, Text, json, tagged, write};

/// A value as a tree. Strings are code points, so that surrogates fit; floats are compared by their bits; a map keeps its
/// pairs as they come.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    None,
    Bool(bool),
    Int(String),
    Float(u64),
    Text(Vec<u32>),
    Bytes(Vec<u8>),
    Uuid(u128),
    Decimal(String),
    DateTime(DateTime),
    Date(Date),
    Array(Vec<Value>),
    Tuple(Vec<Value>),
    Map(Vec<(Vec<u32>, Value)>),
    Batch(Vec<(Vec<u32>, Value)>),
}

pub fn float(value: f64) -> Value {
    // One not-a-number is as good as another.
    Value::Float(if value.is_nan() { f64::NAN } else { value }.to_bits())
}

pub fn text(text: &str) -> Vec<u32> {
    text.chars().map(u32::from).collect()
}

/// Code points of UTF-8 with surrogates.
pub fn points(mut bytes: &[u8]) -> Vec<u32> {
    let mut points = Vec::new();
    while let [lead, rest @ ..] = bytes {
        let tails = match lead {
            0..0x80 => 0,
            0xc0..0xe0 => 1,
            0xe0..0xf0 => 2,
            _ => 3,
        };
        let bits = if tails == 0 {
            *lead
        } else {
            lead & (0x3f >> tails)
        };
        let (tail, next) = rest.split_at(tails.min(rest.len()));
        points.push(tail.iter().fold(u32::from(bits), |point, byte| {
            point << 6 | u32::from(byte & 0x3f)
        }));
        bytes = next;
    }
    points
}

/// Builds trees.
#[derive(Default)]
pub struct Tree {
    values: Vec<Value>,
    keys: Vec<Vec<u32>>,
}

impl Tree {
    fn finish(mut self) -> Value {
        assert!(
            self.keys.is_empty() && self.values.len() == 1,
            "a reader leaves one value"
        );
        self.values.remove(0)
    }

    fn add(&mut self, value: Value) -> Result<(), ()> {
        self.values.push(value);
        Ok(())
    }
}

impl Sink for Tree {
    type Error = ();

    fn none(&mut self) -> Result<(), ()> {
        self.add(Value::None)
    }
    fn boolean(&mut self, value: bool) -> Result<(), ()> {
        self.add(Value::Bool(value))
    }
    fn integer(&mut self, value: i64) -> Result<(), ()> {
        self.add(Value::Int(value.to_string()))
    }
    fn big_integer(&mut self, digits: &str) -> Result<(), ()> {
        self.add(Value::Int(digits.to_owned()))
    }
    fn float(&mut self, value: f64) -> Result<(), ()> {
        self.add(float(value))
    }
    fn string(&mut self, text: Text<'_>) -> Result<(), ()> {
        assert_eq!(text.ascii, text.bytes.is_ascii());
        self.add(Value::Text(points(text.bytes)))
    }
    fn bytes(&mut self, base64: &[u8], size: usize) -> Result<(), ()> {
        let mut bytes = vec![0; size];
        if !write::from_base64(base64, &mut bytes) {
            return Err(());
        }
        self.add(Value::Bytes(bytes))
    }
    fn uuid(&mut self, value: u128) -> Result<(), ()> {
        self.add(Value::Uuid(value))
    }
    fn decimal(&mut self, text: &[u8]) -> Result<(), ()> {
        let text = str::from_utf8(text).map_err(|_| ())?;
        self.add(Value::Decimal(text.to_owned()))
    }
    fn datetime(&mut self, value: DateTime) -> Result<(), ()> {
        self.add(Value::DateTime(value))
    }
    fn date(&mut self, value: Date) -> Result<(), ()> {
        self.add(Value::Date(value))
    }
    fn key(&mut self, text: Text<'_>) -> Result<(), ()> {
        assert_eq!(text.ascii, text.bytes.is_ascii());
        self.keys.push(points(text.bytes));
        Ok(())
    }
    fn end(&mut self, shape: Shape, count: usize) -> Result<(), ()> {
        let values = self.values.split_off(self.values.len() - count);
        let value = match shape {
            Shape::List => Value::Array(values),
            Shape::Tuple => Value::Tuple(values),
            Shape::Map | Shape::Batch => {
                let keys = self.keys.split_off(self.keys.len() - count);
                let pairs = keys.into_iter().zip(values).collect();
                if shape == Shape::Map {
                    Value::Map(pairs)
                } else {
                    Value::Batch(pairs)
                }
            }
        };
        self.add(value)
    }
}

/// What the one-pass reader makes of a text.
pub fn read_tagged(text: &[u8]) -> Option<Value> {
    let mut tree = Tree::default();
    tagged::read(text, &mut Scratch::default(), &mut tree).ok()?;
    Some(tree.finish())
}

/// What the reader of plain JSON makes of a text.
pub fn read_json(text: &[u8], limits: json::Limits) -> Option<Value> {
    let mut tree = Tree::default();
    match json::read(text, limits, &mut Scratch::default(), &mut tree) {
        Ok(()) => Some(tree.finish()),
        Err(json::Stop::Fault(fault)) => {
            assert!(fault.offset <= text.len(), "{fault:?} is outside");
            None
        }
        Err(json::Stop::Sink(())) => panic!("no JSON is refused by a tree"),
    }
}

/// A value in envelopes, as the encoder writes it.
pub fn tagged_text(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write_tagged(value, &mut out);
    out
}

fn write_tagged(value: &Value, out: &mut Vec<u8>) {
    let tag = match value {
        Value::None => "n",
        Value::Bool(_) => "b",
        Value::Int(_) => "i",
        Value::Float(_) => "f",
        Value::Text(_) => "s",
        Value::Bytes(_) => "B",
        Value::Uuid(_) => "u",
        Value::Decimal(_) => "d",
        Value::DateTime(_) => "dt",
        Value::Date(_) => "D",
        Value::Array(_) => "l",
        Value::Tuple(_) => "t",
        Value::Map(_) => "m",
        Value::Batch(_) => "br",
    };
    out.extend_from_slice(format!("{{\"t\":\"{tag}\",\"v\":").as_bytes());
    match value {
        Value::Bytes(bytes) => write::bytes(out, bytes),
        Value::Uuid(value) => write::uuid(out, *value),
        Value::Decimal(text) => write::ascii_string(out, text.as_bytes()),
        Value::DateTime(value) => write::datetime(out, *value),
        Value::Date(value) => write::date(out, *value),
        Value::Array(values) | Value::Tuple(values) => {
            out.push(b'[');
            for (place, value) in values.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                write_tagged(value, out);
            }
            out.push(b']');
        }
        Value::Map(pairs) | Value::Batch(pairs) => {
            out.push(b'{');
            for (place, (key, value)) in pairs.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                write::string(out, key);
                out.push(b':');
                write_tagged(value, out);
            }
            out.push(b'}');
        }
        scalar => write_scalar(scalar, out),
    }
    out.push(b'}');
}

fn write_scalar(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Int(digits) => out.extend_from_slice(digits.as_bytes()),
        Value::Float(bits) => write::float(out, f64::from_bits(*bits)),
        Value::Text(text) => write::string(out, text),
        _ => out.extend_from_slice(b"null"),
    }
}

/// A value of plain JSON, with `blank` wherever JSON allows blanks.
pub fn json_text(value: &Value, blank: &str) -> Vec<u8> {
    let mut out = blank.as_bytes().to_vec();
    write_json(value, blank.as_bytes(), &mut out);
    out
}

fn write_json(value: &Value, blank: &[u8], out: &mut Vec<u8>) {
    let pad = |out: &mut Vec<u8>, mark: u8| {
        out.push(mark);
        out.extend_from_slice(blank);
    };
    match value {
        Value::Array(values) => {
            pad(out, b'[');
            for (place, value) in values.iter().enumerate() {
                if place > 0 {
                    pad(out, b',');
                }
                write_json(value, blank, out);
            }
            out.push(b']');
        }
        Value::Map(pairs) => {
            pad(out, b'{');
            for (place, (key, value)) in pairs.iter().enumerate() {
                if place > 0 {
                    pad(out, b',');
                }
                write::string(out, key);
                out.extend_from_slice(blank);
                pad(out, b':');
                write_json(value, blank, out);
            }
            out.push(b'}');
        }
        scalar => write_scalar(scalar, out),
    }
    out.extend_from_slice(blank);
}
