//! One neighbour: what it was asked for, what it asks for, and what it is still to be told.

use std::collections::{HashSet, VecDeque};

use streams::BoxId;
use wire::Timestamp;
use wire::mesh::Message;

use super::{Link, LinkId};
use crate::pair::{Account, Standing};
use crate::reconcile::{Reconciliation, Snapshot};

/// Most boxes that one neighbour is asked for at a time.
pub(super) const MAX_ASKED: usize = 64;
/// Most ids that wait to be asked for. The next round brings the rest.
const MAX_QUEUE: usize = 16_384;
/// Most boxes that a neighbour may have asked for.
pub(super) const MAX_SERVING: usize = 2 * MAX_ASKED;
/// Most offers that wait to be sent. The next round brings the rest.
const MAX_ANNOUNCING: usize = 8_192;
/// Most offers of a guest that are remembered until somebody waits for them.
const MAX_WITHHELD: usize = 64;
/// Most answers that wait to be sent. An honest neighbour has one.
const MAX_CONTROL: usize = 4;
/// Steps within this time belong to one round, ms.
const ANSWERING_MS: u64 = 5_000;
/// How many unasked boxes are tolerated on a link, since some are late answers.
const MAX_UNASKED: u32 = 512;

/// One neighbour.
pub(super) struct Neighbour {
    pub(super) account: Account,
    pub(super) standing: Standing,
    /// Whether this node dialled. The side that dialled starts the rounds.
    pub(super) dialled: bool,
    since: Timestamp,
    /// A message is on its way.
    pub(super) sending: bool,
    /// Number of boxes that they were asked for and have not given yet.
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
    /// The snapshot that their current round is answered from, and since when.
    answers: Option<(Timestamp, Snapshot)>,
    pub(super) next_round: Timestamp,
    again: bool,
    /// Bytes of boxes that may be fetched now. It refills with time.
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

    /// Whether it is time for this node to start a round.
    pub(super) fn round_due(&self, now: Timestamp) -> bool {
        let ours = self.dialled && self.standing == Standing::Contact;
        ours && self.round.is_none() && !self.begin_round && self.next_round <= now
    }

    /// Whether their next step belongs to a new round and needs a new snapshot.
    pub(super) fn answers_anew(&self, now: Timestamp) -> bool {
        self.answers.as_ref().is_none_or(|(since, _)| now.millis_since(*since) >= ANSWERING_MS)
    }

    /// The snapshot for their step: the same for all steps of a round, or the answers would
    /// contradict each other.
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

    /// When something is due although nothing came.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let refill =
            (!self.queue.is_empty() && self.budget == 0).then(|| self.filled.plus_millis(100));
        let round = (self.dialled && self.round.is_none() && self.next_round < Timestamp::MAX)
            .then_some(self.next_round);
        refill.into_iter().chain(round).min()
    }

    /// Notes the end of a round. The next one starts at its time, or soon if something was left
    /// out.
    pub(super) fn round_over(&mut self, now: Timestamp, round_ms: u64) {
        self.round = None;
        let wait = if std::mem::take(&mut self.again) { 1_000 } else { round_ms };
        self.next_round = now.plus_millis(wait);
    }

    /// Notes that something was left out which the next round will bring.
    pub(super) fn round_again(&mut self) {
        self.again = true;
        if self.round.is_none() && self.next_round < Timestamp::MAX {
            self.next_round = Timestamp::ZERO;
        }
    }

    /// Queues an offer.
    pub(super) fn announce(&mut self, id: BoxId, hops: u8) {
        if self.announcing.len() >= MAX_ANNOUNCING {
            // Left out. The side that dialled reconciles from time to time, so it will be found.
            self.round_again();
        } else {
            self.announcing.push_back((id, hops));
        }
    }

    /// Queues a box to ask for; `soon` puts it before the others.
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

    /// Remembers an offer of a guest that nobody waits for yet.
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

    /// Queues a box that they asked for. False when they have asked for too many.
    pub(super) fn serve(&mut self, id: BoxId) -> bool {
        if self.serving.len() >= MAX_SERVING {
            return false;
        }
        self.serving.push_back(id);
        true
    }

    /// Queues an answer. False when too many wait.
    pub(super) fn answer(&mut self, message: Message) -> bool {
        if self.control.len() >= MAX_CONTROL {
            return false;
        }
        self.control.push_back(message);
        true
    }

    /// Whether they may be asked for another box now.
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

    /// Counts an unasked box. False when it is one too many.
    pub(super) fn tolerates_unasked(&mut self) -> bool {
        self.unasked = self.unasked.saturating_add(1);
        self.unasked <= MAX_UNASKED
    }
}
