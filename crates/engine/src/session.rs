//! One open room over one route: what is asked goes in, what happens comes out.
//!
//! ```text
//!  start ──► waiting ── a document came: there is a time ──► open ── Leave ──► leaving ──► closed
//!               │                                              ▲                 │
//!               │ requests wait, at most 64                    └── Route: ───────┘ once all is
//!               └── the room cannot be opened ──► closed           another         stored
//!                                                                  carrier
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::{MessageState, RoomCommand, RoomEvent, TalkerId, TalkerView};
use e2ee::{NetworkPlace, Newlines, Nick, OwnerLink, RoomLink, TalkerKey, sanitize};
use messenger::request::{Call, CallId};
use messenger::room::{self, Output, Room};
use mix::directory::EnrolmentKey;
use mix::path::EntryPolicy;
use net::tor::Tor;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use routes::{Carrier, CarrierEvent, CarrierOptions, Error, Route, Shaping};
use tokio::sync::mpsc;
use wire::Timestamp;
use wire::document::CoverLevel;

use crate::{id, words};

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(struct SessionOptions);
wire::kind_debug!(
    enum JoinAs {
        Guest,
        Owner,
    }
);

/// Who joins.
#[derive(Clone)]
pub enum JoinAs {
    /// Anybody who holds the link.
    Guest(RoomLink),
    /// The room's owner.
    Owner(OwnerLink),
}

impl JoinAs {
    /// From a link's text, of either kind.
    ///
    /// # Errors
    /// Those of the link.
    pub fn parse(text: &str) -> Result<Self, e2ee::Error> {
        let text = text.trim();
        if text.starts_with(e2ee::link::OWNER_SCHEME) {
            OwnerLink::parse(text).map(JoinAs::Owner)
        } else {
            RoomLink::parse(text).map(JoinAs::Guest)
        }
    }

    /// Where the room is.
    #[must_use]
    pub const fn place(&self) -> &NetworkPlace {
        match self {
            JoinAs::Guest(link) => link.place(),
            JoinAs::Owner(link) => link.link().place(),
        }
    }
}

/// How to join.
#[derive(Clone)]
pub struct SessionOptions {
    /// The room, and as whom.
    pub join: JoinAs,
    /// Our name.
    pub nick: Nick,
    /// The route.
    pub route: Route,
    /// Cover level; `None` takes the document's.
    pub cover: Option<CoverLevel>,
    /// How the entry relay is chosen.
    pub entry: EntryPolicy,
    /// How the traffic is shaped on a route without relays.
    pub shaping: Shaping,
    /// Where document and pinned entries are kept.
    pub dir: Option<PathBuf>,
    /// Tor, for the routes that need it.
    pub tor: Option<Tor>,
    /// Our enrolment, in a network that seals its document.
    pub key: Option<Arc<EnrolmentKey>>,
}

impl SessionOptions {
    fn carrier(&self) -> CarrierOptions {
        CarrierOptions {
            place: self.join.place().clone(),
            route: self.route,
            cover: self.cover,
            entry: self.entry,
            shaping: self.shaping,
            dir: self.dir.clone(),
            tor: self.tor.clone(),
            key: self.key.clone(),
        }
    }
}

/// A running session. Dropping the command sender leaves.
pub struct Session {
    carrier: Carrier,
    options: SessionOptions,
    room: Option<Room>,
    events: mpsc::Sender<RoomEvent>,
    /// Our messages on their way: number → when they were said.
    ours: BTreeMap<u64, Instant>,
    /// What the carrier has been asked and has not answered: another carrier is asked again.
    open: BTreeMap<CallId, Call>,
    /// Requests that came before the room could be opened.
    early: VecDeque<RoomCommand>,
    leaving: bool,
}

/// Events that a front end may leave unread before the session waits for it.
const EVENT_QUEUE: usize = 1024;

impl Session {
    /// Starts a session in the background.
    ///
    /// # Errors
    /// When the directory given for document and entries cannot be used, or a route needs Tor and
    /// there is none.
    pub fn start(
        options: SessionOptions,
    ) -> Result<(mpsc::Sender<RoomCommand>, mpsc::Receiver<RoomEvent>), Error> {
        let (commands_tx, commands) = mpsc::channel(256);
        let (events, events_rx) = mpsc::channel(EVENT_QUEUE);
        let carrier = Carrier::start(options.carrier())?;
        let session = Session {
            carrier,
            options,
            room: None,
            events,
            ours: BTreeMap::new(),
            open: BTreeMap::new(),
            early: VecDeque::new(),
            leaving: false,
        };
        tokio::spawn(session.run(commands));
        Ok((commands_tx, events_rx))
    }

