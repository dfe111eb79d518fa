//! Settings of a room, chosen by its owner.

use minicbor::{Decode, Encode};

use crate::Error;

/// Default length of an hour, seconds.
pub(crate) const DEFAULT_HOUR_S: u32 = 3_600;
/// Longest hour, seconds.
pub(crate) const MAX_HOUR_S: u32 = 86_400;
/// Most lanes of a door.
pub(crate) const MAX_LANES: u8 = 64;
/// Most bits of proof of work; 24 take about 16 million hashes.
pub(crate) const MAX_POW_BITS: u8 = 24;

/// Length of an hour, number of lanes and proof of work, each within its range (`ROOM-002`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct RoomSettings {
    #[n(0)]
    hour_s: u32,
    #[n(1)]
    lanes: u8,
    #[n(2)]
    pow_bits: u8,
}

impl RoomSettings {
    /// Keys ratchet every `hour_s` seconds (1..=86,400), doors have `lanes` lanes (1..=64), and
    /// announcements need `pow_bits` bits of work (0..=24).
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn new(hour_s: u32, lanes: u8, pow_bits: u8) -> Result<Self, Error> {
        let settings = Self { hour_s, lanes, pow_bits };
        settings.check()?;
        Ok(settings)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if !(1..=MAX_HOUR_S).contains(&self.hour_s) {
            return Err(Error::OutOfRange("hour length"));
        }
        if !(1..=MAX_LANES).contains(&self.lanes) {
            return Err(Error::OutOfRange("number of lanes"));
        }
        if self.pow_bits > MAX_POW_BITS {
            return Err(Error::OutOfRange("proof of work"));
        }
        Ok(())
    }

    /// Length of an hour, ms.
    #[must_use]
    pub fn hour_ms(&self) -> u64 {
        u64::from(self.hour_s).saturating_mul(1_000)
    }

    /// Length of an hour, seconds.
    #[must_use]
    pub(crate) const fn hour_s(&self) -> u32 {
        self.hour_s
    }

    /// Number of lanes, 1..=64.
    #[must_use]
    pub const fn lanes(&self) -> u8 {
        self.lanes
    }

    /// Bits of work that an announcement needs, 0..=24.
    #[must_use]
    pub(crate) const fn pow_bits(&self) -> u8 {
        self.pow_bits
    }
}

impl Default for RoomSettings {
    /// An hour of 3,600 s, one lane, 12 bits of work.
    fn default() -> Self {
        Self { hour_s: DEFAULT_HOUR_S, lanes: 1, pow_bits: 12 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= ROOM-002
    #[test]
    fn only_values_in_range() {
        for (hour, lanes, bits) in [(0, 1, 0), (86_401, 1, 0), (1, 0, 0), (1, 65, 0), (1, 1, 25)] {
            assert!(RoomSettings::new(hour, lanes, bits).is_err());
        }
        for (hour, lanes, bits) in [(1, 1, 0), (86_400, 64, 24)] {
            assert!(RoomSettings::new(hour, lanes, bits).is_ok());
        }
        assert_eq!(RoomSettings::default().hour_ms(), 3_600_000);
    }
}
