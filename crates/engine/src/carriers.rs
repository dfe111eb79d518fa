//! The carriers that a profile's places need: one per hub and route, each a task of its own.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use api::{DocumentView, NetworkView};
use e2ee::{Floor, NetworkPlace};
use hub::shaping::Span;
use messenger::event::PlaceId;
use messenger::request::{Call, CallId};
use mix::directory::{EnrolmentKey, VerifiedDocument};
use mix::path::EntryPolicy;
use net::tor::Tor;
use routes::{Carrier, CarrierEvent, CarrierOptions, Route, Shaping};
use streams::Sizes;
use tokio::sync::mpsc;
use vault::Config;
use vault::config::LanUse;
use wire::Timestamp;
use wire::document::CoverLevel;

use crate::words;

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(struct Preferences);

/// What a carrier reports: which carrier, what, and the time of its network.
pub(crate) struct Report {
    pub(crate) carrier: usize,
    pub(crate) event: CarrierEvent,
    pub(crate) time: Option<Timestamp>,
    /// The boxes that messages on its route may be sealed into.
    pub(crate) sizes: Sizes,
    /// Its network's document, and what cover traffic costs, kB a minute.
    pub(crate) network: Option<(Arc<VerifiedDocument>, u64)>,
}

/// How the profile wants its messages to travel.
#[derive(Clone)]
pub(crate) struct Preferences {
    pub(crate) route: Route,
    pub(crate) cover: Option<CoverLevel>,
    pub(crate) entry: EntryPolicy,
    pub(crate) shaping: Shaping,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) tor: Option<Tor>,
    /// Nothing but the local network is used.
    pub(crate) lan_only: bool,
}

impl Preferences {
    /// As the settings say. `dir`: where documents and pinned entries are kept, if they are.
    pub(crate) fn from_settings(config: &Config, dir: Option<PathBuf>, tor: Option<Tor>) -> Self {
        Preferences {
            route: match config.route {
                vault::config::Route::Onion => Route::Onion,
                vault::config::Route::Direct => Route::Direct,
                vault::config::Route::Tor => Route::Tor,
                vault::config::Route::TorOnion => Route::TorOnion,
            },
            cover: match config.cover {
                vault::config::Cover::Network => None,
                vault::config::Cover::Off => Some(CoverLevel::Off),
                vault::config::Cover::Low => Some(CoverLevel::Low),
                vault::config::Cover::Normal => Some(CoverLevel::Normal),
            },
            entry: match config.entry {
                vault::config::Entry::Pinned => EntryPolicy::Pinned,
                vault::config::Entry::Random => EntryPolicy::Random,
            },
            shaping: shaping(config),
            dir,
            tor,
            lan_only: config.lan == LanUse::Only,
        }
    }
}

/// How the settings want traffic shaped on routes without relays.
fn shaping(config: &Config) -> Shaping {
    let span = |s: Option<(u64, u64)>| s.and_then(|(from, to)| Span::new(from, to));
    Shaping {
        sizes: match config.box_sizes {
            vault::config::BoxSizes::Uniform => Sizes::Uniform,
            vault::config::BoxSizes::Ladder => Sizes::Ladder,
        },
        send_delay: span(config.send_delay),
        dummies: span(config.dummies),
    }
}

enum Op {
    Call(CallId, Call),
    Cancel(CallId),
}

struct Running {
    place: NetworkPlace,
    route: Route,
    ops: mpsc::UnboundedSender<Op>,
    up: bool,
    text: String,
    sizes: Sizes,
    network: Option<(Arc<VerifiedDocument>, u64)>,
}

/// All carriers of a profile.
pub(crate) struct Carriers {
    preferences: Preferences,
    running: Vec<Running>,
    by_place: HashMap<PlaceId, Option<usize>>,
    calls: HashMap<CallId, usize>,
    reports: mpsc::Sender<Report>,
}

/// Reports that may wait before a carrier's task waits.
const REPORTS: usize = 1_024;

