//! The document that a client or node goes by: it only ever gets newer.

use std::sync::Arc;

use wire::Timestamp;

use super::VerifiedDocument;
use crate::Error;

/// How far a reader's clock may be off, ms.
pub const SKEW_MS: u64 = 10 * 60_000;

/// What became of an offered document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is the one in use now.
    Newer,
    /// It is the one already in use.
    Same,
}

/// Keeps the newest good document.
#[derive(Debug, Default)]
pub struct DocumentKeeper {
    current: Option<Arc<VerifiedDocument>>,
}

impl DocumentKeeper {
    /// With no document yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The document in use.
    #[must_use]
    pub fn current(&self) -> Option<Arc<VerifiedDocument>> {
        self.current.clone()
    }

    /// Takes a document if it is newer than the one in use (`DIR-005`).
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

    /// Document time: the local clock, held between the document's publication and its end, so that
    /// a wrong clock alone never moves anybody's keys.
    #[must_use]
    pub fn document_time(&self, now: Timestamp) -> Option<Timestamp> {
        self.current.as_ref().map(|d| now.clamp(d.published, d.valid_until))
    }
}
