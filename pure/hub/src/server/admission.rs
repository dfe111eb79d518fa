//! Admission: which requests are let in, and at which rate.
//!
//! Everybody who has a key shares the rates of its class, and one of them may want all of it:
//!
//! ```text
//! class's bucket   ┌──────────────┐
//!                  │ upper half   │  whoever comes first
//!                  ├──────────────┤
//!                  │ lower half   │  only within one's own share: a quarter of the rate for the
//!                  └──────────────┘  onion route, the rest in equal parts for the links that ask
//! ```

use std::collections::HashMap;

use wire::Timestamp;
use wire::id::AccessKey;

use super::Asker;
use super::config::{ConnectionLimits, HubConfig};
use crate::class::{AccessClass, ClassLimits};
use crate::rate::{Bucket, Share};

/// Of a class's rate, so many parts of these four are for links; the last is for the onion route.
const PARTS: u64 = 4;
const LINK_PARTS: u64 = 3;
/// A link that has asked for nothing for so long has no share, ms.
const ACTIVE_MS: u64 = 10_000;
/// How often links are counted anew, ms.
const COUNT_MS: u64 = 1_000;
/// What a box that is there already costs who puts it, tokens.
const REPEATED_COST: u32 = 8;

/// The two kinds of rates.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Puts,
    Gets,
}

/// Something for puts and the same for gets.
#[derive(Debug, Clone, Copy)]
struct Rates<T> {
    puts: T,
    gets: T,
}

impl<T> Rates<T> {
    const fn of(&mut self, kind: Kind) -> &mut T {
        match kind {
            Kind::Puts => &mut self.puts,
            Kind::Gets => &mut self.gets,
        }
    }
}

/// What an asker may take of a class's rates when many want them.
#[derive(Debug)]
struct Sharer {
    shares: Rates<Share>,
    last: Timestamp,
}

/// The rates of a class.
#[derive(Debug)]
struct Class {
    limits: ClassLimits,
    /// Twice the burst: the lower half is there for those who are within their share.
    rates: Rates<Bucket>,
    sharers: HashMap<Asker, Sharer>,
    counted_at: Timestamp,
}

impl Class {
    /// Its buckets are full.
    fn new(now: Timestamp, limits: ClassLimits) -> Self {
        let burst = limits.burst_seconds.saturating_mul(2);
        let rates = Rates {
            puts: Bucket::new(now, limits.puts_per_second, burst),
            gets: Bucket::new(now, limits.gets_per_second, burst),
        };
        Class { limits, rates, sharers: HashMap::new(), counted_at: now }
    }

    /// Whether there are so many tokens for this asker, none of which is taken yet.
    fn has(&mut self, now: Timestamp, asker: Asker, kind: Kind, cost: u32) -> bool {
        if now.millis_since(self.counted_at) >= COUNT_MS {
            self.counted_at = now;
            self.sharers.retain(|_, sharer| now.millis_since(sharer.last) < ACTIVE_MS);
        }
        let fresh = Rates { puts: Share::new(now), gets: Share::new(now) };
        self.sharers.entry(asker).or_insert(Sharer { shares: fresh, last: now });
        let onion = u64::from(self.sharers.contains_key(&Asker::Onion));
        let links = u64::try_from(self.sharers.len()).unwrap_or(u64::MAX).saturating_sub(onion);
        let per_second = match kind {
            Kind::Puts => self.limits.puts_per_second,
            Kind::Gets => self.limits.gets_per_second,
        };
        let per_part = u64::from(per_second).saturating_mul(1000) / PARTS;
        let per_second = match asker {
            Asker::Onion => per_part,
            Asker::Direct(_) => per_part.saturating_mul(LINK_PARTS).checked_div(links).unwrap_or(0),
        };
        let Some(sharer) = self.sharers.get_mut(&asker) else { return false };
        sharer.last = now;
        let share = sharer.shares.of(kind);
        let within = share.has(now, cost, per_second, self.limits.burst_seconds);
        let bucket = self.rates.of(kind);
        bucket.has(now, cost) && (within || bucket.has_plenty(cost))
    }

    fn take(&mut self, asker: Asker, kind: Kind, cost: u32) {
        self.rates.of(kind).take(cost);
        if let Some(sharer) = self.sharers.get_mut(&asker) {
            sharer.shares.of(kind).take(cost);
        }
    }
}