impl Carriers {
    pub(crate) fn new(preferences: Preferences) -> (Self, mpsc::Receiver<Report>) {
        let (reports, incoming) = mpsc::channel(REPORTS);
        let carriers = Carriers {
            preferences,
            running: Vec::new(),
            by_place: HashMap::new(),
            calls: HashMap::new(),
            reports,
        };
        (carriers, incoming)
    }

    /// How the profile wants its messages to travel.
    pub(crate) const fn preferences(&self) -> &Preferences {
        &self.preferences
    }

    /// The route that a floor leaves: ours if it suits and leads there, else one that does, else
    /// none.
    pub(crate) fn route(&self, place: &NetworkPlace, floor: Floor) -> Option<Route> {
        if self.preferences.lan_only || place.is_lan() {
            return None;
        }
        let leads = |route: &Route| {
            route.suits(floor)
                && (self.preferences.tor.is_some() || !route.needs_tor())
                && (route.needs_tor() || place.directories.iter().any(|d| !d.address.is_onion()))
        };
        // `direct` is taken only when it was chosen: it hides less than the others.
        [self.preferences.route, Route::Onion, Route::Tor, Route::TorOnion].into_iter().find(leads)
    }

    /// The profile's enrolment, for networks that seal their documents: a file `client-key` beside
    /// the pinned entries.
    pub(crate) fn client_key(&self) -> Option<Arc<EnrolmentKey>> {
        let path = self.preferences.dir.as_ref()?.join("client-key");
        routes::read_client_key(&path).ok().map(Arc::new)
    }

    /// Starts what a place needs.
    pub(crate) fn ensure(&mut self, id: PlaceId, place: &NetworkPlace, floor: Floor) {
        if self.by_place.contains_key(&id) {
            return;
        }
        let index = self.route(place, floor).and_then(|route| {
            // Through Tor each conversation has a connection of its own.
            let known = self.running.iter().position(|r| r.place == *place && r.route == route);
            known.filter(|_| !route.needs_tor()).or_else(|| self.start(place, route))
        });
        self.by_place.insert(id, index);
    }

    fn start(&mut self, place: &NetworkPlace, route: Route) -> Option<usize> {
        let carrier = Carrier::start(CarrierOptions {
            place: place.clone(),
            route,
            cover: self.preferences.cover,
            entry: self.preferences.entry,
            shaping: self.preferences.shaping,
            dir: self.preferences.dir.clone(),
            tor: self.preferences.tor.clone(),
            key: self.client_key(),
        })
        .ok()?;
        let (ops, incoming) = mpsc::unbounded_channel();
        let index = self.running.len();
        tokio::spawn(run(index, carrier, incoming, self.reports.clone()));
        let text = "connecting".to_owned();
        self.running.push(Running {
            place: place.clone(),
            route,
            ops,
            up: false,
            text,
            sizes: Sizes::Uniform,
            network: None,
        });
        Some(index)
    }

    /// Notes how a carrier stands.
    pub(crate) fn note(&mut self, carrier: usize, up: bool, text: String) {
        if let Some(running) = self.running.get_mut(carrier) {
            (running.up, running.text) = (up, text);
        }
    }

    /// Notes which boxes a carrier takes, and what it knows of its network.
    pub(crate) fn note_network(
        &mut self,
        carrier: usize,
        sizes: Sizes,
        network: Option<(Arc<VerifiedDocument>, u64)>,
    ) {
        if let Some(running) = self.running.get_mut(carrier) {
            (running.sizes, running.network) = (sizes, network);
        }
    }

    /// The route to a place, if it works now.
    pub(crate) fn route_up(&self, place: PlaceId) -> Option<Route> {
        let index = self.by_place.get(&place).copied().flatten()?;
        self.running.get(index).filter(|r| r.up).map(|r| r.route)
    }

