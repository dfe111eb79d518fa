//! Dummy boxes, for cover: made like any other, by a writer who forgets the key at once.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{BoxClass, Error, SealedBox, WriteCapability};

/// Makes a box in a stream that is drawn for it and forgotten, so nobody can open it or ask for its
/// id.
///
/// # Errors
/// [`Error::Tombstone`] for the class without content.
pub fn dummy<R: CryptoRng + ?Sized>(class: BoxClass, rng: &mut R) -> Result<SealedBox, Error> {
    let mut content = Zeroizing::new(vec![0; class.plaintext_len()]);
    if content.is_empty() {
        return Err(Error::Tombstone);
    }
    rng.fill_bytes(&mut content);
    Ok(WriteCapability::generate(rng).seal(&[], &content)?.into_sealed())
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    //= SHAPE-004
    #[test]
    fn a_dummy_is_a_valid_box_of_its_class_and_no_two_are_alike() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for class in BoxClass::LADDER {
            let (one, other) = (dummy(class, &mut rng).unwrap(), dummy(class, &mut rng).unwrap());
            assert_eq!(BoxClass::of(one.ciphertext.len()), Some(class));
            assert_ne!(one.id, other.id);
            one.verify().unwrap();
            other.verify().unwrap();
        }
        assert_eq!(dummy(BoxClass::Tombstone, &mut rng), Err(Error::Tombstone));
    }
}
