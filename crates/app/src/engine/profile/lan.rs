//! How a profile uses the LAN: its boxes go to neighbours, theirs come here, and which way each
//! request takes.

use std::collections::{HashMap, HashSet};

use e2ee::NetworkPlace;
use e2ee::id::MessageId;
use mesh::node::{Action, Config as Gossip, Step as Gossiping, WatchId};
use mesh::{Account, Node, Pair, Standing};
use messenger::call::{Call, CallId};
use messenger::event::PlaceId;
use messenger::{Messenger, NearWho, Reach, Step};
use routes::{Lan, LanEvent};
use sha2::{Digest, Sha256};
use streams::{BoxId, SealedBox, VerifiedBox};
use tokio::sync::mpsc;
use vault::{CarriedTable, Vault};
use wire::Timestamp;
use wire::hub::PutOutcome;

use super::client::Refusal;
use super::run::{Answer, Engine};
use super::types::Event;

/// LAN events that one transaction takes at most.
const BATCH: usize = 64;
/// How long a box that came by the LAN waits before its reader looks whether the hub lacks it, ms:
/// its author may be faster.
const OWE_AFTER_MS: u64 = 10_000;
/// Boxes that the hub is asked about at a time.
const LOOK_AT: u32 = 16;
/// Boxes that came from a file, not from a neighbour.
const FROM_A_FILE: Account = Account([0xff; 16]);

/// An open request of the messenger.
struct Open {
    place: PlaceId,
    call: Call,
    /// Whether the hub is asked, too.
    at_hub: bool,
}

/// What a reader does for a hub: it looks for boxes that came by the LAN, and brings those that are
/// missing.
enum Errand {
    Look(PlaceId, Vec<BoxId>),
    Bring(PlaceId, BoxId),
}

/// A profile's part in the mesh.
pub(super) struct Near {
    pub(super) lan: Option<Lan>,
    events: Option<mpsc::Receiver<LanEvent>>,
    pub(super) node: Node,
    /// Boxes go into a file, or came from one: conversations talk as if neighbours were there.
    pub(super) bundling: bool,
    open: HashMap<CallId, Open>,
    puts: Vec<(CallId, PlaceId, SealedBox)>,
    reaches: HashMap<PlaceId, Reach>,
    invites: HashMap<PlaceId, Account>,
    /// Who is behind an account.
    names: HashMap<Account, NearWho>,
    /// Contacts that were told to be near.
    told: HashSet<Account>,
    /// Who waits for the answer to our knock, and what they want to call whoever opens.
    pub(super) knocking: Option<(Answer, Option<String>)>,
    /// Invites for those who knocked, until they are ready.
    pub(super) welcoming: HashMap<MessageId, u64>,
    errands: HashMap<CallId, Errand>,
    next_errand: u64,
    errand_at: Timestamp,
}

impl Near {
    pub(super) fn load(
        vault: &Vault,
        lan: Option<(Lan, mpsc::Receiver<LanEvent>)>,
    ) -> Result<Self, Refusal> {
        let node = carrying(vault, |table| Node::load(Gossip::default(), table))?;
        let (lan, events) = lan.unzip();
        Ok(Near {
            lan,
            events,
            node,
            bundling: false,
            open: HashMap::new(),
            puts: Vec::new(),
            reaches: HashMap::new(),
            invites: HashMap::new(),
            names: HashMap::new(),
            told: HashSet::new(),
            knocking: None,
            welcoming: HashMap::new(),
            errands: HashMap::new(),
            // The messenger numbers its requests from 2^32 on.
            next_errand: 1,
            errand_at: Timestamp::MAX,
        })
    }

