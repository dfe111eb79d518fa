//! What is gone is gone from every byte of the profile: a whole life is planted in a real vault,
//! taken away, and looked for as somebody does who has the disk and the key.
//!
//! Encrypted files prove nothing by holding no word. So all pages of the database and of its log
//! are decrypted one by one, those that are free or half empty included, without asking SQLite what
//! belongs to a table. What this does not show: blocks that the file system has freed, and memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt, KeyInit};
use e2ee::{Floor, Invite, NetworkPlace};
use messenger::event::{FileState, Output};
use messenger::id::{ConversationId, MessageId};
use messenger::request::{Call, CallId};
use messenger::store::Space;
use messenger::transfer::NewFile;
use messenger::{Messenger, Reach, Settings, Step};
use streams::{BoxId, SealedBox};
use vault::{Error, Profile, ProfileName, Unlock, Vault, VaultKey};
use wire::hub::PutOutcome;
use wire::id::AccessKey;
use wire::{DirectoryPointer, NetworkId, NodeId, Timestamp};

const PAGE: usize = 4_096;
/// Behind the content of each page: an initialisation vector of 16 bytes, and a seal of 64.
const RESERVED: usize = 80;
const SALT: usize = 16;
const MINUTE: u64 = 60_000;

/// Decrypts one page (AES-256-CBC; the first one begins with the salt of the file).
fn page(key: &Aes256, number: u32, bytes: &[u8]) -> Vec<u8> {
    let begin = if number == 1 { SALT } else { 0 };
    let end = PAGE - RESERVED;
    let mut previous: [u8; 16] = bytes[end..end + 16].try_into().unwrap();
    let mut out = Vec::with_capacity(PAGE);
    for block in bytes[begin..end].chunks_exact(16) {
        let block: [u8; 16] = block.try_into().unwrap();
        let mut plain = block.into();
        key.decrypt_block(&mut plain);
        out.extend(plain.iter().zip(previous).map(|(a, b)| a ^ b));
        previous = block;
    }
    out
}

/// All that the files of a vault hold, decrypted: the database, then its log.
fn decrypted(dir: &Path) -> Vec<Vec<u8>> {
    let key = VaultKey::unlock(dir, &Unlock::KeyFile).unwrap();
    let key = Aes256::new(key.reveal().into());
    let database = std::fs::read(dir.join("vault.db")).unwrap();
    let numbered = (1..).zip(database.chunks_exact(PAGE));
    let mut all: Vec<Vec<u8>> = numbered.map(|(n, bytes)| page(&key, n, bytes)).collect();
    assert_eq!(&all[0][68 - SALT..72 - SALT], b"Hush", "decrypted: the application's id");
    let log = std::fs::read(dir.join("vault.db-wal")).unwrap_or_default();
    for frame in log.get(32..).unwrap_or_default().chunks_exact(24 + PAGE) {
        let number = u32::from_be_bytes(frame[..4].try_into().unwrap());
        all.push(page(&key, number, &frame[24..]));
    }
    all
}

/// Which of these can be found in the decrypted pages, or as they are in a file of the profile.
fn found(dir: &Path, needles: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let mut all = decrypted(dir);
    for entry in std::fs::read_dir(dir).unwrap() {
        all.push(std::fs::read(entry.unwrap().path()).unwrap());
    }
    // By their first eight bytes, because there are many.
    let mut by_start: BTreeMap<[u8; 8], Vec<(&String, &Vec<u8>)>> = BTreeMap::new();
    for (name, bytes) in needles {
        by_start.entry(bytes[..8].try_into().unwrap()).or_default().push((name, bytes));
    }
    let mut hits = BTreeSet::new();
    for bytes in &all {
        for at in 0..bytes.len().saturating_sub(8) {
            let start: [u8; 8] = bytes[at..at + 8].try_into().unwrap();
            for (name, needle) in by_start.get(&start).into_iter().flatten() {
                if bytes[at..].starts_with(needle) {
                    hits.insert((*name).clone());
                }
            }
        }
    }
    hits.into_iter().collect()
}

