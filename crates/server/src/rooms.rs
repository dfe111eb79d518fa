//! Rooms of a hub: keys with a share of the storage that is nobody else's (`HUB-027`).
//!
//! The list is a file in the hub's directory, which the operator's commands change and a running
//! hub follows; what the hub has done is in another file, which the commands read:
//!
//! ```text
//! hub rooms add, remove, purge ──► rooms.json ──► the hub: admits keys, deletes boxes
//!                  hub rooms list ◄── rooms-state.json ◄──┘
//! ```

use std::collections::BTreeMap;

use hub::ClassLimits;
use hub::store::Usage;
use jail::StateDir;
use rand::rand_core::{Rng as _, UnwrapErr};
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};
use wire::id::AccessKey;

use crate::Error;

const LIST: &str = "rooms.json";
const STATE: &str = "rooms-state.json";
/// Most rooms with a key of their own.
const MAX_ROOMS: usize = 256;
/// Longest name, bytes.
const MAX_NAME: usize = 64;

/// A room's key and its share.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomAccount {
    /// What its operator calls it.
    pub name: String,
    /// By which the store knows it; never given to another room.
    number: u16,
    /// Its key, in hexadecimal.
    key: String,
    /// Storage, MiB.
    pub storage_mib: u64,
    /// Boxes put a second.
    pub puts_per_second: u32,
    /// How often it was purged.
    purged: u64,
}

impl std::fmt::Debug for RoomAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RoomAccount")
    }
}

impl RoomAccount {
    /// The key in the room's links.
    ///
    /// # Errors
    /// [`Error::Config`] when the file was changed by hand.
    pub fn key(&self) -> Result<AccessKey, Error> {
        let bytes = data_encoding::HEXLOWER.decode(self.key.as_bytes()).ok();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(AccessKey::new).ok_or_else(|| damaged("a key"))
    }

    fn limits(&self) -> ClassLimits {
        ClassLimits::room(self.storage_mib.saturating_mul(1 << 20), self.puts_per_second)
    }
}

/// The rooms of a hub.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rooms {
    next: u16,
    rooms: Vec<RoomAccount>,
}

/// What the hub has done, and how much each room holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomsState {
    rooms: BTreeMap<u16, RoomState>,
}

/// One room, as the hub has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomState {
    /// Boxes that it holds.
    pub boxes: u64,
    /// What they count for, bytes.
    pub bytes: u64,
    /// How many purges are done.
    purged: u64,
    /// How many boxes the last one deleted.
    pub deleted: u64,
}

fn damaged(what: &str) -> Error {
    Error::Config(format!("{LIST} is damaged: {what}"))
}

impl Rooms {
    /// The list in a hub's directory; an empty one where there is none.
    ///
    /// # Errors
    /// A file that cannot be read, or is no such list.
    pub fn load(state: &StateDir) -> Result<Self, Error> {
        let Some(bytes) = state.read(LIST)? else { return Ok(Rooms::default()) };
        serde_json::from_slice(&bytes).map_err(|e| damaged(&e.to_string()))
    }

