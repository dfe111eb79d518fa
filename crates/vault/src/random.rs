//! Random bytes for keys, salts and nonces.

use rand::TryRng;
use rand::rngs::SysRng;

use crate::Error;

/// Fills with random bytes straight from the system. A generator in this process would stand
/// between, whose state tells what it gave to anyone who reads it.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    SysRng.try_fill_bytes(bytes).map_err(|_| Error::Bug("the system gives no random bytes"))
}
