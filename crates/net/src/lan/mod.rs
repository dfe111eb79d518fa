//! Neighbours on the same LAN: beacons by multicast, and direct links. Nothing here leaves the LAN.
//!
//! Beacons are bytes here; the `mesh` crate decides what they say (`docs/spec/mesh.md`). Only
//! interfaces that the user allows are used, each by its own address, so no default route and no
//! multicast route is needed. A failure on one interface is a warning and does not stop the others.
//! While a [`crate::Proxy`] is in use, no interface is allowed: neighbours would see us.

mod beacons;
mod interfaces;
mod links;
mod probe;

use std::net::{Ipv4Addr, Ipv6Addr};

pub use beacons::Beacons;
pub use interfaces::{Allowed, Interface, interfaces};
pub use links::{dial, listen};
pub use probe::{Heard, Probe, probe};

/// The IPv4 group that beacons go to.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
/// The IPv6 group that beacons go to: link-local, unassigned, with "hushwing" in its last 8 bytes.
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0x6875, 0x7368, 0x7769, 0x6e67);
/// The UDP port of beacons.
pub const BEACON_PORT: u16 = 54545;
/// The first TCP port to try for links.
pub const LINK_PORT: u16 = 45454;
/// Longest beacon that is accepted, bytes.
pub const MAX_BEACON: usize = 1400;

/// The name of an address family in a warning.
const fn family(v4: bool) -> &'static str {
    if v4 { "IPv4" } else { "IPv6" }
}
