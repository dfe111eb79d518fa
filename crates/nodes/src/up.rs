//! `hushwing up`: a whole network in one process.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use api::Failure;
use clap::Args;
use e2ee::{NetworkPlace, OwnerLink};
use jail::StateDir;
use net::Clock;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use server::config::{DirectoryConfig, HubConfig};
use server::{Directory, HubRole, Node, NodeConfig};
use settings::{CoverArg, SandboxArg};
use wire::document::{MIN_DELAY_CAP, Processing, Role};
use wire::{Address, ErrorKind, HostName};

use crate::OrFail;
use crate::map_port::{self, MapPortArgs};

/// File of the owner's link in the directory given by `--dir`.
const OWNER_LINK: &str = "owner-link";

/// Arguments of `up`.
#[derive(Debug, Clone, Args)]
pub struct UpArgs {
    /// Number of relays.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub relays: u8,
    /// Relays on each path [default: 3, or all if there are fewer].
    #[arg(long, alias = "k", value_parser = clap::value_parser!(u8).range(1..=11))]
    pub hops: Option<u8>,
    /// Random path length: after --hops relays, add another with this probability, up to all
    /// relays.
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    pub forward_probability: f64,
    /// Mean random delay at each hop, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 50)]
    pub mean_delay: u32,
    /// Cover traffic of the clients.
    #[arg(long, value_enum, default_value_t = CoverArg::Off)]
    pub cover: CoverArg,
    /// Keep keys and boxes here, so that links survive a restart [default: keep nothing].
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Address that every role listens on.
    #[arg(long, default_value = "127.0.0.1")]
    pub host: std::net::IpAddr,
    /// Name or IP address by which others reach this machine, if it is not --host; give it again
    /// for another one.
    #[arg(long, value_name = "HOST")]
    pub announce: Vec<Host>,
    /// The router: asked for the ports of all roles.
    #[command(flatten)]
    pub map_port: MapPortArgs,
    /// Port of the first relay; the others use the ports after it.
    #[arg(long, default_value_t = 5001)]
    pub relay_port: u16,
    /// Port of the hub.
    #[arg(long, short = 'p', alias = "port", default_value_t = 6000)]
    pub hub_port: u16,
    /// Port of the directory.
    #[arg(long, default_value_t = 5999)]
    pub directory_port: u16,
    /// Length of an epoch, in seconds.
    #[arg(long, value_name = "S", default_value_t = 1200)]
    pub epoch: u64,
    /// Door lanes of the room: 1 for a small group, up to 64 for a crowd.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub lanes: u8,
    /// Confine this process with landlock and seccomp.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = SandboxArg::Off)]
    pub sandbox: SandboxArg,
    /// A temporary directory that was created earlier, for what is not kept.
    #[arg(skip)]
    pub scratch: Option<PathBuf>,
}

impl UpArgs {
    /// A network that keeps nothing, on local ports that the system chooses: for demos, benchmarks
    /// and tests.
    #[must_use]
    pub fn ephemeral() -> Self {
        UpArgs {
            relays: 3,
            hops: None,
            forward_probability: 0.0,
            mean_delay: 1,
            cover: CoverArg::Off,
            dir: None,
            host: Ipv4Addr::LOCALHOST.into(),
            announce: Vec::new(),
            map_port: MapPortArgs::default(),
            relay_port: 0,
            hub_port: 0,
            directory_port: 0,
            epoch: 1_200,
            lanes: 1,
            sandbox: SandboxArg::Off,
            scratch: None,
        }
    }
}

/// A machine, by a name or an IP address.
#[derive(Debug, Clone, Copy)]
pub enum Host {
    /// An IP address.
    Ip(IpAddr),
    /// A DNS name.
    Name(HostName),
}

impl Host {
    fn at(self, port: u16) -> Address {
        match self {
            Host::Ip(ip) => SocketAddr::new(ip, port).into(),
            Host::Name(name) => Address::Name(name, port),
        }
    }
}

impl FromStr for Host {
    type Err = wire::Error;

    fn from_str(text: &str) -> Result<Self, wire::Error> {
        text.parse().map(Host::Ip).or_else(|_| text.parse().map(Host::Name))
    }
}

/// A running network.
pub struct Network {
    directory: Directory,
    relays: Vec<Node>,
    hub: HubRole,
    /// The room's owner link: mutes, re-keying.
    pub owner: OwnerLink,
    /// Deleted with the network, if nothing is kept.
    _scratch: Option<jail::Scratch>,
}

