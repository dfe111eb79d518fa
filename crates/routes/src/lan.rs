//! The LAN: neighbours that link, what they say, people nearby and their knocks.
//!
//! One task holds the beacons and the listeners; each link has two tasks, one for each way. Who is
//! who `mesh` decides.

mod greet;
mod link;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mesh::discovery::{Discovery, Known, NEARBY_MS};
use mesh::{Account, LinkId, Pair};
use net::lan::{Allowed, Beacons, Interface};
use net::{Clock, Identity, Incoming, Listener, ListenerLimits};
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use wire::mesh::Message;
use wire::{NodeId, Timestamp};

use self::greet::{Greeted, dial, incoming, knock};
use self::link::Outgoing;

/// How often interfaces are looked at: a cable may have been plugged in.
const RESCAN: Duration = Duration::from_secs(10);
/// A beacon in answer to another's waits so long, so that several are answered at once.
const ANSWER_AFTER: Duration = Duration::from_millis(150);
/// Events that the engine has not taken; then links are read no further.
const EVENTS: usize = 256;
/// Knocks that wait for a yes.
const MAX_KNOCKS: usize = 8;
/// Addresses of those who show themselves, before those that are remembered no more are dropped.
const MAX_ADDRESSES: usize = 512;
/// Greetings at one time, both ways.
const MAX_GREETINGS: usize = 64;

/// What happens on the LAN.
#[derive(Debug)]
pub enum LanEvent {
    /// A neighbour is linked and has proved who it is.
    Up {
        /// The link.
        link: LinkId,
        /// Who.
        known: Known,
        /// Whether we dialled.
        dialled: bool,
    },
    /// It says something.
    Message(LinkId, Message),
    /// What it was to be told has left.
    Sent(LinkId),
    /// It is gone.
    Down(LinkId),
    /// Somebody new shows themselves.
    Shown,
    /// A stranger asks to become a contact; the answer is [`Lan::answer_knock`].
    Knocked {
        /// For the answer.
        knock: u64,
        /// The name they gave, not neutralised.
        name: String,
        /// Words that both see, bound to the keys of both ends.
        words: String,
    },
    /// Whom we knock at sees these words too.
    Knocking {
        /// The words.
        words: String,
    },
    /// The answer to our knock: an invite's text, or none.
    Welcomed(Option<String>),
    /// Something to know, in words.
    Notice(String),
}

enum Op {
    Pairs(Vec<Pair>),
    Send(LinkId, Message),
    Close(LinkId),
    Show(String, Duration),
    Hide,
    Nearby(oneshot::Sender<Vec<Person>>),
    Knock(NodeId, String),
    AnswerKnock(u64, Option<String>),
    Interfaces(oneshot::Sender<Vec<String>>),
    Finish(oneshot::Sender<()>),
}

/// Somebody who shows themselves on the LAN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name they show, not neutralised.
    pub name: String,
    /// Where to knock.
    pub key: NodeId,
    /// How long ago they were heard, ms.
    pub ago_ms: u64,
}

/// The LAN in use; it ends when this is dropped.
pub struct Lan {
    ops: mpsc::UnboundedSender<Op>,
    task: AbortHandle,
}

impl Drop for Lan {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Lan {
    /// Starts on the interfaces that the user allows.
    pub fn start(allowed: Allowed) -> (Lan, mpsc::Receiver<LanEvent>) {
        let (ops, incoming_ops) = mpsc::unbounded_channel();
        let (events, out) = mpsc::channel(EVENTS);
        let me = Identity::generate(&mut UnwrapErr(SysRng));
        let (greeted_tx, greeted) = mpsc::channel(16);
        let task = Task {
            discovery: Arc::new(Mutex::new(Discovery::new(me.node_id()))),
            me,
            allowed,
            clock: Clock::start(),
            events,
            interfaces: Vec::new(),
            beacons: None,
            port: 0,
            accepting: JoinSet::new(),
            greetings: JoinSet::new(),
            greeted_tx,
            links: HashMap::new(),
            next: 0,
            knocks: Arc::default(),
            addresses: HashMap::new(),
            warned: Vec::new(),
            finished: None,
        };
        let task = tokio::spawn(task.run(incoming_ops, greeted)).abort_handle();
        (Lan { ops, task }, out)
    }

