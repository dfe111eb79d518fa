//! Which relays a directory leaves out because others say that they lose packets.
//!
//! ```text
//!            most other relays accuse it, and enough are left
//! [listed] ───────────────────────────────────────────────────► [left out] 10 min, then doubling
//!    ▲ ▲                                                            │      up to 4 h
//!    │ └──────────── an hour without being left out ──── [on trial] ◄┘
//!    │                                                       │ accused again, by what was seen
//!    └───────────────────────────────────────────────────────┘ since: left out for twice as long
//! ```
//!
//! A report is an opinion, and some who report lie. So one relay has one voice, a relay that is
//! left out has none, and it takes more than half of the other listed relays, and three at least.
//! What a lying majority can do is bounded as well: of all relays at most a third are left out at a
//! time, never so many that paths are too short, and never for good. A hub is never left out: the
//! conversations that live there have no other.

use std::collections::{BTreeMap, BTreeSet};

use wire::frame::{Suspect, Suspected};
use wire::{NodeId, Timestamp};

/// How long a report counts, ms: those who accuse somebody say so every minute.
const REPORT_MS: u64 = 180_000;
/// Least number of relays that must accuse one.
const VOICES: usize = 3;
/// How long a relay is left out the first time, ms.
const FIRST_MS: u64 = 600_000;
/// How long it is left out at most, ms.
const LONGEST_MS: u64 = 4 * 3_600_000;
/// After this time without being left out, a relay's past is forgotten, ms.
const TRIAL_MS: u64 = 3_600_000;
/// Of all relays, at most one in so many is left out.
const SHARE: usize = 3;

/// What one relay said last.
struct Report {
    at: Timestamp,
    /// Whom it accuses, and since when.
    accused: BTreeMap<NodeId, Timestamp>,
    /// The links that it accuses, for the operator.
    links: BTreeSet<(NodeId, NodeId)>,
}

/// A relay that was left out, and may be so now.
struct Past {
    /// When it is listed again.
    until: Timestamp,
    /// How long it was left out, ms.
    span: u64,
    /// How many of how many accused it.
    voices: (usize, usize),
}

/// A relay that is left out or accused, for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accused {
    /// The relay.
    pub relay: NodeId,
    /// How many others accuse it, or accused it when it was left out.
    pub voices: usize,
    /// How many there are beside it.
    pub of: usize,
    /// For how much longer it is left out, ms; none if it is listed.
    pub left_out_ms: Option<u64>,
}

/// What directories remember of reports. `now` is a clock that nobody sets.
#[derive(Default)]
pub(super) struct Reports {
    reports: BTreeMap<NodeId, Report>,
    past: BTreeMap<NodeId, Past>,
    /// Who was left out after the last review.
    out: BTreeSet<NodeId>,
}

impl Reports {
    /// A registered relay says whom it accuses: this replaces what it said before.
    pub(super) fn report(&mut self, now: Timestamp, from: NodeId, suspected: &[Suspected]) {
        let mut report = Report { at: now, accused: BTreeMap::new(), links: BTreeSet::new() };
        for Suspected { suspect, since_ms } in suspected {
            match *suspect {
                // Nobody is a witness against themselves.
                Suspect::Node(node) if node != from => {
                    report.accused.insert(node, now.minus_millis(u64::from(*since_ms)));
                }
                Suspect::Node(_) => {}
                Suspect::Link(a, b) => {
                    report.links.insert((a, b));
                }
            }
        }
        if report.accused.is_empty() && report.links.is_empty() {
            self.reports.remove(&from);
        } else {
            self.reports.insert(from, report);
        }
    }

    /// Whether a relay is left out now.
    pub(super) fn leaves_out(&self, now: Timestamp, relay: &NodeId) -> bool {
        self.past.get(relay).is_some_and(|past| now < past.until)
    }

    /// Decides who is left out from now on, of these relays, which are present; `least` are needed
    /// for paths. Returns whether anything has changed.
    pub(super) fn review(
        &mut self,
        now: Timestamp,
        present: &BTreeSet<NodeId>,
        least: usize,
    ) -> bool {
        self.reports.retain(|_, report| now.millis_since(report.at) < REPORT_MS);
        self.past.retain(|_, past| now < past.until.plus_millis(TRIAL_MS));
        while let Some((relay, voices)) = self.next_to_leave_out(now, present, least) {
            let span = self
                .past
                .get(&relay)
                .map_or(FIRST_MS, |past| past.span.saturating_mul(2).min(LONGEST_MS));
            self.past.insert(relay, Past { until: now.plus_millis(span), span, voices });
        }
        let out =
            self.past.iter().filter(|(_, past)| now < past.until).map(|(id, _)| *id).collect();
        let before = std::mem::replace(&mut self.out, out);
        before != self.out
    }

    /// The relay that is accused most, if enough accuse it and enough are left without it.
    fn next_to_leave_out(
        &self,
        now: Timestamp,
        present: &BTreeSet<NodeId>,
        least: usize,
    ) -> Option<(NodeId, (usize, usize))> {
        let listed = self.listed(now, present);
        let out = present.len().saturating_sub(listed.len());
        let most = present.len().checked_div(SHARE).unwrap_or(0).max(1);
        if listed.len() <= least || out >= most {
            return None;
        }
        let of = listed.len().saturating_sub(1);
        let accused = listed.iter().map(|relay| (*relay, (self.voices(relay, &listed), of)));
        accused
            .filter(|(_, (voices, of))| *voices >= VOICES && voices.saturating_mul(2) > *of)
            .max_by_key(|(_, (voices, _))| *voices)
    }

    fn listed(&self, now: Timestamp, present: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
        present.iter().filter(|relay| !self.leaves_out(now, relay)).copied().collect()
    }

    /// How many of those who are listed accuse a relay of something that happened since it was
    /// listed again.
    fn voices(&self, relay: &NodeId, listed: &BTreeSet<NodeId>) -> usize {
        let again = self.past.get(relay).map(|past| past.until);
        let counts = |(from, report): &(&NodeId, &Report)| {
            let since = report.accused.get(relay);
            listed.contains(from) && since.is_some_and(|since| again.is_none_or(|at| *since >= at))
        };
        self.reports.iter().filter(counts).count()
    }

    /// Whom present relays accuse, and who is left out.
    pub(super) fn accused(&self, now: Timestamp, present: &BTreeSet<NodeId>) -> Vec<Accused> {
        let listed = self.listed(now, present);
        let of = listed.len().saturating_sub(1);
        let relays = present.iter().chain(self.past.keys());
        let relays: BTreeSet<NodeId> = relays.copied().collect();
        let accused = relays.into_iter().map(|relay| match self.past.get(&relay) {
            Some(past) if now < past.until => Accused {
                relay,
                voices: past.voices.0,
                of: past.voices.1,
                left_out_ms: Some(past.until.millis_since(now)),
            },
            _ => Accused { relay, voices: self.voices(&relay, &listed), of, left_out_ms: None },
        });
        accused.filter(|a| a.left_out_ms.is_some() || a.voices > 0).collect()
    }

    /// Links that present relays accuse, and how many do.
    pub(super) fn links(&self, present: &BTreeSet<NodeId>) -> BTreeMap<(NodeId, NodeId), usize> {
        let mut links = BTreeMap::new();
        for (_, report) in self.reports.iter().filter(|(from, _)| present.contains(from)) {
            for link in &report.links {
                let voices: &mut usize = links.entry(*link).or_default();
                *voices = voices.saturating_add(1);
            }
        }
        links
    }
}

#[cfg(test)]
mod tests;
