//! The network document: what the directory authorities agree on for one epoch.
//!
//! This module knows the shapes. Who may sign, and what makes a document good, is `mix::directory`.

use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::id::NodeId;
use crate::limits::{
    MAX_ADDRESSES, MAX_AUTHORITIES, MAX_DOCUMENT, MAX_EPOCH_KEYS, MAX_HOPS, MAX_NODES, MAX_PACKET,
    MAX_REGION,
};
use crate::{Address, Error, NetworkId, Timestamp, codec, decode};

/// The version of all shapes in this module.
pub const VERSION: u8 = 1;

/// Which KEM the network's Sphinx packets use. `sphinx::Scheme` by another name, since `sphinx`
/// knows nothing of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum PacketScheme {
    /// X-Wing: X25519 and ML-KEM-768.
    #[n(0)]
    XWing,
    /// X25519 as a KEM: small packets, not post-quantum.
    #[n(1)]
    X25519Kem,
    /// X25519 with blinding: the smallest packets, not post-quantum.
    #[n(2)]
    X25519Nike,
}

/// The geometry that all packets of the network share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct GeometrySpec {
    /// The KEM.
    #[n(0)]
    pub scheme: PacketScheme,
    /// Slots in a header: the longest path, the hub included.
    #[n(1)]
    pub max_hops: u8,
    /// Forward payload, bytes, without the payload tag.
    #[n(2)]
    pub payload_len: u32,
}

/// How paths are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct PathPolicy {
    /// Fewest relays between client and hub.
    #[n(0)]
    pub min_relays: u8,
    /// Most relays between client and hub.
    #[n(1)]
    pub max_relays: u8,
    /// Probability, in millionths, that a path of at least `min_relays` goes on by one more relay.
    /// Zero with `min_relays == max_relays` is a fixed length.
    #[n(2)]
    pub forward_ppm: u32,
    /// Number of layers when the network is stratified; zero is a free route.
    #[n(3)]
    pub layers: u8,
    /// Whether a path may take two relays of one region.
    #[n(4)]
    pub distinct_regions: bool,
}

/// Rates of one level of client cover traffic, in packets per 1,000 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct CoverRates {
    /// Payload slots: each carries a waiting packet, or a drop when none waits.
    #[n(0)]
    pub payload: u32,
    /// Loops: packets that come back to their sender.
    #[n(1)]
    pub loops: u32,
    /// Drops: packets that end at a hub.
    #[n(2)]
    pub drops: u32,
}

/// Mixing parameters: set from declared capacity, never from measured load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Mixing {
    /// Mean of the exponential delay that senders choose for each hop, ms; zero is no delay.
    #[n(0)]
    pub mean_delay_ms: u32,
    /// Longest delay that a hop honours, ms.
    #[n(1)]
    pub max_delay_ms: u32,
    /// Client cover, level `low`.
    #[n(2)]
    pub low: CoverRates,
    /// Client cover, level `normal`.
    #[n(3)]
    pub normal: CoverRates,
    /// The level that clients use unless told otherwise.
    #[n(4)]
    pub default_level: CoverLevel,
    /// Loops that each relay sends, per 1,000 seconds.
    #[n(5)]
    pub mix_loops: u32,
}

/// How much cover traffic a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum CoverLevel {
    /// None: packets leave when there is something to say.
    #[n(0)]
    Off,
    /// Some.
    #[n(1)]
    Low,
    /// What the network's designer thinks right.
    #[n(2)]
    #[default]
    Normal,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Role {
    /// A mix.
    #[n(0)]
    Relay,
    /// A box store, the last hop.
    #[n(1)]
    Hub,
}

/// The keyed digest with which a node processes a packet's tally. The tally and what it proves:
/// `mix::tally`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum Processing {
    /// HMAC-SHA-256.
    #[n(0)]
    #[default]
    Sha256,
    /// HMAC-SHA-512, its first 32 bytes.
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
    /// All of them.
    pub const ALL: [Processing; 4] =
        [Processing::Sha256, Processing::Sha512, Processing::Sha3_256, Processing::Blake3];

    /// Its name, as settings and people write it.
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
    /// The epoch it is for.
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

/// A region tag: 1 to 16 of `a-z0-9-`. Nodes of one region share an owner, a house or a country.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(String);

impl Region {
    /// The tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Region {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if text.is_empty() || text.len() > MAX_REGION || !text.bytes().all(ok) {
            return Err(Error::OutOfRange("region tag (1 to 16 of a-z, 0-9, -)"));
        }
        Ok(Region(text.to_owned()))
    }
}

