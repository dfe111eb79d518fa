//! `hushwing up`: a whole network in one process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use e2ee::{NetworkPlace, OwnerLink};
use jail::StateDir;
use server::config::{DirectoryConfig, HubConfig};
use server::{Directory, HubRole, Node, NodeConfig};
use wire::ErrorKind;
use wire::document::{Processing, Role};

use crate::cli::args::UpArgs;
use crate::exit::{Failure, OrFail};

/// File of the owner's link in the directory given by `--dir`.
const OWNER_LINK: &str = "owner-link";

/// A running network.
pub struct Network {
    directory: Directory,
    relays: Vec<Node>,
    hub: HubRole,
    /// The room's owner link: mutes, re-keying.
    pub owner: OwnerLink,
    /// Deleted with the network, when nothing is to be kept.
    _scratch: Option<jail::Scratch>,
}

impl Network {
    /// Starts directory, relays and hub, and returns when clients can use them.
    ///
    /// # Errors
    /// Settings, ports, state directory.
    pub async fn start(args: &UpArgs) -> Result<Network, Failure> {
        let (base, scratch) = base(args.dir.as_deref().or(args.scratch.as_deref()))?;
        let hops = args.hops.unwrap_or_else(|| args.relays.min(3));
        if hops > args.relays {
            return Err(Failure::new(
                ErrorKind::LocalConfig,
                format!("--hops {hops} needs at least {hops} relays, there are {}", args.relays),
                format!("add --relays {hops}"),
            ));
        }
        let drawn = args.forward_probability > 0.0;
        let config = DirectoryConfig {
            listen: SocketAddr::new(args.host, args.directory_port),
            epoch_seconds: args.epoch,
            min_relays: hops,
            max_relays: if drawn { args.relays.min(8).max(hops) } else { hops },
            forward_probability: args.forward_probability,
            mean_delay_ms: args.mean_delay,
            max_delay_ms: args.mean_delay.saturating_mul(20).max(1_000),
            cover: super::directory::cover(args.cover),
            ..DirectoryConfig::default()
        };
        let directory = Directory::start(&base.join("directory"), &config).await.or_fail()?;
        let node = |role, port, name: &str| NodeConfig {
            role,
            listen: Some(SocketAddr::new(args.host, port)),
            onion: None,
            dialer: net::Dialer::Direct,
            announce: None,
            region: None,
            rate: 10_000,
            max_connections: 4096,
            processing: Processing::default(),
            pointer: directory.pointer.clone(),
            token: directory.token,
            dir: base.join(name),
        };
        let mut relays = Vec::new();
        for n in 0..args.relays {
            // Port 0 lets the system choose, for each.
            let step = if args.relay_port == 0 { 0 } else { u16::from(n) };
            let port = args.relay_port.checked_add(step).ok_or_else(|| {
                Failure::new(
                    ErrorKind::LocalConfig,
                    "there is no such port",
                    "give a lower --relay-port",
                )
            })?;
            relays.push(
                server::relay::start(node(Role::Relay, port, &format!("relay-{}", n + 1)))
                    .await
                    .or_fail()?,
            );
        }
        let hub = HubRole::start(node(Role::Hub, args.hub_port, "hub"), &HubConfig::default())
            .await
            .or_fail()?;
        directory.lists(relays.len(), 1).await;
        let place = NetworkPlace {
            network: directory.pointer.network,
            directories: directory.pointer.directories.clone(),
            hub: hub.node.id,
            access: hub.member,
        };
        let owner = room(&base, place, args.lanes)?;
        Ok(Network { directory, relays, hub, owner, _scratch: scratch })
    }

    /// The link that people join by.
    #[must_use]
    pub fn link(&self) -> String {
        self.owner.link().to_text().to_string()
    }

    /// Packets that all nodes took in so far.
    #[must_use]
    pub fn packets(&self) -> u64 {
        let nodes = self.relays.iter().chain([&self.hub.node]);
        nodes.map(|n| n.stats().received.load(std::sync::atomic::Ordering::Relaxed)).sum()
    }

    /// Stops everything.
    pub async fn stop(mut self) {
        for relay in &self.relays {
            relay.stop().await;
        }
        self.hub.stop().await;
        self.directory.stop().await;
    }
}

/// Runs a network until it is stopped.
///
/// # Errors
/// See [`Network::start`].
pub async fn run(args: UpArgs) -> Result<(), Failure> {
    let stop = settings::stopped();
    tokio::pin!(stop);
    let network = tokio::select! {
        network = Network::start(&args) => network?,
        () = &mut stop => return Ok(()),
    };
    let relays: Vec<String> = network.relays.iter().map(super::node::addresses).collect();
    let directory = network
        .directory
        .pointer
        .directories
        .first()
        .map(|d| d.address.to_string())
        .unwrap_or_default();
    eprintln!(
        "directory {directory}, relays {}, hub {}",
        relays.join(" "),
        super::node::addresses(&network.hub.node)
    );
    match &args.dir {
        Some(dir) => {
            eprintln!("the owner's link (mutes, new keys) is in {}", dir.join(OWNER_LINK).display())
        }
        None => eprintln!("nothing is kept: give --dir to have the same link after a restart"),
    }
    eprintln!("give this link to whom you want to talk with:  hushwing chat 'LINK'");
    println!("{}", network.link());
    stop.await;
    eprintln!("stopping");
    network.stop().await;
    Ok(())
}

/// The state directory: the one that is named, or a private one that goes with the process.
pub(super) fn base(dir: Option<&Path>) -> Result<(PathBuf, Option<jail::Scratch>), Failure> {
    if let Some(dir) = dir {
        StateDir::open(dir).or_fail()?;
        return Ok((dir.to_owned(), None));
    }
    let scratch = settings::scratch()?;
    Ok((scratch.path().to_owned(), Some(scratch)))
}

/// The room of an earlier run, or a new one.
///
/// # Errors
/// A damaged file, settings out of range.
pub(super) fn room(base: &Path, place: NetworkPlace, lanes: u8) -> Result<OwnerLink, Failure> {
    let state = StateDir::open(base).or_fail()?;
    if let Some(bytes) = state.read(OWNER_LINK).or_fail()? {
        let kept =
            std::str::from_utf8(&bytes).ok().and_then(|text| OwnerLink::parse(text.trim()).ok());
        return kept.ok_or_else(|| {
            Failure::new(
                ErrorKind::LocalStorage,
                "the kept owner-link is damaged",
                "remove it from --dir to begin a new room",
            )
        });
    }
    let owner = new_room(place, lanes)?;
    state.write(OWNER_LINK, owner.to_text().as_bytes()).or_fail()?;
    Ok(owner)
}

/// A new room that starts at the current hour.
///
/// # Errors
/// Settings out of range.
pub fn new_room(place: NetworkPlace, lanes: u8) -> Result<OwnerLink, Failure> {
    crate::engine::new_room(place, lanes)
        .map_err(|e| Failure::new(e.kind(), e, "lanes lie between 1 and 64"))
}
