//! Backoff and jitter, with the arithmetic of Python floats.

/// How a computed delay is randomised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// Unchanged.
    None,
    /// Between half of it and all of it.
    Half,
    /// Between nothing and all of it.
    Full,
}

impl Jitter {
    /// By the name it has in configuration.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "NONE" => Some(Self::None),
            "HALF" => Some(Self::Half),
            "FULL" => Some(Self::Full),
            _ => None,
        }
    }

    /// The delay with a random number from [0, 1) worked in.
    pub fn apply(self, delay: f64, random: f64) -> f64 {
        match self {
            Self::None => delay,
            Self::Half => delay / 2.0 + random * (delay / 2.0),
            Self::Full => random * delay,
        }
    }
}

/// `min(initial * rate ** (attempt - 1), maximum)` seconds; what overflows is the maximum.
pub fn exponential_delay(initial: f64, rate: f64, maximum: f64, attempt: i64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "attempts are small numbers")]
    let delay = initial * rate.powf((attempt - 1) as f64);
    if delay.is_nan() {
        maximum
    } else {
        delay.min(maximum)
    }
}

/// `min(initial + increment * (attempt - 1), maximum)` seconds.
pub fn linear_delay(initial: f64, increment: f64, maximum: f64, attempt: i64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "attempts are small numbers")]
    let delay = initial + increment * (attempt - 1) as f64;
    delay.min(maximum)
}

/// Whole seconds: rounded up, at least 1.
#[allow(
    clippy::cast_possible_truncation,
    reason = "delays are bounded by their maximum; the cast saturates"
)]
pub fn finalized(delay: f64) -> i64 {
    (delay.ceil() as i64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_saturates() {
        assert!((exponential_delay(5.0, 2.0, 60.0, 3) - 20.0).abs() < f64::EPSILON);
        assert!((exponential_delay(5.0, 2.0, 60.0, 100_000) - 60.0).abs() < f64::EPSILON);
        assert!((linear_delay(1.0, 1.0, 300.0, 5) - 5.0).abs() < f64::EPSILON);
    }

    #[test]
    fn delays_are_whole_and_positive() {
        assert_eq!(finalized(0.0), 1);
        assert_eq!(finalized(1.2), 2);
        assert_eq!(finalized(Jitter::Half.apply(10.0, 0.0)), 5);
    }
}
