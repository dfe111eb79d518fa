//! How the authorities of a network agree on a document, each trusting none of the others.
//!
//! Every authority tells all others which nodes it would list: its **vote**. The document is a
//! function of the votes that go into it, so that nobody has to be believed: the authority whose
//! turn it is, the **leader**, only says which votes, and each other computes the same document and
//! signs it. With enough signatures it is good, and everybody gets it.
//!
//! ```text
//!   votes of an epoch differ from            leader of (epoch, revision), or it is silent
//!   its last document, or it has none        and the next one's turn comes
//! [agreed] ───────────────────────────► [due] ───────────────────────► [proposed]
//!    ▲                                    ▲                                │ noted on the disk,
//!    │                                    │ PATIENCE_MS without a document │ then signed
//!    │                                    └────────────────────────────────┤
//!    └──────────────── threshold of signatures, or a document ─────────────┘
//!                      from another authority
//! ```
//!
//! - **One signature for each pair.** An authority signs each pair of epoch and revision at most
//!   once, in rising order, and has that on its disk before the signature leaves. The threshold is
//!   more than half of all, so two different documents for one pair cannot both be good unless
//!   2 × threshold − n authorities sign twice.
//! - **A leader shows everybody the same.** Whoever gets its proposal passes it on, and signs only
//!   after `ECHO_MS` in which no other proposal for the same pair has come. So one authority that
//!   signs twice needs, beside that, a broken line between the others.
//! - **A leader has no say.** It chooses neither nodes nor parameters. It could leave votes out;
//!   so nobody signs what lacks a vote that they have had for `SETTLED_MS`, and they hand it to
//!   the leader. A silent leader costs `PATIENCE_MS`.
//! - **A vote counts once**, also if its author makes two: whichever the leader has.
//!
//! Two clocks go in, as into [`super::DocumentKeeper`]: `real`, by which epochs are counted, and
//! `now`, which never jumps and by which everything here waits.

mod leader;
mod signer;
#[cfg(test)]
mod tests;
mod vote;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use wire::document::{AuthoritySet, Parameters};
use wire::id::VoteHash;
use wire::{Address, Frame, NetworkId, NodeId, Timestamp};

use self::leader::Led;
use self::signer::Offered;
use self::vote::{BadVote, CheckedVote};
use super::ledger::Ledger;
use super::{Accepted, AuthorityKey, Ballot, DocumentKeeper, VerifiedDocument, network_id};
use crate::Error;

/// Nobody signs a document that lacks a vote that they have had for so long, ms.
const SETTLED_MS: u64 = 2_000;
/// How long votes must rest before they are proposed, ms: all authorities see the same node come.
const REST_MS: u64 = 500;
/// How long a leader waits for the vote of an authority that is linked and has not voted in this
/// epoch, ms.
const GATHER_MS: u64 = 2_000;
/// How long a leader has, ms; then it is the next one's turn.
const PATIENCE_MS: u64 = 3_000;
/// How long a proposal waits for another one with the same pair, ms.
const ECHO_MS: u64 = 1_000;
/// How far clocks of authorities may differ, ms.
const SKEW_MS: u64 = 60_000;
/// Revisions are at least so far apart, ms: a leader cannot use up the numbers of an epoch.
const REVISION_MS: u64 = 300;
/// While a document is due, everybody votes again after this time, ms.
const AGAIN_MS: u64 = 10_000;
/// Most votes and proposals of one authority that are looked at in a burst; one more for each
/// second. Checking one takes time.
const HEARD_BURST: u64 = 40;
/// Most votes that one authority is handed in a burst; one more for each second.
const ASKED_BURST: u64 = 16;
/// Most proposals that one authority may pass on in a burst: what all leaders may propose.
const ECHOED_BURST: u64 = 16 * HEARD_BURST;
/// The same misdeed of the same authority is told once in this time, ms.
const TELL_MS: u64 = 60_000;