/// A word as it is written, and as the search index keeps it: in lower case, without the beginning
/// that it shares with the word before.
fn words(words: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let forms = |word: &&str| {
        let tail = word[4..].to_lowercase();
        [
            (format!("{word}, written"), word.as_bytes().to_vec()),
            (format!("{word}, indexed"), tail.into_bytes()),
        ]
    };
    words.iter().flat_map(forms).collect()
}

/// Pieces of every record that is not a setting: keys, capabilities, sealed boxes.
fn pieces(vault: &Vault) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for space in Space::ALL.into_iter().filter(|s| *s != Space::Setting) {
        let records = vault.read(|s| Ok::<_, Error>(s.scan(space, &[])?)).unwrap();
        for (n, (_, value)) in records.iter().enumerate() {
            for (at, piece) in value.chunks_exact(32).enumerate() {
                // What is mostly one byte is no proof of anything.
                if piece.iter().collect::<BTreeSet<_>>().len() > 20 {
                    all.insert(format!("{space:?} {n} at {}", at * 32), piece.to_vec());
                }
            }
        }
    }
    all
}

struct Person {
    vault: Vault,
    messenger: Messenger,
    open: VecDeque<(CallId, Call)>,
}

impl Person {
    fn new(vault: Vault, name: &str) -> Self {
        let load = |s: &dyn messenger::store::Store| {
            let mut rng = rand::rng();
            let mut step = Step { now: Timestamp::ZERO, rng: &mut rng, store: s, via: "" };
            let mut messenger = Messenger::load(&mut step, Settings::default()).unwrap();
            messenger.set_my_name(&mut step, name).unwrap();
            Ok::<_, Error>(messenger)
        };
        let messenger = vault.transaction(load).unwrap();
        Person { vault, messenger, open: VecDeque::new() }
    }
}

/// Two people and a hub.
struct World {
    now: Timestamp,
    boxes: BTreeMap<BoxId, SealedBox>,
    people: Vec<Person>,
}

