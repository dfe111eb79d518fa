//! What the MLS library needs: primitives, randomness, storage.

use openmls_libcrux_crypto::CryptoProvider;
use openmls_traits::OpenMlsProvider;

use super::storage::{KeyValue, Storage};
use crate::Error;

/// The MLS library's primitives. One per process is enough.
///
/// It takes its randomness from the system, so a seeded generator given to this crate does not make
/// MLS messages reproducible.
pub struct Mls(CryptoProvider);

impl Mls {
    /// Sets the primitives up.
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
    /// [`Error::Storage`] if the store failed, otherwise `otherwise`. The MLS library wraps both in
    /// the same error types, and a full disk must not be blamed on a peer.
    pub(super) fn blame(&self, otherwise: Error) -> Error {
        if self.storage.has_failed() { Error::Storage } else { otherwise }
    }
}