    /// Writes the list: a hub that runs follows it within a second or two.
    ///
    /// # Errors
    /// A disk error.
    pub fn save(&self, state: &StateDir) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(self).map_err(|_| Error::Bug("rooms have no JSON"))?;
        Ok(state.write(LIST, &text)?)
    }

    /// All rooms.
    #[must_use]
    pub fn all(&self) -> &[RoomAccount] {
        &self.rooms
    }

    /// The room with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&RoomAccount> {
        self.rooms.iter().find(|room| room.name == name)
    }

    /// Adds a room, with a new key.
    ///
    /// # Errors
    /// [`Error::Config`]: a name that is taken or cannot be one, too many rooms.
    pub fn add(
        &mut self,
        name: &str,
        storage_mib: u64,
        puts_per_second: u32,
    ) -> Result<&RoomAccount, Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) {
            let text = "a room's name has 1 to 64 letters, digits, hyphens and underscores";
            return Err(Error::Config(text.to_owned()));
        }
        if self.get(name).is_some() {
            return Err(Error::Config(format!("there is a room {name} already")));
        }
        if self.rooms.len() >= MAX_ROOMS || self.next == u16::MAX {
            return Err(Error::Config("this hub has as many rooms as it can have".to_owned()));
        }
        let mut key = [0; 16];
        UnwrapErr(SysRng).fill_bytes(&mut key);
        let number = self.next;
        self.next = number.saturating_add(1);
        self.rooms.push(RoomAccount {
            name: name.to_owned(),
            number,
            key: data_encoding::HEXLOWER.encode(&key),
            storage_mib,
            puts_per_second,
            purged: 0,
        });
        self.rooms.last().ok_or(Error::Bug("what was added is gone"))
    }

    /// The key of a room, which is added if there is none of this name.
    ///
    /// # Errors
    /// As [`Rooms::add`], and a disk error.
    pub fn ensure(
        state: &StateDir,
        name: &str,
        storage_mib: u64,
        puts_per_second: u32,
    ) -> Result<AccessKey, Error> {
        let mut rooms = Rooms::load(state)?;
        if let Some(room) = rooms.get(name) {
            return room.key();
        }
        let key = rooms.add(name, storage_mib, puts_per_second)?.key()?;
        rooms.save(state)?;
        Ok(key)
    }

    /// Takes a room off the list: its key opens nothing more, and what was put with it goes.
    #[must_use]
    pub fn remove(&mut self, name: &str) -> Option<RoomAccount> {
        let at = self.rooms.iter().position(|room| room.name == name)?;
        Some(self.rooms.remove(at))
    }

    /// Asks for everything to be deleted that was put with a room's key.
    #[must_use]
    pub fn purge(&mut self, name: &str) -> bool {
        let room = self.rooms.iter_mut().find(|room| room.name == name);
        room.map(|room| room.purged = room.purged.saturating_add(1)).is_some()
    }

    /// What a hub admits.
    pub(crate) fn admitted(&self) -> Result<Vec<(AccessKey, u16, ClassLimits)>, Error> {
        self.rooms.iter().map(|room| Ok((room.key()?, room.number, room.limits()))).collect()
    }

    /// The rooms that are to be emptied: those with a new purge, and those that are on the list no
    /// more.
    pub(crate) fn to_empty(&self, state: &RoomsState, usage: &Usage) -> Vec<u16> {
        let wants = |room: &&RoomAccount| room.purged > state.of(room.number).purged;
        let asked = self.rooms.iter().filter(wants).map(|room| room.number);
        let known = |number: &u16| self.rooms.iter().any(|room| room.number == *number);
        asked.chain(usage.rooms.keys().copied().filter(|number| !known(number))).collect()
    }
}

impl RoomsState {
    /// The state in a hub's directory.
    #[must_use]
    pub fn load(state: &StateDir) -> Self {
        // Written by the hub for people to read: a damaged one is written anew.
        let bytes = state.read(STATE).ok().flatten();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    pub(crate) fn save(&self, state: &StateDir) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(self).map_err(|_| Error::Bug("no JSON"))?;
        Ok(state.write(STATE, &text)?)
    }

    fn of(&self, number: u16) -> RoomState {
        self.rooms.get(&number).copied().unwrap_or_default()
    }

    /// Whether the hub has heard of the room, and not yet of its end.
    #[must_use]
    pub fn knows(&self, room: &RoomAccount) -> bool {
        self.rooms.contains_key(&room.number)
    }

    /// A room, if all its purges are done.
    #[must_use]
    pub fn of_room(&self, room: &RoomAccount) -> Option<RoomState> {
        let state = self.of(room.number);
        (state.purged >= room.purged).then_some(state)
    }

    /// Notes what is there now; `emptied` says which room lost how many boxes.
    pub(crate) fn note(&mut self, rooms: &Rooms, usage: &Usage, emptied: Option<(u16, u64)>) {
        let mut now = BTreeMap::new();
        for room in &rooms.rooms {
            let mut state = self.of(room.number);
            if let Some((_, deleted)) = emptied.filter(|(number, _)| *number == room.number) {
                (state.purged, state.deleted) = (room.purged, deleted);
            }
            let held = usage.rooms.get(&room.number).copied().unwrap_or_default();
            (state.boxes, state.bytes) = (held.boxes, held.bytes);
            now.insert(room.number, state);
        }
        self.rooms = now;
    }
}
