//! Directory authorities. Each signs twice, classically and post-quantum, and both must be good.

use std::collections::BTreeSet;
use std::ops::Deref;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::signature::{
    KeyPair, ML_DSA_65, ML_DSA_65_SIGNING, PqdsaKeyPair, UnparsedPublicKey,
};
use ed25519_zebra::{Signature, SigningKey, VerificationKey, VerificationKeyBytes};
use rand_core::CryptoRng;
use wire::document::{
    AuthorityKeys, AuthoritySet, DocumentSignature, NetworkDocument, SignedDocument,
};
use wire::id::{AdmissionToken, DocumentHash, TokenHash, VoteHash};
use wire::{NetworkId, encode};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Error;

const NETWORK_DOMAIN: &[u8] = b"hushwing network v1";
const DOCUMENT_DOMAIN: &[u8] = b"hushwing document v1";
const VOTE_DOMAIN: &[u8] = b"hushwing vote v1";
const PROPOSAL_DOMAIN: &[u8] = b"hushwing proposal v1";
const TOKEN_DOMAIN: &[u8] = b"hushwing admission v1";
/// Length of an ML-DSA-65 signature (FIPS 204), bytes.
const ML_DSA_SIGNATURE_LEN: usize = 3_309;

/// An authority's signing keys: Ed25519 (RFC 8032) and ML-DSA-65 (FIPS 204).
pub struct AuthorityKey {
    seeds: Zeroizing<[u8; 64]>,
    ed25519: SigningKey,
    ml_dsa: PqdsaKeyPair,
}

impl AuthorityKey {
    /// Draws new keys.
    ///
    /// # Errors
    /// [`Error::BadKey`] when the library refuses.
    pub fn generate<R: CryptoRng>(rng: &mut R) -> Result<Self, Error> {
        let mut seeds = Zeroizing::new([0; 64]);
        rng.fill_bytes(seeds.as_mut());
        Self::from_bytes(seeds.as_ref())
    }

    /// Reads the 64 bytes of [`AuthorityKey::to_bytes`].
    ///
    /// # Errors
    /// [`Error::BadKey`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let seeds: Zeroizing<[u8; 64]> =
            Zeroizing::new(bytes.try_into().map_err(|_| Error::BadKey)?);
        let (first, second) = seeds.split_first_chunk::<32>().ok_or(Error::BadKey)?;
        let mut first = *first;
        let ed25519 = SigningKey::from(first);
        first.zeroize();
        let ml_dsa =
            PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, second).map_err(|_| Error::BadKey)?;
        Ok(AuthorityKey { seeds, ed25519, ml_dsa })
    }

    /// Both seeds, 64 bytes: Ed25519, then ML-DSA.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.seeds.to_vec())
    }

    /// The public halves.
    #[must_use]
    pub fn public(&self) -> AuthorityKeys {
        AuthorityKeys {
            ed25519: VerificationKeyBytes::from(&self.ed25519).into(),
            ml_dsa: self.ml_dsa.public_key().as_ref().to_vec(),
        }
    }

    pub(super) fn sign(&self, authority: u8, message: &[u8]) -> Result<DocumentSignature, Error> {
        let mut ml_dsa = vec![0; ML_DSA_SIGNATURE_LEN];
        let len = self.ml_dsa.sign(message, &mut ml_dsa).map_err(|_| Error::Signing)?;
        ml_dsa.truncate(len);
        Ok(DocumentSignature { authority, ed25519: self.ed25519.sign(message).into(), ml_dsa })
    }
}

// The seeds wipe themselves and aws-lc cleanses its keys; this is the one key that would stay in
// memory.
impl Drop for AuthorityKey {
    fn drop(&mut self) {
        self.ed25519.zeroize();
    }
}

impl ZeroizeOnDrop for AuthorityKey {}

impl std::fmt::Debug for AuthorityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuthorityKey")
    }
}

/// A set of authorities, `threshold` of which must sign.
#[must_use]
pub fn authority_set(threshold: u8, keys: &[AuthorityKey]) -> AuthoritySet {
    AuthoritySet { threshold, authorities: keys.iter().map(AuthorityKey::public).collect() }
}

/// A network's identity: SHA-256("hushwing network v1" | CBOR of the set).
#[must_use]
pub fn network_id(set: &AuthoritySet) -> NetworkId {
    NetworkId::new(hash(NETWORK_DOMAIN, &encode(set)))
}

/// The hash by which readers compare documents: SHA-256("hushwing document v1" | CBOR of the
/// document).
#[must_use]
pub fn document_hash(document: &[u8]) -> DocumentHash {
    DocumentHash::new(hash(DOCUMENT_DOMAIN, document))
}

