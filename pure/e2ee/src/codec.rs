//! Strict CBOR: one value, in the only encoding that this program writes.

use minicbor::{Decode, Decoder, Encode};

/// Reads one value and requires that it encodes to exactly `bytes`. So every value has one form: no
/// trailing bytes, no unknown fields, no indefinite or overlong lengths, and nowhere to hide a
/// mark.
pub(crate) fn decode<T>(bytes: &[u8]) -> Option<T>
where
    T: for<'b> Decode<'b, ()> + Encode<()>,
{
    let value: T = wire::decode(bytes, "room value").ok()?;
    let again = zeroize::Zeroizing::new(wire::encode(&value));
    (again.as_slice() == bytes).then_some(value)
}

/// The version of an array whose first item is its version, or `None` if there is no such item.
pub(crate) fn version(bytes: &[u8]) -> Option<u8> {
    let mut d = Decoder::new(bytes);
    d.array().ok()?;
    d.u8().ok()
}
