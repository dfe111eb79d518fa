//! The engine's loop: requests, carriers' reports and time, each in one transaction; then what came
//! out of it.
//!
//! ```text
//!  requests ─┐
//!  carriers ─┤                    ┌─► carriers, neighbours (what is to be asked)
//!  the LAN ──┼─► one step ─► after┼─► the disk (pieces of files)
//!  rooms ────┤                    └─► front ends (what happened), answers
//!  the disk ─┤
//!  time ─────┘
//! ```

use std::collections::HashMap;
use std::time::Duration;

use api::{Answer, Call, Event, InviteView, Opened, Reason, Refusal, Route, Status};
use e2ee::id::{ConversationId, MessageId};
use messenger::event::{Event as Happened, Output, PlaceId};
use messenger::{Messenger, Reach};
use net::tor::Tor;
use routes::{CarrierEvent, Lan, LanEvent};
use tokio::sync::{mpsc, watch};
use vault::config::{Keep, LanUse};
use vault::{Config, Profile, Vault};
use wire::Timestamp;

use crate::carriers::{Carriers, Preferences, Report};
use crate::core::Core;
use crate::disk::Disk;
use crate::files;
use crate::id::{self, Shared};
use crate::near::Near;
use crate::refuse::{OrRefuse, lan_is_off};
use crate::rooms::Rooms;
use crate::{views, words};

/// Reports that one transaction takes at most.
const BATCH: usize = 64;
/// How often old messages are forgotten, ms.
const FORGET_EVERY_MS: u64 = 3_600_000;
/// How long replaced keys may stay in the vault's log, ms. To empty it costs about as much as a
/// transaction.
const TIDY_AFTER_MS: u64 = 10_000;
/// Longest sleep: settings and clocks may change meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// A running profile: its parts, each with a state of its own.
pub(crate) struct Engine {
    pub(crate) core: Core,
    pub(crate) carriers: Carriers,
    pub(crate) near: Near,
    pub(crate) rooms: Rooms,
    pub(crate) disk: Disk,
    pub(crate) lan_use: LanUse,
    reports: mpsc::Receiver<Report>,
    rest: watch::Sender<Rest>,
    /// Whether it was started to stay.
    resident: bool,
    /// Who waits for an invite to work.
    pub(crate) inviting: HashMap<MessageId, Answer<InviteView>>,
    /// Who waits for the contact that an invite leads to.
    pub(crate) accepting: HashMap<MessageId, Answer<Opened>>,
    /// Who waits until everything is at the hub.
    flushing: Vec<Answer<api::Done>>,
    /// In local time.
    forget_at: Timestamp,
    /// When the vault's log is emptied, if it holds anything old; in local time.
    tidy_at: Option<Timestamp>,
}

/// What to know before a profile is left alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rest {
    /// Messages of this profile that are not at the hub.
    pub(crate) unstored: usize,
    /// Whether it goes on without front ends.
    pub(crate) stays: bool,
}

/// What an engine is started with.
pub(crate) struct Start {
    pub(crate) profile: Profile,
    pub(crate) vault: Vault,
    pub(crate) config: Config,
    pub(crate) tor: Option<Tor>,
    /// Whether it was started to stay.
    pub(crate) resident: bool,
}

