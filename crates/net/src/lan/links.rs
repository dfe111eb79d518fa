//! Links between neighbours.

use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpSocket;
use wire::NodeId;

use super::{Interface, LINK_PORT};
use crate::{
    Error, Identity, Link, LinkLimits, Listener, ListenerLimits, Proxy, Result, tls, transport,
};

/// How many further ports are tried.
const MORE_PORTS: u16 = 100;

/// Listens as `me` on each address of these interfaces, all on one port: the first from
/// [`LINK_PORT`] that is free on all of them. Leaves out addresses on which the system does not
/// allow it. Without interfaces there are no listeners and the port is 0. Answers of the listeners
/// do not pass a router. Call it inside a tokio runtime.
///
/// # Errors
/// [`Error::PortInUse`] when 101 ports are taken; [`Error::NotOurAddress`], [`Error::Listen`] when
/// no address is left.
#[allow(
    clippy::unused_async,
    reason = "registering a socket needs the runtime, which `async` makes plain"
)]
pub async fn listen(
    me: &Identity,
    interfaces: &[Interface],
    limits: ListenerLimits,
) -> Result<(u16, Vec<Listener>)> {
    let mut last = None;
    for port in LINK_PORT..=LINK_PORT.saturating_add(MORE_PORTS) {
        match on_all(me, interfaces, limits, port) {
            Ok(listeners) if !listeners.is_empty() => return Ok((port, listeners)),
            Ok(_) => return Ok((0, Vec::new())),
            Err(error @ Error::PortInUse { .. }) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or(Error::NotOurAddress))
}

fn on_all(
    me: &Identity,
    interfaces: &[Interface],
    limits: ListenerLimits,
    port: u16,
) -> Result<Vec<Listener>> {
    let (mut listeners, mut refused) = (Vec::new(), None);
    for address in interfaces.iter().flat_map(|i| i.at(port)) {
        match Listener::bind_near(address, me, limits) {
            Ok(listener) => listeners.push(listener),
            Err(error @ Error::PortInUse { .. }) => return Err(error),
            Err(error) => {
                // For example an IPv6 address that the system still checks for duplicates.
                tracing::warn!(%error, "an interface of the LAN takes no links");
                refused = Some(error);
            }
        }
    }
    match refused {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

/// Links to the neighbour `expect` by TCP straight to its address, keeping the scope id, and shows
/// the key of `me`. Its packets do not pass a router, so a forged beacon cannot make this node talk
/// to a machine outside the LAN.
///
/// # Errors
/// As [`crate::connect`].
pub async fn dial(
    to: SocketAddr,
    expect: NodeId,
    me: &Identity,
    limits: &LinkLimits,
) -> Result<Link> {
    if Proxy::in_use().is_some() {
        return Err(Error::Unreachable);
    }
    let config = tls::client_config(expect, Some(me))?;
    let connecting = socket(to).map_err(|e| Error::Io(e.kind()))?.connect(to);
    let stream = tokio::time::timeout(limits.connect_timeout, connecting)
        .await
        .map_err(|_| Error::ConnectTimeout)?
        .map_err(|e| Error::dial(&e))?;
    transport::prepare(&stream);
    Link::connect_configured(Box::new(stream), config, limits).await
}

fn socket(to: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if to.is_ipv4() {
        socket.set_ttl_v4(1)?;
    } else {
        socket.set_unicast_hops_v6(1)?;
    }
    Ok(TcpSocket::from_std_stream(socket.into()))
}
