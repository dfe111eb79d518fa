//! What a node knows of one neighbour: what they are asked for, what they ask for, what they are to
//! be told.

use std::collections::{HashSet, VecDeque};

use streams::BoxId;
use wire::Timestamp;
use wire::mesh::Message;

use super::{Link, LinkId};
use crate::pair::{Account, Standing};
use crate::reconcile::{Reconciliation, Snapshot};

/// Boxes that one neighbour is asked for at a time.
pub(super) const MAX_ASKED: usize = 64;
/// Ids that wait to be asked for; when there are more, the next round brings the rest.
const MAX_QUEUE: usize = 16_384;
/// Boxes that a neighbour may have asked us for.
pub(super) const MAX_SERVING: usize = 2 * MAX_ASKED;
/// Offers that wait; when there are more, the next round brings the rest.
const MAX_ANNOUNCING: usize = 8_192;
/// Offers of a guest that are remembered until somebody waits for them.
const MAX_WITHHELD: usize = 64;
/// Answers that wait to be sent: an honest neighbour has one.
const MAX_CONTROL: usize = 4;
/// Steps that come within this time are one round, ms.
const ANSWERING_MS: u64 = 5_000;
/// Boxes that nobody asked for before a link is closed: some are late answers.
const MAX_UNASKED: u32 = 512;

/// One neighbour.
pub(super) struct Neighbour {
    pub(super) account: Account,
    pub(super) standing: Standing,
    /// Whether we dialled: then we begin the rounds.
    pub(super) dialled: bool,
    since: Timestamp,
    /// A message is on its way.
    pub(super) sending: bool,
    /// Boxes that they have been asked for.
    pub(super) asked: usize,
    pub(super) queue: VecDeque<BoxId>,
    queued: HashSet<BoxId>,
    pub(super) serving: VecDeque<BoxId>,
    /// Boxes in the message that is on its way.
    pub(super) giving: Vec<BoxId>,
    pub(super) announcing: VecDeque<(BoxId, u8)>,
    pub(super) gone: Vec<BoxId>,
    pub(super) control: VecDeque<Message>,
    withheld: VecDeque<BoxId>,
    pub(super) round: Option<Reconciliation>,
    pub(super) begin_round: bool,
    /// What we answer their round from, and since when.
    answers: Option<(Timestamp, Snapshot)>,
    pub(super) next_round: Timestamp,
    again: bool,
    /// Bytes that may come now; refilled with time.
    budget: u64,
    rate: u64,
    filled: Timestamp,
    unasked: u32,
    received: (u64, u64),
    given: (u64, u64),
}

impl Neighbour {
    pub(super) fn new(
        account: Account,
        standing: Standing,
        dialled: bool,
        now: Timestamp,
        rate: u64,
    ) -> Self {
        Neighbour {
            account,
            standing,
            dialled,
            since: now,
            sending: false,
            asked: 0,
            queue: VecDeque::new(),
            queued: HashSet::new(),
            serving: VecDeque::new(),
            giving: Vec::new(),
            announcing: VecDeque::new(),
            gone: Vec::new(),
            control: VecDeque::new(),
            withheld: VecDeque::new(),
            round: None,
            begin_round: dialled && standing == Standing::Contact,
            answers: None,
            next_round: Timestamp::MAX,
            again: false,
            budget: rate,
            rate,
            filled: now,
            unasked: 0,
            received: (0, 0),
            given: (0, 0),
        }
    }

    pub(super) fn overview(&self, id: LinkId) -> Link {
        Link {
            id,
            account: self.account,
            standing: self.standing,
            since: self.since,
            received: self.received,
            given: self.given,
        }
    }

    /// Whether a round of ours is to begin by its time.
    pub(super) fn round_due(&self, now: Timestamp) -> bool {
        let ours = self.dialled && self.standing == Standing::Contact;
        ours && self.round.is_none() && !self.begin_round && self.next_round <= now
    }

    /// Whether their next step belongs to a new round, and is to be answered from what is here now.
    pub(super) fn answers_anew(&self, now: Timestamp) -> bool {
        self.answers.as_ref().is_none_or(|(since, _)| now.millis_since(*since) >= ANSWERING_MS)
    }