impl Engine {
    pub(crate) fn start(
        start: Start,
        events: mpsc::Sender<Event>,
        rest: watch::Sender<Rest>,
    ) -> Result<Self, Refusal> {
        let Start { profile, vault, config, tor, resident } = start;
        // Neighbours would see what the proxy is to hide.
        let proxied = net::Proxy::in_use().is_some();
        if proxied && config.lan == LanUse::Only {
            return Err(lan_is_off());
        }
        let lan_use = if proxied { LanUse::Off } else { config.lan };
        let dir = (config.keep != Keep::Session).then(|| profile.dir().join("net"));
        if let Some(dir) = &dir {
            jail::StateDir::open(dir).or_refuse()?;
        }
        let (carriers, reports) = Carriers::new(Preferences::from_settings(&config, dir, tor));
        let allowed = match config.lan_interfaces.as_slice() {
            [] => net::lan::Allowed::Private,
            names => net::lan::Allowed::Named(names.to_vec()),
        };
        let near = Near::load(&vault, (lan_use != LanUse::Off).then(|| Lan::start(allowed)))?;
        let core = Core::open(profile, vault, config, events)?;
        // The vault was brought to this version and everything in it could be read (GONE-007).
        core.vault.remove_copies().or_refuse()?;
        Ok(Engine {
            core,
            carriers,
            near,
            rooms: Rooms::new(),
            disk: Disk::new(),
            lan_use,
            reports,
            rest,
            resident,
            inviting: HashMap::new(),
            accepting: HashMap::new(),
            flushing: Vec::new(),
            forget_at: Timestamp::ZERO,
            tidy_at: None,
        })
    }

    pub(crate) async fn run(mut self, mut calls: mpsc::Receiver<Call>) {
        self.rooms.enter_all(&mut self.core, &self.carriers);
        self.after();
        loop {
            let sleep = self.until_deadline();
            tokio::select! {
                report = self.reports.recv() => {
                    let Some(report) = report else { break };
                    self.on_reports(report);
                }
                call = calls.recv() => {
                    let Some(call) = call else { break };
                    self.on_call(call);
                }
                report = self.disk.next() => Disk::on_report(&mut self.core, report),
                event = self.near.event() => self.on_lan(event),
                (room, said) = self.rooms.next() => self.rooms.on_said(&mut self.core, room, said),
                () = tokio::time::sleep(sleep) => {
                    let done = self.core.step(Messenger::tick);
                    self.core.tell_refusal(done);
                }
            }
            self.forget_old();
            self.near.tick(&mut self.core, &mut self.carriers);
            self.after();
            self.core.keep_anchor();
            self.tidy();
        }
        self.rooms.finish().await;
        self.near.finish().await;
        self.core.close();
    }

    fn until_deadline(&self) -> Duration {
        let (now, local) = (self.core.now(), self.core.local());
        let erasure = self.core.read(Messenger::next_erasure).ok().flatten();
        let here = [erasure, self.near.deadline(), self.tidy_at];
        let here = here.into_iter().flatten().map(|at| at.since(local));
        let there = self.core.messenger.deadline().map(|at| at.since(now));
        let wait = here.chain(there).min().unwrap_or(LONGEST_SLEEP);
        wait.clamp(Duration::from_millis(1), LONGEST_SLEEP)
    }

    fn forget_old(&mut self) {
        let (Keep::For(span), local) = (self.core.config.keep, self.core.local()) else { return };
        if local >= self.forget_at {
            self.forget_at = local.plus_millis(FORGET_EVERY_MS);
            let before = local.minus_millis(span);
            let done = self.core.step(|m, s| m.forget_before(s, before));
            self.core.tell_refusal(done);
        }
    }

    /// Empties the vault's log some time after something in it was replaced.
    fn tidy(&mut self) {
        let local = self.core.local();
        match self.tidy_at {
            Some(at) if local >= at => {
                self.core.vault.tidy();
                self.tidy_at = None;
            }
            None if self.core.vault.has_remnants() => {
                self.tidy_at = Some(local.plus_millis(TIDY_AFTER_MS));
            }
            _ => {}
        }
    }

    fn on_lan(&mut self, event: LanEvent) {
        for news in self.near.take_lan(&mut self.core, &mut self.carriers, event) {
            self.on_lan_news(news);
        }
    }

