//! What a route offers the session: put, get, and word of how it stands.

use std::time::Duration;

use messenger::call::{Call, CallId};
use streams::VerifiedBox;
use wire::hub::PutOutcome;

use super::direct::DirectCarrier;
use super::onion::OnionCarrier;

/// How a route stands, in words for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Whether messages can travel now.
    pub up: bool,
    /// What is going on, or why not.
    pub text: String,
}

/// What a route reports.
#[derive(Debug)]
pub enum CarrierEvent {
    /// The first packet of this call has left.
    Sent(CallId),
    /// The hub's word on a put.
    Put(CallId, PutOutcome),
    /// What a get found, perhaps nothing.
    Boxes(CallId, Vec<VerifiedBox>),
    /// The route stands differently now.
    Status(Status),
    /// A packet left (`-v`).
    Path {
        /// In words.
        text: String,
        /// Relays on the way.
        relays: usize,
    },
    /// A request was answered, this long after its first packet.
    Answered(Duration),
    /// Something to tell the person.
    Notice(String),
}

/// A route in use.
pub(crate) enum Carrier {
    /// Through the relays.
    Onion(Box<OnionCarrier>),
    /// TLS straight to the hub.
    Direct(Box<DirectCarrier>),
}

impl Carrier {
    /// Asks the hub, and asks again until it answers.
    pub(crate) fn call(&mut self, id: CallId, call: &Call) {
        match self {
            Carrier::Onion(c) => c.call(id, call),
            Carrier::Direct(c) => c.call(id, call),
        }
    }

    /// The answer is no longer wanted.
    pub(crate) fn cancel(&mut self, id: CallId) {
        match self {
            Carrier::Onion(c) => c.cancel(id),
            Carrier::Direct(c) => c.cancel(id),
        }
    }

    /// The next report. Safe to drop while it waits.
    pub(crate) async fn next(&mut self) -> CarrierEvent {
        match self {
            Carrier::Onion(c) => c.next().await,
            Carrier::Direct(c) => c.next().await,
        }
    }

    /// Document time, once a document is there.
    pub(crate) fn document_time(&self) -> Option<wire::Timestamp> {
        match self {
            Carrier::Onion(c) => c.document_time(),
            Carrier::Direct(c) => c.document_time(),
        }
    }
}
