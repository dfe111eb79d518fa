//! One of several directories: votes, links to the others, and what the consensus asks for.

use std::sync::Arc;
use std::time::Duration;

use jail::StateDir;
use mix::directory::VerifiedDocument;
use mix::directory::consensus::{Consensus, Output};
use net::{Dialer, DownReason, Identity, OutboundConfig};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wire::frame::Credential;
use wire::id::AdmissionToken;
use wire::{Address, Frame, NodeId};

use super::members::Members;
use super::{Shared, TICK, keep_signed, moved};
use crate::links::{Event, Links};

/// File of the document in use.
const DOCUMENT: &str = "document";
/// How soon another directory that hangs is noticed: twice this.
const PING: Duration = Duration::from_secs(10);
/// Frames of the others that wait; who sends more is read no further.
pub(super) const HEARD: usize = 4;

/// What one of several directories works with.
pub(super) struct Several {
    pub(super) consensus: Consensus,
    pub(super) me: u8,
    pub(super) members: Members,
    pub(super) identity: Identity,
    pub(super) token: AdmissionToken,
    pub(super) dialer: Dialer,
    /// Frames that the others sent over their links to us.
    pub(super) heard: mpsc::Receiver<(u8, Frame)>,
    pub(super) state: StateDir,
    pub(super) epoch_ms: u64,
}

/// Its place among all directories, as `join` has printed it: from 1.
fn place(authority: u8) -> usize {
    usize::from(authority) + 1
}

/// Runs until it is stopped.
pub(super) async fn run(mut me: Several, shared: Arc<Shared>, stop: CancellationToken) {
    // Their positions, in the order of the links.
    let others: Vec<u8> = me.others().map(|(n, ..)| n).collect();
    let mut links = Links::open(me.configs());
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    if let Ok(Some(kept)) = me.state.read(DOCUMENT) {
        me.consensus.document(shared.clock.now(), shared.clock.real(), &kept);
    }
    loop {
        let happened = tokio::select! {
            () = stop.cancelled() => break,
            _ = tick.tick() => None,
            (n, event) = links.next() => others.get(n).map(|from| (*from, event)),
            frame = me.heard.recv() => frame.map(|(from, frame)| (from, Event::Frame(frame))),
        };
        let (now, real) = (shared.clock.now(), shared.clock.real());
        match happened {
            None => {
                me.vote(&shared);
                me.consensus.tick(now, real);
            }
            Some((from, Event::Up)) => {
                tracing::info!(directory = place(from), "linked to another directory");
                me.consensus.link(now, real, from, true);
            }
            Some((from, Event::Down)) => {
                tracing::warn!(directory = place(from), "the link to another directory is down");
                me.consensus.link(now, real, from, false);
            }
            Some((from, Event::Hopeless(DownReason::OtherVersion))) => tracing::error!(
                directory = place(from),
                "another directory speaks another version of the protocol (hint: update whichever is older)"
            ),
            Some((from, Event::Hopeless(_))) => tracing::warn!(
                directory = place(from),
                "this machine has no way to the address of another directory"
            ),
            Some((_, Event::Frame(Frame::Document(bytes)))) => {
                me.consensus.document(now, real, &bytes);
            }
            Some((from, Event::Frame(frame))) => me.consensus.heard(now, real, from, frame),
        }
        me.act(&shared, &links, &others);
    }
    links.shutdown().await;
}

impl Several {
    /// The other directories: position, key, addresses.
    fn others(&self) -> impl Iterator<Item = (u8, NodeId, &[Address])> {
        let cards = (0_u8..).zip(self.members.cards());
        let others = cards.filter(|(n, _)| *n != self.me);
        others.map(|(n, card)| (n, card.id, card.addresses.as_slice()))
    }

    fn configs(&self) -> Vec<OutboundConfig> {
        // From then on each document that it has and we do not comes over this link.
        let hello = Frame::GetDocumentAs(None, Credential::Node(self.token));
        let config = |(_, id, addresses): (u8, NodeId, &[Address])| OutboundConfig {
            hello: vec![hello.clone()],
            backoff_max: Duration::from_secs(2),
            ping_after: PING,
            pong_timeout: PING,
            dialer: self.dialer.clone(),
            ..OutboundConfig::new(self.dialer.order(addresses), id, Some(self.identity.clone()))
        };
        self.others().map(config).collect()
    }

    fn vote(&mut self, shared: &Shared) {
        let (now, real) = (shared.clock.now(), shared.clock.real());
        let due = shared.assembler().poll_vote(real);
        if let Some((epoch, ballot)) = due {
            tracing::debug!(epoch, nodes = ballot.nodes.len(), "vote");
            if let Err(error) = self.consensus.vote(now, real, epoch, ballot) {
                tracing::error!(%error, "cannot vote");
            }
        }
    }

    /// Does what the consensus asks for.
    fn act(&mut self, shared: &Shared, links: &Links, others: &[u8]) {
        while let Some(output) = self.consensus.poll() {
            match output {
                Output::Send(to, frame) => {
                    if let Some(n) = others.iter().position(|other| *other == to) {
                        links.send(n, frame);
                    }
                }
                Output::Note(signed) => {
                    let noted = keep_signed(&self.state, self.epoch_ms, signed);
                    if let Err(error) = &noted {
                        tracing::error!(%error, "nothing is signed");
                    }
                    let (now, real) = (shared.clock.now(), shared.clock.real());
                    self.consensus.noted(now, real, noted.is_ok());
                }
                Output::Found(authority, addresses) => {
                    self.look_for(authority, &addresses, links, others);
                }
                Output::Publish(document) => self.publish(shared, &document),
                Output::Accuse(authority, misdeed) => {
                    tracing::error!(directory = place(authority), "another directory: {misdeed}");
                }
            }
        }
    }

    /// A link that is up stays; the next one is dialled where the directory says that it is, then
    /// where its card does.
    fn look_for(&self, authority: u8, said: &[Address], links: &Links, others: &[u8]) {
        let card = self.others().find(|(n, ..)| *n == authority);
        let link = others.iter().position(|other| *other == authority);
        if let Some(((.., card), link)) = card.zip(link) {
            let new = card.iter().filter(|address| !said.contains(address));
            let all: Vec<Address> = said.iter().chain(new).copied().collect();
            links.set_addresses(link, self.dialer.order(&all));
        }
    }

    fn publish(&self, shared: &Shared, document: &VerifiedDocument) {
        if let Err(error) = self.state.write(DOCUMENT, document.bytes()) {
            tracing::warn!(%error, "the network document is not kept");
        }
        moved::note(&self.state, shared.assembler().directories(), document);
        shared.publish(document, document.bytes().to_vec(), document.hash());
    }
}
