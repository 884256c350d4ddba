//! A reader's other end that takes everything and keeps nothing.

use durable_core::codec::time::{Date, DateTime};
use durable_core::codec::{Shape, Sink, Text};
use std::hint::black_box;

/// Takes everything and keeps nothing.
pub struct Nothing;

impl Sink for Nothing {
    type Error = ();
    fn none(&mut self) -> Result<(), ()> {
        Ok(())
    }
    fn boolean(&mut self, value: bool) -> Result<(), ()> {
        black_box(value);
        Ok(())
    }
    fn integer(&mut self, value: i64) -> Result<(), ()> {
        black_box(value);
        Ok(())
    }
    fn big_integer(&mut self, digits: &str) -> Result<(), ()> {
        black_box(digits);
        Ok(())
    }
    fn float(&mut self, value: f64) -> Result<(), ()> {
        black_box(value);
        Ok(())
    }
    fn string(&mut self, text: Text<'_>) -> Result<(), ()> {
        black_box(text);
        Ok(())
    }
    fn bytes(&mut self, base64: &[u8], size: usize) -> Result<(), ()> {
        black_box((base64, size));
        Ok(())
    }
    fn uuid(&mut self, value: u128) -> Result<(), ()> {
        black_box(value);
        Ok(())
    }
    fn decimal(&mut self, text: &[u8]) -> Result<(), ()> {
        black_box(text);
        Ok(())
    }
    fn datetime(&mut self, value: DateTime) -> Result<(), ()> {
        black_box(value);
        Ok(())
    }
    fn date(&mut self, value: Date) -> Result<(), ()> {
        black_box(value);
        Ok(())
    }
    fn key(&mut self, text: Text<'_>) -> Result<(), ()> {
        black_box(text);
        Ok(())
    }
    fn end(&mut self, shape: Shape, count: usize) -> Result<(), ()> {
        black_box((shape, count));
        Ok(())
    }
}
