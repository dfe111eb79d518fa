//! `hushwing primary`: a network with short-lived relays.

mod enroll;
mod payload;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::Failure;
use clap::{Args, Subcommand};
use e2ee::{NetworkPlace, OwnerLink};
use jail::StateDir;
use mix::directory::EnrolmentKey;
use net::Dialer;
use net::tor::Tor;
use server::config::{DirectoryConfig, HubConfig};
use server::primary::{Pool, PoolConfig, Scratch, Seedling};
use server::{Directory, Error, HubRole, Node, NodeConfig};
use settings::CoverArg;
use settings::tor::{self, TorArgs};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use wire::document::{MIN_DELAY_CAP, Processing, Role};
use wire::{DirectoryPointer, ErrorKind};

use crate::OrFail;
use crate::map_port::{self, MapPortArgs};
use crate::onion::ephemeral_door;

/// Ports of the onion services.
const DIRECTORY_PORT: u16 = 5999;
const RELAY_PORT: u16 = 5001;
const HUB_PORT: u16 = 6000;
/// How long to wait until the document lists new relays.
const PATIENCE: Duration = Duration::from_secs(60);
/// Old relays keep running for the longest time a packet can take, plus this.
const MARGIN: Duration = Duration::from_secs(2);
/// Length of an epoch, in seconds: the keys of the hub, and of relays in a long cycle, change with
/// it.
const EPOCH_S: u64 = 600;

/// Arguments of `primary`, which runs a network or one of its helpers.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct PrimaryArgs {
    /// The helper to run instead.
    #[command(subcommand)]
    pub command: Option<PrimaryCommand>,
    /// Options of the network.
    #[command(flatten)]
    pub run: PrimaryRunArgs,
}

/// The helpers of `primary`.
#[derive(Debug, Clone, Subcommand)]
pub enum PrimaryCommand {
    /// Create a client key and print its public half for the network's operator.
    Enroll {
        /// Write the secret half to this new file (mode 0600).
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Fetch, unseal and verify the network document, and print it as JSON.
    Payload {
        /// The room's link.
        link: String,
        /// Your client key, for networks that admit only enrolled clients.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Tor's own settings.
        #[command(flatten)]
        tor: TorArgs,
    },
    /// Demonstrate it: payload, a message, a cycle, another message; leaves nothing behind.
    Demo,
}

/// Options of a network with a pool of short-lived relays.
#[derive(Debug, Clone, Args)]
pub struct PrimaryRunArgs {
    /// Number of relays at a time, each with its own keys.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub nodes: u8,
    /// Replace all relays after this time, such as 90s, 10m or 1h.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub cycle: Duration,
    /// Relays on each path [default: 3, or all if there are fewer].
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=11))]
    pub hops: Option<u8>,
    /// Mean random delay at each hop, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 50)]
    pub mean_delay: u32,
    /// Cover traffic of the clients.
    #[arg(long, value_enum, default_value_t = CoverArg::Off)]
    pub cover: CoverArg,
    /// Give the network document only to these clients, sealed to their keys: public halves, or
    /// files of them; repeatable.
    #[arg(long, value_name = "FILE|KEY", num_args = 1..)]
    pub enrolled: Vec<String>,
    /// Keep the directory's and the hub's keys and boxes here, so that links survive a restart
    /// [default: keep nothing]. Relays keep nothing in any case.
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Address that every role listens on.
    #[arg(long, default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// Port of the hub; 0 lets the system choose.
    #[arg(long, default_value_t = 0)]
    pub hub_port: u16,
    /// Port of the directory; 0 lets the system choose.
    #[arg(long, default_value_t = 0)]
    pub directory_port: u16,
    /// Run each role as its own onion service with no other address; relays get new ones at each
    /// cycle.
    #[arg(long, conflicts_with = "map_port")]
    pub tor: bool,
    /// Whether a home router is asked to forward ports.
    #[command(flatten)]
    pub map_port: MapPortArgs,
    /// Tor's own settings.
    #[command(flatten)]
    pub tor_settings: TorArgs,
}

