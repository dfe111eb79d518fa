use std::collections::{BTreeMap, BTreeSet, VecDeque};

use e2ee::Floor;
use e2ee::id::{ConversationId, MessageId, TransferId};
use e2ee::{Invite, NetworkPlace};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use streams::{BoxId, SealedBox, VerifiedBox};
use wire::Timestamp;
use wire::id::AccessKey;
use wire::{DirectoryPointer, NetworkId, NodeId};

use super::hub::Hub;
use crate::context::{Owner, Purpose};
use crate::event::{Event, FileState, Output};
use crate::messenger::{Messenger, Settings, Step};
use crate::near::Reach;
use crate::request::{Call, CallId};
use crate::store::memory::MemoryStore;
use crate::store::{Author, Kind, State, Store, StoreError, StoredMessage};

pub(crate) const START: Timestamp = Timestamp::from_millis(1_000_000_000);

pub(crate) fn place() -> NetworkPlace {
    NetworkPlace {
        network: NetworkId::new([1; 32]),
        directories: vec![DirectoryPointer {
            id: NodeId::new([2; 32]),
            address: wire::Address::from(std::net::SocketAddr::from(([127, 0, 0, 1], 6000))),
        }],
        hub: NodeId::new([3; 32]),
        access: AccessKey::new([4; 16]),
    }
}

/// Somebody with a profile.
pub(crate) struct Person {
    pub(crate) store: MemoryStore,
    pub(crate) messenger: Messenger,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) online: bool,
    /// The LAN that this person is on.
    pub(crate) lan: Option<usize>,
    open: VecDeque<Asked>,
    pub(crate) events: Vec<Event>,
    pub(crate) files: BTreeMap<TransferId, Vec<u8>>,
    /// Which hub this person's requests reach: 0 unless a hub shows two views.
    pub(crate) hub: usize,
    /// Whether this person's program is not ours: what fails in it is no fault.
    pub(crate) hostile: bool,
    /// How often this person's process died within a step.
    pub(crate) crashes: usize,
    /// What this person has put at each id, over all copies of the profile, and what for.
    used: BTreeMap<BoxId, SealedBox>,
    /// What a second, different box at an id of this person's own was for.
    pub(crate) used_twice: Vec<Purpose>,
}

/// A request that waits.
struct Asked {
    id: CallId,
    call: Call,
    hub: bool,
    lan: bool,
}

impl Person {
    fn is_there(&self) -> bool {
        self.online || self.lan.is_some()
    }
}

/// Index of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Who(pub(crate) usize);

/// A world: people, a hub, a clock.
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) hubs: Vec<Hub>,
    /// Boxes that neighbours have, by LAN.
    pub(crate) lans: Vec<BTreeMap<BoxId, SealedBox>>,
    pub(crate) people: Vec<Person>,
    /// Inputs that somebody's messenger has handled: commands, answers, ticks.
    pub(crate) steps: u64,
    rng: ChaCha20Rng,
}

impl World {
    pub(crate) fn new() -> Self {
        World {
            now: START,
            hubs: vec![Hub::default()],
            lans: vec![BTreeMap::new(), BTreeMap::new()],
            people: Vec::new(),
            steps: 0,
            rng: ChaCha20Rng::from_seed([42; 32]),
        }
    }

    pub(crate) fn person(&mut self, name: &str) -> Who {
        let mut rng = ChaCha20Rng::seed_from_u64(self.rng.next_u64());
        let store = MemoryStore::default();
        let mut step = Step { now: self.now, rng: &mut rng, store: &store, via: "" };
        let mut messenger = Messenger::load(&mut step, Settings::default()).unwrap();
        messenger.set_my_name(&mut step, name).unwrap();
        self.people.push(Person {
            store,
            messenger,
            rng,
            online: true,
            lan: None,
            open: VecDeque::new(),
            events: Vec::new(),
            files: BTreeMap::new(),
            hub: 0,
            hostile: false,
            crashes: 0,
            used: BTreeMap::new(),
            used_twice: Vec::new(),
        });
        Who(self.people.len() - 1)
    }

