//! Whether a node can be reached where it says: the directory dials it back before it lists it
//! (`DIR-011`). One relay that nobody reaches would swallow a share of everybody's packets.

use std::net::IpAddr;
use std::time::Duration;

use net::{Dialer, LinkLimits};
use wire::{Address, NodeId};

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
    for address in addresses {
        let Address::Ip(socket) = address else { return true };
        if socket.ip().is_unspecified() || public && !is_public(socket.ip()) {
            continue;
        }
        if net::connect_with(&Dialer::Direct, address, node, None, &limits).await.is_ok() {
            return true;
        }
    }
    false
}

/// Whether this is an address of the internet.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_documentation()
                || shared)
        }
        IpAddr::V6(ip) => {
            !(ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local())
        }
    }
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
