//! Box classes, and the padding that makes all contents of a class look alike.

use zeroize::Zeroizing;

use crate::Error;

/// Ciphertext of a small box, bytes.
pub(crate) const SMALL_CIPHERTEXT_LEN: usize = 512;
/// Ciphertext of a medium box, bytes.
pub(crate) const MEDIUM_CIPHERTEXT_LEN: usize = 1_024;
/// Ciphertext of a standard box, bytes.
pub const STANDARD_CIPHERTEXT_LEN: usize = 2_048;
/// Ciphertext of a large box, bytes.
pub const LARGE_CIPHERTEXT_LEN: usize = 4_096;
/// Ciphertext of a bulk box, bytes.
pub(crate) const BULK_CIPHERTEXT_LEN: usize = 32_768;
/// Longest content of a standard box, bytes: the ciphertext without tag and length prefix.
pub const STANDARD_CONTENT_LEN: usize = STANDARD_CIPHERTEXT_LEN - TAG_LEN - PREFIX_LEN;
/// Longest content of a large box, bytes.
pub(crate) const LARGE_CONTENT_LEN: usize = LARGE_CIPHERTEXT_LEN - TAG_LEN - PREFIX_LEN;

const TAG_LEN: usize = 16;
const PREFIX_LEN: usize = 2;

/// The sizes that a box may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BoxClass {
    /// No ciphertext: a signed empty box.
    Tombstone,
    /// 512 bytes of ciphertext.
    Small,
    /// 1,024 bytes of ciphertext.
    Medium,
    /// 2,048 bytes of ciphertext.
    Standard,
    /// 4,096 bytes of ciphertext. Too long for a packet of the onion route.
    Large,
    /// 32,768 bytes of ciphertext.
    Bulk,
}

impl BoxClass {
    /// The classes of messages, smallest first.
    pub const LADDER: [BoxClass; 4] =
        [BoxClass::Small, BoxClass::Medium, BoxClass::Standard, BoxClass::Large];

    /// The class of a ciphertext of `len` bytes, if there is one.
    #[must_use]
    pub const fn of(len: usize) -> Option<Self> {
        match len {
            0 => Some(BoxClass::Tombstone),
            SMALL_CIPHERTEXT_LEN => Some(BoxClass::Small),
            MEDIUM_CIPHERTEXT_LEN => Some(BoxClass::Medium),
            STANDARD_CIPHERTEXT_LEN => Some(BoxClass::Standard),
            LARGE_CIPHERTEXT_LEN => Some(BoxClass::Large),
            BULK_CIPHERTEXT_LEN => Some(BoxClass::Bulk),
            _ => None,
        }
    }

    /// Ciphertext length, bytes.
    #[must_use]
    pub const fn ciphertext_len(self) -> usize {
        match self {
            BoxClass::Tombstone => 0,
            BoxClass::Small => SMALL_CIPHERTEXT_LEN,
            BoxClass::Medium => MEDIUM_CIPHERTEXT_LEN,
            BoxClass::Standard => STANDARD_CIPHERTEXT_LEN,
            BoxClass::Large => LARGE_CIPHERTEXT_LEN,
            BoxClass::Bulk => BULK_CIPHERTEXT_LEN,
        }
    }

    /// Longest content, bytes: the ciphertext without tag and length prefix.
    #[must_use]
    pub(crate) const fn content_len(self) -> usize {
        self.plaintext_len().saturating_sub(PREFIX_LEN)
    }

    pub(crate) const fn plaintext_len(self) -> usize {
        self.ciphertext_len().saturating_sub(TAG_LEN)
    }
}

/// Which classes a writer uses for messages. Readers accept all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Sizes {
    /// Standard boxes only. A box shows nothing about the length of its content.
    #[default]
    Uniform,
    /// The smallest of 512, 1,024, 2,048 and 4,096 bytes that fits. This saves bytes but shows the
    /// rough length of a message.
    Ladder,
}

