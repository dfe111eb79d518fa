//! A route in use: put, get, and word of how it stands.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use e2ee::NetworkPlace;
use jail::StateDir;
use messenger::request::{Call, CallId};
use mix::directory::{EnrolmentKey, VerifiedDocument};
use mix::path::EntryPolicy;
use mix::tally::Receipt;
use net::Dialer;
use net::tor::{Tor, TorStatus};
use streams::VerifiedBox;
use tokio::sync::watch;
use wire::Timestamp;
use wire::document::CoverLevel;
use wire::hub::PutOutcome;

use crate::direct::DirectCarrier;
use crate::error::Error;
use crate::onion::{OnionCarrier, OnionOptions};
use crate::route::Route;
use crate::shaping::Shaping;

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
    /// A get that the hub refused or the carrier could not take: it says nothing about what is
    /// there.
    Unanswered(CallId),
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
    /// A probe of this number came back, or did not in time.
    Probed(u32, bool),
    /// The way of a traced request; none in a network whose packets carry no tally.
    Traced(Option<Box<Receipt>>),
    /// Something to tell the person.
    Notice(String),
}

/// Who has heard nothing for so long asks whether the other side is there, and has gone after so
/// long again without a word: a relay or a hub that hangs is noticed within half a minute.
pub(crate) const PING: Duration = Duration::from_secs(20);
pub(crate) const PONG: Duration = Duration::from_secs(10);

enum Way {
    /// Through the relays.
    Onion(Box<OnionCarrier>),
    /// One link to the hub.
    Direct(Box<DirectCarrier>),
}

/// What a route starts with.
#[derive(Debug, Clone)]
pub struct CarrierOptions {
    /// The network and the hub.
    pub place: NetworkPlace,
    /// By which route.
    pub route: Route,
    /// Cover level on the onion route; `None` takes the document's.
    pub cover: Option<CoverLevel>,
    /// How the entry relay is chosen.
    pub entry: EntryPolicy,
    /// How the traffic is shaped on a route without relays.
    pub shaping: Shaping,
    /// Where document and pinned entries are kept; `None` keeps nothing.
    pub dir: Option<PathBuf>,
    /// For routes through Tor. One that is missing there leaves the route waiting, never going
    /// another way.
    pub tor: Option<Tor>,
    /// Our enrolment, in a network that seals its document.
    pub key: Option<Arc<EnrolmentKey>>,
}

/// A route in use.
pub struct Carrier {
    way: Way,
    /// How Tor stands, while the route needs it.
    tor: Option<watch::Receiver<TorStatus>>,
    /// What the route itself said last; it holds while Tor is ready.
    said: Option<Status>,
    /// What was reported last: the same is not said twice.
    told: Option<Status>,
}

impl Carrier {
    /// Starts a route.
    ///
    /// # Errors
    /// A route through Tor without one; a directory that cannot be used.
    pub fn start(options: CarrierOptions) -> Result<Self, Error> {
        let CarrierOptions { place, route, cover, entry, shaping, dir, tor, key } = options;
        let tor = match (route.needs_tor(), tor) {
            (false, _) => None,
            (true, Some(tor)) => Some(tor),
            (true, None) => return Err(Error::TorMissing),
        };
        if let Some(dir) = &dir {
            StateDir::open(dir)?;
        }
        let dialer = tor.as_ref().map_or(Dialer::Direct, |tor| Dialer::Tor(tor.dialer()));
        let pointer = place.network_pointer();
        let way = match route {
            Route::Onion | Route::TorOnion => {
                Way::Onion(Box::new(OnionCarrier::start(OnionOptions {
                    pointer,
                    hub: place.hub,
                    access: place.access,
                    cover,
                    entry,
                    dir,
                    dialer,
                    key,
                })))
            }
            Route::Direct | Route::Tor => Way::Direct(Box::new(DirectCarrier::start(
                pointer,
                place.hub,
                place.access,
                shaping,
                dir.as_deref(),
                dialer,
                key,
            ))),
        };
        Ok(Carrier { way, tor: tor.map(|tor| tor.status()), said: None, told: None })
    }

