//! Admission: which requests are let in, and at which rate.

use std::collections::HashMap;

use wire::Timestamp;
use wire::id::AccessKey;

use super::Asker;
use super::config::{ConnectionLimits, HubConfig};
use crate::class::{AccessClass, ClassLimits};
use crate::rate::Bucket;

/// The buckets of a class or a connection. They are full at the first request.
#[derive(Debug, Clone, Copy)]
struct Rates {
    puts: Bucket,
    gets: Bucket,
}

/// Access keys, and the rates of classes and connections.
#[derive(Debug)]
pub(super) struct Admission {
    keys: Vec<(AccessKey, AccessClass, ClassLimits)>,
    limits: HashMap<AccessClass, ClassLimits>,
    connection: ConnectionLimits,
    max_connections: usize,
    classes: HashMap<AccessClass, Rates>,
    connections: HashMap<u64, Rates>,
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
        let before = self.limits.clone();
        self.limits.retain(|class, _| !is_room(class));
        for (key, room, limits) in rooms {
            let class = AccessClass::Room(room);
            self.keys.push((key, class, limits));
            self.limits.insert(class, limits);
        }
        // Where the rates are others, they begin anew.
        let limits = &self.limits;
        self.classes.retain(|class, _| limits.get(class) == before.get(class));
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
        self.take(now, asker, class, 1, |rates| &mut rates.puts)
    }

    /// Whether a `get` of `cost` tokens is within the rates. If so, takes them.
    pub(super) fn get(
        &mut self,
        now: Timestamp,
        asker: Asker,
        class: AccessClass,
        cost: u32,
    ) -> bool {
        self.take(now, asker, class, cost, |rates| &mut rates.gets)
    }

    fn take(
        &mut self,
        now: Timestamp,
        asker: Asker,
        class: AccessClass,
        cost: u32,
        which: impl Fn(&mut Rates) -> &mut Bucket,
    ) -> bool {
        let Some(limits) = self.limits.get(&class) else { return false };
        let rates = |puts, gets, burst| Rates {
            puts: Bucket::new(now, puts, burst),
            gets: Bucket::new(now, gets, burst),
        };
        let class = self.classes.entry(class).or_insert_with(|| {
            rates(limits.puts_per_second, limits.gets_per_second, limits.burst_seconds)
        });
        let connection = match asker {
            Asker::Onion => None,
            Asker::Direct(id) => {
                if self.connections.len() >= self.max_connections
                    && !self.connections.contains_key(&id)
                {
                    return false;
                }
                let limits = &self.connection;
                let fresh =
                    || rates(limits.puts_per_second, limits.gets_per_second, limits.burst_seconds);
                Some(self.connections.entry(id).or_insert_with(fresh))
            }
        };
        // Take from both or neither: a connection over its own rate must not use up the tokens of
        // its class.
        let class = which(class);
        if !class.has(now, cost) {
            return false;
        }
        if let Some(connection) = connection {
            let connection = which(connection);
            if !connection.has(now, cost) {
                return false;
            }
            connection.take(cost);
        }
        class.take(cost);
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
