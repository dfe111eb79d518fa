//! `hushwing host`: a hub, a directory and an open room behind one onion service.

use std::io::IsTerminal;
use std::path::PathBuf;

use api::Failure;
use clap::Args;
use cli::line::{self, Style};
use e2ee::{NetworkPlace, OwnerLink};
use engine::{JoinAs, Session, SessionOptions};
use net::Dialer;
use nodes::OrFail as _;
use nodes::onion::{Onion, OnionArgs};
use nodes::up;
use routes::Route;
use server::config::{DirectoryConfig, HubConfig};
use server::{Directory, HubRole, NodeConfig};
use settings::ShapingArgs;
use wire::document::{Processing, Role};

use crate::fail::OrFail as _;

/// Ports of the onion service: where guests find the directory and the hub.
const DIRECTORY_PORT: u16 = 5999;
const HUB_PORT: u16 = 6000;

/// Settings of `host`.
#[derive(Debug, Clone, Args)]
pub struct HostArgs {
    /// Keep keys and messages in this directory, so that the link survives a restart [default: keep
    /// nothing].
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Your name in the room [default: random].
    #[arg(long)]
    pub nick: Option<String>,
    /// Only host, without joining the room from here (implied without a terminal).
    #[arg(long, conflicts_with = "talk")]
    pub serve: bool,
    /// Join the room from here even without a terminal.
    #[arg(long)]
    pub talk: bool,
    /// Door lanes of the room: 1 for a small group, up to 64 for a crowd.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub lanes: u8,
    /// File that lists who may find the service, one line `descriptor:x25519:…` each.
    #[arg(long, value_name = "FILE")]
    pub authorized: Option<PathBuf>,
    /// Traffic shaping for your own messages.
    #[command(flatten)]
    pub shaping: ShapingArgs,
    /// Tor's own settings.
    #[command(flatten)]
    pub tor: settings::TorArgs,
}

struct Hosted {
    onion: Onion,
    directory: Directory,
    hub: HubRole,
    owner: OwnerLink,
}

/// Hosts a room until it is stopped, or until its owner leaves.
///
/// # Errors
/// Tor, settings, the state directory.
pub async fn run(args: HostArgs, verbose: bool) -> Result<(), Failure> {
    let (base, _scratch) = up::base(args.dir.as_deref())?;
    let onion = OnionArgs {
        tor: true,
        tor_only: true,
        ephemeral: args.dir.is_none(),
        authorized: args.authorized.clone(),
        settings: args.tor.clone(),
    };
    let stop = settings::stopped();
    tokio::pin!(stop);
    let mut hosted = tokio::select! {
        started = start(&onion, &base, args.lanes) => started?,
        () = &mut stop => return Ok(()),
    };
    let link = hosted.owner.link().to_text().to_string();
    println!("{link}");
    if std::io::stderr().is_terminal() {
        cli::qr::show(&link);
    }
    eprintln!("give this link to the people you want to talk to:  hushwing chat 'LINK'");
    let talk = args.talk || !args.serve && std::io::stdin().is_terminal();
    let done = if talk {
        converse(&args, &hosted, verbose).await
    } else {
        stop.await;
        Ok(())
    };
    eprintln!("stopping");
    hosted.hub.stop().await;
    hosted.directory.stop().await;
    drop(hosted.onion);
    done
}

async fn start(args: &OnionArgs, base: &std::path::Path, lanes: u8) -> Result<Hosted, Failure> {
    let ports = [DIRECTORY_PORT, HUB_PORT];
    let Some(mut onion) = args.start(base, &ports).await? else {
        return Err(settings::tor::failure(net::tor::TorError::Stopped.into()));
    };
    let directory_door = onion.door(DIRECTORY_PORT)?;
    // The hub runs in this process, so it reaches the directory on loopback.
    let inside = Some(std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
    let config = DirectoryConfig::default();
    let directory = Directory::start_with(
        &base.join("directory"),
        &config,
        inside,
        None,
        Some(directory_door),
        net::Dialer::Direct,
    )
    .await
    .or_fail()?;
    let hub_door = onion.door(HUB_PORT)?;
    let node = NodeConfig {
        role: Role::Hub,
        listen: None,
        onion: Some(hub_door),
        dialer: Dialer::Direct,
        map_port: None,
        announce: Vec::new(),
        region: None,
        owner: None,
        rate: 1_000,
        processing: Processing::default(),
        max_connections: 4_096,
        pointer: directory.pointer.clone(),
        token: directory.token,
        dir: base.join("hub"),
    };
    let access = nodes::hub_rooms::own_key(&base.join("hub"))?;
    let hub = HubRole::start(node, &HubConfig::default()).await.or_fail()?;
    directory.lists(0, 1).await;
    let place = NetworkPlace {
        network: directory.pointer.network,
        directories: directory
            .pointer
            .directories
            .iter()
            .filter(|d| d.address.is_onion())
            .copied()
            .collect(),
        hub: hub.node.id,
        access,
    };
    let owner = up::room(base, place, lanes)?;
    Ok(Hosted { onion, directory, hub, owner })
}

/// Joins the room as its owner, through Tor like every guest.
async fn converse(args: &HostArgs, hosted: &Hosted, verbose: bool) -> Result<(), Failure> {
    let nick = settings::nick(args.nick.as_deref())?;
    let (commands, events) = Session::start(SessionOptions {
        join: JoinAs::Owner(hosted.owner.clone()),
        nick,
        route: Route::Tor,
        cover: None,
        entry: mix::path::EntryPolicy::Pinned,
        shaping: args.shaping.into(),
        dir: None,
        tor: Some(hosted.onion.tor.clone()),
        key: None,
    })
    .or_fail()?;
    line::run(commands, events, Style::detect(false, false, verbose)).await
}