impl Sizes {
    /// The class for `len` bytes of content: the smallest that fits, or else the largest.
    #[must_use]
    pub fn class_for(self, len: usize) -> BoxClass {
        match self {
            Sizes::Uniform => BoxClass::Standard,
            Sizes::Ladder => BoxClass::LADDER
                .into_iter()
                .find(|c| len <= c.content_len())
                .unwrap_or(BoxClass::Large),
        }
    }

    /// Longest content of one box, bytes.
    #[must_use]
    pub const fn content_len(self) -> usize {
        match self {
            Sizes::Uniform => STANDARD_CONTENT_LEN,
            Sizes::Ladder => LARGE_CONTENT_LEN,
        }
    }

    /// Pads content to its class.
    ///
    /// # Errors
    /// [`Error::TooLong`] above [`Sizes::content_len`].
    pub fn pad(self, content: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        pad(content, self.class_for(content.len()))
    }
}

/// Pads content to the plaintext length of its class: length u16 big-endian | content | zeros.
///
/// # Errors
/// [`Error::TooLong`], or [`Error::Tombstone`] for the class without content.
pub fn pad(content: &[u8], class: BoxClass) -> Result<Zeroizing<Vec<u8>>, Error> {
    if class == BoxClass::Tombstone {
        return Err(Error::Tombstone);
    }
    let max = class.content_len();
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

/// Removes the padding.
///
/// # Errors
/// [`Error::BadPadding`] unless all padding is zero, so that a content has exactly one padded form.
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

        //= BOX-011
        #[test]
        fn every_length_has_one_class_of_the_ladder(content in proptest::collection::vec(any::<u8>(), 0..=LARGE_CONTENT_LEN)) {
            let class = Sizes::Ladder.class_for(content.len());
            let padded = Sizes::Ladder.pad(&content).unwrap();
            prop_assert_eq!(padded.len(), class.ciphertext_len() - 16);
            prop_assert_eq!(unpad(&padded).unwrap(), content.as_slice());
            let smaller = BoxClass::LADDER.into_iter().filter(|c| c.ciphertext_len() < class.ciphertext_len());
            prop_assert!(smaller.into_iter().all(|c| pad(&content, c).is_err()), "the smallest that takes it");
        }

        #[test]
        fn unpad_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = unpad(&bytes);
        }
    }

    #[test]
    fn what_does_not_fit_or_is_not_zero_is_refused() {
        assert!(matches!(
            pad(&[0; STANDARD_CONTENT_LEN + 1], BoxClass::Standard),
            Err(Error::TooLong { .. })
        ));
        for content in [&[][..], &[1]] {
            assert_eq!(pad(content, BoxClass::Tombstone).unwrap_err(), Error::Tombstone);
        }
        let bulk = pad(&[5; 32_750], BoxClass::Bulk).unwrap();
        assert_eq!((bulk.len(), unpad(&bulk).unwrap().len()), (32_752, 32_750));
        assert!(pad(&[5; 32_751], BoxClass::Bulk).is_err());
        assert_eq!(unpad(&[0, 1, 9, 0, 1]), Err(Error::BadPadding));
        assert_eq!(unpad(&[0, 9, 9]), Err(Error::BadPadding));
        assert_eq!(BoxClass::of(2047), None);
        for class in BoxClass::LADDER.into_iter().chain([BoxClass::Tombstone, BoxClass::Bulk]) {
            assert_eq!(BoxClass::of(class.ciphertext_len()), Some(class));
        }
    }

    //= BOX-011
    #[test]
    fn a_ladder_has_four_rungs_and_uniform_has_one() {
        let sizes = |sizes: Sizes, max: usize| {
            let lens = (0..=max).map(|len| sizes.class_for(len).ciphertext_len());
            lens.collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        };
        assert_eq!(sizes(Sizes::Ladder, 4_000), [512, 1_024, 2_048, 4_096]);
        assert_eq!(sizes(Sizes::Uniform, STANDARD_CONTENT_LEN), [2_048]);
        assert!(Sizes::Ladder.pad(&[0; LARGE_CONTENT_LEN + 1]).is_err());
        assert!(Sizes::Uniform.pad(&[0; STANDARD_CONTENT_LEN + 1]).is_err());
    }
}