    /// Takes what the carriers report, as much as is there, in one transaction.
    fn on_reports(&mut self, first: Report) {
        let mut reports = vec![first];
        while reports.len() < BATCH {
            match self.reports.try_recv() {
                Ok(report) => reports.push(report),
                Err(_) => break,
            }
        }
        let mut calls = Vec::new();
        for Report { carrier, event, time, sizes, network } in reports {
            self.carriers.note_network(carrier, sizes, network);
            if let Some(time) = time {
                self.core.note_time(time);
            }
            match event {
                CarrierEvent::Status(status) => {
                    self.carriers.note(carrier, status.up, status.text.clone());
                    self.core.tell(Event::Network { online: status.up, text: status.text });
                }
                CarrierEvent::Notice(text) => self.core.tell(Event::Notice { text }),
                CarrierEvent::Path { .. }
                | CarrierEvent::Answered(_)
                | CarrierEvent::Probed(..)
                | CarrierEvent::Traced(_) => {}
                CarrierEvent::Sent(_)
                | CarrierEvent::Put(..)
                | CarrierEvent::Boxes(..)
                | CarrierEvent::Unanswered(_) => {
                    calls.push((self.carriers.route_of(carrier), event));
                }
            }
        }
        calls.retain(|(_, event)| self.is_for_the_messenger(event));
        let done = self.core.step(|m, s| {
            for (route, event) in calls {
                s.via = route;
                match event {
                    CarrierEvent::Sent(id) => m.on_sent(s, id)?,
                    CarrierEvent::Put(id, outcome) => m.on_put(s, id, outcome)?,
                    CarrierEvent::Boxes(id, boxes) => m.on_boxes(s, id, boxes)?,
                    CarrierEvent::Unanswered(id) => m.on_unanswered(s, id)?,
                    _ => {}
                }
            }
            Ok(())
        });
        self.core.tell_refusal(done);
    }

    /// Notes that a hub has answered; whether the messenger wants to know.
    fn is_for_the_messenger(&mut self, event: &CarrierEvent) -> bool {
        let (id, boxes, outcome) = match event {
            CarrierEvent::Put(id, outcome) => (*id, None, Some(*outcome)),
            CarrierEvent::Boxes(id, boxes) => (*id, Some(boxes.as_slice()), None),
            CarrierEvent::Unanswered(id) => (*id, Some([].as_slice()), None),
            _ => return true,
        };
        self.carriers.answered(id);
        self.near.hub_answered(id);
        !self.near.errand_answered(&mut self.core, &mut self.carriers, id, boxes, outcome)
    }

    /// Does what the messenger wants done, after the transaction that it came from.
    pub(crate) fn after(&mut self) {
        loop {
            if self.core.take_reloaded() {
                self.carriers.cancel_all();
                self.carriers.forget_places();
                self.near.forget();
            }
            self.ensure_carriers();
            let Some(output) = self.core.messenger.poll() else {
                self.near.update_pairs(&self.core);
                let Engine { core, carriers, near, .. } = self;
                // What is carried, or can be reached now, may give the messenger more to do.
                if near.update_reach(core, carriers) | near.carry_puts(core, carriers) {
                    continue;
                }
                break;
            };
            self.on_output(output);
        }
        self.core.update_names(&self.rooms.named());
        self.rooms.relabel(&mut self.core);
        self.tell_rest();
    }

    fn on_output(&mut self, output: Output) {
        let Engine { core, carriers, near, disk, .. } = self;
        match output {
            Output::Call { id, place, call, hub_only } => {
                near.request(core, carriers, place, id, call, hub_only);
            }
            Output::Cancel(id) => near.cancel_request(carriers, id),
            Output::Event(event) => self.on_happened(event),
            Output::ReadChunk { transfer, offset, len } => {
                Disk::read_chunk(core, transfer, offset, len);
            }
            Output::WriteChunk { transfer, offset, bytes } => {
                Disk::write_chunk(core, transfer, offset, &bytes);
            }
            Output::Finish { transfer } => disk.finish(core, transfer),
        }
    }

