//! What a node hands to the hub that runs behind it.

use sphinx::Surb;
use tokio::sync::mpsc;
use wire::hub::Request;
use wire::{Frame, RequestId, Tally};

/// What the hub's thread is asked.
pub(crate) enum HubInput {
    Direct {
        link: u64,
        id: RequestId,
        request: Request,
        to: mpsc::Sender<Frame>,
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
    /// The geometry, as a document tells it.
    Geometry(sphinx::Geometry),
}

/// Where the last hop's payloads go: the hub's thread.
#[derive(Clone)]
pub(crate) struct Deliver(pub(crate) mpsc::Sender<HubInput>);

impl Deliver {
    pub(crate) async fn direct(
        &self,
        link: u64,
        id: RequestId,
        request: Request,
        to: mpsc::Sender<Frame>,
    ) {
        let _ = self.0.send(HubInput::Direct { link, id, request, to }).await;
    }

    pub(crate) fn geometry(&self, geometry: sphinx::Geometry) {
        // Sent again with each document, so a full queue only delays it.
        let _ = self.0.try_send(HubInput::Geometry(geometry));
    }

    pub(crate) fn gone(&self, link: u64) {
        // Full means that the hub is far behind; its watchers of a dead link end at their deadline.
        let _ = self.0.try_send(HubInput::Gone { link });
    }
}
