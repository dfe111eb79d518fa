//! All bounds on what strangers can send, in one place.

/// Ciphertext of a small box, bytes.
pub(crate) const SMALL_CIPHERTEXT: usize = 512;
/// Ciphertext of a medium box, bytes.
pub(crate) const MEDIUM_CIPHERTEXT: usize = 1024;
/// Ciphertext of a standard box, bytes.
pub(crate) const STANDARD_CIPHERTEXT: usize = 2048;
/// Ciphertext of a large box, bytes. Not used on the onion route.
pub(crate) const LARGE_CIPHERTEXT: usize = 4096;
/// Ciphertext of a bulk box, bytes. Not used on the onion route.
pub const BULK_CIPHERTEXT: usize = 32 * 1024;
/// Most box ids in one `get` on a direct link.
pub const MAX_GET_IDS: usize = 256;
/// Most box ids in one `get` on the onion route, where they are the next ids of one stream.
pub const MAX_ONION_GET_IDS: usize = 16;
/// Most boxes in one response.
pub const MAX_RESPONSE_BOXES: usize = 64;
/// Most boxes in one response on the onion route, whose replies have one fixed length.
pub const MAX_ONION_RESPONSE_BOXES: usize = 3;
/// Longest time a `get` may stay open, ms.
pub const MAX_GET_DEADLINE_MS: u32 = 120_000;
/// Longest Sphinx packet in any geometry, bytes.
pub const MAX_PACKET: usize = 64 * 1024;
/// Most nodes (relays and hubs) in a network document.
pub const MAX_NODES: usize = 1024;
/// Longest signed network document, bytes.
pub(crate) const MAX_DOCUMENT: usize = 8 * 1024 * 1024;
/// Longest sealed network document, bytes: an X-Wing ciphertext and an authenticator more.
pub(crate) const MAX_SEALED_DOCUMENT: usize = MAX_DOCUMENT + 2048;
/// Most nodes and links in one report.
pub const MAX_SUSPECTS: usize = 16;
/// Longest signed vote of an authority, bytes: as many nodes as a document has, and their
/// signatures.
pub(crate) const MAX_VOTE: usize = MAX_DOCUMENT;
/// Most enrolled clients of a directory.
pub const MAX_ENROLLED: usize = 4096;
/// Longest signed descriptor, bytes.
pub(crate) const MAX_DESCRIPTOR: usize = 16 * 1024;
/// Most addresses of one node.
pub const MAX_ADDRESSES: usize = 4;
/// Most epoch keys in one descriptor: this epoch's and the next two.
pub const MAX_EPOCH_KEYS: usize = 3;
/// Most authorities of a network.
pub const MAX_AUTHORITIES: usize = 16;
/// Longest tag of a node, bytes.
pub(crate) const MAX_TAG: usize = 16;
/// Most addresses of all directories of a network together.
pub const MAX_DIRECTORIES: usize = 16;
/// Longest text of an address, bytes.
pub(crate) const MAX_ADDRESS: usize = 128;
/// Longest host name in an address, bytes.
pub(crate) const MAX_HOST: usize = 120;
/// Most hops of a path, including the hub.
pub const MAX_HOPS: u8 = 12;
/// Most box ids in one message between neighbours.
pub const MAX_MESH_IDS: usize = 1024;
/// Most boxes in one message between neighbours. Bulk boxes reach the byte limit earlier.
pub const MAX_MESH_BOXES: usize = 64;
/// Longest step of a reconciliation between neighbours, bytes.
pub const MAX_MESH_RANGES: usize = 64 * 1024;
/// Longest message between neighbours, bytes.
pub(crate) const MAX_MESH_MESSAGE: usize = 256 * 1024;
