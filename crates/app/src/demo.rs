//! `hushwing demo`: a network, two scripted talkers, and you.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use e2ee::Nick;
use mix::path::EntryPolicy;
use nodes::up::{Network, UpArgs};
use routes::{Route, Shaping};
use tokio::sync::mpsc;
use wire::ErrorKind;

use crate::args::DemoArgs;
use crate::fail::OrFail as _;
use api::Failure;
use api::{MessageState, RoomCommand, RoomEvent};
use cli::line::{self, Style};
use engine::{JoinAs, Session, SessionOptions};

/// Longest that the scripted part may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Pause between two messages when somebody watches.
const PACE: Duration = Duration::from_millis(800);

const OPENINGS: [&str; 5] = [
    "Has anybody seen us talking?",
    "Each relay knows only the one before and the one after; nobody knows both ends.",
    "Every packet has the same size, and the keys change with the epoch.",
    "The hub stores boxes whose addresses only we can compute.",
    "Quiet as an owl.",
];

/// What the scripted talkers saw.
#[derive(Default)]
struct Tally {
    /// Whether to print what is heard.
    print: bool,
    said: usize,
    heard: usize,
    twice: usize,
    paths: Vec<usize>,
    packets: usize,
    stored_ms: Vec<u64>,
}

/// Runs the demo.
///
/// # Errors
/// No ports, or messages that did not arrive.
pub async fn run(args: DemoArgs, verbose: bool) -> Result<(), Failure> {
    let started = Instant::now();
    let stop = settings::stopped();
    tokio::pin!(stop);
    let settings =
        UpArgs { relays: 4, hops: Some(3), mean_delay: args.mean_delay, ..UpArgs::ephemeral() };
    let network = tokio::select! {
        network = Network::start(&settings) => network?,
        () = &mut stop => return Ok(()),
    };
    eprintln!(
        "4 relays, a hub and a directory are up after {} ms; paths have 3 relays, each delays packets by {} ms on average",
        started.elapsed().as_millis(),
        args.mean_delay
    );
    let link = network.link();
    let join =
        JoinAs::parse(&link).map_err(|e| Failure::new(ErrorKind::Bug, e, "please report this"))?;
    let interactive = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let talk = talk(&join, args.messages, verbose, interactive);
    let show = async {
        if interactive {
            let style = Style::detect(false, true, verbose);
            let (commands, events) =
                Session::start(options(&join, Nick::random(&mut rand::rng()))).or_fail()?;
            let (tally, chat) = tokio::join!(talk, line::run(commands, events, style));
            chat?;
            tally
        } else {
            talk.await
        }
    };
    let tally = tokio::select! {
        tally = show => Some(tally),
        () = &mut stop => None,
    };
    let packets = network.packets();
    network.stop().await;
    let Some(tally) = tally.transpose()? else {
        eprintln!("stopped");
        return Ok(());
    };
    report(&tally, packets);
    if tally.heard == tally.said && tally.twice == 0 {
        Ok(())
    } else {
        Err(Failure::new(
            ErrorKind::Bug,
            "not every message arrived exactly once",
            "run it again with -v and report the output",
        ))
    }
}

fn options(join: &JoinAs, nick: Nick) -> SessionOptions {
    SessionOptions {
        join: join.clone(),
        nick,
        route: Route::Onion,
        cover: None,
        entry: EntryPolicy::Pinned,
        shaping: Shaping::default(),
        dir: None,
        tor: None,
        key: None,
    }
}

/// Two talkers take turns; each must hear all that the other says, once.
async fn talk(
    join: &JoinAs,
    messages: u32,
    verbose: bool,
    interactive: bool,
) -> Result<Tally, Failure> {
    let name = |text: &str| {
        Nick::new(text).map_err(|e| Failure::new(ErrorKind::Bug, e, "please report this"))
    };
    let (alice, mut alice_events) = Session::start(options(join, name("alice")?)).or_fail()?;
    let (bob, mut bob_events) = Session::start(options(join, name("bob")?)).or_fail()?;
    // Somebody who sits there sees the talk in the room itself, at a pace for reading.
    let mut tally = Tally { print: !interactive, ..Tally::default() };
    let script = async {
        for n in 0..messages as usize {
            let text = OPENINGS[n % OPENINGS.len()];
            exchange(
                (&alice, &mut alice_events),
                (&bob, &mut bob_events),
                &format!("{text} ({n})"),
                &mut tally,
                verbose,
            )
            .await;
            if interactive {
                tokio::time::sleep(PACE).await;
            }
            exchange(
                (&bob, &mut bob_events),
                (&alice, &mut alice_events),
                &format!("Indeed. ({n})"),
                &mut tally,
                verbose,
            )
            .await;
        }
        for (commands, events) in [(&alice, &mut alice_events), (&bob, &mut bob_events)] {
            let _ = commands.send(RoomCommand::Leave).await;
            while !matches!(events.recv().await, Some(RoomEvent::Closed) | None) {}
        }
    };
    if tokio::time::timeout(PATIENCE, script).await.is_err() {
        eprintln!("the scripted talkers ran out of time");
    }
    Ok(tally)
}

/// One says it; returns when the other has heard it and the hub has it.
async fn exchange(
    (speaker, speaker_events): (&mpsc::Sender<RoomCommand>, &mut mpsc::Receiver<RoomEvent>),
    (_, listener_events): (&mpsc::Sender<RoomCommand>, &mut mpsc::Receiver<RoomEvent>),
    text: &str,
    tally: &mut Tally,
    verbose: bool,
) {
    let _ = speaker.send(RoomCommand::Say(text.to_owned())).await;
    tally.said += 1;
    let (mut stored, mut heard) = (false, 0);
    while !stored || heard == 0 {
        tokio::select! {
            event = speaker_events.recv() => match event {
                Some(RoomEvent::State { state: MessageState::Stored, after_ms, .. }) => {
                    stored = true;
                    tally.stored_ms.push(after_ms);
                }
                Some(event) => count(tally, &event, verbose),
                None => return,
            },
            event = listener_events.recv() => match event {
                Some(RoomEvent::Message { from, text: said, you: false, .. }) => {
                    if said == text {
                        if tally.print {
                            println!("{from}: {said}");
                        }
                        heard += 1;
                    } else {
                        tally.twice += 1;
                    }
                }
                Some(event) => count(tally, &event, verbose),
                None => return,
            },
        }
    }
    tally.heard += 1;
    tally.twice += heard - 1;
}

fn count(tally: &mut Tally, event: &RoomEvent, verbose: bool) {
    if let RoomEvent::Path { text, relays } = event {
        tally.paths.push(*relays);
        tally.packets += 1;
        if verbose {
            eprintln!("[debug] {text}");
        }
    }
}

fn report(tally: &Tally, packets: u64) {
    let mut stored = tally.stored_ms.clone();
    stored.sort_unstable();
    let at =
        |part: usize| stored.get(stored.len().saturating_sub(1) * part / 100).copied().unwrap_or(0);
    eprintln!(
        "messages: {} sent, {} received, {} shown twice",
        tally.said, tally.heard, tally.twice
    );
    let shortest = tally.paths.iter().min().copied().unwrap_or(0);
    let longest = tally.paths.iter().max().copied().unwrap_or(0);
    eprintln!(
        "packets: {} sent by the talkers, {packets} seen by relays and hub together; path lengths {shortest} to {longest} relays",
        tally.packets
    );
    eprintln!("until stored: median {} ms, slowest {} ms", at(50), at(100));
}
