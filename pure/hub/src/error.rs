//! Errors at both ends of the box protocol.

use wire::ErrorKind;
use wire::hub::Refusal;

use crate::store::StoreError;

/// A failure of the box protocol. Never contains an id, a key or a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The hub gave an answer that no honest hub gives.
    #[error("the hub misbehaves: {0}")]
    HubMisbehaved(&'static str),
    /// The hub refused the request.
    #[error("the hub refuses: {}", refusal(*.0))]
    Refused(Refusal),
    /// The box store failed.
    #[error("box store: {0}")]
    Store(#[from] StoreError),
}

fn refusal(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NotAdmitted => "the access key is not valid here",
        Refusal::BadBox => "not a valid box",
        Refusal::BadRequest => "not a valid request",
        Refusal::SlowDown => "too much at once",
        _ => "for a reason this version does not know",
    }
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::HubMisbehaved(_) => ErrorKind::HubMisbehaved,
            Error::Refused(Refusal::NotAdmitted) => ErrorKind::LocalConfig,
            Error::Refused(Refusal::SlowDown) => ErrorKind::Network,
            Error::Refused(Refusal::BadBox | Refusal::BadRequest) => ErrorKind::Bug,
            Error::Refused(_) => ErrorKind::Unsupported,
            Error::Store(_) => ErrorKind::LocalStorage,
        }
    }
}
