//! Dialers: how to reach an address.

use std::net::SocketAddr;

use tokio::net::{TcpStream, lookup_host};
use tokio_socks::TargetAddr;
use wire::{Address, HostName};

use crate::tor::{TorDialer, TorError};
use crate::transport::{Transport, notice_silence, prepare};
use crate::{Error, LinkLimits, Proxy, Result};

/// How to make a link's transport. Where a [`Proxy`] is in use, what says "directly" goes through
/// it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Dialer {
    /// TCP from this machine, which also looks names up. Onion addresses are out of reach.
    #[default]
    Direct,
    /// Everything through Tor, where exits look names up. Never opens a socket of its own.
    Tor(TorDialer),
    /// Onion addresses through Tor, all others directly: for nodes whose own address is public.
    Split(TorDialer),
}

impl Dialer {
    /// The addresses of a node that this dialer can reach, in the order in which they are tried:
    /// onion addresses first when everything goes through Tor, otherwise last.
    #[must_use]
    pub fn order(&self, addresses: &[Address]) -> Vec<Address> {
        let reached = addresses.iter().filter(|a| self.reaches(a));
        let (onion, other): (Vec<_>, Vec<_>) = reached.partition(|a| a.is_onion());
        match self {
            Dialer::Tor(_) => [onion, other].concat(),
            Dialer::Direct | Dialer::Split(_) => [other, onion].concat(),
        }
    }

    /// Whether it can reach this address.
    #[must_use]
    pub fn reaches(&self, address: &Address) -> bool {
        match self {
            Dialer::Direct => !address.is_onion(),
            Dialer::Tor(tor) => address.is_onion() || tor.reaches(address),
            Dialer::Split(_) => true,
        }
    }

    /// Connects.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Unreachable`], [`Error::ConnectTimeout`],
    /// [`Error::NoSuchName`], [`Error::Tor`], [`Error::ProxyGone`], [`Error::ProxyLogin`],
    /// [`Error::Io`].
    pub async fn dial(&self, address: Address, limits: &LinkLimits) -> Result<Box<dyn Transport>> {
        match (self, address) {
            (Dialer::Tor(tor), address) | (Dialer::Split(tor), address @ Address::Onion(..)) => {
                tor.dial(address).await
            }
            (Dialer::Direct | Dialer::Split(_), address) => match Proxy::in_use() {
                Some(proxy) => proxy.dial(behind_proxy(address)?).await,
                None => directly(address, limits).await,
            },
        }
    }

    /// The Tor that this address is dialled through, if any.
    #[must_use]
    pub fn tor_for(&self, address: &Address) -> Option<&TorDialer> {
        match self {
            Dialer::Tor(tor) => Some(tor),
            Dialer::Split(tor) if address.is_onion() => Some(tor),
            _ => None,
        }
    }
}

/// An address as the proxy is told it, who looks names up.
fn behind_proxy(address: Address) -> Result<TargetAddr<'static>> {
    match address {
        Address::Ip(socket) => Ok(TargetAddr::Ip(socket)),
        Address::Name(name, port) => Ok(TargetAddr::Domain(name.to_string().into(), port)),
        Address::Onion(..) => Err(TorError::NeedsTor.into()),
    }
}

/// Connects from this machine: to each of the addresses that a name has, until one answers.
async fn directly(address: Address, limits: &LinkLimits) -> Result<Box<dyn Transport>> {
    let sockets: Vec<SocketAddr> = match address {
        Address::Ip(socket) => vec![crate::portmap::inside(socket)],
        Address::Name(name, port) => look_up(name, port, limits).await?,
        Address::Onion(..) => return Err(TorError::NeedsTor.into()),
    };
    let mut last = Error::NoSuchName;
    for socket in sockets {
        match tokio::time::timeout(limits.connect_timeout, TcpStream::connect(socket)).await {
            Ok(Ok(stream)) => {
                prepare(&stream);
                notice_silence(&stream);
                return Ok(Box::new(stream));
            }
            Ok(Err(error)) => last = Error::dial(&error),
            Err(_) => last = Error::ConnectTimeout,
        }
    }
    Err(last)
}

/// The addresses that a name has now, by the system's resolver. Never call it for somebody who goes
/// through Tor or a [`Proxy`]: those look names up themselves.
///
/// # Errors
/// [`Error::NoSuchName`].
pub async fn look_up(name: HostName, port: u16, limits: &LinkLimits) -> Result<Vec<SocketAddr>> {
    let found = lookup_host((name.as_str(), port));
    match tokio::time::timeout(limits.connect_timeout, found).await {
        Ok(Ok(found)) => Ok(found.collect()),
        _ => Err(Error::NoSuchName),
    }
}
