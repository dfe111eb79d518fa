//! What an authority does with somebody else's proposal: checks, computes, signs.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use wire::document::{Cosignature, NetworkDocument, Proposal, SignedProposal, VERSION};
use wire::id::VoteHash;
use wire::{Frame, Timestamp};

use super::leader::last_revision;
use super::vote::CheckedVote;
use super::{Consensus, ECHO_MS, ECHOED_BURST, Misdeed, Noting, Output, SKEW_MS};
use crate::directory::assembler::MAX_REVISIONS;
use crate::directory::authority::{document_hash, holds, message, proposal_message};

/// A leader's latest proposal.
pub(super) struct Offered {
    proposal: Proposal,
    /// As its leader signed it.
    signed: SignedProposal,
    since: Timestamp,
    votes: BTreeMap<VoteHash, Arc<CheckedVote>>,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    /// Votes are missing, or another proposal for the same pair may come.
    Waits,
    /// Signed or refused.
    Decided,
    /// There is another one for the same pair: neither is signed.
    Doubled,
}

impl Offered {
    fn pair(&self) -> (u64, u32) {
        (self.proposal.epoch, self.proposal.revision)
    }

    fn missing(&self) -> impl Iterator<Item = VoteHash> {
        let named = self.proposal.votes.iter().map(|named| named.vote);
        named.filter(|hash| !self.votes.contains_key(hash))
    }
}

/// Why a proposal is not signed.
enum No {
    /// Nobody is to blame: clocks, or what is on its way.
    NotNow,
    /// Its leader would know better.
    Bad(&'static str),
    /// It lacks these votes, which the leader may not have.
    Lacks(Vec<Arc<CheckedVote>>),
}

impl Consensus {
    /// A proposal, from its leader or passed on by another authority.
    pub(super) fn heard_proposal(
        &mut self,
        now: Timestamp,
        real: Timestamp,
        from: u8,
        signed: SignedProposal,
    ) {
        let leader = signed.signature.authority;
        if leader == self.config.me
            || self.offered.get(&leader).is_some_and(|o| o.signed.proposal == signed.proposal)
            || !self.looks_at_proposal(now, from, leader)
        {
            return;
        }
        let keys = self.config.set.authorities.get(usize::from(leader));
        let message = proposal_message(&self.network, &signed.proposal);
        let holds = keys.is_some_and(|keys| holds(keys, &signed.signature, &message));
        let proposal = wire::decode::<Proposal>(&signed.proposal, "proposal");
        let Some(proposal) = proposal.ok().filter(|_| holds) else {
            self.accuse(now, from, Misdeed::Forged);
            return;
        };
        let pair = (proposal.epoch, proposal.revision);
        match self.offered.get_mut(&leader).map(|last| (pair.cmp(&last.pair()), last)) {
            Some((Ordering::Less, _)) => return,
            Some((Ordering::Equal, last)) => {
                if last.state == State::Waits {
                    last.state = State::Doubled;
                }
                self.accuse(now, leader, Misdeed::TwoProposals);
                self.pass_on(from, leader, &signed);
                return;
            }
            _ => {}
        }
        if let Err(no) = self.is_in_order(real, leader, &proposal) {
            self.refuse(now, leader, no);
            return;
        }
        self.pass_on(from, leader, &signed);
        let held = self.votes.values().map(|slot| &slot.vote);
        let named =
            |vote: &&Arc<CheckedVote>| proposal.votes.iter().any(|named| named.vote == vote.hash);
        let votes = held.filter(named).map(|vote| (vote.hash, vote.clone())).collect();
        let offered = Offered { proposal, signed, since: now, votes, state: State::Waits };
        let linked = self.others.get(&leader).is_some_and(|other| other.linked);
        let ask = if linked { leader } else { from };
        let asked = offered.missing().map(|hash| Output::Send(ask, Frame::GetVote(hash)));
        self.outputs.extend(asked);
        self.offered.insert(leader, offered);
    }

    /// A proposal that is passed on does not count against its leader, who may not have sent it.
    fn looks_at_proposal(&mut self, now: Timestamp, from: u8, leader: u8) -> bool {
        if from == leader {
            return self.looks_at(now, from);
        }
        self.others.get_mut(&from).is_some_and(|other| other.echoed.take(now, ECHOED_BURST))
    }

    /// Shows a proposal to all who did not send it.
    fn pass_on(&mut self, from: u8, leader: u8, signed: &SignedProposal) {
        let others =
            self.others.iter().filter(|(n, other)| other.linked && **n != from && **n != leader);
        let frame = Frame::Proposal(wire::encode(signed));
        self.outputs.extend(others.map(|(n, _)| Output::Send(*n, frame.clone())));
    }

    /// A vote has come: some proposal may wait for it.
    pub(super) fn complete(&mut self, vote: &Arc<CheckedVote>) {
        for offered in self.offered.values_mut().filter(|o| o.state == State::Waits) {
            if offered.missing().any(|hash| hash == vote.hash) {
                offered.votes.insert(vote.hash, vote.clone());
            }
        }
    }

    /// Signs or refuses what has waited long enough.
    pub(super) fn decide(&mut self, now: Timestamp, real: Timestamp) {
        // Between two nobody is shown anything else.
        let wait = if self.others.len() > 1 { ECHO_MS } else { 0 };
        let ready = |offered: &Offered| {
            offered.state == State::Waits
                && offered.missing().next().is_none()
                && now.millis_since(offered.since) >= wait
        };
        let ready: Vec<u8> =
            self.offered.iter().filter(|(_, o)| ready(o)).map(|(leader, _)| *leader).collect();
        for leader in ready {
            let Some(offered) = self.offered.get_mut(&leader) else { continue };
            offered.state = State::Decided;
            let (pair, votes) = (offered.pair(), std::mem::take(&mut offered.votes));
            let proposal = offered.proposal.clone();
            match self.consider(now, real, leader, &proposal, &votes) {
                Ok(document) => self.note(now, Noting { leader, pair, document }),
                Err(no) => self.refuse(now, leader, no),
            }
        }
    }

