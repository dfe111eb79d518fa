//! The direct route: TLS straight to the hub. Hides content only.

use std::collections::{HashMap, VecDeque};

use hub::client as box_protocol;
use messenger::call::{Call, CallId};
use net::{Outbound, OutboundConfig};
use server::node::Clock;
use streams::BoxId;
use wire::hub::{Request, Response};
use wire::id::AccessKey;
use wire::{Frame, NetworkPointer, NodeId, RequestId, Timestamp};

use super::carrier::{CarrierEvent, Status};
use super::documents::{Documents, Update};

const GET_DEADLINE_MS: u32 = 60_000;
/// The hub answers a look as soon as it has looked, ms.
const LOOK_MS: u32 = 1;

struct Open {
    call: CallId,
    request: Request,
    what: What,
}

enum What {
    Put,
    Get(Vec<BoxId>),
}

/// The direct route in use.
pub(crate) struct DirectCarrier {
    hub: NodeId,
    access: AccessKey,
    documents: Documents,
    link: Option<Outbound>,
    up: bool,
    open: HashMap<RequestId, Open>,
    next: u64,
    reports: VecDeque<CarrierEvent>,
}

impl DirectCarrier {
    pub(crate) fn start(pointer: NetworkPointer, hub: NodeId, access: AccessKey) -> Self {
        DirectCarrier {
            hub,
            access,
            documents: Documents::follow(pointer, Clock::start(), None),
            link: None,
            up: false,
            open: HashMap::new(),
            next: 0,
            reports: VecDeque::new(),
        }
    }

    pub(crate) fn document_time(&self) -> Option<Timestamp> {
        self.documents.time()
    }

    pub(crate) fn call(&mut self, call: CallId, what: &Call) {
        let (request, what) = match what {
            Call::Put(sealed) => (box_protocol::put(self.access, sealed), What::Put),
            Call::Get(ids) => (box_protocol::get(self.access, ids, GET_DEADLINE_MS, false), What::Get(ids.clone())),
            Call::Look(ids) => (box_protocol::get(self.access, ids, LOOK_MS, false), What::Get(ids.clone())),
        };
        self.next += 1;
        let id = RequestId(self.next);
        let open = Open { call, request, what };
        if self.up {
            self.send(id, &open);
        }
        self.open.insert(id, open);
    }

    pub(crate) fn cancel(&mut self, call: CallId) {
        self.open.retain(|_, o| o.call != call);
    }

    fn send(&mut self, id: RequestId, open: &Open) {
        let Some(link) = &self.link else { return };
        if link.try_send(Frame::HubRequest(id, open.request.clone())).is_ok() && matches!(open.what, What::Put) {
            self.reports.push_back(CarrierEvent::Sent(open.call));
        }
    }

    pub(crate) async fn next(&mut self) -> CarrierEvent {
        loop {
            if let Some(report) = self.reports.pop_front() {
                return report;
            }
            tokio::select! {
                update = self.documents.next() => match update {
                    Update::Newer(document) => {
                        if self.link.is_none()
                            && let Some(address) = document.node(&self.hub).and_then(|n| n.addresses.first())
                        {
                            self.link = Some(Outbound::spawn(OutboundConfig::new(*address, self.hub, None)));
                        }
                    }
                    Update::Notice(text) => {
                        if self.link.is_none() {
                            return CarrierEvent::Status(Status { up: false, text });
                        }
                    }
                },
                event = link_event(&mut self.link, self.up) => match event {
                    LinkEvent::Frame(Frame::HubResponse(id, response)) => self.answered(id, response),
                    LinkEvent::Frame(_) => {}
                    LinkEvent::Up => {
                        self.up = true;
                        // Whatever was open on the old link is asked again: a retry is harmless.
                        let open = std::mem::take(&mut self.open);
                        for (id, one) in &open {
                            self.send(*id, one);
                        }
                        self.open = open;
                        return CarrierEvent::Status(Status { up: true, text: "connected straight to the hub: it sees your IP address".into() });
                    }
                    LinkEvent::Down => {
                        self.up = false;
                        return CarrierEvent::Status(Status { up: false, text: "the hub is gone; trying again".into() });
                    }
                },
            }
        }
    }

    fn answered(&mut self, id: RequestId, response: Response) {
        let Some(open) = self.open.remove(&id) else { return };
        let report = match &open.what {
            What::Put => box_protocol::put_outcome(&response).map(|o| CarrierEvent::Put(open.call, o)),
            What::Get(ids) => box_protocol::boxes(response, ids).map(|b| CarrierEvent::Boxes(open.call, b)),
        };
        match report {
            Ok(report) => self.reports.push_back(report),
            Err(error) => {
                self.reports.push_back(CarrierEvent::Notice(error.to_string()));
                self.reports.push_back(match open.what {
                    What::Put => CarrierEvent::Put(open.call, wire::hub::PutOutcome::SlowDown),
                    What::Get(_) => CarrierEvent::Boxes(open.call, Vec::new()),
                });
            }
        }
    }
}

enum LinkEvent {
    Frame(Frame),
    Up,
    Down,
}

async fn link_event(link: &mut Option<Outbound>, up: bool) -> LinkEvent {
    let Some(link) = link else { return std::future::pending().await };
    let mut status = link.status();
    loop {
        let now = *status.borrow_and_update();
        if now.is_up() && !up {
            return LinkEvent::Up;
        }
        if !now.is_up() && up {
            return LinkEvent::Down;
        }
        tokio::select! {
            frame = link.recv() => match frame {
                Some(frame) => return LinkEvent::Frame(frame),
                None => std::future::pending().await,
            },
            changed = status.changed() => {
                if changed.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}
