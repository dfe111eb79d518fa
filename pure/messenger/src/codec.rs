//! How state is kept.

use e2ee::kept;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::Error;

/// Bytes that are wiped when dropped.
pub(crate) type Bytes = Zeroizing<Vec<u8>>;

pub(crate) fn pack<T: Serialize>(value: &T) -> Result<Bytes, Error> {
    kept::pack(value).ok_or(Error::Damaged)
}

pub(crate) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    kept::unpack(bytes).ok_or(Error::Damaged)
}
