//! Open rooms of a profile: each a session of its own, remembered in the vault until it is left.
//! What was said there is kept in memory only, while the profile runs.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use e2ee::{NetworkPlace, Nick};
use messenger::store::Space;
use routes::Route;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use wire::ErrorKind;
use zeroize::Zeroizing;

use super::super::session::{Options, new_room};
use super::super::{Command as Ask, Event as Said, Heard, JoinAs, RoomLog, Session};
use super::client::Refusal;
use super::commands::limit;
use super::run::{Answer, Engine};
use super::types::{Command, Event, Reply, RoomView};

/// Rooms that a profile may be in at a time: each has connections of its own.
const ROOMS: usize = 32;
/// How long the end of the profile waits for what was said in rooms.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Longest name of a room, characters.
const NAME: usize = 40;
/// Keys of rooms in the vault begin so.
const PREFIX: &str = "room:";

/// What the vault knows of a room.
#[derive(Serialize, Deserialize)]
struct Remembered {
    link: String,
    nick: String,
    route: String,
}

struct Room {
    /// Tells apart sessions in rooms of one name, one after the other.
    session: u64,
    commands: mpsc::Sender<Ask>,
    log: RoomLog,
    link: Zeroizing<String>,
    /// Whoever waits for a link.
    links: VecDeque<Answer>,
    leaving: bool,
}

/// All rooms of a profile.
pub(super) struct Rooms {
    here: BTreeMap<String, Room>,
    next: u64,
    said: mpsc::Receiver<(String, u64, Said)>,
    said_tx: mpsc::Sender<(String, u64, Said)>,
}

impl Rooms {
    pub(super) fn new() -> Self {
        let (said_tx, said) = mpsc::channel(1_024);
        Rooms { here: BTreeMap::new(), next: 0, said, said_tx }
    }

    /// The next thing that a room says. Safe to drop while it waits.
    pub(super) async fn next(&mut self) -> (String, u64, Said) {
        match self.said.recv().await {
            Some(said) => said,
            // Not while a sender is kept here.
            None => std::future::pending().await,
        }
    }

    /// Leaves all rooms for now: they are entered again when the profile starts.
    pub(super) async fn finish(&mut self) {
        for room in self.here.values() {
            let _ = room.commands.try_send(Ask::Leave);
        }
        let closed = async {
            while !self.here.is_empty() {
                let (name, session, said) = self.next().await;
                if said == Said::Closed
                    && self.here.get(&name).is_some_and(|r| r.session == session)
                {
                    self.here.remove(&name);
                }
            }
        };
        let _ = tokio::time::timeout(LAST_WORDS, closed).await;
    }

    /// The name that was asked for, or one that is free.
    fn name(&self, asked: Option<String>) -> Result<String, Refusal> {
        let hint = "a room's name has 1 to 40 visible characters, and is not in use";
        let wrong = |text: &str| Refusal::new(ErrorKind::LocalConfig, text, hint);
        match asked.map(|n| e2ee::sanitize(n.trim(), e2ee::Newlines::Fold)) {
            Some(name) if name.is_empty() || name.chars().count() > NAME => {
                Err(wrong("this is no name for a room"))
            }
            Some(name) if self.here.contains_key(&name) => {
                Err(wrong("there is a room of this name already"))
            }
            Some(name) => Ok(name),
            None => (1..)
                .map(|n| if n == 1 { "room".to_owned() } else { format!("room {n}") })
                .find(|name| !self.here.contains_key(name))
                .ok_or_else(|| wrong("there are too many rooms")),
        }
    }

    /// Where a room is, if there is one.
    pub(super) fn place(&self) -> Option<NetworkPlace> {
        self.here.values().find_map(|room| Some(parse(&room.link).ok()?.place().clone()))
    }

    fn find(&mut self, name: &str) -> Result<&mut Room, Refusal> {
        let hint = "`rooms` lists them";
        let none =
            || Refusal::new(ErrorKind::LocalConfig, format!("there is no room {name}"), hint);
        self.here.get_mut(name).ok_or_else(none)
    }

