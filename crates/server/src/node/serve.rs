//! The listening side: one reader and one writer task per link.

use std::sync::atomic::{AtomicU64, Ordering};

use net::{Incoming, LinkReader, LinkWriter};
use tokio::sync::{mpsc, watch};
use wire::frame::RefusedReason;
use wire::{BootId, ClientToken, Frame};

use super::core::Input;
use super::follow::Current;
use crate::inbox::Deliver;

/// Most frames that wait for a slow link. More are dropped, and the ends retry.
const WRITE_QUEUE: usize = 256;

#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) inputs: mpsc::Sender<Input>,
    pub(crate) document: watch::Receiver<Current>,
    pub(crate) boot: BootId,
    pub(crate) deliver: Option<Deliver>,
}

/// Numbers links, for detaching and for the hub's per-connection bounds.
static LINKS: AtomicU64 = AtomicU64::new(1);

/// Returns a number that no other link of this process has.
pub(crate) fn next_link() -> u64 {
    LINKS.fetch_add(1, Ordering::Relaxed)
}

pub(crate) async fn serve(incoming: Incoming, shared: Shared) {
    let number = next_link();
    let (mut reader, writer) = incoming.link.split();
    let (out, queue) = mpsc::channel(WRITE_QUEUE);
    let writing = write(writer, queue);
    let mut attached = None;
    let reading = async {
        if let Err(error) = read(&mut reader, number, &shared, &out, &mut attached).await {
            tracing::debug!(%error, "link closed");
        }
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
    if let Some(token) = attached {
        let _ = shared.inputs.send(Input::Detach { token, link: number }).await;
    }
    if let Some(deliver) = &shared.deliver {
        deliver.gone(number);
    }
}

async fn write(mut writer: LinkWriter, mut queue: mpsc::Receiver<Frame>) {
    while let Some(frame) = queue.recv().await {
        if writer.feed(&frame).await.is_err() {
            return;
        }
        while let Ok(more) = queue.try_recv() {
            if writer.feed(&more).await.is_err() {
                return;
            }
        }
        if writer.flush().await.is_err() {
            return;
        }
    }
}

async fn read(
    reader: &mut LinkReader,
    number: u64,
    shared: &Shared,
    out: &mpsc::Sender<Frame>,
    attached: &mut Option<ClientToken>,
) -> Result<(), net::Error> {
    while let Some(frame) = reader.read().await? {
        match frame {
            Frame::Packet { epoch, packet } => {
                // Awaiting here is the back-pressure: a flooding link is read no faster than the
                // core works.
                if shared.inputs.send(Input::Packet { epoch, packet }).await.is_err() {
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
                answer(out, Frame::Attached(shared.boot)).await;
            }
            Frame::Ping => answer(out, Frame::Pong).await,
            Frame::GetDocument(known) => {
                let current = shared.document.borrow().clone();
                let frame = match current {
                    None => Frame::Refused(RefusedReason::NotReady),
                    // Only its directory knows who may read it.
                    Some(document) if document.sealed => Frame::Refused(RefusedReason::NotEnrolled),
                    Some(document) if known == Some(document.hash()) => Frame::NotModified,
                    Some(document) => Frame::Document(document.bytes().to_vec()),
                };
                answer(out, frame).await;
            }
            Frame::HubRequest(id, request) => match &shared.deliver {
                Some(deliver) => deliver.direct(number, id, request, out.clone()).await,
                None => answer(out, Frame::Refused(RefusedReason::NotHere)).await,
            },
            Frame::Pong => {}
            _ => answer(out, Frame::Refused(RefusedReason::NotHere)).await,
        }
    }
    Ok(())
}

async fn answer(out: &mpsc::Sender<Frame>, frame: Frame) {
    // The receiver is gone only when the link is.
    let _ = out.send(frame).await;
}
