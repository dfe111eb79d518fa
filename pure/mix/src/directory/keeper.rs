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

/// Keeps the newest good document, and with it the time.
///
/// Two clocks go in: `real`, which somebody may set at any moment, and `now`, which never jumps.
/// Only when a document is taken is `real` believed, for then the document vouches for it; from
/// there on time passes by `now`.
#[derive(Debug, Default)]
pub struct DocumentKeeper {
    current: Option<Arc<VerifiedDocument>>,
    /// What both clocks showed when a directory last sent the document in use: `real`, `now`.
    checked: (Timestamp, Timestamp),
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
    pub fn offer(
        &mut self,
        now: Timestamp,
        real: Timestamp,
        document: VerifiedDocument,
    ) -> Result<Accepted, Error> {
        if real > document.valid_until.plus_millis(SKEW_MS) {
            return Err(Error::Expired);
        }
        if document.published > real.plus_millis(SKEW_MS) {
            return Err(Error::FromTheFuture);
        }
        // What was taken while the clock was ahead is from the future now that it is right.
        let early = |d: &Arc<VerifiedDocument>| d.published > real.plus_millis(SKEW_MS);
        self.current.take_if(|current| early(current));
        if let Some(current) = &self.current {
            let (new, old) =
                ((document.epoch, document.revision), (current.epoch, current.revision));
            if new < old {
                return Err(Error::RolledBack);
            }
            if new == old {
                if document.hash() != current.hash() {
                    return Err(Error::Equivocation);
                }
                self.checked = (real, now);
                return Ok(Accepted::Same);
            }
        }
        self.checked = (real, now);
        self.current = Some(Arc::new(document));
        Ok(Accepted::Newer)
    }

    /// The time at `now`: what has passed since the document was last checked, not before its
    /// publication. Setting the clock of the machine does not move it.
    #[must_use]
    pub fn time(&self, now: Timestamp) -> Option<Timestamp> {
        let (real, then) = self.checked;
        let time = real.plus_millis(now.millis_since(then));
        self.current.as_ref().map(|d| time.max(d.published))
    }

    /// Document time: [`DocumentKeeper::time`], held within the document's validity. Keys move with
    /// it, so a wrong clock alone never moves them.
    #[must_use]
    pub fn document_time(&self, now: Timestamp) -> Option<Timestamp> {
        let current = self.current.as_ref()?;
        self.time(now).map(|time| time.min(current.valid_until))
    }
}
