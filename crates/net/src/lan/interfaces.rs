//! The network interfaces that the user allows.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::Proxy;

/// Which interfaces may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// Interfaces of private networks: up, neither loopback nor point to point (a tunnel leads to
    /// somebody else's network), and without a public IPv4 address. Private means RFC 1918,
    /// 169.254.0.0/16, fc00::/7 and fe80::/10. Most homes have a public IPv6 address next to a
    /// private IPv4 one: such an interface is used, but not that address. Without IPv4, all
    /// addresses must be private.
    Private,
    /// Interfaces with these names, whatever their addresses. May include loopback.
    Named(Vec<String>),
}

/// An interface with the addresses to use. `Debug` prints its index alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name in the system.
    pub name: String,
    /// Its number, which is the scope id of IPv6.
    pub index: u32,
    /// Its IPv4 address, a private one if there is one.
    pub v4: Option<Ipv4Addr>,
    /// Its link-local IPv6 address.
    pub v6: Option<Ipv6Addr>,
}

impl fmt::Debug for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Interface({})", self.index)
    }
}

impl Interface {
    /// The addresses to use, with this port, and with a scope id for IPv6.
    #[must_use]
    pub fn at(&self, port: u16) -> Vec<SocketAddr> {
        let v4 = self.v4.map(|ip| SocketAddr::V4(SocketAddrV4::new(ip, port)));
        let v6 = self.v6.map(|ip| SocketAddr::V6(SocketAddrV6::new(ip, port, 0, self.index)));
        v4.into_iter().chain(v6).collect()
    }
}

/// The allowed interfaces that are up and have a usable address, in order of their index.
///
/// # Errors
/// When the system does not list its interfaces.
pub fn interfaces(allowed: &Allowed) -> io::Result<Vec<Interface>> {
    if Proxy::in_use().is_some() {
        return Ok(Vec::new());
    }
    let found = if_addrs::get_if_addrs()?
        .into_iter()
        .filter(if_addrs::Interface::is_oper_up)
        .filter_map(|i| {
            let ip = i.ip();
            Some(Found { name: i.name, index: i.index?, ip, p2p: i.is_p2p })
        });
    let found = found.filter(|f| *allowed != Allowed::Private || !is_bridge_port(&f.name));
    Ok(choose(found, allowed))
}

/// Most interfaces that are used at a time. A host of containers has hundreds.
const MAX_INTERFACES: usize = 16;

/// Whether an interface is a port of a bridge on this machine, like those of containers. The bridge
/// itself is on the same LAN and is enough.
fn is_bridge_port(name: &str) -> bool {
    !name.contains('/') && std::path::Path::new("/sys/class/net").join(name).join("brport").exists()
}

/// One address of an interface that is up.
struct Found {
    name: String,
    index: u32,
    ip: IpAddr,
    p2p: bool,
}

fn choose(found: impl Iterator<Item = Found>, allowed: &Allowed) -> Vec<Interface> {
    let mut by_index: BTreeMap<u32, Vec<Found>> = BTreeMap::new();
    for one in found {
        by_index.entry(one.index).or_default().push(one);
    }
    by_index
        .into_values()
        .filter(|all| may(all, allowed))
        .filter_map(|all| interface(&all))
        .take(MAX_INTERFACES)
        .collect()
}

fn may(all: &[Found], allowed: &Allowed) -> bool {
    let four = all.iter().any(|f| f.ip.is_ipv4());
    match allowed {
        Allowed::Named(names) => all.iter().any(|f| names.contains(&f.name)),
        Allowed::Private => {
            all.iter().all(|f| !f.p2p && (is_private(f.ip) || four && f.ip.is_ipv6()))
        }
    }
}

fn interface(all: &[Found]) -> Option<Interface> {
    let first = all.first()?;
    let fours =
        || all.iter().filter_map(|f| if let IpAddr::V4(ip) = f.ip { Some(ip) } else { None });
    let v4 = fours().find(|ip| is_private((*ip).into())).or_else(|| fours().next());
    let v6 = all.iter().find_map(|f| match f.ip {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => Some(ip),
        _ => None,
    });
    (v4.is_some() || v6.is_some()).then(|| Interface {
        name: first.name.clone(),
        index: first.index,
        v4,
        v6,
    })
}

/// RFC 1918, link-local, or unique local.
pub(super) const fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(list: &[(&str, u32, &str)]) -> impl Iterator<Item = Found> {
        list.iter().map(|(name, index, ip)| Found {
            name: (*name).to_owned(),
            index: *index,
            ip: ip.parse().unwrap(),
            p2p: name.starts_with("tun"),
        })
    }

    const MACHINE: &[(&str, u32, &str)] = &[
        ("lo", 1, "127.0.0.1"),
        ("lo", 1, "::1"),
        ("home", 2, "192.168.1.5"),
        ("home", 2, "2001:db8::5"),
        ("home", 2, "fe80::5"),
        ("hosted", 3, "203.0.113.9"),
        ("hosted", 3, "10.1.1.1"),
        ("hosted", 3, "fe80::9"),
        ("tun0", 4, "10.8.0.2"),
        ("cable", 5, "169.254.7.7"),
        ("cable", 5, "fe80::7"),
        ("shared", 6, "100.64.1.1"),
        ("six", 7, "2001:db8::7"),
        ("six", 7, "fe80::77"),
        ("local6", 8, "fd00::8"),
        ("local6", 8, "fe80::8"),
    ];

    #[test]
    fn only_private_networks_are_used_unasked() {
        let chosen = choose(found(MACHINE), &Allowed::Private);
        let names: Vec<_> = chosen.iter().map(|i| i.name.as_str()).collect();
        assert_eq!(names, ["home", "cable", "local6"]);
        assert_eq!(chosen[0].v4, Some(Ipv4Addr::new(192, 168, 1, 5)));
        assert_eq!(chosen[0].v6, Some("fe80::5".parse().unwrap()), "never the public one");
        assert_eq!(chosen[2].v4, None);
    }

    #[test]
    fn what_is_named_is_used_and_nothing_else() {
        let named = |name: &str| choose(found(MACHINE), &Allowed::Named(vec![name.to_owned()]));
        let [lo] = &named("lo")[..] else { panic!() };
        assert_eq!((lo.v4, lo.v6), (Some(Ipv4Addr::LOCALHOST), None));
        let [hosted] = &named("hosted")[..] else { panic!() };
        assert_eq!(
            hosted.v4,
            Some(Ipv4Addr::new(10, 1, 1, 1)),
            "the private one when there is one"
        );
        assert_eq!(named("shared")[0].v4, Some(Ipv4Addr::new(100, 64, 1, 1)));
        assert!(named("tun0").len() == 1 && named("none").is_empty());
    }

    #[test]
    fn an_address_does_not_get_into_a_log() {
        let chosen = choose(found(MACHINE), &Allowed::Private);
        assert_eq!(format!("{:?}", chosen[0]), "Interface(2)");
    }
}
