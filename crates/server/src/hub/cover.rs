//! Dummies of a hub on its direct links: when, and of which class.

use std::collections::{BTreeSet, HashMap};

use hub::shaping::{Idle, Recent, Span};
use streams::{BoxClass, Sizes};
use wire::Timestamp;
use wire::hub::{Answer, Operation, Request, Response};

use crate::outgoing::{Outgoing, WeakOutgoing};

/// Links that are given dummies; the hub keeps count of no more links either.
const MAX_LINKS: usize = 65_536;

struct Link {
    idle: Idle,
    recent: Recent,
    to: WeakOutgoing,
}

/// The direct links, and when each is due. Empty while dummies are off.
pub(super) struct Cover {
    span: Option<Span>,
    /// Of all that was put: what a new link begins with.
    recent: Recent,
    links: HashMap<u64, Link>,
    due: BTreeSet<(Timestamp, u64)>,
}

impl Cover {
    pub(super) fn new(span: Option<Span>) -> Self {
        Cover {
            span,
            recent: Recent::new(Sizes::Uniform),
            links: HashMap::new(),
            due: BTreeSet::new(),
        }
    }

    /// A request came by a direct link.
    pub(super) fn asked(&mut self, now: Timestamp, link: u64, request: &Request, to: &Outgoing) {
        if self.span.is_none() {
            return;
        }
        if !self.links.contains_key(&link) {
            if self.links.len() >= MAX_LINKS {
                return;
            }
            let idle = Idle::new(self.span);
            self.links.insert(link, Link { idle, recent: self.recent, to: to.downgrade() });
            self.restart(now, link);
        }
        if let Operation::Put(content) = &request.operation {
            self.recent.note(content.ciphertext.len());
            if let Some(link) = self.links.get_mut(&link) {
                link.recent.note(content.ciphertext.len());
            }
        }
    }

    /// A response leaves by a direct link: boxes in it make a dummy needless for a while.
    pub(super) fn answered(&mut self, now: Timestamp, link: u64, response: &Response) {
        let Answer::Boxes(boxes) = &response.answer else { return };
        let Some(found) = self.links.get_mut(&link) else { return };
        boxes.iter().for_each(|b| found.recent.note(b.ciphertext.len()));
        if !boxes.is_empty() {
            self.restart(now, link);
        }
    }

    pub(super) fn gone(&mut self, link: u64) {
        if let Some(at) = self.links.remove(&link).and_then(|l| l.idle.deadline()) {
            self.due.remove(&(at, link));
        }
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// A link whose dummy is due, and the dummy's class. Restarts the link's timer.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<(u64, BoxClass)> {
        loop {
            let (_, link) = *self.due.first().filter(|(at, _)| *at <= now)?;
            // The word that a link is gone may have been lost in a full queue.
            if self.links.get(&link).is_some_and(|l| l.to.upgrade().is_some()) {
                self.restart(now, link);
                let class = self.links.get(&link)?.recent.draw(&mut rand::rng());
                return Some((link, class));
            }
            self.gone(link);
        }
    }

    fn restart(&mut self, now: Timestamp, link: u64) {
        let Some(found) = self.links.get_mut(&link) else { return };
        if let Some(at) = found.idle.deadline() {
            self.due.remove(&(at, link));
        }
        found.idle.restart(now, &mut rand::rng());
        if let Some(at) = found.idle.deadline() {
            self.due.insert((at, link));
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::BootId;
    use wire::hub::BoxBytes;
    use wire::id::AccessKey;

    use super::*;
    use crate::outgoing::{Budget, Rank};

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn content(len: usize) -> BoxBytes {
        BoxBytes { id: [1; 32], ciphertext: vec![0; len], signature: [0; 64] }
    }

    fn echo() -> Request {
        Request { access: AccessKey::new([0; 16]), operation: Operation::Echo }
    }

    fn with(boxes: Vec<BoxBytes>) -> Response {
        Response { boot: BootId::new([0; 16]), answer: Answer::Boxes(boxes), tally: None }
    }

    //= SHAPE-005
    #[test]
    fn each_link_gets_one_after_an_idle_time_within_the_span() {
        let mut cover = Cover::new(Span::new(30_000, 60_000));
        let (to, _queue) = Budget::new(1 << 20, 4_096).open(1, Rank::Guest);
        cover.asked(at(0), 1, &echo(), &to);
        cover.asked(at(0), 2, &echo(), &to);
        let mut last = HashMap::from([(1, 0), (2, 0)]);
        for _ in 0..1_000 {
            let now = cover.deadline().expect("somebody is due").as_millis();
            let (link, class) = cover.pop(at(now)).expect("and is told");
            assert_eq!(class, BoxClass::Standard);
            let gap = now - last.insert(link, now).expect("one of the two");
            assert!((30_000..=60_000).contains(&gap), "{gap}");
        }
        let now = at(last.values().max().copied().unwrap_or(0));
        cover.answered(now, 1, &with(vec![content(512)]));
        cover.answered(now, 2, &with(vec![]));
        assert!(
            cover.links[&1].idle.deadline() >= Some(now.plus_millis(30_000)),
            "a box makes a dummy needless"
        );
        cover.gone(1);
        drop(to);
        assert_eq!(cover.pop(at(u64::MAX)), None);
        assert!(cover.links.is_empty() && cover.due.is_empty(), "who is gone is forgotten");
    }

    //= SHAPE-004
    #[test]
    fn dummies_on_a_link_look_like_its_boxes() {
        let mut cover = Cover::new(Span::new(1, 1));
        let (to, _queue) = Budget::new(1 << 20, 4_096).open(1, Rank::Guest);
        let put = |len| Request { operation: Operation::Put(content(len)), ..echo() };
        cover.asked(at(0), 1, &echo(), &to);
        for _ in 0..32 {
            cover.answered(at(0), 1, &with(vec![content(512)]));
            cover.asked(at(0), 2, &put(4_096), &to);
        }
        for n in 1..100 {
            while let Some((link, class)) = cover.pop(at(n * 10)) {
                assert_eq!(class, if link == 1 { BoxClass::Small } else { BoxClass::Large });
            }
        }
    }

    #[test]
    fn without_the_setting_nothing_is_kept() {
        let mut cover = Cover::new(None);
        let (to, _queue) = Budget::new(1 << 20, 4_096).open(1, Rank::Guest);
        cover.asked(at(0), 1, &echo(), &to);
        assert!(cover.links.is_empty() && cover.deadline().is_none());
    }
}
