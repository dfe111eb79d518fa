//! One link with a neighbour, once it is greeted: a task that reads and a task that writes.

use std::time::Duration;

use mesh::{Account, LinkId};
use net::{LinkLimits, LinkReader, LinkWriter};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use wire::Frame;
use wire::mesh::Message;

use super::{Ended, LanEvent};

/// A neighbour is pinged when nothing was said for so long.
const PING: Duration = Duration::from_secs(8);
/// Neighbours walk away: after so long without a word a link is gone.
pub(super) const LIMITS: LinkLimits = LinkLimits {
    connect_timeout: Duration::from_secs(5),
    idle_timeout: Duration::from_secs(20),
    write_timeout: Duration::from_secs(20),
    ..LinkLimits::DEFAULT
};

/// While a person thinks about a knock nothing is said.
pub(super) const LIMITS_OF_A_KNOCK: LinkLimits =
    LinkLimits { idle_timeout: Duration::from_secs(150), ..LIMITS };
/// How long the end of a link may take.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);
/// What waits to be written: one of our messages, and pongs; a neighbour that pings faster than it
/// reads loses its link.
const WAITING: usize = 64;

enum Out {
    Message(Box<Message>),
    Pong,
    Ping,
    Goodbye,
}

/// The way to a neighbour; the link ends when this is dropped.
pub(super) struct Outgoing {
    out: mpsc::Sender<Out>,
    reading: AbortHandle,
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Outgoing {
    /// Says this; `mesh` has one message on its way at a time.
    pub(super) fn send(&self, message: Message) {
        if self.out.try_send(Out::Message(Box::new(message))).is_err() {
            self.reading.abort();
        }
    }

    /// Ends the link when all that was said has left.
    pub(super) fn finish(&self) {
        let _ = self.out.try_send(Out::Goodbye);
    }
}

/// Runs a link; its end is told once.
pub(super) fn start(
    (id, account): (LinkId, Account),
    (reader, writer): (LinkReader, LinkWriter),
    events: mpsc::Sender<LanEvent>,
    ended: Ended,
) -> Outgoing {
    let (out, outgoing) = mpsc::channel(WAITING);
    // Dropped when reading ends, however it does.
    let (alive, read_to_its_end) = oneshot::channel::<()>();
    let reading = tokio::spawn(read(id, reader, events.clone(), out.clone(), alive)).abort_handle();
    let watched = reading.clone();
    tokio::spawn(async move {
        tokio::pin!(read_to_its_end);
        let ending = tokio::select! {
            ending = write(id, writer, outgoing, &events) => ending,
            _ = &mut read_to_its_end => false,
        };
        if ending {
            // Closed with something unread in it, the socket would take back what has just been
            // written.
            let _ = tokio::time::timeout(GOODBYE, read_to_its_end).await;
        }
        watched.abort();
        let _ = ended.send((id, account));
    });
    Outgoing { out, reading }
}

async fn read(
    id: LinkId,
    mut reader: LinkReader,
    events: mpsc::Sender<LanEvent>,
    out: mpsc::Sender<Out>,
    _alive: oneshot::Sender<()>,
) {
    while let Ok(Some(frame)) = reader.read().await {
        match frame {
            // When the engine is gone what comes is read all the same: see the end of a link.
            Frame::Mesh(message) => drop(events.send(LanEvent::Message(id, message)).await),
            Frame::Ping if out.try_send(Out::Pong).is_ok() => {}
            Frame::Pong => {}
            _ => return,
        }
    }
}

/// Writes until a frame does not leave, or all has been said: then true.
async fn write(
    id: LinkId,
    mut writer: LinkWriter,
    mut outgoing: mpsc::Receiver<Out>,
    events: &mpsc::Sender<LanEvent>,
) -> bool {
    loop {
        let next = match tokio::time::timeout(PING, outgoing.recv()).await {
            Ok(Some(next)) => next,
            Ok(None) => return false,
            Err(_) => Out::Ping,
        };
        let frame = match next {
            Out::Message(message) => Frame::Mesh(*message),
            Out::Pong => Frame::Pong,
            Out::Ping => Frame::Ping,
            Out::Goodbye => return writer.close().await.is_ok(),
        };
        if writer.send(&frame).await.is_err() {
            return false;
        }
        if matches!(frame, Frame::Mesh(_)) && events.send(LanEvent::Sent(id)).await.is_err() {
            return false;
        }
    }
}
