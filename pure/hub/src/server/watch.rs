//! The table of open `get`s.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use streams::BoxId;
use wire::Timestamp;
use wire::hub::BoxBytes;
use wire::id::AccessKey;

use super::config::HubConfig;
use super::{AskId, Asker, ONION_ROOM, Room};
use crate::class::{AccessClass, ClassLimits};
use crate::store::stored_len;

/// An open `get`.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) ask: AskId,
    pub(super) asker: Asker,
    pub(super) class: AccessClass,
    /// Without repeats, in the order asked for.
    pub(super) ids: Vec<BoxId>,
    pub(super) deadline: Timestamp,
    /// Whether it is answered at its deadline only.
    pub(super) hold: bool,
}

/// A number of open `get`s and of the ids in them.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    watches: usize,
    ids: usize,
}

/// What a link may have while there is any room in its class.
const LEAST: Count = Count { watches: 2, ids: 32 };

impl Count {
    const fn most(limits: &ClassLimits) -> Count {
        Count { watches: limits.max_watchers, ids: limits.max_watched_ids }
    }

    const fn plus(self, ids: usize) -> Count {
        Count { watches: self.watches.saturating_add(1), ids: self.ids.saturating_add(ids) }
    }

    const fn minus(self, ids: usize) -> Count {
        Count { watches: self.watches.saturating_sub(1), ids: self.ids.saturating_sub(ids) }
    }

    const fn is_over(self, max: Count) -> bool {
        self.watches > max.watches || self.ids > max.ids
    }

    const fn less(self, other: Count) -> Count {
        Count {
            watches: self.watches.saturating_sub(other.watches),
            ids: self.ids.saturating_sub(other.ids),
        }
    }

    fn or(self, other: Count) -> Count {
        Count { watches: self.watches.max(other.watches), ids: self.ids.max(other.ids) }
    }

    /// One of so many equal parts.
    fn part(self, of: usize) -> Count {
        let part = |all: usize| all.checked_div(of).unwrap_or(all);
        Count { watches: part(self.watches), ids: part(self.ids) }
    }
}

/// Open `get`s by id, by deadline and by connection. Ordered sets of pairs make every look-up
/// logarithmic and keep no empty lists behind.
#[derive(Debug)]
pub(super) struct Watchers {
    room: Room,
    max: Count,
    max_of_class: HashMap<AccessClass, Count>,
    max_of_connection: Count,
    total: Count,
    of_class: HashMap<AccessClass, Count>,
    /// Of those that have any.
    of_connection: HashMap<u64, Count>,
    next: u64,
    watches: HashMap<u64, Watch>,
    by_id: BTreeSet<(BoxId, u64)>,
    by_deadline: BTreeSet<(Timestamp, u64)>,
    by_connection: BTreeSet<(u64, u64)>,
}

impl Watchers {
    pub(super) fn new(config: &HubConfig) -> Self {
        let of_class =
            |(_, class, limits): &(_, AccessClass, ClassLimits)| (*class, Count::most(limits));
        Watchers {
            room: Room { onion: ONION_ROOM },
            max: Count { watches: config.max_watchers, ids: config.max_watched_ids },
            max_of_class: config.keys.iter().map(of_class).collect(),
            max_of_connection: Count {
                watches: config.connection.max_watchers,
                ids: config.connection.max_watched_ids,
            },
            total: Count::default(),
            of_class: HashMap::new(),
            of_connection: HashMap::new(),
            next: 0,
            watches: HashMap::new(),
            by_id: BTreeSet::new(),
            by_deadline: BTreeSet::new(),
            by_connection: BTreeSet::new(),
        }
    }

    pub(super) fn set_room(&mut self, room: Room) {
        self.room = room;
    }

    /// Replaces the bounds of rooms.
    pub(super) fn set_bounds(&mut self, rooms: &[(AccessKey, u16, ClassLimits)]) {
        self.max_of_class.retain(|class, _| !matches!(class, AccessClass::Room(_)));
        let most =
            |(_, room, limits): &(_, u16, _)| (AccessClass::Room(*room), Count::most(limits));
        self.max_of_class.extend(rooms.iter().map(most));
    }

    pub(super) fn len(&self) -> usize {
        self.watches.len()
    }

