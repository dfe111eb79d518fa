//! Where a node can be reached.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::{Error, limits::MAX_ADDRESS};

/// An address that is already resolved: Hushwing never asks DNS (DESIGN invariant 6).
///
/// `Debug` prints no address; [`fmt::Display`] does, for a person's own console and for links.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(SocketAddr);

impl Address {
    /// The socket address to dial.
    #[must_use]
    pub const fn socket(&self) -> SocketAddr {
        self.0
    }
}

impl From<SocketAddr> for Address {
    fn from(socket: SocketAddr) -> Self {
        Address(socket)
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_ADDRESS {
            return Err(Error::BadAddress);
        }
        let socket: SocketAddr = text.parse().map_err(|_| Error::BadAddress)?;
        if socket.port() == 0 {
            return Err(Error::BadAddress);
        }
        Ok(Address(socket))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address")
    }
}

impl<C> Encode<C> for Address {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.str(&self.0.to_string())?.ok()
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
    fn only_resolved_addresses_with_a_port() {
        for good in ["127.0.0.1:5001", "[::1]:6000"] {
            let a: Address = good.parse().unwrap();
            assert_eq!(a.to_string(), good);
            assert_eq!(crate::decode::<Address>(&crate::encode(&a), "address"), Ok(a));
            assert_eq!(format!("{a:?}"), "Address");
        }
        for bad in ["", "localhost:1", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000"] {
            assert_eq!(bad.parse::<Address>(), Err(Error::BadAddress), "{bad}");
        }
    }
}
