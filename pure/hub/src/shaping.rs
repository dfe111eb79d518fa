//! Traffic shaping on a direct link, at both ends: when boxes leave, and when dummies do.
//!
//! The onion route does not need it: its packets have one size, and it has its own cover traffic.

use std::collections::VecDeque;

use rand_core::CryptoRng;
use streams::{BoxClass, Sizes};
use wire::Timestamp;

/// Number of recent boxes from which dummies take their classes.
const RECENT: usize = 32;

/// A range of times to draw from, ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    min_ms: u64,
    max_ms: u64,
}

impl Span {
    /// From the shortest to the longest time, ms. `None` unless `min_ms <= max_ms` and `max_ms >
    /// 0`.
    #[must_use]
    pub const fn new(min_ms: u64, max_ms: u64) -> Option<Span> {
        if min_ms <= max_ms && max_ms > 0 { Some(Span { min_ms, max_ms }) } else { None }
    }

    /// Draws a time within the span, uniformly, ms.
    pub(crate) fn draw<R: CryptoRng + ?Sized>(self, rng: &mut R) -> u64 {
        let width = self.max_ms.saturating_sub(self.min_ms).saturating_add(1);
        self.min_ms.saturating_add(below(width, rng))
    }
}

/// A uniform number below `n`.
fn below<R: CryptoRng + ?Sized>(n: u64, rng: &mut R) -> u64 {
    let n = n.max(1);
    // Rejection sampling: a plain remainder would make small numbers likelier.
    let even = u64::MAX.checked_rem(n).map_or(u64::MAX, |rest| u64::MAX.saturating_sub(rest));
    loop {
        let drawn = rng.next_u64();
        if drawn < even {
            return drawn.checked_rem(n).unwrap_or(0);
        }
    }
}

/// A queue of boxes that wait to leave, in order (`SHAPE-002`). Each waits a random time, counted
/// from its arrival or from the departure of the one before, whichever is later. So no two leave
/// closer together than the span's shortest time.
///
/// It has no bound of its own: the owner's outbox has one.
#[derive(Debug)]
pub struct Departures<K> {
    delay: Option<Span>,
    waiting: VecDeque<K>,
    due: Timestamp,
}

impl<K> Departures<K> {
    /// A queue with this delay. With `None`, everything leaves at once.
    #[must_use]
    pub const fn new(delay: Option<Span>) -> Self {
        Departures { delay, waiting: VecDeque::new(), due: Timestamp::ZERO }
    }

    /// Adds a box.
    pub fn push<R: CryptoRng + ?Sized>(&mut self, now: Timestamp, key: K, rng: &mut R) {
        if self.waiting.is_empty() {
            self.draw(now, rng);
        }
        self.waiting.push_back(key);
    }

    /// Removes the next box that is due.
    pub fn pop<R: CryptoRng + ?Sized>(&mut self, now: Timestamp, rng: &mut R) -> Option<K> {
        if now < self.due {
            return None;
        }
        let key = self.waiting.pop_front()?;
        self.draw(now, rng);
        Some(key)
    }

    /// Drops boxes that need not leave any more.
    pub fn retain(&mut self, keep: impl FnMut(&K) -> bool) {
        self.waiting.retain(keep);
    }

    /// When the next box is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        (!self.waiting.is_empty()).then_some(self.due)
    }

    fn draw<R: CryptoRng + ?Sized>(&mut self, now: Timestamp, rng: &mut R) {
        self.due = self.delay.map_or(now, |span| now.plus_millis(span.draw(rng)));
    }
}

/// The timer of dummies: one is due after a random time without a box (`SHAPE-003`, `SHAPE-005`).
#[derive(Debug, Clone, Copy)]
pub struct Idle {
    span: Option<Span>,
    due: Option<Timestamp>,
}

impl Idle {
    /// A stopped timer. Without a span it never runs.
    #[must_use]
    pub const fn new(span: Option<Span>) -> Self {
        Idle { span, due: None }
    }

    /// Starts the timer again: a box has left, or the link came up.
    pub fn restart<R: CryptoRng + ?Sized>(&mut self, now: Timestamp, rng: &mut R) {
        self.due = self.span.map(|span| now.plus_millis(span.draw(rng)));
    }

