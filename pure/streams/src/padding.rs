//! Box classes and the padding that makes all contents of a class look alike.

use zeroize::Zeroizing;

use crate::Error;

/// Ciphertext of a standard box, bytes.
pub const STANDARD_CIPHERTEXT_LEN: usize = 2_048;
/// Ciphertext of a bulk box, bytes.
pub const BULK_CIPHERTEXT_LEN: usize = 32_768;
/// Longest content of a standard box, bytes: the ciphertext less the tag and the length prefix.
pub const STANDARD_CONTENT_LEN: usize = STANDARD_CIPHERTEXT_LEN - TAG_LEN - PREFIX_LEN;

const TAG_LEN: usize = 16;
const PREFIX_LEN: usize = 2;

/// The sizes that a box may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BoxClass {
    /// 0 bytes: signed, empty for ever.
    Tombstone,
    /// 2,048 bytes of ciphertext.
    Standard,
    /// 32,768 bytes of ciphertext.
    Bulk,
}

impl BoxClass {
    /// The class of a ciphertext of `len` bytes, if there is one.
    #[must_use]
    pub const fn of(len: usize) -> Option<Self> {
        match len {
            0 => Some(BoxClass::Tombstone),
            STANDARD_CIPHERTEXT_LEN => Some(BoxClass::Standard),
            BULK_CIPHERTEXT_LEN => Some(BoxClass::Bulk),
            _ => None,
        }
    }

    /// Ciphertext length, bytes.
    #[must_use]
    pub const fn ciphertext_len(self) -> usize {
        match self {
            BoxClass::Tombstone => 0,
            BoxClass::Standard => STANDARD_CIPHERTEXT_LEN,
            BoxClass::Bulk => BULK_CIPHERTEXT_LEN,
        }
    }

    const fn plaintext_len(self) -> usize {
        self.ciphertext_len().saturating_sub(TAG_LEN)
    }
}

/// Pads content to the plaintext length of its class: length u16 big-endian | content | zeros.
///
/// # Errors
/// [`Error::TooLong`]; [`Error::Tombstone`] for the class that has no content.
pub fn pad(content: &[u8], class: BoxClass) -> Result<Zeroizing<Vec<u8>>, Error> {
    if class == BoxClass::Tombstone {
        return Err(Error::Tombstone);
    }
    let max = class.plaintext_len().saturating_sub(PREFIX_LEN);
    let too_long = Error::TooLong { len: content.len(), max };
    if content.len() > max {
        return Err(too_long);
    }
    let len = u16::try_from(content.len()).map_err(|_| too_long)?;
    let mut out = Zeroizing::new(Vec::with_capacity(class.plaintext_len()));
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(content);
    out.resize(class.plaintext_len(), 0);
    Ok(out)
}

/// The content of a padded plaintext.
///
/// # Errors
/// [`Error::BadPadding`] unless the rest is zeros.
pub fn unpad(plaintext: &[u8]) -> Result<&[u8], Error> {
    let (len, rest) = plaintext.split_first_chunk::<PREFIX_LEN>().ok_or(Error::BadPadding)?;
    let len = usize::from(u16::from_be_bytes(*len));
    let (content, zeros) = rest.split_at_checked(len).ok_or(Error::BadPadding)?;
    if zeros.iter().all(|b| *b == 0) { Ok(content) } else { Err(Error::BadPadding) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        //= BOX-007
        #[test]
        fn all_contents_of_a_class_have_one_length(content in proptest::collection::vec(any::<u8>(), 0..=STANDARD_CONTENT_LEN)) {
            let padded = pad(&content, BoxClass::Standard).unwrap();
            prop_assert_eq!(padded.len(), 2032);
            prop_assert_eq!(unpad(&padded).unwrap(), content.as_slice());
        }

        #[test]
        fn unpad_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = unpad(&bytes);
        }
    }

    #[test]
    fn what_does_not_fit_or_is_not_zero_is_refused() {
        assert!(matches!(pad(&[0; STANDARD_CONTENT_LEN + 1], BoxClass::Standard), Err(Error::TooLong { .. })));
        for content in [&[][..], &[1]] {
            assert_eq!(pad(content, BoxClass::Tombstone).unwrap_err(), Error::Tombstone);
        }
        let bulk = pad(&[5; 32_750], BoxClass::Bulk).unwrap();
        assert_eq!((bulk.len(), unpad(&bulk).unwrap().len()), (32_752, 32_750));
        assert!(pad(&[5; 32_751], BoxClass::Bulk).is_err());
        assert_eq!(unpad(&[0, 1, 9, 0, 1]), Err(Error::BadPadding));
        assert_eq!(unpad(&[0, 9, 9]), Err(Error::BadPadding));
        assert_eq!(BoxClass::of(2047), None);
        for class in [BoxClass::Tombstone, BoxClass::Standard, BoxClass::Bulk] {
            assert_eq!(BoxClass::of(class.ciphertext_len()), Some(class));
        }
    }
}
