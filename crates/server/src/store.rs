//! The embedded box store, on `fjall`: one keyspace for each segment of time, dropped whole when it
//! expires.
//!
//! Beside the engine's files lies a small one that says how many boxes each segment held: if the
//! engine comes up with fewer, files are missing, and that is said rather than served around
//! (`HUB-026`).

mod counts;

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode};
use hub::AccessClass;
use hub::store::{BoxStore, ClassUsage, Keep, NewBox, Purge, StoreError, Usage, stored_len};
use minicbor::{Decode, Encode};
use streams::BoxId;
use wire::Timestamp;
use wire::hub::{BoxBytes, PutOutcome};

use self::counts::Counts;

/// Version of the layout on disk.
const VERSION: &[u8] = b"2";
/// The layout before there were rooms, which differs in nothing else.
const WITHOUT_ROOMS: &[u8] = b"1";
/// Keyspace of the accounts: segment → usage, and the version.
const ACCOUNTS: &str = "accounts";
/// Names of segments: `s` and the segment's end, ms, sixteen hexadecimal digits.
const SEGMENT_PREFIX: &str = "s";
/// Block cache, bytes. It is small because a hub must fit on a Raspberry Pi.
const CACHE: u64 = 2 << 20;
/// Memtable of a segment before it goes to disk, bytes.
const MEMTABLE: u64 = 4 << 20;
/// Files that are kept open. A hub that has many must leave descriptors to its links.
const OPEN_FILES: usize = 128;

/// How the store keeps boxes.
#[derive(Debug, Clone, Copy, Default)]
pub struct StoreConfig {
    /// How long.
    pub keep: Keep,
    /// Open it although boxes are missing.
    pub accept_loss: bool,
}

struct Segment {
    boxes: Keyspace,
    usage: Usage,
}

/// The embedded store. One process can open it at a time.
pub struct FjallStore {
    path: PathBuf,
    keep: Keep,
    counts: Counts,
    /// None after it failed and could not be opened again.
    engine: Option<Engine>,
}

/// The engine's files, open.
struct Engine {
    db: Database,
    accounts: Keyspace,
    /// By end of segment.
    segments: BTreeMap<Timestamp, Segment>,
}

/// A segment's usage on disk.
#[derive(Encode, Decode)]
struct Account {
    #[n(0)]
    member: (u64, u64),
    #[n(1)]
    guest: (u64, u64),
    /// Room, bytes, boxes.
    #[n(2)]
    #[cbor(default)]
    rooms: Vec<(u16, u64, u64)>,
}

impl Account {
    fn of(usage: &Usage) -> Self {
        let pair = |c: ClassUsage| (c.bytes, c.boxes);
        let rooms = usage.rooms.iter().map(|(room, c)| (*room, c.bytes, c.boxes)).collect();
        Account { member: pair(usage.member), guest: pair(usage.guest), rooms }
    }

    fn usage(&self) -> Usage {
        let class = |(bytes, boxes)| ClassUsage { bytes, boxes };
        let rooms = self.rooms.iter().map(|(room, bytes, boxes)| (*room, class((*bytes, *boxes))));
        Usage { member: class(self.member), guest: class(self.guest), rooms: rooms.collect() }
    }
}

impl FjallStore {
    /// Opens the store in `path`, creating it if necessary.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process has it, [`StoreError::Refused`],
    /// [`StoreError::Damaged`], [`StoreError::Version`].
    pub fn open(path: &Path, config: &StoreConfig) -> Result<Self, StoreError> {
        // The engine may panic on damaged files instead of returning an error.
        catch_unwind(AssertUnwindSafe(|| Self::open_unguarded(path, config)))
            .unwrap_or(Err(StoreError::Damaged))
    }

    fn open_unguarded(path: &Path, config: &StoreConfig) -> Result<Self, StoreError> {
        let counts = Counts::load(path)?;
        let engine = Engine::open(path)?;
        let mut store =
            FjallStore { path: path.to_owned(), keep: config.keep, counts, engine: Some(engine) };
        let held = store.held();
        if !config.accept_loss {
            store.counts.compare(&held)?;
        }
        store.counts.save(held);
        Ok(store)
    }

    fn engine(&mut self) -> Result<&mut Engine, StoreError> {
        self.engine.as_mut().ok_or(StoreError::Failed)
    }

