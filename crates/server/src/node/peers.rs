//! Links to the other nodes of the document. Each works both ways: packets come back on it, which
//! is how a relay that nobody reaches takes part (`PATH-008`).
//!
//! ```text
//!                    named, can be dialled            named no more
//!   unknown ───────────────────────────► dialled ──────────────────► lingers ──► unknown
//!      │  named, dials only                 ▲ ▼ addresses change        ▲
//!      └────────────────────────────────► waits for its link ───────────┘
//! ```
//!
//! The link that a node opened is kept by the identity that it proved, so nobody but the node
//! itself can take it over. Of two, the newer one counts: the older may be dead without our
//! knowing. A packet goes there only while a document names that node, or lingers on it: else
//! whoever connects could be made a hop by whoever makes packets.

use std::collections::HashMap;
use std::time::Duration;

use mix::directory::VerifiedDocument;
use net::{Dialer, Identity, Outbound, OutboundConfig, OutboundSender, Status};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use wire::document::NodeDescriptor;
use wire::{Address, Frame, NodeId, Timestamp};

use super::core::Input;
use crate::outgoing::{Outgoing, Rank};

/// How soon a peer that hangs is noticed: twice this.
const PEER_PING: Duration = Duration::from_secs(10);

/// Packets that wait in front of a link on which they do not just pass.
const WAITING: usize = 8;

/// What stands on links.
#[derive(Debug, Default)]
pub(crate) struct Load {
    pub(crate) links: usize,
    /// Frames that have left over them.
    pub(crate) sent: u64,
    /// How many of them frames wait for.
    pub(crate) waiting: usize,
}

pub(crate) struct Peers {
    identity: Identity,
    dialer: Dialer,
    inputs: mpsc::Sender<Input>,
    peers: HashMap<NodeId, Peer>,
    /// The links that nodes opened towards us, and anybody else who proved a key: at most as many
    /// as the listener takes.
    opened: HashMap<NodeId, (u64, Outgoing)>,
}

/// A node of the document.
struct Peer {
    /// None where there is no address that we could dial.
    link: Option<Dialled>,
    /// Where it leads.
    addresses: Vec<Address>,
    /// Whether it reads the links that it opens.
    both_ways: bool,
    /// When it is forgotten, once no document names the node any more: packets to it may still be
    /// under way.
    until: Option<Timestamp>,
}

/// A link that we opened.
struct Dialled {
    sender: OutboundSender,
    status: watch::Receiver<Status>,
    task: JoinHandle<()>,
    /// Closes it, after what is queued has left.
    close: DropGuard,
}

impl Peers {
    pub(crate) fn new(identity: Identity, dialer: Dialer, inputs: mpsc::Sender<Input>) -> Self {
        Peers { identity, dialer, inputs, peers: HashMap::new(), opened: HashMap::new() }
    }

    /// Forgets those whose time is over.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        self.peers.retain(|_, peer| peer.until.is_none_or(|until| now < until));
    }

    /// Keeps a link to every node in the document, so that the first packet does not wait for a
    /// handshake; those that it does not name any more stay until then.
    pub(crate) fn follow(&mut self, document: &VerifiedDocument, until: Timestamp) {
        for (id, peer) in &mut self.peers {
            peer.until = match document.node(id) {
                Some(_) => None,
                None => peer.until.or(Some(until)),
            };
        }
        for node in &document.nodes {
            self.keep(node, self.dialer.order(&node.addresses));
        }
        for node in &document.dials_only {
            self.keep(node, Vec::new());
        }
    }

    fn keep(&mut self, node: &NodeDescriptor, addresses: Vec<Address>) {
        if node.id == self.identity.node_id() {
            return;
        }
        if let Some(peer) = self.peers.get_mut(&node.id).filter(|p| p.addresses == addresses) {
            peer.both_ways = node.both_ways;
            return;
        }
        // A node that has moved is dialled again; what waited for its old address is lost, and the
        // ends retry.
        let link = (!addresses.is_empty()).then(|| self.dial(node.id, addresses.clone()));
        let peer = Peer { link, addresses, both_ways: node.both_ways, until: None };
        self.peers.insert(node.id, peer);
    }

    fn dial(&self, node: NodeId, addresses: Vec<Address>) -> Dialled {
        let link = Outbound::spawn(OutboundConfig {
            // Reconnect soon after one restarts.
            backoff_max: Duration::from_secs(2),
            ping_after: PEER_PING,
            pong_timeout: PEER_PING,
            dialer: self.dialer.clone(),
            ..OutboundConfig::new(addresses, node, Some(self.identity.clone()))
        });
        let (sender, status) = (link.sender(), link.status());
        let close = CancellationToken::new();
        let task = tokio::spawn(carry(link, self.inputs.clone(), close.clone()));
        Dialled { sender, status, task, close: close.drop_guard() }
    }

    /// How full the links are that we opened and that are up.
    pub(crate) fn load(&self) -> Load {
        let links = self.peers.values().filter_map(|peer| peer.link.as_ref());
        let mut load = Load::default();
        for link in links.filter(|link| link.status.borrow().is_up()) {
            load.links += 1;
            load.sent = load.sent.saturating_add(link.sender.sent());
            load.waiting += usize::from(link.sender.queued() >= WAITING);
        }
        load
    }

    /// Somebody who proved this key has opened a link.
    pub(crate) fn opened(&mut self, node: NodeId, link: u64, to: Outgoing) {
        self.opened.insert(node, (link, to));
    }

    /// That link is gone. An older one does not take a newer one along.
    pub(crate) fn closed(&mut self, node: NodeId, link: u64) {
        if self.opened.get(&node).is_some_and(|(newest, _)| *newest == link) {
            self.opened.remove(&node);
        }
    }

    /// Sends a packet by our own link if that is up, else by the node's. False if there is neither,
    /// or no room: a full queue belongs to a peer that is down. A mix drops such packets, and the
    /// ends retry.
    pub(crate) fn send(&self, next: &NodeId, frame: Frame) -> bool {
        let Some(peer) = self.peers.get(next) else { return false };
        let up = peer.link.as_ref().is_some_and(|link| link.status.borrow().is_up());
        let opened = self.opened.get(next).filter(|_| peer.both_ways && !up);
        if let Some((_, to)) = opened {
            to.rank(Rank::Node);
            return to.offer(frame).is_ok();
        }
        peer.link.as_ref().is_some_and(|link| link.sender.try_send(frame).is_ok())
    }

    /// Closes all links; together, not one after another: each may take its time to flush.
    pub(crate) async fn close(&mut self) {
        let mut closing = Vec::new();
        for Dialled { task, close, .. } in self.peers.drain().filter_map(|(_, peer)| peer.link) {
            drop(close);
            closing.push(task);
        }
        for task in closing {
            // Its only error is a panic, which the runtime has reported.
            let _ = task.await;
        }
    }
}

