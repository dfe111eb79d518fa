//! The document that a client or node uses. It is only ever replaced by a newer one.

use std::sync::Arc;

use wire::Timestamp;

use super::VerifiedDocument;
use crate::Error;

/// How far a reader's clock may be wrong, ms.
pub const SKEW_MS: u64 = 10 * 60_000;

/// How an offered document was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It replaced the document in use.
    Newer,
    /// It is the document in use.
    Same,
}

/// Keeps the newest good document.
#[derive(Debug, Default)]
pub struct DocumentKeeper {
    current: Option<Arc<VerifiedDocument>>,
}

impl DocumentKeeper {
    /// A keeper without a document.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The document in use.
    #[must_use]
    pub fn current(&self) -> Option<Arc<VerifiedDocument>> {
        self.current.clone()
    }

    /// Takes a document if it is newer than the one in use (`DIR-005`). Two documents with the same
    /// epoch and revision prove that the authorities signed twice.
    ///
    /// # Errors
    /// [`Error::Expired`], [`Error::FromTheFuture`], [`Error::RolledBack`],
    /// [`Error::Equivocation`].
    pub fn offer(&mut self, now: Timestamp, document: VerifiedDocument) -> Result<Accepted, Error> {
        if now > document.valid_until.plus_millis(SKEW_MS) {
            return Err(Error::Expired);
        }
        if document.published > now.plus_millis(SKEW_MS) {
            return Err(Error::FromTheFuture);
        }
        if let Some(current) = &self.current {
            let (new, old) =
                ((document.epoch, document.revision), (current.epoch, current.revision));
            if new < old {
                return Err(Error::RolledBack);
            }
            if new == old {
                return if document.hash() == current.hash() {
                    Ok(Accepted::Same)
                } else {
                    Err(Error::Equivocation)
                };
            }
        }
        self.current = Some(Arc::new(document));
        Ok(Accepted::Newer)
    }

    /// Document time: the local clock, clamped to the document's validity. Keys move with it, so a
    /// wrong clock alone can never move them.
    #[must_use]
    pub fn document_time(&self, now: Timestamp) -> Option<Timestamp> {
        self.current.as_ref().map(|d| now.clamp(d.published, d.valid_until))
    }
}