    async fn run(mut self, mut commands: mpsc::Receiver<RoomCommand>) {
        let mut listening = true;
        while !self.is_over() && !self.events.is_closed() {
            let wake = self.wake();
            // While the outbox is far behind nothing more is taken: what types or pipes waits.
            let take = listening && self.early.len() < 64 && self.ours.len() < 1_000;
            tokio::select! {
                report = self.carrier.next() => self.report(report).await,
                command = commands.recv(), if take => match command {
                    Some(command) => self.command(command).await,
                    None => {
                        listening = false;
                        if !self.leaving {
                            self.command(RoomCommand::Leave).await;
                        }
                    }
                },
                () = tokio::time::sleep(wake) => self.tick().await,
            }
        }
        let _ = self.events.send(RoomEvent::Closed).await;
    }

    fn is_over(&self) -> bool {
        self.leaving && self.early.is_empty() && self.room.as_ref().is_none_or(Room::is_drained)
    }

    fn now(&self) -> Timestamp {
        self.carrier.document_time().unwrap_or(Timestamp::ZERO)
    }

    fn wake(&self) -> Duration {
        let Some(room) = &self.room else { return Duration::from_secs(1) };
        let due = room.deadline().since(self.now());
        due.clamp(Duration::from_millis(1), Duration::from_secs(1))
    }

    async fn tell(&self, event: RoomEvent) {
        // A front end that is gone has ended the session; the loop notices.
        let _ = self.events.send(event).await;
    }

    async fn notice(&self, text: impl Into<String>) {
        self.tell(RoomEvent::Notice { text: text.into() }).await;
    }

    /// Opens the room as soon as there is document time.
    async fn open(&mut self) {
        let Some(now) = self.carrier.document_time() else { return };
        if self.room.is_some() {
            return;
        }
        let nick = self.options.nick.clone();
        let joined = match &self.options.join {
            JoinAs::Guest(link) => Room::join(link, nick, now, &mut UnwrapErr(SysRng)),
            JoinAs::Owner(link) => Room::join_as_owner(link, nick, now, &mut UnwrapErr(SysRng)),
        };
        match joined {
            Ok(mut room) => {
                room.set_sizes(self.carrier.sizes());
                self.tell(RoomEvent::Joined { you: room.my_name() }).await;
                self.room = Some(room);
                for command in std::mem::take(&mut self.early) {
                    self.command(command).await;
                }
                self.pump().await;
            }
            Err(error) => {
                self.notice(format!("the room cannot be opened: {error}")).await;
                self.early.clear();
                self.leaving = true;
            }
        }
    }

    async fn tick(&mut self) {
        let now = self.now();
        if let Some(room) = &mut self.room
            && room.deadline() <= now
            && let Err(error) = room.tick(now)
        {
            self.notice(error.to_string()).await;
        }
        self.open().await;
        self.pump().await;
    }

    async fn report(&mut self, report: CarrierEvent) {
        let now = self.now();
        if let CarrierEvent::Put(call, _)
        | CarrierEvent::Boxes(call, _)
        | CarrierEvent::Unanswered(call) = &report
        {
            self.open.remove(call);
        }
        let outcome = match (report, &mut self.room) {
            (CarrierEvent::Status(status), _) => {
                self.tell(RoomEvent::Network { up: status.up, text: status.text }).await;
                Ok(())
            }
            (CarrierEvent::Path { text, relays }, _) => {
                self.tell(RoomEvent::Path { text, relays }).await;
                Ok(())
            }
            (CarrierEvent::Answered(after), _) => {
                let ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                self.tell(RoomEvent::Answered { ms }).await;
                Ok(())
            }
            (CarrierEvent::Notice(text), _) => {
                self.notice(text).await;
                Ok(())
            }
            // A session asks for none.
            (CarrierEvent::Probed(..) | CarrierEvent::Traced(_), _) => Ok(()),
            (CarrierEvent::Sent(call), Some(room)) => {
                room.on_sent(call);
                Ok(())
            }
            (CarrierEvent::Put(call, outcome), Some(room)) => room.on_put(now, call, outcome),
            (CarrierEvent::Boxes(call, boxes), Some(room)) => room.on_boxes(now, call, boxes),
            (CarrierEvent::Unanswered(call), Some(room)) => room.on_unanswered(now, call),
            (
                CarrierEvent::Sent(_)
                | CarrierEvent::Put(..)
                | CarrierEvent::Boxes(..)
                | CarrierEvent::Unanswered(_),
                None,
            ) => Ok(()),
        };
        if let Err(error) = outcome {
            self.notice(error.to_string()).await;
        }
        self.open().await;
        self.pump().await;
    }

