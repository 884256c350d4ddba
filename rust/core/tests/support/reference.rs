//! A second, complete and slow way to read the format: characters one by one, a tree of JSON, then its envelopes.
//!
//! It shares nothing with the fast readers but the types of the result and the conversion of decimal digits to floats.

use super::{Value, float, text};
use durable_core::codec::time::{Date, DateTime};

/// Read JSON as Python's `json.loads` does, with at most `levels` containers inside one another.
pub fn json(text: &str, levels: usize) -> Option<Value> {
    let mut reader = Reader {
        rest: text.chars().collect::<Vec<_>>(),
        levels,
    };
    reader.rest.reverse();
    let value = reader.value()?;
    reader.blanks();
    reader.rest.is_empty().then_some(value)
}

struct Reader {
    /// What is still to be read, the next character last.
    rest: Vec<char>,
    levels: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.rest.last().copied()
    }

    fn take(&mut self, wanted: &str) -> bool {
        let found = self
            .rest
            .iter()
            .rev()
            .take(wanted.len())
            .copied()
            .eq(wanted.chars());
        if found {
            self.rest.truncate(self.rest.len() - wanted.len());
        }
        found
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.rest.pop();
        }
    }

    fn value(&mut self) -> Option<Value> {
        self.blanks();
        match self.peek()? {
            '"' => self.string().map(Value::Text),
            '[' => self.array(),
            '{' => self.object(),
            _ => {
                for (word, value) in [
                    ("null", Value::None),
                    ("true", Value::Bool(true)),
                    ("false", Value::Bool(false)),
                    ("NaN", float(f64::NAN)),
                    ("Infinity", float(f64::INFINITY)),
                    ("-Infinity", float(f64::NEG_INFINITY)),
                ] {
                    if self.take(word) {
                        return Some(value);
                    }
                }
                self.number()
            }
        }
    }

    fn digits(&mut self, into: &mut String) -> usize {
        let before = into.len();
        while let Some(digit @ '0'..='9') = self.peek() {
            into.push(digit);
            self.rest.pop();
        }
        into.len() - before
    }

    fn number(&mut self) -> Option<Value> {
        let mut shown = String::new();
        if self.take("-") {
            shown.push('-');
        }
        let sign = shown.len();
        let whole = self.digits(&mut shown);
        if whole == 0 || (whole > 1 && shown[sign..].starts_with('0')) {
            return None;
        }
        let mut is_float = false;
        if self.take(".") {
            is_float = true;
            shown.push('.');
            if self.digits(&mut shown) == 0 {
                return None;
            }
        }
        if self.take("e") || self.take("E") {
            is_float = true;
            shown.push('e');
            for sign in ["+", "-"] {
                if shown.ends_with('e') && self.take(sign) {
                    shown.push_str(sign);
                }
            }
            if self.digits(&mut shown) == 0 {
                return None;
            }
        }
        if is_float {
            return shown.parse().ok().map(float);
        }
        Some(Value::Int(if shown == "-0" {
            "0".to_owned()
        } else {
            shown
        }))
    }

    fn string(&mut self) -> Option<Vec<u32>> {
        self.rest.pop();
        let mut points: Vec<u32> = Vec::new();
        let mut high_at = None; // where a high surrogate from an escape stands, if it is the last one
        loop {
            let last_high = high_at.take();
            match self.rest.pop()? {
                '"' => return Some(points),
                '\0'..'\u{20}' => return None,
                '\\' => match self.rest.pop()? {
                    'u' => {
                        let mut unit = 0;
                        for _ in 0..4 {
                            unit = unit * 16 + self.rest.pop()?.to_digit(16)?;
                        }
                        match (last_high, unit) {
                            (Some(at), 0xdc00..=0xdfff) => {
                                let high: u32 = points.split_off(at)[0];
                                points.push(0x1_0000 + (high - 0xd800) * 0x400 + (unit - 0xdc00));
                            }
                            (_, 0xd800..=0xdbff) => {
                                high_at = Some(points.len());
                                points.push(unit);
                            }
                            _ => points.push(unit),
                        }
                    }
                    escape => {
                        let place = "\"\\/bfnrt".find(escape)?;
                        points.push(u32::from(b"\"\\/\x08\x0c\n\r\t"[place]));
                    }
                },
                other => points.push(other.into()),
            }
        }
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.levels = self.levels.checked_sub(1)?;
        self.rest.pop();
        let found = read(self)?;
        self.levels += 1;
        Some(found)
    }

    fn array(&mut self) -> Option<Value> {
        self.deeper(|reader| {
            let mut values = Vec::new();
            reader.blanks();
            if reader.take("]") {
                return Some(Value::Array(values));
            }
            loop {
                values.push(reader.value()?);
                reader.blanks();
                if reader.take("]") {
                    return Some(Value::Array(values));
                }
                if !reader.take(",") {
                    return None;
                }
            }
        })
    }

    fn object(&mut self) -> Option<Value> {
        self.deeper(|reader| {
            let mut pairs = Vec::new();
            reader.blanks();
            if reader.take("}") {
                return Some(Value::Map(pairs));
            }
            loop {
                reader.blanks();
                if reader.peek() != Some('"') {
                    return None;
                }
                let key = reader.string()?;
                reader.blanks();
                if !reader.take(":") {
                    return None;
                }
                pairs.push((key, reader.value()?));
                reader.blanks();
                if reader.take("}") {
                    return Some(Value::Map(pairs));
                }
                if !reader.take(",") {
                    return None;
                }
            }
        })
    }
}

