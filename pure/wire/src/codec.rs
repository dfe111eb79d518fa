//! Strict CBOR (RFC 8949) with `minicbor`: one value and nothing after it.

use minicbor::{Decode, Encode};

use crate::Error;

/// Encodes a value as CBOR. Writing to memory cannot fail.
#[must_use]
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    // A Vec's error type is uninhabited. An error of a custom encoder would be a bug; it leaves a
    // truncated value, which no decoder accepts.
    let _ = minicbor::encode(value, &mut out);
    out
}

/// Decodes exactly one value. `what` names it in errors.
///
/// # Errors
/// [`Error::Malformed`] or [`Error::Trailing`] (`WIRE-002`).
pub fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8], what: &'static str) -> Result<T, Error> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let value = decoder.decode().map_err(|_| Error::Malformed(what))?;
    if decoder.position() == bytes.len() { Ok(value) } else { Err(Error::Trailing(what)) }
}

/// Decodes an array of at most `MAX` items, for use as `decode_with`. Refuses a longer array before
/// reading its items.
pub(crate) fn bounded<'b, C, T: Decode<'b, C>, const MAX: usize>(
    d: &mut minicbor::Decoder<'b>,
    ctx: &mut C,
) -> Result<Vec<T>, minicbor::decode::Error> {
    let announced = d.array()?;
    let too_many = || minicbor::decode::Error::message("too many entries");
    let Some(n) = announced else {
        return Err(minicbor::decode::Error::message("indefinite length"));
    };
    let n = usize::try_from(n).map_err(|_| too_many())?;
    if n > MAX {
        return Err(too_many());
    }
    // The announced count is not trusted with an allocation: a few bytes could claim many items.
    let mut items = Vec::with_capacity(n.min(64));
    for _ in 0..n {
        items.push(T::decode(d, ctx)?);
    }
    Ok(items)
}

/// Decodes a byte string of at most `MAX` bytes, for use as `decode_with`.
pub(crate) fn bounded_bytes<'b, C, const MAX: usize>(
    d: &mut minicbor::Decoder<'b>,
    _: &mut C,
) -> Result<Vec<u8>, minicbor::decode::Error> {
    let bytes = d.bytes()?;
    if bytes.len() > MAX {
        return Err(minicbor::decode::Error::message("byte string too long"));
    }
    Ok(bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    //= WIRE-002
    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = encode(&7u32);
        assert_eq!(decode::<u32>(&bytes, "number"), Ok(7));
        bytes.push(0);
        assert_eq!(decode::<u32>(&bytes, "number"), Err(Error::Trailing("number")));
        assert_eq!(decode::<u32>(&[], "number"), Err(Error::Malformed("number")));
    }
}