impl<C> Encode<C> for Region {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Region {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.str()?.parse().map_err(|_| minicbor::decode::Error::message("region"))
    }
}

/// What a node says of itself, and what the document repeats of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct NodeDescriptor {
    /// Always [`VERSION`].
    #[n(0)]
    pub version: u8,
    /// What it is.
    #[n(1)]
    pub role: Role,
    /// Its identity.
    #[n(2)]
    pub id: NodeId,
    /// Where it listens.
    #[cbor(n(3), decode_with = "codec::bounded::<_, _, MAX_ADDRESSES>")]
    pub addresses: Vec<Address>,
    /// Its region tag, if the operator gave one.
    #[n(4)]
    pub region: Option<Region>,
    /// Declared capacity, packets per second: replay filters and load are sized from it.
    #[n(5)]
    pub rate: u32,
    /// Sphinx keys: this epoch's and the next two's.
    #[cbor(n(6), decode_with = "codec::bounded::<_, _, MAX_EPOCH_KEYS>")]
    pub keys: Vec<EpochKey>,
    /// How it processes tallies, in a network whose packets carry one; `None` is
    /// [`Processing::Sha256`].
    #[n(7)]
    pub processing: Option<Processing>,
}

impl NodeDescriptor {
    /// The Sphinx public key for `epoch`, if the node has published one.
    #[must_use]
    pub fn key_for(&self, epoch: u64) -> Option<&[u8]> {
        self.keys.iter().find(|k| k.epoch == epoch).map(|k| k.key.as_slice())
    }

    /// Checks what the shape alone does not.
    ///
    /// # Errors
    /// [`Error::Version`], [`Error::OutOfRange`].
    pub fn check(&self) -> Result<(), Error> {
        if self.version != VERSION {
            return Err(Error::Version(self.version));
        }
        if self.addresses.is_empty() {
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

/// A descriptor with its node's signature, as registered.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct SignedDescriptor {
    /// CBOR of a [`NodeDescriptor`]: exactly the bytes that were signed.
    #[cbor(
        n(0),
        encode_with = "minicbor::bytes::encode",
        decode_with = "codec::bounded_bytes::<_, 16384>"
    )]
    pub descriptor: Vec<u8>,
    /// Ed25519 signature by the node's identity key, domain separated.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

/// What the authorities publish for one epoch.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct NetworkDocument {
    /// Always [`VERSION`].
    #[n(0)]
    pub version: u8,
    /// The network this document is of.
    #[n(1)]
    pub network: NetworkId,
    /// The epoch: `published / epoch_ms`.
    #[n(2)]
    pub epoch: u64,
    /// Rises when the document of one epoch is published anew.
    #[n(3)]
    pub revision: u32,
    /// Length of an epoch, ms.
    #[n(4)]
    pub epoch_ms: u64,
    /// When it was signed: document time.
    #[n(5)]
    pub published: Timestamp,
    /// After this it must not be used.
    #[n(6)]
    pub valid_until: Timestamp,
    /// Packet geometry.
    #[n(7)]
    pub geometry: GeometrySpec,
    /// Mixing parameters.
    #[n(8)]
    pub mixing: Mixing,
    /// Path policy.
    #[n(9)]
    pub paths: PathPolicy,
    /// Relays and hubs, in ascending order of id.
    #[cbor(n(10), decode_with = "codec::bounded::<_, _, MAX_NODES>")]
    pub nodes: Vec<NodeDescriptor>,
    /// Whether every packet carries a tally. Fixed for the life of a network, like its geometry.
    #[cbor(n(11), default)]
    pub tally: bool,
    /// Whether the document goes to enrolled clients only, sealed to their keys: nodes do not hand
    /// it out then.
    #[cbor(n(12), default)]
    pub sealed: bool,
}

/// Shortest epoch, ms (trials).
pub const MIN_EPOCH_MS: u64 = 1_000;
/// Longest epoch, ms.
pub const MAX_EPOCH_MS: u64 = 24 * 3_600_000;