/// Runs a network or one of its helpers. The demo is a parameter: it needs clients, and this crate
/// has none.
///
/// # Errors
/// See [`Primary::start`] and the helpers.
pub async fn run(
    args: PrimaryArgs,
    demo: impl AsyncFnOnce(PrimaryRunArgs) -> Result<(), Failure>,
) -> Result<(), Failure> {
    match args.command {
        None => serve(args.run).await,
        Some(PrimaryCommand::Enroll { out }) => enroll::run(&out),
        Some(PrimaryCommand::Payload { link, key, tor }) => {
            let key = settings::client_key(key.as_deref())?;
            let payload = payload::payload(&link, key.as_deref(), &tor).await?;
            println!("{}", serde_json::to_string_pretty(&payload).unwrap_or_default());
            Ok(())
        }
        Some(PrimaryCommand::Demo) => demo(args.run).await,
    }
}

type CycleNow = oneshot::Sender<Result<(), Error>>;

/// A running network with a pool.
pub struct Primary {
    directory: Arc<Directory>,
    hub: HubRole,
    owner: OwnerLink,
    /// The Tor that publishes all roles, if they are onion services.
    tor: Option<Tor>,
    cycles: mpsc::Sender<CycleNow>,
    stop: oneshot::Sender<()>,
    turning: JoinHandle<()>,
    /// Erased with the network, if nothing is kept.
    _scratch: Option<Scratch>,
    /// Contains all that is to be erased: after a crash the next start removes it.
    _around: jail::Scratch,
}

impl Primary {
    /// Starts directory, hub and pool, and returns when clients can use them.
    ///
    /// # Errors
    /// Settings, ports, state directory.
    pub async fn start(args: &PrimaryRunArgs) -> Result<Primary, Failure> {
        let (config, grace) = settings(args)?;
        let around = settings::scratch()?;
        let scratch = match &args.dir {
            Some(_) => None,
            None => Some(Scratch::make(around.path(), "network-").or_fail()?),
        };
        let base: PathBuf = match (&args.dir, &scratch) {
            (Some(dir), _) => dir.clone(),
            (None, Some(scratch)) => scratch.path().to_owned(),
            (None, None) => PathBuf::new(),
        };
        StateDir::open(&base).or_fail()?;
        let tor =
            if args.tor { Some(args.tor_settings.start(&base.join("tor")).await?) } else { None };
        let (listen, door) = match &tor {
            None => (config.listen, None),
            // Our own roles reach it on this machine, clients by its onion address alone.
            Some(tor) => {
                let door = ephemeral_door(tor, DIRECTORY_PORT).await.map_err(tor::failure)?;
                (SocketAddr::from(([127, 0, 0, 1], 0)), Some(door))
            }
        };
        let directory = Directory::start_with(
            &base.join("directory"),
            &config,
            Some(listen),
            args.map_port.routes(),
            door,
            Dialer::Direct,
        )
        .await
        .or_fail()?;
        let directory = Arc::new(directory);
        let node = node_config(
            args,
            &directory,
            Role::Hub,
            args.hub_port,
            base.join("hub"),
            Processing::Sha256,
        );
        let access = crate::hub_rooms::own_key(&base.join("hub"))?;
        let hub = HubRole::start(
            hidden(node, tor.as_ref(), HUB_PORT).await.or_fail()?,
            &HubConfig::default(),
        )
        .await
        .or_fail()?;
        let pool = PoolConfig {
            nodes: usize::from(args.nodes),
            base: around.path().to_owned(),
            patience: PATIENCE,
            grace,
        };
        let (settings, of) = (args.clone(), directory.clone());
        let behind = tor.clone();
        let make = move |seedling: Seedling| relay(&settings, &of, seedling, behind.clone());
        let pool = Pool::start(directory.clone(), pool, make).await.or_fail()?;
        directory.lists(usize::from(args.nodes), 1).await;
        let reached = |d: &&DirectoryPointer| tor.is_none() || d.address.is_onion();
        let place = NetworkPlace {
            network: directory.pointer.network,
            directories: directory.pointer.directories.iter().filter(reached).copied().collect(),
            hub: hub.node.id,
            access,
        };
        let owner = crate::up::room(&base, place, 1)?;
        let (cycles, asked) = mpsc::channel(1);
        let (stop, stopped) = oneshot::channel();
        let turning = tokio::spawn(turn(pool, args.cycle, asked, stopped));
        Ok(Primary {
            directory,
            hub,
            owner,
            tor,
            cycles,
            stop,
            turning,
            _scratch: scratch,
            _around: around,
        })
    }

