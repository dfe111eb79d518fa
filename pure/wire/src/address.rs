//! Addresses of nodes.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::host::HostName;
use crate::onion::OnionName;
use crate::{Error, limits::MAX_ADDRESS};

/// Where a node is reached. Whoever dials it decides who looks a name up: the system, the proxy or
/// a Tor exit (DESIGN invariant 6).
///
/// `Debug` does not print the address. [`fmt::Display`] does, for links and a person's own console.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// An IP address and a port other than 0.
    Ip(SocketAddr),
    /// A Tor onion service and a port other than 0.
    Onion(OnionName, u16),
    /// A DNS name, looked up at each dial, and a port other than 0.
    Name(HostName, u16),
}

impl Address {
    /// Whether it can only be reached through Tor.
    #[must_use]
    pub const fn is_onion(&self) -> bool {
        matches!(self, Address::Onion(..))
    }
}

impl From<SocketAddr> for Address {
    fn from(socket: SocketAddr) -> Self {
        Address::Ip(socket)
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_ADDRESS {
            return Err(Error::BadAddress);
        }
        if let Ok(socket) = text.parse::<SocketAddr>() {
            return if socket.port() == 0 {
                Err(Error::BadAddress)
            } else {
                Ok(Address::Ip(socket))
            };
        }
        let (name, port) = text.rsplit_once(':').ok_or(Error::BadAddress)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(Error::BadAddress)?;
        match name.parse() {
            Ok(onion) => Ok(Address::Onion(onion, port)),
            Err(_) => Ok(Address::Name(name.parse()?, port)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Ip(socket) => socket.fmt(f),
            Address::Onion(name, port) => write!(f, "{name}:{port}"),
            Address::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address")
    }
}

impl<C> Encode<C> for Address {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.str(&self.to_string())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Address {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        d.str()?.parse().map_err(|_| decode::Error::message("address"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_place_and_a_port() {
        let onion = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";
        let good = ["127.0.0.1:5001", "[::1]:6000", "home.example:1", &format!("{onion}:6000")];
        for good in good {
            let a: Address = good.parse().unwrap();
            assert_eq!(a.to_string(), good);
            assert_eq!(crate::decode::<Address>(&crate::encode(&a), "address"), Ok(a));
            assert_eq!(format!("{a:?}"), "Address");
            assert_eq!(a.is_onion(), good.contains("onion"));
        }
        for bad in [
            "",
            "localhost:1",
            "127.0.0.1",
            "256.0.0.1:1",
            "home.example",
            "home.example:0",
            "http://home.example:1",
            "127.0.0.1:0",
            "127.0.0.1:70000",
            onion,
            &format!("{onion}:0"),
        ] {
            assert_eq!(bad.parse::<Address>(), Err(Error::BadAddress), "{bad}");
        }
    }
}
