//! The onion route: the client core of `mix` over one link to the entry relay.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hub::client as box_protocol;
use messenger::request::{Call, CallId};
use mix::Fault;
use mix::client::{ClientConfig, OnionClient, Output, RequestHandle};
use mix::directory::{EnrolmentKey, VerifiedDocument};
use mix::path::{Dials, EntryPins, EntryPolicy};
use mix::tally::Receipt;
use net::{Clock, Dialer, Outbound, OutboundConfig};
use streams::BoxId;
use wire::document::CoverLevel;
use wire::hub::{PutOutcome, Request};
use wire::id::AccessKey;
use wire::{Address, BootId, ClientToken, Frame, NetworkPointer, NodeId, Timestamp};

use crate::carrier::{CarrierEvent, PING, PONG, Status};
use crate::documents::{Documents, Update};

/// How long the hub keeps a `get` of ours open without cover, ms: it answers when a box arrives.
const GET_DEADLINE_MS: u32 = 30_000;
/// Deadline of a look without cover, ms: the hub answers as soon as it has looked.
const LOOK_MS: u32 = 1;
/// Shortest and longest deadline of a `get` under cover, s: it is answered then and not before.
const HELD_S: (u32, u32) = (4, 32);
/// How long the entry relay may be unreachable before another is taken.
const ENTRY_PATIENCE: Duration = Duration::from_secs(4);
/// File of the pinned entries inside a `--dir`.
const PINS: &str = "entries";

/// How a client uses the onion route.
#[derive(Debug, Clone)]
pub struct OnionOptions {
    /// The network.
    pub pointer: NetworkPointer,
    /// The hub to talk to.
    pub hub: NodeId,
    /// Our access key there.
    pub access: AccessKey,
    /// Cover level; `None` takes the document's.
    pub cover: Option<CoverLevel>,
    /// How the entry is chosen.
    pub entry: EntryPolicy,
    /// Where document and pins are kept; `None` keeps nothing.
    pub dir: Option<PathBuf>,
    /// How the directory and the entry relay are reached.
    pub dialer: Dialer,
    /// Our enrolment, in a network that seals its document.
    pub key: Option<Arc<EnrolmentKey>>,
}

enum Asked {
    Put { call: CallId },
    Get { call: CallId, ids: Vec<BoxId> },
    Probe,
    Trace,
}

struct Entry {
    id: NodeId,
    addresses: Vec<Address>,
    link: Outbound,
    up: bool,
    was_up: bool,
    down_since: tokio::time::Instant,
}

/// The onion route in use.
pub struct OnionCarrier {
    options: OnionOptions,
    clock: Clock,
    documents: Documents,
    client: OnionClient,
    entry: Option<Entry>,
    asked: HashMap<RequestHandle, Asked>,
    handles: HashMap<CallId, RequestHandle>,
    boot: Option<BootId>,
    reports: VecDeque<CarrierEvent>,
    status: Option<Status>,
    /// Whom paths avoid.
    faults: Vec<Fault>,
}

impl OnionCarrier {
    /// Starts; nothing travels before a document is there and the entry relay answers.
    #[must_use]
    pub fn start(options: OnionOptions) -> Self {
        let clock = Clock::start();
        let dir = options.dir.as_deref();
        let (dialer, key) = (options.dialer.clone(), options.key.clone());
        let documents = Documents::follow(options.pointer.clone(), clock, dir, dialer, key);
        let pins = options.dir.as_deref().and_then(load_pins).unwrap_or_default();
        let config = ClientConfig {
            cover: options.cover,
            entry: options.entry,
            dials: dials(&options.dialer),
            pins,
            cover_body: wire::encode(&box_protocol::echo(options.access)),
            mix: None,
        };
        let client = OnionClient::new(config);
        let mut carrier = OnionCarrier {
            options,
            clock,
            documents,
            client,
            entry: None,
            asked: HashMap::new(),
            handles: HashMap::new(),
            boot: None,
            reports: VecDeque::new(),
            status: None,
            faults: Vec::new(),
        };
        if let Some(document) = carrier.documents.current() {
            carrier.take(&document);
        }
        carrier.explain();
        carrier
    }

