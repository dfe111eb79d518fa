//! Open rooms of a profile: each a session of its own, remembered in the vault until it is left.
//! What was said there is kept in memory only, while the profile runs.
//!
//! ```text
//! joined or remembered ──► entered ── LeaveRoom ──► leaving ── all is stored ──► gone
//!                             │                        │
//!                             └──── the profile ends ──┴──► entered again at the next start
//!                                                           (unless it was being left)
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use api::{
    Answer, CreateRoom, Done, Event, Heard, JoinRoom, LinkView, MessageKind, MuteTalker, Reason,
    Refusal, RekeyRoom, ResolveTalker, RoomCommand, RoomEvent, RoomId, RoomLog, RoomView,
    SetRoomNick, SetRoomRoute, TalkerId, TalkerView, Target, Thing, Value,
};
use e2ee::{NetworkPlace, Nick, OwnerLink};
use messenger::names::{self, Named};
use messenger::store::Space;
use rand::Rng;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use routes::Route;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use wire::ErrorKind;
use zeroize::Zeroizing;

use crate::carriers::Carriers;
use crate::core::{Core, resolve};
use crate::refuse::{OrRefuse, bad_link, tor_is_off};
use crate::session::{JoinAs, Session, SessionOptions};
use crate::words;

/// Rooms that a profile may be in at a time: each has connections of its own.
const ROOMS: usize = 32;
/// How long the end of the profile waits for what was said in rooms.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Longest own name of a room, characters.
const NAME: usize = 40;
/// Keys of rooms in the vault begin so; the room's id follows.
const PREFIX: &str = "room:";

/// What the vault knows of a room.
#[derive(Clone, Serialize, Deserialize)]
struct Remembered {
    link: String,
    nick: String,
    route: String,
    /// The user's own name for it. Before rooms had ids it stood in the key.
    #[serde(default)]
    name: String,
}

struct Room {
    session: mpsc::Sender<RoomCommand>,
    log: RoomLog,
    saved: Remembered,
    link: Zeroizing<String>,
    /// Requests for a link that wait for the session.
    links: VecDeque<Answer<LinkView>>,
    leaving: bool,
}

/// All rooms of a profile.
pub(crate) struct Rooms {
    entered: BTreeMap<RoomId, Room>,
    said: mpsc::Receiver<(RoomId, RoomEvent)>,
    said_tx: mpsc::Sender<(RoomId, RoomEvent)>,
}

impl Rooms {
    pub(crate) fn new() -> Self {
        let (said_tx, said) = mpsc::channel(1_024);
        Rooms { entered: BTreeMap::new(), said, said_tx }
    }

    /// The next thing that a room says. Safe to drop while it waits.
    pub(crate) async fn next(&mut self) -> (RoomId, RoomEvent) {
        match self.said.recv().await {
            Some(said) => said,
            // Not while a sender is kept here.
            None => std::future::pending().await,
        }
    }

    /// Leaves all rooms for now: they are entered again when the profile starts.
    pub(crate) async fn finish(&mut self) {
        for room in self.entered.values() {
            let _ = room.session.try_send(RoomCommand::Leave);
        }
        let closed = async {
            while !self.entered.is_empty() {
                let (id, said) = self.next().await;
                if said == RoomEvent::Closed {
                    self.entered.remove(&id);
                }
            }
        };
        let _ = tokio::time::timeout(LAST_WORDS, closed).await;
    }

    /// Where a room is, if there is one.
    pub(crate) fn place(&self) -> Option<NetworkPlace> {
        self.entered.values().find_map(|room| Some(parse(&room.link).ok()?.place().clone()))
    }

    /// What rooms are called: each by an own name.
    pub(crate) fn named(&self) -> Vec<Named<Target>> {
        let named = |(id, room): (&RoomId, &Room)| Named {
            key: Target::Room(*id),
            own: Some(room.saved.name.clone()),
            given: String::new(),
            formerly: Vec::new(),
            tag: id.short(),
        };
        self.entered.iter().map(named).collect()
    }

    pub(crate) fn views(&self) -> Vec<RoomView> {
        let mut views: Vec<RoomView> = self.entered.values().map(|r| r.log.view.clone()).collect();
        views.sort_by_cached_key(|v| (v.label.to_lowercase(), v.id));
        views
    }

    /// What was said in a room.
    pub(crate) fn log(&mut self, id: RoomId) -> Result<&mut RoomLog, Refusal> {
        self.room(id).map(|room| &mut room.log)
    }