/// Access keys, and the rates of classes and connections.
#[derive(Debug)]
pub(super) struct Admission {
    keys: Vec<(AccessKey, AccessClass, ClassLimits)>,
    limits: HashMap<AccessClass, ClassLimits>,
    connection: ConnectionLimits,
    max_connections: usize,
    classes: HashMap<AccessClass, Class>,
    connections: HashMap<u64, Rates<Bucket>>,
}

impl Admission {
    pub(super) fn new(config: HubConfig) -> Self {
        Admission {
            limits: config.keys.iter().map(|(_, class, limits)| (*class, *limits)).collect(),
            keys: config.keys,
            connection: config.connection,
            max_connections: config.max_connections,
            classes: HashMap::new(),
            connections: HashMap::new(),
        }
    }

    /// Replaces the rooms. One that is missing now is no longer admitted.
    pub(super) fn set_rooms(&mut self, rooms: Vec<(AccessKey, u16, ClassLimits)>) {
        let is_room = |class: &AccessClass| matches!(class, AccessClass::Room(_));
        self.keys.retain(|(_, class, _)| !is_room(class));
        self.limits.retain(|class, _| !is_room(class));
        for (key, room, limits) in rooms {
            let class = AccessClass::Room(room);
            self.keys.push((key, class, limits));
            self.limits.insert(class, limits);
        }
        // Where the rates are others, they begin anew.
        let limits = &self.limits;
        self.classes.retain(|class, state| limits.get(class) == Some(&state.limits));
    }

    /// The class of a key. Compares with every known key, so the time does not depend on which one
    /// it is.
    pub(super) fn class(&self, access: &AccessKey) -> Option<AccessClass> {
        let mut found = None;
        for (key, class, _) in &self.keys {
            if key == access {
                found = Some(*class);
            }
        }
        found
    }

    /// Storage limit of a class, bytes.
    pub(super) fn max_bytes(&self, class: AccessClass) -> u64 {
        self.limits.get(&class).map_or(0, |l| l.max_bytes)
    }

    /// Whether a `put` is within the rates. If so, takes its token.
    pub(super) fn put(&mut self, now: Timestamp, asker: Asker, class: AccessClass) -> bool {
        self.take(now, asker, class, 1, Kind::Puts)
    }

    /// Whether a `get` of `cost` tokens is within the rates. If so, takes them.
    pub(super) fn get(
        &mut self,
        now: Timestamp,
        asker: Asker,
        class: AccessClass,
        cost: u32,
    ) -> bool {
        self.take(now, asker, class, cost, Kind::Gets)
    }

    /// A `put` was of a box that is there already: its token goes back to the class, and who put it
    /// pays more.
    pub(super) fn repeated(&mut self, asker: Asker, class: AccessClass) {
        if let Some(class) = self.classes.get_mut(&class) {
            class.take(asker, Kind::Puts, REPEATED_COST);
            class.rates.puts.give(REPEATED_COST.saturating_add(1));
        }
        if let Asker::Direct(id) = asker
            && let Some(connection) = self.connections.get_mut(&id)
        {
            connection.puts.take(REPEATED_COST);
        }
    }

    fn take(
        &mut self,
        now: Timestamp,
        asker: Asker,
        class: AccessClass,
        cost: u32,
        kind: Kind,
    ) -> bool {
        let Some(limits) = self.limits.get(&class) else { return false };
        let class = self.classes.entry(class).or_insert_with(|| Class::new(now, *limits));
        let connection = match asker {
            Asker::Onion => None,
            Asker::Direct(id) => {
                if self.connections.len() >= self.max_connections
                    && !self.connections.contains_key(&id)
                {
                    return false;
                }
                let limits = &self.connection;
                let full = |per_second| Bucket::new(now, per_second, limits.burst_seconds);
                let fresh = || Rates {
                    puts: full(limits.puts_per_second),
                    gets: full(limits.gets_per_second),
                };
                Some(self.connections.entry(id).or_insert_with(fresh).of(kind))
            }
        };
        // Take from all or none: a connection over its own rate must not use up the tokens of its
        // class.
        if !class.has(now, asker, kind, cost) {
            return false;
        }
        if let Some(connection) = connection {
            if !connection.has(now, cost) {
                return false;
            }
            connection.take(cost);
        }
        class.take(asker, kind, cost);
        true
    }

    /// Whether the asker is still there.
    pub(super) fn knows(&self, asker: Asker) -> bool {
        match asker {
            Asker::Onion => true,
            Asker::Direct(id) => self.connections.contains_key(&id),
        }
    }

    /// Forgets a connection.
    pub(super) fn disconnect(&mut self, connection: u64) {
        self.connections.remove(&connection);
    }
}
