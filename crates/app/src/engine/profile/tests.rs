//! Profiles on a real network in this process: relays, hub, TLS, vaults on disk.

use std::path::Path;
use std::time::Duration;

use nodes::up::{Network, UpArgs};
use tokio::sync::mpsc::Receiver;

use super::*;

/// Longest wait for anything: a minute means that something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

async fn network() -> Network {
    Network::start(&UpArgs::ephemeral()).await.unwrap()
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
        let options = Options {
            profile: name.to_owned(),
            base: Some(base.to_owned()),
            unlock: Unlock::KeyFile,
            create: true,
            lan: None,
            passphrase: |_, _| panic!("a key file locks this profile"),
            tor: ::settings::tor::for_profile,
        };
        let (client, events) = Client::open(options).await.unwrap();
        let person = Person { client, events, early: Vec::new() };
        person.ask(Command::SetName { name: name.to_owned() }).await;
        person
    }

    async fn ask(&self, command: Command) -> Reply {
        let asked = self.client.ask(command.clone());
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(refusal)) => panic!("{command:?}: {refusal:?}"),
            Err(_) => panic!("{command:?}: no answer"),
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

    async fn says(&self, to: &str, text: &str) -> String {
        let send = Command::Send { to: to.to_owned(), text: text.to_owned(), reply_to: None };
        let Reply::Id { id } = self.ask(send).await else { panic!("an id") };
        id
    }

    async fn reaches(&mut self, message: &str, wanted: &str) {
        let is = |e: &Event| {
            matches!(e, Event::State { id, state, .. } if id == message && state == wanted)
                .then_some(())
        };
        self.until(is).await;
    }

    async fn words(&self, with: &str) -> String {
        let Reply::Words { words, .. } =
            self.ask(Command::SafetyWords { conversation: with.to_owned() }).await
        else {
            panic!("words")
        };
        words
    }
}

async fn befriend(network: &Network, a: &mut Person, b: &Person) {
    let invite = Command::Invite {
        name: None,
        my_name: None,
        expires_s: None,
        network: Some(network.link()),
    };
    let Reply::Invite(made) = a.ask(invite).await else { panic!("an invite") };
    b.ask(Command::Accept { link: made.link, name: None }).await;
    a.until(|e| matches!(e, Event::InviteUsed { .. }).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_profiles_become_contacts_and_talk() {
    let network = network().await;
    let dir = tempfile::tempdir().unwrap();
    let mut alice = Person::start(dir.path(), "alice").await;
    let mut bob = Person::start(dir.path(), "bob").await;
    befriend(&network, &mut alice, &bob).await;
    assert_eq!(alice.words("bob").await, bob.words("alice").await);
    let said = alice.says("bob", "hello bob").await;
    bob.hears("hello bob").await;
    alice.reaches(&said, "delivered").await;
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
    befriend(&network, &mut alice, &bob).await;
    let path = dir.path().join("picture.bin");
    let bytes: Vec<u8> = (0..200_000_u32).map(|n| (n % 253) as u8).collect();
    std::fs::write(&path, &bytes).unwrap();
    alice.ask(Command::SendFile { to: "bob".into(), path: path.to_str().unwrap().into() }).await;
    let offered = bob
        .until(|e| match e {
            Event::File { file } if file.state == "offered" => Some(file.clone()),
            _ => None,
        })
        .await;
    assert_eq!((offered.name.as_str(), offered.size), ("picture.bin", 200_000));
    bob.ask(Command::AcceptFile { transfer: offered.transfer, directory: None }).await;
    let done = bob
        .until(|e| match e {
            Event::File { file } if file.state == "done" => file.path.clone(),
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
    let invite = Command::Invite {
        name: None,
        my_name: None,
        expires_s: None,
        network: Some(network.link()),
    };
    let Reply::Invite(made) = alice.ask(invite).await else { panic!("an invite") };
    let fragment = made.link.split('#').nth(1).unwrap();
    let seed = &data_encoding::BASE64URL_NOPAD.decode(fragment.as_bytes()).unwrap();
    ears.forbid(&fragment[fragment.len() - 40..]);
    ears.forbid(&data_encoding::HEXLOWER.encode(&seed[seed.len() - 20..]));
    let list: Vec<String> = seed[seed.len() - 8..].iter().map(ToString::to_string).collect();
    ears.forbid(&list.join(", "));
    bob.ask(Command::Accept { link: made.link, name: None }).await;
    alice.until(|e| matches!(e, Event::InviteUsed { .. }).then_some(())).await;
    ears.forbid(&alice.words("bartholomew").await);
    let said = alice.says("bartholomew", TEXT).await;
    ears.forbid(&said);
    bob.hears(TEXT).await;
    alice.reaches(&said, "delivered").await;
    let path = dir.path().join("secretplans.txt");
    std::fs::write(&path, "teapot-elephant").unwrap();
    alice
        .ask(Command::SendFile { to: "bartholomew".into(), path: path.to_str().unwrap().into() })
        .await;
    let offered =
        |e: &Event| matches!(e, Event::File { file } if file.state == "offered").then_some(());
    bob.until(offered).await;
    alice.ask(Command::CreateGroup { title: "teapot-elephant".into() }).await;
    let group =
        Command::InviteToGroup { group: "teapot-elephant".into(), contact: "bartholomew".into() };
    alice.ask(group).await;
    let token = bob
        .until(|e| match e {
            Event::GroupInvite { invite, .. } => Some(invite.token.clone()),
            _ => None,
        })
        .await;
    bob.ask(Command::AnswerGroupInvite { token, accept: true }).await;
    bob.until(|e| {
        matches!(e, Event::Opened { conversation } if conversation == "teapot-elephant")
            .then_some(())
    })
    .await;
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
    befriend(&network, &mut alice, &bob).await;
    alice.ask(Command::Name { conversation: "bob".into(), name: MARKERS[1].into() }).await;
    alice.ask(Command::CreateGroup { title: MARKERS[2].into() }).await;
    let said = alice.says(MARKERS[1], MARKERS[0]).await;
    bob.hears(MARKERS[0]).await;
    alice.reaches(&said, "delivered").await;
    let found =
        alice.ask(Command::Search { query: "heron".into(), conversation: None, limit: None }).await;
    assert!(matches!(found, Reply::Messages { messages } if messages.len() == 1));
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