    fn ask(&mut self, name: &str, ask: Ask) -> Result<Reply, Refusal> {
        let room = self.find(name)?;
        room.commands.try_send(ask).map_err(|_| {
            let hint = "wait until some of it has left";
            Refusal::new(ErrorKind::Network, "too much waits to be said in this room", hint)
        })?;
        Ok(Reply::Done)
    }
}

impl Engine {
    /// Enters the rooms that the vault remembers.
    pub(super) fn enter_rooms(&mut self) {
        let remembered = self
            .read(|_, store| Ok(store.scan(Space::Setting, PREFIX.as_bytes())?))
            .unwrap_or_default();
        for (key, value) in remembered {
            let name = key
                .get(PREFIX.len()..)
                .and_then(|n| std::str::from_utf8(n).ok())
                .map(str::to_owned);
            let (Some(name), Ok(saved)) = (name, serde_json::from_slice::<Remembered>(&value))
            else {
                continue;
            };
            let entered = self.enter(name, &saved);
            self.tell_refusal(entered);
        }
    }

    /// Does what a front end asks about open rooms.
    pub(super) fn rooms(&mut self, command: Command, answer: Answer) {
        let done = match command {
            Command::JoinRoom { link, name, nick, route } => {
                self.join_room(&Zeroizing::new(link), name, nick.as_deref(), route.as_deref())
            }
            Command::CreateRoom { name, nick, network } => {
                self.create_room(name, nick.as_deref(), network.as_deref())
            }
            Command::Rooms {} => Ok(Reply::Rooms {
                rooms: self.rooms.here.values().map(|r| r.log.view.clone()).collect(),
            }),
            Command::RoomHistory { room, after, limit: n } => {
                let lines = |room: &mut Room| room.log.lines(after, limit(n));
                self.rooms.find(&room).map(lines).map(|lines| Reply::RoomLines { lines })
            }
            Command::Say { room, text } => self.rooms.ask(&room, Ask::Say(text)),
            Command::RoomSeen { room, up_to } => self.room_seen(&room, up_to),
            Command::RoomNick { room, nick } => self.room_nick(&room, &nick),
            Command::RoomLink { room } => match self.rooms.ask(&room, Ask::Link) {
                Ok(_) => {
                    if let Ok(room) = self.rooms.find(&room) {
                        room.links.push_back(answer);
                    }
                    return;
                }
                Err(refusal) => Err(refusal),
            },
            Command::RoomMute { room, name, muted } => {
                self.rooms.ask(&room, if muted { Ask::Mute(name) } else { Ask::Unmute(name) })
            }
            Command::RoomRekey { room, names } => self.rooms.ask(&room, Ask::Rekey(names)),
            Command::RoomRoute { room, route } => self.room_route(&room, &route),
            Command::RoomCircuits { room } => self.rooms.ask(&room, Ask::Renew),
            Command::LeaveRoom { room } => self.leave_room(&room),
            _ => Err(Refusal::new(
                ErrorKind::Bug,
                "a command that nobody does",
                "please report this",
            )),
        };
        let _ = answer.send(done);
    }

    fn join_room(
        &mut self,
        link: &Zeroizing<String>,
        name: Option<String>,
        nick: Option<&str>,
        route: Option<&str>,
    ) -> Result<Reply, Refusal> {
        let join = parse(link)?;
        if let Some(known) = self.rooms.here.values().find(|r| !r.leaving && *r.link == link.trim())
        {
            return Ok(Reply::Room(known.log.view.clone()));
        }
        let name = self.rooms.name(name)?;
        let nick = nick_of(nick)?;
        let route = self.room_way(join.place(), route)?;
        let saved = Remembered {
            link: link.trim().to_owned(),
            nick: nick.as_str().to_owned(),
            route: route.name().to_owned(),
        };
        let view = self.enter(name.clone(), &saved)?;
        self.remember(&name, Some(&saved))?;
        Ok(Reply::Room(view))
    }

