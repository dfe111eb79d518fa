//! Local time: by it messages disappear (`docs/spec/deletion.md`).
//!
//! Nobody but this device sets it: no document, no hub, no other member. While a profile runs, it
//! goes on with a clock that counts from the start of the machine, also while that sleeps, and that
//! nobody can turn. While the profile does not run, only the wall clock can say how long that was;
//! it is asked once, at the start.
//!
//! ```text
//!          start            running               not running            start
//! wall  ────●──────────────────────────────●╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌●─────►
//! local     └─► goes on with the boot clock ─► Anchor ─► + what the wall ──┴─► goes on
//!                                                        clock says, never less than nothing
//! ```

use wire::Timestamp;

/// An anchor is kept again after this long, in milliseconds: it bounds what a wall clock that is
/// turned back between a kill and the next start can add.
pub const KEEP_MS: u64 = 600_000;
/// A wall clock that differs by more than this from where it should be was turned, in milliseconds.
const TURNED_MS: u64 = 2_000;

/// What the clocks of the machine show at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The wall clock, which anyone may turn.
    pub wall: Timestamp,
    /// Milliseconds by a clock that never goes back and counts sleep.
    pub boot: u64,
}

/// What is kept for the next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// Local time when it was kept.
    pub local: Timestamp,
    /// What the wall clock showed then.
    pub wall: Timestamp,
}

/// The clock of one run.
#[derive(Debug, Clone, Copy)]
pub struct LocalClock {
    base: Timestamp,
    boot: u64,
    /// What was kept last, and when by the boot clock.
    kept: Option<(Anchor, u64)>,
}

impl LocalClock {
    /// Goes on where the last run stopped. Without an anchor local time begins with the wall clock.
    #[must_use]
    pub fn start(kept: Option<Anchor>, at: Reading) -> Self {
        let base = kept
            .map_or(at.wall, |anchor| anchor.local.plus_millis(at.wall.millis_since(anchor.wall)));
        LocalClock { base, boot: at.boot, kept: None }
    }

    /// Local time now.
    #[must_use]
    pub fn now(&self, boot: u64) -> Timestamp {
        self.base.plus_millis(boot.saturating_sub(self.boot))
    }

