//! The hub as a state machine: requests in, responses out.
//!
//! ```text
//!            refused ────────────────────────────────────────────┐
//!  submit ─┤ put ──► waits ──commit──► verified, durable ────────┤
//!            get ──► waits ──commit──► looks ──found, or due─────┼──► poll (exactly once each)
//!                                        │ nothing yet           │
//!                                        └► open ─ box arrives, ─┘
//!                                                  deadline, connection gone
//! ```
//!
//! The shell passes requests to [`Hub::submit`], has them done together by [`Hub::commit`], and
//! takes responses from [`Hub::poll`] until there are none. In between it waits for more requests,
//! or until [`Hub::deadline`] to call [`Hub::tick`].

mod admission;
mod config;
mod watch;

use std::collections::VecDeque;
use std::sync::Arc;

use rand_core::CryptoRng;
use streams::{BoxId, SealedBox, verify_batch};
use wire::hub::{Answer, BoxBytes, Operation, PutOutcome, Refusal, Request, Response};
use wire::id::AccessKey;
use wire::limits::{
    BULK_CIPHERTEXT, MAX_GET_DEADLINE_MS, MAX_GET_IDS, MAX_ONION_GET_IDS, MAX_ONION_RESPONSE_BOXES,
    MAX_RESPONSE_BOXES,
};
use wire::{BootId, Timestamp};

use crate::class::{AccessClass, ClassLimits};
use crate::convert::to_wire;
use crate::from_wire;
use crate::store::{BoxStore, NewBox, Purge, StoreError, stored_len};
use admission::Admission;
pub use config::{ConnectionLimits, HubConfig};
use watch::{Watch, Watchers};

/// Most bytes of boxes in one response on a direct link, counted by [`stored_len`]. They fit into a
/// frame.
pub const MAX_RESPONSE_BYTES: u64 = 240 * 1024;
/// Ids that are looked up at a time. A response may be full after a few boxes, and reading all 256
/// first would let a small request cost much memory.
const LOOKUP: usize = 16;

/// The shell's number for a request. [`Hub::poll`] returns each exactly once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asker {
    /// A direct link, with or without Tor, by the shell's number for it.
    Direct(u64),
    /// The onion route, where askers cannot be told apart.
    Onion,
}

/// Room in a reply packet until [`Hub::set_onion_room`] is called: three standard boxes.
const ONION_ROOM: u64 = 3 * (2_048 + 96);

/// Room for boxes in one response, bytes, counted by [`stored_len`].
#[derive(Debug, Clone, Copy)]
struct Room {
    onion: u64,
}

impl Room {
    const fn of(self, asker: Asker) -> u64 {
        match asker {
            Asker::Direct(_) => MAX_RESPONSE_BYTES,
            Asker::Onion => self.onion,
        }
    }

    /// Whether a response can hold this box. Bulk boxes fit into no packet, large ones only into
    /// some.
    fn takes(self, asker: Asker, ciphertext: &[u8]) -> bool {
        asker.writes(ciphertext.len()) && stored_len(ciphertext) <= self.of(asker)
    }
}

impl Asker {
    /// Whether the asker may put a box of this length.
    fn writes(self, ciphertext: usize) -> bool {
        self != Asker::Onion || ciphertext < BULK_CIPHERTEXT
    }

    const fn max_ids(self) -> usize {
        match self {
            Asker::Direct(_) => MAX_GET_IDS,
            Asker::Onion => MAX_ONION_GET_IDS,
        }
    }

    const fn max_boxes(self) -> usize {
        match self {
            Asker::Direct(_) => MAX_RESPONSE_BOXES,
            Asker::Onion => MAX_ONION_RESPONSE_BOXES,
        }
    }
}

/// An admitted `put` that waits for the next commit.
#[derive(Debug)]
struct Put {
    from: Putter,
    sealed: SealedBox,
}

/// Whose put it is.
#[derive(Debug, Clone, Copy)]
struct Putter {
    ask: AskId,
    asker: Asker,
    class: AccessClass,
}