    /// The document in use.
    #[must_use]
    pub fn document(&self) -> Option<Arc<VerifiedDocument>> {
        self.documents.current()
    }

    /// What cover traffic costs, kB a minute in both directions.
    #[must_use]
    pub fn cover_kb_per_min(&self) -> u64 {
        self.client.cost_kb_per_min()
    }

    /// Document time.
    #[must_use]
    pub fn document_time(&self) -> Option<Timestamp> {
        self.documents.time()
    }

    /// Asks the hub over fresh paths until it answers.
    pub fn call(&mut self, call: CallId, what: &Call) {
        let now = self.clock.now();
        let (request, wait, asked) = match what {
            Call::Put(sealed) => {
                (box_protocol::put(self.options.access, sealed), 0, Asked::Put { call })
            }
            Call::Get(ids) | Call::Look(ids) => {
                let hold = self.client.has_cover();
                let wish = match (hold, what) {
                    (true, Call::Look(_)) => HELD_S.0.saturating_mul(1_000),
                    (true, _) => self.held_ms(),
                    (false, Call::Look(_)) => LOOK_MS,
                    (false, _) => GET_DEADLINE_MS,
                };
                let wait = wish.min(self.client.max_deadline_ms(now));
                let request = box_protocol::onion_get(self.options.access, ids, wait, hold);
                (request, wait, Asked::Get { call, ids: ids.clone() })
            }
        };
        self.ask(&request, wait, asked);
    }

    /// An `echo` to the hub: reported as [`CarrierEvent::Answered`].
    pub fn probe(&mut self) {
        let request = box_protocol::echo(self.options.access);
        self.ask(&request, 0, Asked::Probe);
    }

    /// An `echo` over these relays, the first of which is the entry, and back the same way:
    /// reported as [`CarrierEvent::Probed`]. False when there is no such way.
    pub fn probe_over(&mut self, probe: u32, relays: &[NodeId], patience: Duration) -> bool {
        let (now, hub) = (self.clock.now(), self.options.hub);
        let patience = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        self.client.probe(now, (probe, hub), relays, patience, &mut rand::rng()).is_ok()
    }

    /// An `echo` whose way is wanted: reported as [`CarrierEvent::Traced`].
    pub fn trace(&mut self) {
        let request = box_protocol::echo(self.options.access);
        self.ask(&request, 0, Asked::Trace);
    }

    /// The deadline at which our open `get`s use half of the payload slots, rounded up to a power
    /// of two so that it says little about how many there are.
    fn held_ms(&self) -> u32 {
        let open = self.asked.values().filter(|a| matches!(a, Asked::Get { .. })).count() + 1;
        let open = u32::try_from(open).unwrap_or(u32::MAX);
        let seconds = open.saturating_mul(2_000) / self.client.payload_rate().max(1);
        let (least, most) = HELD_S;
        seconds.clamp(least, most).next_power_of_two().saturating_mul(1_000)
    }

    fn ask(&mut self, request: &Request, wait: u32, asked: Asked) {
        let call = match &asked {
            Asked::Put { call } | Asked::Get { call, .. } => Some(*call),
            Asked::Probe | Asked::Trace => None,
        };
        let body = wire::encode(request);
        let taken = match &asked {
            Asked::Trace => self.client.request_traced(self.options.hub, body),
            _ => self.client.request(self.options.hub, body, wait),
        };
        match taken {
            Ok(handle) => {
                if let Some(call) = call {
                    self.handles.insert(call, handle);
                }
                self.asked.insert(handle, asked);
            }
            // The queue is bounded; the room offers the call again after this.
            Err(_) => {
                if let Some(report) = give_up(&asked) {
                    self.reports.push_back(report);
                }
            }
        }
        self.pump();
    }

    /// The answer is no longer wanted.
    pub fn cancel(&mut self, call: CallId) {
        if let Some(handle) = self.handles.remove(&call) {
            self.client.cancel(handle);
            self.asked.remove(&handle);
        }
    }

