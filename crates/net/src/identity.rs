//! The key that a node proves on its links.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use rand::CryptoRng;
use wire::NodeId;
use zeroize::Zeroizing;

/// An Ed25519 key pair (RFC 8032), kept as its 32-byte seed. `Debug` prints the type's name alone.
#[derive(Clone)]
pub struct Identity {
    seed: Zeroizing<[u8; 32]>,
    id: NodeId,
}

impl Identity {
    /// Makes the key pair of a 32-byte seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let mut id = [0; 32];
        // Every seed of 32 bytes is a key, so this cannot fail. If it did, the zero public key
        // would remain, and every handshake would fail.
        if let Ok(pair) = Ed25519KeyPair::from_seed_unchecked(seed) {
            id.copy_from_slice(pair.public_key().as_ref());
        }
        Identity { seed: Zeroizing::new(*seed), id: NodeId::new(id) }
    }

    /// Draws a new key pair.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *seed);
        Identity::from_seed(&seed)
    }

    /// The public key.
    #[must_use]
    pub const fn node_id(&self) -> NodeId {
        self.id
    }

    /// The 32-byte seed, for storing and for signing other things with this key.
    #[must_use]
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_key_is_that_of_rfc_8032() {
        // RFC 8032, section 7.1, test 1.
        let seed = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec,
            0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03,
            0x1c, 0xae, 0x7f, 0x60,
        ];
        let public = [
            0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64,
            0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68,
            0xf7, 0x07, 0x51, 0x1a,
        ];
        assert_eq!(Identity::from_seed(&seed).node_id().as_bytes(), &public);
    }

    #[test]
    fn debug_prints_no_byte_and_new_ones_differ() {
        let mut rng = rand::rng();
        let (a, b) = (Identity::generate(&mut rng), Identity::generate(&mut rng));
        assert_eq!(format!("{a:?}"), "Identity");
        assert_ne!(a.node_id(), b.node_id());
    }
}