impl NetworkDocument {
    /// Parses and checks ranges, order and counts (`DIR-001`).
    ///
    /// # Errors
    /// [`Error`] that says what is out of its range.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let document: NetworkDocument = decode(bytes, "network document")?;
        document.check()?;
        Ok(document)
    }

    /// The relays.
    pub fn relays(&self) -> impl Iterator<Item = &NodeDescriptor> {
        self.nodes.iter().filter(|n| n.role == Role::Relay)
    }

    /// The hubs.
    pub fn hubs(&self) -> impl Iterator<Item = &NodeDescriptor> {
        self.nodes.iter().filter(|n| n.role == Role::Hub)
    }

    /// The node with this identity.
    #[must_use]
    pub fn node(&self, id: &NodeId) -> Option<&NodeDescriptor> {
        self.nodes.iter().find(|n| n.id == *id)
    }

    /// First moment of the document's epoch.
    #[must_use]
    pub fn epoch_start(&self) -> Timestamp {
        Timestamp::from_millis(self.epoch.saturating_mul(self.epoch_ms))
    }

    fn check(&self) -> Result<(), Error> {
        if self.version != VERSION {
            return Err(Error::Version(self.version));
        }
        let range = |ok: bool, what| {
            if ok { Ok(()) } else { Err(Error::OutOfRange(what)) }
        };
        let p = &self.paths;
        range((MIN_EPOCH_MS..=MAX_EPOCH_MS).contains(&self.epoch_ms), "epoch length")?;
        range(self.published.period(self.epoch_ms) <= self.epoch, "publication time")?;
        range(self.valid_until > self.published, "validity")?;
        range((1..=MAX_HOPS).contains(&self.geometry.max_hops), "hops of the geometry")?;
        let payload = usize::try_from(self.geometry.payload_len).unwrap_or(usize::MAX);
        range((64..MAX_PACKET).contains(&payload), "payload length")?;
        range(p.min_relays >= 1 && p.min_relays <= p.max_relays, "relays of a path")?;
        range(p.max_relays < self.geometry.max_hops, "relays of a path")?;
        range(p.forward_ppm <= 1_000_000, "forwarding probability")?;
        range(p.layers <= p.max_relays, "layers")?;
        range(self.mixing.mean_delay_ms <= self.mixing.max_delay_ms, "mean delay")?;
        // With X25519-NIKE the bytes that key a tally are already in use.
        range(
            !self.tally || self.geometry.scheme != PacketScheme::X25519Nike,
            "tally of this packet scheme",
        )?;
        let ascending = self.nodes.iter().zip(self.nodes.iter().skip(1)).all(|(a, b)| a.id < b.id);
        range(ascending, "order of nodes")?;
        self.nodes.iter().try_for_each(NodeDescriptor::check)
    }
}

/// The public keys of one directory authority.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct AuthorityKeys {
    /// Ed25519 public key.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub ed25519: [u8; 32],
    /// ML-DSA-65 public key, 1952 bytes.
    #[cbor(
        n(1),
        encode_with = "minicbor::bytes::encode",
        decode_with = "codec::bounded_bytes::<_, 1952>"
    )]
    pub ml_dsa: Vec<u8>,
}

/// Who may sign the documents of a network, and how many must. Its hash is the [`NetworkId`].
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct AuthoritySet {
    /// How many authorities must have signed.
    #[n(0)]
    pub threshold: u8,
    /// The authorities, in a fixed order that signatures refer to.
    #[cbor(n(1), decode_with = "codec::bounded::<_, _, MAX_AUTHORITIES>")]
    pub authorities: Vec<AuthorityKeys>,
}

/// One authority's signatures. Both must hold: neither a quantum computer nor a break of the young
/// scheme suffices.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct DocumentSignature {
    /// Index into the authority set.
    #[n(0)]
    pub authority: u8,
    /// Ed25519 (RFC 8032), domain separated.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub ed25519: [u8; 64],
    /// ML-DSA-65 (FIPS 204), 3309 bytes.
    #[cbor(
        n(2),
        encode_with = "minicbor::bytes::encode",
        decode_with = "codec::bounded_bytes::<_, 3309>"
    )]
    pub ml_dsa: Vec<u8>,
}

