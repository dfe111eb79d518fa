//! Tests whether an interface can do what the LAN route needs.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::beacons::{Ear, Voice};
use super::{Interface, LINK_PORT};

/// How long a datagram or a connection may take on one machine.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many ports are tried for a listener.
const PORTS: u16 = 100;

/// The result of [`probe`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Whether multicast works, by IPv4 or IPv6.
    pub multicast: Heard,
    /// Whether a listener on each of the interface's own addresses can be reached.
    pub tcp: bool,
}

/// Whether a datagram to the group was heard on the interface that it was sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It was heard.
    Yes,
    /// It was sent but not heard. Most likely a firewall drops it.
    No,
    /// It could not be sent: the interface does not do multicast, or a firewall refuses it.
    CannotSend,
}

/// Sends random bytes to the beacons' group, listens for them, and connects to a listener of its
/// own. Takes at most 2 s. It cannot know what other machines hear.
pub async fn probe(interface: &Interface) -> Probe {
    let mut multicast = Heard::CannotSend;
    let mut tcp = !interface.at(0).is_empty();
    // At most two addresses, tried at once.
    let mut tries = tokio::task::JoinSet::new();
    for own in interface.at(0) {
        let index = interface.index;
        tries.spawn(async move { tokio::join!(multicasts(own, index), connects(own)) });
    }
    while let Some(tried) = tries.join_next().await {
        let (heard, connected) = tried.unwrap_or((Heard::CannotSend, false));
        multicast = match (multicast, heard) {
            (Heard::Yes, _) | (_, Heard::Yes) => Heard::Yes,
            (Heard::No, _) | (_, Heard::No) => Heard::No,
            _ => Heard::CannotSend,
        };
        tcp &= connected;
    }
    Probe { multicast, tcp }
}

async fn multicasts(own: SocketAddr, index: u32) -> Heard {
    let Ok(voice) = Voice::open(own, index) else { return Heard::CannotSend };
    let ear = Ear::open(own.ip(), index);
    let said: [u8; 32] = rand::random();
    if voice.send(&said).await.is_err() {
        return Heard::CannotSend;
    }
    let Ok(ear) = ear else { return Heard::No };
    let hears = async {
        loop {
            match poll_fn(|cx| ear.poll(cx)).await {
                Ok((bytes, from)) if bytes == said && from.ip() == own.ip() => return Heard::Yes,
                Ok(_) => {}
                Err(_) => return Heard::No,
            }
        }
    };
    tokio::time::timeout(PATIENCE, hears).await.unwrap_or(Heard::No)
}

async fn connects(own: SocketAddr) -> bool {
    for port in (LINK_PORT..).take(PORTS.into()) {
        let mut address = own;
        address.set_port(port);
        let Ok(listener) = TcpListener::bind(address).await else { continue };
        let both = async { tokio::join!(TcpStream::connect(address), listener.accept()) };
        return matches!(tokio::time::timeout(PATIENCE, both).await, Ok((Ok(_), Ok(_))));
    }
    false
}