    /// The next report. Safe to drop while it waits.
    pub async fn next(&mut self) -> CarrierEvent {
        loop {
            self.pump();
            if let Some(report) = self.reports.pop_front() {
                return report;
            }
            let now = self.clock.now();
            let due = self
                .client
                .deadline()
                .unwrap_or(now.plus_millis(1_000))
                .min(now.plus_millis(1_000));
            let wake = self.clock.instant(due);
            tokio::select! {
                update = self.documents.next() => match update {
                    Update::Newer(document) => self.take(&document),
                    Update::Changed => {}
                    Update::AskNode(ask) => {
                        if let Some(entry) = self.entry.as_ref().filter(|e| e.up) {
                            let _ = entry.link.try_send(ask);
                        }
                    }
                },
                event = entry_event(&mut self.entry) => self.entry_event(event),
                () = tokio::time::sleep_until(wake) => self.watch_entry(),
            }
            self.explain();
        }
    }

    fn take(&mut self, document: &Arc<VerifiedDocument>) {
        let now = self.clock.now();
        if let Some(time) = self.documents.time() {
            self.client.set_time(now, time);
        }
        if let Err(error) = self.client.set_document(now, document, &mut rand::rng()) {
            self.say(false, &format!("the network document cannot be used: {error}"));
        }
        self.follow_entry();
        self.save_pins();
    }

    /// Connects to the entry relay that the client core wants.
    fn follow_entry(&mut self) {
        let wanted = self.client.entry();
        let document = self.document();
        let addresses = wanted.and_then(|id| Some(document.as_ref()?.node(&id)?.addresses.clone()));
        let addresses = self.options.dialer.order(&addresses.unwrap_or_default());
        let same = |e: &Entry| Some(e.id) == wanted && e.addresses == addresses;
        if self.entry.as_ref().map_or(wanted.is_none(), same) {
            return;
        }
        if self.entry.take().is_some() {
            self.client.link_down();
        }
        let Some(id) = wanted.filter(|_| !addresses.is_empty()) else { return };
        let token = ClientToken::new(rand::random());
        let link = Outbound::spawn(OutboundConfig {
            hello: vec![Frame::Attach(token)],
            ping_after: PING,
            pong_timeout: PONG,
            dialer: self.options.dialer.clone(),
            ..OutboundConfig::new(addresses.clone(), id, None)
        });
        self.client.set_token(token);
        self.entry = Some(Entry {
            id,
            addresses,
            link,
            up: false,
            was_up: false,
            down_since: tokio::time::Instant::now(),
        });
    }

    fn entry_event(&mut self, event: EntryEvent) {
        let now = self.clock.now();
        match event {
            EntryEvent::Frame(Frame::Reply { surb_id, padded }) => {
                self.client.handle_reply(now, surb_id, &padded);
            }
            EntryEvent::Frame(Frame::Attached(_)) => {
                if let Some(entry) = &mut self.entry {
                    (entry.up, entry.was_up) = (true, true);
                }
                self.client.link_up();
                // What was answered while the link was away went nowhere.
                self.ask_again();
            }
            EntryEvent::Frame(frame) => {
                if let Some(document) = self.documents.heard_from_node(frame) {
                    self.take(&document);
                }
            }
            EntryEvent::Down => {
                if let Some(entry) = &mut self.entry {
                    if entry.up {
                        entry.down_since = tokio::time::Instant::now();
                    }
                    entry.up = false;
                }
                self.client.link_down();
                self.watch_entry();
            }
        }
    }

    /// An entry that stays away is replaced by the next pinned one.
    fn watch_entry(&mut self) {
        let away =
            self.entry.as_ref().is_some_and(|e| !e.up && e.down_since.elapsed() >= ENTRY_PATIENCE);
        if away {
            self.client.entry_failed(self.clock.now(), &mut rand::rng());
            if let Some(entry) = &mut self.entry {
                entry.down_since = tokio::time::Instant::now();
            }
            self.save_pins();
        }
        self.follow_entry();
    }