    fn create_room(
        &mut self,
        name: Option<String>,
        nick: Option<&str>,
        network: Option<&str>,
    ) -> Result<Reply, Refusal> {
        let place = self.network(network)?;
        let wrong = |e: e2ee::Error| {
            Refusal::new(e.kind(), e.to_string(), "take a link of another network")
        };
        let link = new_room(place, 1).map_err(wrong)?.to_text();
        self.join_room(&link, name, nick, None)
    }

    /// A route that was asked for, as far as the settings allow it.
    fn allowed(&self, name: &str) -> Result<Route, Refusal> {
        let route = route(name)?;
        if !route.suits(self.floor()) {
            let text = format!("the settings allow this profile no way such as {name}");
            return Err(Refusal::new(
                ErrorKind::LocalConfig,
                text,
                "change the setting `floor` first",
            ));
        }
        Ok(route)
    }

    fn room_way(&self, place: &NetworkPlace, asked: Option<&str>) -> Result<Route, Refusal> {
        if let Some(name) = asked {
            return self.allowed(name);
        }
        self.carriers.route(place, self.floor()).ok_or_else(|| {
            let hint = "name a route, or change the settings `floor`, `tor` or `lan`";
            Refusal::new(
                ErrorKind::LocalConfig,
                "no route that the settings allow leads to this room",
                hint,
            )
        })
    }

    /// Starts a session in a room.
    fn enter(&mut self, name: String, saved: &Remembered) -> Result<RoomView, Refusal> {
        if self.rooms.here.len() >= ROOMS {
            return Err(Refusal::new(
                ErrorKind::LocalConfig,
                "this profile is in 32 rooms",
                "leave one first",
            ));
        }
        let (join, route) = (parse(&saved.link)?, self.allowed(&saved.route)?);
        let ways = self.carriers.ways();
        if ways.lan_only {
            let hint = "set lan to on or off, and start the profile again";
            return Err(Refusal::new(
                ErrorKind::LocalConfig,
                "open rooms need a network, and only the LAN is used",
                hint,
            ));
        }
        let owner = matches!(join, JoinAs::Owner(_));
        let options = Options {
            join,
            nick: nick_of(Some(&saved.nick))?,
            route,
            cover: ways.cover,
            entry: ways.entry,
            shaping: ways.shaping,
            dir: ways.dir.clone(),
            tor: ways.tor.clone(),
            key: self.carriers.client_key(),
        };
        let (commands, mut events) = Session::start(options).map_err(|e| {
            Refusal::new(e.kind(), e.to_string(), "take another route, or set `tor` to arti")
        })?;
        self.rooms.next += 1;
        let (session, to, at) = (self.rooms.next, self.rooms.said_tx.clone(), name.clone());
        tokio::spawn(async move {
            while let Some(said) = events.recv().await {
                if to.send((at.clone(), session, said)).await.is_err() {
                    return;
                }
            }
        });
        let log = RoomLog::new(name.clone(), owner, route.name());
        let view = log.view.clone();
        let link = Zeroizing::new(saved.link.clone());
        self.rooms.here.insert(
            name,
            Room { session, commands, log, link, links: VecDeque::new(), leaving: false },
        );
        Ok(view)
    }

    fn remember(&mut self, name: &str, saved: Option<&Remembered>) -> Result<(), Refusal> {
        let key = format!("{PREFIX}{name}");
        let value = saved.map(|s| Zeroizing::new(serde_json::to_vec(s).unwrap_or_default()));
        self.step(|_, s| {
            match &value {
                Some(value) => s.store.put(Space::Setting, key.as_bytes(), value)?,
                None => s.store.remove(Space::Setting, key.as_bytes())?,
            }
            Ok(())
        })
    }

    /// Changes what the vault remembers of a room.
    fn rewrite(&mut self, name: &str, change: impl FnOnce(&mut Remembered)) -> Result<(), Refusal> {
        let key = format!("{PREFIX}{name}");
        let Some(value) = self.read(|_, store| Ok(store.get(Space::Setting, key.as_bytes())?))?
        else {
            return Ok(());
        };
        let Ok(mut saved) = serde_json::from_slice::<Remembered>(&value) else { return Ok(()) };
        change(&mut saved);
        self.remember(name, Some(&saved))
    }

