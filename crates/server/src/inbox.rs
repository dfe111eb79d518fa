//! What a node hands to the hub that runs behind it.

use std::sync::Arc;

use sphinx::Surb;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use wire::hub::{Operation, Request};
use wire::{RequestId, Tally, Timestamp};

use crate::outgoing::Outgoing;

/// Bytes of requests that may wait for the hub's thread. Who sends more is read no further.
const BYTES: usize = 16 << 20;
/// What a request counts beside its box, bytes.
const REQUEST_BYTES: usize = 512;

/// What the hub's thread is asked.
pub(crate) enum HubInput {
    Direct {
        link: u64,
        id: RequestId,
        request: Request,
        to: Outgoing,
    },
    Onion {
        epoch: u32,
        surb: Option<Surb>,
        data: Vec<u8>,
        tally: Option<Tally>,
    },
    Gone {
        link: u64,
    },
    /// What a document tells: the packets' geometry, and what time it is when our own clock shows
    /// `now`.
    Document {
        geometry: sphinx::Geometry,
        now: Timestamp,
        time: Timestamp,
    },
}

/// An input, and the room that it takes until it is dropped.
pub(crate) struct Waiting {
    pub(crate) input: HubInput,
    _room: Option<OwnedSemaphorePermit>,
}

/// Where the last hop's payloads go: the hub's thread.
#[derive(Clone)]
pub(crate) struct Deliver {
    inputs: mpsc::UnboundedSender<Waiting>,
    room: Arc<Semaphore>,
}

/// A [`Deliver`] that does not keep the hub alive.
#[derive(Clone)]
pub(crate) struct WeakDeliver {
    inputs: mpsc::WeakUnboundedSender<Waiting>,
    room: Arc<Semaphore>,
}

impl std::fmt::Debug for WeakDeliver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WeakDeliver")
    }
}

impl WeakDeliver {
    pub(crate) fn upgrade(&self) -> Option<Deliver> {
        Some(Deliver { inputs: self.inputs.upgrade()?, room: self.room.clone() })
    }
}

impl Deliver {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Waiting>) {
        let (inputs, outputs) = mpsc::unbounded_channel();
        (Deliver { inputs, room: Arc::new(Semaphore::new(BYTES)) }, outputs)
    }

    pub(crate) fn downgrade(&self) -> WeakDeliver {
        WeakDeliver { inputs: self.inputs.downgrade(), room: self.room.clone() }
    }

    /// Hands a request over once there is room for it; false when the hub has stopped.
    pub(crate) async fn direct(
        &self,
        link: u64,
        id: RequestId,
        request: Request,
        to: Outgoing,
    ) -> bool {
        let content = match &request.operation {
            Operation::Put(content) => content.ciphertext.len(),
            Operation::Get { ids, .. } => ids.len().saturating_mul(32),
            Operation::Echo => 0,
        };
        let bytes = u32::try_from(content.saturating_add(REQUEST_BYTES)).unwrap_or(u32::MAX);
        let room = self.room.clone().acquire_many_owned(bytes).await.ok();
        let input = HubInput::Direct { link, id, request, to };
        room.is_some() && self.inputs.send(Waiting { input, _room: room }).is_ok()
    }

    /// Hands a payload over if there is room for it. By the time of the client's retry the hub may
    /// have caught up.
    pub(crate) fn onion(
        &self,
        epoch: u32,
        surb: Option<Surb>,
        data: Vec<u8>,
        tally: Option<Tally>,
    ) {
        let bytes = u32::try_from(data.len().saturating_add(REQUEST_BYTES)).unwrap_or(u32::MAX);
        if let Ok(room) = self.room.clone().try_acquire_many_owned(bytes) {
            self.send(HubInput::Onion { epoch, surb, data, tally }, Some(room));
        }
    }

    pub(crate) fn document(&self, geometry: sphinx::Geometry, now: Timestamp, time: Timestamp) {
        self.send(HubInput::Document { geometry, now, time }, None);
    }

    /// Tells that a link has ended: never lost, or what it left open would stay.
    pub(crate) fn gone(&self, link: u64) {
        self.send(HubInput::Gone { link }, None);
    }

    fn send(&self, input: HubInput, room: Option<OwnedSemaphorePermit>) {
        // The receiver is gone only when the hub has stopped.
        let _ = self.inputs.send(Waiting { input, _room: room });
    }
}
