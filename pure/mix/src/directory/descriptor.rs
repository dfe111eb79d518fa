//! Descriptors: what nodes sign about themselves.

use ed25519_zebra::{Signature, SigningKey, VerificationKey};
use wire::document::{NodeDescriptor, SignedDescriptor};
use zeroize::Zeroizing;

use crate::Error;

const DOMAIN: &[u8] = b"hushwing descriptor v1";

/// Signs a descriptor with the node's identity seed (Ed25519, RFC 8032).
#[must_use]
pub fn sign_descriptor(identity_seed: &[u8; 32], descriptor: &NodeDescriptor) -> SignedDescriptor {
    let bytes = wire::encode(descriptor);
    let key = Zeroizing::new(SigningKey::from(*identity_seed));
    let signature = key.sign(&[DOMAIN, &bytes].concat()).into();
    SignedDescriptor { descriptor: bytes, signature }
}

/// Opens a descriptor that the node it describes has signed.
///
/// # Errors
/// [`Error::BadDescriptor`], [`Error::Wire`].
pub fn verify_descriptor(signed: &SignedDescriptor) -> Result<NodeDescriptor, Error> {
    let descriptor: NodeDescriptor = wire::decode(&signed.descriptor, "descriptor")?;
    descriptor.check()?;
    let key =
        VerificationKey::try_from(*descriptor.id.as_bytes()).map_err(|_| Error::BadDescriptor)?;
    key.verify(&Signature::from(signed.signature), &[DOMAIN, &signed.descriptor].concat())
        .map_err(|_| Error::BadDescriptor)?;
    Ok(descriptor)
}
