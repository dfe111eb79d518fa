//! Time as protocols count it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use wire::Timestamp;

/// Counts sleep, unlike the clock of [`std::time::Instant`] on Linux.
#[cfg(any(target_os = "linux", target_os = "android"))]
const BOOT: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const BOOT: ClockId = ClockId::Monotonic;

/// Two clocks in one. [`Clock::now`] never jumps: it shows the system's time at the start, plus
/// what has passed since, sleep included. Waits and time-outs use it. [`Clock::real`] is the
/// system's
/// time, read each time: it may jump either way, when somebody sets the clock. Epochs and documents
/// use it.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    base: Timestamp,
    started: u64,
}

impl Clock {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Clock { base: real_time(), started: boot_ms() }
    }

    /// The time, ms, as if nobody had ever set the system's clock since the start.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.base.plus_millis(boot_ms().saturating_sub(self.started))
    }

    /// The system's time now, ms since 1970.
    #[must_use]
    pub fn real(&self) -> Timestamp {
        real_time()
    }

    /// The instant at which [`Clock::now`] shows `at`, if the machine does not sleep until then.
    #[must_use]
    pub fn instant(&self, at: Timestamp) -> tokio::time::Instant {
        let wait = Duration::from_millis(at.millis_since(self.now()).min(1 << 40));
        tokio::time::Instant::now() + wait
    }
}

/// The system's time, ms since 1970: what somebody has set.
#[must_use]
pub fn real_time() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::from_millis(since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)))
}

/// Milliseconds since the machine was started, sleep included.
#[must_use]
pub fn boot_ms() -> u64 {
    let since = clock_gettime(BOOT);
    let seconds = u64::try_from(since.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(since.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000).saturating_add(nanos / 1_000_000)
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
