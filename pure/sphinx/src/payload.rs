//! The layout inside a forward payload: flags, an optional SURB for the answer, user data.

use crate::geometry::FLAGS_LEN;
use crate::{Error, Geometry, Surb};

const NO_SURB: [u8; FLAGS_LEN] = [0, 0];
const WITH_SURB: [u8; FLAGS_LEN] = [1, 0];

/// A forward payload. Bytes: two flags (`01 00` if a SURB follows, else `00 00`), the SURB, user
/// data, zeros.
#[derive(Clone, PartialEq, Eq)]
pub struct ForwardPayload {
    /// The reply block for the answer.
    pub surb: Option<Surb>,
    /// User data. After decoding it includes the padding up to the end of the payload: the layer
    /// above must know its own length.
    pub data: Vec<u8>,
}

impl core::fmt::Debug for ForwardPayload {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ForwardPayload(..)")
    }
}

impl ForwardPayload {
    /// Encodes the payload as [`Geometry::forward_payload_len`] bytes.
    ///
    /// # Errors
    /// [`Error::PayloadTooLong`] if `data` is longer than [`Geometry::user_len`]; [`Error::Length`]
    /// if the SURB is of another geometry.
    pub fn encode(&self, geometry: &Geometry) -> Result<Vec<u8>, Error> {
        let room = geometry.user_len(self.surb.is_some()).ok_or(Error::PayloadTooLong)?;
        if self.data.len() > room {
            return Err(Error::PayloadTooLong);
        }
        let mut out = Vec::with_capacity(geometry.forward_payload_len());
        match &self.surb {
            Some(surb) if surb.as_bytes().len() != geometry.surb_len() => {
                return Err(Error::Length);
            }
            Some(surb) => {
                out.extend_from_slice(&WITH_SURB);
                out.extend_from_slice(surb.as_bytes());
            }
            None => out.extend_from_slice(&NO_SURB),
        }
        out.extend_from_slice(&self.data);
        out.resize(geometry.forward_payload_len(), 0);
        Ok(out)
    }

    /// Reads a payload that [`unwrap`](crate::unwrap) delivered.
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::ForwardPayload`], or [`Error::Version`] of the SURB.
    pub fn decode(geometry: &Geometry, bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() != geometry.forward_payload_len() {
            return Err(Error::Length);
        }
        let (flags, rest) = bytes.split_first_chunk::<FLAGS_LEN>().ok_or(Error::Length)?;
        match *flags {
            NO_SURB => Ok(Self { surb: None, data: rest.to_vec() }),
            WITH_SURB => {
                let (surb, data) =
                    rest.split_at_checked(geometry.surb_len()).ok_or(Error::ForwardPayload)?;
                Ok(Self { surb: Some(Surb::from_bytes(geometry, surb)?), data: data.to_vec() })
            }
            _ => Err(Error::ForwardPayload),
        }
    }
}