    fn tell(&self, op: Op) {
        // The task ends with this handle only.
        let _ = self.ops.send(op);
    }

    /// Those whom we may meet.
    pub fn set_pairs(&self, pairs: Vec<Pair>) {
        self.tell(Op::Pairs(pairs));
    }

    /// Says something to a neighbour; [`LanEvent::Sent`] or [`LanEvent::Down`] follows.
    pub fn send(&self, link: LinkId, message: Message) {
        self.tell(Op::Send(link, message));
    }

    /// Ends a link.
    pub fn close(&self, link: LinkId) {
        self.tell(Op::Close(link));
    }

    /// Shows a name to all for so long.
    pub fn show(&self, name: String, time: Duration) {
        self.tell(Op::Show(name, time));
    }

    /// Shows it no more.
    pub fn hide(&self) {
        self.tell(Op::Hide);
    }

    /// Knocks at somebody who shows themselves.
    pub fn knock(&self, at: NodeId, name: String) {
        self.tell(Op::Knock(at, name));
    }

    /// Answers a knock with an invite, or with a no.
    pub fn answer_knock(&self, knock: u64, invite: Option<String>) {
        self.tell(Op::AnswerKnock(knock, invite));
    }

    /// People who show themselves.
    pub fn nearby(&self) -> oneshot::Receiver<Vec<Person>> {
        let (answer, answered) = oneshot::channel();
        self.tell(Op::Nearby(answer));
        answered
    }

    /// Ends all links when what was said has left; a second at most.
    pub async fn finish(self, mut events: mpsc::Receiver<LanEvent>) {
        let (answer, answered) = oneshot::channel();
        self.tell(Op::Finish(answer));
        // Nobody takes events any more, and no link must wait for that.
        let reading = async { while events.recv().await.is_some() {} };
        tokio::select! {
            _ = tokio::time::timeout(link::GOODBYE, answered) => {}
            () = reading => {}
        }
    }

    /// Names of the interfaces in use.
    pub fn interfaces(&self) -> oneshot::Receiver<Vec<String>> {
        let (answer, answered) = oneshot::channel();
        self.tell(Op::Interfaces(answer));
        answered
    }
}

/// Discovery, shared with the greetings under way. Locked for single calls only.
type Shared = Arc<Mutex<Discovery>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Discovery> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the end of a link is told.
type Ended = mpsc::UnboundedSender<(LinkId, Account)>;

/// Knocks that wait, by their number.
type Knocks = Arc<Mutex<HashMap<u64, oneshot::Sender<Option<String>>>>>;

struct Task {
    me: Identity,
    discovery: Shared,
    allowed: Allowed,
    clock: Clock,
    events: mpsc::Sender<LanEvent>,
    interfaces: Vec<Interface>,
    beacons: Option<Beacons>,
    port: u16,
    accepting: JoinSet<()>,
    greetings: JoinSet<()>,
    greeted_tx: mpsc::Sender<Greeted>,
    links: HashMap<LinkId, Outgoing>,
    next: u64,
    knocks: Knocks,
    /// Where those who show themselves can be dialled, with the interface that IPv6 needs.
    addresses: HashMap<NodeId, SocketAddr>,
    warned: Vec<String>,
    /// Who waits for the end of all links.
    finished: Option<oneshot::Sender<()>>,
}

impl Task {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn run(
        mut self,
        mut ops: mpsc::UnboundedReceiver<Op>,
        mut greeted: mpsc::Receiver<Greeted>,
    ) {
        let (ended_tx, mut ended) = mpsc::unbounded_channel();
        let mut beacon_at = Instant::now();
        let mut rescan_at = Instant::now();
        loop {
            if let Some(answer) = self.finished.take_if(|_| self.links.is_empty()) {
                let _ = answer.send(());
            }
            tokio::select! {
                op = ops.recv() => match op {
                    Some(op) => self.op(op, &mut beacon_at).await,
                    None => return,
                },
                (bytes, from) = heard(self.beacons.as_ref()) => {
                    if self.on_datagram(&bytes, from).await {
                        beacon_at = beacon_at.min(Instant::now() + ANSWER_AFTER);
                    }
                }
                Some(greeted) = greeted.recv() => self.linked(greeted, &ended_tx).await,
                Some((link, account)) = ended.recv() => self.ended(link, account).await,
                () = tokio::time::sleep_until(beacon_at) => beacon_at = self.call_out().await,
                () = tokio::time::sleep_until(rescan_at) => {
                    rescan_at = Instant::now() + RESCAN;
                    if self.rescan().await {
                        beacon_at = Instant::now();
                    }
                }
                Some(_) = self.greetings.join_next() => {}
            }
        }
    }

