//! How a profile uses the local network: its boxes go to neighbours, theirs come here, and each
//! request goes to the hub, to neighbours, or to both.
//!
//! ```text
//! request ──► hub is up ──► hub and neighbours ──► first answer wins, the other is cancelled
//!         └─► hub is down, a neighbour may come ──► neighbours ──► the hub, once it is up again
//!         └─► neither ──► waits
//! ```

mod errands;

use std::collections::{HashMap, HashSet};

use api::{Answer, Event, Opened, Refusal};
use e2ee::NetworkPlace;
use e2ee::id::MessageId;
use mesh::node::{Action, Config as Gossip, Step as Gossiping, WatchId};
use mesh::{Account, Node, Pair, Standing};
use messenger::event::PlaceId;
use messenger::request::{Call, CallId};
use messenger::{NearWho, Reach};
use routes::{Lan, LanEvent};
use sha2::{Digest, Sha256};
use streams::{BoxId, SealedBox, VerifiedBox};
use tokio::sync::mpsc;
use vault::{CarriedTable, Vault};
use wire::Timestamp;
use wire::hub::PutOutcome;

use self::errands::Errand;
use crate::carriers::Carriers;
use crate::core::Core;
use crate::id::Shared;
use crate::refuse::Refuse;

/// LAN events that one transaction takes at most.
const BATCH: usize = 64;
/// Boxes that came from a file, not from a neighbour.
const FROM_A_FILE: Account = Account([0xff; 16]);

/// An open request of the messenger.
struct Open {
    place: PlaceId,
    call: Call,
    /// Whether the hub is asked, too.
    at_hub: bool,
}

/// A profile's part in the mesh.
pub(crate) struct Near {
    pub(crate) lan: Option<Lan>,
    events: Option<mpsc::Receiver<LanEvent>>,
    pub(crate) node: Node,
    /// Boxes go into a file, or came from one: conversations talk as if neighbours were there.
    pub(crate) bundling: bool,
    open: HashMap<CallId, Open>,
    puts: Vec<(CallId, PlaceId, SealedBox)>,
    reaches: HashMap<PlaceId, Reach>,
    invites: HashMap<PlaceId, Account>,
    /// Who is behind an account.
    names: HashMap<Account, NearWho>,
    /// Contacts that were told to be near.
    told: HashSet<Account>,
    /// Who waits for the answer to our knock, and what they want to call the person who opens.
    pub(crate) knocking: Option<(Answer<Opened>, Option<String>)>,
    /// Invites for those who knocked, until they are ready.
    pub(crate) welcoming: HashMap<MessageId, u64>,
    errands: HashMap<CallId, Errand>,
    next_errand: u64,
    errand_at: Timestamp,
}