    fn pump(&mut self) {
        let now = self.clock.now();
        while let Some(output) = self.client.poll(now, &mut rand::rng()) {
            match output {
                Output::Send { epoch, packet, .. } => {
                    if let Some(entry) = &self.entry {
                        // A full queue is a lost packet: it is retried by a fresh one.
                        let _ = entry.link.try_send(Frame::Packet { epoch, packet });
                    }
                }
                Output::Sent { handle } => {
                    if let Some(Asked::Put { call }) = self.asked.get(&handle) {
                        self.reports.push_back(CarrierEvent::Sent(*call));
                    }
                }
                Output::Answer { handle, body, after_ms, receipt } => {
                    self.answered(handle, &body, after_ms, receipt);
                }
                Output::Trace(trace) => {
                    let names: Vec<String> = trace.relays.iter().map(NodeId::short).collect();
                    let text = format!(
                        "sending via relay {} → hub, {} bytes ({})",
                        names.join(" → "),
                        trace.packet_len,
                        trace.what
                    );
                    self.reports.push_back(CarrierEvent::Path { text, relays: trace.relays.len() });
                }
                Output::DocumentWanted => self.documents.ask(),
                Output::Avoided(faults) => self.tell_faults(faults),
                Output::Probed { probe, came_back } => {
                    self.reports.push_back(CarrierEvent::Probed(probe, came_back));
                }
                _ => {}
            }
        }
        self.follow_entry();
    }

    /// Says who loses packets, and who does no longer.
    fn tell_faults(&mut self, faults: Vec<Fault>) {
        let before = std::mem::replace(&mut self.faults, faults);
        let named = |fault: &Fault| match fault {
            Fault::Node(node) => format!("node {}", node.short()),
            Fault::Link(from, to) => format!("the link from {} to {}", from.short(), to.short()),
        };
        let new = self.faults.iter().filter(|fault| !before.contains(fault));
        let gone = before.iter().filter(|fault| !self.faults.contains(fault));
        let texts = new
            .map(|fault| format!("{} loses packets; new ones go another way", named(fault)))
            .chain(gone.map(|fault| format!("{} is used again", named(fault))));
        self.reports.extend(texts.map(CarrierEvent::Notice));
    }

    fn answered(
        &mut self,
        handle: RequestHandle,
        body: &[u8],
        after_ms: u64,
        receipt: Option<Box<Receipt>>,
    ) {
        let Some(asked) = self.asked.remove(&handle) else { return };
        if let Asked::Put { call } | Asked::Get { call, .. } = &asked {
            self.handles.remove(call);
        }
        let response = match box_protocol::open(body) {
            Ok(response) => response,
            Err(error) => {
                self.reports.push_back(CarrierEvent::Notice(error.to_string()));
                self.reports.extend(give_up(&asked));
                return;
            }
        };
        self.watch_boot(response.boot);
        let report = match &asked {
            Asked::Probe => Some(CarrierEvent::Answered(Duration::from_millis(after_ms))),
            Asked::Trace => Some(CarrierEvent::Traced(receipt)),
            Asked::Put { call } => match box_protocol::put_outcome(&response) {
                Ok(outcome) => {
                    self.reports.push_back(CarrierEvent::Answered(Duration::from_millis(after_ms)));
                    Some(CarrierEvent::Put(*call, outcome))
                }
                Err(error) => {
                    self.reports.push_back(CarrierEvent::Notice(error.to_string()));
                    None
                }
            },
            Asked::Get { call, ids } => match box_protocol::boxes(response, ids) {
                Ok(boxes) => Some(CarrierEvent::Boxes(*call, boxes)),
                Err(error) => {
                    self.reports.push_back(CarrierEvent::Notice(error.to_string()));
                    None
                }
            },
        };
        match report {
            Some(report) => self.reports.push_back(report),
            None => self.reports.extend(give_up(&asked)),
        }
    }

