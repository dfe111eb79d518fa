//! Everything that touches a socket.
//!
//! # In this crate
//! - [`Identity`]: the Ed25519 key that a node proves on its links
//! - [`Link`]: frames over TLS 1.3 with pinned raw public keys and X25519MLKEM768 (`LINK-001` to
//!   `LINK-004`)
//! - [`Listener`]: the accepting side, with bounds on everything a stranger can take
//! - [`connect`]: one link to one peer; [`Outbound`]: one that comes back by itself
//! - [`lan`]: neighbours: beacons by multicast, links without a server
//! - [`Clock`]: the time of protocols, which never goes back
//! - [`Dialer`], [`Transport`]: what carries the bytes below TLS: TCP, Tor
//! - [`PortMapping`]: a port that the home router forwards
//! - [`Proxy`]: a SOCKS5 proxy that everything goes through once it is in use
//!
//! # Not in this crate
//! What frames mean (`wire`, `mix`, `hub`), who may connect to whom (`server`, `messenger`), DNS
//! (nowhere).
//!
//! # Invariants
//! - No name is ever resolved: a [`wire::Address`] is an IP address and a port.
//! - A peer whose key is not the expected one receives no frame and delivers none.
//! - Nothing is allocated for a frame before its header is accepted, and then no more than about
//!   twice what has arrived; an idle link holds no buffer.
//! - Every wait on the other side has a limit ([`LinkLimits`]).
//! - With a proxy in use no socket reaches any other machine, and the LAN is off.
//! - No error, log line or `Debug` contains a key, an id, an address or a byte of a frame.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::as_conversions
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::as_conversions
    )
)]

mod backoff;
mod clock;
mod decoder;
mod dialer;
mod error;
mod identity;
pub mod lan;
mod limits;
mod link;
mod listener;
mod outbound;
mod permit;
mod portmap;
mod proxy;
mod queue;
mod reader;
mod tls;
pub mod tor;
mod tor_error;
mod transport;
mod writer;

pub use clock::{Clock, boot_ms, real_time};
pub use dialer::{Dialer, look_up};
pub use error::{Error, Result};
pub use identity::Identity;
pub use limits::{LinkLimits, ListenerLimits};
pub use link::{Link, Role, connect, connect_with};
pub use listener::{Incoming, Listener};
pub use outbound::{DownReason, Outbound, OutboundConfig, OutboundSender, Status};
pub use portmap::{Forwarded, MappedBy, NotMapped, PortMapping, Routes};
pub use proxy::{AnotherProxy, BadProxy, Proxy};
pub use queue::Full;
pub use reader::LinkReader;
pub use tls::ALPN;
pub use transport::Transport;
pub use writer::LinkWriter;