    /// What to keep now; `None` while what is kept still serves.
    pub fn anchor_due(&mut self, at: Reading) -> Option<Anchor> {
        let anchor = Anchor { local: self.now(at.boot), wall: at.wall };
        let serves = self.kept.is_some_and(|(kept, boot)| {
            let passed = at.boot.saturating_sub(boot);
            let expected = kept.wall.plus_millis(passed);
            let turned = at.wall.millis_since(expected).max(expected.millis_since(at.wall));
            passed < KEEP_MS && turned <= TURNED_MS
        });
        if serves {
            return None;
        }
        self.kept = Some((anchor, at.boot));
        Some(anchor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const YEAR_MS: u64 = 365 * 86_400_000;

    /// What can happen to a machine.
    #[derive(Debug, Clone, Copy)]
    enum Happening {
        /// It runs or sleeps; with a look at the clocks at the end.
        Passes(u64),
        /// Somebody turns the wall clock to this time.
        Turned(u64),
        /// A document says some time or other. There is no way in for it: the engine's tests say
        /// so.
        Document,
        /// The profile is closed in order, and started after so long, perhaps after another boot.
        Closed(u64, bool),
        /// It is killed, and started after so long.
        Killed(u64, bool),
    }

    fn happening() -> impl Strategy<Value = Happening> {
        prop_oneof![
            4 => (0..3 * KEEP_MS).prop_map(Happening::Passes),
            2 => (0..40 * YEAR_MS).prop_map(Happening::Turned),
            1 => Just(Happening::Document),
            1 => (0..YEAR_MS, any::<bool>()).prop_map(|(ms, b)| Happening::Closed(ms, b)),
            1 => (0..YEAR_MS, any::<bool>()).prop_map(|(ms, b)| Happening::Killed(ms, b)),
        ]
    }

    /// A machine whose profile looks at the clocks at least once a minute.
    struct Machine {
        truth: u64,
        wall: u64,
        boot: u64,
        clock: LocalClock,
        kept: Option<Anchor>,
        down: u64,
        kills: u64,
        /// How far ahead the wall clock has been turned, in all.
        ahead: u64,
    }

    impl Machine {
        fn new() -> Self {
            let at = Reading { wall: Timestamp::from_millis(20 * YEAR_MS), boot: 5 };
            let mut machine = Machine {
                truth: 0,
                wall: 20 * YEAR_MS,
                boot: 5,
                clock: LocalClock::start(None, at),
                kept: None,
                down: 0,
                kills: 0,
                ahead: 0,
            };
            machine.look();
            machine
        }

        fn reading(&self) -> Reading {
            Reading { wall: Timestamp::from_millis(self.wall), boot: self.boot }
        }

        fn local(&self) -> u64 {
            self.clock.now(self.boot).as_millis() - 20 * YEAR_MS
        }

        fn look(&mut self) {
            if let Some(anchor) = self.clock.anchor_due(self.reading()) {
                self.kept = Some(anchor);
            }
        }

        fn passes(&mut self, ms: u64) {
            self.truth += ms;
            self.wall += ms;
            self.boot += ms;
        }

        fn start(&mut self, down: u64, reboot: bool) {
            self.passes(down);
            self.down += down;
            if reboot {
                self.boot = 1;
            }
            self.clock = LocalClock::start(self.kept, self.reading());
            self.look();
        }

        fn happens(&mut self, what: Happening) {
            match what {
                Happening::Passes(ms) => {
                    let mut left = ms;
                    while left > 0 {
                        let some = left.min(60_000);
                        self.passes(some);
                        self.look();
                        left -= some;
                    }
                }
                Happening::Turned(to) => {
                    self.ahead += to.saturating_sub(self.wall);
                    self.wall = to;
                }
                Happening::Document => {}
                Happening::Closed(down, reboot) => {
                    let at = self.reading();
                    self.kept = Some(Anchor { local: self.clock.now(at.boot), wall: at.wall });
                    self.start(down, reboot);
                }
                Happening::Killed(down, reboot) => {
                    self.kills += 1;
                    self.start(down, reboot);
                }
            }
        }
    }

    proptest! {
        //= GONE-001
        #[test]
        fn while_it_runs_local_time_passes_as_time_does(
            all in proptest::collection::vec(happening(), 0..40),
        ) {
            let mut machine = Machine::new();
            for what in all {
                let (truth, local) = (machine.truth, machine.local());
                let down = matches!(what, Happening::Closed(..) | Happening::Killed(..));
                machine.happens(what);
                prop_assert!(machine.local() >= local || down);
                if !down {
                    prop_assert_eq!(machine.local() - local, machine.truth - truth);
                }
            }
        }

        //= GONE-002
        #[test]
        fn nothing_stays_longer_than_the_profile_was_down(
            all in proptest::collection::vec(happening(), 0..40),
        ) {
            let mut machine = Machine::new();
            all.into_iter().for_each(|what| machine.happens(what));
            let late = machine.truth.saturating_sub(machine.local());
            prop_assert!(late <= machine.down + machine.kills * KEEP_MS, "{late}");
            // And nothing goes early but by what somebody has turned the wall clock ahead.
            let early = machine.local().saturating_sub(machine.truth);
            prop_assert!(early <= machine.ahead, "{early}");
        }

        //= GONE-002
        #[test]
        fn with_an_honest_wall_clock_a_restart_changes_nothing(
            all in proptest::collection::vec(happening(), 0..40),
        ) {
            let mut machine = Machine::new();
            let honest = |what: &Happening| !matches!(what, Happening::Turned(_));
            all.into_iter().filter(honest).for_each(|what| machine.happens(what));
            prop_assert_eq!(machine.local(), machine.truth);
        }
    }

    //= GONE-002
    #[test]
    fn a_wall_clock_that_was_turned_while_it_ran_counts_for_nothing_at_the_next_start() {
        let mut machine = Machine::new();
        machine.happens(Happening::Passes(120_000));
        for to in [1, 39 * YEAR_MS] {
            machine.happens(Happening::Turned(to));
            machine.happens(Happening::Passes(60_000));
            machine.happens(Happening::Killed(1_000, true));
        }
        assert_eq!(machine.local(), machine.truth);
    }
}
