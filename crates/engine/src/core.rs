//! What every part of a running profile works on: its vault, its messenger, the time, the events.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use api::{ConversationRef, Event, Reason, Refusal, Target};
use e2ee::Floor;
use e2ee::id::ConversationId;
use messenger::local::{Anchor, LocalClock};
use messenger::names::{self, Named};
use messenger::store::Store;
use messenger::{Messenger, Settings, Step};
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use tokio::sync::mpsc;
use vault::{Config, Profile, Vault};
use wire::{ErrorKind, Timestamp};

use crate::clock;
use crate::id::Shared;
use crate::refuse::{OrRefuse, Refuse, disk};

/// Everything that one transaction reads and writes, and where its events go.
///
/// ```text
///            step                          after a failure
/// messenger ──────► transaction ── done ──► what came of it
///     ▲                 │
///     └── loaded again ─┴─ failed: nothing has happened; `reloaded` tells the others
/// ```
pub(crate) struct Core {
    pub(crate) profile: Profile,
    pub(crate) vault: Vault,
    pub(crate) config: Config,
    pub(crate) messenger: Messenger,
    pub(crate) names: Names,
    clock: LocalClock,
    /// Document time less local time, ms. Nothing is erased by it.
    offset_ms: i64,
    events: mpsc::Sender<Event>,
    /// Events were dropped, and nobody was told yet.
    lost_events: bool,
    reloaded: bool,
}

/// How conversations and rooms are shown, and what a typed name means.
#[derive(Default)]
pub(crate) struct Names {
    all: Vec<Named<Target>>,
    labels: BTreeMap<Target, String>,
}

impl Names {
    /// The label of a conversation or room; empty when there is none.
    pub(crate) fn label(&self, target: Target) -> String {
        self.labels.get(&target).cloned().unwrap_or_default()
    }

    /// What a typed name means, among those that `fits` lets through.
    pub(crate) fn resolve(
        &self,
        typed: &str,
        fits: impl Fn(Target) -> bool,
    ) -> Result<Target, Refusal> {
        let all: Vec<Named<Target>> = self.all.iter().filter(|n| fits(n.key)).cloned().collect();
        resolve(&all, typed, &self.labels)
    }
}

/// What a typed name means among these.
pub(crate) fn resolve(
    all: &[Named<Target>],
    typed: &str,
    labels: &BTreeMap<Target, String>,
) -> Result<Target, Refusal> {
    // An id is what it says, whatever anything is called.
    if let Some(named) = all.iter().find(|n| full_id(&n.key) == typed.trim().to_ascii_lowercase()) {
        return Ok(named.key);
    }
    let candidates = |keys: Vec<Target>| {
        let candidate = |target: Target| api::Candidate {
            target,
            label: labels.get(&target).cloned().unwrap_or_default(),
            short: target.short(),
        };
        keys.into_iter().map(candidate).collect()
    };
    let shown = printable(typed);
    match names::resolve(all, typed) {
        names::Found::One(target) => Ok(target),
        names::Found::Many(keys) => Err(Refusal::wrong(
            Reason::Ambiguous { candidates: candidates(keys) },
            format!("“{shown}” could mean more than one"),
        )),
        names::Found::Formerly(keys) => Err(Refusal::wrong(
            Reason::Renamed { candidates: candidates(keys) },
            format!("nothing is called “{shown}” now"),
        )),
        names::Found::None => {
            let what = api::Thing::Conversation;
            let text = format!("nothing here is called “{shown}”");
            Err(Refusal::wrong(Reason::NoSuch { what }, text))
        }
    }
}

fn full_id(target: &Target) -> String {
    match target {
        Target::Conversation(id) => id.to_string(),
        Target::Room(id) => id.to_string(),
        Target::Member(id) => id.to_string(),
        Target::Talker(id) => id.to_string(),
    }
}

/// What a person typed, made fit for a terminal and short enough for a sentence.
fn printable(text: &str) -> String {
    e2ee::sanitize(text.trim(), e2ee::Newlines::Fold).chars().take(64).collect()
}

