//! Dialers: how to reach an address.

use tokio::net::TcpStream;
use wire::Address;

use crate::tor::{TorDialer, TorError};
use crate::transport::{Transport, prepare};
use crate::{Error, LinkLimits, Proxy, Result};

/// How to make a link's transport. Where a [`Proxy`] is in use, what says "directly" goes through
/// it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Dialer {
    /// TCP from this machine. Onion addresses are out of reach.
    #[default]
    Direct,
    /// Everything through Tor. Never opens a socket of its own.
    Tor(TorDialer),
    /// Onion addresses through Tor, IP addresses directly: for nodes whose own address is public.
    Split(TorDialer),
}

impl Dialer {
    /// The addresses of a node that this dialer can reach, in the order in which they are tried:
    /// onion addresses first when everything goes through Tor, otherwise last.
    #[must_use]
    pub fn order(&self, addresses: &[Address]) -> Vec<Address> {
        let reached = addresses.iter().filter(|a| self.reaches(a));
        let (onion, ip): (Vec<_>, Vec<_>) = reached.partition(|a| a.is_onion());
        match self {
            Dialer::Tor(_) => [onion, ip].concat(),
            Dialer::Direct | Dialer::Split(_) => [ip, onion].concat(),
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
    /// [`Error::Refused`], [`Error::Unreachable`], [`Error::ConnectTimeout`], [`Error::Tor`],
    /// [`Error::ProxyGone`], [`Error::ProxyLogin`], [`Error::Io`].
    pub async fn dial(&self, address: Address, limits: &LinkLimits) -> Result<Box<dyn Transport>> {
        match (self, address) {
            (Dialer::Tor(tor), address) | (Dialer::Split(tor), address @ Address::Onion(..)) => {
                tor.dial(address).await
            }
            (Dialer::Direct, Address::Onion(..)) => Err(TorError::NeedsTor.into()),
            (Dialer::Direct | Dialer::Split(_), Address::Ip(socket)) => {
                if let Some(proxy) = Proxy::in_use() {
                    return proxy.dial(socket).await;
                }
                let connecting = TcpStream::connect(socket);
                let stream = tokio::time::timeout(limits.connect_timeout, connecting)
                    .await
                    .map_err(|_| Error::ConnectTimeout)?
                    .map_err(|e| Error::dial(&e))?;
                prepare(&stream);
                Ok(Box::new(stream))
            }
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
