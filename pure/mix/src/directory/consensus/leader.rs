//! What an authority does when it is its turn: proposes, collects signatures.

use std::collections::BTreeMap;
use std::sync::Arc;

use wire::document::{
    Cosignature, DocumentSignature, Proposal, ProposedVote, SignedDocument, SignedProposal, VERSION,
};
use wire::id::{DocumentHash, VoteHash};
use wire::{Frame, Timestamp};

use super::vote::{CheckedVote, together};
use super::{AGAIN_MS, Consensus, GATHER_MS, Misdeed, Noting, PATIENCE_MS, REST_MS, REVISION_MS};
use crate::directory::assembler::{self, Listed, MAX_REVISIONS, REVISIONS_MS};
use crate::directory::authority::{document_hash, holds, message, proposal_message};
use crate::directory::verify;

/// An epoch, the votes that there are in it, and the document in use.
type Look = (u64, Vec<VoteHash>, Option<DocumentHash>);

/// Where we are on the way to the next document.
#[derive(Default)]
pub(super) struct Led {
    /// Since when a document has been due, for this epoch.
    due: Option<(u64, Timestamp)>,
    /// When somebody's proposal was last signed without a document since.
    tried: Option<Timestamp>,
    /// The votes and the document that were compared last, and whether they differ.
    looked: Option<(Look, bool)>,
    mine: Option<Mine>,
}

/// Our own proposal.
struct Mine {
    pair: (u64, u32),
    proposal: Proposal,
    votes: Vec<Arc<CheckedVote>>,
    hash: DocumentHash,
    document: Vec<u8>,
    signatures: BTreeMap<u8, DocumentSignature>,
}

impl Led {
    /// A newer document is there.
    pub(super) fn agreed(&mut self) {
        self.due = None;
        self.tried = None;
    }

    /// Somebody's proposal was signed.
    pub(super) fn tried(&mut self, now: Timestamp) {
        self.tried = Some(now);
    }

    /// The votes of our proposal.
    pub(super) fn votes(&self) -> &[Arc<CheckedVote>] {
        self.mine.as_ref().map(|mine| mine.votes.as_slice()).unwrap_or_default()
    }
}

impl Consensus {
    /// Proposes a document if one is due and it is our turn.
    pub(super) fn lead(&mut self, now: Timestamp, real: Timestamp) {
        let epoch = self.epoch(real);
        let me = self.config.me;
        let votes: Vec<Arc<CheckedVote>> = self
            .votes
            .iter()
            .filter(|((of, _), _)| *of == epoch)
            .map(|(_, slot)| slot.vote.clone())
            .collect();
        let enough = votes.len() >= self.threshold()
            && self.linked().saturating_add(1) >= self.threshold()
            && votes.iter().any(|vote| vote.authority == me);
        let ahead = self.timely(real).is_some_and(|d| d.epoch > epoch);
        if !enough || ahead || !self.is_due(epoch, &votes) {
            self.led.due = None;
            return;
        }
        let further = self.agreed(epoch).is_some();
        let since = match self.led.due {
            Some((of, since)) if of == epoch => since,
            _ => {
                self.led.due = Some((epoch, now));
                now
            }
        };
        if now.millis_since(self.told.max(since)) >= AGAIN_MS {
            self.tell_vote(now);
        }
        let voted = |authority: &u8| votes.iter().any(|vote| vote.authority == *authority);
        let all = self.others.iter().all(|(n, other)| !other.linked || voted(n));
        let rest = since.plus_millis(if all { REST_MS } else { GATHER_MS });
        let tried = self.led.tried.map(|at| at.plus_millis(PATIENCE_MS));
        let Some((revision, before)) = self.my_turn(epoch) else { return };
        let start = tried.map_or(rest, |tried| tried.max(rest));
        let start = start.plus_millis(before.saturating_mul(PATIENCE_MS));
        if now < start || further && !self.may_revise(now, MAX_REVISIONS) {
            return;
        }
        if revision > last_revision(epoch, self.config.parameters.epoch_ms, real) {
            return;
        }
        self.propose(now, (epoch, revision), real, votes);
    }

    /// Whether these votes make another document than the one in use.
    fn is_due(&mut self, epoch: u64, votes: &[Arc<CheckedVote>]) -> bool {
        let agreed = self.agreed(epoch);
        let hashes = votes.iter().map(|vote| vote.hash).collect();
        let asked = (epoch, hashes, agreed.as_ref().map(|d| d.hash()));
        if self.led.looked.as_ref().is_none_or(|(last, _)| *last != asked) {
            let listed = self.together(votes);
            let due = agreed.is_none_or(|agreed| !listed.nodes_are_of(&agreed));
            self.led.looked = Some((asked, due));
        }
        self.led.looked.as_ref().is_some_and(|(_, due)| *due)
    }

