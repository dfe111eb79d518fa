//! When the first consensus comes, and how long the network is steady after it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Time periods of onion services, in voting intervals.
const PERIOD: u64 = 24;

/// When the processes start and the first consensus becomes valid (seconds since 1970), and the
/// voting interval in seconds.
///
/// All start within one second of the clock: the authorities call Stable who has been up for at
/// least the median time, and with one Stable relay alone C tor chooses that one for both ends of
/// its circuits, and none can be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) start: u64,
    pub(crate) first: u64,
    pub(crate) interval: u64,
}

impl Schedule {
    /// The soonest first consensus, `lead` seconds after a start that is yet to come, with at least
    /// `steady` seconds until onion services change their period.
    ///
    /// It has to lie on the grid of the voting interval since midnight: tor takes fresh-until minus
    /// valid-after for the interval, and reckons time periods with it. An interval divides 30
    /// minutes, which tor insists on, and 24 of them are whole minutes (C tor), at least five of
    /// them (Arti).
    pub(crate) fn soonest(now: u64, lead: u64, steady: u64) -> Schedule {
        let intervals = || (60..=600).rev().step_by(5).filter(|i| 1800_u64.is_multiple_of(*i));
        (now + 1..)
            .find_map(|start| {
                let first = start + lead;
                let fits = |i: &u64| {
                    (first % 86_400).is_multiple_of(*i) && until_period(*i, first) >= steady
                };
                intervals().find(fits).map(|interval| Schedule { start, first, interval })
            })
            .unwrap_or(Schedule { start: now, first: now + lead, interval: 600 })
    }

    /// When onion services next move to other directories (seconds since 1970), seen from the first
    /// consensus.
    pub(crate) fn period_ends(&self) -> u64 {
        self.first + until_period(self.interval, self.first)
    }

    /// The length of a time period in minutes.
    pub(crate) fn period_minutes(&self) -> u64 {
        self.interval * PERIOD / 60
    }
}

fn until_period(interval: u64, at: u64) -> u64 {
    PERIOD * interval - (at - PERIOD / 2 * interval) % (PERIOD * interval)
}

pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_soon_lies_on_the_grid_and_lasts() {
        let mut worst = 0;
        let mut sum = 0;
        for minute in 0..1440 {
            let now = 1_790_000_000 + minute * 61;
            let schedule = Schedule::soonest(now, 14, 900);
            assert!(schedule.start > now && schedule.first == schedule.start + 14);
            assert_eq!(schedule.first % 86_400 % schedule.interval, 0);
            assert_eq!((1800 % schedule.interval, schedule.interval * 24 % 60), (0, 0));
            assert!(
                schedule.period_minutes() >= 5 && schedule.period_ends() - schedule.first >= 900
            );
            worst = worst.max(schedule.first - now);
            sum += schedule.first - now;
        }
        assert!(worst <= 120 && sum / 1440 <= 45, "worst {worst} s, mean {} s", sum / 1440);
    }
}