    fn refuse(&mut self, now: Timestamp, leader: u8, no: No) {
        match no {
            No::NotNow => {}
            No::Bad(why) => self.accuse(now, leader, Misdeed::BadProposal(why)),
            No::Lacks(votes) => {
                let frames = votes.iter().map(|vote| Frame::Vote(vote.bytes.clone()));
                self.outputs.extend(frames.map(|frame| Output::Send(leader, frame)));
            }
        }
    }

    /// What can be said without the votes.
    fn is_in_order(&self, real: Timestamp, from: u8, proposal: &Proposal) -> Result<(), No> {
        let Proposal { version, network, epoch, revision, published, votes } = proposal;
        let epoch_ms = self.config.parameters.epoch_ms;
        if *version != VERSION || *network != self.network {
            return Err(No::Bad("of another network or version"));
        }
        if self.leader(*epoch, *revision) != from {
            return Err(No::Bad("it was not its turn"));
        }
        if published.period(epoch_ms) != *epoch {
            return Err(No::Bad("its time is not in its epoch"));
        }
        let mut pairs = votes.iter().zip(votes.iter().skip(1));
        if !pairs.all(|(a, b)| a.authority < b.authority) {
            return Err(No::Bad("its votes are out of order"));
        }
        if votes.len() < self.threshold() {
            return Err(No::Bad("it has too few votes"));
        }
        // It may have waited for us. If its clock is behind, it sees ours ahead.
        if real.millis_since(*published) > SKEW_MS {
            return Err(No::NotNow);
        }
        if published.millis_since(real) > SKEW_MS {
            return Err(No::Bad("its time is ahead of ours: one of the two clocks is wrong"));
        }
        if *revision > last_revision(*epoch, epoch_ms, *published) {
            return Err(No::Bad("its revision is too high"));
        }
        self.is_new(real, (*epoch, *revision))
    }

    /// Whether we have neither signed this pair or a later one, nor a document that is newer.
    fn is_new(&self, real: Timestamp, (epoch, revision): (u64, u32)) -> Result<(), No> {
        let signed = self.ledger.revision(epoch).is_some_and(|signed| signed >= revision);
        let older = self.timely(real).is_some_and(|d| (d.epoch, d.revision) >= (epoch, revision));
        if signed || older { Err(No::NotNow) } else { Ok(()) }
    }

    /// The document to sign.
    fn consider(
        &mut self,
        now: Timestamp,
        real: Timestamp,
        leader: u8,
        proposal: &Proposal,
        votes: &BTreeMap<VoteHash, Arc<CheckedVote>>,
    ) -> Result<Vec<u8>, No> {
        // Time has passed while votes were fetched.
        self.is_in_order(real, leader, proposal)?;
        let Proposal { epoch, revision, published, .. } = *proposal;
        let mut included = Vec::new();
        for named in &proposal.votes {
            let vote = votes.get(&named.vote).ok_or(No::NotNow)?;
            if vote.authority != named.authority || vote.epoch != epoch {
                return Err(No::Bad("it misnames a vote"));
            }
            included.push(vote.clone());
        }
        let fresh = |authority: u8, settled: Timestamp| {
            included.iter().any(|v| v.authority == authority && v.made >= settled)
        };
        let lacks: Vec<Arc<CheckedVote>> = self
            .votes
            .iter()
            .filter(|((of, _), _)| *of == epoch)
            .filter(|((_, of), slot)| slot.settled(now).is_some_and(|settled| !fresh(*of, settled)))
            .map(|(_, slot)| slot.vote.clone())
            .collect();
        if !lacks.is_empty() {
            return Err(No::Lacks(lacks));
        }
        let document = self.compute((epoch, revision), published, &included);
        let parsed = NetworkDocument::parse(&document)
            .map_err(|_| No::Bad("the document that it makes is not a good one"))?;
        if let Some(agreed) = self.agreed(epoch) {
            if (&agreed.nodes, &agreed.dials_only) == (&parsed.nodes, &parsed.dials_only) {
                return Err(No::NotNow);
            }
            // Some of ours fail with their leaders.
            if !self.may_revise(now, MAX_REVISIONS.saturating_mul(2)) {
                return Err(No::NotNow);
            }
        }
        Ok(document)
    }

    /// Has a pair put on the disk; the signature follows.
    pub(super) fn note(&mut self, now: Timestamp, noting: Noting) {
        let (epoch, revision) = noting.pair;
        if self.agreed(epoch).is_some() {
            self.revisions.push_back(now);
        }
        self.ledger.note(epoch, revision);
        self.led.tried(now);
        self.noting.push_back(noting);
        self.outputs.push_back(Output::Note(self.ledger.signed().to_vec()));
    }

    /// Signs what is noted.
    pub(super) fn sign(&mut self, now: Timestamp, real: Timestamp, noting: Noting) {
        let Noting { leader, pair, document } = noting;
        let message = message(&self.network, &document);
        // The library refuses only for want of memory or randomness; the pair is used up.
        let Ok(signature) = self.key.sign(self.config.me, &message) else { return };
        if leader == self.config.me {
            self.announce(now, real, pair, signature);
            return;
        }
        let hash = document_hash(&document);
        let (epoch, revision) = pair;
        let signed = wire::encode(&Cosignature { epoch, revision, hash, signature });
        self.outputs.push_back(Output::Send(leader, Frame::Cosignature(signed)));
    }
}
