//! Every bound that a stranger can run into, in one place.

/// Ciphertext of a small box, bytes.
pub const SMALL_CIPHERTEXT: usize = 512;
/// Ciphertext of a medium box, bytes.
pub const MEDIUM_CIPHERTEXT: usize = 1024;
/// Ciphertext of a standard box, bytes.
pub const STANDARD_CIPHERTEXT: usize = 2048;
/// Ciphertext of a large box, bytes. Written off the onion route only.
pub const LARGE_CIPHERTEXT: usize = 4096;
/// Ciphertext of a bulk box, bytes. Off the onion route only.
pub const BULK_CIPHERTEXT: usize = 32 * 1024;
/// Box ids that one `get` may name on a direct link.
pub const MAX_GET_IDS: usize = 256;
/// Box ids that one `get` may name on the onion route: the next ids of one stream.
pub const MAX_ONION_GET_IDS: usize = 16;
/// Boxes in one response.
pub const MAX_RESPONSE_BOXES: usize = 64;
/// Boxes in one response on the onion route: the room that the request's SURB took.
pub const MAX_ONION_RESPONSE_BOXES: usize = 3;
/// Longest time a `get` may stay open, ms.
pub const MAX_GET_DEADLINE_MS: u32 = 120_000;
/// Longest Sphinx packet of any geometry, bytes.
pub const MAX_PACKET: usize = 64 * 1024;
/// Nodes (relays and hubs) in a network document.
pub const MAX_NODES: usize = 1024;
/// Signed network document, bytes.
pub const MAX_DOCUMENT: usize = 8 * 1024 * 1024;
/// Signed network document, sealed: an X-Wing ciphertext and an authenticator more, bytes.
pub const MAX_SEALED_DOCUMENT: usize = MAX_DOCUMENT + 2048;
/// Enrolled clients of a directory.
pub const MAX_ENROLLED: usize = 4096;
/// Signed descriptor, bytes.
pub const MAX_DESCRIPTOR: usize = 16 * 1024;
/// Addresses of one node.
pub const MAX_ADDRESSES: usize = 4;
/// Epoch keys in one descriptor: this epoch and the next two.
pub const MAX_EPOCH_KEYS: usize = 3;
/// Authorities of a network.
pub const MAX_AUTHORITIES: usize = 16;
/// Text of a region tag, bytes.
pub const MAX_REGION: usize = 16;
/// Text of an address, bytes.
pub const MAX_ADDRESS: usize = 128;
/// Most hops of a path, the hub included.
pub const MAX_HOPS: u8 = 12;
/// Box ids in one message between neighbours.
pub const MAX_MESH_IDS: usize = 1024;
/// Boxes in one message between neighbours; bulk boxes make it 256 KiB.
pub const MAX_MESH_BOXES: usize = 64;
/// One step of a reconciliation between neighbours, bytes.
pub const MAX_MESH_RANGES: usize = 64 * 1024;
/// One message between neighbours, bytes.
pub const MAX_MESH_MESSAGE: usize = 256 * 1024;
