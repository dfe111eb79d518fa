//! A room full of people, with the hub's own bounds: no network, and time as fast as the processor.
//!
//! Each is a [`Room`] with a direct link of its own; all talk, and so many more only read. Every
//! ten milliseconds the hub commits what was asked meanwhile. What the processor needs for a second
//! of the room's time shows how many people one machine serves.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use e2ee::{Nick, Owner, RoomSettings};
use hub::server::{AskId, Asker, Hub, HubConfig};
use hub::store::{Keep, MemoryStore};
use hub::{AccessClass, ClassLimits, client as box_protocol};
use messenger::request::{Call, CallId};
use messenger::room::{Output, Room, RoomEvent};
use streams::BoxId;
use wire::hub::{Answer, Request, Response};
use wire::id::AccessKey;
use wire::{BootId, Timestamp};

use super::{Bound, Figure, broken, nowhere};
use api::Failure;

/// Time between two commits of the hub, ms.
const COMMIT_MS: u64 = 10;
/// Requests that share a commit.
const BATCH: usize = 512;
/// Longest that a direct `get` stays open, ms.
const GET_MS: u32 = 60_000;
/// Time in which everybody says their lines, ms.
const TALK_MS: u64 = 60_000;
/// A message may take so long, ms.
const SOON_MS: f64 = 5_000.0;
const KEY: AccessKey = AccessKey::new([1; 16]);

struct Person {
    room: Room,
    due: Timestamp,
    open: HashMap<CallId, Vec<BoxId>>,
}

struct Crowd {
    now: Timestamp,
    hub: Hub<MemoryStore>,
    people: Vec<Person>,
    waiting: VecDeque<(AskId, Asker, Request)>,
    asked: HashMap<AskId, (usize, CallId)>,
    next_ask: u64,
    /// When each line was said.
    said: HashMap<String, Timestamp>,
    delays: Vec<u64>,
    refused: u64,
}

pub(super) fn run(talkers: usize, readers: usize, lines: usize) -> Result<Vec<Figure>, Failure> {
    let now = Timestamp::from_millis(1_800_000_000_000);
    let mut rng = rand::rng();
    // No proof of work: it is not what is measured.
    let settings = RoomSettings::new(3_600, 1, 0).map_err(broken)?;
    let hour = now.period(settings.hour_ms());
    let (owner, keys) = Owner::create(&mut rng, nowhere(), settings, hour).map_err(broken)?;
    let link = owner.link_now(&keys).map_err(broken)?;
    let mut config = HubConfig::new(BootId::new([0; 16]));
    config.keys = vec![(KEY, AccessClass::Member, ClassLimits::default())];
    let hub = Hub::new(config, MemoryStore::new(Keep::default()));
    let (said, delays) = (HashMap::new(), Vec::new());
    let (people, waiting, asked) = (Vec::new(), VecDeque::new(), HashMap::new());
    let mut crowd =
        Crowd { now, hub, people, waiting, asked, next_ask: 0, said, delays, refused: 0 };
    for n in 0..talkers + readers {
        let nick = Nick::new(&format!("person {n}")).map_err(broken)?;
        let room = Room::join(link.link(), nick, now, &mut rng).map_err(broken)?;
        crowd.people.push(Person { room, due: now, open: HashMap::new() });
        crowd.take_outputs(n);
    }
    eprintln!("{talkers} announce themselves");
    for who in 0..talkers {
        crowd.says(who, "hello")?;
    }
    crowd.pass(60_000)?;
    crowd.delays.clear();
    crowd.refused = 0;

    eprintln!("and say {lines} lines each");
    let begun = Instant::now();
    let all = talkers * lines;
    for line in 0..all {
        crowd.says(line % talkers, &line.to_string())?;
        crowd.pass(TALK_MS / u64::try_from(all.max(1)).unwrap_or(u64::MAX))?;
    }
    let cost = begun.elapsed().as_secs_f64() / (TALK_MS as f64 / 1e3);
    crowd.pass(30_000)?;
    let expected = all * (talkers + readers - 1);
    let mut delays = crowd.delays;
    delays.sort_unstable();
    let at = |part: f64| delays.get(((delays.len() as f64) * part) as usize).copied();
    let last = delays.last().copied();
    let ms = |delay: Option<u64>| delay.map_or(f64::INFINITY, |ms| ms as f64);
    Ok(vec![
        Figure::new("deliveries", delays.len() as f64, "messages")
            .within(Bound::AtLeast, expected as f64),
        Figure::new("half of them within", ms(at(0.5)), "ms"),
        Figure::new("99 of 100 within", ms(at(0.99)), "ms"),
        Figure::new("all within", ms(last), "ms").within(Bound::AtMost, SOON_MS),
        Figure::new("requests that the hub refused", crowd.refused as f64, "requests")
            .within(Bound::AtMost, 0.0),
        Figure::new("processor for a second of it, hub and all people", cost, "s"),
    ])
}