/// The value of a tree of envelopes in the form that is written; none for all other trees.
pub fn envelope(raw: &Value) -> Option<Value> {
    let Value::Map(members) = raw else {
        return None;
    };
    let [(t, Value::Text(tag)), (v, payload)] = members.as_slice() else {
        return None;
    };
    if *t != text("t") || *v != text("v") {
        return None;
    }
    let tag: String = tag
        .iter()
        .map(|point| char::from_u32(*point))
        .collect::<Option<_>>()?;
    let inner = |values: &[Value]| values.iter().map(envelope).collect::<Option<Vec<_>>>();
    let pairs = |members: &[(Vec<u32>, Value)]| {
        members
            .iter()
            .map(|(key, value)| Some((key.clone(), envelope(value)?)))
            .collect::<Option<Vec<_>>>()
    };
    match (tag.as_str(), payload) {
        ("n", Value::None)
        | ("b", Value::Bool(_))
        | ("i", Value::Int(_))
        | ("f", Value::Float(_))
        | ("s", Value::Text(_)) => Some(payload.clone()),
        ("l", Value::Array(values)) => inner(values).map(Value::Array),
        ("t", Value::Array(values)) => inner(values).map(Value::Tuple),
        ("m", Value::Map(members)) => pairs(members).map(Value::Map),
        ("br", Value::Map(members)) => pairs(members).map(Value::Batch),
        (tag, Value::Text(points)) => {
            let shown: String = points
                .iter()
                .map(|point| char::from_u32(*point))
                .collect::<Option<_>>()?;
            match tag {
                "d" => shown.is_ascii().then_some(Value::Decimal(shown)),
                "u" => uuid(&shown).map(Value::Uuid),
                "B" => base64(&shown).map(Value::Bytes),
                "D" => date(&shown).map(Value::Date),
                "dt" => datetime(&shown).map(Value::DateTime),
                _ => None,
            }
        }
        _ => None,
    }
}

fn uuid(shown: &str) -> Option<u128> {
    let groups: Vec<_> = shown.split('-').collect();
    let sizes: Vec<_> = groups.iter().map(|group| group.len()).collect();
    if sizes != [8, 4, 4, 4, 12] || !groups.concat().bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(&groups.concat(), 16).ok()
}

fn base64(shown: &str) -> Option<Vec<u8>> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = shown.trim_end_matches('=');
    if !shown.len().is_multiple_of(4) || shown.len() - text.len() > 2 {
        return None;
    }
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for character in text.chars() {
        bits = bits << 6 | u32::try_from(ALPHABET.find(character)?).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    // Canonical: what does not fill a byte is zero, and there is no more padding than it takes.
    (bits & ((1 << count) - 1) == 0 && count < 6).then_some(bytes)
}

fn number(shown: &str, size: usize) -> Option<u32> {
    let digits = shown.len() == size && shown.bytes().all(|byte| byte.is_ascii_digit());
    if digits { shown.parse().ok() } else { None }
}

/// A day, read the slow way.
pub fn date(shown: &str) -> Option<Date> {
    let parts: Vec<_> = shown.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return None;
    };
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let february = if leap { 29 } else { 28 };
    let days = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let last = *days.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
    if year == 0 || day == 0 || day > last {
        return None;
    }
    Some(Date {
        year: year.try_into().ok()?,
        month: month.try_into().ok()?,
        day: day.try_into().ok()?,
    })
}

/// A moment, read the slow way.
pub fn datetime(shown: &str) -> Option<DateTime> {
    let (day, rest) = shown.split_once('T')?;
    let date = date(day)?;
    let (clock, offset) = match rest.find(['+', '-', 'Z']) {
        None => (rest, None),
        Some(at) => {
            let (clock, zone) = rest.split_at(at);
            let minutes = if zone == "Z" {
                0
            } else {
                let (hours, minutes) = zone.get(1..)?.split_once(':')?;
                let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
                if hours > 23 || minutes > 59 || zone.starts_with('Z') {
                    return None;
                }
                let minutes = i16::try_from(hours * 60 + minutes).ok()?;
                if zone.starts_with('-') {
                    -minutes
                } else {
                    minutes
                }
            };
            (clock, Some(minutes))
        }
    };
    let (clock, microsecond) = match clock.split_once('.') {
        None => (clock, 0),
        Some((clock, fraction)) => (clock, number(fraction, 6)?),
    };
    let parts: Vec<_> = clock.split(':').collect();
    let [hour, minute, second] = parts.as_slice() else {
        return None;
    };
    let (hour, minute, second) = (number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(DateTime {
        date,
        hour: hour.try_into().ok()?,
        minute: minute.try_into().ok()?,
        second: second.try_into().ok()?,
        microsecond,
        offset,
    })
}
