//! What links take of a process: seats, and bytes that wait to be written.
//!
//! **Seats.** When few are left, each newcomer takes the seat of the stranger who has said nothing
//! for the longest time, and a stranger who finds no such one has to go: the last seats are for
//! nodes.
//!
//! **Bytes**, bounded for each link and for the process.
//! A stranger can ask for much and read nothing. What waits for one link is bounded; together the
//! links of a process may fill its [`Budget`]. When that is full, links
//! are closed to make room: of strangers first, then guests, members and nodes, and of the same
//! rank the one that takes most. The same document for all is not queued but fetched when its turn
//! comes, once for each link.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use wire::Frame;
use wire::hub::Answer;

/// Most bytes that wait for the link of a stranger.
const STRANGER_BYTES: usize = 1 << 20;
/// Most bytes that wait for any other: as many open `get`s of a direct link may be answered at
/// once.
const LINK_BYTES: usize = 8 << 20;
/// Who has said nothing for so long gives up the seat when others want it, ms.
const IDLE_MS: u64 = 10_000;
/// What a frame counts beside its payload, bytes.
const FRAME_BYTES: usize = 128;

/// Who is at the other end, in the order in which links are given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Rank {
    Stranger = 0,
    Guest = 1,
    Member = 2,
    Node = 3,
}

/// The bytes that may wait in a process.
#[derive(Clone)]
pub(crate) struct Budget(Arc<Total>);

struct Total {
    limit: usize,
    seats: usize,
    begun: Instant,
    used: AtomicUsize,
    links: Mutex<HashMap<u64, Arc<Account>>>,
}

/// What one link takes.
struct Account {
    link: u64,
    used: AtomicUsize,
    rank: AtomicU8,
    /// When the last frame came, ms since the budget began.
    heard_at: AtomicU64,
    /// Gives the link up.
    give_up: CancellationToken,
    document: Notify,
}

/// Queues frames for one link.
#[derive(Clone)]
pub(crate) struct Outgoing {
    frames: mpsc::UnboundedSender<(Frame, Charge)>,
    account: Arc<Account>,
    budget: Budget,
}

/// As [`Outgoing`], for somebody who must not keep the link open.
#[derive(Clone)]
pub(crate) struct WeakOutgoing {
    frames: mpsc::WeakUnboundedSender<(Frame, Charge)>,
    account: Arc<Account>,
    budget: Budget,
}

/// The other end of an [`Outgoing`].
pub(crate) struct Queue {
    frames: mpsc::UnboundedReceiver<(Frame, Charge)>,
    account: Arc<Account>,
    budget: Budget,
}

/// What is to be written next.
pub(crate) enum Next {
    Frame(Frame),
    /// The document in use, or why there is none.
    Document,
}

/// There is no room, or the link is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// Bytes that are counted until this is dropped.
struct Charge {
    bytes: usize,
    account: Arc<Account>,
    budget: Budget,
}

impl Account {
    fn is_stranger(&self) -> bool {
        self.rank.load(Ordering::Relaxed) == Rank::Stranger as u8
    }

    /// A single frame always has room.
    fn has_room_for(&self, bytes: usize) -> bool {
        let most = if self.is_stranger() { STRANGER_BYTES } else { LINK_BYTES };
        let waiting = self.used.load(Ordering::Relaxed);
        waiting == 0 || waiting.saturating_add(bytes) <= most
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.budget.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Budget({} of {})", self.used(), self.0.limit)
    }
}

