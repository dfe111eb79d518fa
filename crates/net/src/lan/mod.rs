//! Neighbours on the same LAN: beacons by multicast, links straight to each other. Nothing here
//! leaves the LAN.
//!
//! Beacons are bytes here; what they say is decided in the mesh crate (`docs/spec/mesh.md`). Only
//! the interfaces that the user allows are used, each by its own address, so that neither a default
//! route nor a route for multicast is needed. What cannot be done on one interface is a warning,
//! and the others go on.

mod beacons;
mod interfaces;
mod links;
mod probe;

use std::net::{Ipv4Addr, Ipv6Addr};

pub use beacons::Beacons;
pub use interfaces::{Allowed, Interface, interfaces};
pub use links::{dial, listen};
pub use probe::{Heard, Probe, probe};

/// The group of IPv4 to which beacons go.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
/// The group of IPv6, of link-local scope and not assigned by anybody: "hushwing" in its last 8
/// bytes.
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0x6875, 0x7368, 0x7769, 0x6e67);
/// The UDP port of beacons.
pub const BEACON_PORT: u16 = 54545;
/// The first TCP port that is tried for links.
pub const LINK_PORT: u16 = 45454;
/// The longest beacon that is taken, bytes.
pub const MAX_BEACON: usize = 1400;

/// The name of an address family in a warning.
const fn family(v4: bool) -> &'static str {
    if v4 { "IPv4" } else { "IPv6" }
}
