//! Days and moments in the one form that `isoformat` writes.

use super::scan::word;

/// A day of the proleptic Gregorian calendar, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// 1 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

/// A moment, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// The day.
    pub date: Date,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 999,999.
    pub microsecond: u32,
    /// Minutes east of UTC, less than a day; none for a moment without a zone.
    pub offset: Option<i16>,
}

/// Read `YYYY-MM-DD`.
pub fn date(text: &[u8]) -> Option<Date> {
    if text.len() == 10 {
        date_prefix(text)
    } else {
        None
    }
}

/// Read `YYYY-MM-DDTHH:MM:SS`, an optional fraction of six digits, and an optional zone `Z` or `+HH:MM`.
pub fn datetime(text: &[u8]) -> Option<DateTime> {
    let date = date_prefix(text)?;
    let clock = word(text, 11)?;
    if text[10] != b'T' || text[13] != b':' || text[16] != b':' {
        return None;
    }
    // Positions 11, 12 . 14, 15 . 17, 18 of the text.
    let [h1, h2, _, m1, m2, _, s1, s2] = clock.to_le_bytes();
    let (hour, minute, second) = (pair(h1, h2)?, pair(m1, m2)?, pair(s1, s2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (mut microsecond, mut rest) = (0, &text[19..]);
    if let [b'.', digits @ ..] = rest {
        let (digits, zone) = digits.split_at_checked(6)?;
        for digit in digits {
            microsecond = microsecond * 10 + u32::from(decimal(*digit)?);
        }
        rest = zone;
    }
    let offset = match *rest {
        [] => None,
        [b'Z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (pair(h1, h2)?, pair(m1, m2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let total = i16::from(hours) * 60 + i16::from(minutes);
            Some(if sign == b'-' { -total } else { total })
        }
        _ => return None,
    };
    Some(DateTime {
        date,
        hour,
        minute,
        second,
        microsecond,
        offset,
    })
}

fn date_prefix(text: &[u8]) -> Option<Date> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.first_chunk::<10>()? else {
        return None;
    };
    let year = u16::from(pair(y1, y2)?) * 100 + u16::from(pair(y3, y4)?);
    let (month, day) = (pair(m1, m2)?, pair(d1, d2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u8::from(leap),
        _ => return None,
    };
    (year >= 1 && (1..=days).contains(&day)).then_some(Date { year, month, day })
}

#[inline]
fn pair(tens: u8, ones: u8) -> Option<u8> {
    Some(decimal(tens)? * 10 + decimal(ones)?)
}

#[inline]
fn decimal(byte: u8) -> Option<u8> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some(digit)
}
