//! How long to wait before trying again.

use std::time::Duration;

use rand::{Rng, RngExt as _};

/// Exponential back-off with jitter over the whole range, so that many clients do not come back at
/// the same moment.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    ceiling: Duration,
}

impl Backoff {
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        Backoff { min, max: max.max(min), ceiling: min }
    }

    pub(crate) fn reset(&mut self) {
        self.ceiling = self.min;
    }

    /// A random time between the minimum and a ceiling that doubles with each call.
    pub(crate) fn next(&mut self, rng: &mut impl Rng) -> Duration {
        self.ceiling = self.ceiling.saturating_mul(2).min(self.max);
        let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(
            rng.random_range(millis(self.min)..=millis(self.ceiling).max(millis(self.min))),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= LINK-011
    #[test]
    fn grows_to_its_bound_with_jitter_and_resets() {
        let mut rng = rand::rng();
        let (min, max) = (Duration::from_millis(100), Duration::from_secs(30));
        let mut backoff = Backoff::new(min, max);
        assert!(backoff.next(&mut rng) <= 2 * min);
        let waits: Vec<_> = (0..200).map(|_| backoff.next(&mut rng)).collect();
        assert!(waits.iter().all(|w| (min..=max).contains(w)));
        assert!(waits.iter().any(|w| *w > max / 2) && waits.iter().skip(20).any(|w| *w < max / 2));
        backoff.reset();
        assert!(backoff.next(&mut rng) <= 2 * min);
    }
}