impl Crowd {
    fn says(&mut self, who: usize, text: &str) -> Result<(), Failure> {
        self.said.insert(text.to_owned(), self.now);
        let now = self.now;
        if let Some(person) = self.people.get_mut(who) {
            person.room.say(now, text).map_err(broken)?;
        }
        self.take_outputs(who);
        Ok(())
    }

    fn pass(&mut self, ms: u64) -> Result<(), Failure> {
        let end = self.now.plus_millis(ms);
        while self.now < end {
            self.now = self.now.plus_millis(COMMIT_MS);
            for who in 0..self.people.len() {
                let Some(person) = self.people.get_mut(who) else { continue };
                if person.due <= self.now {
                    person.room.tick(self.now).map_err(broken)?;
                    self.take_outputs(who);
                }
            }
            self.hub.tick(self.now);
            self.serve()?;
        }
        Ok(())
    }

    /// The hub takes what waits, as many requests at a time as it does.
    fn serve(&mut self) -> Result<(), Failure> {
        loop {
            let batch = self.waiting.len().min(BATCH);
            for (ask, asker, request) in self.waiting.drain(..batch) {
                self.hub.submit(self.now, ask, asker, request);
            }
            self.hub.commit(self.now, &mut rand::rng()).map_err(broken)?;
            while let Some((ask, response)) = self.hub.poll() {
                if let Some((who, call)) = self.asked.remove(&ask) {
                    self.answer(who, call, response)?;
                }
            }
            if self.waiting.is_empty() {
                return Ok(());
            }
        }
    }

    fn answer(&mut self, who: usize, call: CallId, response: Response) -> Result<(), Failure> {
        let now = self.now;
        let Some(person) = self.people.get_mut(who) else { return Ok(()) };
        match response.answer {
            Answer::Put(outcome) => {
                person.open.remove(&call);
                self.refused += u64::from(!outcome.is_stored());
                person.room.on_put(now, call, outcome).map_err(broken)?;
            }
            // What was cancelled stays open at the hub, and its answer counts for nothing.
            _ if !person.open.contains_key(&call) => return Ok(()),
            Answer::Boxes(_) => {
                let ids = person.open.remove(&call).unwrap_or_default();
                let boxes = box_protocol::boxes(response, &ids).map_err(broken)?;
                person.room.on_boxes(now, call, boxes).map_err(broken)?;
            }
            Answer::Refused(_) | Answer::Echo => {
                self.refused += 1;
                person.open.remove(&call);
                person.room.on_unanswered(now, call).map_err(broken)?;
            }
        }
        self.take_outputs(who);
        Ok(())
    }

    fn take_outputs(&mut self, who: usize) {
        let Some(person) = self.people.get_mut(who) else { return };
        while let Some(output) = person.room.poll() {
            match output {
                Output::Call(call, what) => {
                    let (request, ids) = match &what {
                        Call::Put(sealed) => (box_protocol::put(KEY, sealed), Vec::new()),
                        Call::Get(ids) => (box_protocol::get(KEY, ids, GET_MS, false), ids.clone()),
                        Call::Look(ids) => (box_protocol::get(KEY, ids, 0, false), ids.clone()),
                    };
                    person.open.insert(call, ids);
                    self.next_ask += 1;
                    let ask = AskId(self.next_ask);
                    self.asked.insert(ask, (who, call));
                    let asker = Asker::Direct(u64::try_from(who).unwrap_or(u64::MAX));
                    self.waiting.push_back((ask, asker, request));
                }
                Output::Cancel(call) => drop(person.open.remove(&call)),
                Output::Event(RoomEvent::Message { text, .. }) => {
                    if let Some(at) = self.said.get(&text) {
                        self.delays.push(self.now.millis_since(*at));
                    }
                }
                Output::Event(_) => {}
            }
        }
        person.due = person.room.deadline();
    }
}
