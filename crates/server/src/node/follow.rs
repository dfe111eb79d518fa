//! The links to all directories: register us, and hand on each newer document, whoever brings it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jail::StateDir;
use mix::directory::{DocumentKeeper, VerifiedDocument};
use net::{Clock, Dialer, DownReason, Identity, OutboundConfig};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use wire::document::Role;
use wire::frame::{Credential, RefusedReason, Suspected};
use wire::id::AdmissionToken;
use wire::{Address, Frame, NetworkPointer, NodeId, Timestamp, pointer};

use super::moves::Moves;
use crate::accept::SILENCE;
use crate::links::{Event, Links};

/// A document as tasks share it.
pub(crate) type Current = Option<Arc<VerifiedDocument>>;

/// Who loses our loops.
#[derive(Default)]
pub(crate) struct Suspects {
    /// When this was so, by our own clock.
    pub(crate) at: Timestamp,
    pub(crate) suspected: Vec<Suspected>,
}

impl Suspects {
    /// Whether these are the same, for however long.
    pub(crate) fn names(&self, others: &[Suspected]) -> bool {
        self.suspected.iter().map(|s| s.suspect).eq(others.iter().map(|s| s.suspect))
    }

    /// What a directory is told now.
    fn report(&self, now: Timestamp) -> Frame {
        let passed = u32::try_from(now.millis_since(self.at)).unwrap_or(u32::MAX);
        let aged = |s: &Suspected| Suspected { since_ms: s.since_ms.saturating_add(passed), ..*s };
        Frame::Report(self.suspected.iter().map(aged).collect())
    }
}

pub(crate) struct Follow {
    pub(crate) role: Role,
    pub(crate) pointer: NetworkPointer,
    pub(crate) dialer: Dialer,
    pub(crate) token: AdmissionToken,
    pub(crate) identity: Identity,
    pub(crate) clock: Clock,
    pub(crate) document: watch::Sender<Current>,
    /// Our signed descriptor, CBOR, once the core has keys.
    pub(crate) descriptor: watch::Receiver<Option<Vec<u8>>>,
    /// Who loses our loops, for the directories (`DIR-017`).
    pub(crate) suspects: watch::Receiver<Suspects>,
    pub(crate) admitted: watch::Sender<bool>,
    /// Directories that say where they are now, each on a link that proves who it is.
    pub(crate) moved: mpsc::Receiver<(NodeId, Vec<Address>)>,
    /// Where the document is kept: a node that starts again while the directory is gone goes on.
    pub(crate) state: StateDir,
}

const CACHE: &str = "document";
/// How often the directories are told who loses our loops.
const REPORT: Duration = Duration::from_secs(60);
/// How often the directory is asked while there is no good document.
const ASK_AGAIN: Duration = Duration::from_secs(5);

pub(crate) async fn follow(mut me: Follow, stop: CancellationToken) {
    let mut keeper = DocumentKeeper::new();
    if let Ok(Some(bytes)) = me.state.read(CACHE) {
        take(&me, &mut keeper, &bytes);
    }
    let mut moves = Moves::load(&me.state);
    let mut ids = pointer::ids(&me.pointer.directories);
    let place = |me: &Follow, keeper: &DocumentKeeper, moves: &Moves, id| {
        moves.addresses(&me.pointer, keeper.current().as_deref().map(|d| &**d), id, &me.dialer)
    };
    ids.retain(|id| !place(&me, &keeper, &moves, *id).is_empty());
    if ids.is_empty() {
        tracing::error!("no directory can be reached: its address is an onion one (hint: --tor)");
        return;
    }
    let config = |id: &NodeId| config(&me, *id, place(&me, &keeper, &moves, *id));
    let mut links = Links::open(ids.iter().map(config).collect::<Vec<_>>());
    // The directories that have admitted us.
    let mut admitting = BTreeSet::new();
    let mut again = tokio::time::interval_at(tokio::time::Instant::now() + ASK_AGAIN, ASK_AGAIN);
    let mut report = tokio::time::interval(REPORT);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            changed = me.descriptor.changed() => {
                if changed.is_err() { break }
                if let Some(frame) = registration(&me) {
                    links.send_all(&frame);
                }
            }
            changed = me.suspects.changed() => {
                if changed.is_err() { break }
                links.send_all(&me.suspects.borrow_and_update().report(me.clock.now()));
                report.reset();
            }
            _ = report.tick(), if !me.suspects.borrow().suspected.is_empty() => {
                links.send_all(&me.suspects.borrow().report(me.clock.now()));
            }
            Some((directory, addresses)) = me.moved.recv() => {
                tracing::info!("a directory has moved");
                moves.note(&me.state, directory, addresses);
                look_again(&links, &ids, |id| place(&me, &keeper, &moves, id));
            }
            // A document that was refused for its time may be good once the clock is set.
            _ = again.tick(), if keeper.current().is_none_or(|d| me.clock.real() > d.valid_until) => {
                links.send_all(&Frame::GetDocument(None));
            }
            (from, event) = links.next() => match event {
                Event::Up => {
                    if let Some(frame) = registration(&me) {
                        links.send(from, frame);
                    }
                }
                // Trying again does not change that.
                Event::Hopeless(DownReason::OtherVersion) => tracing::error!(
                    "the directory speaks another version of the protocol (hint: update whichever is older, this node or the directory)"
                ),
                Event::Hopeless(_) => tracing::warn!(
                    "the directory cannot be reached: this machine has no way to its address (hint: check the network; with IPv6 alone, a directory with an IPv4 address is out of reach without --tor)"
                ),
                Event::Down => {
                    admitting.remove(&from);
                    me.admitted.send_replace(!admitting.is_empty());
                }
                Event::Frame(Frame::Document(bytes)) => {
                    if let Some(document) = take(&me, &mut keeper, &bytes) {
                        moves.forget_listed(&me.state, &document);
                        look_again(&links, &ids, |id| place(&me, &keeper, &moves, id));
                    }
                }
                Event::Frame(Frame::Registered(_)) => {
                    admitting.insert(from);
                    if !me.admitted.send_replace(true) {
                        tracing::info!("admitted by the directory");
                    }
                }
                // A sealed network's: nodes get the document for their token.
                Event::Frame(Frame::Refused(RefusedReason::NotEnrolled)) => {
                    let known = keeper.current().map(|d| d.hash());
                    links.send(from, Frame::GetDocumentAs(known, Credential::Node(me.token)));
                }
                Event::Frame(Frame::Refused(reason)) => refused(me.role, from, reason),
                Event::Frame(_) => {}
            },
        }
    }
    links.shutdown().await;
}