    /// Boxes by segment.
    fn held(&self) -> BTreeMap<Timestamp, u64> {
        let segments = self.engine.iter().flat_map(|engine| &engine.segments);
        segments.map(|(end, s)| (*end, s.usage.boxes())).collect()
    }
}

impl Engine {
    fn open(path: &Path) -> Result<Self, StoreError> {
        let db = Database::builder(path)
            .cache_size(CACHE)
            .max_cached_files(Some(OPEN_FILES))
            .worker_threads(1)
            .open()
            .map_err(refuse)?;
        let accounts = db.keyspace(ACCOUNTS, KeyspaceCreateOptions::default).map_err(refuse)?;
        match accounts.get("version").map_err(refuse)? {
            None => {
                accounts.insert("version", VERSION).map_err(refuse)?;
                db.persist(PersistMode::SyncAll).map_err(refuse)?;
            }
            Some(version) if &*version == VERSION => {}
            Some(version) if &*version == WITHOUT_ROOMS => {
                accounts.insert("version", VERSION).map_err(refuse)?;
                db.persist(PersistMode::SyncAll).map_err(refuse)?;
            }
            Some(_) => return Err(StoreError::Version),
        }
        let mut engine = Engine { db, accounts, segments: BTreeMap::new() };
        for name in engine.db.list_keyspace_names() {
            let Some(end) = segment_end(&name) else { continue };
            let boxes = engine.keyspace(end)?;
            let account = engine.accounts.get(end.as_millis().to_be_bytes()).map_err(refuse)?;
            let mut usage = match account {
                Some(bytes) => {
                    let account: Account =
                        wire::decode(&bytes, "account").map_err(|_| StoreError::Damaged)?;
                    account.usage()
                }
                // The segment was created but never written to.
                None => Usage::default(),
            };
            // Account and boxes are written together: if they differ, files are missing, and what
            // is there counts.
            let there = boxes.len().map_err(refuse)?;
            if u64::try_from(there) != Ok(usage.boxes()) {
                usage = count(&boxes)?;
            }
            engine.segments.insert(end, Segment { boxes, usage });
        }
        Ok(engine)
    }

    fn keyspace(&self, end: Timestamp) -> Result<Keyspace, StoreError> {
        let options = || {
            // Boxes are written once and dropped together, so compactions would only move them for
            // nothing.
            KeyspaceCreateOptions::default()
                .max_memtable_size(MEMTABLE)
                .with_kv_separation(Some(KvSeparationOptions::default()))
        };
        self.db
            .keyspace(&format!("{SEGMENT_PREFIX}{:016x}", end.as_millis()), options)
            .map_err(refuse)
    }

    /// Finds a box, newest segment first, since most boxes that are asked for are recent.
    fn find(&self, id: &BoxId) -> Result<Option<BoxBytes>, StoreError> {
        for segment in self.segments.values().rev() {
            if let Some(value) = segment.boxes.get(id.as_bytes()).map_err(refuse)? {
                return decode(id, &value).map(Some);
            }
        }
        Ok(None)
    }

