//! Links: the text that lets people into a room.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Decoder, Encode, decode};
use wire::id::AccessKey;
use wire::{DirectoryPointer, NetworkId, NetworkPointer, NodeId};
use zeroize::Zeroizing;

use crate::codec;
use crate::mls::Floor;
use crate::ratchet::Root;
use crate::{Error, Secret, TalkerKey, TalkerSecret};

/// Prefix of a member's link.
pub const SCHEME: &str = "hushwing:room#";
/// Prefix of an owner's link.
pub const OWNER_SCHEME: &str = "hushwing:room-owner#";
/// Longest link text, bytes.
pub const MAX_TEXT: usize = 1_024;
/// Version of the layout.
pub const VERSION: u8 = 1;
/// Most directories in a link.
pub(crate) const MAX_DIRECTORIES: usize = 3;

/// Where a room or conversation lives: its network, the directories that hand out the network's
/// documents, its hub, and the access key there. A conversation may also live on LANs alone: see
/// [`NetworkPlace::lan`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct NetworkPlace {
    /// Id of the network, which names the authorities that sign its documents.
    #[n(0)]
    pub network: NetworkId,
    /// One to three directories; empty on LANs alone.
    #[cbor(n(1), decode_with = "bounded_directories")]
    pub directories: Vec<DirectoryPointer>,
    /// The hub that stores the boxes.
    #[n(2)]
    pub hub: NodeId,
    /// Access key that members or guests use at the hub.
    #[n(3)]
    pub access: AccessKey,
}

impl NetworkPlace {
    /// Network and directories, without hub and access key.
    #[must_use]
    pub fn network_pointer(&self) -> NetworkPointer {
        NetworkPointer { network: self.network, directories: self.directories.clone() }
    }

    /// A place without network or hub, where boxes only go from neighbour to neighbour
    /// (`GROUP-016`).
    #[must_use]
    pub const fn lan() -> Self {
        NetworkPlace {
            network: NetworkId::new([0; 32]),
            directories: Vec::new(),
            hub: NodeId::new([0; 32]),
            access: AccessKey::new([0; 16]),
        }
    }

    /// Whether this is [`NetworkPlace::lan`].
    #[must_use]
    pub fn is_lan(&self) -> bool {
        *self == Self::lan()
    }

    /// Checks that the place has a hub, as rooms need one.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if (1..=MAX_DIRECTORIES).contains(&self.directories.len()) {
            Ok(())
        } else {
            Err(Error::OutOfRange("number of directories"))
        }
    }

    /// Checks a conversation's place. It may lack a hub only under the floor that allows nothing
    /// but the LAN.
    pub(crate) fn check_under(&self, floor: Floor) -> Result<(), Error> {
        if floor == Floor::Lan && self.is_lan() { Ok(()) } else { self.check() }
    }
}

fn bounded_directories<C>(
    d: &mut Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<DirectoryPointer>, decode::Error> {
    let n = d.array()?.and_then(|n| usize::try_from(n).ok());
    // Whether the list may be empty depends on the floor: see `check_under`.
    let Some(n) = n.filter(|n| *n <= MAX_DIRECTORIES) else {
        return Err(decode::Error::message("number of directories"));
    };
    (0..n).map(|_| DirectoryPointer::decode(d, ctx)).collect()
}

/// A link into a room: where it lives, and its keys from one hour on.
///
/// Anyone who holds it can read everything said since that hour, until the owner re-keys the room.
/// Only [`RoomLink::to_text`] shows it, never `Debug` or `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct RoomLink {
    pub(crate) place: NetworkPlace,
    pub(crate) owner: TalkerKey,
    pub(crate) root: Root,
}

/// The CBOR of a link.
#[derive(Encode, Decode)]
struct Body {
    #[n(0)]
    version: u8,
    #[n(1)]
    place: NetworkPlace,
    #[n(2)]
    owner: TalkerKey,
    #[n(3)]
    root: Root,
    #[n(4)]
    seed: Option<Secret>,
}