impl World {
    fn does<T>(
        &mut self,
        who: usize,
        f: impl FnOnce(&mut Messenger, &mut Step<'_>) -> Result<T, messenger::Error>,
    ) -> T {
        let now = self.now;
        let Person { vault, messenger, open } = &mut self.people[who];
        let work = |store: &dyn messenger::store::Store| {
            let mut rng = rand::rng();
            Ok::<_, Error>(f(messenger, &mut Step { now, rng: &mut rng, store, via: "" }).unwrap())
        };
        let done = vault.transaction(work).unwrap();
        while let Some(output) = messenger.poll() {
            match output {
                Output::Call { id, call, .. } => open.push_back((id, call)),
                Output::Cancel(id) => open.retain(|(other, _)| *other != id),
                _ => {}
            }
        }
        done
    }

    /// Lets everything happen that can happen now.
    fn settle(&mut self, who: &[usize]) {
        for n in who {
            for place in self.people[*n].messenger.places() {
                self.does(*n, |m, s| m.set_reach(s, place, Reach::Hub));
            }
        }
        let mut quiet = 0;
        while quiet < 2 {
            quiet += 1;
            for n in who {
                for _ in 0..self.people[*n].open.len() {
                    let Some((id, call)) = self.people[*n].open.pop_front() else { break };
                    match call {
                        Call::Put(sealed) => {
                            quiet = 0;
                            self.boxes.entry(sealed.id).or_insert(sealed);
                            self.does(*n, |m, s| m.on_put(s, id, PutOutcome::Stored));
                        }
                        Call::Get(ids) | Call::Look(ids)
                            if ids.iter().any(|id| self.boxes.contains_key(id)) =>
                        {
                            quiet = 0;
                            let there = ids.iter().filter_map(|id| self.boxes.get(id));
                            let there = there.map(|b| b.clone().verify().unwrap()).collect();
                            self.does(*n, |m, s| m.on_boxes(s, id, there));
                        }
                        Call::Look(_) => {
                            quiet = 0;
                            self.does(*n, |m, s| m.on_boxes(s, id, Vec::new()));
                        }
                        call @ Call::Get(_) => self.people[*n].open.push_back((id, call)),
                    }
                }
            }
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now = self.now.plus_millis(ms);
        for n in 0..self.people.len() {
            self.does(n, Messenger::tick);
        }
    }

    fn only(&self, who: usize) -> ConversationId {
        let Person { vault, messenger, .. } = &self.people[who];
        vault.read(|s| Ok::<_, Error>(messenger.overview(s).unwrap()[0].id)).unwrap()
    }
}

fn place() -> NetworkPlace {
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

const ALICE: usize = 0;
const BOB: usize = 1;

fn world(dir: &Path) -> World {
    let profile = Profile::open(dir, &ProfileName::parse("bob").unwrap()).unwrap();
    let vault = profile.open_vault(&Unlock::KeyFile).unwrap();
    let alice = Person::new(Vault::in_memory().unwrap(), "QX1NickOfTheContact");
    let people = vec![alice, Person::new(vault, "bob")];
    World { now: Timestamp::from_millis(1_000_000_000), boxes: BTreeMap::new(), people }
}

fn say(world: &mut World, who: usize, text: &str) -> MessageId {
    let id = world.only(who);
    world.does(who, |m, s| m.say(s, id, text, None))
}

fn base() -> tempfile::TempDir {
    let base = tempfile::tempdir().unwrap();
    let profile = Profile::create(base.path(), &ProfileName::parse("bob").unwrap()).unwrap();
    drop(profile.create_vault(&Unlock::KeyFile).unwrap());
    base
}

/// Bob, whom Alice has accepted, in a vault that holds a lot else.
fn friends(dir: &Path) -> World {
    let mut world = world(dir);
    let name = Some("QX2OwnNameOfTheContact".to_owned());
    let invite =
        world.does(BOB, |m, s| m.invite(s, &place(), Floor::Anywhere, None, name, 86_400_000));
    world.settle(&[BOB]);
    let link = world.people[BOB].messenger.invites().into_iter().find(|i| i.id == invite).unwrap();
    let link = Invite::parse(&link.link).unwrap();
    world.does(ALICE, |m, s| m.accept(s, &link, Floor::Anywhere, None));
    world.settle(&[ALICE, BOB]);
    world
}

fn filler(world: &mut World, from: u32) {
    for n in from..from + 60 {
        let text = format!("filler number {n}, of {} words {}", n * 7, "lorem ipsum ".repeat(20));
        say(world, BOB, &text);
        if n % 10 == 0 {
            world.settle(&[ALICE, BOB]);
        }
    }
}

//= GONE-003, GONE-007
#[test]
fn what_has_disappeared_or_was_deleted_is_in_no_page_of_the_vault() {
    let base = base();
    let dir = base.path().join("bob");
    let mut world = friends(base.path());
    let here = world.only(BOB);
    let mut all = words(&[
        "QX3DeletedText",
        "QX4EditedText",
        "QX5ReactionWord",
        "QX6ExpiredText",
        "QX7ReceivedFromAlice",
    ]);
    // Reactions are not searched for.
    all.retain(|k, _| k.ends_with("written") || !k.contains("Reaction"));
    filler(&mut world, 0);
    let deleted = say(&mut world, BOB, "a QX3DeletedText");
    let edited = say(&mut world, BOB, "a QX4EditedText");
    world.does(BOB, |m, s| m.react(s, here, edited, "QX5ReactionWord", true));
    filler(&mut world, 100);
    // With a timer from here on, and Alice away: it stays in the outbox.
    world.does(BOB, |m, s| m.set_timer(s, here, 60));
    world.settle(&[ALICE, BOB]);
    say(&mut world, ALICE, "a QX7ReceivedFromAlice");
    world.settle(&[ALICE, BOB]);
    let late = say(&mut world, BOB, "a QX6ExpiredText");
    world.does(BOB, |m, s| {
        m.send_file(
            s,
            here,
            &NewFile {
                name: "QX6ExpiredText".to_owned(),
                size: 9_000,
                sha256: [7; 32],
                path: "/home/QX7ReceivedFromAlice".to_owned(),
            },
        )
    });
    world.does(BOB, |m, s| m.edit(s, here, late, "again a QX6ExpiredText"));
    filler(&mut world, 200);
    world.people[BOB].vault.tidy();
    let missing: Vec<_> = all.keys().filter(|k| !found(&dir, &all).contains(k)).collect();
    assert!(missing.is_empty(), "the scan sees what is there: {missing:?}");

    world.does(BOB, |m, s| m.delete(s, here, deleted));
    world.does(BOB, |m, s| m.edit(s, here, edited, "changed"));
    world.does(BOB, |m, s| m.react(s, here, edited, "QX5ReactionWord", false));
    world.settle(&[ALICE, BOB]);
    world.pass(10 * MINUTE);
    world.settle(&[ALICE, BOB]);
    world.pass(10 * MINUTE);
    world.people[BOB].vault.tidy();
    assert_eq!(found(&dir, &all), [] as [&str; 0], "while it is open");
    drop(world);
    assert_eq!(found(&dir, &all), [] as [&str; 0], "and closed");
}

//= GONE-005, GONE-007
#[test]
fn a_forgotten_conversation_is_in_no_page_of_the_vault() {
    let base = base();
    let dir = base.path().join("bob");
    let mut world = friends(base.path());
    let here = world.only(BOB);
    let names = [
        "QX1NickOfTheContact",
        "QX2OwnNameOfTheContact",
        "QX8SaidInTheGroup",
        "QX9TitleOfTheGroup",
        "QXANameOfFile",
    ];
    let mut all = words(&names);
    // An index keeps neither names nor titles of conversations.
    all.retain(|k, _| k.ends_with("written") || k.contains("Said"));
    let file = || NewFile {
        name: "QXANameOfFile".to_owned(),
        size: 9_000,
        sha256: [7; 32],
        path: "/x".to_owned(),
    };
    filler(&mut world, 0);
    let there = world.only(ALICE);
    world.does(ALICE, |m, s| m.send_file(s, there, &file()));
    let group =
        world.does(BOB, |m, s| m.create_group(s, &place(), Floor::Anywhere, "QX9TitleOfTheGroup"));
    world.does(BOB, |m, s| m.invite_to_group(s, group, here));
    world.settle(&[ALICE, BOB]);
    let token = {
        let Person { vault, messenger, .. } = &world.people[ALICE];
        vault.read(|s| Ok::<_, Error>(messenger.group_invites(s).unwrap()[0].0)).unwrap()
    };
    world.does(ALICE, |m, s| m.answer_group_invite(s, token, true));
    world.settle(&[ALICE, BOB]);
    world.does(BOB, |m, s| m.say(s, here, "a QX8SaidInTheGroup", None));
    world.does(BOB, |m, s| m.say(s, group, "a QX8SaidInTheGroup", None));
    world.settle(&[ALICE, BOB]);
    world.people[BOB].vault.tidy();
    let missing: Vec<_> = all.keys().filter(|k| !found(&dir, &all).contains(k)).collect();
    assert!(missing.is_empty(), "the scan sees what is there: {missing:?}");
    let records = pieces(&world.people[BOB].vault);
    assert!(records.len() > 300, "{}", records.len());
    let seen = found(&dir, &records).len();
    assert!(seen * 10 > records.len() * 9, "the scan sees records: {seen} of {}", records.len());
    all.extend(records);

    for id in [group, here] {
        world.does(BOB, |m, s| m.forget(s, id));
    }
    assert!(world.people[BOB].messenger.transfers().all(|(_, t)| t.state == FileState::Done));
    let left = found(&dir, &all);
    assert!(
        left.is_empty(),
        "{} of {} are left: {:?}",
        left.len(),
        all.len(),
        &left[..left.len().min(20)]
    );
    drop(world);
    assert!(found(&dir, &all).is_empty(), "nor when it is closed");
}