    /// The room link with which people join.
    #[must_use]
    pub fn link(&self) -> String {
        self.owner.link().to_text().to_string()
    }

    /// The Tor that publishes all roles, if they are onion services.
    #[must_use]
    pub fn tor(&self) -> Option<&Tor> {
        self.tor.as_ref()
    }

    /// Fetches the network document as a client with this key does.
    ///
    /// # Errors
    /// A key that is not enrolled; no connection.
    pub async fn payload(&self, key: Option<&EnrolmentKey>) -> Result<serde_json::Value, Failure> {
        let dialer = self.tor.as_ref().map_or(Dialer::Direct, |tor| Dialer::Tor(tor.dialer()));
        payload::fetch_any(&dialer, self.owner.link().place(), key).await
    }

    /// Runs a cycle now, and returns when the old relays have stopped.
    ///
    /// # Errors
    /// The new relays did not start; the old ones stay.
    pub async fn cycle(&self) -> Result<(), Failure> {
        let (done, told) = oneshot::channel();
        let ended = || Failure::new(ErrorKind::Bug, "the pool has stopped", "report this as a bug");
        self.cycles.send(done).await.map_err(|_| ended())?;
        told.await.map_err(|_| ended())?.or_fail()
    }

    /// Stops everything, and erases the relays and all that is not to be kept.
    pub async fn stop(mut self) {
        let _ = self.stop.send(());
        let _ = self.turning.await;
        self.hub.stop().await;
        self.directory.stop().await;
    }
}

/// Runs cycles until it is stopped, by the clock and on request.
async fn turn<F, Made>(
    mut pool: Pool<F>,
    every: Duration,
    mut asked: mpsc::Receiver<CycleNow>,
    mut stop: oneshot::Receiver<()>,
) where
    F: Fn(Seedling) -> Made,
    Made: Future<Output = Result<Node, Error>> + Send + 'static,
{
    let mut number = 0_u64;
    loop {
        let mut who = None;
        tokio::select! {
            _ = &mut stop => break,
            () = tokio::time::sleep(every) => {}
            ask = asked.recv() => match ask {
                Some(ask) => who = Some(ask),
                None => break,
            }
        }
        number += 1;
        let done = tokio::select! {
            _ = &mut stop => break,
            done = pool.cycle() => done,
        };
        match &done {
            Ok(()) => eprintln!(
                "cycle {number}: {} new relays; the old ones have stopped and are erased",
                pool.nodes().len()
            ),
            Err(error) => eprintln!("cycle {number} failed, the old relays stay: {error}"),
        }
        if let Some(who) = who {
            let _ = who.send(done);
        }
    }
    pool.stop().await;
}

fn relay(
    args: &PrimaryRunArgs,
    directory: &Directory,
    seedling: Seedling,
    tor: Option<Tor>,
) -> impl Future<Output = Result<Node, Error>> + Send + use<> {
    let config = node_config(args, directory, Role::Relay, 0, seedling.dir, seedling.processing);
    async move { server::relay::start(hidden(config, tor.as_ref(), RELAY_PORT).await?).await }
}

/// With Tor: a node that has its own onion address and no other.
async fn hidden(config: NodeConfig, tor: Option<&Tor>, port: u16) -> Result<NodeConfig, Error> {
    let Some(tor) = tor else { return Ok(config) };
    let onion = Some(ephemeral_door(tor, port).await?);
    // The directory is on this machine; other nodes have onion addresses only.
    Ok(NodeConfig { listen: None, onion, dialer: Dialer::Split(tor.dialer()), ..config })
}

fn node_config(
    args: &PrimaryRunArgs,
    directory: &Directory,
    role: Role,
    port: u16,
    dir: PathBuf,
    processing: Processing,
) -> NodeConfig {
    NodeConfig {
        role,
        listen: Some(SocketAddr::new(args.host, port)),
        onion: None,
        dialer: Dialer::Direct,
        map_port: args.map_port.routes(),
        announce: Vec::new(),
        region: None,
        owner: None,
        rate: 10_000,
        max_connections: 4096,
        processing,
        pointer: directory.pointer.clone(),
        token: directory.token,
        dir,
    }
}

