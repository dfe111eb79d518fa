//! The owner's stream: mutes, notices, and re-keying.

use std::fmt;

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use streams::{Index, ReadCapability, WriteCapability};
use subtle::ConstantTimeEq;
use wire::Timestamp;
use zeroize::Zeroizing;

use crate::door_key::{DoorKey, DoorSecret, KEM_CIPHERTEXT_LEN};
use crate::kdf::derive;
use crate::ratchet::Root;
use crate::talk::{TextChunk, from_seconds, seconds, whole_seconds};
use crate::{
    Error, NetworkPlace, OwnerLink, RoomId, RoomKeys, RoomSettings, Secret, TalkerKey,
    TalkerSecret, codec,
};

/// Version of the layout.
const VERSION: u8 = 1;
/// Most talkers to whom one re-keying is sealed.
pub const MAX_RECIPIENTS: usize = 1_024;
/// Length of the tag by which a recipient recognises its box, bytes.
const TAG_LEN: usize = 8;
/// Longest sealed part, bytes.
const MAX_SEALED: usize = 256;

const TAG_DOMAIN: &[u8] = b"hushwing room rekey tag v1";
const SEAL_DOMAIN: &[u8] = b"hushwing room rekey seal v1";

impl RoomKeys {
    /// The owner's control stream in this generation, from its first box on. It is the same for
    /// every link of the generation.
    ///
    /// # Errors
    /// [`Error::Internal`] or an error of `streams`; neither happens with a valid link.
    pub fn control_stream(&self) -> Result<ReadCapability, Error> {
        let index = self.control_index()?;
        Ok(ReadCapability::from_parts(*self.owner().as_bytes(), index)?)
    }

    fn control_index(&self) -> Result<Index, Error> {
        let seed = derive(
            self.control_secret().reveal(),
            "control index",
            &self.generation().to_be_bytes(),
        )?;
        Ok(Index::from_seed(seed.reveal()))
    }
}

/// An order of the room's owner.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Order {
    /// From now on, show nothing of this talker.
    #[n(0)]
    Mute {
        /// Who.
        #[n(0)]
        talker: TalkerKey,
    },
    /// Undo a mute.
    #[n(1)]
    Unmute {
        /// Who.
        #[n(0)]
        talker: TalkerKey,
    },
    /// A notice from the owner to everybody.
    #[n(2)]
    Notice {
        /// The text, not sanitized yet.
        #[n(0)]
        text: TextChunk,
    },
    /// The room continues under new keys.
    #[n(3)]
    Rekey {
        /// One recipient's share, or an empty one.
        #[n(0)]
        rekey: Rekey,
    },
}

/// The content of one box in the control stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// When the owner wrote it: document time, whole seconds.
    pub at: Timestamp,
    /// What the owner orders.
    pub order: Order,
}

#[derive(Encode, Decode)]
struct Body {
    #[n(0)]
    version: u8,
    #[n(1)]
    at_s: u64,
    #[n(2)]
    order: Order,
}

impl Control {
    /// Makes an order. The time is rounded down to seconds.
    #[must_use]
    pub fn new(now: Timestamp, order: Order) -> Self {
        Self { at: whole_seconds(now), order }
    }

    /// Encodes the box's content, at most 2,030 bytes before padding.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        wire::encode(&Body { version: VERSION, at_s: seconds(self.at), order: self.order.clone() })
    }

    /// Reads a box's content.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Version`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let malformed = Error::Malformed("control");
        match codec::version(bytes) {
            Some(VERSION) => {}
            Some(other) => return Err(Error::Version(other)),
            None => return Err(malformed),
        }
        let body: Body = codec::decode(bytes).ok_or(malformed)?;
        if let Order::Rekey { rekey } = &body.order {
            rekey.check()?;
        }
        Ok(Self { at: from_seconds(body.at_s)?, order: body.order })
    }
}

/// One box of a re-keying: the next generation's keys, sealed to one talker or to nobody.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Rekey {
    #[n(0)]
    generation: u32,
    #[n(1)]
    share: Option<Share>,
    #[n(2)]
    last: bool,
}

