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

/// `min(initial * rate ** (attempt - 1), maximum)` seconds; what overflows is the maximum, except that nothing times
/// anything stays nothing.
pub fn exponential_delay(initial: f64, rate: f64, maximum: f64, attempt: i64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "attempts are small numbers")]
    let delay = initial * rate.powf(attempt.saturating_sub(1) as f64);
    // Not a number: an infinite power times nothing.
    if delay.is_nan() {
        initial.min(maximum)
    } else {
        delay.min(maximum)
    }
}

/// `min(initial + increment * (attempt - 1), maximum)` seconds.
pub fn linear_delay(initial: f64, increment: f64, maximum: f64, attempt: i64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "attempts are small numbers")]
    let delay = initial + increment * attempt.saturating_sub(1) as f64;
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn backoff_saturates() {
        assert!(exponential_delay(0.0, 2.0, 60.0, i64::MAX).abs() < f64::EPSILON);
        assert!((exponential_delay(1.0, 1.0, 60.0, i64::MIN) - 1.0).abs() < f64::EPSILON);
        assert!((linear_delay(1.0, 1e300, 300.0, i64::MAX) - 300.0).abs() < f64::EPSILON);
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

    proptest! {
        #[test]
        fn delays_stay_within_their_bounds(
            initial in 0.0_f64..1e6,
            rate in 1.0_f64..10.0,
            increment in 0.0_f64..1e4,
            maximum in 0.0_f64..1e7,
            attempt in 1_i64..2_000,
            random in 0.0_f64..1.0,
        ) {
            for delay in [
                exponential_delay(initial, rate, maximum, attempt),
                linear_delay(initial, increment, maximum, attempt),
            ] {
                prop_assert!((0.0..=maximum).contains(&delay));
                prop_assert!(Jitter::None.apply(delay, random).to_bits() == delay.to_bits());
                prop_assert!((0.0..=delay).contains(&Jitter::Full.apply(delay, random)));
                let half = Jitter::Half.apply(delay, random);
                prop_assert!(half >= delay / 2.0 && half <= delay);
                let whole = finalized(delay);
                prop_assert!(whole >= 1);
                #[allow(clippy::cast_precision_loss, reason = "at most ten million")]
                let whole = whole as f64;
                prop_assert!(whole >= delay && whole < delay.max(1.0) + 1.0);
            }
        }

        #[test]
        fn later_attempts_wait_no_less(
            initial in 0.0_f64..1e6,
            rate in 1.0_f64..10.0,
            maximum in 0.0_f64..1e7,
            attempt in 1_i64..2_000,
        ) {
            let delay = |attempt| exponential_delay(initial, rate, maximum, attempt);
            prop_assert!(delay(attempt) <= delay(attempt + 1));
        }
    }
}
