//! What the MLS library asks for: primitives, randomness, storage.

use openmls_libcrux_crypto::CryptoProvider;
use openmls_traits::OpenMlsProvider;

use super::storage::{KeyValue, Storage};
use crate::Error;

/// The MLS library's primitives. One per process is enough.
///
/// It draws the randomness of MLS itself, from the system: a seed given to this crate does not fix
/// MLS bytes.
pub struct Mls(CryptoProvider);

impl Mls {
    /// Ready for use.
    ///
    /// # Errors
    /// [`Error::Internal`] when the system gives no randomness.
    pub fn new() -> Result<Self, Error> {
        CryptoProvider::new().map(Mls).map_err(|_| Error::Internal)
    }

    pub(super) const fn crypto(&self) -> &CryptoProvider {
        &self.0
    }

    pub(super) fn with<'a>(&'a self, kept: &'a dyn KeyValue) -> Provider<'a> {
        Provider { crypto: &self.0, storage: Storage::new(kept) }
    }
}

impl std::fmt::Debug for Mls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mls")
    }
}

pub(super) struct Provider<'a> {
    crypto: &'a CryptoProvider,
    storage: Storage<'a>,
}

impl<'a> OpenMlsProvider for Provider<'a> {
    type CryptoProvider = CryptoProvider;
    type RandProvider = CryptoProvider;
    type StorageProvider = Storage<'a>;

    fn storage(&self) -> &Self::StorageProvider {
        &self.storage
    }

    fn crypto(&self) -> &Self::CryptoProvider {
        self.crypto
    }

    fn rand(&self) -> &Self::RandProvider {
        self.crypto
    }
}

impl Provider<'_> {
    /// The store's failure if it failed, else `otherwise`.
    pub(super) fn blame(&self, otherwise: Error) -> Error {
        if self.storage.has_failed() { Error::Storage } else { otherwise }
    }
}
