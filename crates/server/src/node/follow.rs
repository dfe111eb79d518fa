//! The link to the directory: registers us, and hands on each newer document.

use std::sync::Arc;
use std::time::Duration;

use jail::StateDir;
use mix::directory::{DocumentKeeper, VerifiedDocument};
use net::{Clock, Dialer, Identity, Outbound, OutboundConfig};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wire::frame::{Credential, RefusedReason};
use wire::id::AdmissionToken;
use wire::{Frame, NetworkPointer};

use crate::accept::SILENCE;

/// A document as tasks share it.
pub(crate) type Current = Option<Arc<VerifiedDocument>>;

pub(crate) struct Follow {
    pub(crate) pointer: NetworkPointer,
    pub(crate) dialer: Dialer,
    pub(crate) token: AdmissionToken,
    pub(crate) identity: Identity,
    pub(crate) clock: Clock,
    pub(crate) document: watch::Sender<Current>,
    /// Our signed descriptor, CBOR, once the core has keys.
    pub(crate) descriptor: watch::Receiver<Option<Vec<u8>>>,
    pub(crate) admitted: watch::Sender<bool>,
    /// Where the document is kept: a node that starts again while the directory is gone goes on.
    pub(crate) state: StateDir,
}

const CACHE: &str = "document";
/// How often the directory is asked while there is no good document.
const ASK_AGAIN: Duration = Duration::from_secs(5);

pub(crate) async fn follow(mut me: Follow, stop: CancellationToken) {
    let reachable = |d: &&wire::DirectoryPointer| me.dialer.reaches(&d.address);
    let Some(directory) = me.pointer.directories.iter().find(reachable).copied() else {
        tracing::error!("no directory can be reached: its address is an onion one (hint: --tor)");
        return;
    };
    let hello = vec![Frame::GetDocument(None)];
    let mut link = Outbound::spawn(OutboundConfig {
        hello,
        backoff_max: Duration::from_secs(2),
        ping_after: SILENCE / 3,
        dialer: me.dialer.clone(),
        ..OutboundConfig::new([directory.address], directory.id, Some(me.identity.clone()))
    });
    let mut status = link.status();
    let mut keeper = DocumentKeeper::new();
    if let Ok(Some(bytes)) = me.state.read(CACHE) {
        take(&me, &mut keeper, &bytes);
    }
    let mut again = tokio::time::interval_at(tokio::time::Instant::now() + ASK_AGAIN, ASK_AGAIN);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            changed = status.changed() => {
                if changed.is_err() { break }
                if status.borrow_and_update().is_up() {
                    register(&me, &link);
                } else {
                    let _ = me.admitted.send(false);
                }
            }
            changed = me.descriptor.changed() => {
                if changed.is_err() { break }
                register(&me, &link);
            }
            // A document that was refused for its time may be good once the clock is set.
            _ = again.tick(), if keeper.current().is_none_or(|d| me.clock.real() > d.valid_until) => {
                let _ = link.try_send(Frame::GetDocument(None));
            }
            frame = link.recv() => match frame {
                None => break,
                Some(Frame::Document(bytes)) => take(&me, &mut keeper, &bytes),
                Some(Frame::Registered(_)) => {
                    if !me.admitted.send_replace(true) {
                        tracing::info!("admitted by the directory");
                    }
                }
                // A sealed network's: nodes get the document for their token.
                Some(Frame::Refused(RefusedReason::NotEnrolled)) => {
                    let known = keeper.current().map(|d| d.hash());
                    let _ = link.try_send(Frame::GetDocumentAs(known, Credential::Node(me.token)));
                }
                Some(Frame::Refused(reason)) => refused(reason),
                Some(_) => {}
            },
        }
    }
    link.shutdown().await;
}

fn register(me: &Follow, link: &Outbound) {
    if let Some(descriptor) = me.descriptor.borrow().clone() {
        // A full queue means that the link is down. The node registers again when it comes up.
        let _ = link.try_send(Frame::Register { token: me.token, descriptor });
    }
}

fn take(me: &Follow, keeper: &mut DocumentKeeper, bytes: &[u8]) {
    let verified = match mix::directory::verify(bytes, &me.pointer.network) {
        Ok(document) => document,
        Err(error) => {
            tracing::warn!(%error, "the directory sent a document that does not verify");
            return;
        }
    };
    match keeper.offer(me.clock.now(), me.clock.real(), verified) {
        Ok(mix::directory::Accepted::Newer) => {
            if let Err(error) = me.state.write(CACHE, bytes) {
                tracing::warn!(%error, "the network document is not kept");
            }
            let _ = me.document.send(keeper.current());
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the directory sent a document that we refuse"),
    }
}

fn refused(reason: RefusedReason) {
    match reason {
        RefusedReason::NotAdmitted => {
            tracing::error!(
                "the directory does not admit us: wrong token (hint: copy the `token` file of the directory again)"
            );
        }
        RefusedReason::Unreachable => {
            tracing::error!(
                "the directory does not reach this node at the address that it announces, and does not list it (hint: open the port, or set `announce` to the address that others reach)"
            );
        }
        // The directory has just started; it sends its first document by itself.
        RefusedReason::NotReady => tracing::debug!("the directory has no document yet"),
        other => tracing::warn!(?other, "the directory refuses"),
    }
}