    /// Stops the timer: the link is gone.
    pub fn stop(&mut self) {
        self.due = None;
    }

    /// When a dummy is due.
    #[must_use]
    pub const fn deadline(&self) -> Option<Timestamp> {
        self.due
    }

    /// Whether a dummy is due now. If so, starts the timer again.
    pub fn pop<R: CryptoRng + ?Sized>(&mut self, now: Timestamp, rng: &mut R) -> bool {
        let due = self.due.is_some_and(|due| due <= now);
        if due {
            self.restart(now, rng);
        }
        due
    }
}

/// The classes of the last boxes. Dummies take their class from them, so that both have the same
/// distribution of sizes (`SHAPE-004`).
#[derive(Debug, Clone, Copy)]
pub struct Recent {
    classes: [BoxClass; RECENT],
    next: usize,
}

impl Recent {
    /// What to assume before the first box: all standard, or, where several sizes are in use, half
    /// small, a quarter medium, an eighth standard and an eighth large, since most messages are
    /// short.
    #[must_use]
    pub fn new(sizes: Sizes) -> Self {
        let ladder = |n: usize| match n {
            0..16 => BoxClass::Small,
            16..24 => BoxClass::Medium,
            24..28 => BoxClass::Standard,
            _ => BoxClass::Large,
        };
        let class = |n| if sizes == Sizes::Ladder { ladder(n) } else { BoxClass::Standard };
        Recent { classes: std::array::from_fn(class), next: 0 }
    }

    /// Notes that a box of this length was sent. Tombstones and bulk boxes do not count.
    pub fn note(&mut self, ciphertext: usize) {
        let class = BoxClass::of(ciphertext).filter(|c| BoxClass::LADDER.contains(c));
        if let (Some(class), Some(place)) = (class, self.classes.get_mut(self.next)) {
            *place = class;
            self.next = self.next.saturating_add(1).checked_rem(RECENT).unwrap_or(0);
        }
    }

    /// Draws the class of a dummy.
    pub fn draw<R: CryptoRng + ?Sized>(&self, rng: &mut R) -> BoxClass {
        let drawn = below(u64::try_from(RECENT).unwrap_or(1), rng);
        let drawn = usize::try_from(drawn).unwrap_or(0);
        self.classes.get(drawn).copied().unwrap_or(BoxClass::Standard)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn half_to_three() -> Span {
        Span::new(500, 3_000).unwrap()
    }

    /// How far `draws` are from uniform over the span (Kolmogorov-Smirnov), times the root of their
    /// number. For uniform draws it exceeds 1.95 once in a thousand samples.
    fn distance(mut draws: Vec<u64>, span: Span) -> f64 {
        draws.sort_unstable();
        let n = draws.len() as f64;
        let width = (span.max_ms - span.min_ms + 1) as f64;
        let far = |(i, d): (usize, &u64)| {
            ((i as f64 + 0.5) / n - ((d - span.min_ms) as f64 + 0.5) / width).abs()
        };
        draws.iter().enumerate().map(far).fold(0.0, f64::max) * n.sqrt()
    }

    //= SHAPE-002
    #[test]
    fn a_burst_leaves_in_order_at_uniform_distances_within_the_span() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let mut departures = Departures::new(Some(half_to_three()));
        for n in 0..10_000 {
            departures.push(at(0), n, &mut rng);
        }
        let (mut now, mut gaps) = (0, Vec::new());
        for n in 0..10_000 {
            let due = departures.deadline().unwrap().as_millis();
            assert_eq!(departures.pop(at(due - 1), &mut rng), None, "not a ms too early");
            assert_eq!(departures.pop(at(due), &mut rng), Some(n));
            gaps.push(due - now);
            now = due;
        }
        assert!(departures.deadline().is_none());
        assert!(gaps.iter().all(|gap| (500..=3_000).contains(gap)));
        let distance = distance(gaps, half_to_three());
        assert!(distance < 1.95, "{distance}");
    }