    fn tell_rest(&mut self) {
        let unstored = self.core.messenger.unstored() + self.near.node.untaken();
        let rest = Rest { unstored, stays: self.resident || self.core.config.stay };
        if unstored == 0 {
            self.flushing.drain(..).for_each(|answer| answer.send(Ok(api::Done {})));
        }
        self.rest.send_if_modified(|old| std::mem::replace(old, rest) != rest);
    }

    /// Answers once everything is at the hub: `after` looks.
    pub(crate) fn flush(&mut self, answer: Answer<api::Done>) {
        self.flushing.push(answer);
    }

    fn ensure_carriers(&mut self) {
        for id in self.core.messenger.places() {
            let Some((place, floor)) = self.core.messenger.place(id) else { continue };
            let place = place.clone();
            self.carriers.ensure(id, &place, floor);
        }
    }

    /// Tells front ends what happened, and the requests that wait for it.
    fn on_happened(&mut self, happened: Happened) {
        // A conversation that has just come, or got another name, is shown by it from now on.
        self.core.update_names(&self.rooms.named());
        let event = match happened {
            Happened::InviteReady { invite } => return self.answer_invite(invite),
            Happened::InviteUsed { invite, conversation } => {
                if let Some(answer) = self.accepting.remove(&invite) {
                    answer.send(Ok(self.core.opened(conversation)));
                }
                Some(self.core.invite_used(invite, conversation))
            }
            Happened::InviteFailed { invite, text } => {
                let refusal = || Refusal::wrong(Reason::InviteOver, text);
                if let Some(answer) = self.accepting.remove(&invite) {
                    answer.send(Err(refusal()));
                }
                if let Some(answer) = self.inviting.remove(&invite) {
                    answer.send(Err(refusal()));
                }
                Some(Event::InviteFailed { invite: id::invite(invite), text: text.to_owned() })
            }
            Happened::File { transfer, state, .. } => {
                Disk::on_moved(&mut self.core, transfer, state)
            }
            Happened::FileGone { transfer, path, ours, whole } => {
                match (ours, whole) {
                    (false, false) => files::discard(&path, transfer),
                    (true, false) => files::discard_upload(self.core.profile.dir(), &path),
                    (_, true) => {}
                }
                None
            }
            other => self.core.event(other),
        };
        if let Some(event) = event {
            self.core.tell(event);
        }
    }

    fn answer_invite(&mut self, invite: MessageId) {
        if self.welcome(invite) {
            return;
        }
        let Some(answer) = self.inviting.remove(&invite) else { return };
        let made = self.core.messenger.invites().into_iter().find(|i| i.id == invite);
        answer.send(made.map(|i| views::invite(&i)).ok_or_else(Refusal::stopped));
    }

    /// The route of a conversation that works now.
    pub(crate) fn route_of(&self, id: ConversationId) -> Option<Route> {
        let place = self.core.messenger.place_of(id)?;
        match self.near.reach(&self.core, &self.carriers, place) {
            Reach::Hub => self.carriers.route_up(place).map(words::route),
            Reach::Near => Some(Route::Lan),
            Reach::Off => None,
        }
    }

    /// Whether messages can travel everywhere, and how the connections stand, in words.
    pub(crate) fn online(&self) -> (bool, Vec<String>) {
        let (mut all, mut lines) = (true, Vec::new());
        for place in self.core.messenger.places() {
            let is_lan = self.core.messenger.place(place).is_some_and(|(n, _)| n.is_lan());
            let (up, text) = match self.near.reach(&self.core, &self.carriers, place) {
                Reach::Hub => (true, self.carriers.words(place)),
                Reach::Near => (true, "on the local network".to_owned()),
                Reach::Off if is_lan => {
                    (false, "no contact is near on the local network".to_owned())
                }
                Reach::Off => (false, self.carriers.words(place)),
            };
            all &= up;
            lines.push(text);
        }
        lines.sort();
        lines.dedup();
        (all, lines)
    }