/// How to reach a directory: a dead or lying one does not hold up the others.
fn config(me: &Follow, id: NodeId, addresses: Vec<Address>) -> OutboundConfig {
    OutboundConfig {
        hello: vec![Frame::GetDocument(None)],
        backoff_max: Duration::from_secs(2),
        ping_after: SILENCE / 3,
        dialer: me.dialer.clone(),
        ..OutboundConfig::new(addresses, id, Some(me.identity.clone()))
    }
}

/// Links that are up stay; the others are dialled where the directories are now.
fn look_again(links: &Links, ids: &[NodeId], place: impl Fn(NodeId) -> Vec<Address>) {
    for (n, id) in ids.iter().enumerate() {
        links.set_addresses(n, place(*id));
    }
}

/// Our registration, once the core has keys.
fn registration(me: &Follow) -> Option<Frame> {
    let descriptor = me.descriptor.borrow().clone()?;
    Some(Frame::Register { token: me.token, descriptor })
}

/// Gives the document if it is newer than the one in use.
fn take(me: &Follow, keeper: &mut DocumentKeeper, bytes: &[u8]) -> Option<Arc<VerifiedDocument>> {
    let verified = match mix::directory::verify(bytes, &me.pointer.network) {
        Ok(document) => document,
        Err(error) => {
            tracing::warn!(%error, "the directory sent a document that does not verify");
            return None;
        }
    };
    match keeper.offer(me.clock.now(), me.clock.real(), verified) {
        Ok(mix::directory::Accepted::Newer) => {
            if let Err(error) = me.state.write(CACHE, bytes) {
                tracing::warn!(%error, "the network document is not kept");
            }
            let _ = me.document.send(keeper.current());
            return keeper.current();
        }
        Ok(_) => {}
        // One of several directories may lag behind the others.
        Err(error @ mix::Error::RolledBack) if pointer::ids(&me.pointer.directories).len() > 1 => {
            tracing::debug!(%error, "a directory sent a document that we refuse");
        }
        Err(error) => tracing::warn!(%error, "the directory sent a document that we refuse"),
    }
    None
}

fn refused(role: Role, from: usize, reason: RefusedReason) {
    match reason {
        RefusedReason::NotAdmitted => {
            tracing::error!(
                directory = from + 1,
                "the directory does not admit us: wrong token (hint: copy the `token` file of the directory again)"
            );
        }
        // How it lists the relay all the same, its document says.
        RefusedReason::Unreachable if role == Role::Relay => {
            tracing::warn!(
                "the directory does not reach this relay at the address that it announces (hint: open the port, try --map-port, or set `announce` to the address that others reach)"
            );
        }
        RefusedReason::Unreachable => {
            tracing::error!(
                directory = from + 1,
                "the directory does not reach this node at the address that it announces, and does not list it (hint: open the port, try --map-port, or set `announce` to the address that others reach; without a port: --tor)"
            );
        }
        // The directory has just started; it sends its first document by itself.
        RefusedReason::NotReady => tracing::debug!("the directory has no document yet"),
        other => tracing::warn!(?other, "the directory refuses"),
    }
}
