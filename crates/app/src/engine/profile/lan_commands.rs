//! Commands of front ends about the local network: neighbours, people nearby, bundles.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use e2ee::id::MessageId;
use e2ee::mls::Floor;
use e2ee::{Invite, NetworkPlace, Nick};
use mesh::Standing;
use mesh::bundle::{self, MAGIC, Reader};
use messenger::NearWho;
use routes::LanEvent;
use wire::{ErrorKind, NodeId};

use super::client::Refusal;
use super::run::{Answer, Engine};
use super::types::{CarriedView, Command, Event, MeshView, NeighbourView, PersonView, Reply};

/// How long an invite stays open that was given to somebody who knocked, ms.
const KNOCK_INVITE_MS: u64 = 600_000;
/// Boxes of a file that one transaction takes.
const AT_A_TIME: usize = 256;

type Answered = Result<Reply, Refusal>;

fn lan_is_off() -> Refusal {
    let hint = "switch it on: --lan on, or `hushwing config set lan on`";
    Refusal::new(ErrorKind::LocalConfig, "the local network is not used by this profile", hint)
}

fn carried((boxes, bytes): (u64, u64)) -> CarriedView {
    CarriedView { boxes, bytes }
}

/// A name that a stranger gave, fit to be shown.
fn shown(name: &str) -> String {
    Nick::new(name).map_or_else(|_| "somebody".to_owned(), |nick| nick.as_str().to_owned())
}

impl Engine {
    /// Does what a front end asks about the local network.
    pub(super) fn lan_command(&mut self, command: Command, answer: Answer) {
        let done = match command {
            Command::Mesh {} => return self.mesh(answer),
            Command::Nearby {} => return self.nearby(answer),
            Command::Show { seconds } => self.show(seconds),
            Command::Knock { key, name } => return self.knock(&key, name, answer),
            Command::AnswerKnock { knock, accept, name } => {
                return self.answer_knock(&knock, accept, name, answer);
            }
            Command::BundleOut { path, conversation } => {
                self.bundle_out(&path, conversation.as_deref())
            }
            Command::BundleIn { path } => self.bundle_in(&path),
            _ => Err(Refusal::new(
                ErrorKind::Bug,
                "a command that nobody does",
                "please report this",
            )),
        };
        let _ = answer.send(done);
    }

    fn mesh(&mut self, answer: Answer) {
        let usage = self.near.node.usage();
        let name = |account| match self.near.who(account) {
            Some(NearWho::Contact(id)) => self.messenger.name_of(id).map(str::to_owned),
            _ => None,
        };
        let neighbours =
            self.near.node.links().filter(|l| l.standing == Standing::Contact).filter_map(|link| {
                let since = link.since.as_millis();
                let (received, given) = (carried(link.received), carried(link.given));
                Some(NeighbourView { name: name(link.account)?, since_ms: since, received, given })
            });
        let mut view = MeshView {
            lan: self.lan_use.word().to_owned(),
            interfaces: Vec::new(),
            neighbours: neighbours.collect(),
            ours: carried(usage.ours),
            others: carried(usage.others),
        };
        let Some(interfaces) = self.near.lan.as_ref().map(routes::Lan::interfaces) else {
            let _ = answer.send(Ok(Reply::Mesh(view)));
            return;
        };
        tokio::spawn(async move {
            view.interfaces = interfaces.await.unwrap_or_default();
            let _ = answer.send(Ok(Reply::Mesh(view)));
        });
    }

    fn nearby(&self, answer: Answer) {
        let Some(people) = self.near.lan.as_ref().map(routes::Lan::nearby) else {
            let _ = answer.send(Err(lan_is_off()));
            return;
        };
        tokio::spawn(async move {
            let view = |p: routes::Person| PersonView {
                name: shown(&p.name),
                key: data_encoding::HEXLOWER.encode(p.key.as_bytes()),
                ago_ms: p.ago_ms,
            };
            let people = people.await.unwrap_or_default().into_iter().map(view).collect();
            let _ = answer.send(Ok(Reply::Nearby { people }));
        });
    }

    fn show(&mut self, seconds: u32) -> Answered {
        let name = self.read(|m, store| m.name(store))?;
        let lan = self.near.lan.as_ref().ok_or_else(lan_is_off)?;
        match seconds {
            0 => lan.hide(),
            _ => lan.show(name, std::time::Duration::from_secs(u64::from(seconds))),
        }
        Ok(Reply::Done)
    }

    fn knock(&mut self, key: &str, called: Option<String>, answer: Answer) {
        let asked = || -> Result<(), Refusal> {
            let key: Option<[u8; 32]> = data_encoding::HEXLOWER_PERMISSIVE
                .decode(key.as_bytes())
                .ok()
                .and_then(|k| k.try_into().ok());
            let hint = "keys are 64 hexadecimal digits, from `hushwing nearby --json`";
            let key = key.ok_or_else(|| {
                Refusal::new(ErrorKind::LocalConfig, "this is no key to knock at", hint)
            })?;
            let name = self.read(|m, store| m.name(store))?;
            self.near.lan.as_ref().ok_or_else(lan_is_off)?.knock(NodeId::new(key), name);
            Ok(())
        };
        match asked() {
            Ok(()) => self.near.knocking = Some((answer, called)),
            Err(refusal) => drop(answer.send(Err(refusal))),
        }
    }