    /// Rooms are shown by the names that were worked out for them.
    pub(crate) fn relabel(&mut self, core: &mut Core) {
        for (id, room) in &mut self.entered {
            let label = core.names.label(Target::Room(*id));
            if !label.is_empty() && room.log.view.label != label {
                room.log.view.label = label;
                core.tell(Event::Room { room: room.log.view.clone() });
            }
        }
    }

    /// The talker whom a person means by a typed name.
    pub(crate) fn resolve_talker(&mut self, request: &ResolveTalker) -> Result<TalkerId, Refusal> {
        let people = &self.room(request.room)?.log.view.people;
        let named = |t: &TalkerView| Named {
            key: Target::Talker(t.id),
            own: None,
            given: t.name.clone(),
            formerly: Vec::new(),
            tag: t.id.short(),
        };
        let all: Vec<Named<Target>> = people.iter().filter(|t| !t.you).map(named).collect();
        match resolve(&all, &request.name, &names::labels(&all)) {
            Ok(Target::Talker(id)) => Ok(id),
            Err(Refusal { reason: Reason::NoSuch { .. }, .. }) | Ok(_) => {
                Err(Refusal::no_such(Thing::Talker))
            }
            Err(refusal) => Err(refusal),
        }
    }

    pub(crate) fn mute(&mut self, request: &MuteTalker) -> Result<Done, Refusal> {
        let (room, talker) = (request.room, request.talker);
        if !self.room(room)?.log.view.people.iter().any(|t| t.id == talker) {
            return Err(Refusal::no_such(Thing::Talker));
        }
        let what = match request.muted {
            true => RoomCommand::Mute(talker),
            false => RoomCommand::Unmute(talker),
        };
        self.tell_session(room, what)
    }

    fn room(&mut self, id: RoomId) -> Result<&mut Room, Refusal> {
        self.entered.get_mut(&id).ok_or_else(|| Refusal::no_such(Thing::Room))
    }

    /// Hands something to a room's session.
    pub(crate) fn tell_session(&mut self, id: RoomId, what: RoomCommand) -> Result<Done, Refusal> {
        self.room(id)?.session.try_send(what).map_err(|_| {
            let text = "too much waits to leave in this room";
            Refusal::new(ErrorKind::Network, Reason::QueueFull, text)
        })?;
        Ok(Done {})
    }

    /// The own name that was asked for, or one that is free.
    fn free_name(&self, asked: Option<String>) -> Result<String, Refusal> {
        let taken = |name: &str| {
            let looks = names::skeleton(name);
            self.entered.values().any(|r| names::skeleton(&r.saved.name) == looks)
        };
        let asked = asked.map(|n| e2ee::sanitize(n.trim(), e2ee::Newlines::Fold));
        match asked.filter(|n| !n.is_empty()) {
            Some(name) if name.chars().count() > NAME => {
                let text = "a room's name has at most 40 characters";
                Err(Refusal::wrong(Reason::BadName, text))
            }
            Some(name) if taken(&name) => {
                Err(Refusal::wrong(Reason::BadName, "another room has that name"))
            }
            Some(name) => Ok(name),
            None => (1..=ROOMS + 1)
                .map(|n| if n == 1 { "room".to_owned() } else { format!("room {n}") })
                .find(|name| !taken(name))
                .ok_or_else(|| Refusal::wrong(Reason::BadName, "every name for a room is taken")),
        }
    }

    /// Enters the rooms that the vault remembers.
    pub(crate) fn enter_all(&mut self, core: &mut Core, carriers: &Carriers) {
        let found = core.read(|_, store| Ok(store.scan(Space::Setting, PREFIX.as_bytes())?));
        for (key, value) in found.unwrap_or_default() {
            let rest = key.get(PREFIX.len()..).and_then(|n| std::str::from_utf8(n).ok());
            let (Some(rest), Ok(mut saved)) = (rest, serde_json::from_slice::<Remembered>(&value))
            else {
                continue;
            };
            let id = match rest.parse() {
                Ok(id) if !saved.name.is_empty() => id,
                _ => {
                    // Written before rooms had ids: the key holds the name.
                    rest.clone_into(&mut saved.name);
                    let id = new_id();
                    let moved = rename_key(core, &key, id, &saved);
                    core.tell_refusal(moved);
                    id
                }
            };
            let entered = self.enter(core, carriers, id, saved);
            core.tell_refusal(entered);
        }
    }