    /// The next event of the LAN; never, without one.
    pub(super) async fn event(&mut self) -> LanEvent {
        match &mut self.events {
            Some(events) => match events.recv().await {
                Some(event) => event,
                None => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }

    /// Says goodbye to neighbours.
    pub(super) async fn finish(&mut self) {
        if let Some((lan, events)) = self.lan.take().zip(self.events.take()) {
            lan.finish(events).await;
        }
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let errands = (self.errand_at < Timestamp::MAX).then_some(self.errand_at);
        self.node.deadline().into_iter().chain(errands).min()
    }

    /// Who is behind an account.
    pub(super) fn who(&self, account: Account) -> Option<NearWho> {
        self.names.get(&account).copied()
    }

    /// Places are numbered anew, and so are requests.
    pub(super) fn forget(&mut self) {
        for id in self.open.keys() {
            self.node.unwatch(WatchId(id.0));
        }
        self.open.clear();
        self.puts.clear();
        self.reaches.clear();
        self.invites.clear();
    }
}

/// Why something about carried boxes failed.
enum CarryError {
    Mesh(mesh::Error),
    Vault(vault::Error),
}

impl From<vault::Error> for CarryError {
    fn from(error: vault::Error) -> Self {
        CarryError::Vault(error)
    }
}

fn carrying<T>(
    vault: &Vault,
    work: impl FnOnce(&mut CarriedTable<'_>) -> Result<T, mesh::Error>,
) -> Result<T, Refusal> {
    vault
        .carrying(hub::store::Keep::default(), |table| work(table).map_err(CarryError::Mesh))
        .map_err(|e| match e {
            CarryError::Vault(error) => error.into(),
            CarryError::Mesh(error) => {
                Refusal::new(error.kind(), error.to_string(), "check the disk; nothing is lost")
            }
        })
}

/// Names a place in the table of what its hub may lack.
fn name_of(place: &NetworkPlace) -> [u8; 32] {
    Sha256::digest(wire::encode(place)).into()
}

fn account_of(who: NearWho) -> Account {
    Account(match who {
        NearWho::Contact(id) => *id.as_bytes(),
        NearWho::Invite(id) => *id.as_bytes(),
    })
}

impl Engine {
    /// Works on the node and its boxes, in one transaction, and does what comes of it.
    pub(super) fn gossip<T>(
        &mut self,
        work: impl FnOnce(&mut Node, &mut Gossiping<'_>) -> Result<T, mesh::Error>,
    ) -> Result<T, Refusal> {
        let now = self.now();
        let Engine { vault, near, .. } = self;
        let done =
            carrying(vault, |table| work(&mut near.node, &mut Gossiping { now, store: table }));
        self.do_actions();
        done
    }

    fn do_actions(&mut self) {
        let mut found: Vec<(CallId, VerifiedBox)> = Vec::new();
        while let Some(action) = self.near.node.poll() {
            match (action, &self.near.lan) {
                (Action::Send(link, message), Some(lan)) => lan.send(link, message),
                (Action::Close(link, why), Some(lan)) => {
                    tracing::debug!(why, "a neighbour's link ends");
                    lan.close(link);
                }
                (Action::Found(watch, content), _) => found.push((CallId(watch.0), content)),
                (Action::Send(..) | Action::Close(..), None) => {}
            }
        }
        self.found(found);
    }

    /// A step with what neighbours brought or took.
    fn near_step<T>(
        &mut self,
        work: impl FnOnce(&mut Messenger, &mut Step<'_>) -> Result<T, messenger::Error>,
    ) -> Result<T, Refusal> {
        self.step(|m, s| {
            s.via = "lan";
            work(m, s)
        })
    }

    /// Boxes came by the LAN that the messenger waits for.
    fn found(&mut self, found: Vec<(CallId, VerifiedBox)>) {
        let mut answers = Vec::new();
        for (id, content) in found {
            let Some(open) = self.near.open.remove(&id) else { continue };
            if open.at_hub {
                self.carriers.cancel(id);
            }
            self.owe(open.place, &[content.id()]);
            answers.push((id, vec![content]));
        }
        if !answers.is_empty() {
            let done = self.near_step(|m, s| {
                answers.into_iter().try_for_each(|(id, boxes)| m.on_boxes(s, id, boxes))
            });
            self.tell_refusal(done);
        }
    }

    /// The hub of this place may lack these.
    fn owe(&mut self, place: PlaceId, ids: &[BoxId]) {
        let Some((network, _)) = self.messenger.place(place).filter(|(n, _)| !n.is_lan()) else {
            return;
        };
        let name = name_of(network);
        let done = carrying(&self.vault, |table| {
            ids.iter().try_for_each(|id| table.owe(&name, id)).map_err(mesh::Error::from)
        });
        self.tell_refusal(done);
        self.near.errand_at = self.near.errand_at.min(self.now().plus_millis(OWE_AFTER_MS));
    }

    /// Which way a place's requests can go now.
    pub(super) fn reach(&self, place: PlaceId) -> Reach {
        if self.carriers.is_up(place) {
            return Reach::Hub;
        }
        if !self.allows_lan(place) {
            return Reach::Off;
        }
        let invite = self.near.invites.contains_key(&place) && self.near.lan.is_some();
        if self.near.bundling || invite || self.near.node.has_contacts() {
            Reach::Near
        } else {
            Reach::Off
        }
    }

    fn allows_lan(&self, place: PlaceId) -> bool {
        self.messenger.place(place).is_some_and(|(_, floor)| floor.allows_lan())
    }

    fn lan_serves(&self, place: PlaceId) -> bool {
        self.allows_lan(place) && (self.near.lan.is_some() || self.near.bundling)
    }

    /// Tells the messenger which places can be reached otherwise than before; true when something
    /// has changed.
    pub(super) fn update_reach(&mut self) -> bool {
        let places = self.messenger.places();
        let changed: Vec<(PlaceId, Reach, Reach)> = places
            .iter()
            .map(|p| (*p, self.near.reaches.get(p).copied().unwrap_or_default(), self.reach(*p)))
            .filter(|(_, before, now)| before != now)
            .collect();
        for (place, before, now) in &changed {
            self.near.reaches.insert(*place, *now);
            let sizes = self.carriers.sizes(*place);
            let done = self.step(|m, s| {
                m.set_sizes(s, *place, sizes)?;
                m.set_reach(s, *place, *now)
            });
            self.tell_refusal(done);
            self.redirect(*place, *before, *now);
            if *now == Reach::Near && *before == Reach::Off {
                self.tell(Event::Network { online: true, text: "on the local network".to_owned() });
            }
        }
        !changed.is_empty()
    }

    /// Open requests follow: to the hub when it is there, to the LAN alone when it is gone.
    fn redirect(&mut self, place: PlaceId, before: Reach, now: Reach) {
        let mut carried = Vec::new();
        for (id, open) in self.near.open.iter_mut().filter(|(_, o)| o.place == place) {
            if now == Reach::Hub && !open.at_hub {
                open.at_hub = true;
                self.carriers.call(place, *id, open.call.clone());
            } else if before == Reach::Hub
                && now == Reach::Near
                && matches!(open.call, Call::Put(_))
            {
                carried.push(*id);
            }
        }
        for id in carried {
            // Neighbours were given it when it was put.
            self.near.open.remove(&id);
            self.carriers.cancel(id);
            let done = self.near_step(|m, s| m.on_carried(s, id));
            self.tell_refusal(done);
        }
    }

    /// Asks for what the messenger wants: the hub, neighbours, or both.
    pub(super) fn request(&mut self, place: PlaceId, id: CallId, call: Call, hub_only: bool) {
        if hub_only || !self.lan_serves(place) {
            return self.carriers.call(place, id, call);
        }
        let at_hub = self.near.reaches.get(&place) == Some(&Reach::Hub);
        match &call {
            Call::Put(sealed) => self.near.puts.push((id, place, sealed.clone())),
            Call::Get(ids) => {
                let watched = self.gossip(|node, step| node.watch(step, WatchId(id.0), ids));
                match watched {
                    Ok(found) if !found.is_empty() => return self.answer_at_once(place, id, found),
                    Ok(_) => {}
                    Err(refusal) => self.tell_refusal(Err::<(), _>(refusal)),
                }
            }
            Call::Look(_) if at_hub => return self.carriers.call(place, id, call),
            Call::Look(ids) => {
                let ids = ids.clone();
                let found =
                    self.gossip(|node, step| node.look(step.store, &ids)).unwrap_or_default();
                return self.answer_at_once(place, id, found);
            }
        }
        if at_hub {
            self.carriers.call(place, id, call.clone());
        }
        self.near.open.insert(id, Open { place, call, at_hub });
    }

    fn answer_at_once(&mut self, place: PlaceId, id: CallId, found: Vec<VerifiedBox>) {
        let ids: Vec<BoxId> = found.iter().map(VerifiedBox::id).collect();
        if !ids.is_empty() {
            self.owe(place, &ids);
        }
        let done = self.near_step(|m, s| m.on_boxes(s, id, found));
        self.tell_refusal(done);
    }

    /// The answer is no longer wanted.
    pub(super) fn cancel_request(&mut self, id: CallId) {
        self.near.open.remove(&id);
        self.near.puts.retain(|(put, ..)| *put != id);
        self.near.node.unwatch(WatchId(id.0));
        self.carriers.cancel(id);
    }

    /// The hub has answered.
    pub(super) fn hub_answered(&mut self, id: CallId) {
        if self.near.open.remove(&id).is_some() {
            self.near.node.unwatch(WatchId(id.0));
        }
    }

    /// Gives neighbours what was put since, in one transaction; true when there was something.
    pub(super) fn carry_puts(&mut self) -> bool {
        let puts = std::mem::take(&mut self.near.puts);
        if puts.is_empty() {
            return false;
        }
        let invites = self.near.invites.clone();
        let outcomes = self.gossip(|node, step| {
            let mut outcomes = Vec::with_capacity(puts.len());
            for (id, place, sealed) in puts {
                // We have just signed it.
                let Ok(content) = sealed.verify() else { continue };
                outcomes.push((id, node.put(step, &content, invites.get(&place).copied())?));
            }
            Ok(outcomes)
        });
        let outcomes = match outcomes {
            Ok(outcomes) => outcomes,
            Err(refusal) => {
                self.tell_refusal(Err::<(), _>(refusal));
                return true;
            }
        };
        let near: Vec<(CallId, PutOutcome)> = outcomes
            .into_iter()
            .filter(|(id, _)| self.near.open.get(id).is_some_and(|o| !o.at_hub))
            .collect();
        near.iter().for_each(|(id, _)| drop(self.near.open.remove(id)));
        let done = self.near_step(|m, s| {
            near.into_iter().try_for_each(|(id, outcome)| match outcome.is_stored() {
                true => m.on_carried(s, id),
                false => m.on_put(s, id, outcome),
            })
        });
        self.tell_refusal(done);
        true
    }

    /// What the LAN reports, as much as is there, in one transaction.
    pub(super) fn take_lan(&mut self, first: LanEvent) {
        let mut events = vec![first];
        while let Some(Ok(event)) =
            self.near.events.as_mut().filter(|_| events.len() < BATCH).map(mpsc::Receiver::try_recv)
        {
            events.push(event);
        }
        let (gossip, words): (Vec<_>, Vec<_>) = events.into_iter().partition(|event| {
            matches!(
                event,
                LanEvent::Up { .. } | LanEvent::Message(..) | LanEvent::Sent(_) | LanEvent::Down(_)
            )
        });
        let done = self.gossip(|node, step| {
            for event in gossip {
                match event {
                    LanEvent::Up { link, known, dialled } => {
                        node.link_up(step, link, known, dialled)
                    }
                    LanEvent::Message(link, message) => node.on_message(step, link, message)?,
                    LanEvent::Sent(link) => node.sent(step, link),
                    LanEvent::Down(link) => node.link_down(step, link),
                    _ => {}
                }
            }
            Ok(())
        });
        self.tell_refusal(done);
        self.tell_neighbours();
        words.into_iter().for_each(|event| self.met(event));
    }

    /// Tells which contacts have come near, and which are gone.
    fn tell_neighbours(&mut self) {
        let links = self.near.node.links().filter(|l| l.standing == Standing::Contact);
        let near: HashSet<Account> = links.map(|l| l.account).collect();
        let before = std::mem::replace(&mut self.near.told, near.clone());
        for account in near.symmetric_difference(&before) {
            if let Some(NearWho::Contact(id)) = self.near.who(*account) {
                let conversation = self.messenger.name_of(id).unwrap_or_default().to_owned();
                self.tell(Event::Neighbour { conversation, here: near.contains(account) });
            }
        }
    }

    /// Does what time demands of the node.
    pub(super) fn tick_near(&mut self) {
        if self.near.node.deadline().is_some_and(|at| at <= self.now()) {
            let done = self.gossip(|node, step| node.tick(step, &mut rand::rng()));
            self.tell_refusal(done);
        }
        if self.near.errand_at <= self.now() {
            self.near.errand_at = Timestamp::MAX;
            self.run_errands();
        }
    }

    /// Looks, at each hub in reach, for boxes that came by the LAN.
    fn run_errands(&mut self) {
        let mut seen = HashSet::new();
        let hubs: Vec<(PlaceId, [u8; 32])> = self
            .messenger
            .places()
            .into_iter()
            .filter(|p| self.near.reaches.get(p) == Some(&Reach::Hub))
            .filter_map(|p| Some((p, name_of(self.messenger.place(p)?.0))))
            .filter(|(_, name)| seen.insert(*name))
            .collect();
        for (place, name) in hubs {
            let owed = carrying(&self.vault, |table| {
                table.owed(&name, LOOK_AT).map_err(mesh::Error::from)
            });
            let Some(owed) = owed.ok().filter(|owed| !owed.is_empty()) else { continue };
            self.errand(place, Call::Look(owed.clone()), Errand::Look(place, owed));
        }
    }

    fn errand(&mut self, place: PlaceId, call: Call, errand: Errand) {
        let id = CallId(self.near.next_errand);
        self.near.next_errand += 1;
        self.near.errands.insert(id, errand);
        self.carriers.call(place, id, call);
    }

    /// An answer of a hub to an errand; false when it is one for the messenger.
    pub(super) fn errand_answered(
        &mut self,
        id: CallId,
        present: Option<&[VerifiedBox]>,
        outcome: Option<PutOutcome>,
    ) -> bool {
        let Some(errand) = self.near.errands.remove(&id) else { return false };
        match (errand, present, outcome) {
            (Errand::Look(place, ids), Some(present), _) => {
                let there: Vec<BoxId> = present.iter().map(VerifiedBox::id).collect();
                let missing: Vec<BoxId> =
                    ids.into_iter().filter(|id| !there.contains(id)).collect();
                self.settle(place, &there);
                let carried =
                    self.gossip(|node, step| node.look(step.store, &missing)).unwrap_or_default();
                for content in carried {
                    let bring = Errand::Bring(place, content.id());
                    self.errand(place, Call::Put(content.into_sealed()), bring);
                }
            }
            (Errand::Bring(place, id), _, Some(outcome))
                if outcome.is_stored() || outcome == PutOutcome::Taken =>
            {
                self.settle(place, &[id]);
            }
            _ => {}
        }
        if self.near.errands.is_empty() {
            self.near.errand_at = self.near.errand_at.min(self.now().plus_millis(OWE_AFTER_MS));
        }
        true
    }

    fn settle(&mut self, place: PlaceId, ids: &[BoxId]) {
        let Some(name) = self.messenger.place(place).map(|(network, _)| name_of(network)) else {
            return;
        };
        let done =
            carrying(&self.vault, |table| table.settle(&name, ids).map_err(mesh::Error::from));
        self.tell_refusal(done);
    }

    /// Contacts come and go: whom we may meet.
    pub(super) fn update_pairs(&mut self) {
        let near = self.messenger.near();
        let accounts: HashMap<Account, NearWho> =
            near.iter().map(|n| (account_of(n.who), n.who)).collect();
        if accounts == self.near.names {
            return;
        }
        self.near.names = accounts;
        self.near.invites = near
            .iter()
            .filter(|n| matches!(n.who, NearWho::Invite(_)))
            .map(|n| (n.place, account_of(n.who)))
            .collect();
        let pairs = near.into_iter().map(|n| {
            let standing = match n.who {
                NearWho::Contact(_) => Standing::Contact,
                NearWho::Invite(_) => Standing::Guest,
            };
            Pair::new(account_of(n.who), standing, n.first, *n.secret.reveal())
        });
        if let Some(lan) = &self.near.lan {
            lan.set_pairs(pairs.collect());
        }
    }

    /// Boxes of a file; how many were new.
    pub(super) fn take_in(&mut self, boxes: Vec<VerifiedBox>) -> Result<usize, Refusal> {
        self.gossip(|node, step| {
            let mut new = 0;
            for content in boxes {
                new +=
                    usize::from(node.take_in(step, &content, FROM_A_FILE)? == PutOutcome::Stored);
            }
            Ok(new)
        })
    }
}
