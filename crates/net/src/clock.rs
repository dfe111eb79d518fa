//! Time as protocols count it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wire::Timestamp;

/// A clock that never goes back: the system's time at the start, plus what a monotonic clock
/// counted since.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    base: Timestamp,
    started: Instant,
}

impl Clock {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
        Clock { base: Timestamp::from_millis(unix), started: Instant::now() }
    }

    /// The time, ms.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.base.plus_millis(elapsed)
    }

    /// The instant at which this clock shows `at`.
    #[must_use]
    pub fn instant(&self, at: Timestamp) -> tokio::time::Instant {
        let wait = Duration::from_millis(at.millis_since(self.base).min(1 << 40));
        tokio::time::Instant::from_std(self.started + wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_instant_is_when_the_clock_shows_that_time() {
        let clock = Clock::start();
        let at = clock.now().plus_millis(20);
        assert!(clock.now() < at);
        tokio::time::sleep_until(clock.instant(at)).await;
        assert!(clock.now() >= at);
    }
}