/// The directory's settings, and how long old relays keep running.
fn settings(args: &PrimaryRunArgs) -> Result<(DirectoryConfig, Duration), Failure> {
    let wrong = |text: String, hint: String| Failure::new(ErrorKind::LocalConfig, text, hint);
    let hops = args.hops.unwrap_or_else(|| args.nodes.min(3));
    if hops > args.nodes {
        return Err(wrong(
            format!("--hops {hops} needs at least {hops} relays, but there are {}", args.nodes),
            format!("add --nodes {hops}"),
        ));
    }
    let max_delay_ms = args.mean_delay.saturating_mul(MIN_DELAY_CAP).max(200);
    let grace = Duration::from_millis(u64::from(max_delay_ms) * u64::from(hops)) + MARGIN;
    if args.host.is_unspecified() && !args.tor && !args.map_port.map_port {
        return Err(wrong(
            format!("{} is an address to listen on, and nobody can dial it", args.host),
            "choose an address of this machine, or add --map-port".to_owned(),
        ));
    }
    if args.cycle < grace * 2 {
        return Err(wrong(
            format!("--cycle must be at least {} s with these delays and hops", (grace * 2).as_secs() + 1),
            "choose a longer --cycle or a shorter --mean-delay: old relays must finish what is in transit"
                .to_owned(),
        ));
    }
    let config = DirectoryConfig {
        listen: SocketAddr::new(args.host, args.directory_port),
        epoch_seconds: EPOCH_S,
        min_relays: hops,
        max_relays: hops,
        mean_delay_ms: args.mean_delay,
        max_delay_ms,
        cover: crate::directory::cover(args.cover),
        tally: true,
        enrolled: enroll::read(&args.enrolled)?,
        ..DirectoryConfig::default()
    };
    Ok((config, grace))
}

/// Runs a network until it is stopped.
async fn serve(mut args: PrimaryRunArgs) -> Result<(), Failure> {
    args.map_port.prepare(false, true)?;
    let stop = settings::stopped();
    tokio::pin!(stop);
    let primary = tokio::select! {
        started = Primary::start(&args) => started?,
        // What has been made so far is erased as it is dropped.
        () = &mut stop => return Ok(()),
    };
    let directory = primary
        .directory
        .pointer
        .directories
        .first()
        .map(|d| d.address.to_string())
        .unwrap_or_default();
    eprintln!(
        "directory {directory}, hub {}, {} relays, replaced every {} s",
        crate::hub::addresses(&primary.hub.node),
        args.nodes,
        args.cycle.as_secs()
    );
    if let Some(dir) = &args.dir {
        eprintln!(
            "relays of other owners can join with {0}/directory/network and {0}/directory/token; the owner's link is in {0}",
            dir.display()
        );
    }
    if !args.enrolled.is_empty() {
        eprintln!("only enrolled clients get the network document: they use --key FILE");
    }
    eprintln!("give this link to the people you want to talk to:  hushwing chat 'LINK'");
    println!("{}", primary.link());
    // Relays come and go; what the router says to these two, it says to them.
    tokio::select! {
        () = stop => {}
        () = map_port::tell("directory", primary.directory.port_reports()) => {}
        () = map_port::tell("hub", primary.hub.node.port_reports()) => {}
    }
    eprintln!("stopping");
    primary.stop().await;
    Ok(())
}

/// Parses a time such as `90s`, `10m` or `1h`; a number alone means seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let bad = || "use a number and s, m or h, such as 90s, 10m or 1h".to_owned();
    let digits = text.trim_end_matches(['s', 'm', 'h']);
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(bad()),
    };
    let seconds = digits
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(unit))
        .filter(|n| *n > 0)
        .ok_or_else(bad)?;
    if seconds > 24 * 3_600 {
        Err("use at most 24h".to_owned())
    } else {
        Ok(Duration::from_secs(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_write_them() {
        for (text, seconds) in
            [("90", 90), ("90s", 90), ("10m", 600), ("1h", 3_600), ("24h", 86_400)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        for bad in ["", "0", "m", "10x", "1hh", "-5s", "25h", "99999999999999999999h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
