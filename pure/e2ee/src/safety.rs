//! Safety words: two people compare them to make sure that nobody sits between them.

use argon2::{Algorithm, Argon2, Params, Version};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::words::WORDS;

/// Number of words. Each is one of 256, so fourteen give 112 bits.
pub(crate) const WORD_COUNT: usize = 14;
const SALT: &[u8] = b"hushwing safety words v1";
/// Argon2id: 19 MiB, two passes. An attacker in the middle chooses keys on both sides, so a
/// birthday search needs about 2^40 tries per side and not 2^80. The cost of each try in memory and
/// time makes even that hopeless.
const MEMORY_KIB: u32 = 19 * 1_024;

/// The safety words of a conversation of two. Both members derive the same ones (`DIRECT-006`).
///
/// `group` is the MLS group id, `keys` are the members' signature keys in any order.
///
/// # Errors
/// [`Error::Internal`], which cannot happen.
pub fn safety_words(group: &[u8], keys: &[Vec<u8>; 2]) -> Result<String, Error> {
    let [a, b] = keys;
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    let digest = Sha256::new()
        .chain_update(SALT)
        .chain_update(Sha256::digest(group))
        .chain_update(Sha256::digest(first))
        .chain_update(Sha256::digest(second))
        .finalize();
    let params = Params::new(MEMORY_KIB, 2, 1, Some(WORD_COUNT)).map_err(|_| Error::Internal)?;
    let mut out = [0; WORD_COUNT];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(&digest, SALT, &mut out)
        .map_err(|_| Error::Internal)?;
    let words =
        out.iter().map(|byte| WORDS.get(usize::from(*byte)).copied().ok_or(Error::Internal));
    Ok(words.collect::<Result<Vec<_>, _>>()?.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    //= DIRECT-006
    #[test]
    fn both_sides_derive_the_same_words_and_no_other_pair_does() {
        let keys = [vec![1; 32], vec![2; 32]];
        let swapped = [vec![2; 32], vec![1; 32]];
        let words = safety_words(b"group", &keys).unwrap();
        assert_eq!(words, safety_words(b"group", &swapped).unwrap());
        assert_eq!(words.split(' ').count(), WORD_COUNT);
        assert_ne!(words, safety_words(b"other", &keys).unwrap());
        assert_ne!(words, safety_words(b"group", &[vec![1; 32], vec![3; 32]]).unwrap());
    }

    #[test]
    fn every_byte_has_a_word_of_its_own() {
        let unique: std::collections::BTreeSet<_> = WORDS.iter().collect();
        assert_eq!(unique.len(), 256);
    }
}
