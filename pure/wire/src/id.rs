//! Identifiers. All are opaque byte strings whose `Debug` prints no byte of them.

use std::fmt;

use minicbor::{Decode, Encode};

macro_rules! opaque {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(
            #[cbor(n(0), with = "minicbor::bytes")]
            [u8; $len],
        );

        impl $name {
            /// Length, bytes.
            pub const LEN: usize = $len;

            /// From its bytes.
            #[must_use]
            pub const fn new(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}

opaque! {
    /// A node's identity: the Ed25519 public key that its TLS links prove (RFC 7250) and that
    /// signs its descriptor. It is also the next-hop id inside Sphinx packets.
    NodeId, 32
}
opaque! {
    /// A network's identity: SHA-256 over its authority set, so that whoever knows it knows
    /// which keys may sign the network document.
    NetworkId, 32
}
opaque! {
    /// Where an entry relay finds the client that a SURB ends at: a random token that the client
    /// attaches with, new whenever it takes an entry, known to nobody else.
    ClientToken, 32
}
opaque! {
    /// Random number that a hub or relay draws at each start. When it changes, open requests are
    /// gone.
    BootId, 16
}
opaque! {
    /// Key of an access class (`member`, `guest`) at a hub. Shared per class, never per person.
    AccessKey, 16
}
opaque! {
    /// Token with which a relay or hub is admitted by a directory.
    AdmissionToken, 32
}
opaque! {
    /// Names the key to which a client's documents are sealed: a hash of its public half.
    EnrolmentId, 32
}
opaque! {
    /// What every hop of a path folds its keyed digest into, beside the packet: `mix::tally`.
    Tally, 32
}
opaque! {
    /// SHA-256 of the document bytes, by which two readers compare what they were given.
    DocumentHash, 32
}

/// Number that pairs a request with its response on one direct link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct RequestId(#[n(0)] pub u64);

impl NodeId {
    /// The first eight hexadecimal digits, for people at their own console only (`-v`), never for
    /// logs.
    #[must_use]
    pub fn short(&self) -> String {
        let mut text = data_encoding::HEXLOWER.encode(&self.0);
        text.truncate(8);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_no_byte() {
        assert_eq!(format!("{:?}", NodeId::new([7; 32])), "NodeId");
        assert_eq!(format!("{:?}", AccessKey::new([7; 16])), "AccessKey");
        assert_eq!(NodeId::new([0xab; 32]).short(), "abababab");
    }
}
