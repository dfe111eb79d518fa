//! Profiles on a real network in this process: relays, hub, TLS, vaults on disk.

use std::path::Path;
use std::time::Duration;

use api::*;
use clap::Parser;
use engine::{Engines, PassphraseFor, Surroundings, TorSetup};
use net::tor::{Tor, TorSettings};
use nodes::up::{Network, UpArgs};
use tokio::sync::mpsc::Receiver;
use zeroize::Zeroizing;

/// Longest wait for anything: a minute means that something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Parser)]
struct Up {
    #[command(flatten)]
    args: UpArgs,
}

async fn network() -> Network {
    let line = "up --relay-port 0 --hub-port 0 --directory-port 0 --mean-delay 1";
    Network::start(&Up::parse_from(line.split(' ')).args).await.unwrap()
}

fn no_passphrase(_: PassphraseFor) -> Result<Zeroizing<String>, Refusal> {
    panic!("these profiles have key files")
}

/// Tor that nothing ever goes through.
fn idle_tor(setup: &TorSetup<'_>) -> Result<Tor, Refusal> {
    Ok(Tor::lazy(TorSettings::new(setup.state.to_owned())))
}

fn no_daemon(_: &ProfileOptions) -> std::process::Command {
    panic!("these profiles run in this process")
}

/// Somebody with a profile.
struct Person {
    client: Client,
    events: Receiver<Event>,
    /// What came and nobody has asked for yet.
    early: Vec<Event>,
}

impl Person {
    async fn start(base: &Path, name: &str) -> Self {
        let engines = Engines::new(Surroundings {
            base: Some(base.to_owned()),
            passphrase: no_passphrase,
            tor: idle_tor,
            daemon: no_daemon,
            stopped: || Box::pin(std::future::pending()),
        });
        let options = ProfileOptions {
            profile: name.to_owned(),
            unlock: Unlock::KeyFile,
            create: true,
            lan: None,
        };
        let (client, events) = engines.open(&options).await.unwrap();
        let person = Person { client, events, early: Vec::new() };
        person.ask(SetName { name: name.to_owned() }).await;
        person
    }

    async fn ask<R: Request>(&self, request: R) -> R::Reply {
        match tokio::time::timeout(PATIENCE, self.client.ask(request)).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(refusal)) => panic!("{}: {refusal:?}", R::METHOD),
            Err(_) => panic!("{}: no answer", R::METHOD),
        }
    }

    /// What a typed name means here.
    async fn means(&self, name: &str) -> Result<ConversationId, Refusal> {
        let request = Resolve { name: name.to_owned(), scope: Scope::Conversation };
        match self.client.ask(request).await?.target {
            Target::Conversation(id) => Ok(id),
            other => panic!("{other:?}"),
        }
    }

    /// The first event, come already or still to come, from which `f` makes something.
    async fn until<T>(&mut self, f: impl Fn(&Event) -> Option<T>) -> T {
        if let Some(at) = self.early.iter().position(|e| f(e).is_some()) {
            return f(&self.early.remove(at)).unwrap();
        }
        let wait = async {
            loop {
                let event = self.events.recv().await.expect("the engine runs");
                match f(&event) {
                    Some(value) => break value,
                    None => self.early.push(event),
                }
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(value) => value,
            Err(_) => panic!("it did not happen; but these: {:#?}", self.early),
        }
    }

    async fn hears(&mut self, text: &str) -> MessageView {
        let is = |e: &Event| match e {
            Event::Message { message } if message.text == text && !message.you => {
                Some(message.clone())
            }
            _ => None,
        };
        self.until(is).await
    }

    async fn says(&self, to: &str, text: &str) -> MessageId {
        let conversation = self.means(to).await.unwrap();
        let send = SendText { conversation, text: text.to_owned(), reply_to: None };
        self.ask(send).await.message
    }

    async fn reaches(&mut self, wanted: MessageId, state: MessageState) {
        let is = |e: &Event| {
            let now = matches!(e, Event::State { message, state: s, .. } if *message == wanted && *s == state);
            now.then_some(())
        };
        self.until(is).await;
    }

    async fn words(&self, with: &str) -> String {
        let conversation = self.means(with).await.unwrap();
        self.ask(GetSafetyWords { conversation }).await.words
    }

    async fn invites(&self, group: ConversationId, contact: &str) {
        let contact = self.means(contact).await.unwrap();
        self.ask(InviteToGroup { group, contact }).await;
    }

    async fn joins(&mut self) -> ConversationId {
        let invite = self
            .until(|e| match e {
                Event::GroupInvite { invite, .. } => Some(invite.id),
                _ => None,
            })
            .await;
        self.ask(AnswerGroupInvite { invite, accept: true }).await;
        self.until(|e| match e {
            Event::Opened { conversation, .. } => Some(*conversation),
            _ => None,
        })
        .await
    }
}

