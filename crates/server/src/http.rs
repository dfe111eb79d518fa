//! HTTP: the hub's interface for curl and scripts, and the server below it, which also serves onion
//! sites.

mod auth;
mod boxes;
mod headers;
mod json;
mod metrics;
mod reply;
mod router;
mod serve;
mod service;
mod stall;

pub(crate) use headers::{PERMISSIONS, harden};
pub use serve::{Door, HttpLimits, OnionPeer, OnionStreams, Origin, Whence};
pub use service::{HttpService, HttpSettings};
