//! Padding: how a request fills the user data of a packet, and a response the payload of a reply.

use sphinx::Geometry;
use wire::Tally;
use wire::hub::{Request, Response};

use crate::Error;

/// Pads `body`: length u16 big-endian | body | zeros, `capacity` bytes in all.
///
/// # Errors
/// [`Error::TooLong`].
pub fn seal(body: &[u8], capacity: usize) -> Result<Vec<u8>, Error> {
    let too_long = || Error::TooLong { len: body.len(), max: capacity.saturating_sub(2) };
    let len = u16::try_from(body.len()).map_err(|_| too_long())?;
    if body.len().saturating_add(2) > capacity {
        return Err(too_long());
    }
    let mut out = Vec::with_capacity(capacity);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(body);
    out.resize(capacity, 0);
    Ok(out)
}

/// Removes the padding.
///
/// # Errors
/// [`Error::Envelope`] unless all padding is zero: padding must not carry a mark past the hops.
pub fn open(envelope: &[u8]) -> Result<&[u8], Error> {
    let (len, rest) = envelope.split_first_chunk::<2>().ok_or(Error::Envelope)?;
    let (body, zeros) =
        rest.split_at_checked(usize::from(u16::from_be_bytes(*len))).ok_or(Error::Envelope)?;
    if zeros.iter().all(|b| *b == 0) { Ok(body) } else { Err(Error::Envelope) }
}

/// Reads the request inside a delivered payload's user data.
///
/// # Errors
/// [`Error::Envelope`], [`Error::Wire`].
pub fn open_request(data: &[u8]) -> Result<Request, Error> {
    Ok(wire::decode(open(data)?, "box request")?)
}

/// The tally inside a response.
pub(crate) fn tally_of(response: &[u8]) -> Option<Tally> {
    wire::decode::<Response>(response, "box response").ok().and_then(|r| r.tally)
}

/// Encodes a response and pads it to a reply's payload.
///
/// # Errors
/// [`Error::TooLong`] when the response holds more boxes than fit into a reply.
pub fn seal_response(geometry: &Geometry, response: &Response) -> Result<Vec<u8>, Error> {
    seal(&wire::encode(response), geometry.reply_len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        //= MIX-002
        #[test]
        fn bodies_survive_and_all_envelopes_have_one_length(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let sealed = seal(&body, 202).unwrap();
            prop_assert_eq!(sealed.len(), 202);
            prop_assert_eq!(open(&sealed).unwrap(), body.as_slice());
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = open(&bytes);
            let _ = open_request(&bytes);
        }
    }

    #[test]
    fn what_does_not_fit_or_is_not_zero_is_refused() {
        assert_eq!(seal(&[0; 9], 10), Err(Error::TooLong { len: 9, max: 8 }));
        assert_eq!(open(&[0, 1, 7, 0, 1]), Err(Error::Envelope));
        assert_eq!(open(&[0, 9, 7]), Err(Error::Envelope));
    }
}