impl Budget {
    /// So many bytes may wait, and so many links be there.
    pub(crate) fn new(limit: usize, seats: usize) -> Self {
        let (begun, used) = (Instant::now(), AtomicUsize::new(0));
        Budget(Arc::new(Total { limit, seats, begun, used, links: Mutex::default() }))
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.0.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Sees to it that a new link does not take the last seat.
    fn seat(&self, new: &Account, now_ms: u64) {
        let links = self.links();
        let few = self.0.seats.saturating_sub(links.len()) < self.0.seats / 8;
        if !few {
            return;
        }
        let silent = |a: &Account| now_ms.saturating_sub(a.heard_at.load(Ordering::Relaxed));
        let may_go = |a: &&Arc<Account>| {
            a.link != new.link
                && a.is_stranger()
                && !a.give_up.is_cancelled()
                && silent(a) >= IDLE_MS
        };
        let longest = links.values().filter(may_go).max_by_key(|a| silent(a));
        let none = self.0.seats.saturating_sub(links.len()) < self.0.seats / 16;
        match longest {
            Some(silent) => silent.give_up.cancel(),
            None if none && new.is_stranger() => new.give_up.cancel(),
            None => {}
        }
    }

    /// The queue of a new link, and the two ends of it.
    pub(crate) fn open(&self, link: u64, rank: Rank) -> (Outgoing, Queue) {
        let account = Arc::new(Account {
            link,
            used: AtomicUsize::new(0),
            rank: AtomicU8::new(rank as u8),
            heard_at: AtomicU64::new(self.now_ms()),
            give_up: CancellationToken::new(),
            document: Notify::new(),
        });
        self.links().insert(link, account.clone());
        self.seat(&account, self.now_ms());
        let (tx, rx) = mpsc::unbounded_channel();
        let outgoing = Outgoing { frames: tx, account: account.clone(), budget: self.clone() };
        (outgoing, Queue { frames: rx, account, budget: self.clone() })
    }

    /// Bytes that wait now.
    pub(crate) fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    fn links(&self) -> MutexGuard<'_, HashMap<u64, Arc<Account>>> {
        self.0.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts bytes for a link, giving others up to make room; false if the link itself is the one
    /// that has to go.
    fn charge(&self, account: &Arc<Account>, bytes: usize) -> Option<Charge> {
        self.0.used.fetch_add(bytes, Ordering::Relaxed);
        account.used.fetch_add(bytes, Ordering::Relaxed);
        let charge = Charge { bytes, account: account.clone(), budget: self.clone() };
        if self.used() > self.0.limit {
            let costliest = self
                .links()
                .values()
                .filter(|a| !a.give_up.is_cancelled() && a.used.load(Ordering::Relaxed) > 0)
                .min_by_key(|a| {
                    let used = a.used.load(Ordering::Relaxed);
                    (a.rank.load(Ordering::Relaxed), usize::MAX.saturating_sub(used))
                })
                .cloned();
            if let Some(costliest) = costliest {
                costliest.give_up.cancel();
            }
        }
        (!account.give_up.is_cancelled()).then_some(charge)
    }
}

impl Outgoing {
    /// Queues a frame. A link whose other end reads nothing is closed rather than served in part:
    /// whoever is there connects again and asks again.
    pub(crate) fn try_send(&self, frame: Frame) -> Result<(), Full> {
        let bytes = cost(&frame);
        if !self.account.has_room_for(bytes) {
            self.account.give_up.cancel();
            return Err(Full);
        }
        let charge = self.budget.charge(&self.account, bytes).ok_or(Full)?;
        self.frames.send((frame, charge)).map_err(|_| Full)
    }

    /// Queues a frame that may be lost: when there is no room the link goes on without it.
    pub(crate) fn offer(&self, frame: Frame) -> Result<(), Full> {
        if self.account.has_room_for(cost(&frame)) { self.try_send(frame) } else { Err(Full) }
    }

    /// Has the document sent, once however often this is called before it is.
    pub(crate) fn document(&self) {
        self.account.document.notify_one();
    }

    /// A frame has come.
    pub(crate) fn heard(&self) {
        self.account.heard_at.store(self.budget.now_ms(), Ordering::Relaxed);
    }

    /// Notes who is at the other end, if that is more than was known.
    pub(crate) fn rank(&self, rank: Rank) {
        self.account.rank.fetch_max(rank as u8, Ordering::Relaxed);
    }

    pub(crate) fn downgrade(&self) -> WeakOutgoing {
        WeakOutgoing {
            frames: self.frames.downgrade(),
            account: self.account.clone(),
            budget: self.budget.clone(),
        }
    }
}

impl WeakOutgoing {
    pub(crate) fn upgrade(&self) -> Option<Outgoing> {
        let frames = self.frames.upgrade()?;
        Some(Outgoing { frames, account: self.account.clone(), budget: self.budget.clone() })
    }
}

impl Queue {
    /// What to write next; none when nobody can queue anything any more.
    pub(crate) async fn next(&mut self) -> Option<Next> {
        tokio::select! {
            biased;
            () = self.account.document.notified() => Some(Next::Document),
            // Written at once or not at all: its bytes count no longer.
            next = self.frames.recv() => next.map(|(frame, _)| Next::Frame(frame)),
        }
    }

    /// Another frame that waits already.
    pub(crate) fn more(&mut self) -> Option<Frame> {
        self.frames.try_recv().ok().map(|(frame, _)| frame)
    }

    /// Returns when the link is to be closed.
    pub(crate) fn given_up(&self) -> impl Future<Output = ()> + Send + 'static {
        let token = self.account.give_up.clone();
        async move { token.cancelled().await }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.budget.links().remove(&self.account.link);
    }
}

/// What a frame takes while it waits, bytes.
fn cost(frame: &Frame) -> usize {
    let payload = match frame {
        Frame::Reply { padded, .. } => padded.len(),
        Frame::Packet { packet, .. } => packet.len(),
        Frame::HubResponse(_, response) => match &response.answer {
            Answer::Boxes(boxes) => {
                boxes.iter().map(|b| b.ciphertext.len().saturating_add(FRAME_BYTES)).sum()
            }
            _ => 0,
        },
        Frame::Document(bytes) | Frame::SealedDocument(bytes) => bytes.len(),
        _ => 0,
    };
    payload.saturating_add(FRAME_BYTES)
}

#[cfg(test)]
mod tests {
    use wire::BootId;