/// A response that waits for [`Hub::poll`]. Boxes are read or copied only there, so memory holds
/// the boxes of one response at a time.
#[derive(Debug)]
enum Output {
    Ready(AskId, Answer),
    /// Boxes that were just stored, shared by everybody who waited for them.
    Woken(AskId, Vec<Arc<BoxBytes>>),
    /// A `get` that still has to look into the store. It is answered if it finds boxes or is due,
    /// and otherwise stays open.
    Look {
        watch: Watch,
        due: bool,
    },
}

/// A hub on top of a store.
///
/// [`HubConfig`] bounds what it holds for strangers. A request over a bound is answered with
/// [`Refusal::SlowDown`], [`PutOutcome::SlowDown`] or [`PutOutcome::Full`], never dropped silently.
#[derive(Debug)]
pub struct Hub<S> {
    boot: BootId,
    max_pending: usize,
    store: S,
    admission: Admission,
    puts: Vec<Put>,
    gets: Vec<Watch>,
    watchers: Watchers,
    outputs: VecDeque<Output>,
    failed: Option<StoreError>,
    room: Room,
    /// When expiry may be tried again after a failure.
    expire_after: Timestamp,
    time: StoreTime,
}

/// What the store is told that the time is.
#[derive(Debug, Clone, Copy)]
enum StoreTime {
    /// The time of requests.
    Own,
    /// Nobody has said yet: nothing expires.
    Unknown,
    /// The first by the network's document when the time of requests was the second.
    Known(Timestamp, Timestamp),
}

impl<S: Purge> Hub<S> {
    /// Deletes everything that was put with the key of a room; how many boxes there were.
    ///
    /// # Errors
    /// The store's.
    pub fn purge(&mut self, room: u16) -> Result<u64, StoreError> {
        self.store.purge(AccessClass::Room(room))
    }
}

impl<S: BoxStore> Hub<S> {
    /// A hub without open requests.
    pub fn new(config: HubConfig, store: S) -> Self {
        Hub {
            boot: config.boot,
            max_pending: config.max_pending,
            store,
            watchers: Watchers::new(&config),
            admission: Admission::new(config),
            puts: Vec::new(),
            gets: Vec::new(),
            outputs: VecDeque::new(),
            failed: None,
            room: Room { onion: ONION_ROOM },
            expire_after: Timestamp::ZERO,
            time: StoreTime::Own,
        }
    }

    /// Has nothing expire before [`Hub::set_time`] (`HUB-025`).
    pub const fn wait_for_time(&mut self) {
        self.time = StoreTime::Unknown;
    }

    /// It is `time` by the network's document when it is `now` by the clock of requests.
    pub const fn set_time(&mut self, now: Timestamp, time: Timestamp) {
        self.time = StoreTime::Known(time, now);
    }

    /// The time by which boxes expire, if it is known.
    const fn store_time(&self, now: Timestamp) -> Option<Timestamp> {
        match self.time {
            StoreTime::Own => Some(now),
            StoreTime::Unknown => None,
            StoreTime::Known(time, then) => Some(time.plus_millis(now.millis_since(then))),
        }
    }

    /// When [`Hub::tick`] has something to expire, by the clock of requests.
    fn next_expiry(&self) -> Option<Timestamp> {
        let at = self.store.next_expiry()?;
        match self.time {
            StoreTime::Own => Some(at),
            StoreTime::Unknown => None,
            StoreTime::Known(time, then) => Some(then.plus_millis(at.millis_since(time))),
        }
    }

    /// The store, for its usage.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// Sets how many bytes of boxes, counted by [`stored_len`], fit into a reply packet of this
    /// network.
    pub fn set_onion_room(&mut self, bytes: u64) {
        self.room = Room { onion: bytes };
        self.watchers.set_room(self.room);
    }

    /// Has the store recover after a failure that [`Hub::commit`] reported.
    ///
    /// # Errors
    /// [`StoreError`], as long as the cause lasts.
    pub fn recover(&mut self) -> Result<(), StoreError> {
        self.store.recover()
    }

    /// Number of open `get`s.
    pub fn open_gets(&self) -> usize {
        self.watchers.len()
    }

