//! The engine's loop: commands, carriers' reports and time, each in one transaction; then what came
//! out of it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use e2ee::id::{ConversationId, MessageId, TransferId};
use hub::shaping::Span;
use messenger::event::{Event as Happened, FileState, Output, PlaceId};
use messenger::store::Store;
use messenger::{Messenger, Reach, Settings, Step};
use net::Clock;
use net::tor::Tor;
use routes::{CarrierEvent, Lan, Route, Shaping};
use tokio::sync::{mpsc, oneshot, watch};
use vault::config::{Keep, LanUse};
use vault::{Config, Profile, Vault};
use wire::{ErrorKind, Timestamp};

use super::carriers::{Carriers, Report, Ways};
use super::client::{Asked, Refusal};
use super::files;
use super::lan::Near;
use super::rooms::Rooms;
use super::types::{Event, GroupInviteView, Reply};
use super::views::{self, hex, state_word};
use crate::exit::{Failure, OrFail};

/// Reports that one transaction takes at most.
const BATCH: usize = 64;
/// How often old messages are forgotten, ms.
const FORGET_EVERY_MS: u64 = 3_600_000;
/// A file that is ours, or that we fetch: what the disk said.
pub(super) enum Disk {
    /// Size and digest of a file to send.
    Looked(std::io::Result<messenger::transfer::NewFile>, ConversationId, Answer),
    /// A fetched file was checked and named, or not.
    Finished(TransferId, std::io::Result<Option<String>>),
}

pub(super) type Answer = oneshot::Sender<Result<Reply, Refusal>>;

/// A running profile.
pub(super) struct Engine {
    pub(super) profile: Profile,
    pub(super) vault: Vault,
    pub(super) config: Config,
    pub(super) messenger: Messenger,
    pub(super) carriers: Carriers,
    pub(super) near: Near,
    pub(super) rooms: Rooms,
    pub(super) lan_use: LanUse,
    reports: mpsc::Receiver<Report>,
    disk: mpsc::Receiver<Disk>,
    pub(super) disk_tx: mpsc::Sender<Disk>,
    events: mpsc::Sender<Event>,
    lost_events: bool,
    pub(super) rest: watch::Sender<Rest>,
    /// Whether it was started to stay.
    resident: bool,
    clock: Clock,
    /// Document time less the local clock, ms.
    offset_ms: i64,
    /// Whoever waits for an invite to be ready, or used.
    pub(super) waiting: HashMap<MessageId, Answer>,
    forget_at: Timestamp,
}

/// What to know before a profile is left alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rest {
    /// Messages of ours that are not at the hub.
    pub(super) unstored: usize,
    /// Whether it goes on without faces.
    pub(super) stays: bool,
}

impl Engine {
    pub(super) fn start(
        profile: Profile,
        vault: Vault,
        config: Config,
        tor: Option<Tor>,
        events: mpsc::Sender<Event>,
        rest: watch::Sender<Rest>,
        resident: bool,
    ) -> Result<Self, Failure> {
        let lan_use = config.lan;
        let session = config.keep == Keep::Session;
        let ways = Ways {
            route: match config.route {
                vault::config::Route::Onion => Route::Onion,
                vault::config::Route::Direct => Route::Direct,
                vault::config::Route::Tor => Route::Tor,
                vault::config::Route::TorOnion => Route::TorOnion,
            },
            cover: match config.cover {
                vault::config::Cover::Network => None,
                vault::config::Cover::Off => Some(wire::document::CoverLevel::Off),
                vault::config::Cover::Low => Some(wire::document::CoverLevel::Low),
                vault::config::Cover::Normal => Some(wire::document::CoverLevel::Normal),
            },
            entry: match config.entry {
                vault::config::Entry::Pinned => mix::path::EntryPolicy::Pinned,
                vault::config::Entry::Random => mix::path::EntryPolicy::Random,
            },
            shaping: shaping(&config),
            dir: (!session).then(|| profile.dir().join("net")),
            tor,
            lan_only: lan_use == LanUse::Only,
        };
        if let Some(dir) = &ways.dir {
            jail::StateDir::open(dir).or_fail()?;
        }
        let (carriers, reports) = Carriers::new(ways);
        let (disk_tx, disk) = mpsc::channel(64);
        let clock = Clock::start();
        let now = clock.now();
        let messenger = load(&vault, &config, now).map_err(Failure::from)?;
        let allowed = match config.lan_interfaces.as_slice() {
            [] => net::lan::Allowed::Private,
            names => net::lan::Allowed::Named(names.to_vec()),
        };
        let near = Near::load(&vault, (lan_use != LanUse::Off).then(|| Lan::start(allowed)))
            .map_err(Failure::from)?;
        let mut engine = Engine {
            profile,
            vault,
            config,
            messenger,
            carriers,
            near,
            rooms: Rooms::new(),
            lan_use,
            reports,
            disk,
            disk_tx,
            events,
            lost_events: false,
            rest,
            resident,
            clock,
            offset_ms: 0,
            waiting: HashMap::new(),
            forget_at: Timestamp::ZERO,
        };
        if let Some(name) = engine.config.name.clone() {
            engine.step(|m, s| m.set_my_name(s, &name)).map_err(Failure::from)?;
        }
        Ok(engine)
    }