    /// A hub with another boot id has forgotten the `get`s that were open: they are asked again.
    fn watch_boot(&mut self, boot: BootId) {
        if self.boot.replace(boot).is_some_and(|before| before != boot) {
            self.ask_again();
        }
    }

    /// Sends every open `get` again: what held it may be gone, and asking twice is harmless.
    fn ask_again(&mut self) {
        let open: Vec<RequestHandle> = self
            .asked
            .iter()
            .filter(|(_, a)| matches!(a, Asked::Get { .. }))
            .map(|(h, _)| *h)
            .collect();
        for handle in open {
            self.client.resend(handle);
        }
    }

    fn say(&mut self, up: bool, text: &str) {
        let status = Status { up, text: text.to_owned() };
        if self.status.as_ref() != Some(&status) {
            self.status = Some(status.clone());
            self.reports.push_back(CarrierEvent::Status(status));
        }
    }

    /// Says how the route stands, if that has changed: the first thing that is missing, in the
    /// order of the way.
    fn explain(&mut self) {
        let note = match self.documents.trouble() {
            Some((true, text)) => return self.say(false, &text),
            Some((false, text)) => format!("; {text}"),
            None => String::new(),
        };
        let Some(document) = self.document() else { return };
        let relays = document.longest_path();
        let needed = usize::from(document.paths.min_relays);
        if relays < needed {
            return self.say(
                false,
                &format!(
                    "too few relays: {relays} in the network, paths need {needed}; messages wait"
                ),
            );
        }
        if document.node(&self.options.hub).is_none() {
            return self.say(false, "the hub is not in the network at the moment; messages wait");
        }
        let silent = self.client.is_silent(self.clock.now(), &self.options.hub);
        match &self.entry {
            Some(entry) if entry.up && silent => {
                self.say(false, "the hub does not answer; trying again");
            }
            Some(entry) if entry.up => match self.client.cost_kb_per_min() {
                0 => self.say(true, &format!("connected{note}")),
                cost => {
                    let text = format!("connected; cover traffic costs about {cost} kB/min{note}");
                    self.say(true, &text);
                }
            },
            Some(entry) if entry.was_up => self.say(false, "the entry relay is gone; trying again"),
            _ => self.say(false, "connecting to the entry relay"),
        }
    }

    fn save_pins(&self) {
        if let Some(dir) = &self.options.dir {
            // Losing the pins costs a new draw, not the session.
            let _ = std::fs::write(dir.join(PINS), wire::encode(self.client.pins()));
        }
    }
}

/// What the room is told when a call cannot be carried: it asks again by itself.
fn give_up(asked: &Asked) -> Option<CarrierEvent> {
    match asked {
        Asked::Put { call } => Some(CarrierEvent::Put(*call, PutOutcome::SlowDown)),
        Asked::Get { call, .. } => Some(CarrierEvent::Unanswered(*call)),
        Asked::Probe | Asked::Trace => None,
    }
}

/// Which entries can be reached.
fn dials(dialer: &Dialer) -> Dials {
    let any = Address::Ip(([0, 0, 0, 0], 1).into());
    match dialer {
        Dialer::Direct => Dials::NoOnion,
        dialer if dialer.reaches(&any) => Dials::All,
        _ => Dials::OnionOnly,
    }
}

fn load_pins(dir: &Path) -> Option<EntryPins> {
    wire::decode(&std::fs::read(dir.join(PINS)).ok()?, "pinned entries").ok()
}

enum EntryEvent {
    Frame(Frame),
    Down,
}

/// The next thing from the entry link; for ever if there is none.
async fn entry_event(entry: &mut Option<Entry>) -> EntryEvent {
    let Some(entry) = entry else { return std::future::pending().await };
    let mut status = entry.link.status();
    loop {
        // Looked at before waiting: the link may have gone down while nobody waited.
        if matches!(*status.borrow_and_update(), net::Status::Down(_)) && entry.up {
            return EntryEvent::Down;
        }
        tokio::select! {
            frame = entry.link.recv() => match frame {
                Some(frame) => return EntryEvent::Frame(frame),
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