/// The hash by which proposals name votes: SHA-256("hushwing vote v1" | authority | CBOR of the
/// vote). Two authorities that see the same in the same moment make the same vote.
pub(super) fn vote_hash(authority: u8, vote: &[u8]) -> VoteHash {
    VoteHash::new(hash(VOTE_DOMAIN, &[&[authority], vote].concat()))
}

/// The hash by which directories know each other's tokens: SHA-256("hushwing admission v1" |
/// token).
#[must_use]
pub fn token_hash(token: &AdmissionToken) -> TokenHash {
    TokenHash::new(hash(TOKEN_DOMAIN, token.as_bytes()))
}

fn hash(domain: &[u8], bytes: &[u8]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(domain);
    context.update(bytes);
    context.finish().as_ref().try_into().unwrap_or_default()
}

/// What is signed: "hushwing document v1" | network id | CBOR of the document.
pub(super) fn message(network: &NetworkId, document: &[u8]) -> Vec<u8> {
    [DOCUMENT_DOMAIN, network.as_bytes(), document].concat()
}

/// What an authority signs of its vote: "hushwing vote v1" | network id | CBOR of the vote.
pub(super) fn vote_message(network: &NetworkId, vote: &[u8]) -> Vec<u8> {
    [VOTE_DOMAIN, network.as_bytes(), vote].concat()
}

/// What a leader signs: "hushwing proposal v1" | network id | CBOR of the proposal.
pub(super) fn proposal_message(network: &NetworkId, proposal: &[u8]) -> Vec<u8> {
    [PROPOSAL_DOMAIN, network.as_bytes(), proposal].concat()
}

/// Signs a document with these authorities, each given with its position in the set.
///
/// # Errors
/// [`Error::Signing`].
pub fn sign_document(
    document: &NetworkDocument,
    set: &AuthoritySet,
    keys: &[(u8, &AuthorityKey)],
) -> Result<SignedDocument, Error> {
    let bytes = encode(document);
    let message = message(&document.network, &bytes);
    let signatures =
        keys.iter().map(|(n, key)| key.sign(*n, &message)).collect::<Result<_, _>>()?;
    Ok(SignedDocument { authorities: encode(set), document: bytes, signatures })
}

/// A document that enough authorities of its network have signed.
#[derive(Clone)]
pub struct VerifiedDocument {
    document: NetworkDocument,
    hash: DocumentHash,
    bytes: Vec<u8>,
    signers: BTreeSet<u8>,
}

impl VerifiedDocument {
    /// The hash by which readers compare what they were given.
    #[must_use]
    pub const fn hash(&self) -> DocumentHash {
        self.hash
    }

    /// Positions of the authorities whose signatures are good.
    #[must_use]
    pub const fn signers(&self) -> &BTreeSet<u8> {
        &self.signers
    }

    /// The signed document as it was received, to be passed on.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Deref for VerifiedDocument {
    type Target = NetworkDocument;

    fn deref(&self) -> &NetworkDocument {
        &self.document
    }
}

impl std::fmt::Debug for VerifiedDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VerifiedDocument({}.{})", self.document.epoch, self.document.revision)
    }
}

/// Checks a signed document against the network that the reader expects.
///
/// # Errors
/// [`Error::WrongNetwork`], [`Error::Signatures`], [`Error::Wire`].
pub fn verify(signed: &[u8], network: &NetworkId) -> Result<VerifiedDocument, Error> {
    let SignedDocument { authorities, document, signatures } =
        wire::decode(signed, "signed document")?;
    if NetworkId::new(hash(NETWORK_DOMAIN, &authorities)) != *network {
        return Err(Error::WrongNetwork);
    }
    let set: AuthoritySet = wire::decode(&authorities, "authority set")?;
    let message = message(network, &document);
    let mut good = BTreeSet::new();
    for signature in &signatures {
        let keys = set.authorities.get(usize::from(signature.authority));
        if keys.is_some_and(|keys| holds(keys, signature, &message)) {
            good.insert(signature.authority);
        }
    }
    if set.threshold == 0 || good.len() < usize::from(set.threshold) {
        return Err(Error::Signatures { good: good.len(), threshold: set.threshold });
    }
    let hash = document_hash(&document);
    let document = NetworkDocument::parse(&document)?;
    if document.network != *network {
        return Err(Error::WrongNetwork);
    }
    Ok(VerifiedDocument { document, hash, bytes: signed.to_vec(), signers: good })
}

/// Whether both signatures are this authority's.
pub(super) fn holds(keys: &AuthorityKeys, signature: &DocumentSignature, message: &[u8]) -> bool {
    let classical = VerificationKey::try_from(keys.ed25519)
        .and_then(|key| key.verify(&Signature::from(signature.ed25519), message))
        .is_ok();
    let post_quantum =
        UnparsedPublicKey::new(&ML_DSA_65, &keys.ml_dsa).verify(message, &signature.ml_dsa).is_ok();
    classical && post_quantum
}
