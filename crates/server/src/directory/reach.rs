//! Whether a node can be reached where it says: the directory dials it back before it lists it
//! (`DIR-011`). One relay that nobody reaches would swallow a share of everybody's packets.

use std::net::SocketAddr;
use std::time::Duration;

use net::{Dialer, LinkLimits, Proxy};
use wire::{Address, NodeId};

use crate::place::is_public;

/// For each of the two: a connection, and a handshake.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the node answers at one of its addresses. Onion addresses are believed: dialling them
/// takes Tor. In a network whose directory has a public address, private ones do not count, for
/// others do not reach them.
pub(super) async fn answers(node: NodeId, addresses: Vec<Address>, public: bool) -> bool {
    let limits = LinkLimits {
        connect_timeout: PATIENCE,
        handshake_timeout: PATIENCE,
        ..LinkLimits::default()
    };
    let counts = |s: &SocketAddr| !s.ip().is_unspecified() && (!public || is_public(s.ip()));
    for address in addresses {
        let places: Vec<Address> = match address {
            Address::Onion(..) => return true,
            Address::Ip(socket) if counts(&socket) => vec![address],
            Address::Ip(_) => continue,
            // The proxy looks names up, and does not say what it found.
            Address::Name(..) if Proxy::in_use().is_some() => vec![address],
            Address::Name(name, port) => {
                let found = net::look_up(name, port, &limits).await.unwrap_or_default();
                found.into_iter().filter(counts).map(Into::into).collect()
            }
        };
        for place in places {
            if net::connect_with(&Dialer::Direct, place, node, None, &limits).await.is_ok() {
                return true;
            }
        }
    }
    false
}

/// Whether one of these is an address of the internet, or a name that stands for one.
pub(super) async fn is_on_internet(addresses: &[Address]) -> bool {
    for address in addresses {
        let places = match address {
            Address::Ip(socket) => vec![*socket],
            Address::Name(name, port) if Proxy::in_use().is_none() => {
                net::look_up(*name, *port, &LinkLimits::default()).await.unwrap_or_default()
            }
            Address::Name(..) | Address::Onion(..) => continue,
        };
        if places.iter().any(|place| is_public(place.ip())) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_internet_are_told_from_those_at_home() {
        for home in ["10.1.2.3", "192.168.0.9", "127.0.0.1", "100.64.0.1", "192.0.2.77", "0.0.0.0"]
        {
            assert!(!is_public(home.parse().unwrap()), "{home}");
        }
        for home in ["::1", "fd00::1", "fe80::1", "::ffff:10.0.0.1"] {
            assert!(!is_public(home.parse().unwrap()), "{home}");
        }
        for public in ["93.184.216.34", "100.128.0.1", "2a00:1450::1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    //= DIR-011
    #[tokio::test]
    async fn a_node_that_nobody_reaches_does_not_answer() {
        let node = NodeId::new([1; 32]);
        // Nobody listens there; anywhere; and somebody else does.
        let other = net::Identity::from_seed(&[2; 32]);
        let limits = net::ListenerLimits::default();
        let here = "127.0.0.1:0".parse().unwrap();
        let listener = net::Listener::bind(here, &other, limits).await.unwrap();
        let taken = Address::Ip(listener.local_addr());
        for address in ["127.0.0.1:1".parse().unwrap(), "0.0.0.0:1".parse().unwrap(), taken] {
            assert!(!answers(node, vec![address], false).await, "{address}");
        }
        assert!(answers(other.node_id(), vec![taken], false).await);
        assert!(!answers(other.node_id(), vec![taken], true).await, "private in a public network");
    }
}
