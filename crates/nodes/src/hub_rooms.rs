//! `hushwing node rooms`: keys of a hub with a share of the storage each.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use api::Failure;
use clap::{Args, Subcommand};
use jail::StateDir;
use serde::Serialize;
use server::rooms::{RoomAccount, Rooms, RoomsState};
use wire::ErrorKind;
use wire::id::AccessKey;

use crate::OrFail;
use crate::hub_card::HubCard;

/// Storage, MiB, and puts a second of the room that a network of one's own is made for.
const OWN: (u64, u32) = (2_048, 5_000);
/// What it is called.
const OWN_NAME: &str = "room";
/// How long a running hub may take to do what was asked.
const PATIENCE: Duration = Duration::from_secs(10);

/// Arguments of `node rooms`.
#[derive(Debug, Clone, Args)]
pub struct HubRoomsArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: HubRoomsCommand,
    /// The hub's directory.
    #[arg(long, global = true, default_value = "hushwing-hub")]
    pub dir: PathBuf,
}

/// What `node rooms` does.
#[derive(Debug, Clone, Subcommand)]
pub enum HubRoomsCommand {
    /// Give a room a key and storage of its own; prints the file with its card, for `hushwing room
    /// --hub`.
    Add {
        /// The room's name, for you.
        name: String,
        /// Storage, in MiB.
        #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..))]
        storage: u64,
        /// Boxes that may be put a second.
        #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
        puts: u32,
    },
    /// List the rooms and what they hold.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Delete everything that was put with a room's key; the key stays valid.
    Purge {
        /// The room's name.
        name: String,
    },
    /// Make a room's key invalid, and delete everything that was put with it.
    Remove {
        /// The room's name.
        name: String,
    },
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    storage_mib: u64,
    puts_per_second: u32,
    boxes: u64,
    bytes: u64,
}

/// Does it.
///
/// # Errors
/// No hub in the directory; a name that is taken, unknown, or cannot be one; a disk error.
pub async fn run(args: HubRoomsArgs) -> Result<(), Failure> {
    let HubRoomsArgs { what, dir } = args;
    // Only a hub that has run once has a card.
    let card = HubCard::read(&dir.join("hub"))?;
    let state = StateDir::open(&dir).or_fail()?;
    let mut rooms = Rooms::load(&state).or_fail()?;
    match what {
        HubRoomsCommand::Add { name, storage, puts } => {
            let access = rooms.add(&name, storage, puts).and_then(RoomAccount::key).or_fail()?;
            let file = card_of(&name);
            let text = format!("{}\n", HubCard { access, ..card }.to_text());
            state.write(&file, text.as_bytes()).or_fail()?;
            rooms.save(&state).or_fail()?;
            println!("{}", dir.join(file).display());
            Ok(())
        }
        HubRoomsCommand::List { json } => list(&rooms, &RoomsState::load(&state), json),
        HubRoomsCommand::Purge { name } => {
            if !rooms.purge(&name) {
                return Err(unknown(&name));
            }
            rooms.save(&state).or_fail()?;
            let room = rooms.get(&name).ok_or_else(|| unknown(&name))?;
            if let Some(done) = done(&state, |now| now.of_room(room)).await {
                println!("{} boxes deleted", done.deleted);
            }
            Ok(())
        }
        HubRoomsCommand::Remove { name } => {
            let room = rooms.remove(&name).ok_or_else(|| unknown(&name))?;
            rooms.save(&state).or_fail()?;
            state.remove(&card_of(&name)).or_fail()?;
            done(&state, |now| (!now.knows(&room)).then_some(())).await;
            Ok(())
        }
    }
}

/// Waits until the hub has done what its list says; if it has not, that is said.
async fn done<T>(state: &StateDir, is: impl Fn(RoomsState) -> Option<T>) -> Option<T> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(done) = is(RoomsState::load(state)) {
            return Some(done);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    eprintln!("the hub has not done it yet: it does so once it runs");
    None
}

/// The key of the room that a network of one's own is made for: whoever has its link can fill its
/// share, and not what the members have. Call it before the hub starts.
///
/// # Errors
/// A disk error.
pub fn own_key(hub: &Path) -> Result<AccessKey, Failure> {
    let state = StateDir::open(hub).or_fail()?;
    Rooms::ensure(&state, OWN_NAME, OWN.0, OWN.1).or_fail()
}

fn card_of(name: &str) -> String {
    format!("room-{name}")
}

fn unknown(name: &str) -> Failure {
    let hint = "`hushwing node rooms list` shows them";
    Failure::new(ErrorKind::LocalConfig, format!("no room is called {name:?}"), hint)
}

fn list(rooms: &Rooms, done: &RoomsState, json: bool) -> Result<(), Failure> {
    for room in rooms.all() {
        let held = done.of_room(room).unwrap_or_default();
        let row = Row {
            name: &room.name,
            storage_mib: room.storage_mib,
            puts_per_second: room.puts_per_second,
            boxes: held.boxes,
            bytes: held.bytes,
        };
        if json {
            let line = serde_json::to_string(&row).map_err(|e| {
                Failure::new(ErrorKind::Bug, format!("no JSON: {e}"), "report this bug")
            })?;
            println!("{line}");
        } else {
            let used = held.bytes.div_ceil(1 << 20);
            println!(
                "{:<24} {used} of {} MiB, {} boxes, {} puts a second",
                row.name, row.storage_mib, row.boxes, row.puts_per_second
            );
        }
    }
    Ok(())
}