    async fn tell(&self, event: LanEvent) {
        // Fails only when the engine is gone, and this task with it.
        let _ = self.events.send(event).await;
    }

    async fn op(&mut self, op: Op, beacon_at: &mut Instant) {
        match op {
            Op::Pairs(pairs) => {
                lock(&self.discovery).set_pairs(pairs);
                *beacon_at = (*beacon_at).min(Instant::now() + ANSWER_AFTER);
            }
            Op::Send(link, message) => {
                if let Some(outgoing) = self.links.get(&link) {
                    outgoing.send(message);
                }
            }
            Op::Close(link) => {
                // Its tasks end, and say so.
                self.links.remove(&link);
            }
            Op::Show(name, time) => {
                let until =
                    self.now().plus_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
                lock(&self.discovery).show(&name, until);
                *beacon_at = Instant::now();
            }
            Op::Hide => lock(&self.discovery).hide(),
            Op::Nearby(answer) => {
                let _ = answer.send(self.people());
            }
            Op::Finish(answer) => {
                self.links.values().for_each(Outgoing::finish);
                self.finished = Some(answer);
            }
            Op::Interfaces(answer) => {
                let _ = answer.send(self.interfaces.iter().map(|i| i.name.clone()).collect());
            }
            Op::Knock(key, name) => self.knock(key, name).await,
            Op::AnswerKnock(knock, invite) => {
                let waiting =
                    self.knocks.lock().unwrap_or_else(PoisonError::into_inner).remove(&knock);
                if let Some(answer) = waiting {
                    let _ = answer.send(invite);
                }
            }
        }
    }

    fn people(&mut self) -> Vec<Person> {
        let now = self.now();
        let mut discovery = lock(&self.discovery);
        let person = |n: &mesh::discovery::Nearby| Person {
            name: n.name.reveal().clone(),
            key: n.spot.key,
            ago_ms: now.millis_since(n.heard).min(NEARBY_MS),
        };
        let people: Vec<Person> = discovery.nearby(now).map(person).collect();
        self.addresses.retain(|key, _| people.iter().any(|p| p.key == *key));
        people
    }

    async fn knock(&mut self, key: NodeId, name: String) {
        let known = self.people().iter().any(|p| p.key == key);
        let Some(to) = self.addresses.get(&key).copied().filter(|_| known) else {
            return self.tell(LanEvent::Welcomed(None)).await;
        };
        self.greetings.spawn(knock(to, key, self.me.clone(), name, self.events.clone()));
    }

    /// A beacon, or something else, was heard; whether to call out soon.
    async fn on_datagram(&mut self, bytes: &[u8], from: SocketAddr) -> bool {
        let heard = lock(&self.discovery).on_datagram(self.now(), from.ip(), bytes);
        let at = |port: u16| {
            let mut to = from;
            to.set_port(port);
            to
        };
        if let Some((spot, new)) = heard.shown {
            // A person who is forgotten cannot be knocked at either.
            if self.addresses.len() >= MAX_ADDRESSES {
                self.people();
            }
            self.addresses.insert(spot.key, at(spot.port));
            if new {
                self.tell(LanEvent::Shown).await;
            }
        }
        for wanted in heard.dial {
            if self.greetings.len() < MAX_GREETINGS {
                let to = at(wanted.spot.port);
                let (discovery, out) = (self.discovery.clone(), self.greeted_tx.clone());
                self.greetings.spawn(dial(to, wanted, self.me.clone(), discovery, out));
            }
        }
        heard.answer
    }