/// Who we are, and what we and the others have agreed on.
pub struct ConsensusConfig {
    /// All authorities of the network.
    pub set: AuthoritySet,
    /// Our position among them.
    pub me: u8,
    /// The keys that the links of their directories prove, by position.
    pub ids: Vec<NodeId>,
    /// What every document says.
    pub parameters: Parameters,
    /// Epochs and revisions that earlier runs signed.
    pub signed: Vec<(u64, u32)>,
}

/// What an authority did that it must not, or cannot by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misdeed {
    /// It made two votes for one moment.
    TwoVotes,
    /// It made two proposals for one pair of epoch and revision.
    TwoProposals,
    /// Its signature is on two documents with the same epoch and revision.
    TwoDocuments,
    /// It passed on a vote or proposal that nobody signed.
    Forged,
    /// It signed a vote with something impossible in it.
    BadVote,
    /// Its settings are not ours.
    OtherParameters(&'static str),
    /// It proposed what it must not.
    BadProposal(&'static str),
    /// Its signature of our proposal does not hold.
    BadSignature,
}

impl fmt::Display for Misdeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Misdeed::TwoVotes => "it made two different votes for one moment: it is broken or lies",
            Misdeed::TwoProposals => {
                "it made two different proposals for one document: it is broken or lies"
            }
            Misdeed::TwoDocuments => {
                "it SIGNED TWO DIFFERENT DOCUMENTS for one epoch and revision: it is broken or lies"
            }
            Misdeed::Forged => "it sent a vote or proposal that nobody signed",
            Misdeed::BadVote => "its vote lists nodes that did not register, or cannot be used",
            Misdeed::OtherParameters(what) => {
                return write!(
                    f,
                    "its settings differ from ours, and its vote does not count: {what}"
                );
            }
            Misdeed::BadProposal(why) => {
                return write!(f, "its proposal is not acceptable: {why}");
            }
            Misdeed::BadSignature => "its signature does not hold",
        })
    }
}

/// What is to be done, in this order.
pub enum Output {
    /// Send this to one authority.
    Send(u8, Frame),
    /// Put this on the disk, then call [`Consensus::noted`], before anything else is asked for.
    Note(Vec<(u64, u32)>),
    /// An authority says that its directory is here now.
    Found(u8, Vec<Address>),
    /// A newer document, to be handed out.
    Publish(Arc<VerifiedDocument>),
    /// Tell the operator what the authority at this position did.
    Accuse(u8, Misdeed),
}

/// The newest vote of an authority for an epoch.
struct Slot {
    vote: Arc<CheckedVote>,
    since: Timestamp,
    /// When the latest vote was made that we had for `SETTLED_MS`, if it was replaced since.
    settled: Option<Timestamp>,
}

impl Slot {
    /// Votes that were made before this are out of date, and everybody has had time to know it.
    fn settled(&self, now: Timestamp) -> Option<Timestamp> {
        let rests = now.millis_since(self.since) >= SETTLED_MS;
        if rests { Some(self.vote.made) } else { self.settled }
    }
}

/// Another authority, as we see it.
#[derive(Default)]
struct Other {
    linked: bool,
    /// Where its last vote says that it is.
    addresses: Vec<Address>,
    heard: Bucket,
    echoed: Bucket,
    asked: Bucket,
}

/// Counts what somebody takes; it refills with time.
#[derive(Default)]
struct Bucket {
    taken: u64,
    since: Timestamp,
}

impl Bucket {
    /// Takes one of `burst`, of which a fortieth comes back every second.
    fn take(&mut self, now: Timestamp, burst: u64) -> bool {
        let seconds = now.millis_since(self.since).checked_div(1_000).unwrap_or(0);
        if seconds > 0 {
            let back = burst.checked_div(40).unwrap_or(0).max(1);
            self.taken = self.taken.saturating_sub(seconds.saturating_mul(back));
            self.since = now;
        }
        let may = self.taken < burst;
        self.taken = self.taken.saturating_add(u64::from(may));
        may
    }
}