    fn room_nick(&mut self, room: &str, nick: &str) -> Result<Reply, Refusal> {
        let nick = nick_of(Some(nick))?.as_str().to_owned();
        let done = self.rooms.ask(room, Ask::Nick(nick.clone()))?;
        self.rewrite(room, |saved| saved.nick = nick)?;
        Ok(done)
    }

    fn room_route(&mut self, name: &str, way: &str) -> Result<Reply, Refusal> {
        let way = self.allowed(way)?;
        if way.needs_tor() && self.carriers.ways().tor.is_none() {
            let hint = "set `tor` to arti, and start the profile again";
            return Err(Refusal::new(
                ErrorKind::LocalConfig,
                "Tor is switched off in this profile",
                hint,
            ));
        }
        let done = self.rooms.ask(name, Ask::Route(way))?;
        way.name().clone_into(&mut self.rooms.find(name)?.log.view.route);
        self.rewrite(name, |saved| way.name().clone_into(&mut saved.route))?;
        self.tell_room(name);
        Ok(done)
    }

    fn room_seen(&mut self, name: &str, up_to: u64) -> Result<Reply, Refusal> {
        if self.rooms.find(name)?.log.seen(up_to) {
            self.tell_room(name);
        }
        Ok(Reply::Done)
    }

    fn leave_room(&mut self, name: &str) -> Result<Reply, Refusal> {
        let done = self.rooms.ask(name, Ask::Leave)?;
        self.rooms.find(name)?.leaving = true;
        self.remember(name, None)?;
        Ok(done)
    }

    fn tell_room(&mut self, name: &str) {
        if let Some(room) = self.rooms.here.get(name).map(|r| r.log.view.clone()) {
            self.tell(Event::Room { room });
        }
    }

    /// Takes what a room's session says.
    pub(super) fn room_said(&mut self, name: &str, session: u64, said: Said) {
        let now = self.now().as_millis();
        let Some(room) = self.rooms.here.get_mut(name).filter(|r| r.session == session) else {
            return;
        };
        let heard = room.log.take(said, now);
        if let Heard::Changed { who: true } | Heard::Line { who: true, .. } = heard {
            let _ = room.commands.try_send(Ask::Who);
        }
        match heard {
            Heard::Nothing => {}
            Heard::Changed { .. } => self.tell_room(name),
            Heard::Line { line, .. } => {
                let more = line.kind == "text" && !line.you;
                self.tell(Event::RoomLine { room: name.to_owned(), line });
                if more {
                    self.tell_room(name);
                }
            }
            Heard::Link(link) => {
                if let Some(answer) = room.links.pop_front() {
                    let _ = answer.send(Ok(Reply::Link { link }));
                }
            }
            Heard::Closed => {
                self.rooms.here.remove(name);
                self.tell(Event::RoomLeft { room: name.to_owned() });
            }
        }
    }
}

fn parse(link: &str) -> Result<JoinAs, Refusal> {
    JoinAs::parse(link).map_err(|e| {
        let hint = "a link begins with hushwing:room# and must be copied whole";
        Refusal::new(e.kind(), format!("this is no room link: {e}"), hint)
    })
}

fn nick_of(name: Option<&str>) -> Result<Nick, Refusal> {
    let Some(name) = name.map(str::trim).filter(|n| !n.is_empty()) else {
        return Ok(Nick::random(&mut rand::rng()));
    };
    Nick::new(name).map_err(|e| {
        Refusal::new(
            ErrorKind::LocalConfig,
            format!("this is no name: {e}"),
            "a name has 1 to 32 visible characters",
        )
    })
}

fn route(name: &str) -> Result<Route, Refusal> {
    Route::parse(name).ok_or_else(|| {
        let hint = "onion, tor, tor+onion or direct";
        Refusal::new(ErrorKind::LocalConfig, "there is no such route", hint)
    })
}
