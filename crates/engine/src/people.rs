//! People on the local network who are not contacts yet: who shows themselves, who knocks.
//!
//! ```text
//! Knock ──► knocking ── they agree: an invite comes ──► accepting ──► contact
//!              └────── they refuse, or nobody answers ──► refused
//! somebody knocks ──► AcceptKnock ──► an invite is made ──► sent to them ──► contact
//!                 └─► RefuseKnock
//! ```

use std::time::Duration;

use api::{
    AcceptKnock, Answer, CarriedView, Done, Event, KnockId, MeshView, NeighbourView, Opened,
    PersonView, Reason, Refusal, RefuseKnock, Thing, Value,
};
use e2ee::Floor;
use e2ee::id::MessageId;
use e2ee::{Invite, NetworkPlace, Nick};
use mesh::Standing;
use messenger::NearWho;
use routes::{Lan, LanEvent, Person};
use wire::{ErrorKind, NodeId};

use crate::core::Core;
use crate::id::Shared;
use crate::near::Near;
use crate::refuse::lan_is_off;
use crate::run::Engine;
use crate::words;

/// How long an invite works that was made for somebody who knocked, ms.
const KNOCK_INVITE_MS: u64 = 600_000;

fn carried((boxes, bytes): (u64, u64)) -> CarriedView {
    CarriedView { boxes, bytes }
}

/// A name that a stranger gave, fit to be shown.
fn shown(name: &str) -> String {
    Nick::new(name).map_or_else(|_| "somebody".to_owned(), |nick| nick.as_str().to_owned())
}

/// A knock's number on this machine, as an id.
fn knock_id(number: u64) -> KnockId {
    let mut bytes = [0; 16];
    let (low, _) = bytes.split_at_mut(8);
    low.copy_from_slice(&number.to_be_bytes());
    KnockId::new(bytes)
}

fn number_of(knock: KnockId) -> Result<u64, Refusal> {
    let (low, rest) = knock.as_bytes().split_at(8);
    let number = low.try_into().map(u64::from_be_bytes).unwrap_or_default();
    if rest.iter().any(|b| *b != 0) {
        return Err(Refusal::no_such(Thing::Knock));
    }
    Ok(number)
}

impl Engine {
    /// Neighbours, and what is carried.
    pub(crate) fn mesh(&self, answer: Answer<MeshView>) {
        let Engine { core, near, .. } = self;
        let usage = near.node.usage();
        let links = near.node.links().filter(|l| l.standing == Standing::Contact);
        let neighbours = links.filter_map(|link| {
            let Some(NearWho::Contact(id)) = near.who(link.account) else { return None };
            Some(NeighbourView {
                conversation: id.other(),
                label: core.label(id),
                since_ms: link.since.as_millis(),
                received: carried(link.received),
                given: carried(link.given),
            })
        });
        let mut view = MeshView {
            lan: words::lan(self.lan_use),
            interfaces: Vec::new(),
            neighbours: neighbours.collect(),
            ours: carried(usage.ours),
            others: carried(usage.others),
        };
        let Some(interfaces) = near.lan.as_ref().map(Lan::interfaces) else {
            return answer.send(Ok(view));
        };
        tokio::spawn(async move {
            view.interfaces = interfaces.await.unwrap_or_default();
            answer.send(Ok(view));
        });
    }

    /// People who show themselves.
    pub(crate) fn nearby(&self, answer: Answer<Vec<PersonView>>) {
        let Some(people) = self.near.lan.as_ref().map(Lan::nearby) else {
            return answer.send(Err(lan_is_off()));
        };
        tokio::spawn(async move {
            let view = |p: Person| PersonView {
                name: shown(&p.name),
                key: data_encoding::HEXLOWER.encode(p.key.as_bytes()),
                ago_ms: p.ago_ms,
            };
            answer.send(Ok(people.await.unwrap_or_default().into_iter().map(view).collect()));
        });
    }

    /// Shows this profile's name for a time.
    pub(crate) fn show(&mut self, seconds: u32) -> Result<Done, Refusal> {
        let name = self.core.read(|m, store| m.name(store))?;
        let lan = self.near.lan.as_ref().ok_or_else(lan_is_off)?;
        match seconds {
            0 => lan.hide(),
            _ => lan.show(name, Duration::from_secs(u64::from(seconds))),
        }
        Ok(Done {})
    }