    fn put_batch(
        &mut self,
        end: Timestamp,
        boxes: &[NewBox],
    ) -> Result<Vec<PutOutcome>, StoreError> {
        let mut outcomes = Vec::with_capacity(boxes.len());
        let mut fresh: HashMap<BoxId, &NewBox> = HashMap::new();
        for new in boxes {
            let id = new.content.id();
            let outcome = if let Some(earlier) = fresh.get(&id) {
                same_or_taken(earlier.content == new.content)
            } else if let Some(held) = self.find(&id)? {
                same_or_taken(is_same(&held, new))
            } else {
                fresh.insert(id, new);
                PutOutcome::Stored
            };
            outcomes.push(outcome);
        }
        if fresh.is_empty() {
            return Ok(outcomes);
        }
        if !self.segments.contains_key(&end) {
            let boxes = self.keyspace(end)?;
            // Nothing more is written to old segments. Flush their memory to disk, so that their
            // journals can go.
            for older in self.segments.values() {
                older.boxes.rotate_memtable().map_err(refuse)?;
            }
            self.segments.insert(end, Segment { boxes, usage: Usage::default() });
        }
        let segment = self.segments.get_mut(&end).ok_or(StoreError::Failed)?;
        let mut usage = segment.usage.clone();
        // One batch, so that boxes and account become durable together or not at all.
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncData));
        for (id, new) in &fresh {
            usage.add(new.class, stored_len(new.content.ciphertext()));
            batch.insert(&segment.boxes, id.as_bytes().as_slice(), encode(new));
        }
        let account = wire::encode(&Account::of(&usage));
        batch.insert(&self.accounts, end.as_millis().to_be_bytes(), account);
        batch.commit().map_err(refuse)?;
        segment.usage = usage;
        Ok(outcomes)
    }

    /// Deletes the boxes of a class in one segment.
    fn purge(&mut self, end: Timestamp, class: AccessClass) -> Result<u64, StoreError> {
        let segment = self.segments.get_mut(&end).ok_or(StoreError::Failed)?;
        if segment.usage.of(class) == ClassUsage::default() {
            return Ok(0);
        }
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncData));
        for entry in segment.boxes.iter() {
            let (id, value) = entry.into_inner().map_err(refuse)?;
            if split_class(&value).ok_or(StoreError::Damaged)?.0 == class {
                batch.remove(&segment.boxes, id);
            }
        }
        let mut usage = segment.usage.clone();
        let gone = usage.clear(class).boxes;
        let account = wire::encode(&Account::of(&usage));
        batch.insert(&self.accounts, end.as_millis().to_be_bytes(), account);
        batch.commit().map_err(refuse)?;
        segment.usage = usage;
        // So that the disk has the room, too.
        segment.boxes.rotate_memtable_and_wait().map_err(refuse)?;
        segment.boxes.major_compact().map_err(refuse)?;
        Ok(gone)
    }

    fn drop_segment(&mut self, end: Timestamp) -> Result<(), StoreError> {
        if let Some(segment) = self.segments.remove(&end) {
            self.db.delete_keyspace(segment.boxes).map_err(refuse)?;
            self.accounts.remove(end.as_millis().to_be_bytes()).map_err(refuse)?;
            self.db.persist(PersistMode::SyncAll).map_err(refuse)?;
        }
        Ok(())
    }
}

impl BoxStore for FjallStore {
    fn put_batch(
        &mut self,
        now: Timestamp,
        boxes: &[NewBox],
    ) -> Result<Vec<PutOutcome>, StoreError> {
        let end = self.keep.segment_end(now);
        let outcomes = self.engine()?.put_batch(end, boxes)?;
        if self.counts.is_due() {
            self.counts.save(self.held());
        }
        Ok(outcomes)
    }

    fn get(&self, ids: &[BoxId]) -> Result<Vec<BoxBytes>, StoreError> {
        let engine = self.engine.as_ref().ok_or(StoreError::Failed)?;
        ids.iter().filter_map(|id| engine.find(id).transpose()).collect()
    }

    fn expire(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let (keep, mut held) = (self.keep, self.held());
        held.retain(|end, _| keep.expiry(*end) > now);
        let stays: Vec<Timestamp> = held.keys().copied().collect();
        // Said before it is done: who starts again in between misses nothing.
        self.counts.save(held);
        let engine = self.engine()?;
        let over: Vec<Timestamp> =
            engine.segments.keys().copied().filter(|end| !stays.contains(end)).collect();
        over.into_iter().try_for_each(|end| engine.drop_segment(end))
    }

    fn recover(&mut self) -> Result<(), StoreError> {
        if self.engine.is_some() {
            self.counts.save(self.held());
        }
        // Closed first: its files are locked.
        self.engine = None;
        let path = self.path.clone();
        let engine = catch_unwind(AssertUnwindSafe(|| Engine::open(&path)))
            .unwrap_or(Err(StoreError::Damaged))?;
        self.engine = Some(engine);
        self.counts.compare(&self.held())
    }

    fn next_expiry(&self) -> Option<Timestamp> {
        let first = self.engine.as_ref()?.segments.keys().next();
        first.map(|end| self.keep.expiry(*end))
    }

    fn usage(&self) -> Usage {
        let segments = self.engine.iter().flat_map(|engine| engine.segments.values());
        let mut sum = Usage::default();
        segments.for_each(|segment| sum.add_all(&segment.usage));
        sum
    }
}