    pub(crate) fn status(&self) -> Result<Status, Refusal> {
        let core = &self.core;
        let all = core.read(|m, store| m.overview(store))?;
        let (online, connections) = self.online();
        Ok(Status {
            profile: core.profile.name().as_str().to_owned(),
            // Empty until a person has chosen it: then front ends ask.
            name: core.read(|m, store| match m.has_name(store)? {
                true => m.name(store),
                false => Ok(String::new()),
            })?,
            online,
            connections,
            unstored: all.iter().map(|c| c.unstored).sum::<usize>() + self.near.node.untaken(),
            unacknowledged: all.iter().map(|c| c.unacknowledged).sum(),
            stays: self.rest.borrow().stays,
        })
    }

    /// The routes in use, with the conversations that use each.
    pub(crate) fn networks(&self) -> Result<Vec<api::NetworkView>, Refusal> {
        let core = &self.core;
        let all = core.read(|m, store| m.overview(store))?;
        let of = |places: &[PlaceId]| {
            let uses = |c: &&messenger::Overview| {
                core.messenger.place_of(c.id).is_some_and(|p| places.contains(&p))
            };
            let mut used: Vec<_> = all.iter().filter(uses).map(|c| core.reference(c.id)).collect();
            used.sort_by_cached_key(|c| (c.label.to_lowercase(), c.id));
            used
        };
        let networks = self.carriers.networks().map(|(places, mut view)| {
            view.conversations = of(&places);
            view
        });
        Ok(networks.collect())
    }
}

impl Core {
    fn invite_used(&self, invite: MessageId, conversation: ConversationId) -> Event {
        let Opened { conversation, label } = self.opened(conversation);
        Event::InviteUsed { invite: id::invite(invite), conversation, label }
    }

    /// What happened, as front ends are told; nothing where they are not.
    fn event(&self, happened: Happened) -> Option<Event> {
        Some(match happened {
            Happened::Message { conversation, id, .. } => {
                Event::Message { message: self.view_of(conversation, id)? }
            }
            Happened::Changed { conversation, id } => {
                Event::Changed { message: self.view_of(conversation, id)? }
            }
            Happened::State { conversation, id, state } => Event::State {
                conversation: conversation.other(),
                message: id.other(),
                state: words::state(state),
                route: self.view_of(conversation, id).and_then(|m| m.route),
            },
            Happened::Expired { conversation, id } => {
                Event::Expired { conversation: conversation.other(), message: id.other() }
            }
            Happened::Opened { conversation } => {
                let Opened { conversation, label } = self.opened(conversation);
                Event::Opened { conversation, label }
            }
            Happened::Conversation { conversation, text } => Event::Conversation {
                conversation: conversation.other(),
                label: self.label(conversation),
                text,
            },
            Happened::Renamed { conversation, from, to } => Event::Conversation {
                conversation: conversation.other(),
                label: self.label(conversation),
                text: format!("renamed by others from “{from}” to “{to}”"),
            },
            Happened::InviteTriedAgain { invite } => {
                Event::InviteTriedAgain { invite: id::invite(invite) }
            }
            Happened::GroupInvite { conversation, token, title, members } => Event::GroupInvite {
                invite: self.group_invite_view(token, title, conversation),
                members,
            },
            Happened::HeldUp { conversation, by, name } => Event::HeldUp {
                conversation: conversation.other(),
                label: self.label(conversation),
                by: by.other(),
                name,
            },
            Happened::Stopped { conversation } => Event::Stopped {
                conversation: conversation.other(),
                label: self.label(conversation),
            },
            Happened::Forked { conversation } => Event::Forked {
                conversation: conversation.other(),
                label: self.label(conversation),
            },
            // The engine's loop has something to do for these first.
            Happened::InviteReady { .. }
            | Happened::InviteUsed { .. }
            | Happened::InviteFailed { .. }
            | Happened::File { .. }
            | Happened::FileGone { .. } => return None,
        })
    }
}
