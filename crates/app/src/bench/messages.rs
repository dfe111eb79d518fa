//! Private conversations without a network: encrypt, keep, put; fetch, decrypt, keep. Vaults are on
//! disk.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use e2ee::Floor;
use e2ee::Invite;
use e2ee::id::ConversationId;
use messenger::event::Output;
use messenger::request::{Call, CallId};
use messenger::{Messenger, Settings, Step};
use streams::{BoxId, SealedBox};
use vault::{Unlock, Vault, VaultKey};
use wire::Timestamp;
use wire::hub::PutOutcome;

use super::{Figure, broken, nowhere, per_second, resident_mib};
use crate::fail::OrFail as _;
use api::Failure;

/// A hub that answers at once.
#[derive(Default)]
struct Hub(HashMap<BoxId, SealedBox>);

struct Person {
    messenger: Messenger,
    vault: Vault,
    open: VecDeque<(CallId, Call)>,
    now: Timestamp,
}

enum StepError {
    Messenger(messenger::Error),
    Vault(vault::Error),
}

impl From<vault::Error> for StepError {
    fn from(error: vault::Error) -> Self {
        StepError::Vault(error)
    }
}

impl From<StepError> for Failure {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Messenger(error) => broken(error),
            StepError::Vault(error) => broken(error),
        }
    }
}

impl Person {
    fn new(name: &str, vault: Vault) -> Result<Self, Failure> {
        let now = Timestamp::from_millis(1_000_000_000);
        let loaded = vault.transaction(|store| {
            let mut step = Step { now, rng: &mut rand::rng(), store, via: "" };
            let mut messenger =
                Messenger::load(&mut step, Settings::default()).map_err(StepError::Messenger)?;
            messenger.set_my_name(&mut step, name).map_err(StepError::Messenger)?;
            Ok::<_, StepError>(messenger)
        });
        Ok(Person { messenger: loaded.map_err(Failure::from)?, vault, open: VecDeque::new(), now })
    }