impl Core {
    /// Opens the messenger of an open vault.
    pub(crate) fn open(
        profile: Profile,
        vault: Vault,
        config: Config,
        events: mpsc::Sender<Event>,
    ) -> Result<Self, Refusal> {
        let reading = clock::read();
        let clock = LocalClock::start(vault.anchor().or_refuse()?, reading);
        let local = clock.now(reading.boot);
        vault.set_local_time(local);
        let messenger = load(&vault, &config, local, local)?;
        let mut core = Core {
            profile,
            vault,
            config,
            messenger,
            names: Names::default(),
            clock,
            offset_ms: 0,
            events,
            lost_events: false,
            reloaded: false,
        };
        if let Some(name) = core.config.name.clone() {
            core.step(|m, s| m.set_my_name(s, &name))?;
        }
        Ok(core)
    }

    /// The time that the network vouches for, as far as we know it.
    pub(crate) fn now(&self) -> Timestamp {
        let local = self.local();
        let shift = self.offset_ms.unsigned_abs();
        if self.offset_ms < 0 { local.minus_millis(shift) } else { local.plus_millis(shift) }
    }

    /// Local time, which nothing from outside can set: by it things disappear (`GONE-001`).
    pub(crate) fn local(&self) -> Timestamp {
        self.clock.now(net::boot_ms())
    }

    /// A document vouches for this time.
    pub(crate) fn note_time(&mut self, time: Timestamp) {
        let local = self.local().as_millis();
        self.offset_ms =
            i64::try_from(time.as_millis()).unwrap_or(0) - i64::try_from(local).unwrap_or(0);
    }

    /// Keeps where local time is, if that is due.
    pub(crate) fn keep_anchor(&mut self) {
        if let Some(anchor) = self.clock.anchor_due(clock::read()) {
            let done = self.vault.keep_anchor(anchor).or_refuse();
            self.tell_refusal(done);
        }
    }

    /// The profile is closed: keeps where local time is, and leaves nothing in the vault's log.
    pub(crate) fn close(&self) {
        let reading = clock::read();
        let anchor = Anchor { local: self.clock.now(reading.boot), wall: reading.wall };
        // The anchor before serves as well, for a clock that nobody turned.
        let _ = self.vault.keep_anchor(anchor);
        self.vault.tidy();
    }

