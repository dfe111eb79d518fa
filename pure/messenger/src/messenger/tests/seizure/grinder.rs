//! Opens MLS messages with bare secrets, whatever they were meant for: RFC 9420, sections 6.3 and
//! 9, without a library that refuses what is against its rules.
//!
//! The MLS library will not open a message twice, nor its own. A thief is not bound by that, so
//! each secret is tried as everything that it could be:
//!
//! ```text
//! secret ─┬─ epoch secret ─► encryption secret ─┐
//!         ├─ node of the secret tree ◄──────────┘ ─► its nodes below ─► their application ratchets ─┐
//!         ├─ application ratchet, of any generation ◄───────────────────────────────────────────────┘
//!         │        └─► key and nonce of every later generation ─► message
//!         └─ key of a message, with each nonce that was found ─► message
//! ```

use std::collections::BTreeSet;

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};

pub(super) type Secret = [u8; 32];
type Nonce = [u8; 12];

/// How far below a node of the secret tree its leaves may be: groups of up to eight.
const DEPTH: u32 = 3;
/// Messages of one sender in one epoch, at most.
const GENERATIONS: usize = 32;

/// ExpandWithLabel of RFC 9420, section 8.
fn expand<const N: usize>(secret: &Secret, label: &str, context: &[u8]) -> [u8; N] {
    let label = [b"MLS 1.0 ", label.as_bytes()].concat();
    let mut info = u16::try_from(N).unwrap().to_be_bytes().to_vec();
    for part in [&label, context] {
        info.push(u8::try_from(part.len()).ok().filter(|n| *n < 64).unwrap());
        info.extend_from_slice(part);
    }
    let mut out = [0; N];
    Hkdf::<Sha256>::from_prk(secret).unwrap().expand(&info, &mut out).unwrap();
    out
}

/// What an exporter secret exports under this label.
pub(super) fn exported(secret: &Secret, label: &str) -> Secret {
    expand(&expand(secret, label, b""), "exported", &Sha256::digest(b""))
}

/// Without the check of the tag: what it says is judged by the reader.
fn decrypt(key: &Secret, nonce: &Nonce, sealed: &[u8]) -> Vec<u8> {
    let mut plain = sealed.to_vec();
    let mut cipher = ChaCha20::new(&(*key).into(), &(*nonce).into());
    // The first block makes the tag's key (RFC 8439, section 2.8).
    cipher.seek(64_u32);
    cipher.apply_keystream(&mut plain);
    plain
}

/// An encrypted MLS message.
pub(super) struct Message {
    sender_data: Vec<u8>,
    ciphertext: Vec<u8>,
}

impl Message {
    /// From the bytes of an `MLSMessage` that holds a `PrivateMessage`.
    pub(super) fn parse(bytes: &[u8]) -> Option<Message> {
        // Version 1.0, private message; group id, epoch, content type, authenticated data.
        let rest = bytes.strip_prefix(&[0, 1, 0, 2])?;
        let (_, rest) = vector(rest)?;
        let (kind, rest) = rest.get(8..)?.split_first()?;
        let (_, rest) = vector(rest)?;
        let (sender_data, rest) = vector(rest)?;
        let (ciphertext, _) = vector(rest)?;
        // Application data alone.
        let (sender_data, ciphertext) = (sender_data.to_vec(), ciphertext.to_vec());
        (*kind == 1).then_some(Message { sender_data, ciphertext })
    }

    /// The generation and the guard of the nonce, if this is the epoch's secret of sender data.
    fn sender(&self, secret: &Secret) -> Option<(usize, [u8; 4])> {
        let sample = self.ciphertext.get(..32)?;
        let (key, nonce) = (expand(secret, "key", sample), expand(secret, "nonce", sample));
        let plain = decrypt(&key, &nonce, self.sender_data.get(..12)?);
        let number = |at: usize| u32::from_be_bytes(plain[at..at + 4].try_into().unwrap());
        let generation = usize::try_from(number(4)).unwrap();
        let guard = plain[8..12].try_into().unwrap();
        (number(0) < 1 << DEPTH && generation < GENERATIONS).then_some((generation, guard))
    }
}

/// A vector of RFC 9420, section 2.1.2, and what follows it.
fn vector(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = *bytes.first()?;
    let width = 1_usize << (first >> 6);
    let mut len = usize::from(first & 0x3f);
    for byte in bytes.get(1..width)? {
        len = len << 8 | usize::from(*byte);
    }
    bytes.get(width..)?.split_at_checked(len)
}

/// Key and nonce of messages, by generation.
pub(super) struct Keys {
    ratchets: Vec<Vec<(Secret, Nonce)>>,
    /// Every key with every nonce that was kept for a message that is late.
    late: Vec<(Secret, Nonce)>,
}

impl Keys {
    /// All that can be made of these strings of bytes.
    pub(super) fn from(strings: &BTreeSet<Vec<u8>>) -> Keys {
        let secrets: Vec<Secret> = strings.iter().filter_map(|s| s[..].try_into().ok()).collect();
        let nonces: Vec<Nonce> = strings.iter().filter_map(|s| s[..].try_into().ok()).collect();
        let mut keys = Keys { ratchets: vec![Vec::new(); GENERATIONS], late: Vec::new() };
        for secret in &secrets {
            for generation in 0..GENERATIONS {
                keys.turn(*secret, generation);
            }
            for root in [*secret, expand(secret, "encryption", b"")] {
                for node in below(root, DEPTH) {
                    keys.turn(expand(&node, "application", b""), 0);
                }
            }
            keys.late.extend(nonces.iter().map(|nonce| (*secret, *nonce)));
        }
        keys
    }

    /// A ratchet that stands at this generation, to its end.
    fn turn(&mut self, mut secret: Secret, from: usize) {
        for (generation, keys) in self.ratchets.iter_mut().enumerate().skip(from) {
            let context = u32::try_from(generation).unwrap().to_be_bytes();
            keys.push((expand(&secret, "key", &context), expand(&secret, "nonce", &context)));
            secret = expand(&secret, "secret", &context);
        }
    }

    /// What a message may say, by each key that could be its own. Who sent it, and which of theirs
    /// it is, comes from the secrets of sender data, which the thief is given.
    pub(super) fn open(&self, message: &Message, sender_data: &BTreeSet<Secret>) -> Vec<Vec<u8>> {
        let senders: Vec<_> = sender_data.iter().filter_map(|s| message.sender(s)).collect();
        assert!(!senders.is_empty(), "a message that nobody wrote, or one beyond the bounds");
        let tries = senders.into_iter().flat_map(|(generation, guard)| {
            let keys = self.ratchets[generation].iter().chain(&self.late);
            keys.map(move |(key, nonce)| {
                let mut nonce = *nonce;
                nonce.iter_mut().zip(guard).for_each(|(n, g)| *n ^= g);
                decrypt(key, &nonce, &message.ciphertext)
            })
        });
        tries.collect()
    }
}

/// A node of a secret tree, and all nodes below it.
fn below(node: Secret, depth: u32) -> Vec<Secret> {
    let mut all = vec![node];
    if depth > 0 {
        for side in [&b"left"[..], b"right"] {
            all.extend(below(expand(&node, "tree", side), depth - 1));
        }
    }
    all
}
