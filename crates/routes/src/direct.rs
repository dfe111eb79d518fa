//! The direct route: one TLS link to the hub. Straight it hides content only; through Tor, where
//! both are as well.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use hub::client as box_protocol;
use messenger::request::{Call, CallId};
use mix::directory::EnrolmentKey;
use net::{Clock, Dialer, Outbound, OutboundConfig};
use streams::{BoxClass, BoxId};
use wire::document::NetworkDocument;
use wire::hub::{Operation, Request, Response};
use wire::id::AccessKey;
use wire::{Address, Frame, NetworkPointer, NodeId, RequestId, Timestamp};

use crate::carrier::{CarrierEvent, PING, PONG, Status};
use crate::documents::{Documents, Update};
use crate::shaping::{Due, Shaper, Shaping};

const GET_DEADLINE_MS: u32 = 60_000;
/// Requests are numbered from here on, so that all numbers take as many bytes: a frame's length
/// tells the box's class and nothing about how many went before.
const FIRST_REQUEST: u64 = 1 << 32;
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
    dialer: Dialer,
    hub: NodeId,
    access: AccessKey,
    documents: Documents,
    link: Option<Outbound>,
    /// Where that link leads.
    addresses: Vec<Address>,
    /// Which link is up, by its number.
    up: Option<u64>,
    open: HashMap<RequestId, Open>,
    next: u64,
    shaper: Shaper,
    reports: VecDeque<CarrierEvent>,
}

impl DirectCarrier {
    pub(crate) fn start(
        pointer: NetworkPointer,
        hub: NodeId,
        access: AccessKey,
        shaping: Shaping,
        dir: Option<&Path>,
        dialer: Dialer,
        key: Option<Arc<EnrolmentKey>>,
    ) -> Self {
        let documents = Documents::follow(pointer, Clock::start(), dir, dialer.clone(), key);
        let mut carrier = DirectCarrier {
            documents,
            dialer,
            hub,
            access,
            link: None,
            addresses: Vec::new(),
            up: None,
            open: HashMap::new(),
            next: FIRST_REQUEST,
            shaper: Shaper::new(shaping),
            reports: VecDeque::new(),
        };
        if let Some(document) = carrier.documents.current() {
            let status = carrier.follow(&document);
            carrier.reports.extend(status.map(CarrierEvent::Status));
        }
        carrier
    }

    /// The network's document, once there is one.
    pub(crate) fn document(&self) -> Option<Arc<mix::directory::VerifiedDocument>> {
        self.documents.current()
    }

    pub(crate) fn document_time(&self) -> Option<Timestamp> {
        self.documents.time()
    }

    /// The boxes that messages on this route may be sealed into.
    pub(crate) fn sizes(&self) -> streams::Sizes {
        self.shaper.shaping().sizes_in(self.documents.current().as_deref())
    }

    pub(crate) fn call(&mut self, call: CallId, what: &Call) {
        let (request, what) = match what {
            Call::Put(sealed) => (box_protocol::put(self.access, sealed), What::Put),
            Call::Get(ids) => (
                box_protocol::get(self.access, ids, GET_DEADLINE_MS, false),
                What::Get(ids.clone()),
            ),
            Call::Look(ids) => {
                (box_protocol::get(self.access, ids, LOOK_MS, false), What::Get(ids.clone()))
            }
        };
        self.next += 1;
        let id = RequestId(self.next);
        self.open.insert(id, Open { call, request, what });
        self.begin(id);
    }

    /// Sends a request, or has it wait for its turn.
    fn begin(&mut self, id: RequestId) {
        let is_put = self.open.get(&id).is_some_and(|o| matches!(o.what, What::Put));
        if self.up.is_none() {
            // It begins when the link is there.
        } else if is_put && self.shaper.delays() {
            self.shaper.push(id);
        } else {
            self.send(id);
        }
    }

    pub(crate) fn cancel(&mut self, call: CallId) {
        self.open.retain(|_, o| o.call != call);
    }

    fn send(&mut self, id: RequestId) {
        // What was cancelled while it waited is not there any more.
        let (Some(link), Some(open)) = (&self.link, self.open.get(&id)) else { return };
        if link.try_send(Frame::HubRequest(id, open.request.clone())).is_err() {
            return;
        }
        if let Operation::Put(content) = &open.request.operation {
            self.shaper.left(content.ciphertext.len());
            self.reports.push_back(CarrierEvent::Sent(open.call));
        }
    }