    fn answer_knock(&mut self, knock: &str, accept: bool, called: Option<String>, answer: Answer) {
        let Some(lan) = &self.near.lan else { return drop(answer.send(Err(lan_is_off()))) };
        let Ok(knock) = knock.parse::<u64>() else {
            let hint = "the event `knock` names it";
            return drop(answer.send(Err(Refusal::new(
                ErrorKind::LocalConfig,
                "there is no such knock",
                hint,
            ))));
        };
        if !accept {
            lan.answer_knock(knock, None);
            return drop(answer.send(Ok(Reply::Done)));
        }
        let (place, floor) = self.place_to_meet();
        match self.step(|m, s| m.invite(s, &place, floor, None, called, KNOCK_INVITE_MS)) {
            Ok(invite) => {
                self.near.welcoming.insert(invite, knock);
                self.waiting.insert(invite, answer);
            }
            Err(refusal) => drop(answer.send(Err(refusal))),
        }
    }

    /// Where somebody new is met: in the profile's network, or on the local network alone.
    pub(super) fn place_to_meet(&self) -> (NetworkPlace, Floor) {
        match self.network(None) {
            Ok(place) if self.lan_use != super::LanUse::Only => (place, self.floor()),
            _ => (NetworkPlace::lan(), Floor::Lan),
        }
    }

    /// An invite is ready that somebody who knocked waits for; whether it was one.
    pub(super) fn welcome(&mut self, invite: MessageId) -> bool {
        let Some(knock) = self.near.welcoming.remove(&invite) else { return false };
        let link = self
            .messenger
            .invites()
            .into_iter()
            .find(|i| i.id == invite)
            .map(|i| i.link.to_string());
        if let Some(lan) = &self.near.lan {
            lan.answer_knock(knock, link);
        }
        true
    }

    /// What the LAN tells besides gossip.
    pub(super) fn met(&mut self, event: LanEvent) {
        match event {
            LanEvent::Shown => self.tell(Event::PersonNearby {}),
            LanEvent::Knocked { knock, name, words } => {
                self.tell(Event::Knock { knock: knock.to_string(), name: shown(&name), words });
            }
            LanEvent::Knocking { words } => self.tell(Event::Knocking { words }),
            LanEvent::Welcomed(invite) => self.welcomed(invite.as_deref()),
            LanEvent::Notice(text) => self.tell(Event::Notice { text }),
            LanEvent::Up { .. } | LanEvent::Message(..) | LanEvent::Sent(_) | LanEvent::Down(_) => {
            }
        }
    }

    fn welcomed(&mut self, invite: Option<&str>) {
        let Some((answer, called)) = self.near.knocking.take() else { return };
        let Some(text) = invite.filter(|text| Invite::parse(text).is_ok()) else {
            let hint = "they may have said no, or be gone; `hushwing nearby` shows who is there";
            return drop(answer.send(Err(Refusal::new(ErrorKind::Network, "nobody opened", hint))));
        };
        self.accept(text, called, answer);
    }

    fn bundle_out(&mut self, path: &str, conversation: Option<&str>) -> Answered {
        let of = conversation.map(|name| self.find(name)).transpose()?;
        self.bundle();
        let wanted =
            of.map(|id| self.messenger.our_boxes(id)).transpose().map_err(Refusal::from)?;
        let ids: Vec<_> = match &wanted {
            Some(ids) => ids.clone(),
            None => self.near.node.carried().into_iter().map(|(id, _)| id).collect(),
        };
        let fail = |e: std::io::Error| {
            let kind = match e.kind() {
                std::io::ErrorKind::AlreadyExists | std::io::ErrorKind::NotFound => {
                    ErrorKind::LocalConfig
                }
                _ => ErrorKind::LocalStorage,
            };
            Refusal::new(
                kind,
                format!("the file cannot be written: {e}"),
                "name a new file on a disk with room",
            )
        };
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fail)?;
        file.write_all(MAGIC).map_err(fail)?;
        let (mut boxes, mut bytes) = (0, MAGIC.len() as u64);
        for some in ids.chunks(AT_A_TIME) {
            for content in self.gossip(|node, step| node.look(step.store, some))? {
                let entry = bundle::entry(content, 1);
                file.write_all(&entry).map_err(fail)?;
                boxes += 1;
                bytes += entry.len() as u64;
            }
        }
        file.sync_all().map_err(fail)?;
        Ok(Reply::Bundle { boxes, new: 0, bytes })
    }

    fn bundle_in(&mut self, path: &str) -> Answered {
        let fail = |e: std::io::Error| {
            Refusal::new(
                ErrorKind::LocalConfig,
                format!("the file cannot be read: {e}"),
                "name a file that you can read",
            )
        };
        let mut file = File::open(path).map_err(fail)?;
        self.bundle();
        let (mut reader, mut piece) = (Reader::default(), vec![0; 64 * 1024]);
        let (mut boxes, mut new, mut bytes) = (0, 0, 0_u64);
        let told = |e: mesh::Error, boxes: usize| {
            Refusal::new(
                e.kind(),
                format!("{e}; {boxes} boxes before that were taken"),
                "copy the file anew",
            )
        };
        loop {
            let read = file.read(&mut piece).map_err(fail)?;
            if read == 0 {
                break;
            }
            bytes += read as u64;
            reader.feed(piece.get(..read).unwrap_or_default());
            let mut some = Vec::new();
            let mut broken = None;
            loop {
                match reader.next_box() {
                    Ok(Some(content)) => some.push(content),
                    Ok(None) => break,
                    Err(error) => {
                        broken = Some(error);
                        break;
                    }
                }
            }
            boxes += some.len();
            new += self.take_in(some)?;
            if let Some(error) = broken {
                return Err(told(error, boxes));
            }
        }
        reader.finish().map_err(|e| told(e, boxes))?;
        Ok(Reply::Bundle { boxes, new, bytes })
    }

    /// From now on boxes go into files, or come from them: what is queued is sealed, what is
    /// awaited is asked for.
    fn bundle(&mut self) {
        self.near.bundling = true;
        self.after();
    }
}
