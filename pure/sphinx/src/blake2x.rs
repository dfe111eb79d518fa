//! BLAKE2Xb with a key and 32 bytes of output: the hash of the X25519 KEM.
//!
//! BLAKE2X (<https://www.blake2.net/blake2x.pdf>) needs tree parameters that no maintained crate
//! exposes. So this is the BLAKE2b compression of RFC 7693, written for short inputs.

use zeroize::Zeroizing;

const BLOCK: usize = 128;
const OUT_LEN: u32 = 32;

const IV: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

const SIGMA: [[usize; 16]; 12] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
];

const MIXES: [[usize; 4]; 8] = [
    [0, 4, 8, 12],
    [1, 5, 9, 13],
    [2, 6, 10, 14],
    [3, 7, 11, 15],
    [0, 5, 10, 15],
    [1, 6, 11, 12],
    [2, 7, 8, 13],
    [3, 4, 9, 14],
];

/// The compression function F. Indices are the constants above, all below 16.
#[allow(clippy::indexing_slicing)]
fn compress(h: &mut [u64; 8], block: &[u8; BLOCK], counter: u64, last: bool) {
    let mut m = Zeroizing::new([0_u64; 16]);
    for (word, bytes) in m.iter_mut().zip(block.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    let mut v = Zeroizing::new([0_u64; 16]);
    for (to, from) in v.iter_mut().zip(h.iter().chain(&IV)) {
        *to = *from;
    }
    v[12] ^= counter;
    if last {
        v[14] = !v[14];
    }
    for s in &SIGMA {
        for ([a, b, c, d], [x, y]) in MIXES.iter().copied().zip(s.as_chunks::<2>().0) {
            v[a] = v[a].wrapping_add(v[b]).wrapping_add(m[*x]);
            v[d] = (v[d] ^ v[a]).rotate_right(32);
            v[c] = v[c].wrapping_add(v[d]);
            v[b] = (v[b] ^ v[c]).rotate_right(24);
            v[a] = v[a].wrapping_add(v[b]).wrapping_add(m[*y]);
            v[d] = (v[d] ^ v[a]).rotate_right(16);
            v[c] = v[c].wrapping_add(v[d]);
            v[b] = (v[b] ^ v[c]).rotate_right(63);
        }
    }
    let (low, high) = v.split_at(8);
    for ((h, l), r) in h.iter_mut().zip(low).zip(high) {
        *h ^= l ^ r;
    }
}

/// BLAKE2b with the first 32 bytes of a parameter block; the rest of the block is zero. A key goes
/// in as the first block of `input`, zero-padded.
fn blake2b(parameters: [u64; 4], input: &[u8]) -> Zeroizing<[u8; 64]> {
    let mut h = Zeroizing::new(IV);
    for (h, p) in h.iter_mut().zip(parameters) {
        *h ^= p;
    }
    let mut counter = 0_u64;
    let mut blocks = input.chunks(BLOCK).peekable();
    let mut ended = false;
    while !ended {
        let chunk = blocks.next().unwrap_or_default();
        ended = blocks.peek().is_none();
        let mut block = Zeroizing::new([0_u8; BLOCK]);
        for (to, from) in block.iter_mut().zip(chunk) {
            *to = *from;
            counter = counter.wrapping_add(1);
        }
        compress(&mut h, &block, counter, ended);
    }
    let mut out = Zeroizing::new([0_u8; 64]);
    for (to, from) in out.as_chunks_mut::<8>().0.iter_mut().zip(h.iter()) {
        *to = from.to_le_bytes();
    }
    out
}

/// The first eight bytes of a parameter block: lengths, fan-out, depth, leaf length.
fn first_word(digest_len: u8, key_len: u8, fan_out: u8, depth: u8, leaf_len: u32) -> u64 {
    let [a, b, c, d] = leaf_len.to_le_bytes();
    u64::from_le_bytes([digest_len, key_len, fan_out, depth, a, b, c, d])
}

/// The next eight bytes: node offset, and the output length that BLAKE2X puts in the upper half.
fn second_word(offset: u32) -> u64 {
    u64::from(offset) | (u64::from(OUT_LEN) << 32)
}

/// BLAKE2Xb-256 of `parts`, one after another, under a 32-byte key.
pub(crate) fn keyed_hash(key: &[u8; 32], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut input = Zeroizing::new(Vec::with_capacity(2 * BLOCK));
    input.extend_from_slice(key);
    input.resize(BLOCK, 0);
    for part in parts {
        input.extend_from_slice(part);
    }
    let root = blake2b([first_word(64, 32, 1, 1, 0), second_word(0), 0, 0], &input);
    // One output node: digest 32, leaf length 64, node depth 0, inner length 64.
    let node = blake2b([first_word(32, 0, 0, 0, 64), second_word(0), 64 << 8, 0], root.as_slice());
    let mut out = Zeroizing::new([0_u8; 32]);
    for (to, from) in out.iter_mut().zip(node.iter()) {
        *to = *from;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use blake2::digest::{KeyInit, Mac};
    use blake2::{Blake2b512, Blake2bMac512, Digest};
    use proptest::prelude::*;

    proptest! {
        //= SPHINX-009
        #[test]
        fn agrees_with_the_blake2_crate(input in proptest::collection::vec(any::<u8>(), 0..600), key: [u8; 32]) {
            let plain = blake2b([first_word(64, 0, 1, 1, 0), 0, 0, 0], &input);
            prop_assert_eq!(&plain[..], &Blake2b512::digest(&input)[..]);

            let mut keyed = [&key[..], &[0; 96]].concat();
            keyed.extend_from_slice(&input);
            let ours = blake2b([first_word(64, 32, 1, 1, 0), 0, 0, 0], &keyed);
            let mut theirs = Blake2bMac512::new_from_slice(&key).unwrap();
            theirs.update(&input);
            prop_assert_eq!(&ours[..], &theirs.finalize().into_bytes()[..]);
        }
    }

    //= SPHINX-009
    #[test]
    fn rfc_7693_appendix_a() {
        let out = blake2b([first_word(64, 0, 1, 1, 0), 0, 0, 0], b"abc");
        assert_eq!(out[..8], [0xba, 0x80, 0xa5, 0x3f, 0x98, 0x1c, 0x4d, 0x0d]);
    }
}
