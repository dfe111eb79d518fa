//! What the document says of one node, and what that node signs about itself.

use minicbor::{Decode, Decoder, Encode, Encoder};

use super::VERSION;
use crate::id::NodeId;
use crate::limits::{MAX_ADDRESSES, MAX_EPOCH_KEYS, MAX_TAG};
use crate::{Address, Error, codec};

/// What a node does in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Role {
    /// A mix: any hop but the last.
    #[n(0)]
    Relay,
    /// A box store: the last hop.
    #[n(1)]
    Hub,
}

/// The keyed digest that a node folds into a packet's tally. What the tally proves is explained in
/// `mix::tally`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum Processing {
    /// HMAC-SHA-256.
    #[n(0)]
    #[default]
    Sha256,
    /// HMAC-SHA-512, truncated to 32 bytes.
    #[n(1)]
    Sha512,
    /// HMAC-SHA3-256.
    #[n(2)]
    Sha3_256,
    /// BLAKE3, keyed.
    #[n(3)]
    Blake3,
}

impl Processing {
    /// Every digest, in the order of their codes.
    pub const ALL: [Processing; 4] =
        [Processing::Sha256, Processing::Sha512, Processing::Sha3_256, Processing::Blake3];

    /// The name in settings and texts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Processing::Sha256 => "sha256",
            Processing::Sha512 => "sha512",
            Processing::Sha3_256 => "sha3-256",
            Processing::Blake3 => "blake3",
        }
    }
}

impl std::fmt::Display for Processing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Processing {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = Processing::ALL.into_iter().find(|p| p.name() == text);
        known.ok_or(Error::OutOfRange("processing (sha256, sha512, sha3-256 or blake3)"))
    }
}

/// A node's Sphinx key for one epoch.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct EpochKey {
    /// The epoch in which it is used.
    #[n(0)]
    pub epoch: u64,
    /// The public key, in the scheme's own encoding.
    #[cbor(
        n(1),
        encode_with = "minicbor::bytes::encode",
        decode_with = "codec::bounded_bytes::<_, 1216>"
    )]
    pub key: Vec<u8>,
}

impl std::fmt::Debug for EpochKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EpochKey({})", self.epoch)
    }
}

/// A tag: 1 to 16 characters of `a-z0-9-`. Nodes with the same tag have something in common that a
/// path should avoid: an owner, a house, a country.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(String);

impl Tag {
    /// The tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Tag {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if text.is_empty() || text.len() > MAX_TAG || !text.bytes().all(ok) {
            return Err(Error::OutOfRange("tag (1 to 16 of a-z, 0-9, -)"));
        }
        Ok(Tag(text.to_owned()))
    }
}

impl<C> Encode<C> for Tag {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Tag {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.str()?.parse().map_err(|_| minicbor::decode::Error::message("tag"))
    }
}

/// What a node says about itself. The document repeats it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct NodeDescriptor {
    /// Always [`VERSION`].
    #[n(0)]
    pub version: u8,
    /// Relay or hub.
    #[n(1)]
    pub role: Role,
    /// The key that its links prove and that signs its descriptor.
    #[n(2)]
    pub id: NodeId,
    /// Where it listens; none only where it takes packets both ways.
    #[cbor(n(3), decode_with = "codec::bounded::<_, _, MAX_ADDRESSES>")]
    pub addresses: Vec<Address>,
    /// Its region tag, if the operator gave one.
    #[n(4)]
    pub region: Option<Tag>,
    /// Declared capacity, packets per second, not zero. It weighs the node in paths (`PATH-009`).
    #[n(5)]
    pub rate: u32,
    /// Sphinx keys of this epoch and the next two, in ascending order.
    #[cbor(n(6), decode_with = "codec::bounded::<_, _, MAX_EPOCH_KEYS>")]
    pub keys: Vec<EpochKey>,
    /// The digest for tallies; `None` means [`Processing::Sha256`].
    #[n(7)]
    pub processing: Option<Processing>,
    /// Whether it takes packets also on the links that it opened itself, and sends packets back on
    /// those that others opened. Versions before there was such a thing do not.
    #[cbor(n(8), default)]
    pub both_ways: bool,
    /// Whose it is, if the operator says so.
    #[n(9)]
    pub owner: Option<Tag>,
}

impl NodeDescriptor {
    /// The Sphinx public key for `epoch`, if published.
    #[must_use]
    pub fn key_for(&self, epoch: u64) -> Option<&[u8]> {
        self.keys.iter().find(|k| k.epoch == epoch).map(|k| k.key.as_slice())
    }

    /// Whether it can take part although nobody reaches it, by the links that it opens.
    #[must_use]
    pub fn may_dial_only(&self) -> bool {
        self.both_ways && self.role == Role::Relay
    }

    /// Checks version, ranges and order, which decoding does not.
    ///
    /// # Errors
    /// [`Error::Version`], [`Error::OutOfRange`].
    pub fn check(&self) -> Result<(), Error> {
        if self.version != VERSION {
            return Err(Error::Version(self.version));
        }
        // A hub is asked directly, too, so that it must have an address.
        if self.addresses.is_empty() && !self.may_dial_only() {
            return Err(Error::OutOfRange("addresses of a node"));
        }
        if self.keys.is_empty() {
            return Err(Error::OutOfRange("epoch keys of a node"));
        }
        if self.rate == 0 {
            return Err(Error::OutOfRange("declared rate"));
        }
        let ascending =
            self.keys.iter().zip(self.keys.iter().skip(1)).all(|(a, b)| a.epoch < b.epoch);
        if !ascending {
            return Err(Error::OutOfRange("order of epoch keys"));
        }
        Ok(())
    }
}

/// A descriptor with its node's signature, as a node registers it.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct SignedDescriptor {
    /// CBOR of a [`NodeDescriptor`], exactly the bytes that were signed.
    #[cbor(
        n(0),
        encode_with = "minicbor::bytes::encode",
        decode_with = "codec::bounded_bytes::<_, 16384>"
    )]
    pub descriptor: Vec<u8>,
    /// Ed25519 signature by the node's identity key, with domain separation.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}