    /// Opens a `get`.
    ///
    /// # Errors
    /// The [`AskId`] of the `get`, if the connection, its class or the table is over a bound, or
    /// the connection over its share of the last quarter of its class.
    pub(super) fn insert(&mut self, watch: Watch) -> Result<(), AskId> {
        let ids = watch.ids.len();
        let total = self.total.plus(ids);
        let of_class = self.of_class.get(&watch.class).copied().unwrap_or_default().plus(ids);
        let max_of_class = self.max_of_class.get(&watch.class).copied().unwrap_or_default();
        if total.is_over(self.max) || of_class.is_over(max_of_class) {
            return Err(watch.ask);
        }
        if let Asker::Direct(connection) = watch.asker {
            let before = self.of_connection.get(&connection).copied();
            let links = self.of_connection.len().saturating_add(usize::from(before.is_none()));
            let of_connection = before.unwrap_or_default().plus(ids);
            let quarter = max_of_class.part(4);
            let full = of_class.is_over(max_of_class.less(quarter));
            if of_connection.is_over(self.max_of_connection)
                || full && of_connection.is_over(quarter.part(links).or(LEAST))
            {
                return Err(watch.ask);
            }
            self.of_connection.insert(connection, of_connection);
        }
        self.total = total;
        self.of_class.insert(watch.class, of_class);
        let key = self.next;
        self.next = self.next.wrapping_add(1);
        if !watch.hold {
            self.by_id.extend(watch.ids.iter().map(|id| (*id, key)));
        }
        self.by_deadline.insert((watch.deadline, key));
        if let Asker::Direct(connection) = watch.asker {
            self.by_connection.insert((connection, key));
        }
        self.watches.insert(key, watch);
        Ok(())
    }

    fn remove(&mut self, key: u64) -> Option<Watch> {
        let watch = self.watches.remove(&key)?;
        self.total = self.total.minus(watch.ids.len());
        if let Some(count) = self.of_class.get_mut(&watch.class) {
            *count = count.minus(watch.ids.len());
        }
        if !watch.hold {
            for id in &watch.ids {
                self.by_id.remove(&(*id, key));
            }
        }
        self.by_deadline.remove(&(watch.deadline, key));
        if let Asker::Direct(connection) = watch.asker {
            self.by_connection.remove(&(connection, key));
            let before = self.of_connection.remove(&connection).unwrap_or_default();
            let left = before.minus(watch.ids.len());
            if left.watches > 0 {
                self.of_connection.insert(connection, left);
            }
        }
        Some(watch)
    }

    /// Whether an open `get` waits for this id.
    pub(super) fn is_watched(&self, id: &BoxId) -> bool {
        self.by_id.range((*id, 0)..=(*id, u64::MAX)).next().is_some()
    }

    /// Closes all `get`s that wait for one of the boxes and have room for it, and gives each the
    /// boxes it asked for.
    pub(super) fn wake(
        &mut self,
        arrived: &[Arc<BoxBytes>],
        mut woken: impl FnMut(AskId, Vec<Arc<BoxBytes>>),
    ) {
        let by_id: HashMap<BoxId, &Arc<BoxBytes>> =
            arrived.iter().map(|b| (BoxId::new(b.id), b)).collect();
        for content in arrived {
            let id = BoxId::new(content.id);
            let keys: Vec<u64> =
                self.by_id.range((id, 0)..=(id, u64::MAX)).map(|(_, key)| *key).collect();
            for key in keys {
                let takes = self
                    .watches
                    .get(&key)
                    .is_some_and(|w| self.room.takes(w.asker, &content.ciphertext));
                if !takes {
                    continue;
                }
                if let Some(watch) = self.remove(key) {
                    woken(watch.ask, what_fits(self.room, &watch, &by_id));
                }
            }
        }
    }

    /// Earliest deadline of an open `get`.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.by_deadline.first().map(|(at, _)| *at)
    }

    /// Closes one `get` whose deadline has come.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<Watch> {
        let (_, key) = self.by_deadline.first().filter(|(at, _)| *at <= now)?;
        self.remove(*key)
    }

    /// Closes one `get` of a connection, but none that is held until its deadline.
    pub(super) fn pop_early_of(&mut self, connection: u64) -> Option<Watch> {
        let keys = self.by_connection.range((connection, 0)..=(connection, u64::MAX));
        let key =
            keys.map(|(_, key)| *key).find(|key| self.watches.get(key).is_some_and(|w| !w.hold))?;
        self.remove(key)
    }

    /// Closes one `get` of a connection.
    pub(super) fn pop_of(&mut self, connection: u64) -> Option<Watch> {
        let (_, key) = self.by_connection.range((connection, 0)..=(connection, u64::MAX)).next()?;
        self.remove(*key)
    }
}

/// The boxes that were asked for, as far as they fit into a response.
fn what_fits(
    room: Room,
    watch: &Watch,
    arrived: &HashMap<BoxId, &Arc<BoxBytes>>,
) -> Vec<Arc<BoxBytes>> {
    let mut bytes = 0u64;
    let asked = watch.ids.iter().filter_map(|id| arrived.get(id));
    asked
        .filter(|b| room.takes(watch.asker, &b.ciphertext))
        .take(watch.asker.max_boxes())
        .take_while(|b| {
            bytes = bytes.saturating_add(stored_len(&b.ciphertext));
            bytes <= room.of(watch.asker)
        })
        .map(|b| Arc::clone(b))
        .collect()
}