    pub(super) fn now(&self) -> Timestamp {
        let now = self.clock.now();
        let shift = self.offset_ms.unsigned_abs();
        if self.offset_ms < 0 { now.minus_millis(shift) } else { now.plus_millis(shift) }
    }

    /// Does something within one transaction. When it fails nothing has happened, and the messenger
    /// is loaded anew.
    pub(super) fn step<T>(
        &mut self,
        work: impl FnOnce(&mut Messenger, &mut Step<'_>) -> Result<T, messenger::Error>,
    ) -> Result<T, Refusal> {
        let now = self.now();
        let Engine { vault, messenger, .. } = self;
        let result = vault.transaction(|store| {
            let mut rng = rand::rng();
            let mut step = Step { now, rng: &mut rng, store, via: "" };
            work(messenger, &mut step).map_err(StepError::Messenger)
        });
        match result {
            Ok(value) => Ok(value),
            Err(error) => {
                let refusal = Refusal::from(error);
                // What a person got wrong is refused before anything changes.
                if !matches!(
                    refusal.kind,
                    ErrorKind::LocalConfig | ErrorKind::Network | ErrorKind::Unsupported
                ) {
                    self.reload()?;
                }
                Err(refusal)
            }
        }
    }

    /// After a failed transaction: memory may be ahead of the vault.
    pub(super) fn reload(&mut self) -> Result<(), Refusal> {
        self.carriers.cancel_all();
        self.carriers.forget_places();
        self.near.forget();
        self.messenger = load(&self.vault, &self.config, self.now())?;
        Ok(())
    }

    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Messenger, &dyn Store) -> Result<T, messenger::Error>,
    ) -> Result<T, Refusal> {
        let messenger = &self.messenger;
        Ok(self.vault.read(|store| work(messenger, store).map_err(StepError::Messenger))?)
    }

    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Asked>) {
        self.enter_rooms();
        self.after();
        loop {
            let wake = self.wake();
            tokio::select! {
                report = self.reports.recv() => {
                    let Some(report) = report else { break };
                    self.take_reports(report);
                }
                asked = commands.recv() => {
                    let Some((command, answer)) = asked else { break };
                    self.command(command, answer);
                }
                done = self.disk.recv() => {
                    if let Some(done) = done {
                        self.disk_done(done);
                    }
                }
                event = self.near.event() => self.take_lan(event),
                (room, session, said) = self.rooms.next() => self.room_said(&room, session, said),
                () = tokio::time::sleep(wake) => {
                    let done = self.step(Messenger::tick);
                    self.tell_refusal(done);
                }
            }
            self.forget_old();
            self.tick_near();
            self.after();
        }
        self.rooms.finish().await;
        self.near.finish().await;
        self.vault.tidy();
    }

    fn wake(&self) -> Duration {
        let deadline =
            self.messenger.deadline().map_or(Duration::from_secs(60), |d| d.since(self.now()));
        let expiry = self.read(|_, store| Ok(store.next_expiry()?)).ok().flatten();
        let expiry = expiry.map_or(Duration::from_secs(60), |at| at.since(self.now()));
        let near = self.near.deadline().map_or(Duration::from_secs(60), |at| at.since(self.now()));
        deadline.min(expiry).min(near).clamp(Duration::from_millis(1), Duration::from_secs(60))
    }

    fn forget_old(&mut self) {
        let (Keep::For(span), now) = (self.config.keep, self.now()) else { return };
        if now >= self.forget_at {
            self.forget_at = now.plus_millis(FORGET_EVERY_MS);
            let done = self
                .step(|_, s| Ok(s.store.forget_before(s.now.minus_millis(span)).map(|_| ())?));
            self.tell_refusal(done);
        }
    }

    pub(super) fn tell_refusal<T>(&mut self, done: Result<T, Refusal>) {
        if let Err(refusal) = done {
            self.tell(Event::Notice { text: format!("{} ({})", refusal.text, refusal.hint) });
        }
    }

    pub(super) fn tell(&mut self, event: Event) {
        if self.lost_events && self.events.capacity() > 1 {
            self.lost_events = false;
            let text = "some events were not shown: read the history".to_owned();
            let _ = self.events.try_send(Event::Notice { text });
        }
        if self.events.try_send(event).is_err() {
            self.lost_events = true;
        }
    }

    /// Takes what the carriers report, as much as is there, in one transaction.
    fn take_reports(&mut self, first: Report) {
        let mut reports = vec![first];
        while reports.len() < BATCH {
            match self.reports.try_recv() {
                Ok(report) => reports.push(report),
                Err(_) => break,
            }
        }
        let mut words = Vec::new();
        let mut calls = Vec::new();
        for Report { carrier, event, time, sizes, network } in reports {
            self.carriers.note_network(carrier, sizes, network);
            if let Some(time) = time {
                let local = self.clock.now().as_millis();
                self.offset_ms = i64::try_from(time.as_millis()).unwrap_or(0)
                    - i64::try_from(local).unwrap_or(0);
            }
            match event {
                CarrierEvent::Status(status) => {
                    self.carriers.note(carrier, status.up, status.text.clone());
                    words.push(Event::Network { online: status.up, text: status.text });
                }
                CarrierEvent::Notice(text) => words.push(Event::Notice { text }),
                CarrierEvent::Path { .. } | CarrierEvent::Answered(_) | CarrierEvent::Traced(_) => {
                }
                CarrierEvent::Sent(_) | CarrierEvent::Put(..) | CarrierEvent::Boxes(..) => {
                    calls.push((self.carriers.route_of(carrier), event));
                }
            }
        }
        words.into_iter().for_each(|event| self.tell(event));
        calls.retain(|(_, event)| self.is_for_the_messenger(event));
        let done = self.step(|m, s| {
            for (route, event) in calls {
                s.via = route;
                match event {
                    CarrierEvent::Sent(id) => m.on_sent(s, id)?,
                    CarrierEvent::Put(id, outcome) => m.on_put(s, id, outcome)?,
                    CarrierEvent::Boxes(id, boxes) => m.on_boxes(s, id, boxes)?,
                    _ => {}
                }
            }
            Ok(())
        });
        self.tell_refusal(done);
    }

    /// Notes that a hub has answered; whether the messenger wants to know.
    fn is_for_the_messenger(&mut self, event: &CarrierEvent) -> bool {
        let (id, boxes, outcome) = match event {
            CarrierEvent::Put(id, outcome) => (*id, None, Some(*outcome)),
            CarrierEvent::Boxes(id, boxes) => (*id, Some(boxes.as_slice()), None),
            _ => return true,
        };
        self.carriers.answered(id);
        self.hub_answered(id);
        !self.errand_answered(id, boxes, outcome)
    }

    /// Does what the messenger wants done, after the transaction that it came from.
    pub(super) fn after(&mut self) {
        loop {
            self.ensure_carriers();
            let Some(output) = self.messenger.poll() else {
                self.update_pairs();
                // What is carried, or can be reached now, may give the messenger more to do.
                if self.update_reach() | self.carry_puts() { continue } else { break }
            };
            match output {
                Output::Call { id, place, call, hub_only } => {
                    self.request(place, id, call, hub_only)
                }
                Output::Cancel(id) => self.cancel_request(id),
                Output::Event(event) => self.happened(event),
                Output::ReadChunk { transfer, offset, len } => {
                    self.read_chunk(transfer, offset, len)
                }
                Output::WriteChunk { transfer, offset, bytes } => {
                    self.write_chunk(transfer, offset, &bytes)
                }
                Output::Finish { transfer } => self.finish(transfer),
            }
        }
        let rest = Rest {
            unstored: self.messenger.unstored() + self.near.node.untaken(),
            stays: self.resident || self.config.stay,
        };
        self.rest.send_if_modified(|old| std::mem::replace(old, rest) != rest);
    }

    fn ensure_carriers(&mut self) {
        for id in self.messenger.places() {
            let Some((place, floor)) = self.messenger.place(id) else { continue };
            let place = place.clone();
            self.carriers.ensure(id, &place, floor);
        }
    }

    fn read_chunk(&mut self, transfer: TransferId, offset: u64, len: usize) {
        let Some(path) = self.messenger.transfer(transfer).map(|t| t.path.clone()) else { return };
        let done = match files::read_chunk(&path, offset, len) {
            Ok(bytes) => self.step(|m, s| m.on_chunk(s, transfer, offset, &bytes)),
            Err(_) => self.step(|m, s| m.on_finished(s, transfer, FileState::Failed, None)),
        };
        self.tell_refusal(done);
    }

    fn write_chunk(&mut self, transfer: TransferId, offset: u64, bytes: &[u8]) {
        let Some(directory) = self.messenger.transfer(transfer).map(|t| t.path.clone()) else {
            return;
        };
        let up_to = offset + bytes.len() as u64;
        let done = match files::write_chunk(&directory, transfer, offset, bytes) {
            Ok(()) => self.step(|m, s| m.on_written(s, transfer, up_to)),
            Err(error) => {
                self.tell(Event::Notice { text: format!("a file cannot be written: {error}") });
                self.step(|m, s| m.on_finished(s, transfer, FileState::Failed, None))
            }
        };
        self.tell_refusal(done);
    }

    fn finish(&mut self, transfer: TransferId) {
        let Some(t) = self.messenger.transfer(transfer).cloned() else { return };
        let disk = self.disk_tx.clone();
        tokio::task::spawn_blocking(move || {
            let done = files::finish(&t.path, transfer, &t.name, &t.sha256);
            let _ = disk.blocking_send(Disk::Finished(transfer, done));
        });
    }

    fn disk_done(&mut self, done: Disk) {
        match done {
            Disk::Looked(Ok(file), conversation, answer) => {
                let done = self.step(|m, s| m.send_file(s, conversation, &file));
                let _ = answer.send(done.map(|(id, _)| Reply::Id { id: hex(id.as_bytes()) }));
            }
            Disk::Looked(Err(error), _, answer) => {
                let text = format!("the file cannot be read: {error}");
                let _ = answer.send(Err(Refusal::new(
                    ErrorKind::LocalConfig,
                    text,
                    "name a file that you can read",
                )));
            }
            Disk::Finished(transfer, Ok(Some(path))) => {
                let done =
                    self.step(|m, s| m.on_finished(s, transfer, FileState::Done, Some(path)));
                self.tell_refusal(done);
            }
            Disk::Finished(transfer, failed) => {
                let text = match failed {
                    Err(error) => format!("a fetched file cannot be written: {error}"),
                    Ok(_) => "a fetched file is not what was offered: it was discarded".to_owned(),
                };
                self.tell(Event::Notice { text });
                let done = self.step(|m, s| m.on_finished(s, transfer, FileState::Failed, None));
                self.tell_refusal(done);
            }
        }
    }

    fn name(&self, id: ConversationId) -> String {
        views::name(&self.messenger, id)
    }

    fn view(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Option<super::types::MessageView> {
        let found = self.read(|m, store| {
            Ok(store.message(&conversation, &id)?.map(|stored| views::message(m, &stored)))
        });
        found.ok().flatten()
    }

    /// Tells front ends what happened, and whoever waits for it.
    fn happened(&mut self, event: Happened) {
        let event = match event {
            Happened::Message { conversation, id, .. } => {
                self.view(conversation, id).map(|message| Event::Message { message })
            }
            Happened::Changed { conversation, id } => {
                self.view(conversation, id).map(|message| Event::Changed { message })
            }
            Happened::State { conversation, id, state } => Some(Event::State {
                conversation: self.name(conversation),
                id: hex(id.as_bytes()),
                state: state_word(state).to_owned(),
                route: self.view(conversation, id).map(|m| m.route).unwrap_or_default(),
            }),
            Happened::Expired { conversation, id } => Some(Event::Expired {
                conversation: self.name(conversation),
                id: hex(id.as_bytes()),
            }),
            Happened::Opened { conversation } => {
                Some(Event::Opened { conversation: self.name(conversation) })
            }
            Happened::Conversation { conversation, text } => {
                Some(Event::Conversation { conversation: self.name(conversation), text })
            }
            Happened::Renamed { conversation, from, to } => Some(Event::Conversation {
                conversation: self.name(conversation),
                text: format!("renamed by others from “{from}” to “{to}”"),
            }),
            Happened::InviteReady { invite } => {
                self.answer_invite(invite);
                None
            }
            Happened::InviteUsed { invite, conversation } => {
                let name = self.name(conversation);
                if let Some(answer) = self.waiting.remove(&invite) {
                    let _ = answer.send(Ok(Reply::Contact { name: name.clone() }));
                }
                Some(Event::InviteUsed { invite: hex(invite.as_bytes()), conversation: name })
            }
            Happened::InviteTriedAgain { invite } => {
                Some(Event::InviteTriedAgain { invite: hex(invite.as_bytes()) })
            }
            Happened::InviteFailed { invite, text } => {
                if let Some(answer) = self.waiting.remove(&invite) {
                    let refusal =
                        Refusal::new(ErrorKind::LocalConfig, text, "ask for a new invite");
                    let _ = answer.send(Err(refusal));
                }
                Some(Event::InviteFailed { invite: hex(invite.as_bytes()), text: text.to_owned() })
            }
            Happened::GroupInvite { conversation, token, title, members } => {
                let invite = GroupInviteView {
                    token: hex(token.as_bytes()),
                    title,
                    from: self.name(conversation),
                };
                Some(Event::GroupInvite { invite, members })
            }
            Happened::File { transfer, state, .. } => self.file_moved(transfer, state),
            Happened::HeldUp { conversation, name, .. } => {
                Some(Event::HeldUp { conversation: self.name(conversation), by: name })
            }
            Happened::Forked { conversation } => {
                Some(Event::Forked { conversation: self.name(conversation) })
            }
        };
        if let Some(event) = event {
            self.tell(event);
        }
    }

    fn answer_invite(&mut self, invite: MessageId) {
        if self.welcome(invite) {
            return;
        }
        let Some(answer) = self.waiting.remove(&invite) else { return };
        let made = self.messenger.invites().into_iter().find(|i| i.id == invite);
        let reply = made.map(|i| Reply::Invite(views::invite(&i)));
        let _ = answer.send(reply.ok_or_else(Refusal::gone));
    }

    fn file_moved(&mut self, transfer: TransferId, state: FileState) -> Option<Event> {
        let found = self.messenger.transfer(transfer)?.clone();
        if state == FileState::Offered && self.wants(&found) {
            let directory = self.downloads().ok()?;
            let done = self.step(|m, s| m.accept_file(s, transfer, directory));
            self.tell_refusal(done);
        }
        if state == FileState::Offered
            && self.config.accept_files == vault::config::AcceptFiles::Never
        {
            let done = self.step(|m, s| m.cancel_file(s, transfer));
            self.tell_refusal(done);
        }
        if !found.ours && matches!(state, FileState::Failed | FileState::Cancelled) {
            files::discard(&found.path, transfer);
        }
        let now = self.messenger.transfer(transfer)?;
        Some(Event::File { file: views::file(&self.messenger, transfer, now) })
    }

    /// Whether a file is fetched without asking.
    fn wants(&self, file: &messenger::transfer::Transfer) -> bool {
        let verified = self.read(|m, store| {
            Ok(m.overview(store)?
                .iter()
                .any(|c| c.id == file.conversation && c.direct && c.verified))
        });
        self.config.accept_files == vault::config::AcceptFiles::Contacts
            && file.size <= self.config.file_limit
            && verified.unwrap_or(false)
    }

    /// Where fetched files go.
    pub(super) fn downloads(&self) -> Result<String, Refusal> {
        let own = || self.profile.dir().join("downloads");
        let directory: PathBuf = self.config.download_dir.clone().unwrap_or_else(own);
        directory_for_files(&directory)
    }

    pub(super) fn online(&self) -> (bool, Vec<String>) {
        let places: Vec<PlaceId> = self.messenger.places();
        let (mut all, mut words) = (true, Vec::new());
        for place in places {
            let (up, text) = match self.reach(place) {
                Reach::Hub => (true, self.carriers.words(place)),
                Reach::Near => (true, "on the local network".to_owned()),
                Reach::Off
                    if self.messenger.place(place).is_some_and(|(network, _)| network.is_lan()) =>
                {
                    (false, "no contact is near on the local network".to_owned())
                }
                Reach::Off => (false, self.carriers.words(place)),
            };
            all &= up;
            words.push(text);
        }
        words.sort();
        words.dedup();
        (all, words)
    }
}