    /// What to answer their step from: the same for all steps of a round, so that they fit
    /// together.
    pub(super) fn answering(&mut self, now: Timestamp, fresh: Option<Snapshot>) -> Snapshot {
        match (fresh, &self.answers) {
            (None, Some((_, snapshot))) => snapshot.clone(),
            (fresh, _) => {
                let snapshot = fresh.unwrap_or_else(|| Snapshot::new(std::iter::empty()));
                self.answers = Some((now, snapshot.clone()));
                snapshot
            }
        }
    }

    /// When something is to be done although nothing came.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let refill =
            (!self.queue.is_empty() && self.budget == 0).then(|| self.filled.plus_millis(100));
        let round = (self.dialled && self.round.is_none() && self.next_round < Timestamp::MAX)
            .then_some(self.next_round);
        refill.into_iter().chain(round).min()
    }

    /// A round is over: the next one at its time, or soon if this one left something.
    pub(super) fn round_over(&mut self, now: Timestamp, round_ms: u64) {
        self.round = None;
        let wait = if std::mem::take(&mut self.again) { 1_000 } else { round_ms };
        self.next_round = now.plus_millis(wait);
    }

    /// Something was left out that a round would bring.
    pub(super) fn round_again(&mut self) {
        self.again = true;
        if self.round.is_none() && self.next_round < Timestamp::MAX {
            self.next_round = Timestamp::ZERO;
        }
    }

    /// Tells them of a box, later.
    pub(super) fn announce(&mut self, id: BoxId, hops: u8) {
        if self.announcing.len() >= MAX_ANNOUNCING {
            // Whoever dialled reconciles from time to time: it will be found.
            self.round_again();
        } else {
            self.announcing.push_back((id, hops));
        }
    }

    /// Asks them for a box, later; `soon` before the others.
    pub(super) fn want(&mut self, id: BoxId, soon: bool) {
        if self.queue.len() >= MAX_QUEUE {
            self.round_again();
        } else if self.queued.insert(id) {
            if soon { self.queue.push_front(id) } else { self.queue.push_back(id) }
        }
    }

    pub(super) fn next_wanted(&mut self) -> Option<BoxId> {
        let id = self.queue.pop_front()?;
        self.queued.remove(&id);
        Some(id)
    }

    /// A guest offers something that nobody waits for yet.
    pub(super) fn withhold(&mut self, id: BoxId) {
        if self.withheld.len() >= MAX_WITHHELD {
            self.withheld.pop_front();
        }
        self.withheld.push_back(id);
    }

    pub(super) fn has_withheld(&self, ids: &HashSet<BoxId>) -> bool {
        self.withheld.iter().any(|id| ids.contains(id))
    }

    pub(super) fn want_withheld(&mut self, ids: &HashSet<BoxId>) {
        let (wanted, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.withheld).into_iter().partition(|i| ids.contains(i));
        self.withheld = rest.into();
        wanted.into_iter().for_each(|id| self.want(id, true));
    }

    /// They ask for a box that is here; false when they have asked for too many.
    pub(super) fn serve(&mut self, id: BoxId) -> bool {
        if self.serving.len() >= MAX_SERVING {
            return false;
        }
        self.serving.push_back(id);
        true
    }

    /// An answer waits; false when they have asked for too many.
    pub(super) fn answer(&mut self, message: Message) -> bool {
        if self.control.len() >= MAX_CONTROL {
            return false;
        }
        self.control.push_back(message);
        true
    }

    /// Whether they may be asked for more now.
    pub(super) fn may_ask(&mut self, now: Timestamp) -> bool {
        let ms = now.millis_since(self.filled);
        let more = self.rate.saturating_mul(ms).checked_div(1_000).unwrap_or(0);
        if more > 0 {
            self.filled = now;
            self.budget = self.budget.saturating_add(more).min(self.rate);
        }
        self.budget > 0 && self.asked < MAX_ASKED
    }

    pub(super) fn took(&mut self, bytes: u64) {
        self.budget = self.budget.saturating_sub(bytes);
        self.received = (self.received.0.saturating_add(1), self.received.1.saturating_add(bytes));
    }

    pub(super) fn gave(&mut self, bytes: u64) {
        self.given = (self.given.0.saturating_add(1), self.given.1.saturating_add(bytes));
    }

    /// A box came that nobody asked for; false when it is one too many.
    pub(super) fn tolerates_unasked(&mut self) -> bool {
        self.unasked = self.unasked.saturating_add(1);
        self.unasked <= MAX_UNASKED
    }
}