    fn does<T>(
        &mut self,
        work: impl FnOnce(&mut Messenger, &mut Step<'_>) -> Result<T, messenger::Error>,
    ) -> Result<T, Failure> {
        let Person { messenger, vault, now, .. } = self;
        let done = vault.transaction(|store| {
            let mut step = Step { now: *now, rng: &mut rand::rng(), store, via: "" };
            work(messenger, &mut step).map_err(StepError::Messenger)
        });
        let value = done.map_err(Failure::from)?;
        while let Some(output) = self.messenger.poll() {
            match output {
                Output::Call { id, call, .. } => self.open.push_back((id, call)),
                Output::Cancel(id) => self.open.retain(|(open, _)| *open != id),
                _ => {}
            }
        }
        Ok(value)
    }

    fn go_online(&mut self) -> Result<(), Failure> {
        for place in self.messenger.places() {
            self.does(|m, s| m.set_reach(s, place, messenger::Reach::Hub))?;
        }
        Ok(())
    }

    /// Answers all requests that can be answered, in one transaction per round; false when there
    /// was none.
    fn round(&mut self, hub: &mut Hub) -> Result<bool, Failure> {
        let mut puts = Vec::new();
        let mut gets = Vec::new();
        let mut waiting = VecDeque::new();
        for (id, call) in std::mem::take(&mut self.open) {
            match call {
                Call::Put(sealed) => {
                    hub.0.entry(sealed.id).or_insert(sealed);
                    puts.push(id);
                }
                Call::Get(ids) | Call::Look(ids) if ids.iter().any(|i| hub.0.contains_key(i)) => {
                    gets.push((id, ids));
                }
                Call::Look(_) => gets.push((id, Vec::new())),
                Call::Get(ids) => waiting.push_back((id, Call::Get(ids))),
            }
        }
        self.open = waiting;
        if puts.is_empty() && gets.is_empty() {
            return Ok(false);
        }
        self.does(|m, s| {
            for id in puts {
                m.on_sent(s, id)?;
                m.on_put(s, id, PutOutcome::Stored)?;
            }
            for (id, ids) in gets {
                let boxes = ids
                    .iter()
                    .filter_map(|i| hub.0.get(i))
                    .filter_map(|b| b.clone().verify().ok())
                    .collect();
                m.on_boxes(s, id, boxes)?;
            }
            Ok(())
        })?;
        Ok(true)
    }
}

fn settle(hub: &mut Hub, people: &mut [Person]) -> Result<(), Failure> {
    for person in people.iter_mut() {
        person.go_online()?;
    }
    loop {
        let mut any = false;
        for person in people.iter_mut() {
            any |= person.round(hub)?;
        }
        if !any {
            return Ok(());
        }
    }
}

fn pass(hub: &mut Hub, people: &mut [Person], span: Duration) -> Result<(), Failure> {
    let ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    for person in people.iter_mut() {
        person.now = person.now.plus_millis(ms);
        person.does(Messenger::tick)?;
    }
    settle(hub, people)
}

/// A conversation of `members`, and its id at the first two.
fn conversation(hub: &mut Hub, people: &mut [Person]) -> Result<[ConversationId; 2], Failure> {
    let mut contacts = Vec::new();
    for n in 1..people.len() {
        let network = nowhere();
        let id = people[0]
            .does(|m, s| m.invite(s, &network, Floor::Anywhere, None, None, 86_400_000))?;
        let link = people[0].messenger.invites().into_iter().find(|i| i.id == id).map(|i| i.link);
        let invite = Invite::parse(&link.unwrap_or_default()).map_err(broken)?;
        let known: Vec<ConversationId> = ids(&people[0])?;
        people[n].does(|m, s| m.accept(s, &invite, Floor::Anywhere, None))?;
        for _ in 0..8 {
            people[0].go_online()?;
            people[n].go_online()?;
            people[0].round(hub)?;
            people[n].round(hub)?;
        }
        let new = ids(&people[0])?
            .into_iter()
            .find(|id| !known.contains(id))
            .ok_or_else(|| broken("no contact"))?;
        contacts.push(new);
    }
    if people.len() == 2 {
        let there = ids(&people[1])?.first().copied().ok_or_else(|| broken("no contact"))?;
        return Ok([contacts[0], there]);
    }
    let network = nowhere();
    let group = people[0].does(|m, s| m.create_group(s, &network, Floor::Anywhere, "all"))?;
    for contact in contacts {
        people[0].does(|m, s| m.invite_to_group(s, group, contact))?;
    }
    settle(hub, people)?;
    for person in people.iter_mut().skip(1) {
        let waiting = person.does(|m, s| m.group_invites(s.store))?;
        let (token, ..) = waiting.into_iter().next().ok_or_else(|| broken("no invitation"))?;
        person.does(|m, s| m.answer_group_invite(s, token, true))?;
    }
    for _ in 0..16 {
        pass(hub, people, Duration::from_secs(2))?;
    }
    let all = people[1].does(|m, s| m.overview(s.store))?;
    let there = all.iter().find(|c| !c.direct && c.members == people.len()).map(|c| c.id);
    Ok([group, there.ok_or_else(|| broken("not everybody came into the group"))?])
}

fn ids(person: &Person) -> Result<Vec<ConversationId>, Failure> {
    let all =
        person.vault.read(|store| person.messenger.overview(store).map_err(StepError::Messenger));
    Ok(all.map_err(Failure::from)?.into_iter().map(|c| c.id).collect())
}

const NAMES: [[&str; 2]; 3] = [
    ["2 members: encrypt, keep, put", "2 members: fetch, decrypt, keep"],
    ["10 members: encrypt, keep, put", "10 members: fetch, decrypt, keep"],
    ["100 members: encrypt, keep, put", "100 members: fetch, decrypt, keep"],
];

/// Measures conversations of 2, 10 and 100; a vault of 10,000 messages; the time to open it.
///
/// # Errors
/// When the disk refuses.
pub(super) async fn run(messages: u32) -> Result<Vec<Figure>, Failure> {
    tokio::task::spawn_blocking(move || measure(messages)).await.map_err(broken)?
}

fn measure(messages: u32) -> Result<Vec<Figure>, Failure> {
    let scratch = jail::Scratch::new().or_fail()?;
    // First, so that the memory measured is that of one client.
    let mut figures = large_vault(scratch.path())?;
    for (members, names) in [2, 10, 100].into_iter().zip(NAMES) {
        let mut hub = Hub::default();
        let mut people = Vec::new();
        for n in 0..members {
            // The two that are measured keep on disk, the others in memory.
            let vault = if n < 2 {
                let dir = scratch.path().join(format!("{members}-{n}"));
                std::fs::create_dir(&dir).map_err(broken)?;
                Vault::create(&dir, &VaultKey::random().map_err(broken)?).map_err(broken)?
            } else {
                Vault::in_memory().map_err(broken)?
            };
            people.push(Person::new(&format!("person {n}"), vault)?);
        }
        let [here, _] = conversation(&mut hub, &mut people)?;
        people.truncate(2);
        let text = "x".repeat(200);
        let start = Instant::now();
        for _ in 0..messages {
            people[0].does(|m, s| m.say(s, here, &text, None))?;
            people[0].round(&mut hub)?;
        }
        while people[0].round(&mut hub)? {}
        figures.push(Figure::new(
            names[0],
            per_second(messages as usize, start.elapsed()),
            "messages/s",
        ));
        let start = Instant::now();
        while people[1].round(&mut hub)? {}
        figures.push(Figure::new(
            names[1],
            per_second(messages as usize, start.elapsed()),
            "messages/s",
        ));
    }
    Ok(figures)
}

fn large_vault(scratch: &std::path::Path) -> Result<Vec<Figure>, Failure> {
    let dir = scratch.join("large");
    std::fs::create_dir(&dir).map_err(broken)?;
    let key = VaultKey::random().map_err(broken)?;
    let unlock = Unlock::passphrase("correct horse battery staple");
    key.seal(&dir, &unlock).map_err(broken)?;
    let mut hub = Hub::default();
    let mut people = vec![
        Person::new("large", Vault::create(&dir, &key).map_err(broken)?)?,
        Person::new("other", Vault::in_memory().map_err(broken)?)?,
    ];
    let [here, _] = conversation(&mut hub, &mut people)?;
    for n in 0..10_000_u32 {
        people[0].does(|m, s| m.say(s, here, &format!("message {n}"), None))?;
        if n.is_multiple_of(50) {
            settle(&mut hub, &mut people)?;
        }
    }
    pass(&mut hub, &mut people, Duration::from_secs(10))?;
    drop((people, hub));
    let start = Instant::now();
    let key = VaultKey::unlock(&dir, &unlock).map_err(broken)?;
    let unlocked = start.elapsed();
    let vault = Vault::open(&dir, &key).map_err(broken)?;
    let person = Person::new("large", vault)?;
    let opened = start.elapsed();
    let page =
        person.vault.read(|store| Ok::<_, vault::Error>(store.history(&here, None, 50)?.len()));
    page.map_err(broken)?;
    let shown = start.elapsed();
    let ms = |d: Duration| d.as_secs_f64() * 1_000.0;
    Ok(vec![
        Figure::new("passphrase to key (Argon2id)", ms(unlocked), "ms"),
        Figure::new(
            "10,000 messages: vault open and loaded",
            ms(opened.saturating_sub(unlocked)),
            "ms",
        ),
        Figure::new("10,000 messages: the newest 50 read", ms(shown.saturating_sub(opened)), "ms"),
        Figure::new("10,000 messages: resident memory", resident_mib(), "MiB"),
    ])
}