impl RoomLink {
    /// The text to hand over, `hushwing:room#…`. All secrets come after the `#`, which browsers do
    /// not send.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        text(SCHEME, self, None)
    }

    /// Reads the text of a link. Ignores whitespace around it.
    ///
    /// # Errors
    /// [`Error::NotALink`], [`Error::OwnersLink`], [`Error::DamagedLink`], [`Error::LinkVersion`],
    /// [`Error::OutOfRange`] (`ROOM-001`).
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.starts_with(OWNER_SCHEME) {
            return Err(Error::OwnersLink);
        }
        match read(text, SCHEME)? {
            (link, None) => Ok(link),
            (_, Some(_)) => Err(Error::OwnersLink),
        }
    }

    /// Where the room lives.
    #[must_use]
    pub const fn place(&self) -> &NetworkPlace {
        &self.place
    }
}

impl FromStr for RoomLink {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl fmt::Debug for RoomLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomLink")
    }
}

/// A room's link together with its owner's secret. For the owner to store, never to share.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnerLink {
    pub(crate) link: RoomLink,
    pub(crate) secret: TalkerSecret,
}

impl OwnerLink {
    /// The text to store, `hushwing:room-owner#…`.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        text(OWNER_SCHEME, &self.link, Some(self.secret.seed().clone()))
    }

    /// Reads the text of an owner's link. Ignores whitespace around it.
    ///
    /// # Errors
    /// [`Error::NotALink`], [`Error::MembersLink`], [`Error::DamagedLink`] (also if the secret is
    /// not the owner's), [`Error::LinkVersion`], [`Error::OutOfRange`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.starts_with(SCHEME) {
            return Err(Error::MembersLink);
        }
        let (link, seed) = read(text, OWNER_SCHEME)?;
        let secret = TalkerSecret::from_seed(seed.ok_or(Error::MembersLink)?);
        if secret.public() != link.owner {
            return Err(Error::DamagedLink);
        }
        Ok(Self { link, secret })
    }

    /// The link to share with members.
    #[must_use]
    pub const fn link(&self) -> &RoomLink {
        &self.link
    }
}

impl FromStr for OwnerLink {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl fmt::Debug for OwnerLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnerLink")
    }
}

fn text(scheme: &str, link: &RoomLink, seed: Option<Secret>) -> Zeroizing<String> {
    let body = Body {
        version: VERSION,
        place: link.place.clone(),
        owner: link.owner,
        root: link.root.clone(),
        seed,
    };
    let bytes = Zeroizing::new(wire::encode(&body));
    let mut text = Zeroizing::new(String::with_capacity(MAX_TEXT));
    text.push_str(scheme);
    data_encoding::BASE64URL_NOPAD.encode_append(&bytes, &mut text);
    text
}

fn read(text: &str, scheme: &str) -> Result<(RoomLink, Option<Secret>), Error> {
    let data = text.strip_prefix(scheme).ok_or(Error::NotALink)?;
    if text.len() > MAX_TEXT {
        return Err(Error::DamagedLink);
    }
    let bytes =
        data_encoding::BASE64URL_NOPAD.decode(data.as_bytes()).map_err(|_| Error::DamagedLink)?;
    let bytes = Zeroizing::new(bytes);
    match codec::version(&bytes) {
        Some(VERSION) => {}
        Some(other) => return Err(Error::LinkVersion(other)),
        None => return Err(Error::DamagedLink),
    }
    let body: Body = codec::decode(&bytes).ok_or(Error::DamagedLink)?;
    body.place.check()?;
    body.root.settings.check()?;
    let link = RoomLink { place: body.place, owner: body.owner, root: body.root };
    Ok((link, body.seed))
}

/// A place for tests.
#[cfg(test)]
pub(crate) fn test_place() -> NetworkPlace {
    NetworkPlace {
        network: NetworkId::new([0xa1; 32]),
        directories: vec![DirectoryPointer {
            id: NodeId::new([0xa2; 32]),
            address: wire::Address::from(std::net::SocketAddr::from(([127, 0, 0, 1], 6000))),
        }],
        hub: NodeId::new([0xa3; 32]),
        access: AccessKey::new([0xa4; 16]),
    }
}