    /// The next revision that we lead, and how many leaders that we have a link to come before.
    fn my_turn(&self, epoch: u64) -> Option<(u32, u64)> {
        let mut revision = self.next_revision(epoch)?;
        let mut before = 0_u64;
        for _ in &self.config.set.authorities {
            let leader = self.leader(epoch, revision);
            if leader == self.config.me {
                return Some((revision, before));
            }
            if self.others.get(&leader).is_some_and(|other| other.linked) {
                before = before.saturating_add(1);
            }
            revision = revision.checked_add(1)?;
        }
        None
    }

    /// The first revision of this epoch that is neither agreed on nor signed by us.
    pub(super) fn next_revision(&self, epoch: u64) -> Option<u32> {
        let agreed = self.agreed(epoch).map(|d| d.revision);
        let known = agreed.max(self.ledger.revision(epoch));
        known.map_or(Some(0), |known| known.checked_add(1))
    }

    /// Whether one more revision may be signed now.
    pub(super) fn may_revise(&mut self, now: Timestamp, most: usize) -> bool {
        self.revisions.retain(|at| now.millis_since(*at) < REVISIONS_MS);
        self.revisions.len() < most
    }

    fn propose(
        &mut self,
        now: Timestamp,
        pair: (u64, u32),
        published: Timestamp,
        votes: Vec<Arc<CheckedVote>>,
    ) {
        let document = self.compute(pair, published, &votes);
        let named = votes.iter().map(|v| ProposedVote { authority: v.authority, vote: v.hash });
        let proposal = Proposal {
            version: VERSION,
            network: self.network,
            epoch: pair.0,
            revision: pair.1,
            published,
            votes: named.collect(),
        };
        self.led.mine = Some(Mine {
            pair,
            proposal,
            votes,
            hash: document_hash(&document),
            document: document.clone(),
            signatures: BTreeMap::new(),
        });
        self.note(now, Noting { leader: self.config.me, pair, document });
    }

    /// The document that these votes make.
    pub(super) fn compute(
        &self,
        pair: (u64, u32),
        published: Timestamp,
        votes: &[Arc<CheckedVote>],
    ) -> Vec<u8> {
        let listed = self.together(votes);
        let parameters = &self.config.parameters;
        wire::encode(&assembler::document(self.network, parameters, pair, published, listed))
    }

    fn together(&self, votes: &[Arc<CheckedVote>]) -> Listed {
        together(votes, self.config.set.threshold, &self.config.ids)
    }

    /// Our own signature is on our proposal: now the others may see it.
    pub(super) fn announce(
        &mut self,
        now: Timestamp,
        real: Timestamp,
        pair: (u64, u32),
        signature: DocumentSignature,
    ) {
        let me = self.config.me;
        let Some(mine) = self.led.mine.as_mut().filter(|mine| mine.pair == pair) else { return };
        mine.signatures.insert(me, signature);
        let proposal = wire::encode(&mine.proposal);
        // As with the document: without a signature the pair is used up.
        let signed = self.key.sign(me, &proposal_message(&self.network, &proposal));
        let Ok(signature) = signed else { return };
        let frame = Frame::Proposal(wire::encode(&SignedProposal { proposal, signature }));
        self.tell(&frame);
        self.finish(now, real);
    }

    /// Another authority signs our proposal.
    pub(super) fn heard_signature(
        &mut self,
        now: Timestamp,
        real: Timestamp,
        from: u8,
        cosignature: Cosignature,
    ) {
        let Cosignature { epoch, revision, hash, signature } = cosignature;
        let Some(mine) = self.led.mine.as_mut().filter(|mine| mine.pair == (epoch, revision))
        else {
            return;
        };
        if mine.signatures.contains_key(&from) {
            return;
        }
        let keys = self.config.set.authorities.get(usize::from(from));
        let signed = message(&self.network, &mine.document);
        let good = signature.authority == from
            && hash == mine.hash
            && keys.is_some_and(|keys| holds(keys, &signature, &signed));
        if !good {
            self.accuse(now, from, Misdeed::BadSignature);
            return;
        }
        mine.signatures.insert(from, signature);
        self.finish(now, real);
    }

    fn finish(&mut self, now: Timestamp, real: Timestamp) {
        let threshold = self.threshold();
        let Some(mine) = self.led.mine.as_ref().filter(|m| m.signatures.len() >= threshold) else {
            return;
        };
        let signed = SignedDocument {
            authorities: wire::encode(&self.config.set),
            document: mine.document.clone(),
            signatures: mine.signatures.values().cloned().collect(),
        };
        if let Ok(document) = verify(&wire::encode(&signed), &self.network) {
            self.take(now, real, document);
        }
    }
}

/// The greatest revision of an epoch that can be right at this time.
pub(super) fn last_revision(epoch: u64, epoch_ms: u64, published: Timestamp) -> u32 {
    let start = Timestamp::from_millis(epoch.saturating_mul(epoch_ms));
    let passed = published.millis_since(start).checked_div(REVISION_MS).unwrap_or(0);
    u32::try_from(passed.saturating_add(16)).unwrap_or(u32::MAX)
}