    #[test]
    fn the_distance_tells_what_is_not_uniform() {
        let mut rng = ChaCha20Rng::seed_from_u64(4);
        let span = half_to_three();
        let biased = (0..10_000)
            .map(|_| span.draw(&mut rng).min(span.draw(&mut rng).saturating_add(1_000)))
            .collect();
        assert!(distance(biased, span) > 1.95);
    }

    //= SHAPE-002
    #[test]
    fn whoever_comes_alone_waits_as_well_and_never_closer_than_the_shortest() {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let mut departures = Departures::new(Some(half_to_three()));
        let (mut now, mut last) = (0, None::<u64>);
        for n in 0..3_000u64 {
            now += n % 7 * 400;
            departures.push(at(now), n, &mut rng);
            let due = departures.deadline().unwrap().as_millis();
            assert!((500..=3_000).contains(&(due - now)));
            assert!(last.is_none_or(|last| due - last >= 500));
            assert_eq!(departures.pop(at(due), &mut rng), Some(n));
            (now, last) = (due, Some(due));
        }
    }

    #[test]
    fn without_a_delay_everything_leaves_at_once() {
        let mut rng = ChaCha20Rng::seed_from_u64(6);
        let mut departures = Departures::new(None);
        for n in 0..5 {
            departures.push(at(9), n, &mut rng);
        }
        departures.retain(|n| *n != 2);
        let left: Vec<i32> = std::iter::from_fn(|| departures.pop(at(9), &mut rng)).collect();
        assert_eq!(left, [0, 1, 3, 4]);
    }

    //= SHAPE-003
    #[test]
    fn dummies_come_after_a_uniform_time_and_not_while_boxes_leave() {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let span = Span::new(30_000, 60_000).unwrap();
        let mut idle = Idle::new(Some(span));
        assert!(!idle.pop(at(u64::MAX), &mut rng), "not before the link is there");
        idle.restart(at(0), &mut rng);
        let (mut now, mut gaps) = (0, Vec::new());
        for _ in 0..10_000 {
            let due = idle.deadline().unwrap().as_millis();
            assert!(!idle.pop(at(due - 1), &mut rng));
            assert!(idle.pop(at(due), &mut rng));
            gaps.push(due - now);
            now = due;
        }
        assert!(gaps.iter().all(|gap| (30_000..=60_000).contains(gap)));
        let distance = distance(gaps, span);
        assert!(distance < 1.95, "{distance}");
        for n in 0..1_000 {
            let busy = now + n * 20_000;
            assert!(!idle.pop(at(busy), &mut rng), "a box left 20 s ago");
            idle.restart(at(busy), &mut rng);
        }
        idle.stop();
        assert_eq!(idle.deadline(), None);
        let mut off = Idle::new(None);
        off.restart(at(0), &mut rng);
        assert_eq!(off.deadline(), None);
    }

    //= SHAPE-004
    #[test]
    fn dummies_have_the_sizes_that_boxes_have() {
        let mut rng = ChaCha20Rng::seed_from_u64(8);
        let mut draws = |recent: &Recent| {
            let all: Vec<BoxClass> = (0..1_000).map(|_| recent.draw(&mut rng)).collect();
            BoxClass::LADDER.map(|class| all.iter().filter(|c| **c == class).count())
        };
        assert_eq!(draws(&Recent::new(Sizes::Uniform)), [0, 0, 1_000, 0]);
        let mut recent = Recent::new(Sizes::Ladder);
        assert!(draws(&recent).iter().all(|n| *n > 50));
        for n in 0..64 {
            recent.note(if n % 4 == 0 { 4_096 } else { 512 });
            recent.note(32_768);
            recent.note(0);
        }
        let [small, medium, standard, large] = draws(&recent);
        assert_eq!((medium, standard), (0, 0));
        assert!((680..820).contains(&small) && large == 1_000 - small, "{small}");
    }

    proptest! {
        #[test]
        fn no_draw_leaves_its_span(a in any::<u64>(), b in any::<u64>(), seed in any::<u64>()) {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            if let Some(span) = Span::new(a, b) {
                let drawn = span.draw(&mut rng);
                prop_assert!((a..=b).contains(&drawn));
            } else {
                prop_assert!(a > b || b == 0);
            }
        }
    }
}