/// One authority among several.
pub struct Consensus {
    config: ConsensusConfig,
    network: NetworkId,
    key: AuthorityKey,
    others: BTreeMap<u8, Other>,
    votes: BTreeMap<(u64, u8), Slot>,
    /// When our last vote was made.
    made: Timestamp,
    /// When our vote was last sent to everybody.
    told: Timestamp,
    keeper: DocumentKeeper,
    ledger: Ledger,
    /// Signatures that wait for the disk.
    noting: VecDeque<Noting>,
    /// When signatures for further revisions were given lately.
    revisions: VecDeque<Timestamp>,
    led: Led,
    offered: BTreeMap<u8, Offered>,
    accused: BTreeMap<(u8, Misdeed), Timestamp>,
    outputs: VecDeque<Output>,
}

/// A document that we are about to sign.
struct Noting {
    /// Who proposed it.
    leader: u8,
    pair: (u64, u32),
    document: Vec<u8>,
}

impl Consensus {
    /// One of the authorities of `config.set`, without votes or documents.
    #[must_use]
    pub fn new(config: ConsensusConfig, key: AuthorityKey) -> Self {
        let count = u8::try_from(config.set.authorities.len()).unwrap_or(u8::MAX);
        let me = config.me;
        Consensus {
            network: network_id(&config.set),
            others: (0..count).filter(|n| *n != me).map(|n| (n, Other::default())).collect(),
            ledger: Ledger::new(config.signed.clone()),
            config,
            key,
            votes: BTreeMap::new(),
            made: Timestamp::ZERO,
            told: Timestamp::ZERO,
            keeper: DocumentKeeper::new(),
            noting: VecDeque::new(),
            revisions: VecDeque::new(),
            led: Led::default(),
            offered: BTreeMap::new(),
            accused: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// A link to another authority came up or went down. What was sent on the last one may be lost.
    pub fn link(&mut self, now: Timestamp, real: Timestamp, authority: u8, up: bool) {
        self.tidy(now, real);
        let Some(other) = self.others.get_mut(&authority) else { return };
        other.linked = up;
        if up {
            let sends = self.my_votes().into_iter().map(|frame| Output::Send(authority, frame));
            self.outputs.extend(sends);
        }
    }

    /// What we would list in this epoch, when that or the epoch changed.
    ///
    /// # Errors
    /// [`Error::Signing`].
    pub fn vote(
        &mut self,
        now: Timestamp,
        real: Timestamp,
        epoch: u64,
        ballot: Ballot,
    ) -> Result<(), Error> {
        self.tidy(now, real);
        // Rising, unless a clock that was ahead is right again: nobody has believed it.
        if self.made > real.plus_millis(SKEW_MS) {
            self.made = Timestamp::ZERO;
            self.votes.remove(&(epoch, self.config.me));
        }
        self.made = real.max(self.made.plus_millis(1));
        let ConsensusConfig { me, parameters, set, .. } = &self.config;
        let stamp = (epoch, self.made);
        let bytes = vote::make(&self.key, *me, self.network, parameters, stamp, ballot)?;
        let Ok(vote) = vote::open(&bytes, set, &self.network, parameters) else {
            return Err(Error::BadDescriptor);
        };
        self.keep(now, Arc::new(vote));
        self.tell_vote(now);
        Ok(())
    }

    /// A frame from another authority. Others are not heard, and neither is a frame that
    /// authorities do not send.
    pub fn heard(&mut self, now: Timestamp, real: Timestamp, from: u8, frame: Frame) {
        self.tidy(now, real);
        if !self.others.contains_key(&from) {
            return;
        }
        match frame {
            Frame::Vote(bytes) => self.heard_vote(now, real, from, &bytes),
            Frame::GetVote(hash) => self.hand_out(now, from, &hash),
            Frame::Proposal(bytes) => match wire::decode(&bytes, "proposal") {
                Ok(signed) => self.heard_proposal(now, real, from, signed),
                Err(_) => self.accuse(now, from, Misdeed::Forged),
            },
            Frame::Cosignature(bytes) => match wire::decode(&bytes, "signature") {
                Ok(signature) => self.heard_signature(now, real, from, signature),
                Err(_) => self.accuse(now, from, Misdeed::BadSignature),
            },
            _ => {}
        }
        self.lead(now, real);
    }

    /// A signed document that another authority hands out, or that an earlier run kept.
    pub fn document(&mut self, now: Timestamp, real: Timestamp, bytes: &[u8]) {
        self.tidy(now, real);
        if let Ok(document) = super::verify(bytes, &self.network) {
            self.take(now, real, document);
        }
    }

    /// Does what has become due. Call it about ten times a second.
    pub fn tick(&mut self, now: Timestamp, real: Timestamp) {
        self.tidy(now, real);
        self.decide(now, real);
        self.lead(now, real);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What [`Output::Note`] asked for is on the disk, or could not be put there. Then nothing is
    /// signed, and its pair is used up all the same.
    pub fn noted(&mut self, now: Timestamp, real: Timestamp, durable: bool) {
        let Some(noting) = self.noting.pop_front().filter(|_| durable) else { return };
        self.sign(now, real, noting);
    }

    /// The document in use.
    #[must_use]
    pub fn current(&self) -> Option<Arc<VerifiedDocument>> {
        self.keeper.current()
    }

    /// Authorities that we have a link to.
    #[must_use]
    pub fn linked(&self) -> usize {
        self.others.values().filter(|other| other.linked).count()
    }

    fn threshold(&self) -> usize {
        usize::from(self.config.set.threshold)
    }

    fn epoch(&self, real: Timestamp) -> u64 {
        real.period(self.config.parameters.epoch_ms)
    }

    /// Who leads this revision.
    fn leader(&self, epoch: u64, revision: u32) -> u8 {
        let count = u64::try_from(self.config.set.authorities.len()).unwrap_or(1);
        let turn = epoch.wrapping_add(u64::from(revision)).checked_rem(count).unwrap_or(0);
        u8::try_from(turn).unwrap_or(0)
    }

    /// Forgets votes of epochs that are over, or that a wrong clock made us believe in.
    fn tidy(&mut self, now: Timestamp, real: Timestamp) {
        let epoch = self.epoch(real);
        let near = epoch..=epoch.saturating_add(1);
        self.votes.retain(|(of, _), _| near.contains(of));
        self.accused.retain(|_, at| now.millis_since(*at) < TELL_MS);
    }

    fn accuse(&mut self, now: Timestamp, authority: u8, misdeed: Misdeed) {
        if self.accused.insert((authority, misdeed), now).is_none() {
            self.outputs.push_back(Output::Accuse(authority, misdeed));
        }
    }

    /// Keeps a vote if it is newer than the one that we have.
    fn keep(&mut self, now: Timestamp, vote: Arc<CheckedVote>) {
        let key = (vote.epoch, vote.authority);
        let old = self.votes.get(&key);
        match old.map(|slot| vote.made.cmp(&slot.vote.made)) {
            Some(std::cmp::Ordering::Less) => {}
            Some(std::cmp::Ordering::Equal) => {
                if old.is_some_and(|slot| slot.vote.hash != vote.hash) {
                    self.accuse(now, vote.authority, Misdeed::TwoVotes);
                }
            }
            _ => {
                let settled = old.and_then(|slot| slot.settled(now));
                self.note_place(&vote);
                self.votes.insert(key, Slot { vote, since: now, settled });
            }
        }
    }

    /// Where another authority says that it is; what it says is signed.
    fn note_place(&mut self, vote: &CheckedVote) {
        let Some(other) = self.others.get_mut(&vote.authority) else { return };
        if !vote.addresses.is_empty() && other.addresses != vote.addresses {
            other.addresses.clone_from(&vote.addresses);
            self.outputs.push_back(Output::Found(vote.authority, vote.addresses.clone()));
        }
    }

    fn heard_vote(&mut self, now: Timestamp, real: Timestamp, from: u8, bytes: &[u8]) {
        let known = |slot: &Slot| slot.vote.bytes == bytes;
        if self.votes.values().any(known) || !self.looks_at(now, from) {
            return;
        }
        let ConsensusConfig { set, parameters, .. } = &self.config;
        match vote::open(bytes, set, &self.network, parameters) {
            Ok(vote) => {
                let vote = Arc::new(vote);
                let epoch = self.epoch(real);
                let near = epoch..=epoch.saturating_add(1);
                let timely = near.contains(&vote.epoch) && vote.made <= real.plus_millis(SKEW_MS);
                // Our own comes back only if we have forgotten it.
                if timely && vote.authority != self.config.me {
                    self.keep(now, vote.clone());
                }
                self.complete(&vote);
            }
            Err(BadVote::Unsigned) => self.accuse(now, from, Misdeed::Forged),
            Err(BadVote::Nonsense(of)) => self.accuse(now, of, Misdeed::BadVote),
            Err(BadVote::OtherParameters(of, what)) => {
                self.accuse(now, of, Misdeed::OtherParameters(what));
            }
        }
    }

    /// Whether one more vote or proposal of this authority is looked at.
    fn looks_at(&mut self, now: Timestamp, from: u8) -> bool {
        self.others.get_mut(&from).is_some_and(|other| other.heard.take(now, HEARD_BURST))
    }

    fn hand_out(&mut self, now: Timestamp, to: u8, hash: &VoteHash) {
        let asked = |other: &mut Other| other.asked.take(now, ASKED_BURST);
        if !self.others.get_mut(&to).is_some_and(asked) {
            return;
        }
        let mut held = self.votes.values().map(|slot| &slot.vote).chain(self.led.votes());
        if let Some(vote) = held.find(|vote| vote.hash == *hash) {
            let frame = Frame::Vote(vote.bytes.clone());
            self.outputs.push_back(Output::Send(to, frame));
        }
    }

    fn tell_vote(&mut self, now: Timestamp) {
        self.told = now;
        for frame in self.my_votes() {
            self.tell(&frame);
        }
    }

    fn my_votes(&self) -> Vec<Frame> {
        let mine = self.votes.iter().filter(|((_, of), _)| *of == self.config.me);
        mine.map(|(_, slot)| Frame::Vote(slot.vote.bytes.clone())).collect()
    }

    /// Sends to all that are linked.
    fn tell(&mut self, frame: &Frame) {
        let linked = self.others.iter().filter(|(_, other)| other.linked);
        let sends = linked.map(|(to, _)| Output::Send(*to, frame.clone()));
        self.outputs.extend(sends);
    }

    /// Takes a good document, if it is newer than ours.
    fn take(&mut self, now: Timestamp, real: Timestamp, document: VerifiedDocument) {
        let signers = document.signers().clone();
        match self.keeper.offer(now, real, document) {
            Ok(Accepted::Newer) => {
                self.led.agreed();
                self.outputs.extend(self.keeper.current().map(Output::Publish));
            }
            Err(Error::Equivocation) => {
                let both = self.keeper.current().map(|d| d.signers() & &signers);
                for twice in both.unwrap_or_default() {
                    self.accuse(now, twice, Misdeed::TwoDocuments);
                }
            }
            _ => {}
        }
    }

    /// The document in use, unless a wrong clock has made us take it.
    fn timely(&self, real: Timestamp) -> Option<Arc<VerifiedDocument>> {
        self.keeper.current().filter(|d| d.published <= real.plus_millis(SKEW_MS))
    }

    /// The document of this epoch, if there is one.
    fn agreed(&self, epoch: u64) -> Option<Arc<VerifiedDocument>> {
        self.keeper.current().filter(|d| d.epoch == epoch)
    }
}
