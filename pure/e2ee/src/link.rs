//! Links: the text that lets people into a room.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use crate::codec;
use crate::ratchet::Root;
use crate::{Error, NetworkPlace, Secret, TalkerKey, TalkerSecret};

/// Prefix of a member's link.
pub const SCHEME: &str = "hushwing:room#";
/// Prefix of an owner's link.
pub const OWNER_SCHEME: &str = "hushwing:room-owner#";
/// Longest link text, bytes.
pub const MAX_TEXT: usize = 1_024;
/// Version of the layout.
pub const VERSION: u8 = 1;

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