/// A document as published. Opened and checked by `mix::directory`.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct SignedDocument {
    /// The authority set, CBOR of [`AuthoritySet`]: exactly the bytes whose hash is the network id.
    #[cbor(
        n(0),
        encode_with = "minicbor::bytes::encode",
        decode_with = "codec::bounded_bytes::<_, 65536>"
    )]
    pub authorities: Vec<u8>,
    /// CBOR of a [`NetworkDocument`]: exactly the bytes that were signed.
    #[cbor(
        n(1),
        encode_with = "minicbor::bytes::encode",
        decode_with = "codec::bounded_bytes::<_, MAX_DOCUMENT>"
    )]
    pub document: Vec<u8>,
    /// Signatures.
    #[cbor(n(2), decode_with = "codec::bounded::<_, _, MAX_AUTHORITIES>")]
    pub signatures: Vec<DocumentSignature>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode;

    pub(crate) fn node(id: u8, role: Role) -> NodeDescriptor {
        NodeDescriptor {
            version: VERSION,
            role,
            id: NodeId::new([id; 32]),
            addresses: vec!["127.0.0.1:5001".parse().unwrap()],
            region: Some("eu-1".parse().unwrap()),
            rate: 1000,
            keys: vec![EpochKey { epoch: 100, key: vec![1; 1216] }],
            processing: None,
        }
    }

    fn sample() -> NetworkDocument {
        NetworkDocument {
            version: VERSION,
            network: NetworkId::new([9; 32]),
            epoch: 100,
            revision: 0,
            epoch_ms: 10_000,
            published: Timestamp::from_millis(1_000_000),
            valid_until: Timestamp::from_millis(1_020_000),
            geometry: GeometrySpec { scheme: PacketScheme::XWing, max_hops: 4, payload_len: 8192 },
            mixing: Mixing {
                mean_delay_ms: 10,
                max_delay_ms: 1000,
                low: CoverRates::default(),
                normal: CoverRates::default(),
                default_level: CoverLevel::Off,
                mix_loops: 0,
            },
            paths: PathPolicy {
                min_relays: 3,
                max_relays: 3,
                forward_ppm: 0,
                layers: 0,
                distinct_regions: false,
            },
            nodes: vec![node(1, Role::Relay), node(2, Role::Hub)],
            tally: false,
            sealed: false,
        }
    }

    //= DIR-001
    #[test]
    fn a_document_out_of_range_is_refused() {
        assert!(NetworkDocument::parse(&encode(&sample())).is_ok());
        let spoil: [fn(&mut NetworkDocument); 13] = [
            |d| d.version = 2,
            |d| d.epoch_ms = 0,
            |d| d.published = Timestamp::from_millis(1_010_000),
            |d| d.valid_until = d.published,
            |d| d.geometry.max_hops = 0,
            |d| d.geometry.payload_len = u32::MAX,
            |d| d.paths.min_relays = 0,
            |d| d.paths.max_relays = 4,
            |d| d.paths.forward_ppm = 1_000_001,
            |d| d.mixing.mean_delay_ms = 5000,
            |d| d.nodes.reverse(),
            |d| d.nodes[0].addresses.clear(),
            |d| (d.tally, d.geometry.scheme) = (true, PacketScheme::X25519Nike),
        ];
        for (i, f) in spoil.iter().enumerate() {
            let mut d = sample();
            f(&mut d);
            assert!(NetworkDocument::parse(&encode(&d)).is_err(), "case {i}");
        }
    }

    #[test]
    fn keys_are_found_by_epoch_and_nodes_by_role() {
        let d = sample();
        assert_eq!(d.relays().count(), 1);
        assert_eq!(d.hubs().count(), 1);
        assert!(d.node(&NodeId::new([1; 32])).unwrap().key_for(100).is_some());
        assert!(d.node(&NodeId::new([1; 32])).unwrap().key_for(101).is_none());
        assert_eq!(d.epoch_start(), Timestamp::from_millis(1_000_000));
    }

    //= DIR-006
    #[test]
    fn a_document_of_before_tallies_reads_as_one_without() {
        let mut d = sample();
        d.nodes[0].processing = Some(Processing::Blake3);
        (d.tally, d.sealed) = (true, true);
        assert_eq!(NetworkDocument::parse(&encode(&d)).unwrap(), d);
        // What an older directory writes: eleven fields, and seven in each node.
        let old = encode(&sample());
        assert_eq!(old[0], 0x8d, "thirteen fields");
        let mut cut = old[..old.len() - 2].to_vec();
        cut[0] = 0x8b;
        assert_eq!(NetworkDocument::parse(&cut).unwrap(), sample());
        for p in Processing::ALL {
            assert_eq!(p.name().parse::<Processing>().unwrap(), p);
        }
        assert!("md5".parse::<Processing>().is_err());
    }

    #[test]
    fn region_tags_are_short_and_plain() {
        for bad in ["", "EU", "a b", "12345678901234567"] {
            assert!(bad.parse::<Region>().is_err(), "{bad}");
        }
    }
}
