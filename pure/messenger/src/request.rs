//! What the messenger asks of a carrier.

use streams::{BoxId, SealedBox};

/// Names a request to the hub until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// What is wanted of the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Store this box.
    Put(SealedBox),
    /// Wait for one of these boxes; answered with none at the carrier's deadline.
    Get(Vec<BoxId>),
    /// Which of these boxes are there now; answered as soon as the route allows, with none if none
    /// is there.
    Look(Vec<BoxId>),
}