impl Near {
    pub(crate) fn load(
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
    pub(crate) async fn event(&mut self) -> LanEvent {
        match &mut self.events {
            Some(events) => match events.recv().await {
                Some(event) => event,
                None => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }

    /// Says goodbye to neighbours.
    pub(crate) async fn finish(&mut self) {
        if let Some((lan, events)) = self.lan.take().zip(self.events.take()) {
            lan.finish(events).await;
        }
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let errands = (self.errand_at < Timestamp::MAX).then_some(self.errand_at);
        self.node.deadline().into_iter().chain(errands).min()
    }

    /// Who is behind an account.
    pub(crate) fn who(&self, account: Account) -> Option<NearWho> {
        self.names.get(&account).copied()
    }

    /// Places are numbered again, and so are requests.
    pub(crate) fn forget(&mut self) {
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
        .map_err(|error| match error {
            CarryError::Vault(error) => error.refuse(),
            CarryError::Mesh(error) => error.refuse(),
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

impl Near {
    /// Works on the node and its boxes, in one transaction, and does what comes of it.
    pub(crate) fn gossip<T>(
        &mut self,
        core: &mut Core,
        carriers: &mut Carriers,
        work: impl FnOnce(&mut Node, &mut Gossiping<'_>) -> Result<T, mesh::Error>,
    ) -> Result<T, Refusal> {
        let now = core.local();
        let done = {
            let node = &mut self.node;
            carrying(&core.vault, |table| work(node, &mut Gossiping { now, store: table }))
        };
        self.do_actions(core, carriers);
        done
    }

    fn do_actions(&mut self, core: &mut Core, carriers: &mut Carriers) {
        let mut found: Vec<(CallId, VerifiedBox)> = Vec::new();
        while let Some(action) = self.node.poll() {
            match (action, &self.lan) {
                (Action::Send(link, message), Some(lan)) => lan.send(link, message),
                (Action::Close(link, why), Some(lan)) => {
                    tracing::debug!(why, "a neighbour's link ends");
                    lan.close(link);
                }
                (Action::Found(watch, content), _) => found.push((CallId(watch.0), content)),
                (Action::Send(..) | Action::Close(..), None) => {}
            }
        }
        self.found(core, carriers, found);
    }

    /// Boxes came by the LAN that the messenger waits for.
    fn found(
        &mut self,
        core: &mut Core,
        carriers: &mut Carriers,
        found: Vec<(CallId, VerifiedBox)>,
    ) {
        let mut answers = Vec::new();
        for (id, content) in found {
            let Some(open) = self.open.remove(&id) else { continue };
            if open.at_hub {
                carriers.cancel(id);
            }
            self.owe(core, open.place, &[content.id()]);
            answers.push((id, vec![content]));
        }
        if !answers.is_empty() {
            let done = core.step_via("lan", |m, s| {
                answers.into_iter().try_for_each(|(id, boxes)| m.on_boxes(s, id, boxes))
            });
            core.tell_refusal(done);
        }
    }

    /// Which way a place's requests can go now.
    pub(crate) fn reach(&self, core: &Core, carriers: &Carriers, place: PlaceId) -> Reach {
        if carriers.is_up(place) {
            return Reach::Hub;
        }
        if !Self::allows_lan(core, place) {
            return Reach::Off;
        }
        let invite = self.invites.contains_key(&place) && self.lan.is_some();
        if self.bundling || invite || self.node.has_contacts() { Reach::Near } else { Reach::Off }
    }

    fn allows_lan(core: &Core, place: PlaceId) -> bool {
        core.messenger.place(place).is_some_and(|(_, floor)| floor.allows_lan())
    }

    fn lan_serves(&self, core: &Core, place: PlaceId) -> bool {
        Self::allows_lan(core, place) && (self.lan.is_some() || self.bundling)
    }

    /// Tells the messenger which places can be reached otherwise than before; true when something
    /// has changed.
    pub(crate) fn update_reach(&mut self, core: &mut Core, carriers: &mut Carriers) -> bool {
        let places = core.messenger.places();
        let changed: Vec<(PlaceId, Reach, Reach)> = places
            .iter()
            .map(|p| {
                (
                    *p,
                    self.reaches.get(p).copied().unwrap_or_default(),
                    self.reach(core, carriers, *p),
                )
            })
            .filter(|(_, before, now)| before != now)
            .collect();
        for (place, before, now) in &changed {
            self.reaches.insert(*place, *now);
            let sizes = carriers.sizes(*place);
            let done = core.step(|m, s| {
                m.set_sizes(s, *place, sizes)?;
                m.set_reach(s, *place, *now)
            });
            core.tell_refusal(done);
            self.redirect(core, carriers, *place, *before, *now);
            if *now == Reach::Near && *before == Reach::Off {
                core.tell(Event::Network { online: true, text: "on the local network".to_owned() });
            }
        }
        !changed.is_empty()
    }

    /// Open requests follow: to the hub when it is there, to the LAN alone when it is gone.
    fn redirect(
        &mut self,
        core: &mut Core,
        carriers: &mut Carriers,
        place: PlaceId,
        before: Reach,
        now: Reach,
    ) {
        let mut carried = Vec::new();
        for (id, open) in self.open.iter_mut().filter(|(_, o)| o.place == place) {
            if now == Reach::Hub && !open.at_hub {
                open.at_hub = true;
                carriers.call(place, *id, open.call.clone());
            } else if before == Reach::Hub
                && now == Reach::Near
                && matches!(open.call, Call::Put(_))
            {
                carried.push(*id);
            }
        }
        for id in carried {
            // Neighbours were given it when it was put.
            self.open.remove(&id);
            carriers.cancel(id);
            let done = core.step_via("lan", |m, s| m.on_carried(s, id));
            core.tell_refusal(done);
        }
    }

    /// Asks for what the messenger wants: the hub, neighbours, or both.
    pub(crate) fn request(
        &mut self,
        core: &mut Core,
        carriers: &mut Carriers,
        place: PlaceId,
        id: CallId,
        call: Call,
        hub_only: bool,
    ) {
        if hub_only || !self.lan_serves(core, place) {
            return carriers.call(place, id, call);
        }
        let at_hub = self.reaches.get(&place) == Some(&Reach::Hub);
        match &call {
            Call::Put(sealed) => self.puts.push((id, place, sealed.clone())),
            Call::Get(ids) => {
                let watched =
                    self.gossip(core, carriers, |node, step| node.watch(step, WatchId(id.0), ids));
                match watched {
                    Ok(found) if !found.is_empty() => {
                        return self.answer_at_once(core, place, id, found);
                    }
                    Ok(_) => {}
                    Err(refusal) => core.tell_refusal(Err::<(), _>(refusal)),
                }
            }
            Call::Look(_) if at_hub => return carriers.call(place, id, call),
            Call::Look(ids) => {
                let ids = ids.clone();
                let found = self
                    .gossip(core, carriers, |node, step| node.look(step.store, &ids))
                    .unwrap_or_default();
                return self.answer_at_once(core, place, id, found);
            }
        }
        if at_hub {
            carriers.call(place, id, call.clone());
        }
        self.open.insert(id, Open { place, call, at_hub });
    }

    fn answer_at_once(
        &mut self,
        core: &mut Core,
        place: PlaceId,
        id: CallId,
        found: Vec<VerifiedBox>,
    ) {
        let ids: Vec<BoxId> = found.iter().map(VerifiedBox::id).collect();
        if !ids.is_empty() {
            self.owe(core, place, &ids);
        }
        let done = core.step_via("lan", |m, s| m.on_boxes(s, id, found));
        core.tell_refusal(done);
    }

    /// The answer is no longer wanted.
    pub(crate) fn cancel_request(&mut self, carriers: &mut Carriers, id: CallId) {
        self.open.remove(&id);
        self.puts.retain(|(put, ..)| *put != id);
        self.node.unwatch(WatchId(id.0));
        carriers.cancel(id);
    }

    /// The hub has answered.
    pub(crate) fn hub_answered(&mut self, id: CallId) {
        if self.open.remove(&id).is_some() {
            self.node.unwatch(WatchId(id.0));
        }
    }

    /// Gives neighbours what was put since, in one transaction; true when there was something.
    pub(crate) fn carry_puts(&mut self, core: &mut Core, carriers: &mut Carriers) -> bool {
        let puts = std::mem::take(&mut self.puts);
        if puts.is_empty() {
            return false;
        }
        let invites = self.invites.clone();
        let outcomes = self.gossip(core, carriers, |node, step| {
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
                core.tell_refusal(Err::<(), _>(refusal));
                return true;
            }
        };
        let near: Vec<(CallId, PutOutcome)> = outcomes
            .into_iter()
            .filter(|(id, _)| self.open.get(id).is_some_and(|o| !o.at_hub))
            .collect();
        near.iter().for_each(|(id, _)| drop(self.open.remove(id)));
        let done = core.step_via("lan", |m, s| {
            near.into_iter().try_for_each(|(id, outcome)| match outcome.is_stored() {
                true => m.on_carried(s, id),
                false => m.on_put(s, id, outcome),
            })
        });
        core.tell_refusal(done);
        true
    }

    /// What the LAN reports, as much as is there, in one transaction.
    pub(crate) fn take_lan(
        &mut self,
        core: &mut Core,
        carriers: &mut Carriers,
        first: LanEvent,
    ) -> Vec<LanEvent> {
        let mut events = vec![first];
        while let Some(Ok(event)) =
            self.events.as_mut().filter(|_| events.len() < BATCH).map(mpsc::Receiver::try_recv)
        {
            events.push(event);
        }
        let (gossip, words): (Vec<_>, Vec<_>) = events.into_iter().partition(|event| {
            matches!(
                event,
                LanEvent::Up { .. } | LanEvent::Message(..) | LanEvent::Sent(_) | LanEvent::Down(_)
            )
        });
        let done = self.gossip(core, carriers, |node, step| {
            for event in gossip {
                match event {
                    LanEvent::Up { link, known, dialled } => {
                        node.link_up(step, link, known, dialled);
                    }
                    LanEvent::Message(link, message) => node.on_message(step, link, message)?,
                    LanEvent::Sent(link) => node.sent(step, link),
                    LanEvent::Down(link) => node.link_down(step, link),
                    _ => {}
                }
            }
            Ok(())
        });
        core.tell_refusal(done);
        self.tell_neighbours(core);
        words
    }

    /// Tells which contacts have come near, and which are gone.
    fn tell_neighbours(&mut self, core: &mut Core) {
        let links = self.node.links().filter(|l| l.standing == Standing::Contact);
        let near: HashSet<Account> = links.map(|l| l.account).collect();
        let before = std::mem::replace(&mut self.told, near.clone());
        for account in near.symmetric_difference(&before) {
            if let Some(NearWho::Contact(id)) = self.who(*account) {
                let (conversation, label) = (id.other(), core.label(id));
                let here = near.contains(account);
                core.tell(Event::Neighbour { conversation, label, here });
            }
        }
    }

    /// Does what time demands of the node.
    pub(crate) fn tick(&mut self, core: &mut Core, carriers: &mut Carriers) {
        if self.node.deadline().is_some_and(|at| at <= core.local()) {
            let done = self.gossip(core, carriers, |node, step| node.tick(step, &mut rand::rng()));
            core.tell_refusal(done);
        }
        if self.errand_at <= core.local() {
            self.errand_at = Timestamp::MAX;
            self.run_errands(core, carriers);
        }
    }

    /// Contacts come and go: whom we may meet.
    pub(crate) fn update_pairs(&mut self, core: &Core) {
        let near = core.messenger.near();
        let accounts: HashMap<Account, NearWho> =
            near.iter().map(|n| (account_of(n.who), n.who)).collect();
        if accounts == self.names {
            return;
        }
        self.names = accounts;
        self.invites = near
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
        if let Some(lan) = &self.lan {
            lan.set_pairs(pairs.collect());
        }
    }

    /// Boxes of a file; how many were new.
    pub(crate) fn take_in(
        &mut self,
        core: &mut Core,
        carriers: &mut Carriers,
        boxes: Vec<VerifiedBox>,
    ) -> Result<usize, Refusal> {
        self.gossip(core, carriers, |node, step| {
            let mut new = 0;
            for content in boxes {
                new +=
                    usize::from(node.take_in(step, &content, FROM_A_FILE)? == PutOutcome::Stored);
            }
            Ok(new)
        })
    }
}