    /// A box that nobody asks for, under a number that nobody waits for.
    fn send_dummy(&mut self, class: BoxClass) {
        let Ok(sealed) = streams::dummy(class, &mut rand::rng()) else { return };
        self.next += 1;
        if let Some(link) = &self.link {
            let _ = link.try_send(Frame::HubRequest(
                RequestId(self.next),
                box_protocol::put(self.access, &sealed),
            ));
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
                        if let Some(status) = self.follow(&document) {
                            return CarrierEvent::Status(status);
                        }
                    }
                    Update::Changed => {
                        // Once the hub's address is known, this route does without a document.
                        if let (None, Some((_, text))) = (&self.link, self.documents.trouble()) {
                            return CarrierEvent::Status(Status { up: false, text });
                        }
                    }
                    Update::AskNode(ask) => {
                        if let Some(link) = self.link.as_ref().filter(|_| self.up.is_some()) {
                            let _ = link.try_send(ask);
                        }
                    }
                },
                due = self.shaper.next() => match due {
                    Due::Put(id) => self.send(id),
                    Due::Dummy(class) => self.send_dummy(class),
                },
                event = link_event(&mut self.link, self.up) => match event {
                    LinkEvent::Frame(Frame::HubResponse(id, response)) => self.answered(id, response),
                    LinkEvent::Frame(frame) => {
                        let newer = self.documents.heard_from_node(frame);
                        if let Some(status) = newer.and_then(|document| self.follow(&document)) {
                            return CarrierEvent::Status(status);
                        }
                    }
                    LinkEvent::Up(number) => {
                        self.up = Some(number);
                        // Whatever was open on the old link is asked again: a retry is harmless.
                        self.shaper.link_up();
                        let mut open: Vec<RequestId> = self.open.keys().copied().collect();
                        open.sort_unstable_by_key(|id| id.0);
                        open.into_iter().for_each(|id| self.begin(id));
                        return CarrierEvent::Status(Status { up: true, text: self.connected().to_owned() });
                    }
                    LinkEvent::Down => {
                        self.up = None;
                        self.shaper.link_down();
                        return CarrierEvent::Status(Status { up: false, text: "the hub is gone; trying again".into() });
                    }
                },
            }
        }
    }

    /// Connects to the hub, where the document says that it is. What is in the way, if something
    /// is.
    fn follow(&mut self, document: &NetworkDocument) -> Option<Status> {
        let down = |text: &str| Some(Status { up: false, text: text.to_owned() });
        let Some(node) = document.node(&self.hub) else {
            // A hub that the directory does not see may still be there for us.
            return self.link.is_none().then(|| Status {
                up: false,
                text: "the hub is not in the network at the moment; messages wait".to_owned(),
            });
        };
        let addresses = self.dialer.order(&node.addresses);
        if addresses.is_empty() {
            return down(if self.dialer == Dialer::Direct {
                "the hub has an onion address only: use the route tor; messages wait"
            } else {
                "the hub has no onion address, and exits are not allowed; messages wait"
            });
        }
        if self.link.is_some() && self.addresses == addresses {
            return None;
        }
        let moved = self.link.replace(Outbound::spawn(OutboundConfig {
            ping_after: PING,
            pong_timeout: PONG,
            dialer: self.dialer.clone(),
            ..OutboundConfig::new(addresses.clone(), self.hub, None)
        }));
        self.addresses = addresses;
        if self.up.take().is_some() {
            self.shaper.link_down();
        }
        moved.and_then(|_| down("the hub has moved; connecting"))
    }

    fn connected(&self) -> &'static str {
        match self.dialer {
            Dialer::Tor(_) => "connected to the hub through Tor",
            _ if net::Proxy::in_use().is_some() => {
                "connected to the hub: it sees the IP address of the proxy"
            }
            _ => "connected straight to the hub: it sees your IP address",
        }
    }

    fn answered(&mut self, id: RequestId, response: Response) {
        let Some(open) = self.open.remove(&id) else { return };
        let report = match &open.what {
            What::Put => {
                box_protocol::put_outcome(&response).map(|o| CarrierEvent::Put(open.call, o))
            }
            What::Get(ids) if box_protocol::is_dummy(&response, ids) => {
                Ok(CarrierEvent::Boxes(open.call, Vec::new()))
            }
            What::Get(ids) => {
                box_protocol::boxes(response, ids).map(|b| CarrierEvent::Boxes(open.call, b))
            }
        };
        match report {
            Ok(report) => self.reports.push_back(report),
            Err(error) => {
                self.reports.push_back(CarrierEvent::Notice(error.to_string()));
                self.reports.push_back(match open.what {
                    What::Put => CarrierEvent::Put(open.call, wire::hub::PutOutcome::SlowDown),
                    What::Get(_) => CarrierEvent::Unanswered(open.call),
                });
            }
        }
    }
}

enum LinkEvent {
    Frame(Frame),
    Up(u64),
    Down,
}

async fn link_event(link: &mut Option<Outbound>, up: Option<u64>) -> LinkEvent {
    let Some(link) = link else { return std::future::pending().await };
    let mut status = link.status();
    loop {
        let now = *status.borrow_and_update();
        match (now, up) {
            // Another number: a new link has taken the place of the old one.
            (net::Status::Up(number), known) if known != Some(number) => {
                return LinkEvent::Up(number);
            }
            (net::Status::Down(_), Some(_)) => return LinkEvent::Down,
            _ => {}
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
