//! What a directory's operator decides for the whole network: packets, paths, mixing, cover.

use minicbor::{Decode, Encode};

/// The key scheme of the network's Sphinx packets. It mirrors `sphinx::Scheme`, which has no
/// encoding because `sphinx` knows nothing of Hushwing.
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

/// The geometry of all packets in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct GeometrySpec {
    /// The KEM.
    #[n(0)]
    pub scheme: PacketScheme,
    /// Slots in a header: the length of the longest path, including the hub.
    #[n(1)]
    pub max_hops: u8,
    /// Length of a forward payload without its tag, bytes.
    #[n(2)]
    pub payload_len: u32,
}

/// How clients draw paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct PathPolicy {
    /// Fewest relays between client and hub.
    #[n(0)]
    pub min_relays: u8,
    /// Most relays between client and hub.
    #[n(1)]
    pub max_relays: u8,
    /// Probability, in millionths, that a path of at least `min_relays` gets one more relay. All
    /// paths have one length when `min_relays == max_relays`.
    #[n(2)]
    pub forward_ppm: u32,
    /// Number of layers of a stratified network; zero means free routes.
    #[n(3)]
    pub layers: u8,
    /// Whether all relays of a path must be of different regions.
    #[n(4)]
    pub distinct_regions: bool,
}

/// Cover traffic of a client at one level. Rates are packets per 1,000 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct CoverRates {
    /// Payload slots: each sends a waiting packet, or a drop when none waits.
    #[n(0)]
    pub payload: u32,
    /// Loops: packets that come back to their sender.
    #[n(1)]
    pub loops: u32,
    /// Drops: packets that end at a hub.
    #[n(2)]
    pub drops: u32,
}

/// Mixing parameters. They are set from declared capacity, never from measured load, which an
/// observer could influence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Mixing {
    /// Mean of the exponential delay that senders draw for each hop, ms; zero means no delay.
    #[n(0)]
    pub mean_delay_ms: u32,
    /// Longest delay that a hop honours, ms.
    #[n(1)]
    pub max_delay_ms: u32,
    /// Client cover at level `low`.
    #[n(2)]
    pub low: CoverRates,
    /// Client cover at level `normal`.
    #[n(3)]
    pub normal: CoverRates,
    /// The level that clients use unless told otherwise.
    #[n(4)]
    pub default_level: CoverLevel,
    /// Loops that each relay sends per 1,000 seconds.
    #[n(5)]
    pub mix_loops: u32,
}

/// How much cover traffic a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum CoverLevel {
    /// None: packets leave when there is something to send.
    #[n(0)]
    Off,
    /// Less than the network's designer thinks right: for slow or metered lines.
    #[n(1)]
    Low,
    /// What the network's designer recommends.
    #[n(2)]
    #[default]
    Normal,
}
