//! A request in flight: its attempts and its time-out.

use std::collections::VecDeque;

use rand_core::CryptoRng;
use wire::{ClientToken, NodeId, Timestamp};

use super::MAX_ATTEMPTS;
use crate::path::below;

/// The first time-out is three mean round trips and this, ms.
const SLACK_MS: u64 = 1_000;
/// Longest time-out, ms, not counting the time that the hub may take to answer.
const MAX_TIMEOUT_MS: u64 = 30_000;

/// How long the first answer may take, ms.
pub(super) const fn first_timeout_ms(round_trip_ms: u64) -> u64 {
    round_trip_ms.saturating_mul(3).saturating_add(SLACK_MS)
}

/// One packet that carried the request.
pub(super) struct Attempt {
    pub(super) surb_id: [u8; 16],
    /// Relays of both directions.
    pub(super) relays: Vec<NodeId>,
    /// Where its SURB ends.
    pub(super) token: ClientToken,
}

/// A request until it is answered.
pub(super) struct Flight {
    pub(super) hub: NodeId,
    pub(super) body: Vec<u8>,
    answer_after_ms: u32,
    pub(super) first_sent: Option<Timestamp>,
    pub(super) attempts: VecDeque<Attempt>,
    pub(super) tries: u32,
    /// When the attempt times out; `None` while the request waits in the queue.
    pub(super) due: Option<Timestamp>,
    /// Whether its answer brings a receipt.
    pub(super) traced: bool,
}

impl Flight {
    pub(super) const fn new(hub: NodeId, body: Vec<u8>, answer_after_ms: u32) -> Self {
        Flight {
            hub,
            body,
            answer_after_ms,
            first_sent: None,
            attempts: VecDeque::new(),
            tries: 0,
            due: None,
            traced: false,
        }
    }

    pub(super) const fn is_in_flight(&self) -> bool {
        self.due.is_some()
    }

    /// Whether its latest packet goes or returns over a relay that is gone.
    pub(super) fn uses(&self, gone: impl Fn(&NodeId) -> bool) -> bool {
        self.attempts.back().is_some_and(|a| a.relays.iter().any(gone))
    }

    /// Whether its latest answer would go to another token.
    pub(super) fn ends_elsewhere(&self, token: &ClientToken) -> bool {
        self.attempts.back().is_some_and(|a| a.token != *token)
    }

    /// Notes a packet that has just left. Returns the attempt that is forgotten for it, if any.
    pub(super) fn sent<R: CryptoRng>(
        &mut self,
        now: Timestamp,
        round_trip_ms: u64,
        attempt: Attempt,
        rng: &mut R,
    ) -> Option<Attempt> {
        self.first_sent.get_or_insert(now);
        let mut timeout = first_timeout_ms(round_trip_ms);
        // Back off by 1.6 each time: a network that loses packets under load must not get more of
        // it.
        for _ in 0..self.tries.min(16) {
            timeout = timeout.saturating_mul(8).checked_div(5).unwrap_or(timeout);
        }
        let timeout = timeout.min(MAX_TIMEOUT_MS);
        // Up to a fifth of jitter, so that the retries of many requests do not come in bursts.
        let span =
            usize::try_from(timeout.checked_div(5).unwrap_or(0)).unwrap_or(0).saturating_add(1);
        let jitter = below(rng, span).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        let wait = timeout.saturating_add(jitter).saturating_add(u64::from(self.answer_after_ms));
        self.due = Some(now.plus_millis(wait));
        self.tries = self.tries.saturating_add(1);
        self.attempts.push_back(attempt);
        if self.attempts.len() > MAX_ATTEMPTS { self.attempts.pop_front() } else { None }
    }
}