    /// Takes a request. A refusal is ready for [`Hub::poll`] at once; an admitted request waits for
    /// the next commit.
    pub fn submit(&mut self, now: Timestamp, ask: AskId, asker: Asker, request: Request) {
        if let Err(answer) = self.admit(now, ask, asker, request) {
            self.ready(ask, answer);
        }
    }

    fn admit(
        &mut self,
        now: Timestamp,
        ask: AskId,
        asker: Asker,
        request: Request,
    ) -> Result<(), Answer> {
        let class =
            self.admission.class(&request.access).ok_or(Answer::Refused(Refusal::NotAdmitted))?;
        let full = self.puts.len().saturating_add(self.gets.len()) >= self.max_pending;
        match request.operation {
            Operation::Put(bytes) => {
                if !asker.writes(bytes.ciphertext.len()) {
                    return Err(Answer::Refused(Refusal::BadRequest));
                }
                if full || !self.admission.put(now, asker, class) {
                    return Err(Answer::Put(PutOutcome::SlowDown));
                }
                let from = Putter { ask, asker, class };
                self.puts.push(Put { from, sealed: from_wire(bytes) });
            }
            Operation::Get { ids, deadline_ms, hold } => {
                if ids.is_empty() || ids.len() > asker.max_ids() {
                    return Err(Answer::Refused(Refusal::BadRequest));
                }
                // Priced by ids, so that 256 of them cost the same in one `get` as in sixteen.
                let cost = u32::try_from(ids.len().div_ceil(MAX_ONION_GET_IDS)).unwrap_or(u32::MAX);
                if full || !self.admission.get(now, asker, class, cost) {
                    return Err(Answer::Refused(Refusal::SlowDown));
                }
                let deadline = now.plus_millis(u64::from(deadline_ms.min(MAX_GET_DEADLINE_MS)));
                let ids = distinct(ids.iter().map(|a| BoxId::new(a.0)));
                self.gets.push(Watch { ask, asker, class, ids, deadline, hold });
            }
            Operation::Echo => {
                let admitted = self.admission.get(now, asker, class, 1);
                return Err(if admitted {
                    Answer::Echo
                } else {
                    Answer::Refused(Refusal::SlowDown)
                });
            }
        }
        Ok(())
    }

    /// Does everything that was submitted: checks all signatures in one batch, makes the good boxes
    /// durable in one write, answers, and only then wakes `get`s that wait for the boxes.
    ///
    /// # Errors
    /// The store's failure in this commit or since the last one. The requests concerned are
    /// answered with "try later", never with `Stored` (`HUB-014`).
    pub fn commit<R: CryptoRng + ?Sized>(
        &mut self,
        now: Timestamp,
        rng: &mut R,
    ) -> Result<(), StoreError> {
        if !self.puts.is_empty() {
            self.put_all(now, rng);
        }
        for watch in std::mem::take(&mut self.gets) {
            // A held `get` looks at its deadline only: an answer at any other time would show that
            // a box was there.
            let due = watch.deadline <= now;
            if due || !watch.hold {
                self.outputs.push_back(Output::Look { watch, due });
            } else {
                self.watch(watch);
            }
        }
        self.failed.take().map_or(Ok(()), Err)
    }