#[derive(Clone, PartialEq, Eq, Encode, Decode)]
struct Share {
    #[cbor(n(0), with = "minicbor::bytes")]
    tag: [u8; TAG_LEN],
    #[cbor(n(1), with = "minicbor::bytes")]
    kem: Vec<u8>,
    #[cbor(n(2), with = "minicbor::bytes")]
    sealed: Vec<u8>,
}

impl Rekey {
    /// The generation whose keys are sealed here.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether this is the re-keying's last box. A talker who has found no share by now is locked
    /// out.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.last
    }

    fn check(&self) -> Result<(), Error> {
        match &self.share {
            None if self.last => Ok(()),
            Some(s) if s.kem.len() == KEM_CIPHERTEXT_LEN && s.sealed.len() <= MAX_SEALED => Ok(()),
            _ => Err(Error::Malformed("re-keying")),
        }
    }

    /// Opens the share that is sealed to `door` and returns the room's keys in its next generation.
    ///
    /// The share must have come from `keys.control_stream()`: only the box signature proves that
    /// the owner made it.
    ///
    /// # Errors
    /// [`Error::NotForUs`] if the share is for another talker or for nobody, [`Error::BadSeal`] if
    /// it does not open or does not follow the generation of `keys`.
    pub fn open(&self, keys: &RoomKeys, door: &DoorSecret) -> Result<RoomKeys, Error> {
        let share = self.share.as_ref().ok_or(Error::NotForUs)?;
        let own = door.public().hash();
        if !bool::from(share.tag.ct_eq(&tag(keys.id(), self.generation, &own))) {
            return Err(Error::NotForUs);
        }
        if keys.generation().checked_add(1) != Some(self.generation) {
            return Err(Error::BadSeal);
        }
        let ad = seal_ad(keys.id(), self.generation, &share.tag);
        let plain = door.open(&own, &ad, &share.kem, &share.sealed)?;
        let root: Root = codec::decode(&plain).ok_or(Error::BadSeal)?;
        if root.generation != self.generation || root.settings.check().is_err() {
            return Err(Error::BadSeal);
        }
        RoomKeys::new(keys.place().clone(), *keys.owner(), root)
    }
}

impl fmt::Debug for Rekey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rekey")
    }
}

fn tag(room: &RoomId, generation: u32, door_key_hash: &[u8; 32]) -> [u8; TAG_LEN] {
    let hash = Sha256::new()
        .chain_update(TAG_DOMAIN)
        .chain_update(room.as_bytes())
        .chain_update(generation.to_be_bytes())
        .chain_update(door_key_hash)
        .finalize();
    std::array::from_fn(|i| hash.get(i).copied().unwrap_or(0))
}

fn seal_ad(room: &RoomId, generation: u32, tag: &[u8; TAG_LEN]) -> Vec<u8> {
    [SEAL_DOMAIN, room.as_bytes(), &generation.to_be_bytes(), tag.as_slice()].concat()
}

impl OwnerLink {
    /// Creates a room that starts at the hour of `now`, with the default settings but for the
    /// lanes of its door: 1 for a table, up to 64 for a crowd.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless there are 1..=64 lanes and one to three directories.
    pub fn create<R: CryptoRng>(
        rng: &mut R,
        place: NetworkPlace,
        lanes: u8,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let defaults = RoomSettings::default();
        let settings = RoomSettings::new(defaults.hour_s(), lanes, defaults.pow_bits())?;
        let hour = now.period(settings.hour_ms());
        let (owner, keys) = Owner::create(rng, place, settings, hour)?;
        owner.link_now(&keys)
    }
}

/// The owner of a room: the only writer of its control stream.
#[derive(Clone)]
pub struct Owner {
    secret: TalkerSecret,
}