    pub(crate) fn knock(&mut self, request: api::Knock, answer: Answer<Opened>) {
        match knock(&self.core, &self.near, &request.key) {
            Ok(()) => self.near.knocking = Some((answer, request.name)),
            Err(refusal) => answer.send(Err(refusal)),
        }
    }

    pub(crate) fn accept_knock(&mut self, request: AcceptKnock, answer: Answer<Opened>) {
        let (place, floor) = self.place_to_meet();
        let Engine { core, near, .. } = self;
        let invited = near.lan.as_ref().ok_or_else(lan_is_off).and_then(|_| {
            let number = number_of(request.knock)?;
            let made =
                core.step(|m, s| m.invite(s, &place, floor, None, request.name, KNOCK_INVITE_MS))?;
            Ok((made, number))
        });
        match invited {
            Ok((invite, number)) => {
                near.welcoming.insert(invite, number);
                self.accepting.insert(invite, answer);
            }
            Err(refusal) => answer.send(Err(refusal)),
        }
    }

    pub(crate) fn refuse_knock(&mut self, request: &RefuseKnock) -> Result<Done, Refusal> {
        let lan = self.near.lan.as_ref().ok_or_else(lan_is_off)?;
        lan.answer_knock(number_of(request.knock)?, None);
        Ok(Done {})
    }

    /// Where somebody new is met: in the profile's network, or on the local network alone.
    pub(crate) fn place_to_meet(&self) -> (NetworkPlace, Floor) {
        match self.network(None) {
            Ok(place) if self.lan_use != vault::config::LanUse::Only => (place, self.core.floor()),
            _ => (NetworkPlace::lan(), Floor::Lan),
        }
    }

    /// An invite is ready that somebody who knocked waits for; whether it was one.
    pub(crate) fn welcome(&mut self, invite: MessageId) -> bool {
        let Some(knock) = self.near.welcoming.remove(&invite) else { return false };
        let invites = self.core.messenger.invites();
        let link = invites.into_iter().find(|i| i.id == invite).map(|i| i.link.to_string());
        if let Some(lan) = &self.near.lan {
            lan.answer_knock(knock, link);
        }
        true
    }

    /// What the local network tells besides gossip.
    pub(crate) fn on_lan_news(&mut self, event: LanEvent) {
        let news = match event {
            LanEvent::Shown => Event::PersonNearby {},
            LanEvent::Knocked { knock, name, words } => {
                Event::Knock { knock: knock_id(knock), name: shown(&name), words }
            }
            LanEvent::Knocking { words } => Event::Knocking { words },
            LanEvent::Welcomed(invite) => return self.on_welcomed(invite.as_deref()),
            LanEvent::Notice(text) => Event::Notice { text },
            LanEvent::Up { .. } | LanEvent::Message(..) | LanEvent::Sent(_) | LanEvent::Down(_) => {
                return;
            }
        };
        self.core.tell(news);
    }

    fn on_welcomed(&mut self, invite: Option<&str>) {
        let Some((answer, name)) = self.near.knocking.take() else { return };
        match invite.filter(|text| Invite::parse(text).is_ok()) {
            Some(link) => self.accept(link, name, answer),
            None => {
                let text = "nobody answered the knock";
                answer.send(Err(Refusal::new(ErrorKind::Network, Reason::NoAnswer, text)));
            }
        }
    }
}

fn knock(core: &Core, near: &Near, key: &str) -> Result<(), Refusal> {
    let key = data_encoding::HEXLOWER_PERMISSIVE.decode(key.as_bytes()).ok();
    let what = Value::Key;
    let key: [u8; 32] = key.and_then(|k| k.try_into().ok()).ok_or_else(|| {
        Refusal::wrong(Reason::BadValue { what }, "invalid key of a person nearby")
    })?;
    let name = core.read(|m, store| m.name(store))?;
    near.lan.as_ref().ok_or_else(lan_is_off)?.knock(NodeId::new(key), name);
    Ok(())
}