    fn put_all<R: CryptoRng + ?Sized>(&mut self, now: Timestamp, rng: &mut R) {
        let (putters, sealed): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.puts).into_iter().map(|p| (p.from, p.sealed)).unzip();
        // Counts the boxes of this batch as well. A retry inside it is counted although it will
        // take no room; it is checked again below.
        let mut usage = self.store.usage();
        let (mut written, mut batch, mut over) =
            (Vec::with_capacity(sealed.len()), Vec::with_capacity(sealed.len()), vec![]);
        // A batch check costs less than checking its boxes one by one. A bad box is refused alone:
        // `verify_batch` finds it and accepts the others.
        for (putter, verdict) in putters.into_iter().zip(verify_batch(sealed, rng)) {
            let class = putter.class;
            let Ok(content) = verdict else {
                self.ready(putter.ask, Answer::Refused(Refusal::BadBox));
                continue;
            };
            let len = stored_len(content.ciphertext());
            if usage.of(class).bytes.saturating_add(len) > self.admission.max_bytes(class) {
                over.push((putter, content));
                continue;
            }
            usage.add(class, len);
            written.push(putter);
            batch.push(NewBox { content, class });
        }
        self.write(now, &written, batch);
        // A retry takes no room, so it must stay harmless when the class is full: its author would
        // otherwise keep a box in its outbox that the hub holds already.
        for (putter, content) in over {
            let there = self.store.get(&[content.id()]);
            let answer = match there.map(|boxes| boxes.into_iter().next()) {
                Ok(None) => Answer::Put(PutOutcome::Full),
                Ok(Some(there)) if there == to_wire(content) => {
                    self.admission.repeated(putter.asker, putter.class);
                    Answer::Put(PutOutcome::Same)
                }
                Ok(Some(_)) => Answer::Put(PutOutcome::Taken),
                Err(error) => self.fail(error),
            };
            self.ready(putter.ask, answer);
        }
    }

    /// Writes durably, then answers, then wakes. A watcher must not see a box that a crash could
    /// still undo.
    fn write(&mut self, now: Timestamp, putters: &[Putter], batch: Vec<NewBox>) {
        let time = self.store_time(now).unwrap_or(now);
        let outcomes = match self.store.put_batch(time, &batch) {
            Ok(outcomes) => outcomes,
            Err(error) => {
                let answer = self.fail(error);
                for putter in putters {
                    self.ready(putter.ask, answer.clone());
                }
                return;
            }
        };
        for (putter, outcome) in putters.iter().zip(&outcomes) {
            if *outcome == PutOutcome::Same {
                self.admission.repeated(putter.asker, putter.class);
            }
            self.ready(putter.ask, Answer::Put(*outcome));
        }
        // `Same` as well: a write that failed may have left the box there, and woke nobody.
        let stored = batch.into_iter().zip(outcomes).filter(|(_, outcome)| outcome.is_stored());
        let watched = stored.filter(|(new, _)| self.watchers.is_watched(&new.content.id()));
        let arrived: Vec<Arc<BoxBytes>> =
            watched.map(|(new, _)| Arc::new(to_wire(new.content))).collect();
        self.watchers
            .wake(&arrived, |ask, boxes| self.outputs.push_back(Output::Woken(ask, boxes)));
    }

    /// The next response and the request it belongs to.
    pub fn poll(&mut self) -> Option<(AskId, Response)> {
        loop {
            let (ask, answer) = match self.outputs.pop_front()? {
                Output::Ready(ask, answer) => (ask, answer),
                Output::Woken(ask, boxes) => {
                    (ask, Answer::Boxes(boxes.iter().map(|b| BoxBytes::clone(b)).collect()))
                }
                Output::Look { watch, due } => match self.look(watch, due) {
                    Some(answered) => answered,
                    None => continue,
                },
            };
            return Some((ask, Response { boot: self.boot, answer, tally: None }));
        }
    }

    /// Answers a `get` or leaves it open.
    fn look(&mut self, watch: Watch, due: bool) -> Option<(AskId, Answer)> {
        let ask = watch.ask;
        // The connection went away after the commit; do not read boxes for nobody.
        if !self.admission.knows(watch.asker) {
            return Some((ask, Answer::Boxes(Vec::new())));
        }
        match self.find(watch.asker, &watch.ids) {
            Ok(boxes) if due || !boxes.is_empty() => Some((ask, Answer::Boxes(boxes))),
            Ok(_) => {
                self.watch(watch);
                None
            }
            Err(error) => {
                let answer = self.fail(error);
                Some((ask, answer))
            }
        }
    }

    /// Reads as many of the boxes as fit into one response to this asker.
    fn find(&self, asker: Asker, ids: &[BoxId]) -> Result<Vec<BoxBytes>, StoreError> {
        let mut found = Vec::new();
        let mut bytes = 0u64;
        for some in ids.chunks(LOOKUP) {
            for content in self.store.get(some)? {
                // Too large for this asker's replies. The others may still fit.
                if !self.room.takes(asker, &content.ciphertext) {
                    continue;
                }
                bytes = bytes.saturating_add(stored_len(&content.ciphertext));
                if found.len() >= asker.max_boxes() || bytes > self.room.of(asker) {
                    return Ok(found);
                }
                found.push(content);
            }
        }
        Ok(found)
    }

    fn watch(&mut self, watch: Watch) {
        if let Err(ask) = self.watchers.insert(watch) {
            self.ready(ask, Answer::Refused(Refusal::SlowDown));
        }
    }

    /// When to call [`Hub::tick`] if nothing else happens. [`Timestamp::ZERO`] means that there is
    /// something to poll or commit.
    pub fn deadline(&self) -> Option<Timestamp> {
        if !(self.outputs.is_empty() && self.puts.is_empty() && self.gets.is_empty()) {
            return Some(Timestamp::ZERO);
        }
        let expiry = self.next_expiry().map(|at| at.max(self.expire_after));
        [self.watchers.deadline(), expiry].into_iter().flatten().min()
    }

    /// Replaces the rooms that have a key and a share of their own (`HUB-027`).
    pub fn set_rooms(&mut self, rooms: Vec<(AccessKey, u16, ClassLimits)>) {
        self.watchers.set_bounds(&rooms);
        self.admission.set_rooms(rooms);
    }

    /// The class that this key belongs to, if any.
    #[must_use]
    pub fn class(&self, access: &AccessKey) -> Option<AccessClass> {
        self.admission.class(access)
    }

    /// Answers `get`s whose deadline has come, and has the store delete expired boxes.
    ///
    /// If the store fails, it is asked again a minute later, and the next [`Hub::commit`] reports
    /// the failure.
    pub fn tick(&mut self, now: Timestamp) {
        while let Some(watch) = self.watchers.pop_due(now) {
            self.outputs.push_back(if watch.hold {
                Output::Look { watch, due: true }
            } else {
                Output::Ready(watch.ask, Answer::Boxes(Vec::new()))
            });
        }
        let over = now >= self.expire_after && self.next_expiry().is_some_and(|at| at <= now);
        if over
            && let Some(time) = self.store_time(now)
            && let Err(error) = self.store.expire(time)
        {
            self.failed = Some(error);
            self.expire_after = now.plus_millis(60_000);
        }
    }

    /// Answers one open `get` of a connection early, with a box that it did not ask for
    /// (`SHAPE-006`). Returns false when the connection has no open `get`.
    ///
    /// To an observer who counts bytes it looks like the answer to a `get` whose box arrived. The
    /// client treats it as an empty answer and asks again.
    pub fn disturb(&mut self, connection: u64, dummy: BoxBytes) -> bool {
        let Some(watch) = self.watchers.pop_early_of(connection) else { return false };
        self.outputs.push_back(Output::Woken(watch.ask, vec![Arc::new(dummy)]));
        true
    }

    /// Notes that a connection is gone. Its open `get`s are answered with no boxes, so that the
    /// shell's count of requests comes out even.
    ///
    /// Its `put`s are still done. The shell must not submit requests for it any more.
    pub fn disconnect(&mut self, connection: u64) {
        self.admission.disconnect(connection);
        while let Some(watch) = self.watchers.pop_of(connection) {
            self.ready(watch.ask, Answer::Boxes(Vec::new()));
        }
        let gone = |w: &mut Watch| w.asker == Asker::Direct(connection);
        let answers =
            self.gets.extract_if(.., gone).map(|w| Output::Ready(w.ask, Answer::Boxes(Vec::new())));
        self.outputs.extend(answers);
    }

    fn ready(&mut self, ask: AskId, answer: Answer) {
        self.outputs.push_back(Output::Ready(ask, answer));
    }

    fn fail(&mut self, error: StoreError) -> Answer {
        self.failed = Some(error);
        Answer::Refused(Refusal::SlowDown)
    }
}

/// Removes repeated ids, keeping the first of each.
fn distinct(ids: impl Iterator<Item = BoxId>) -> Vec<BoxId> {
    let mut seen = std::collections::HashSet::new();
    ids.filter(|id| seen.insert(*id)).collect()
}