impl Purge for FjallStore {
    fn purge(&mut self, class: AccessClass) -> Result<u64, StoreError> {
        let mut held = self.held();
        let engine = self.engine.as_ref().ok_or(StoreError::Failed)?;
        for (end, segment) in &engine.segments {
            if let Some(count) = held.get_mut(end) {
                *count = count.saturating_sub(segment.usage.of(class).boxes);
            }
        }
        let ends: Vec<Timestamp> = held.keys().copied().collect();
        // Said before it is done, as for what expires.
        self.counts.save(held);
        let engine = self.engine()?;
        ends.into_iter().map(|end| engine.purge(end, class)).sum()
    }
}

impl Drop for FjallStore {
    fn drop(&mut self) {
        if self.engine.is_some() {
            self.counts.save(self.held());
        }
    }
}

impl std::fmt::Debug for FjallStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FjallStore({} boxes)", self.held().values().sum::<u64>())
    }
}

/// What lies in a segment, counted anew.
fn count(boxes: &Keyspace) -> Result<Usage, StoreError> {
    let mut usage = Usage::default();
    for entry in boxes.iter() {
        let value = entry.value().map_err(refuse)?;
        let (class, rest) = split_class(&value).ok_or(StoreError::Damaged)?;
        let ciphertext = rest.get(64..).ok_or(StoreError::Damaged)?;
        usage.add(class, stored_len(ciphertext));
    }
    Ok(usage)
}

const fn same_or_taken(same: bool) -> PutOutcome {
    if same { PutOutcome::Same } else { PutOutcome::Taken }
}

fn is_same(held: &BoxBytes, new: &NewBox) -> bool {
    held.signature == *new.content.signature() && held.ciphertext == new.content.ciphertext()
}

/// class u8, with a room's number u16 after it | signature 64 | ciphertext.
fn encode(new: &NewBox) -> Vec<u8> {
    let mut value = Vec::with_capacity(67 + new.content.ciphertext().len());
    match new.class {
        AccessClass::Member => value.push(0),
        AccessClass::Guest => value.push(1),
        AccessClass::Room(room) => {
            value.push(2);
            value.extend_from_slice(&room.to_be_bytes());
        }
    }
    value.extend_from_slice(new.content.signature());
    value.extend_from_slice(new.content.ciphertext());
    value
}

fn decode(id: &BoxId, value: &[u8]) -> Result<BoxBytes, StoreError> {
    let (_, rest) = split_class(value).ok_or(StoreError::Damaged)?;
    let (signature, ciphertext) = rest.split_first_chunk::<64>().ok_or(StoreError::Damaged)?;
    streams::BoxClass::of(ciphertext.len()).ok_or(StoreError::Damaged)?;
    Ok(BoxBytes { id: *id.as_bytes(), ciphertext: ciphertext.to_vec(), signature: *signature })
}

/// The class at the beginning of a value, and what follows.
fn split_class(value: &[u8]) -> Option<(AccessClass, &[u8])> {
    match value.split_first()? {
        (0, rest) => Some((AccessClass::Member, rest)),
        (1, rest) => Some((AccessClass::Guest, rest)),
        (2, rest) => {
            let (room, rest) = rest.split_first_chunk()?;
            Some((AccessClass::Room(u16::from_be_bytes(*room)), rest))
        }
        _ => None,
    }
}

fn segment_end(name: &str) -> Option<Timestamp> {
    let digits = name.strip_prefix(SEGMENT_PREFIX).filter(|d| d.len() == 16)?;
    u64::from_str_radix(digits, 16).ok().map(Timestamp::from_millis)
}

/// Translates the engine's errors. Their texts may hold paths and keys, so they are dropped.
#[allow(clippy::needless_pass_by_value, reason = "used as map_err argument")]
fn refuse(error: fjall::Error) -> StoreError {
    match error {
        fjall::Error::Locked => StoreError::Locked,
        fjall::Error::Io(e) | fjall::Error::Storage(fjall::LsmError::Io(e)) => match e.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::InvalidData => StoreError::Damaged,
            kind => StoreError::Refused(kind),
        },
        fjall::Error::InvalidVersion(_) => StoreError::Version,
        fjall::Error::Poisoned => StoreError::Failed,
        _ => StoreError::Damaged,
    }
}