    /// The profile is put on another device, which does what it likes there: another person to the
    /// world, who has all keys of the first and reaches the hub with this number.
    pub(crate) fn clone_of(&mut self, who: Who, hub: usize) -> Who {
        let clone = self.person("a copy");
        let store = self.of(who).store.copy();
        self.of(clone).hub = hub;
        self.comes_back_with(clone, store);
        clone
    }

    /// The same world, in which all processes have just started from what they kept.
    pub(crate) fn copy(&self) -> Self {
        let mut copy = World {
            now: self.now,
            hubs: self.hubs.clone(),
            lans: self.lans.clone(),
            people: Vec::new(),
            steps: 0,
            rng: self.rng.clone(),
        };
        for person in &self.people {
            let who = copy.person("a copy");
            let (hub, hostile) = (person.hub, person.hostile);
            let there = copy.of(who);
            (there.hub, there.hostile, there.rng) = (hub, hostile, person.rng.clone());
            copy.comes_back_with(who, person.store.copy());
        }
        copy
    }

    pub(crate) fn of(&mut self, who: Who) -> &mut Person {
        &mut self.people[who.0]
    }

    /// Does something as this person, within a transaction.
    pub(crate) fn does<T>(
        &mut self,
        who: Who,
        f: impl FnOnce(&mut Messenger, &mut Step<'_>) -> Result<T, crate::Error>,
    ) -> T {
        self.tries(who, f).unwrap()
    }

    pub(crate) fn tries<T>(
        &mut self,
        who: Who,
        f: impl FnOnce(&mut Messenger, &mut Step<'_>) -> Result<T, crate::Error>,
    ) -> Result<T, crate::Error> {
        let now = self.now;
        self.steps += 1;
        let person = self.of(who);
        let before = person.store.may_fail().then(|| person.store.copy());
        let mut step = Step { now, rng: &mut person.rng, store: &person.store, via: "" };
        let result = f(&mut person.messenger, &mut step);
        if let Some(before) = before.filter(|_| person.store.has_failed()) {
            // The transaction is rolled back, and nothing that the step put out is done.
            person.crashes += 1;
            self.comes_back_with(who, before);
            return Err(StoreError("the process died".to_owned()).into());
        }
        self.take_outputs(who);
        result
    }

    /// As [`World::does`], for what happens to this person. If the process dies in it, it starts
    /// again.
    fn happens(
        &mut self,
        who: Who,
        f: impl FnOnce(&mut Messenger, &mut Step<'_>) -> Result<(), crate::Error>,
    ) {
        let crashes = self.of(who).crashes;
        if let Err(e) = self.tries(who, f) {
            assert!(self.of(who).crashes > crashes || self.of(who).hostile, "{e}");
        }
    }

    /// A put is noted with what it is for: an index that is used twice shows.
    fn note_use(&mut self, who: Who, id: CallId, sealed: &SealedBox) {
        let person = self.of(who);
        let purpose = match person.messenger.out.calls.get(&id) {
            Some(Owner::Conversation(_, purpose)) => *purpose,
            _ => return,
        };
        let before = person.used.insert(sealed.id, sealed.clone());
        if before.is_some_and(|before| before != *sealed) {
            person.used_twice.push(purpose);
        }
    }

    fn take_outputs(&mut self, who: Who) {
        let now = self.now;
        loop {
            let person = self.of(who);
            let Some(output) = person.messenger.poll() else { break };
            let mut step = Step { now, rng: &mut person.rng, store: &person.store, via: "" };
            match output {
                Output::Call { id, place, call, hub_only } => {
                    if let Call::Put(sealed) = &call {
                        self.note_use(who, id, sealed);
                    }
                    let person = self.of(who);
                    let hub = !person.messenger.place(place).unwrap().0.is_lan();
                    assert!(hub || !hub_only);
                    person.open.push_back(Asked { id, call, hub, lan: !hub_only });
                }
                Output::Cancel(id) => person.open.retain(|open| open.id != id),
                Output::Event(event) => person.events.push(event),
                Output::ReadChunk { transfer, offset, len } => {
                    let file = person.files.get(&transfer).cloned().unwrap_or_default();
                    let from = offset as usize;
                    person
                        .messenger
                        .on_chunk(&mut step, transfer, offset, &file[from..from + len])
                        .unwrap();
                }
                Output::WriteChunk { transfer, offset, bytes } => {
                    let file = person.files.entry(transfer).or_default();
                    file.resize(offset as usize, 0);
                    file.extend(bytes);
                    let len = file.len() as u64;
                    person.messenger.on_written(&mut step, transfer, len).unwrap();
                }
                Output::Finish { transfer } => {
                    person
                        .messenger
                        .on_finished(&mut step, transfer, FileState::Done, None)
                        .unwrap();
                }
            }
        }
    }

    /// Tells the messengers whether they are online.
    fn announce(&mut self) {
        for n in 0..self.people.len() {
            let (online, near) = (self.people[n].online, self.people[n].lan.is_some());
            for place in self.people[n].messenger.places() {
                let hub = online && !self.people[n].messenger.place(place).unwrap().0.is_lan();
                let reach = match (hub, near) {
                    (true, _) => Reach::Hub,
                    (false, true) => Reach::Near,
                    (false, false) => Reach::Off,
                };
                self.happens(Who(n), |m, s| m.set_reach(s, place, reach));
            }
        }
    }

    /// Answers one request; false when nobody has one that can be answered.
    fn answer_one(&mut self, who: Who) -> bool {
        let (online, near) = (self.of(who).online, self.of(who).lan);
        let (now, crashes) = (self.now, self.of(who).crashes);
        let mut waiting = VecDeque::new();
        while let Some(asked) = self.of(who).open.pop_front() {
            let id = asked.id;
            let (hub, lan) = (online && asked.hub, near.filter(|_| asked.lan));
            let via = if hub { "hub" } else { "lan" };
            let answered = match &asked.call {
                _ if !hub && lan.is_none() => false,
                Call::Put(sealed) => {
                    if let Some(lan) = lan {
                        self.lans[lan].insert(sealed.id, sealed.clone());
                    }
                    let view = self.of(who).hub;
                    let outcome = hub.then(|| self.hubs[view].put(now, sealed));
                    self.happens(who, |m, s| {
                        s.via = via;
                        m.on_sent(s, id)?;
                        match outcome {
                            Some(outcome) => m.on_put(s, id, outcome),
                            None => m.on_carried(s, id),
                        }
                    });
                    true
                }
                Call::Look(_) if hub && self.is_silent(who) => {
                    self.happens(who, |m, s| m.on_unanswered(s, id));
                    true
                }
                Call::Look(ids) => {
                    let boxes = self.found(ids, who, hub, lan);
                    self.brings(who, via, id, boxes);
                    true
                }
                Call::Get(ids) => {
                    let boxes = self.found(ids, who, hub, lan);
                    let any = !boxes.is_empty();
                    if any {
                        self.brings(who, via, id, boxes);
                    }
                    any
                }
            };
            if self.of(who).crashes > crashes {
                // What was open before belongs to nobody.
                return true;
            }
            if answered {
                waiting.append(&mut self.of(who).open);
                self.of(who).open = waiting;
                return true;
            }
            waiting.push_back(asked);
        }
        self.of(who).open = waiting;
        false
    }

    /// Whether the hub does not answer this look.
    fn is_silent(&mut self, who: Who) -> bool {
        let view = self.of(who).hub;
        let left = self.hubs[view].silent.checked_sub(1);
        left.map(|left| self.hubs[view].silent = left).is_some()
    }

    fn brings(&mut self, who: Who, via: &'static str, id: CallId, boxes: Vec<VerifiedBox>) {
        self.happens(who, |m, s| {
            s.via = via;
            m.on_boxes(s, id, boxes)
        });
    }

    /// What a request finds at the hub and on a LAN, which brings boxes out of order and twice.
    fn found(&self, ids: &[BoxId], who: Who, hub: bool, lan: Option<usize>) -> Vec<VerifiedBox> {
        let view = &self.hubs[self.people[who.0].hub];
        let there = ids
            .iter()
            .filter(|id| hub && !view.hidden.contains(id))
            .filter_map(|id| view.boxes.get(id));
        let near = ids.iter().rev().filter_map(|id| lan.and_then(|lan| self.lans[lan].get(id)));
        near.take(5).chain(there.take(3)).map(|b| b.clone().verify().unwrap()).collect()
    }

    /// Lets everything happen that can happen at this moment.
    pub(crate) fn settle(&mut self) {
        self.announce();
        let mut steps = 0;
        loop {
            let mut any = false;
            for n in 0..self.people.len() {
                any |= self.answer_one(Who(n));
            }
            if !any {
                break;
            }
            steps += 1;
            assert!(steps < 200_000, "the world does not come to rest");
        }
    }

    /// Answers this person alone, as long as there is something to answer.
    pub(crate) fn settle_only(&mut self, who: Who) {
        while self.answer_one(who) {}
    }

    /// Lets time pass, and everything happen in it.
    pub(crate) fn pass(&mut self, ms: u64) {
        let end = self.now.plus_millis(ms);
        self.settle();
        let mut at_once: u32 = 0;
        loop {
            let due = self
                .people
                .iter()
                .filter(|p| p.is_there())
                .filter_map(|p| p.messenger.deadline())
                .min();
            // Every hour at least all gets are answered at their deadline.
            let hour = self.now.plus_millis(3_600_000);
            let next = due.unwrap_or(hour).max(self.now.plus_millis(1)).min(hour).min(end);
            if next == hour {
                self.end_gets();
            }
            // A deadline that has passed and stays would keep a processor busy for ever.
            at_once = if due.is_some_and(|due| due <= self.now) { at_once + 1 } else { 0 };
            assert!(at_once < 1_000, "somebody asks for a tick again and again");
            self.now = next;
            self.hubs.iter_mut().for_each(|hub| hub.expire(next));
            self.tick();
            self.settle();
            if self.now == end {
                return;
            }
        }
    }

    /// The deadline of all open gets has come.
    fn end_gets(&mut self) {
        for n in 0..self.people.len() {
            let (online, near) = (self.people[n].online, self.people[n].lan.is_some());
            let ends =
                |a: &Asked| !matches!(a.call, Call::Put(_)) && (online && a.hub || near && a.lan);
            let (over, on): (VecDeque<_>, _) =
                std::mem::take(&mut self.people[n].open).into_iter().partition(ends);
            self.people[n].open = on;
            for asked in over {
                self.happens(Who(n), |m, s| m.on_boxes(s, asked.id, Vec::new()));
            }
        }
    }

    fn tick(&mut self) {
        for n in 0..self.people.len() {
            if self.people[n].is_there() {
                self.happens(Who(n), Messenger::tick);
            }
        }
    }

    /// The process dies, and starts again from what it kept.
    pub(crate) fn restart(&mut self, who: Who) {
        let store = std::mem::take(&mut self.of(who).store);
        self.comes_back_with(who, store);
    }

    /// The process starts with this store: an old copy, a backup.
    pub(crate) fn comes_back_with(&mut self, who: Who, store: MemoryStore) {
        let now = self.now;
        let person = self.of(who);
        person.open.clear();
        person.store = store;
        let mut step = Step { now, rng: &mut person.rng, store: &person.store, via: "" };
        person.messenger = Messenger::load(&mut step, Settings::default()).unwrap();
        self.take_outputs(who);
    }

    /// The profile is lost, and restored from a backup.
    pub(crate) fn restore(&mut self, who: Who, backup: &MemoryStore) {
        self.of(who).store = backup.copy();
        self.restart(who);
    }

    /// A hub shows everyone who asks all its boxes, and those of all other hubs, whatever they
    /// asked for.
    pub(crate) fn floods(&mut self) {
        let boxes: Vec<SealedBox> =
            self.hubs.iter().flat_map(|h| h.boxes.values().cloned()).collect();
        for n in 0..self.people.len() {
            let who = Who(n);
            let open: Vec<CallId> = self.of(who).open.iter().map(|asked| asked.id).collect();
            self.of(who).open.retain(|asked| matches!(asked.call, Call::Put(_)));
            for id in open {
                let all = boxes.iter().map(|b| b.clone().verify().unwrap()).collect();
                self.brings(who, "hub", id, all);
            }
        }
    }

    /// Two people become contacts; the ids of the conversation at both.
    pub(crate) fn befriend(&mut self, a: Who, b: Who) -> (ConversationId, ConversationId) {
        let link = self.invite(a);
        self.meet(a, b, &link)
    }

    /// They become contacts by this link.
    pub(crate) fn meet(
        &mut self,
        a: Who,
        b: Who,
        link: &Invite,
    ) -> (ConversationId, ConversationId) {
        let before: Vec<_> = [a, b].map(|w| self.ids(w)).into();
        self.accept(b, link);
        self.settle();
        let new = |world: &mut World, who, before: &BTreeSet<ConversationId>| {
            world.ids(who).into_iter().find(|id| !before.contains(id)).expect("a new contact")
        };
        (new(self, a, &before[0]), new(self, b, &before[1]))
    }

    pub(crate) fn invite(&mut self, who: Who) -> Invite {
        self.invite_under(who, Floor::Anywhere)
    }

    pub(crate) fn invite_under(&mut self, who: Who, floor: Floor) -> Invite {
        self.invite_at(who, &place(), floor)
    }

    pub(crate) fn invite_at(&mut self, who: Who, place: &NetworkPlace, floor: Floor) -> Invite {
        let id = self.does(who, |m, s| m.invite(s, place, floor, None, None, 86_400_000));
        self.settle();
        let all = self.of(who).messenger.invites();
        let made = all.into_iter().find(|i| i.id == id).unwrap();
        assert_eq!(made.state, crate::invite::InviteState::Open);
        Invite::parse(&made.link).unwrap()
    }

    pub(crate) fn accept(&mut self, who: Who, invite: &Invite) {
        self.does(who, |m, s| m.accept(s, invite, Floor::Anywhere, None));
    }

    pub(crate) fn ids(&mut self, who: Who) -> BTreeSet<ConversationId> {
        let person = self.of(who);
        person.messenger.overview(&person.store).unwrap().into_iter().map(|c| c.id).collect()
    }

    pub(crate) fn say(&mut self, who: Who, conversation: ConversationId, text: &str) -> MessageId {
        self.does(who, |m, s| m.say(s, conversation, text, None))
    }

    pub(crate) fn history(&mut self, who: Who, conversation: ConversationId) -> Vec<StoredMessage> {
        self.of(who).store.history(&conversation, None, usize::MAX).unwrap()
    }

    /// Texts of others, as they stand in the history.
    pub(crate) fn heard(&mut self, who: Who, conversation: ConversationId) -> Vec<String> {
        let all = self.history(who, conversation).into_iter();
        all.filter(|m| m.message.kind == Kind::Text && m.message.author != Author::Me)
            .map(|m| m.message.text)
            .collect()
    }

    /// All texts of a conversation, our own included.
    pub(crate) fn texts(&mut self, who: Who, conversation: ConversationId) -> Vec<String> {
        let all = self.history(who, conversation).into_iter();
        all.filter(|m| m.message.kind == Kind::Text).map(|m| m.message.text).collect()
    }

    pub(crate) fn notices(&mut self, who: Who, conversation: ConversationId) -> Vec<String> {
        let all = self.history(who, conversation).into_iter();
        all.filter(|m| m.message.kind == Kind::Notice).map(|m| m.message.text).collect()
    }

    pub(crate) fn state(&mut self, who: Who, conversation: ConversationId, id: MessageId) -> State {
        self.of(who).store.message(&conversation, &id).unwrap().unwrap().message.state
    }

    /// A group of these people; the first founds it, and knows all others. Its ids, in the same
    /// order.
    pub(crate) fn group(&mut self, title: &str, people: &[Who]) -> Vec<ConversationId> {
        let founder = people[0];
        let group = self.does(founder, |m, s| m.create_group(s, &place(), Floor::Anywhere, title));
        let mut ids = vec![group];
        for other in &people[1..] {
            let (there, _) = self.befriend(founder, *other);
            ids.push(self.bring(founder, group, there, *other));
        }
        ids
    }

    /// Invites a contact into a group, who says yes.
    pub(crate) fn bring(
        &mut self,
        founder: Who,
        group: ConversationId,
        via: ConversationId,
        other: Who,
    ) -> ConversationId {
        let before = self.ids(other);
        self.does(founder, |m, s| m.invite_to_group(s, group, via));
        self.settle();
        let person = self.of(other);
        let (token, ..) = person.messenger.group_invites(&person.store).unwrap()[0];
        self.does(other, |m, s| m.answer_group_invite(s, token, true));
        self.settle();
        self.ids(other).into_iter().find(|id| !before.contains(id)).expect("in the group")
    }
}