    /// Takes new circuits; a new link stands before the old one goes.
    async fn renew(&mut self) {
        match &self.options.tor {
            Some(tor) if self.options.route.needs_tor() => {
                tor.renew();
                self.notice("moving to new circuits").await;
            }
            _ => self.notice("this route has no circuits of Tor").await,
        }
    }

    /// Takes another route; what is under way is asked for again by it.
    async fn travel_by(&mut self, route: Route) {
        let mut options = self.options.carrier();
        options.route = route;
        match Carrier::start(options) {
            Ok(carrier) => {
                // The old carrier's sockets close with it.
                self.carrier = carrier;
                self.options.route = route;
                for (id, call) in &self.open {
                    self.carrier.call(*id, call);
                }
                self.notice(format!("route: {}", route.name())).await;
            }
            Err(error) => self.notice(format!("{error}: the route stays as it is")).await,
        }
    }

    async fn command(&mut self, command: RoomCommand) {
        match command {
            RoomCommand::Route(route) => {
                return match words::hub_route(route) {
                    Some(route) => self.travel_by(route).await,
                    None => self.notice("open rooms do not use the local network").await,
                };
            }
            RoomCommand::Renew => return self.renew().await,
            RoomCommand::Safety(on) => {
                let place = self.options.join.place();
                let route = if on { Route::hidden(place) } else { Route::Direct };
                // Already as safe as asked: nothing changes.
                if !on || self.options.route == Route::Direct {
                    self.travel_by(route).await;
                }
                return;
            }
            _ => {}
        }
        let now = self.now();
        let Some(room) = &mut self.room else {
            // Nothing said yet: nothing to wait for.
            if matches!(command, RoomCommand::Leave) && self.early.is_empty() {
                self.leaving = true;
            } else {
                self.early.push_back(command);
            }
            return;
        };
        let done = match command {
            RoomCommand::Say(text) => match room.say(now, &text) {
                Ok(number) => {
                    self.ours.insert(number, Instant::now());
                    let (talker, from) = own(room);
                    let (text, at_ms) = (sanitize(&text, Newlines::Keep), now.as_millis());
                    let event = RoomEvent::Message { talker, from, text, at_ms, you: true };
                    self.tell(event).await;
                    Ok(())
                }
                Err(error) => Err(error.to_string()),
            },
            RoomCommand::Nick(name) => match Nick::new(&name) {
                Ok(nick) => match room.set_nick(now, nick) {
                    Ok(()) => {
                        let you = room.my_name();
                        self.tell(RoomEvent::Joined { you }).await;
                        Ok(())
                    }
                    Err(error) => Err(error.to_string()),
                },
                Err(error) => Err(error.to_string()),
            },
            RoomCommand::Who => {
                let people = room.who().into_iter().map(person).collect();
                self.tell(RoomEvent::Who { people }).await;
                Ok(())
            }
            RoomCommand::Link => {
                let link = room.link_now().to_text().to_string();
                self.tell(RoomEvent::Link { link }).await;
                Ok(())
            }
            RoomCommand::Mute(talker) => mute(room, now, talker, true),
            RoomCommand::Unmute(talker) => mute(room, now, talker, false),
            RoomCommand::Rekey(talkers) => rekey(room, now, &talkers),
            // Done above: they need no room.
            RoomCommand::Route(_) | RoomCommand::Safety(_) | RoomCommand::Renew => Ok(()),
            RoomCommand::Leave => {
                self.leaving = true;
                room.leave(now).map_err(|e| e.to_string())
            }
        };
        if let Err(text) = done {
            self.notice(text).await;
        }
        self.pump().await;
    }

