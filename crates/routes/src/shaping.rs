//! Shaping of the traffic on routes without relays: sizes of boxes, random delays, dummies.

use hub::shaping::{Departures, Idle, Recent, Span};
use mix::directory::VerifiedDocument;
use net::Clock;
use streams::{BoxClass, LARGE_CIPHERTEXT_LEN, Sizes};
use wire::RequestId;

/// Id and signature of a box, bytes.
const BOX_OVERHEAD: usize = 96;

/// How a person wants the traffic shaped. The default is not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shaping {
    /// The boxes that messages are sealed into.
    pub sizes: Sizes,
    /// How long a box waits before it leaves.
    pub send_delay: Option<Span>,
    /// After which idle time a dummy leaves.
    pub dummies: Option<Span>,
}

impl Shaping {
    /// The sizes that this network allows: where a large box fits no reply packet, readers on the
    /// onion route would never get it.
    pub(crate) fn sizes_in(self, document: Option<&VerifiedDocument>) -> Sizes {
        let geometry = document.and_then(|d| mix::geometry::to_sphinx(&d.geometry).ok());
        let room = geometry.map_or(0, |g| mix::geometry::reply_room(&g));
        if room >= LARGE_CIPHERTEXT_LEN + BOX_OVERHEAD { self.sizes } else { Sizes::Uniform }
    }
}

/// What is to be done now.
pub(crate) enum Due {
    /// This put leaves.
    Put(RequestId),
    /// A dummy of this class leaves.
    Dummy(BoxClass),
}

/// Decides when puts and dummies of one link leave. While the link is down nothing does.
pub(crate) struct Shaper {
    shaping: Shaping,
    clock: Clock,
    departures: Departures<RequestId>,
    idle: Idle,
    recent: Recent,
    up: bool,
}

impl Shaper {
    pub(crate) fn new(shaping: Shaping) -> Self {
        Shaper {
            shaping,
            clock: Clock::start(),
            departures: Departures::new(shaping.send_delay),
            idle: Idle::new(shaping.dummies),
            recent: Recent::new(shaping.sizes),
            up: false,
        }
    }

    pub(crate) fn shaping(&self) -> Shaping {
        self.shaping
    }

    /// Whether puts wait at all.
    pub(crate) fn delays(&self) -> bool {
        self.shaping.send_delay.is_some()
    }

    /// Takes a put; [`Shaper::next`] says when it leaves.
    pub(crate) fn push(&mut self, put: RequestId) {
        self.departures.push(self.clock.now(), put, &mut rand::rng());
    }

    /// A box of this length has left.
    pub(crate) fn left(&mut self, ciphertext: usize) {
        self.recent.note(ciphertext);
        self.idle.restart(self.clock.now(), &mut rand::rng());
    }

    /// The link is there: whatever is to leave is pushed again.
    pub(crate) fn link_up(&mut self) {
        self.up = true;
        self.departures.retain(|_| false);
        self.idle.restart(self.clock.now(), &mut rand::rng());
    }

    /// The link is gone.
    pub(crate) fn link_down(&mut self) {
        self.up = false;
        self.departures.retain(|_| false);
        self.idle.stop();
    }

    /// Waits until something leaves. Safe to drop while it waits.
    pub(crate) async fn next(&mut self) -> Due {
        if !self.up {
            return std::future::pending().await;
        }
        loop {
            let now = self.clock.now();
            if let Some(put) = self.departures.pop(now, &mut rand::rng()) {
                return Due::Put(put);
            }
            // A dummy beside a waiting box would be a waste, and closer to it than two boxes may
            // be.
            let due = if let Some(due) = self.departures.deadline() {
                due
            } else if self.idle.pop(now, &mut rand::rng()) {
                return Due::Dummy(self.recent.draw(&mut rand::rng()));
            } else {
                match self.idle.deadline() {
                    Some(due) => due,
                    None => return std::future::pending().await,
                }
            };
            tokio::time::sleep_until(self.clock.instant(due)).await;
        }
    }
}