fn invite(network: &Network) -> Invite {
    Invite { name: None, my_name: None, expires_s: None, network: Some(network.link()) }
}

async fn befriend(network: &Network, a: &mut Person, b: &mut Person) {
    let made = a.ask(invite(network)).await;
    b.ask(Accept { link: made.link, name: None }).await;
    let opened = |e: &Event| matches!(e, Event::Opened { .. }).then_some(());
    a.until(|e| matches!(e, Event::InviteUsed { .. }).then_some(())).await;
    a.until(opened).await;
    b.until(opened).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_profiles_become_contacts_and_talk() {
    let network = network().await;
    let dir = tempfile::tempdir().unwrap();
    let mut alice = Person::start(dir.path(), "alice").await;
    let mut bob = Person::start(dir.path(), "bob").await;
    befriend(&network, &mut alice, &mut bob).await;
    assert_eq!(alice.words("bob").await, bob.words("alice").await);
    let said = alice.says("bob", "hello bob").await;
    bob.hears("hello bob").await;
    alice.reaches(said, MessageState::Delivered).await;
    bob.says("alice", "hello alice").await;
    alice.hears("hello alice").await;
    // A restart changes nothing.
    alice.client.close().await;
    let mut alice = Person::start(dir.path(), "alice").await;
    bob.says("alice", "still there?").await;
    alice.hears("still there?").await;
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_travels() {
    let network = network().await;
    let dir = tempfile::tempdir().unwrap();
    let mut alice = Person::start(dir.path(), "alice").await;
    let mut bob = Person::start(dir.path(), "bob").await;
    befriend(&network, &mut alice, &mut bob).await;
    let path = dir.path().join("picture.bin");
    let bytes: Vec<u8> = (0..200_000_u32).map(|n| (n % 253) as u8).collect();
    std::fs::write(&path, &bytes).unwrap();
    let conversation = alice.means("bob").await.unwrap();
    alice.ask(SendFile { conversation, path: LocalPath::new(&path) }).await;
    let offered = bob
        .until(|e| match e {
            Event::File { file } if file.state == FileState::Offered => Some(file.clone()),
            _ => None,
        })
        .await;
    assert_eq!((offered.name.as_str(), offered.size), ("picture.bin", 200_000));
    bob.ask(AcceptFile { transfer: offered.transfer, directory: None }).await;
    let done = bob
        .until(|e| match e {
            Event::File { file } if file.state == FileState::Done => file.path.clone(),
            _ => None,
        })
        .await;
    assert_eq!(std::fs::read(done).unwrap(), bytes);
    network.stop().await;
}

/// Takes all that is logged, at the most talkative level, and panics when it tells something.
#[derive(Clone, Default)]
struct Ears(std::sync::Arc<std::sync::Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    forbidden: Vec<String>,
    lines: usize,
    leaks: Vec<String>,
}

impl Ears {
    fn forbid(&self, text: &str) {
        self.0.lock().unwrap().forbidden.push(text.to_lowercase());
    }
}

impl std::io::Write for Ears {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut heard = self.0.lock().unwrap();
        let line = String::from_utf8_lossy(bytes).to_lowercase();
        heard.lines += 1;
        let leak = heard.forbidden.iter().any(|f| line.contains(f));
        if leak {
            heard.leaks.push(line);
            drop(heard);
            panic!("a log line tells what it must not");
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// DESIGN invariant 1: names, texts, links, keys and safety words reach no log of any role or
/// client.
#[tokio::test(flavor = "multi_thread")]
async fn whole_conversations_tell_the_log_nothing() {
    const TEXT: &str = "the-heron-stands-at-dawn";
    let ears = Ears::default();
    let writer = ears.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::level_filters::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .init();
    for forbidden in [TEXT, "quetzalcoatl", "bartholomew", "teapot-elephant", "secretplans.txt"] {
        ears.forbid(forbidden);
    }
    let network = network().await;
    let dir = tempfile::tempdir().unwrap();
    let mut alice = Person::start(dir.path(), "quetzalcoatl").await;
    let mut bob = Person::start(dir.path(), "bartholomew").await;
    let made = alice.ask(invite(&network)).await;
    let fragment = made.link.split('#').nth(1).unwrap();
    let seed = &data_encoding::BASE64URL_NOPAD.decode(fragment.as_bytes()).unwrap();
    ears.forbid(&fragment[fragment.len() - 40..]);
    ears.forbid(&data_encoding::HEXLOWER.encode(&seed[seed.len() - 20..]));
    let list: Vec<String> = seed[seed.len() - 8..].iter().map(ToString::to_string).collect();
    ears.forbid(&list.join(", "));
    bob.ask(Accept { link: made.link, name: None }).await;
    alice.until(|e| matches!(e, Event::InviteUsed { .. }).then_some(())).await;
    ears.forbid(&alice.words("bartholomew").await);
    let said = alice.says("bartholomew", TEXT).await;
    ears.forbid(&said.to_string());
    bob.hears(TEXT).await;
    alice.reaches(said, MessageState::Delivered).await;
    let path = dir.path().join("secretplans.txt");
    std::fs::write(&path, "teapot-elephant").unwrap();
    let conversation = alice.means("bartholomew").await.unwrap();
    alice.ask(SendFile { conversation, path: LocalPath::new(&path) }).await;
    let offered = |e: &Event| {
        matches!(e, Event::File { file } if file.state == FileState::Offered).then_some(())
    };
    bob.until(offered).await;
    let opened = |e: &Event| matches!(e, Event::Opened { .. }).then_some(());
    bob.until(opened).await;
    let group = alice.ask(CreateGroup { title: "teapot-elephant".into() }).await.conversation;
    alice.invites(group, "bartholomew").await;
    bob.joins().await;
    bob.says("teapot-elephant", TEXT).await;
    alice.hears(TEXT).await;
    network.stop().await;
    let heard = ears.0.lock().unwrap();
    assert!(heard.leaks.is_empty(), "{:?}", heard.leaks);
    assert!(
        heard.lines >= 8,
        "the log was silent, so this test shows nothing: {} lines",
        heard.lines
    );
    drop(heard);
    let caught = std::panic::catch_unwind(|| tracing::info!("says {TEXT}"));
    assert!(caught.is_err(), "the ears hear");
}

/// Nothing that was said lies readable on the disk, neither while the profile is open nor after.
#[tokio::test(flavor = "multi_thread")]
async fn the_disk_holds_nothing_readable() {
    const MARKERS: [&str; 3] =
        ["the-heron-stands-at-dawn", "quetzalcoatl-in-person", "teapot-elephant"];
    let network = network().await;
    let dir = tempfile::tempdir().unwrap();
    let mut alice = Person::start(dir.path(), "alice").await;
    let mut bob = Person::start(dir.path(), "bob").await;
    befriend(&network, &mut alice, &mut bob).await;
    let conversation = alice.means("bob").await.unwrap();
    alice.ask(SetOwnName { conversation, name: Some(MARKERS[1].into()) }).await;
    alice.ask(CreateGroup { title: MARKERS[2].into() }).await;
    let said = alice.says(MARKERS[1], MARKERS[0]).await;
    bob.hears(MARKERS[0]).await;
    alice.reaches(said, MessageState::Delivered).await;
    let search = Search { query: "heron".into(), conversation: None, limit: None };
    assert_eq!(alice.ask(search).await.len(), 1);
    readable(dir.path(), &MARKERS);
    alice.client.close().await;
    bob.client.close().await;
    readable(dir.path(), &MARKERS);
    network.stop().await;
}

fn readable(dir: &Path, markers: &[&str]) {
    let mut files = 0;
    let mut open = vec![dir.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
            continue;
        }
        files += 1;
        let bytes = std::fs::read(&path).unwrap();
        for marker in markers {
            let utf16: Vec<u8> = marker.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let plain = bytes.windows(marker.len()).any(|w| w == marker.as_bytes());
            let wide = bytes.windows(utf16.len()).any(|w| w == utf16);
            assert!(!plain && !wide, "{marker} in {}", path.display());
        }
    }
    assert!(files >= 6, "vaults, headers and settings of two profiles, not {files} files");
}

/// Finding: titles that others swap turned a message to other people.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_call_a_group_never_turns_a_message_to_other_people() {
    let network = network().await;
    let dir = tempfile::tempdir().unwrap();
    let mut alice = Person::start(dir.path(), "alice").await;
    let mut mallory = Person::start(dir.path(), "mallory").await;
    let mut eve = Person::start(dir.path(), "eve").await;
    befriend(&network, &mut alice, &mut mallory).await;
    befriend(&network, &mut alice, &mut eve).await;
    let family = alice.ask(CreateGroup { title: "family".into() }).await.conversation;
    let work = alice.ask(CreateGroup { title: "work".into() }).await.conversation;
    alice.invites(family, "mallory").await;
    let family_there = mallory.joins().await;
    alice.invites(work, "mallory").await;
    let work_there = mallory.joins().await;
    alice.invites(work, "eve").await;
    eve.joins().await;
    assert_eq!(alice.means("family").await.unwrap(), family);
    alice.ask(SetOwnName { conversation: work, name: Some("office".into()) }).await;

    mallory.ask(RenameGroup { group: family_there, title: "kin".into() }).await;
    let shown_as = |wanted: ConversationId, title: &'static str| {
        move |e: &Event| match e {
            Event::Conversation { conversation, text, .. } => {
                (*conversation == wanted && text.contains(title)).then_some(())
            }
            _ => None,
        }
    };
    alice.until(shown_as(family, "kin")).await;
    mallory.ask(RenameGroup { group: work_there, title: "family".into() }).await;
    alice.until(shown_as(work, "family")).await;

    let refused = alice.means("family").await.unwrap_err();
    let (Reason::Ambiguous { candidates } | Reason::Renamed { candidates }) = refused.reason else {
        panic!("{refused:?}")
    };
    let meant = |id| candidates.iter().any(|c| c.target == Target::Conversation(id));
    assert!(meant(family), "what was called so is offered: {candidates:?}");
    let views = alice.ask(ListConversations {}).await;
    let view = |id| views.iter().find(|v| v.id == id).unwrap();
    assert_eq!(view(work).own_name.as_deref(), Some("office"), "the own name is untouched");
    assert_eq!(view(work).label, "office");
    assert_eq!(view(family).label, "kin");
    assert_eq!(alice.means("office").await.unwrap(), work);
    assert_eq!(alice.means("kin").await.unwrap(), family);
    network.stop().await;
}
