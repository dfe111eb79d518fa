//! What a node can carry, measured by itself: it says less than its operator once packets wait in
//! front of most of its links, and more again after a while without.
//!
//! ```text
//!              packets wait in front of most links for half a window
//! [as the operator says] ─────────────────────────────────────────► [as measured]
//!          ▲                                                          │     ▲
//!          └──── after some quiet windows half as much again ─────────┴─────┘
//! ```

use wire::Timestamp;

/// How long one measurement takes, ms.
const WINDOW_MS: u64 = 30_000;
/// Windows in which nothing waited, before more is tried.
const QUIET: u32 = 20;

/// A node's declared capacity, packets per second.
#[derive(Debug, Clone, Copy)]
pub struct Capacity {
    /// What the operator says: never more than this.
    most: u32,
    says: u32,
    since: Timestamp,
    sent: u64,
    samples: u32,
    crowded: u32,
    quiet: u32,
}

impl Capacity {
    /// As the operator says; `sent` packets have left so far.
    #[must_use]
    pub const fn new(now: Timestamp, most: u32, sent: u64) -> Self {
        Capacity { most, says: most, since: now, sent, samples: 0, crowded: 0, quiet: 0 }
    }

    /// What the node says now, packets per second, not zero.
    #[must_use]
    pub const fn says(&self) -> u32 {
        self.says
    }

    /// To be called now and then: how many packets have left over the links that are up, how many
    /// those are, and in front of how many of them packets wait. True when the node says something
    /// else from now on.
    ///
    /// One link in front of which packets wait is its peer's fault; most of them, our own line's.
    pub fn sample(&mut self, now: Timestamp, sent: u64, links: usize, waiting: usize) -> bool {
        self.samples = self.samples.saturating_add(1);
        if waiting.saturating_mul(2) > links {
            self.crowded = self.crowded.saturating_add(1);
        }
        let ms = now.millis_since(self.since);
        if sent < self.sent {
            // A link is gone, and its count with it.
            *self = Capacity { since: now, sent, samples: 0, crowded: 0, ..*self };
            return false;
        }
        if ms < WINDOW_MS {
            return false;
        }
        let crowded = self.crowded.saturating_mul(2) > self.samples;
        let carried = sent.saturating_sub(self.sent).saturating_mul(1_000).checked_div(ms);
        let before = self.says;
        if crowded {
            self.quiet = 0;
            let carried = u32::try_from(carried.unwrap_or(0)).unwrap_or(u32::MAX);
            self.says = carried.clamp(1, self.says);
        } else {
            self.quiet = self.quiet.saturating_add(1);
            if self.quiet >= QUIET {
                self.quiet = 0;
                let more = self.says.saturating_add(self.says.div_ceil(2));
                self.says = more.min(self.most);
            }
        }
        (self.since, self.sent, self.samples, self.crowded) = (now, sent, 0, 0);
        self.says != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_000_000);

    /// A node whose line carries so many packets a second, and that is given so many.
    struct Line {
        capacity: Capacity,
        now: Timestamp,
        sent: u64,
        waiting: u64,
    }

    impl Line {
        fn new(most: u32) -> Self {
            Line { capacity: Capacity::new(START, most, 0), now: START, sent: 0, waiting: 0 }
        }

        /// Says how often the node said something else.
        fn runs(&mut self, seconds: u64, carries: u64, given: u64) -> usize {
            let mut changes = 0;
            for _ in 0..seconds {
                let leaves = carries.min(self.waiting + given);
                self.sent += leaves;
                self.waiting = (self.waiting + given - leaves).min(1_000);
                self.now = self.now.plus_millis(1_000);
                let waiting = if self.waiting > 0 { 4 } else { 0 };
                changes += usize::from(self.capacity.sample(self.now, self.sent, 4, waiting));
            }
            changes
        }
    }

    //= PATH-009
    #[test]
    fn a_node_on_a_slow_line_says_what_it_carries_and_seldom_something_else() {
        let mut line = Line::new(1_000);
        assert_eq!(line.runs(120, 2, 50), 1);
        assert_eq!(line.capacity.says(), 2);
        // Clients follow, and give it its share: it tries a little more, an hour long.
        let changes = line.runs(3_600, 2, 1);
        assert!(changes <= 6, "{changes}");
        // The line is fast again.
        line.runs(6 * 3_600, 10_000, 1);
        assert_eq!(line.capacity.says(), 1_000);
    }

    #[test]
    fn neither_a_short_crowd_nor_one_peer_that_hangs_changes_anything() {
        let mut line = Line::new(1_000);
        assert_eq!(line.runs(8, 10, 20), 0);
        assert_eq!(line.runs(600, 10_000, 100), 0);
        let mut capacity = Capacity::new(START, 1_000, 0);
        for n in 1..600 {
            assert!(!capacity.sample(START.plus_millis(n * 1_000), n * 10, 4, 1));
        }
        // A node without links says nothing about its line.
        for n in 600..1_200 {
            assert!(!capacity.sample(START.plus_millis(n * 1_000), 6_000, 0, 0));
        }
        assert_eq!(capacity.says(), 1_000);
    }
}