impl Owner {
    /// Creates a room at `place` and its owner. The first link starts at `hour`, counted in the
    /// room's hours of document time.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless the place names one to three directories.
    pub fn create<R: CryptoRng>(
        rng: &mut R,
        place: NetworkPlace,
        settings: RoomSettings,
        hour: u64,
    ) -> Result<(Self, RoomKeys), Error> {
        place.check()?;
        let secret = TalkerSecret::random(rng);
        let root = fresh_root(rng, 0, hour, settings);
        let keys = RoomKeys::new(place, secret.public(), root)?;
        Ok((Self { secret }, keys))
    }

    /// Restores the owner and the room from a stored owner's link.
    ///
    /// # Errors
    /// [`Error::Internal`] only.
    pub fn from_link(link: &OwnerLink) -> Result<(Self, RoomKeys), Error> {
        let owner = Self { secret: link.secret.clone() };
        Ok((owner, RoomKeys::from_link(&link.link)?))
    }

    /// The owner's link to store, starting at the current hour.
    ///
    /// # Errors
    /// [`Error::ForeignStream`] if the room is another owner's.
    pub fn link_now(&self, keys: &RoomKeys) -> Result<OwnerLink, Error> {
        self.check(keys)?;
        Ok(OwnerLink { link: keys.link_now(), secret: self.secret.clone() })
    }

    /// The owner's identity as a talker. Clients mark messages under it as the owner's.
    #[must_use]
    pub const fn secret(&self) -> &TalkerSecret {
        &self.secret
    }

    /// The write capability of this generation's control stream, at its first index. The caller
    /// advances it past the boxes that are already written: an index must never be used twice.
    ///
    /// # Errors
    /// [`Error::ForeignStream`] if the room is another owner's; [`Error::Internal`].
    pub fn control_stream(&self, keys: &RoomKeys) -> Result<WriteCapability, Error> {
        self.check(keys)?;
        Ok(self.secret.stream_at(keys.control_index()?))
    }

    /// Starts the next generation at `hour` with fresh keys, and seals them to `recipients`: one
    /// box for each, or one empty box if there are none. Write the boxes, in order, to the control
    /// stream of `keys`.
    ///
    /// # Errors
    /// [`Error::ForeignStream`]; [`Error::TooLong`] above [`MAX_RECIPIENTS`]; [`Error::OutOfRange`]
    /// after 2^32 re-keyings.
    pub fn rekey<R: CryptoRng>(
        &self,
        rng: &mut R,
        keys: &RoomKeys,
        now: Timestamp,
        settings: RoomSettings,
        recipients: &[DoorKey],
    ) -> Result<(RoomKeys, Vec<Control>), Error> {
        self.check(keys)?;
        if recipients.len() > MAX_RECIPIENTS {
            return Err(Error::TooLong("list of recipients"));
        }
        let generation = keys.generation().checked_add(1).ok_or(Error::OutOfRange("generation"))?;
        let root = fresh_root(rng, generation, now.period(settings.hour_ms()), settings);
        let plain = Zeroizing::new(wire::encode(&root));
        let next = RoomKeys::new(keys.place().clone(), *keys.owner(), root)?;
        let mut rekeys = Vec::with_capacity(recipients.len().max(1));
        for recipient in recipients {
            let tag = tag(keys.id(), generation, &recipient.hash());
            let ad = seal_ad(keys.id(), generation, &tag);
            let (kem, sealed) = recipient.seal(rng, &ad, &plain)?;
            rekeys.push(Some(Share { tag, kem, sealed }));
        }
        if rekeys.is_empty() {
            rekeys.push(None);
        }
        let end = rekeys.len();
        let controls = (1..).zip(rekeys).map(|(n, share)| {
            let last = n == end;
            let rekey = Rekey { generation, share, last };
            Control::new(now, Order::Rekey { rekey })
        });
        Ok((next, controls.collect()))
    }

    fn check(&self, keys: &RoomKeys) -> Result<(), Error> {
        if self.secret.public() == *keys.owner() { Ok(()) } else { Err(Error::ForeignStream) }
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owner")
    }
}

fn fresh_root<R: CryptoRng>(
    rng: &mut R,
    generation: u32,
    hour: u64,
    settings: RoomSettings,
) -> Root {
    Root { generation, control: Secret::random(rng), hour, chain: Secret::random(rng), settings }
}
