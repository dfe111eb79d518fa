//! The embedded box store, on `fjall`: one keyspace for each segment of time, dropped whole when it
//! expires.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode};
use hub::AccessClass;
use hub::store::{BoxStore, ClassUsage, Keep, NewBox, StoreError, Usage, stored_len};
use minicbor::{Decode, Encode};
use streams::BoxId;
use wire::Timestamp;
use wire::hub::{BoxBytes, PutOutcome};

/// Version of the layout on disk.
const VERSION: &[u8] = b"1";
/// Keyspace of the accounts: segment → usage, and the version.
const ACCOUNTS: &str = "accounts";
/// Names of segments: `s` and the segment's end, ms, sixteen hexadecimal digits.
const SEGMENT_PREFIX: &str = "s";
/// Block cache, bytes. It is small because a hub must fit on a Raspberry Pi.
const CACHE: u64 = 2 << 20;
/// Memtable of a segment before it goes to disk, bytes.
const MEMTABLE: u64 = 4 << 20;

/// How the store keeps boxes.
#[derive(Debug, Clone, Copy, Default)]
pub struct StoreConfig {
    /// How long.
    pub keep: Keep,
}

struct Segment {
    boxes: Keyspace,
    usage: Usage,
}

/// The embedded store. One process can open it at a time.
pub struct FjallStore {
    db: Database,
    accounts: Keyspace,
    keep: Keep,
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
}

impl Account {
    fn of(usage: &Usage) -> Self {
        let pair = |c: ClassUsage| (c.bytes, c.boxes);
        Account { member: pair(usage.member), guest: pair(usage.guest) }
    }

    fn usage(&self) -> Usage {
        let class = |(bytes, boxes)| ClassUsage { bytes, boxes };
        Usage { member: class(self.member), guest: class(self.guest) }
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
        let db =
            Database::builder(path).cache_size(CACHE).worker_threads(1).open().map_err(refuse)?;
        let accounts = db.keyspace(ACCOUNTS, KeyspaceCreateOptions::default).map_err(refuse)?;
        match accounts.get("version").map_err(refuse)? {
            None => {
                accounts.insert("version", VERSION).map_err(refuse)?;
                db.persist(PersistMode::SyncAll).map_err(refuse)?;
            }
            Some(version) if &*version == VERSION => {}
            Some(_) => return Err(StoreError::Version),
        }
        let mut store = FjallStore { db, accounts, keep: config.keep, segments: BTreeMap::new() };
        for name in store.db.list_keyspace_names() {
            let Some(end) = segment_end(&name) else { continue };
            let usage = match store.accounts.get(end.as_millis().to_be_bytes()).map_err(refuse)? {
                Some(bytes) => {
                    let account: Account =
                        wire::decode(&bytes, "account").map_err(|_| StoreError::Damaged)?;
                    account.usage()
                }
                // The segment was created but never written to.
                None => Usage::default(),
            };
            let boxes = store.keyspace(end)?;
            store.segments.insert(end, Segment { boxes, usage });
        }
        Ok(store)
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
}

impl BoxStore for FjallStore {
    fn put_batch(
        &mut self,
        now: Timestamp,
        boxes: &[NewBox],
    ) -> Result<Vec<PutOutcome>, StoreError> {
        let end = self.keep.segment_end(now);
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
        let mut usage = segment.usage;
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

    fn get(&self, ids: &[BoxId]) -> Result<Vec<BoxBytes>, StoreError> {
        ids.iter().filter_map(|id| self.find(id).transpose()).collect()
    }

    fn expire(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let over: Vec<Timestamp> =
            self.segments.keys().copied().filter(|end| self.keep.expiry(*end) <= now).collect();
        for end in over {
            if let Some(segment) = self.segments.remove(&end) {
                self.db.delete_keyspace(segment.boxes).map_err(refuse)?;
                self.accounts.remove(end.as_millis().to_be_bytes()).map_err(refuse)?;
                self.db.persist(PersistMode::SyncAll).map_err(refuse)?;
            }
        }
        Ok(())
    }

    fn next_expiry(&self) -> Option<Timestamp> {
        self.segments.keys().next().map(|end| self.keep.expiry(*end))
    }

    fn usage(&self) -> Usage {
        self.segments.values().fold(Usage::default(), |sum, s| sum.plus(&s.usage))
    }
}

impl std::fmt::Debug for FjallStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FjallStore({} segments)", self.segments.len())
    }
}

const fn same_or_taken(same: bool) -> PutOutcome {
    if same { PutOutcome::Same } else { PutOutcome::Taken }
}

fn is_same(held: &BoxBytes, new: &NewBox) -> bool {
    held.signature == *new.content.signature() && held.ciphertext == new.content.ciphertext()
}

/// class u8 | signature 64 | ciphertext.
fn encode(new: &NewBox) -> Vec<u8> {
    let class = match new.class {
        AccessClass::Member => 0,
        AccessClass::Guest => 1,
    };
    let mut value = Vec::with_capacity(65 + new.content.ciphertext().len());
    value.push(class);
    value.extend_from_slice(new.content.signature());
    value.extend_from_slice(new.content.ciphertext());
    value
}

fn decode(id: &BoxId, value: &[u8]) -> Result<BoxBytes, StoreError> {
    let (_, rest) = value.split_first().ok_or(StoreError::Damaged)?;
    let (signature, ciphertext) = rest.split_first_chunk::<64>().ok_or(StoreError::Damaged)?;
    streams::BoxClass::of(ciphertext.len()).ok_or(StoreError::Damaged)?;
    Ok(BoxBytes { id: *id.as_bytes(), ciphertext: ciphertext.to_vec(), signature: *signature })
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