    pub(crate) fn join(
        &mut self,
        core: &mut Core,
        carriers: &Carriers,
        request: JoinRoom,
    ) -> Result<RoomView, Refusal> {
        let link = Zeroizing::new(request.link);
        let entry = parse(&link)?;
        let known = self.entered.values().find(|r| !r.leaving && *r.link == link.trim());
        if let Some(known) = known {
            return Ok(known.log.view.clone());
        }
        let name = self.free_name(request.name)?;
        let nick = nick_of(request.nick.as_deref())?;
        let route = match request.route {
            Some(route) => allowed(core, route)?,
            None => carriers.route(entry.place(), core.floor()).ok_or_else(|| {
                let text = "no route that the settings allow leads to this room";
                Refusal::wrong(Reason::NoRoute, text)
            })?,
        };
        let saved = Remembered {
            link: link.trim().to_owned(),
            nick: nick.as_str().to_owned(),
            route: route.name().to_owned(),
            name,
        };
        let id = new_id();
        let view = self.enter(core, carriers, id, saved.clone())?;
        remember(core, id, &saved)?;
        Ok(view)
    }

    pub(crate) fn create(
        &mut self,
        core: &mut Core,
        carriers: &Carriers,
        place: NetworkPlace,
        request: CreateRoom,
    ) -> Result<RoomView, Refusal> {
        let now = net::Clock::start().now();
        let link = OwnerLink::create(&mut UnwrapErr(SysRng), place, 1, now)
            .map_err(|e| bad_link(Value::NetworkLink, &e))?
            .to_text();
        let (name, nick) = (request.name, request.nick);
        self.join(core, carriers, JoinRoom { link: link.to_string(), name, nick, route: None })
    }

    /// Starts a session in a room.
    fn enter(
        &mut self,
        core: &Core,
        carriers: &Carriers,
        id: RoomId,
        saved: Remembered,
    ) -> Result<RoomView, Refusal> {
        if self.entered.len() >= ROOMS {
            let limit = u64::try_from(ROOMS).unwrap_or(u64::MAX);
            let text = "a profile can be in 32 rooms at a time";
            return Err(Refusal::wrong(Reason::TooLarge { limit }, text));
        }
        let preferences = carriers.preferences();
        if preferences.lan_only {
            let text = "open rooms need a network, and this profile uses the local network only";
            return Err(Refusal::wrong(Reason::NoRoute, text));
        }
        let (entry, route) = (parse(&saved.link)?, named_route(core, &saved.route)?);
        let owner = matches!(entry, JoinAs::Owner(_));
        let options = SessionOptions {
            join: entry,
            nick: nick_of(Some(&saved.nick))?,
            route,
            cover: preferences.cover,
            entry: preferences.entry,
            shaping: preferences.shaping,
            dir: preferences.dir.clone(),
            tor: preferences.tor.clone(),
            key: carriers.client_key(),
        };
        let (session, mut events) = Session::start(options).or_refuse()?;
        let to = self.said_tx.clone();
        tokio::spawn(async move {
            while let Some(said) = events.recv().await {
                if to.send((id, said)).await.is_err() {
                    return;
                }
            }
        });
        let log = RoomLog::new(id, saved.name.clone(), owner, words::route(route));
        let view = log.view.clone();
        let (link, links) = (Zeroizing::new(saved.link.clone()), VecDeque::new());
        self.entered.insert(id, Room { session, log, saved, link, links, leaving: false });
        Ok(view)
    }

    pub(crate) fn set_nick(
        &mut self,
        core: &mut Core,
        request: &SetRoomNick,
    ) -> Result<Done, Refusal> {
        let nick = nick_of(Some(&request.nick))?.as_str().to_owned();
        self.tell_session(request.room, RoomCommand::Nick(nick.clone()))?;
        let room = self.room(request.room)?;
        room.saved.nick = nick;
        remember(core, request.room, &room.saved)?;
        Ok(Done {})
    }

    pub(crate) fn set_route(
        &mut self,
        core: &mut Core,
        carriers: &Carriers,
        request: &SetRoomRoute,
    ) -> Result<Done, Refusal> {
        let route = allowed(core, request.route)?;
        if route.needs_tor() && carriers.preferences().tor.is_none() {
            return Err(tor_is_off());
        }
        self.tell_session(request.room, RoomCommand::Route(request.route))?;
        let room = self.room(request.room)?;
        room.log.view.route = request.route;
        route.name().clone_into(&mut room.saved.route);
        remember(core, request.room, &room.saved)?;
        self.tell(core, request.room);
        Ok(Done {})
    }

    pub(crate) fn rekey(&mut self, request: RekeyRoom) -> Result<Done, Refusal> {
        self.tell_session(request.room, RoomCommand::Rekey(request.keep))
    }