    use super::*;

    fn reply(len: usize) -> Frame {
        Frame::Reply { surb_id: [0; 16], padded: vec![0; len] }
    }

    #[tokio::test]
    async fn bytes_are_counted_until_a_frame_is_taken_and_when_the_link_ends() {
        let budget = Budget::new(1 << 20, 4_096);
        let (out, mut queue) = budget.open(1, Rank::Stranger);
        out.try_send(reply(1_000)).unwrap();
        out.try_send(reply(1_000)).unwrap();
        assert_eq!(budget.used(), 2 * (1_000 + FRAME_BYTES));
        assert!(matches!(queue.next().await, Some(Next::Frame(_))));
        assert_eq!(budget.used(), 1_000 + FRAME_BYTES);
        drop(queue);
        assert_eq!(out.try_send(reply(1)), Err(Full), "the link is gone");
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn a_link_that_reads_nothing_is_given_up() {
        let budget = Budget::new(1 << 30, 4_096);
        let (out, queue) = budget.open(1, Rank::Stranger);
        let sent = (0..100).take_while(|_| out.try_send(reply(100_000)).is_ok()).count();
        assert_eq!(sent, STRANGER_BYTES / 100_128);
        queue.given_up().await;
    }

    #[tokio::test]
    async fn what_may_be_lost_closes_nothing() {
        let budget = Budget::new(1 << 30, 4_096);
        let (out, queue) = budget.open(1, Rank::Stranger);
        let sent = (0..100).take_while(|_| out.offer(reply(100_000)).is_ok()).count();
        assert_eq!(sent, STRANGER_BYTES / 100_128);
        assert!(!queue.account.give_up.is_cancelled());
    }

    #[tokio::test]
    async fn when_the_process_has_no_room_strangers_go_first_and_of_them_the_costliest() {
        let budget = Budget::new(1_000_000, 4_096);
        let (member, member_queue) = budget.open(1, Rank::Member);
        let (small, small_queue) = budget.open(2, Rank::Stranger);
        let (large, large_queue) = budget.open(3, Rank::Stranger);
        member.try_send(reply(500_000)).unwrap();
        small.try_send(reply(100_000)).unwrap();
        large.try_send(reply(300_000)).unwrap();
        member.try_send(reply(200_000)).unwrap();
        large_queue.given_up().await;
        let gone = |queue: &Queue| queue.account.give_up.is_cancelled();
        assert!(!gone(&small_queue) && !gone(&member_queue));
        drop(large_queue);
        drop(large);
        member.try_send(reply(300_000)).unwrap();
        small_queue.given_up().await;
        assert!(!gone(&member_queue));
    }

    #[tokio::test]
    async fn whoever_has_been_silent_for_longest_makes_room_and_nodes_find_a_seat() {
        let budget = Budget::new(1 << 20, 160);
        let gone = |seats: &[(Outgoing, Queue)]| -> Vec<u64> {
            let closed = |s: &&(Outgoing, Queue)| s.1.account.give_up.is_cancelled();
            seats.iter().filter(closed).map(|s| s.1.account.link).collect()
        };
        let mut seats: Vec<_> = (0..140).map(|n| budget.open(n, Rank::Stranger)).collect();
        // Of these only two have said nothing since, and one of them is a node.
        let later = budget.now_ms() + IDLE_MS;
        for (out, _) in seats.iter().filter(|s| s.1.account.link > 1) {
            out.account.heard_at.store(later, Ordering::Relaxed);
        }
        seats[0].0.rank(Rank::Node);
        let arrives = |link| {
            let seat = budget.open(link, Rank::Stranger);
            seat.0.account.heard_at.store(later, Ordering::Relaxed);
            budget.seat(&seat.0.account, later);
            seat
        };
        seats.push(arrives(140));
        seats.push(arrives(141));
        assert_eq!(gone(&seats), [1]);
        seats.retain(|s| s.1.account.link != 1);
        // Nobody else is silent: strangers find the last ten seats taken, nodes do not.
        seats.extend((142..160).map(|n| budget.open(n, Rank::Stranger)));
        let refused = gone(&seats);
        assert_eq!(refused, (151..160).collect::<Vec<_>>());
        seats.retain(|s| !refused.contains(&s.1.account.link));
        seats.extend((160..168).map(|n| budget.open(n, Rank::Node)));
        assert!(gone(&seats).is_empty());
    }

    #[tokio::test]
    async fn a_document_that_is_asked_for_a_thousand_times_is_sent_once() {
        let (out, mut queue) = Budget::new(1 << 20, 4_096).open(1, Rank::Stranger);
        (0..1_000).for_each(|_| out.document());
        out.try_send(Frame::Attached(BootId::new([0; 16]))).unwrap();
        assert!(matches!(queue.next().await, Some(Next::Document)));
        assert!(matches!(queue.next().await, Some(Next::Frame(Frame::Attached(_)))));
        assert!(queue.more().is_none());
    }
}
