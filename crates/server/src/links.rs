//! Links to several peers at a time, as one stream of events.

use net::{DownReason, Outbound, OutboundConfig, OutboundSender, Status};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wire::{Address, Frame};

/// Events that wait. Each may hold a document; who fills this is read no further, and all peers
/// take turns.
const EVENTS: usize = 4;

/// What happens on a link.
pub(crate) enum Event {
    /// A new link, on which nothing of an earlier one is known.
    Up,
    Down,
    /// Trying again does not help: there is no way to any of the peer's addresses, or the peer
    /// speaks another version. Told once until a link comes up.
    Hopeless(DownReason),
    Frame(Frame),
}

/// The links, numbered from 0.
pub(crate) struct Links {
    senders: Vec<OutboundSender>,
    events: mpsc::Receiver<(usize, Event)>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Links {
    /// Starts connecting to all.
    pub(crate) fn open(configs: impl IntoIterator<Item = OutboundConfig>) -> Self {
        let (tx, events) = mpsc::channel(EVENTS);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let mut senders = Vec::new();
        for (n, config) in configs.into_iter().enumerate() {
            let link = Outbound::spawn(config);
            senders.push(link.sender());
            tasks.spawn(carry(n, link, tx.clone(), stop.clone()));
        }
        Links { senders, events, stop, tasks }
    }

    /// Queues a frame for one of them. It is lost if the link is down for long, or the queue full:
    /// what matters is said again when the link comes up.
    pub(crate) fn send(&self, n: usize, frame: Frame) {
        if let Some(sender) = self.senders.get(n) {
            let _ = sender.try_send(frame);
        }
    }

    /// Where one of them is dialled from the next attempt on.
    pub(crate) fn set_addresses(&self, n: usize, addresses: Vec<Address>) {
        if let Some(sender) = self.senders.get(n) {
            sender.set_addresses(addresses);
        }
    }

    /// Queues a frame for all of them.
    pub(crate) fn send_all(&self, frame: &Frame) {
        (0..self.senders.len()).for_each(|n| self.send(n, frame.clone()));
    }

    /// What happens next, and on which link. Safe to drop while it waits.
    pub(crate) async fn next(&mut self) -> (usize, Event) {
        match self.events.recv().await {
            Some(event) => event,
            // There are no links.
            None => std::future::pending().await,
        }
    }

    /// Closes all, each of which may take its time to flush.
    pub(crate) async fn shutdown(mut self) {
        self.events.close();
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn carry(
    n: usize,
    mut link: Outbound,
    events: mpsc::Sender<(usize, Event)>,
    stop: CancellationToken,
) {
    let mut status = link.status();
    // The number of the link that is up.
    let mut up: Option<u64> = None;
    let mut told = false;
    'carry: loop {
        let happened = tokio::select! {
            () = stop.cancelled() => break,
            changed = status.changed() => {
                if changed.is_err() { break }
                let state = *status.borrow_and_update();
                let now = match state {
                    Status::Up(number) => Some(number),
                    _ => None,
                };
                let hopeless = match state {
                    Status::Down(
                        why @ (DownReason::Unreachable | DownReason::OtherVersion),
                    ) => Some(why),
                    _ => None,
                };
                let before = std::mem::replace(&mut up, now);
                told &= now.is_none();
                match (before, now) {
                    (None, None) if hopeless.is_some() && !std::mem::replace(&mut told, true) => {
                        hopeless.map(Event::Hopeless).into_iter().collect()
                    }
                    (before, now) if before == now => vec![],
                    (None, Some(_)) => vec![Event::Up],
                    (Some(_), Some(_)) => vec![Event::Down, Event::Up],
                    (_, None) => vec![Event::Down],
                }
            }
            frame = link.recv() => match frame {
                Some(frame) => vec![Event::Frame(frame)],
                None => break,
            },
        };
        for event in happened {
            if events.send((n, event)).await.is_err() {
                break 'carry;
            }
        }
    }
    link.shutdown().await;
}
