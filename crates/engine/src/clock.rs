//! The clocks of this machine.

use std::time::{SystemTime, UNIX_EPOCH};

use messenger::local::Reading;
use rustix::time::{ClockId, clock_gettime};
use wire::Timestamp;

/// Counts sleep, unlike the clock of `std::time::Instant` on Linux.
#[cfg(any(target_os = "linux", target_os = "android"))]
const BOOT: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const BOOT: ClockId = ClockId::Monotonic;

/// What they show now.
pub(crate) fn read() -> Reading {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
    let wall = Timestamp::from_millis(u64::try_from(wall).unwrap_or(u64::MAX));
    Reading { wall, boot: boot_ms() }
}

/// Milliseconds since the machine was started, sleep included.
pub(crate) fn boot_ms() -> u64 {
    let since = clock_gettime(BOOT);
    let part = |n: i64, per_ms: u64, times: u64| {
        u64::try_from(n).unwrap_or(0).saturating_mul(times) / per_ms
    };
    part(since.tv_sec, 1, 1_000).saturating_add(part(since.tv_nsec, 1_000_000, 1))
}