impl Network {
    /// Starts directory, relays and hub, and returns when clients can use them.
    ///
    /// # Errors
    /// An invalid setting, a port in use, a state directory that cannot be written.
    pub async fn start(args: &UpArgs) -> Result<Network, Failure> {
        let (base, scratch) = base(args.dir.as_deref().or(args.scratch.as_deref()))?;
        let hops = args.hops.unwrap_or_else(|| args.relays.min(3));
        if hops > args.relays {
            return Err(Failure::new(
                ErrorKind::LocalConfig,
                format!(
                    "--hops {hops} needs at least {hops} relays, but there are {}",
                    args.relays
                ),
                format!("add --relays {hops}"),
            ));
        }
        if args.announce.is_empty() && args.host.is_unspecified() && !args.map_port.map_port {
            return Err(Failure::new(
                ErrorKind::LocalConfig,
                format!("{} is an address to listen on, and nobody can dial it", args.host),
                "add --announce with the name or IP address by which others reach this machine",
            ));
        }
        if !args.announce.is_empty()
            && [args.relay_port, args.hub_port, args.directory_port].contains(&0)
        {
            return Err(Failure::new(
                ErrorKind::LocalConfig,
                "--announce needs ports that stay the same, and 0 leaves the choice to the system",
                "choose --relay-port, --hub-port and --directory-port",
            ));
        }
        let announce = |port: u16| args.announce.iter().map(|host| host.at(port)).collect();
        let drawn = args.forward_probability > 0.0;
        let config = DirectoryConfig {
            listen: SocketAddr::new(args.host, args.directory_port),
            announce: announce(args.directory_port),
            epoch_seconds: args.epoch,
            min_relays: hops,
            max_relays: if drawn { args.relays.min(8).max(hops) } else { hops },
            forward_probability: args.forward_probability,
            mean_delay_ms: args.mean_delay,
            max_delay_ms: args.mean_delay.saturating_mul(MIN_DELAY_CAP).max(1_000),
            cover: crate::directory::cover(args.cover),
            ..DirectoryConfig::default()
        };
        let directory = Directory::start_with(
            &base.join("directory"),
            &config,
            Some(config.listen),
            args.map_port.routes(),
            None,
            net::Dialer::Direct,
        )
        .await
        .or_fail()?;
        let node = |role, port, name: &str| NodeConfig {
            role,
            listen: Some(SocketAddr::new(args.host, port)),
            onion: None,
            dialer: net::Dialer::Direct,
            map_port: args.map_port.routes(),
            announce: announce(port),
            region: None,
            owner: None,
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
                    "the relays' ports go beyond 65535",
                    "choose a lower --relay-port",
                )
            })?;
            relays.push(
                server::relay::start(node(Role::Relay, port, &format!("relay-{}", n + 1)))
                    .await
                    .or_fail()?,
            );
        }
        let access = crate::hub_rooms::own_key(&base.join("hub"))?;
        let hub = HubRole::start(node(Role::Hub, args.hub_port, "hub"), &HubConfig::default())
            .await
            .or_fail()?;
        directory.lists(relays.len(), 1).await;
        let place = NetworkPlace {
            network: directory.pointer.network,
            directories: NetworkPlace::choose(&directory.pointer.directories),
            hub: hub.node.id,
            access,
        };
        let owner = room(&base, place, args.lanes)?;
        Ok(Network { directory, relays, hub, owner, _scratch: scratch })
    }

    /// The room link with which people join.
    #[must_use]
    pub fn link(&self) -> String {
        self.owner.link().to_text().to_string()
    }

    /// Number of packets that all nodes have received so far.
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
pub async fn run(mut args: UpArgs) -> Result<(), Failure> {
    args.map_port.prepare(false, true)?;
    let stop = settings::stopped();
    tokio::pin!(stop);
    let network = tokio::select! {
        network = Network::start(&args) => network?,
        () = &mut stop => return Ok(()),
    };
    let relays: Vec<String> = network.relays.iter().map(crate::hub::addresses).collect();
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
        crate::hub::addresses(&network.hub.node)
    );
    match &args.dir {
        Some(dir) => {
            eprintln!(
                "the owner's link (mutes, new keys) is in {}",
                dir.join(OWNER_LINK).display()
            );
        }
        None => eprintln!("nothing is kept: use --dir to keep the same link after a restart"),
    }
    eprintln!("give this link to the people you want to talk to:  hushwing chat 'LINK'");
    println!("{}", network.link());
    let told = |who: String, reports| async move { map_port::tell(&who, reports).await };
    let mut telling = tokio::task::JoinSet::new();
    telling.spawn(told("directory".to_owned(), network.directory.port_reports()));
    telling.spawn(told("hub".to_owned(), network.hub.node.port_reports()));
    for (n, relay) in network.relays.iter().enumerate() {
        telling.spawn(told(format!("relay {}", n + 1), relay.port_reports()));
    }
    stop.await;
    telling.shutdown().await;
    eprintln!("stopping");
    network.stop().await;
    Ok(())
}

/// Opens the state directory from the command line, or creates a private one that ends with the
/// process.
///
/// # Errors
/// A directory that cannot be created.
pub fn base(dir: Option<&Path>) -> Result<(PathBuf, Option<jail::Scratch>), Failure> {
    if let Some(dir) = dir {
        StateDir::open(dir).or_fail()?;
        return Ok((dir.to_owned(), None));
    }
    let scratch = settings::scratch()?;
    Ok((scratch.path().to_owned(), Some(scratch)))
}

/// Reads the room of an earlier run, or creates one.
///
/// # Errors
/// A damaged file, settings out of range.
pub fn room(base: &Path, place: NetworkPlace, lanes: u8) -> Result<OwnerLink, Failure> {
    let state = StateDir::open(base).or_fail()?;
    if let Some(bytes) = state.read(OWNER_LINK).or_fail()? {
        let kept =
            std::str::from_utf8(&bytes).ok().and_then(|text| OwnerLink::parse(text.trim()).ok());
        return kept.ok_or_else(|| {
            Failure::new(
                ErrorKind::LocalStorage,
                "the saved owner link is damaged",
                "remove the file `owner-link` from --dir to start a new room",
            )
        });
    }
    let owner = new_room(place, lanes)?;
    state.write(OWNER_LINK, owner.to_text().as_bytes()).or_fail()?;
    Ok(owner)
}

/// Creates a room that starts at the current hour.
///
/// # Errors
/// Settings out of range.
pub fn new_room(place: NetworkPlace, lanes: u8) -> Result<OwnerLink, Failure> {
    OwnerLink::create(&mut UnwrapErr(SysRng), place, lanes, Clock::start().now())
        .map_err(|e| Failure::new(e.kind(), e, "lanes must be between 1 and 64"))
}
