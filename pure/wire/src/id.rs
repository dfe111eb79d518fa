//! Identifiers and the secrets that are passed around like them: opaque byte strings. `Debug`
//! prints none of their bytes.

use std::fmt;
use std::hash::{Hash, Hasher};

use minicbor::{Decode, Encode};
use subtle::ConstantTimeEq;

/// An id that anybody may know.
macro_rules! public {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        opaque! {
            $(#[$doc])*
            #[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
            $name, $len
        }
    };
}

/// A secret: whoever knows it may do something. Compared in constant time, and not ordered.
macro_rules! secret {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        opaque! { $(#[$doc])* $name, $len }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.ct_eq(&other.0).into()
            }
        }

        impl Eq for $name {}

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }
    };
}

macro_rules! opaque {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(
            #[cbor(n(0), with = "minicbor::bytes")]
            [u8; $len],
        );

        impl $name {
            /// Length of this id, bytes.
            pub const LEN: usize = $len;

            /// Wraps the bytes.
            #[must_use]
            pub const fn new(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes.
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

public! {
    /// A node's identity: the Ed25519 public key that its TLS links prove (RFC 7250) and that
    /// verifies its descriptor. It is also the next-hop id inside Sphinx packets.
    NodeId, 32
}
public! {
    /// A network's identity: SHA-256 of its authority set. Knowing it is enough to tell which keys
    /// may sign the network document.
    NetworkId, 32
}
secret! {
    /// A random token by which an entry relay finds the client that a SURB leads to. The client
    /// draws a new one for every entry that it attaches to, and tells nobody else.
    ClientToken, 32
}
public! {
    /// A random number that a hub or relay draws at each start. When it changes, open requests are
    /// lost.
    BootId, 16
}
secret! {
    /// Key of an access class (`member` or `guest`) at a hub. A class shares one key, since keys
    /// per person would identify people.
    AccessKey, 16
}
secret! {
    /// Token with which a relay or hub registers at a directory.
    AdmissionToken, 32
}
public! {
    /// Id of the key that a client's documents are sealed to: a hash of its public half.
    EnrolmentId, 32
}
public! {
    /// The value beside a packet that every hop folds its keyed digest into: see `mix::tally`.
    Tally, 32
}
public! {
    /// Hash of a network document, by which two readers check that they were given the same one.
    DocumentHash, 32
}
public! {
    /// Hash of an authority's vote, by which a proposal names it.
    VoteHash, 32
}
public! {
    /// Hash of an admission token: a directory knows by it whom another one admits.
    TokenHash, 32
}

/// Number that pairs a request with its response on one direct link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct RequestId(#[n(0)] pub u64);

impl NodeId {
    /// The first eight hexadecimal digits. Only for a person's own console (`-v`), never for logs.
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