    pub(crate) fn seen(
        &mut self,
        core: &mut Core,
        id: RoomId,
        up_to: u64,
    ) -> Result<Done, Refusal> {
        if self.log(id)?.seen(up_to) {
            self.tell(core, id);
        }
        Ok(Done {})
    }

    /// Asks a room for a link; the session answers.
    pub(crate) fn link(&mut self, id: RoomId, answer: Answer<LinkView>) {
        match self.tell_session(id, RoomCommand::Link) {
            Ok(Done {}) => {
                if let Ok(room) = self.room(id) {
                    room.links.push_back(answer);
                }
            }
            Err(refusal) => answer.send(Err(refusal)),
        }
    }

    pub(crate) fn leave(&mut self, core: &mut Core, id: RoomId) -> Result<Done, Refusal> {
        self.tell_session(id, RoomCommand::Leave)?;
        self.room(id)?.leaving = true;
        forget(core, key_of(id).as_bytes())?;
        Ok(Done {})
    }

    fn tell(&self, core: &mut Core, id: RoomId) {
        if let Some(room) = self.entered.get(&id) {
            core.tell(Event::Room { room: room.log.view.clone() });
        }
    }

    /// Takes what a room's session says.
    pub(crate) fn on_said(&mut self, core: &mut Core, id: RoomId, said: RoomEvent) {
        let now = core.now().as_millis();
        let Some(room) = self.entered.get_mut(&id) else { return };
        let heard = room.log.take(said, now);
        if let Heard::Changed { who: true } | Heard::Line { who: true, .. } = heard {
            let _ = room.session.try_send(RoomCommand::Who);
        }
        match heard {
            Heard::Nothing => {}
            Heard::Changed { .. } => self.tell(core, id),
            Heard::Line { line, .. } => {
                let counts = line.kind == MessageKind::Text && !line.you;
                let label = room.log.view.label.clone();
                core.tell(Event::RoomLine { room: id, label, line });
                if counts {
                    self.tell(core, id);
                }
            }
            Heard::Link(link) => {
                if let Some(answer) = room.links.pop_front() {
                    answer.send(Ok(LinkView { link }));
                }
            }
            Heard::Closed => {
                self.entered.remove(&id);
                core.tell(Event::RoomLeft { room: id });
            }
        }
    }
}

fn new_id() -> RoomId {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    RoomId::new(bytes)
}

fn key_of(id: RoomId) -> String {
    format!("{PREFIX}{id}")
}

fn remember(core: &mut Core, id: RoomId, saved: &Remembered) -> Result<(), Refusal> {
    let value = Zeroizing::new(serde_json::to_vec(saved).unwrap_or_default());
    core.step(|_, s| Ok(s.store.put(Space::Setting, key_of(id).as_bytes(), &value)?))
}

/// Gives a room that was written before rooms had ids a key of today, in one transaction.
fn rename_key(core: &mut Core, old: &[u8], id: RoomId, saved: &Remembered) -> Result<(), Refusal> {
    let value = Zeroizing::new(serde_json::to_vec(saved).unwrap_or_default());
    core.step(|_, s| {
        s.store.remove(Space::Setting, old)?;
        Ok(s.store.put(Space::Setting, key_of(id).as_bytes(), &value)?)
    })
}

fn forget(core: &mut Core, key: &[u8]) -> Result<(), Refusal> {
    core.step(|_, s| Ok(s.store.remove(Space::Setting, key)?))
}

fn parse(link: &str) -> Result<JoinAs, Refusal> {
    JoinAs::parse(link).map_err(|e| bad_link(Value::RoomLink, &e))
}

fn nick_of(name: Option<&str>) -> Result<Nick, Refusal> {
    let Some(name) = name.map(str::trim).filter(|n| !n.is_empty()) else {
        return Ok(Nick::random(&mut rand::rng()));
    };
    Nick::new(name).map_err(|e| Refusal::wrong(Reason::BadName, format!("invalid name: {e}")))
}

/// A route that was asked for, as far as the settings allow it.
fn allowed(core: &Core, route: api::Route) -> Result<Route, Refusal> {
    let found = words::hub_route(route).filter(|r| r.suits(core.floor()));
    found.ok_or_else(|| {
        let text = format!("the settings do not allow the route {route}");
        Refusal::wrong(Reason::NoRoute, text)
    })
}

fn named_route(core: &Core, name: &str) -> Result<Route, Refusal> {
    let route = api::Route::parse(name);
    let what = Value::Route;
    let none = || Refusal::wrong(Reason::BadValue { what }, "unknown route");
    allowed(core, route.ok_or_else(none)?)
}
