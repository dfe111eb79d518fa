//! Bundles: boxes in a file, to carry on a USB stick or to show as pictures between two screens.
//!
//! ```text
//! "hushwing bundle\x01" | for each box: length u32 | CBOR of wire::mesh::Carried
//! ```
//!
//! A bundle shows no more than a hub sees: addresses, ciphertexts, signatures.

use hub::{from_wire, to_wire};
use streams::VerifiedBox;
use wire::mesh::Carried;

use crate::Error;

/// The first bytes of every bundle.
pub const MAGIC: &[u8; 16] = b"hushwing bundle\x01";
/// Longest entry, bytes: a bulk box with its CBOR.
const MAX_ENTRY: usize = 33 * 1024;

/// Encodes one entry. Entries follow [`MAGIC`].
#[must_use]
pub fn entry(content: VerifiedBox, hops: u8) -> Vec<u8> {
    let body = wire::encode(&Carried { hops, content: to_wire(content) });
    let mut out = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    out.extend_from_slice(&body);
    out
}

/// Reads a bundle from pieces of any length.
#[derive(Debug, Default)]
pub struct Reader {
    waiting: Vec<u8>,
    begun: bool,
}

impl Reader {
    /// Adds the next bytes of the file.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// The next box, or `None` when more bytes are needed. A box with a bad signature ends the
    /// bundle (`MESH-011`).
    ///
    /// # Errors
    /// [`Error::NoBundle`].
    pub fn next_box(&mut self) -> Result<Option<VerifiedBox>, Error> {
        if !self.begun {
            let Some((magic, rest)) = self.waiting.split_first_chunk::<16>() else {
                return Ok(None);
            };
            if magic != MAGIC {
                return Err(Error::NoBundle("it begins otherwise"));
            }
            self.waiting = rest.to_vec();
            self.begun = true;
        }
        let Some((len, rest)) = self.waiting.split_first_chunk::<4>() else { return Ok(None) };
        let len = usize::try_from(u32::from_be_bytes(*len)).unwrap_or(usize::MAX);
        if len > MAX_ENTRY {
            return Err(Error::NoBundle("an entry that is too long"));
        }
        let Some(body) = rest.get(..len) else { return Ok(None) };
        let carried: Carried =
            wire::decode(body, "bundle").map_err(|_| Error::NoBundle("an entry that is no box"))?;
        let found = from_wire(carried.content)
            .verify()
            .map_err(|_| Error::NoBundle("a box whose signature is bad"))?;
        self.waiting.drain(..len.saturating_add(4));
        Ok(Some(found))
    }

    /// Ends reading.
    ///
    /// # Errors
    /// [`Error::NoBundle`] when the file was cut short.
    pub fn finish(self) -> Result<(), Error> {
        if self.begun && self.waiting.is_empty() {
            Ok(())
        } else {
            Err(Error::NoBundle("it ends in the middle"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::carry::conformance::sample;

    fn file() -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        (0..3).for_each(|n| file.extend(entry(sample(n), 4)));
        file
    }

    fn read(file: &[u8], piece: usize) -> Result<Vec<VerifiedBox>, Error> {
        let (mut reader, mut found) = (Reader::default(), Vec::new());
        for piece in file.chunks(piece) {
            reader.feed(piece);
            while let Some(next) = reader.next_box()? {
                found.push(next);
            }
        }
        reader.finish().map(|()| found)
    }

    //= MESH-011
    #[test]
    fn a_bundle_comes_back_whole_and_a_damaged_one_is_told() {
        let file = file();
        let all: Vec<VerifiedBox> = (0..3).map(sample).collect();
        for piece in [1, 7, 5_000, 100_000] {
            assert_eq!(read(&file, piece).unwrap(), all);
        }
        assert_eq!(
            read(&file[..file.len() - 1], 100),
            Err(Error::NoBundle("it ends in the middle"))
        );
        assert_eq!(
            read(b"something else altogether", 100),
            Err(Error::NoBundle("it begins otherwise"))
        );
        let mut flipped = file.clone();
        let last = flipped.len() - 1;
        flipped[last] ^= 1;
        assert_eq!(read(&flipped, 100), Err(Error::NoBundle("a box whose signature is bad")));
        assert!(read(b"", 1).is_err());
    }

    proptest! {
        #[test]
        fn no_file_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut file = MAGIC.to_vec();
            file.extend(bytes);
            let _ = read(&file, 50);
        }
    }
}