    /// Does something within one transaction. When it fails nothing has happened, and the messenger
    /// is loaded again.
    pub(crate) fn step<T>(
        &mut self,
        work: impl FnOnce(&mut Messenger, &mut Step<'_>) -> Result<T, messenger::Error>,
    ) -> Result<T, Refusal> {
        self.step_via("", work)
    }

    /// As [`Core::step`], for something that came or went by the route of this name.
    pub(crate) fn step_via<T>(
        &mut self,
        via: &'static str,
        work: impl FnOnce(&mut Messenger, &mut Step<'_>) -> Result<T, messenger::Error>,
    ) -> Result<T, Refusal> {
        let (now, local) = (self.now(), self.local());
        let Core { vault, messenger, .. } = self;
        vault.set_local_time(local);
        messenger.set_local_time(local);
        let result = vault.transaction(|store| {
            // Identities and member keys are drawn in a step: straight from the system, so that no
            // state in this process tells what was or will be drawn.
            let mut rng = UnwrapErr(SysRng);
            let mut step = Step { now, rng: &mut rng, store, via };
            // What should be gone is gone before anything can send it.
            messenger.erase_due(&mut step)?;
            work(messenger, &mut step).map_err(StepError::Messenger)
        });
        result.map_err(|error| {
            let error = match error {
                StepError::Messenger(
                    error @ (messenger::Error::Conversation { .. }
                    | messenger::Error::Invite { .. }),
                ) => {
                    let refusal = Refusal::new(error.kind(), Reason::Other, error.to_string());
                    return self.stop(error).err().unwrap_or(refusal);
                }
                other => other,
            };
            let refusal = error.refuse();
            // What a person got wrong is refused before anything changes.
            let harmless = [ErrorKind::LocalConfig, ErrorKind::Network, ErrorKind::Unsupported];
            if harmless.contains(&refusal.kind) {
                return refusal;
            }
            self.reload().err().unwrap_or(refusal)
        })
    }

    /// Stops the conversation or invite that an error came from; everything else goes on.
    fn stop(&mut self, error: messenger::Error) -> Result<(), Refusal> {
        self.reload()?;
        self.step(|m, s| m.stop(s, error))
    }

    /// Loads the messenger again: after a failed transaction memory may be ahead of the vault.
    pub(crate) fn reload(&mut self) -> Result<(), Refusal> {
        self.reloaded = true;
        self.messenger = load(&self.vault, &self.config, self.now(), self.local())?;
        Ok(())
    }

    /// Whether the messenger was loaded again since this was last asked: its places and requests
    /// are numbered differently now.
    pub(crate) fn take_reloaded(&mut self) -> bool {
        std::mem::take(&mut self.reloaded)
    }

    /// Looks something up in one transaction that writes nothing.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Messenger, &dyn Store) -> Result<T, messenger::Error>,
    ) -> Result<T, Refusal> {
        let messenger = &self.messenger;
        self.vault
            .read(|store| work(messenger, store).map_err(StepError::Messenger))
            .map_err(Refuse::refuse)
    }

    /// Tells front ends.
    pub(crate) fn tell(&mut self, event: Event) {
        if self.lost_events && self.events.capacity() > 1 {
            self.lost_events = false;
            let text = "some events were not shown: read the history".to_owned();
            let _ = self.events.try_send(Event::Notice { text });
        }
        if self.events.try_send(event).is_err() {
            self.lost_events = true;
        }
    }

    /// Tells front ends of a refusal that answers no request.
    pub(crate) fn tell_refusal<T>(&mut self, done: Result<T, Refusal>) {
        if let Err(refusal) = done {
            self.tell(Event::Notice { text: refusal.text });
        }
    }

    /// Works out what conversations and rooms are called now, and tells of those that are shown by
    /// another name than before.
    pub(crate) fn update_names(&mut self, rooms: &[Named<Target>]) {
        let mut all: Vec<Named<Target>> = self.named();
        all.extend_from_slice(rooms);
        if all == self.names.all {
            return;
        }
        let labels = names::labels(&all);
        let before = std::mem::replace(&mut self.names, Names { all, labels }).labels;
        for (target, was) in before {
            let label = self.names.label(target);
            if let Target::Conversation(conversation) = target
                && !label.is_empty()
                && label != was
            {
                self.tell(Event::Renamed { conversation, was, label });
            }
        }
    }

    /// All conversations with their names.
    pub(crate) fn named(&self) -> Vec<Named<Target>> {
        let tag = |id: ConversationId| id.other().short();
        self.messenger.named(tag).into_iter().map(target).collect()
    }

    /// The label of a conversation.
    pub(crate) fn label(&self, id: ConversationId) -> String {
        self.names.label(Target::Conversation(id.other()))
    }

    /// A conversation, where something else names it.
    pub(crate) fn reference(&self, id: ConversationId) -> ConversationRef {
        ConversationRef { id: id.other(), label: self.label(id) }
    }

    /// The routes that a new conversation may use, by the settings.
    pub(crate) fn floor(&self) -> Floor {
        Floor::parse(self.config.floor.word()).unwrap_or(Floor::Hidden)
    }

    /// Where fetched files go.
    pub(crate) fn downloads(&self) -> Result<String, Refusal> {
        let own = || self.profile.dir().join("downloads");
        let directory: PathBuf = self.config.download_dir.clone().unwrap_or_else(own);
        directory_for_files(&directory)
    }
}

fn target(named: Named<ConversationId>) -> Named<Target> {
    let Named { key, own, given, formerly, tag } = named;
    Named { key: Target::Conversation(key.other()), own, given, formerly, tag }
}

/// A directory that files can be put into, made if need be.
pub(crate) fn directory_for_files(directory: &Path) -> Result<String, Refusal> {
    std::fs::create_dir_all(directory)
        .and_then(|()| directory.canonicalize())
        .map(|path| path.to_string_lossy().into_owned())
        .map_err(|e| disk(&format!("cannot put files into {}", directory.display()), &e))
}

fn load(
    vault: &Vault,
    config: &Config,
    now: Timestamp,
    local: Timestamp,
) -> Result<Messenger, Refusal> {
    let settings = Settings {
        delivery_receipts: config.delivery_receipts,
        read_receipts: config.read_receipts,
        accept_files: config.accept_files == vault::config::AcceptFiles::Contacts,
        file_limit: config.file_limit,
    };
    vault
        .transaction(|store| {
            let mut rng = UnwrapErr(SysRng);
            let mut step = Step { now, rng: &mut rng, store, via: "" };
            let mut messenger = Messenger::load(&mut step, settings)?;
            messenger.set_local_time(local);
            messenger.erase_due(&mut step)?;
            Ok::<_, StepError>(messenger)
        })
        .map_err(Refuse::refuse)
}

/// Why a transaction failed.
#[derive(Debug)]
enum StepError {
    Messenger(messenger::Error),
    Vault(vault::Error),
}

impl From<messenger::Error> for StepError {
    fn from(error: messenger::Error) -> Self {
        StepError::Messenger(error)
    }
}

impl From<vault::Error> for StepError {
    fn from(error: vault::Error) -> Self {
        StepError::Vault(error)
    }
}

impl Refuse for StepError {
    fn refuse(self) -> Refusal {
        match self {
            StepError::Messenger(error) => error.refuse(),
            StepError::Vault(error) => error.refuse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use e2ee::id::MessageId;
    use messenger::store::{Author, Kind, NewMessage, State};
    use vault::ProfileName;

    use super::*;

    const HOUR_MS: u64 = 3_600_000;
    const YEAR_MS: u64 = 365 * 24 * HOUR_MS;
    const HERE: ConversationId = ConversationId::new([7; 16]);

    fn core(vault: Vault, dir: &Path) -> Core {
        let name = ProfileName::parse("ann").unwrap();
        let profile = Profile::create(dir, &name).or_else(|_| Profile::open(dir, &name)).unwrap();
        Core::open(profile, vault, Config::default(), mpsc::channel(9).0).unwrap()
    }

    fn message(n: u8, expires_at: Timestamp) -> NewMessage {
        NewMessage {
            conversation: HERE,
            id: MessageId::new([n; 16]),
            author: Author::Me,
            author_name: "ann".to_owned(),
            sent_at: Timestamp::ZERO,
            received_at: Timestamp::ZERO,
            kind: Kind::Text,
            text: "text".to_owned(),
            reply_to: None,
            state: State::Stored,
            expires_at: Some(expires_at),
            route: String::new(),
        }
    }

    fn left(core: &Core) -> usize {
        core.read(|_, store| Ok(store.history(&HERE, None, 9)?.len())).unwrap()
    }

    //= GONE-001
    #[test]
    fn no_document_makes_anything_disappear_or_stay() {
        let dir = tempfile::tempdir().unwrap();
        let mut core = core(Vault::in_memory().unwrap(), dir.path());
        let local = core.local();
        let add = |s: &mut Step<'_>, m| Ok(s.store.add_message(&m)?);
        core.step(|_, s| add(s, message(1, local.plus_millis(HOUR_MS)))).unwrap();
        core.note_time(local.plus_millis(10 * YEAR_MS));
        assert!(core.now() >= local.plus_millis(10 * YEAR_MS));
        core.step(Messenger::tick).unwrap();
        core.step(|m, s| m.forget_before(s, local)).unwrap();
        assert_eq!(left(&core), 1, "a document of years ahead erases nothing");
        core.note_time(Timestamp::ZERO);
        core.step(|_, s| add(s, message(2, local))).unwrap();
        core.step(|_, _| Ok(())).unwrap();
        assert_eq!(left(&core), 1, "one of 1970 keeps nothing, not even until the next tick");
        core.reload().unwrap();
        core.note_time(local.plus_millis(10 * YEAR_MS));
        core.reload().unwrap();
        core.step(|m, s| m.forget_before(s, local.plus_millis(HOUR_MS))).unwrap();
        assert_eq!(left(&core), 0, "and what was kept is as old as this device says");
    }

    //= GONE-002
    #[test]
    fn local_time_goes_on_where_the_last_run_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let name = ProfileName::parse("ann").unwrap();
        let profile = Profile::create(dir.path(), &name).unwrap();
        drop(profile.create_vault(&vault::Unlock::KeyFile).unwrap());
        let open = || profile_vault(dir.path());
        drop(profile);
        // The wall clock has been turned back by a year since.
        let wall = clock::read().wall;
        let anchor = Anchor { local: wall, wall: wall.plus_millis(YEAR_MS) };
        open().keep_anchor(anchor).unwrap();
        let core_after = |vault| core(vault, dir.path());
        let mut running = core_after(open());
        assert!(running.local() >= wall && running.local() < wall.plus_millis(HOUR_MS));
        running.keep_anchor();
        let kept = running.vault.anchor().unwrap().unwrap();
        assert!(kept.wall < wall.plus_millis(HOUR_MS), "kept at once");
        running.close();
        let closed = running.vault.anchor().unwrap().unwrap();
        assert!(closed.local >= kept.local && !running.vault.has_remnants());
    }

    fn profile_vault(base: &Path) -> Vault {
        let name = ProfileName::parse("ann").unwrap();
        let profile = Profile::open(base, &name).unwrap();
        profile.open_vault(&vault::Unlock::KeyFile).unwrap()
    }
}
