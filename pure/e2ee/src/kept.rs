//! How state is kept: MessagePack, by field names, so that fields can be added.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// A buffer that wipes the memory that it leaves when it grows.
struct Wiping(Zeroizing<Vec<u8>>);

impl io::Write for Wiping {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let needed = self.0.len().saturating_add(bytes.len());
        if needed > self.0.capacity() {
            let room = needed.max(self.0.capacity().saturating_mul(2)).max(256);
            let mut larger = Zeroizing::new(Vec::with_capacity(room));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a value as it is kept; none if it cannot be written.
pub fn pack<T: Serialize + ?Sized>(value: &T) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = Wiping(Zeroizing::default());
    let mut serializer = rmp_serde::Serializer::new(&mut out)
        .with_struct_map()
        .with_bytes(rmp_serde::config::BytesMode::ForceAll);
    value.serialize(&mut serializer).ok()?;
    Some(out.0)
}

/// Reads what [`pack`] wrote; none if it is damaged.
#[must_use]
pub fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    rmp_serde::from_slice(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_is_written_in_pieces_is_whole() {
        let mut out = Wiping(Zeroizing::default());
        let pieces: Vec<Vec<u8>> = (0..50_u8).map(|n| vec![n; usize::from(n) * 11]).collect();
        for piece in &pieces {
            out.write_all(piece).unwrap();
        }
        assert_eq!(*out.0, pieces.concat());
    }

    #[test]
    fn a_value_comes_back_and_damage_is_noticed() {
        let kept = pack(&("a text", 7_u64)).unwrap();
        assert_eq!(unpack::<(String, u64)>(&kept).unwrap(), ("a text".to_owned(), 7));
        assert_eq!(unpack::<(String, u64)>(&kept[..3]), None);
    }
}
