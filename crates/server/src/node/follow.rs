//! The link to the directory: registers us, and hands on each newer document.

use std::sync::Arc;

use mix::directory::{DocumentKeeper, VerifiedDocument};
use net::{Clock, Dialer, Identity, Outbound, OutboundConfig};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wire::frame::{Credential, RefusedReason};
use wire::id::AdmissionToken;
use wire::{Frame, NetworkPointer};

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
}

pub(crate) async fn follow(mut me: Follow, stop: CancellationToken) {
    let reachable = |d: &&wire::DirectoryPointer| me.dialer.pick(&[d.address]).is_some();
    let Some(directory) = me.pointer.directories.iter().find(reachable).copied() else {
        tracing::error!("no directory can be reached: its address is an onion one (hint: --tor)");
        return;
    };
    let hello = vec![Frame::GetDocument(None)];
    let mut link = Outbound::spawn(OutboundConfig {
        hello,
        backoff_max: std::time::Duration::from_secs(2),
        dialer: me.dialer.clone(),
        ..OutboundConfig::new(directory.address, directory.id, Some(me.identity.clone()))
    });
    let mut status = link.status();
    let mut keeper = DocumentKeeper::new();
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
    match keeper.offer(me.clock.now(), verified) {
        Ok(mix::directory::Accepted::Newer) => {
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
        // The directory has just started; it sends its first document by itself.
        RefusedReason::NotReady => tracing::debug!("the directory has no document yet"),
        other => tracing::warn!(?other, "the directory refuses"),
    }
}