    /// The name of a carrier's route.
    pub(crate) fn route_of(&self, carrier: usize) -> &'static str {
        self.running.get(carrier).map_or("", |r| r.route.name())
    }

    /// All preferences, with the places that use them.
    pub(crate) fn networks(&self) -> impl Iterator<Item = (Vec<PlaceId>, NetworkView)> {
        self.running.iter().enumerate().map(|(index, running)| {
            let places =
                self.by_place.iter().filter(|(_, at)| **at == Some(index)).map(|(place, _)| *place);
            let view = NetworkView {
                hub: running.place.hub.short(),
                route: words::route(running.route),
                online: running.up,
                text: running.text.clone(),
                conversations: Vec::new(),
                document: running
                    .network
                    .as_ref()
                    .map(|(document, cover)| document_view(document, *cover)),
            };
            (places.collect(), view)
        })
    }

    /// The boxes that messages at a place may be sealed into.
    pub(crate) fn sizes(&self, place: PlaceId) -> Sizes {
        let index = self.by_place.get(&place).copied().flatten();
        index.and_then(|i| self.running.get(i)).map_or(Sizes::Uniform, |r| r.sizes)
    }

    pub(crate) fn is_up(&self, place: PlaceId) -> bool {
        let index = self.by_place.get(&place).copied().flatten();
        index.and_then(|i| self.running.get(i)).is_some_and(|r| r.up)
    }

    /// How the route to a place's hub stands, in words.
    pub(crate) fn words(&self, place: PlaceId) -> String {
        match self.by_place.get(&place).copied().flatten().and_then(|i| self.running.get(i)) {
            Some(running) => running.text.clone(),
            None => "none of the allowed routes is set up".to_owned(),
        }
    }

    pub(crate) fn call(&mut self, place: PlaceId, id: CallId, call: Call) {
        let index = self.by_place.get(&place).copied().flatten();
        if let Some((index, running)) = index.and_then(|i| Some((i, self.running.get(i)?))) {
            self.calls.insert(id, index);
            // A carrier's task ends with the engine only.
            let _ = running.ops.send(Op::Call(id, call));
        }
    }

    pub(crate) fn cancel(&mut self, id: CallId) {
        if let Some(running) = self.calls.remove(&id).and_then(|i| self.running.get(i)) {
            let _ = running.ops.send(Op::Cancel(id));
        }
    }

    /// The messenger is loaded again: answers to its old requests mean nothing.
    pub(crate) fn cancel_all(&mut self) {
        let open: Vec<CallId> = self.calls.keys().copied().collect();
        open.into_iter().for_each(|id| self.cancel(id));
    }

    /// Places are numbered again; carriers go on.
    pub(crate) fn forget_places(&mut self) {
        self.by_place.clear();
    }

    pub(crate) fn answered(&mut self, id: CallId) {
        self.calls.remove(&id);
    }
}

fn document_view(document: &VerifiedDocument, cover_kb_per_min: u64) -> DocumentView {
    DocumentView {
        epoch: document.epoch,
        epoch_ms: document.epoch_ms,
        relays: document.relays().count().saturating_add(document.dials_only.len()),
        hops: document.paths.min_relays,
        mean_delay_ms: document.mixing.mean_delay_ms,
        cover_kb_per_min,
        hash: data_encoding::HEXLOWER.encode(document.hash().as_bytes()),
    }
}

async fn run(
    index: usize,
    mut carrier: Carrier,
    mut ops: mpsc::UnboundedReceiver<Op>,
    reports: mpsc::Sender<Report>,
) {
    loop {
        tokio::select! {
            op = ops.recv() => match op {
                Some(Op::Call(id, call)) => carrier.call(id, &call),
                Some(Op::Cancel(id)) => carrier.cancel(id),
                None => return,
            },
            event = carrier.next() => {
                let (time, sizes, network) = (carrier.document_time(), carrier.sizes(), carrier.network());
                let report = Report { carrier: index, event, time, sizes, network };
                if reports.send(report).await.is_err() {
                    return;
                }
            }
        }
    }
}
