//! The listening side: one reader and one writer task per link.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use net::{Incoming, LinkReader, LinkWriter};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use wire::frame::RefusedReason;
use wire::{Address, BootId, ClientToken, Frame, NodeId};

use super::core::Input;
use super::follow::Current;
use crate::inbox::Deliver;
use crate::outgoing::{Budget, Next, Outgoing, Queue, Rank};

#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) inputs: mpsc::Sender<Input>,
    pub(crate) document: watch::Receiver<Current>,
    pub(crate) boot: BootId,
    pub(crate) deliver: Option<Deliver>,
    pub(crate) budget: Budget,
    /// The directories of the network; what they say about themselves goes there.
    pub(crate) directories: Arc<BTreeSet<NodeId>>,
    pub(crate) moved: mpsc::Sender<(NodeId, Vec<Address>)>,
}

impl Shared {
    /// Whether the document names this node.
    fn lists(&self, node: &NodeId) -> bool {
        self.document.borrow().as_ref().is_some_and(|document| document.node(node).is_some())
    }
}

/// Packets per second that a link of somebody who is no node may send for long.
const CLIENT_RATE: u64 = 250;
/// And how many at once.
const CLIENT_BURST: u64 = 500;

/// How fast a link is read: a flooding client fills its own link and nobody else's queue.
struct Pace {
    /// When the next packet would be due at the steady rate.
    next: Instant,
}

impl Pace {
    fn new() -> Self {
        Pace { next: Instant::now() }
    }

    async fn wait(&mut self) {
        let now = Instant::now();
        let step = Duration::from_micros(1_000_000 / CLIENT_RATE);
        let burst = Duration::from_micros(1_000_000 / CLIENT_RATE * CLIENT_BURST);
        self.next = self.next.max(now) + step;
        if self.next > now + burst {
            tokio::time::sleep_until(self.next - burst).await;
        }
    }
}

/// Numbers links, for detaching and for the hub's per-connection bounds.
static LINKS: AtomicU64 = AtomicU64::new(1);

/// Returns a number that no other link of this process has.
pub(crate) fn next_link() -> u64 {
    LINKS.fetch_add(1, Ordering::Relaxed)
}

pub(crate) async fn serve(incoming: Incoming, shared: Shared) {
    let number = next_link();
    let peer = incoming.peer;
    let (mut reader, writer) = incoming.link.split();
    let listed = peer.is_some_and(|peer| shared.lists(&peer));
    let rank = if listed { Rank::Node } else { Rank::Stranger };
    let (out, queue) = shared.budget.open(number, rank);
    let given_up = queue.given_up();
    let writing = write(writer, queue, shared.document.clone());
    let mut attached = None;
    if let Some(node) = peer {
        let opened = Input::Opened { node, link: number, to: out.clone() };
        if shared.inputs.send(opened).await.is_err() {
            return;
        }
    }
    let reading = async {
        if let Err(error) = read(&mut reader, (number, peer), &shared, &out, &mut attached).await {
            tracing::debug!(%error, "link closed");
        }
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
        () = given_up => tracing::debug!("link closed: others needed its seat, or it filled its share of memory"),
    }
    if let Some(node) = peer {
        let _ = shared.inputs.send(Input::Closed { node, link: number }).await;
    }
    if let Some(token) = attached {
        let _ = shared.inputs.send(Input::Detach { token, link: number }).await;
    }
    if let Some(deliver) = &shared.deliver {
        deliver.gone(number);
    }
}

async fn write(mut writer: LinkWriter, mut queue: Queue, document: watch::Receiver<Current>) {
    while let Some(next) = queue.next().await {
        let frame = match next {
            Next::Frame(frame) => frame,
            Next::Document => bring(&document.borrow().clone()),
        };
        if writer.feed(&frame).await.is_err() {
            return;
        }
        while let Some(more) = queue.more() {
            if writer.feed(&more).await.is_err() {
                return;
            }
        }
        if writer.flush().await.is_err() {
            return;
        }
    }
}

/// The document, for anybody who asks.
fn bring(current: &Current) -> Frame {
    match current {
        None => Frame::Refused(RefusedReason::NotReady),
        // Only its directory knows who may read it.
        Some(document) if document.sealed => Frame::Refused(RefusedReason::NotEnrolled),
        Some(document) => Frame::Document(document.bytes().to_vec()),
    }
}

async fn read(
    reader: &mut LinkReader,
    (number, peer): (u64, Option<NodeId>),
    shared: &Shared,
    out: &Outgoing,
    attached: &mut Option<ClientToken>,
) -> Result<(), net::Error> {
    let mut pace = Pace::new();
    while let Some(frame) = reader.read().await? {
        out.heard();
        match frame {
            Frame::Packet { epoch, packet } => {
                let from_node = peer.is_some_and(|peer| shared.lists(&peer));
                if from_node {
                    out.rank(Rank::Node);
                } else {
                    pace.wait().await;
                }
                // Awaiting here is the back-pressure: a flooding link is read no faster than the
                // core works.
                if shared.inputs.send(Input::Packet { epoch, packet, from_node }).await.is_err() {
                    return Ok(());
                }
            }
            Frame::Attach(token) => {
                if attached.is_none() {
                    *attached = Some(token);
                    let input = Input::Attach { token, link: number, to: out.clone() };
                    if shared.inputs.send(input).await.is_err() {
                        return Ok(());
                    }
                }
                answer(out, Frame::Attached(shared.boot));
            }
            Frame::Ping => answer(out, Frame::Pong),
            Frame::GetDocument(known) => {
                let current = shared.document.borrow().clone();
                match current.filter(|d| !d.sealed && known == Some(d.hash())) {
                    Some(_) => answer(out, Frame::NotModified),
                    None => out.document(),
                }
            }
            Frame::HubRequest(id, request) => match &shared.deliver {
                Some(deliver) => {
                    if !deliver.direct(number, id, request, out.clone()).await {
                        return Ok(());
                    }
                }
                None => answer(out, Frame::Refused(RefusedReason::NotHere)),
            },
            Frame::Pong => {}
            Frame::Moved(moved) => match peer.filter(|peer| shared.directories.contains(peer)) {
                // Lost if many come at a time: it is said again until we are there.
                Some(directory) => drop(shared.moved.try_send((directory, moved.addresses))),
                None => answer(out, Frame::Refused(RefusedReason::NotHere)),
            },
            _ => answer(out, Frame::Refused(RefusedReason::NotHere)),
        }
    }
    Ok(())
}

fn answer(out: &Outgoing, frame: Frame) {
    // Without room the link is being closed.
    let _ = out.try_send(frame);
}