    async fn call_out(&mut self) -> Instant {
        let now = self.now();
        let next = lock(&self.discovery).next_round(now, &mut rand::rng());
        let silent = !lock(&self.discovery).has_business(now);
        if let Some(beacons) = self.beacons.as_ref().filter(|_| !silent) {
            for from in beacons.sources() {
                let bytes = lock(&self.discovery).beacon(now, from, self.port, &mut rand::rng());
                // What cannot be sent now is sent in five seconds; `doctor` says why.
                let _ = beacons.send(from, &bytes).await;
            }
        }
        Instant::now() + Duration::from_millis(next.millis_since(now))
    }

    /// Looks at the interfaces; true when they have changed and all is opened again.
    async fn rescan(&mut self) -> bool {
        let found = net::lan::interfaces(&self.allowed).unwrap_or_default();
        if found == self.interfaces && self.beacons.is_some() {
            return false;
        }
        self.accepting = JoinSet::new();
        let limits = ListenerLimits {
            max_connections: 128,
            max_per_ip: 16,
            max_handshakes: 32,
            ..Default::default()
        };
        let limits = ListenerLimits { link: link::LIMITS, ..limits };
        let mut warnings = Vec::new();
        match net::lan::listen(&self.me, &found, limits).await {
            Ok((port, listeners)) => {
                self.port = port;
                listeners.into_iter().for_each(|l| self.accept_from(l));
            }
            Err(error) => warnings.push(format!("neighbours cannot link to us: {error}")),
        }
        let (beacons, more) = Beacons::open(&found);
        warnings.extend(more);
        if found.is_empty() {
            warnings.push(
                "no interface of this machine may be used for the LAN at the moment".to_owned(),
            );
        }
        self.beacons = Some(beacons);
        self.interfaces = found;
        if warnings != self.warned {
            for text in &warnings {
                self.tell(LanEvent::Notice(text.clone())).await;
            }
            self.warned = warnings;
        }
        true
    }

    fn accept_from(&mut self, listener: Listener) {
        let (discovery, out) = (self.discovery.clone(), self.greeted_tx.clone());
        let (events, knocks, clock, me) =
            (self.events.clone(), self.knocks.clone(), self.clock, self.me.node_id());
        self.accepting.spawn(async move {
            let mut greetings = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let Ok(Incoming { link, .. }) = accepted else { return };
                        if greetings.len() < MAX_GREETINGS {
                            let shown = lock(&discovery).is_shown(clock.now());
                            let knocks = shown.then(|| knocks.clone());
                            greetings.spawn(incoming(link, me, discovery.clone(), out.clone(), knocks, events.clone()));
                        }
                    }
                    Some(_) = greetings.join_next() => {}
                }
            }
        });
    }

    async fn linked(&mut self, greeted: Greeted, ended: &Ended) {
        self.next += 1;
        let link = LinkId(self.next);
        let Greeted { known, dialled, halves } = greeted;
        lock(&self.discovery).linked(known.account);
        // First the engine learns of the link, then of what is said on it.
        self.tell(LanEvent::Up { link, known, dialled }).await;
        let outgoing =
            link::start((link, known.account), halves, self.events.clone(), ended.clone());
        self.links.insert(link, outgoing);
    }

    async fn ended(&mut self, link: LinkId, account: Account) {
        self.links.remove(&link);
        lock(&self.discovery).unlinked(self.now(), account);
        self.tell(LanEvent::Down(link)).await;
    }
}

async fn heard(beacons: Option<&Beacons>) -> (Vec<u8>, SocketAddr) {
    match beacons {
        Some(beacons) => beacons.recv().await,
        None => std::future::pending().await,
    }
}