    /// Asks the hub, and asks again until it answers.
    pub fn call(&mut self, id: CallId, call: &Call) {
        match &mut self.way {
            Way::Onion(c) => c.call(id, call),
            Way::Direct(c) => c.call(id, call),
        }
    }

    /// The answer is no longer wanted.
    pub fn cancel(&mut self, id: CallId) {
        match &mut self.way {
            Way::Onion(c) => c.cancel(id),
            Way::Direct(c) => c.cancel(id),
        }
    }

    /// The next report. Safe to drop while it waits.
    pub async fn next(&mut self) -> CarrierEvent {
        loop {
            let event = tokio::select! {
                event = async {
                    match &mut self.way {
                        Way::Onion(c) => c.next().await,
                        Way::Direct(c) => c.next().await,
                    }
                } => Some(event),
                () = changed(&mut self.tor) => None,
            };
            match event {
                Some(CarrierEvent::Status(status)) => self.said = Some(status),
                Some(event) => return event,
                None => {}
            }
            let status = self.status();
            if status.is_some() && status != self.told {
                self.told.clone_from(&status);
                if let Some(status) = status {
                    return CarrierEvent::Status(status);
                }
            }
        }
    }

    /// How the route stands: until Tor is ready, that is what is in the way.
    fn status(&self) -> Option<Status> {
        let tor = self.tor.as_ref().map(|tor| tor.borrow().clone());
        match (tor, &self.said) {
            (Some(tor), said) if !tor.ready && said.as_ref().is_none_or(|s| !s.up) => {
                Some(Status { up: false, text: tor.line() })
            }
            (Some(_), None) => Some(Status {
                up: false,
                text: "connected to Tor; connecting to the network".to_owned(),
            }),
            (_, said) => said.clone(),
        }
    }

    /// The boxes that messages on this route may be sealed into; known once a document is there.
    pub fn sizes(&self) -> streams::Sizes {
        match &self.way {
            // A packet takes a standard box at most, and all packets look alike anyway.
            Way::Onion(_) => streams::Sizes::Uniform,
            Way::Direct(c) => c.sizes(),
        }
    }

    /// The network's document, once there is one, and what cover traffic costs, kB a minute in both
    /// directions.
    pub fn network(&self) -> Option<(Arc<VerifiedDocument>, u64)> {
        match &self.way {
            Way::Onion(c) => Some((c.document()?, c.cover_kb_per_min())),
            Way::Direct(c) => Some((c.document()?, 0)),
        }
    }

    /// Document time, once a document is there.
    pub fn document_time(&self) -> Option<Timestamp> {
        match &self.way {
            Way::Onion(c) => c.document_time(),
            Way::Direct(c) => c.document_time(),
        }
    }
}

/// The next change of Tor's status; never without Tor.
async fn changed(tor: &mut Option<watch::Receiver<TorStatus>>) {
    let Some(tor) = tor else { return std::future::pending().await };
    if tor.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use wire::id::AccessKey;
    use wire::{DirectoryPointer, NetworkId, NodeId};

    use super::*;

    #[test]
    fn a_route_through_tor_is_refused_without_tor_and_never_goes_another_way() {
        let dir = tempfile::tempdir().unwrap();
        for route in [Route::Tor, Route::TorOnion] {
            let node = NodeId::new([1; 32]);
            let address = "127.0.0.1:1".parse::<std::net::SocketAddr>().unwrap().into();
            let refused = Carrier::start(CarrierOptions {
                place: NetworkPlace {
                    network: NetworkId::new([2; 32]),
                    directories: vec![DirectoryPointer { id: node, address }],
                    hub: node,
                    access: AccessKey::new([3; 16]),
                },
                route,
                cover: None,
                entry: EntryPolicy::Pinned,
                shaping: Shaping::default(),
                dir: Some(dir.path().join("net")),
                tor: None,
                key: None,
            });
            assert!(matches!(refused, Err(Error::TorMissing)));
        }
        // No runtime is there for a socket, and no file was made.
        assert!(!dir.path().join("net").exists());
    }
}