pub(super) fn directory_for_files(directory: &std::path::Path) -> Result<String, Refusal> {
    std::fs::create_dir_all(directory)
        .and_then(|()| directory.canonicalize())
        .map(|path| path.to_string_lossy().into_owned())
        .map_err(|e| {
            let text = format!("{} cannot be used for files: {e}", directory.display());
            Refusal::new(ErrorKind::LocalConfig, text, "name a directory that you can write to")
        })
}

/// How the settings want the traffic shaped.
fn shaping(config: &Config) -> Shaping {
    let span = |s: Option<(u64, u64)>| s.and_then(|(from, to)| Span::new(from, to));
    Shaping {
        sizes: match config.box_sizes {
            vault::config::BoxSizes::Uniform => streams::Sizes::Uniform,
            vault::config::BoxSizes::Ladder => streams::Sizes::Ladder,
        },
        send_delay: span(config.send_delay),
        dummies: span(config.dummies),
    }
}

fn load(vault: &Vault, config: &Config, now: Timestamp) -> Result<Messenger, Refusal> {
    let settings = Settings {
        delivery_receipts: config.delivery_receipts,
        read_receipts: config.read_receipts,
        accept_files: config.accept_files == vault::config::AcceptFiles::Contacts,
        file_limit: config.file_limit,
    };
    let loaded = vault.transaction(|store| {
        let mut rng = rand::rng();
        let mut step = Step { now, rng: &mut rng, store, via: "" };
        Messenger::load(&mut step, settings).map_err(StepError::Messenger)
    });
    Ok(loaded?)
}

/// Why a transaction failed.
#[derive(Debug)]
pub(super) enum StepError {
    Messenger(messenger::Error),
    Vault(vault::Error),
}

impl From<vault::Error> for StepError {
    fn from(error: vault::Error) -> Self {
        StepError::Vault(error)
    }
}

impl From<StepError> for Refusal {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Messenger(error) => error.into(),
            StepError::Vault(error) => error.into(),
        }
    }
}