    /// Hands the room's calls to the carrier and its events to the front end.
    async fn pump(&mut self) {
        while let Some(output) = self.room.as_mut().and_then(Room::poll) {
            match output {
                Output::Call(id, call) => {
                    self.carrier.call(id, &call);
                    self.open.insert(id, call);
                }
                Output::Cancel(id) => {
                    self.carrier.cancel(id);
                    self.open.remove(&id);
                }
                Output::Event(event) => self.event(event).await,
            }
        }
    }

    async fn event(&mut self, event: room::RoomEvent) {
        let event = match event {
            room::RoomEvent::Message { from, text, at } => RoomEvent::Message {
                talker: id::talker(&from.key),
                from: from.name,
                text,
                at_ms: at.as_millis(),
                you: false,
            },
            room::RoomEvent::State { message, state } => return self.state(message, state).await,
            room::RoomEvent::Here(who) => RoomEvent::Here { name: who.name },
            room::RoomEvent::Left(who) => RoomEvent::Left { name: who.name },
            room::RoomEvent::Renamed { from, to } => RoomEvent::Renamed { from, to: to.name },
            room::RoomEvent::Gap { from, boxes } => RoomEvent::Gap { name: from.name, boxes },
            room::RoomEvent::Notice(text) => {
                RoomEvent::Notice { text: format!("the owner says: {text}") }
            }
            room::RoomEvent::Muted { who, muted } => {
                let what = if muted { "muted" } else { "no longer muted" };
                RoomEvent::Notice { text: format!("{} is {what} by the owner", who.name) }
            }
            room::RoomEvent::Rekeyed => {
                RoomEvent::Notice { text: "the room has new keys; old links are dead".into() }
            }
            room::RoomEvent::LockedOut => RoomEvent::Notice {
                text: "the owner has given the room new keys without you: you see nothing new here"
                    .into(),
            },
            room::RoomEvent::Crowded(n) => RoomEvent::Notice {
                text: format!("the room is crowded: {n} talkers are not shown"),
            },
            room::RoomEvent::Trouble(text) => RoomEvent::Notice { text: text.to_owned() },
        };
        self.tell(event).await;
    }

    async fn state(&mut self, message: u64, state: room::MessageState) {
        let after = self.ours.get(&message).map_or(Duration::ZERO, Instant::elapsed);
        let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        let state = match state {
            room::MessageState::Queued => MessageState::Queued,
            room::MessageState::Sent => MessageState::Sent,
            room::MessageState::Stored => MessageState::Stored,
        };
        if state == MessageState::Stored {
            self.ours.remove(&message);
        }
        self.tell(RoomEvent::State { message, state, after_ms }).await;
    }
}

/// The key of a talker; refused when two talkers share what the id shows of it.
fn key_of(room: &Room, talker: TalkerId) -> Result<TalkerKey, String> {
    let mut fits = room.who().into_iter().filter(|p| !p.me && id::talker(&p.who.key) == talker);
    match (fits.next(), fits.next()) {
        (Some(one), None) => Ok(one.who.key),
        _ => Err(messenger::Error::NoSuchTalker.to_string()),
    }
}

/// Our own id and name in a room.
fn own(room: &Room) -> (TalkerId, String) {
    let me = room.who().into_iter().find(|p| p.me);
    me.map_or((TalkerId::new([0; 16]), String::new()), |p| (id::talker(&p.who.key), p.who.name))
}

fn mute(room: &mut Room, now: Timestamp, talker: TalkerId, muted: bool) -> Result<(), String> {
    let key = key_of(room, talker)?;
    room.mute(now, key, muted).map_err(|e| e.to_string())
}

fn rekey(room: &mut Room, now: Timestamp, talkers: &[TalkerId]) -> Result<(), String> {
    let keys: Vec<TalkerKey> =
        talkers.iter().map(|t| key_of(room, *t)).collect::<Result<_, _>>()?;
    room.rekey(now, &keys, &mut UnwrapErr(SysRng)).map_err(|e| e.to_string())
}

fn person(present: room::Present) -> TalkerView {
    TalkerView {
        id: id::talker(&present.who.key),
        name: present.who.name,
        you: present.me,
        left: present.left,
        muted: present.muted,
    }
}
