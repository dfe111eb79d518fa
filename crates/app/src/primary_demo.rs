//! `hushwing primary demo`: payload, a message, a cycle, another message, stop; nothing is left
//! behind.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use e2ee::Nick;
use mix::directory::EnrolmentKey;
use mix::path::EntryPolicy;
use net::tor::Tor;
use nodes::primary::{Primary, PrimaryRunArgs};
use routes::{Route, Shaping};
use serde_json::Value;
use tokio::sync::mpsc;
use wire::ErrorKind;

use crate::chat::parse_link;
use crate::fail::OrFail as _;
use api::Failure;
use api::{RoomCommand, RoomEvent};
use engine::{JoinAs, Session, SessionOptions};

/// Longest wait for one message.
const PATIENCE: Duration = Duration::from_secs(60);

type Talker = (mpsc::Sender<RoomCommand>, mpsc::Receiver<RoomEvent>);

fn bug(text: impl std::fmt::Display) -> Failure {
    Failure::new(ErrorKind::Bug, text, "run it with -v and report what it says")
}

/// Runs the demo.
///
/// # Errors
/// A network that does not start; what did not happen as it should.
pub async fn run(args: PrimaryRunArgs, verbose: bool) -> Result<(), Failure> {
    let key = || EnrolmentKey::generate(&mut rand::rng()).map(Arc::new).map_err(bug);
    let (mine, strangers) = (key()?, key()?);
    let args = PrimaryRunArgs {
        enrolled: vec![mine.public().to_text()],
        mean_delay: 5,
        dir: None,
        ..args
    };
    let primary = Primary::start(&args).await?;
    let result = story(&primary, &mine, &strangers, verbose).await;
    primary.stop().await;
    let addresses = result?;
    if addresses.iter().any(|a| is_open(a)) {
        return Err(bug("an address still answers after the end"));
    }
    println!("stopped: no address answers, no key and no file is left");
    Ok(())
}

/// All that happens between start and stop; the addresses that must be dead afterwards.
async fn story(
    primary: &Primary,
    mine: &Arc<EnrolmentKey>,
    strangers: &EnrolmentKey,
    verbose: bool,
) -> Result<Vec<String>, Failure> {
    let link = primary.link();
    let before = primary.payload(Some(mine)).await?;
    show(&before, verbose);
    match primary.payload(Some(strangers)).await {
        Err(_) => println!("payload: a key that is not enrolled gets none"),
        Ok(_) => return Err(bug("a stranger's key got the payload")),
    }
    let join = parse_link(&link)?;
    let mut alice = talker(&join, "alice", mine, primary.tor())?;
    let mut bob = talker(&join, "bob", mine, primary.tor())?;
    say(&alice, &mut bob, "Hello Ghost-Comm!").await?;
    primary.cycle().await?;
    let after = primary.payload(Some(mine)).await?;
    show(&after, verbose);
    let (old, new) = (relays(&before), relays(&after));
    if old.iter().any(|o| new.iter().any(|n| n.0 == o.0 || n.1 == o.1)) {
        return Err(bug("an old relay is in the new payload"));
    }
    if old.iter().any(|o| is_open(&o.1)) {
        return Err(bug("an old relay still answers"));
    }
    println!("cycle: {} new relays with new keys; the old addresses answer no more", new.len());
    say(&alice, &mut bob, "Hello again, by other relays.").await?;
    for talker in [&mut alice, &mut bob] {
        let _ = talker.0.send(RoomCommand::Leave).await;
        while !matches!(talker.1.recv().await, Some(RoomEvent::Closed) | None) {}
    }
    Ok(old.into_iter().chain(new).map(|r| r.1).collect())
}

fn show(payload: &Value, verbose: bool) {
    if verbose {
        eprintln!("{}", serde_json::to_string_pretty(payload).unwrap_or_default());
    }
    let relays = relays(payload);
    println!(
        "payload: epoch {}, revision {}, {} relays, hash {}, sealed to this client",
        payload["epoch"],
        payload["revision"],
        relays.len(),
        payload["hash"].as_str().unwrap_or_default().get(..16).unwrap_or_default()
    );
}

/// Identity and first address of each relay.
fn relays(payload: &Value) -> Vec<(String, String)> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let nodes = payload["nodes"].as_array().cloned().unwrap_or_default();
    nodes
        .iter()
        .filter(|n| n["role"] == "relay")
        .map(|n| (text(&n["id"]), text(&n["addresses"][0])))
        .collect()
}

fn is_open(address: &str) -> bool {
    TcpStream::connect(address).is_ok()
}

fn talker(
    join: &JoinAs,
    name: &str,
    key: &Arc<EnrolmentKey>,
    tor: Option<&Tor>,
) -> Result<Talker, Failure> {
    Session::start(SessionOptions {
        join: join.clone(),
        nick: Nick::new(name).map_err(bug)?,
        route: if tor.is_some() { Route::TorOnion } else { Route::Onion },
        cover: None,
        entry: EntryPolicy::Pinned,
        shaping: Shaping::default(),
        dir: None,
        tor: tor.cloned(),
        key: Some(key.clone()),
    })
    .or_fail()
}

/// One says it; returns when the other has heard it.
async fn say(from: &Talker, to: &mut Talker, text: &str) -> Result<(), Failure> {
    let _ = from.0.send(RoomCommand::Say(text.to_owned())).await;
    let heard = async {
        loop {
            match to.1.recv().await {
                Some(RoomEvent::Message { from, text: said, you: false, .. }) if said == text => {
                    return Some(from);
                }
                Some(_) => {}
                None => return None,
            }
        }
    };
    match tokio::time::timeout(PATIENCE, heard).await {
        Ok(Some(from)) => {
            println!("{from}: {text}");
            Ok(())
        }
        _ => Err(bug("a message did not arrive")),
    }
}
