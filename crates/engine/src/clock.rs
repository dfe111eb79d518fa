//! The clocks of this machine.

use messenger::local::Reading;

/// What they show now.
pub(crate) fn read() -> Reading {
    Reading { wall: net::real_time(), boot: net::boot_ms() }
}
