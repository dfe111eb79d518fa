//! Time in the pure crates: milliseconds that the caller read from a clock.

use std::time::Duration;

use minicbor::{Decode, Encode};

/// Milliseconds since the Unix epoch, or since another origin that all parties of a run share.
///
/// Arithmetic saturates: no clock, however wrong, can make it panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Timestamp(#[n(0)] u64);

impl Timestamp {
    /// The origin.
    pub const ZERO: Timestamp = Timestamp(0);
    /// The end of time, for "never".
    pub const MAX: Timestamp = Timestamp(u64::MAX);

    /// Makes a timestamp from milliseconds since the origin.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Timestamp(ms)
    }

    /// Milliseconds since the origin.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// `ms` milliseconds later, at most [`Timestamp::MAX`].
    #[must_use]
    pub const fn plus_millis(self, ms: u64) -> Self {
        Timestamp(self.0.saturating_add(ms))
    }

    /// `ms` milliseconds earlier, at least [`Timestamp::ZERO`].
    #[must_use]
    pub const fn minus_millis(self, ms: u64) -> Self {
        Timestamp(self.0.saturating_sub(ms))
    }

    /// Milliseconds from `earlier` to this instant; zero if `earlier` is later.
    #[must_use]
    pub const fn millis_since(self, earlier: Timestamp) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Time from `earlier` to this instant; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.millis_since(earlier))
    }

    /// Number of whole periods of `period_ms` since the origin. A period of 0 counts as 1 ms.
    #[must_use]
    pub const fn period(self, period_ms: u64) -> u64 {
        let p = if period_ms == 0 { 1 } else { period_ms };
        match self.0.checked_div(p) {
            Some(n) => n,
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_and_periods_count() {
        let t = Timestamp::from_millis(3_700_000);
        assert_eq!(t.period(3_600_000), 1);
        assert_eq!(t.period(0), 3_700_000);
        assert_eq!(Timestamp::ZERO.millis_since(t), 0);
        assert_eq!(Timestamp::MAX.plus_millis(1), Timestamp::MAX);
        assert_eq!(t.minus_millis(u64::MAX), Timestamp::ZERO);
        assert_eq!(t.since(Timestamp::ZERO), Duration::from_millis(3_700_000));
    }
}
