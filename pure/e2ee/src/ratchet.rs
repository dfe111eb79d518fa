//! The keys of a room, and how they move forward with document time.

use std::fmt;

use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};
use wire::Timestamp;

use crate::kdf::derive;
use crate::{Error, NetworkPlace, RoomLink, RoomSettings, Secret, TalkerKey};

/// Most hours that one advance may cross: 400 days of default hours. It bounds the hashing that a
/// link with a forged hour can cause.
pub const MAX_STEPS: u64 = 24 * 400;

/// Domain of a room's id.
const ROOM_DOMAIN: &[u8] = b"hushwing room id v1";

/// A room's id: SHA-256 over a domain and its owner's public key; the same through all generations.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId([u8; 32]);

impl RoomId {
    /// The id of `owner`'s room.
    #[must_use]
    pub(crate) fn of(owner: &TalkerKey) -> Self {
        let hash =
            Sha256::new().chain_update(ROOM_DOMAIN).chain_update(owner.as_bytes()).finalize();
        Self(hash.into())
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomId")
    }
}

/// The secrets of one generation at one hour: what a link carries and what a re-keying seals.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Root {
    #[n(0)]
    pub(crate) generation: u32,
    #[n(1)]
    pub(crate) control: Secret,
    #[n(2)]
    pub(crate) hour: u64,
    #[n(3)]
    pub(crate) chain: Secret,
    #[n(4)]
    pub(crate) settings: RoomSettings,
}

/// Everything that the holder of a link knows: the room's keys at the current hour and, since
/// clocks differ at the boundary, at the hour before.
///
/// Hours are periods of the room's hour length in *document time*, never of the local clock alone.
/// Earlier keys are erased and cannot be recomputed (`ROOM-004`).
#[derive(Clone)]
pub struct RoomKeys {
    id: RoomId,
    owner: TalkerKey,
    place: NetworkPlace,
    root: Root,
    previous: Option<Secret>,
    context: Secret,
}

impl RoomKeys {
    /// The keys in a link, at the link's hour.
    ///
    /// # Errors
    /// [`Error::Internal`] only.
    pub fn from_link(link: &RoomLink) -> Result<Self, Error> {
        Self::new(link.place.clone(), link.owner, link.root.clone())
    }

    pub(crate) fn new(place: NetworkPlace, owner: TalkerKey, root: Root) -> Result<Self, Error> {
        let context = derive(root.control.reveal(), "room boxes", &root.generation.to_be_bytes())?;
        Ok(Self { id: RoomId::of(&owner), owner, place, root, previous: None, context })
    }

    /// Moves forward to `hour` and erases everything before the hour that precedes it. Does nothing
    /// if `hour` is not later. Costs one HKDF for each hour crossed.
    ///
    /// # Errors
    /// [`Error::HourTooFar`] if `hour` is more than [`MAX_STEPS`] ahead; nothing changes.
    pub fn advance_to(&mut self, hour: u64) -> Result<(), Error> {
        if hour.saturating_sub(self.root.hour) > MAX_STEPS {
            return Err(Error::HourTooFar);
        }
        while self.root.hour < hour {
            let next = self.root.hour.saturating_add(1);
            let chain = derive(self.root.chain.reveal(), "chain", &next.to_be_bytes())?;
            // The secret that was in `previous` is erased when it is dropped.
            self.previous = Some(std::mem::replace(&mut self.root.chain, chain));
            self.root.hour = next;
        }
        Ok(())
    }

    /// Moves forward to the hour of `now`, in document time.
    ///
    /// # Errors
    /// As [`RoomKeys::advance_to`].
    pub fn advance(&mut self, now: Timestamp) -> Result<(), Error> {
        self.advance_to(now.period(self.root.settings.hour_ms()))
    }

    /// A link that starts at the current hour, with which nothing earlier can be read (`ROOM-005`).
    #[must_use]
    pub fn link_now(&self) -> RoomLink {
        RoomLink { place: self.place.clone(), owner: self.owner, root: self.root.clone() }
    }

    /// The BACAP context of every box in this generation: doors, talkers' streams and the control
    /// stream.
    #[must_use]
    pub const fn context(&self) -> &[u8; 32] {
        self.context.reveal()
    }

    /// The room's id.
    #[must_use]
    pub const fn id(&self) -> &RoomId {
        &self.id
    }

    /// The owner's public key.
    #[must_use]
    pub(crate) const fn owner(&self) -> &TalkerKey {
        &self.owner
    }

    /// Where the room lives.
    #[must_use]
    pub(crate) const fn place(&self) -> &NetworkPlace {
        &self.place
    }

    /// Number of re-keyings so far.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.root.generation
    }

    /// The current hour of the keys.
    #[must_use]
    pub const fn hour(&self) -> u64 {
        self.root.hour
    }

    /// The hours whose doors can be opened: the current one and, after the first advance, the one
    /// before.
    pub fn hours(&self) -> impl Iterator<Item = u64> + use<> {
        let before = self.previous.as_ref().and(self.root.hour.checked_sub(1));
        before.into_iter().chain(std::iter::once(self.root.hour))
    }

    /// The room's settings.
    #[must_use]
    pub const fn settings(&self) -> &RoomSettings {
        &self.root.settings
    }

    pub(crate) fn chain_of(&self, hour: u64) -> Result<&Secret, Error> {
        if hour == self.root.hour {
            return Ok(&self.root.chain);
        }
        match &self.previous {
            Some(chain) if Some(hour) == self.root.hour.checked_sub(1) => Ok(chain),
            _ => Err(Error::NoKeyForHour),
        }
    }

    pub(crate) const fn control_secret(&self) -> &Secret {
        &self.root.control
    }
}

impl fmt::Debug for RoomKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomKeys")
    }
}
