//! HTTP: the hub's face for curl and scripts, and the server below it, which also serves onion
//! sites.

mod auth;
mod boxes;
mod face;
mod headers;
mod json;
mod metrics;
mod reply;
mod router;
mod serve;
mod stall;

pub use face::{HttpFace, HttpSettings};
pub(crate) use headers::{PERMISSIONS, harden};
pub use serve::{Door, HttpLimits, OnionPeer, OnionStreams, Origin, Whence};