/// Takes what comes back on a link that we opened, until it is to be closed. Waiting for the core
/// is the back-pressure.
async fn carry(mut link: Outbound, inputs: mpsc::Sender<Input>, close: CancellationToken) {
    let reading = async {
        while let Some(frame) = link.recv().await {
            let Frame::Packet { epoch, packet } = frame else { continue };
            if inputs.send(Input::Packet { epoch, packet, from_node: true }).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        () = close.cancelled() => {}
        () = reading => {}
    }
    link.shutdown().await;
}

#[cfg(test)]
mod tests {
    use wire::document::{EpochKey, Role, VERSION};

    use super::*;
    use crate::outgoing::{Budget, Next, Queue};

    fn peers() -> (Peers, mpsc::Receiver<Input>) {
        let (inputs, inbox) = mpsc::channel(8);
        (Peers::new(Identity::from_seed(&[1; 32]), Dialer::Direct, inputs), inbox)
    }

    fn node(n: u8) -> NodeDescriptor {
        NodeDescriptor {
            version: VERSION,
            role: Role::Relay,
            id: NodeId::new([n; 32]),
            addresses: Vec::new(),
            region: None,
            rate: 1,
            keys: vec![EpochKey { epoch: 1, key: Vec::new() }],
            processing: None,
            both_ways: true,
            owner: None,
        }
    }

    fn packet() -> Frame {
        Frame::Packet { epoch: 1, packet: vec![7; 100] }
    }

    async fn has_packet(queue: &mut Queue) -> bool {
        let next = tokio::time::timeout(Duration::from_millis(10), queue.next()).await;
        matches!(next, Ok(Some(Next::Frame(Frame::Packet { .. }))))
    }

    //= PATH-008
    #[tokio::test]
    async fn packets_go_back_on_the_newest_link_that_the_node_opened() {
        let (mut peers, _inbox) = peers();
        let budget = Budget::new(1 << 20, 4_096);
        let ((first, mut queue), (second, mut newer)) =
            (budget.open(1, Rank::Stranger), budget.open(2, Rank::Stranger));
        peers.keep(&node(2), Vec::new());
        assert!(!peers.send(&node(2).id, packet()), "it has not come yet");
        peers.opened(node(2).id, 1, first);
        assert!(peers.send(&node(2).id, packet()));
        assert!(has_packet(&mut queue).await);
        // It lost its line, which the older link does not know, and has come again.
        peers.opened(node(2).id, 2, second);
        peers.closed(node(2).id, 1);
        assert!(peers.send(&node(2).id, packet()));
        assert!(has_packet(&mut newer).await && !has_packet(&mut queue).await);
        peers.closed(node(2).id, 2);
        assert!(!peers.send(&node(2).id, packet()));
    }

    //= PATH-008
    #[tokio::test]
    async fn who_connects_is_made_no_hop_unless_a_document_names_it() {
        let (mut peers, _inbox) = peers();
        let budget = Budget::new(1 << 20, 4_096);
        let (stranger, mut queue) = budget.open(1, Rank::Stranger);
        peers.opened(node(3).id, 1, stranger.clone());
        assert!(!peers.send(&node(3).id, packet()), "no document names it");
        // Nor does it get what is meant for somebody else.
        peers.keep(&node(2), Vec::new());
        assert!(!peers.send(&node(2).id, packet()));
        // Older nodes do not read the links that they open.
        peers.opened(node(4).id, 1, stranger);
        peers.keep(&NodeDescriptor { both_ways: false, ..node(4) }, Vec::new());
        assert!(!peers.send(&node(4).id, packet()));
        assert!(!has_packet(&mut queue).await);
    }

    #[tokio::test]
    async fn a_node_that_reads_nothing_fills_its_own_share_and_keeps_its_link() {
        let (mut peers, _inbox) = peers();
        let (to, queue) = Budget::new(1 << 30, 4_096).open(1, Rank::Stranger);
        peers.keep(&node(2), Vec::new());
        peers.opened(node(2).id, 1, to);
        let sent = (0..100_000).take_while(|_| peers.send(&node(2).id, packet())).count();
        assert!(sent > 1_000 && sent < 100_000, "{sent}");
        drop(queue);
        assert!(!peers.send(&node(2).id, packet()));
    }
}
