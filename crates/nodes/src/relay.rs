//! `hushwing node relay`.

use std::net::SocketAddr;
use std::path::PathBuf;

use api::Failure;
use clap::Args;
use server::NodeConfig;
use server::config::{self, RELAY_EXAMPLE, RelayConfig};
use settings::{NetworkArgs, SandboxArg};
use wire::Address;
use wire::document::Role;

use crate::hub::addresses;
use crate::map_port::{self, MapPortArgs};
use crate::onion::OnionArgs;
use crate::{OrFail, config_file, network};

/// Port of a relay's onion service.
const RELAY_PORT: u16 = 5001;

/// Arguments of `node relay`.
#[derive(Debug, Clone, Args)]
pub struct RelayArgs {
    /// Directory for keys and state.
    #[arg(long, default_value = "hushwing-relay")]
    pub dir: PathBuf,
    /// Settings file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print a commented settings file and exit.
    #[arg(long)]
    pub print_config: bool,
    /// Address to listen on.
    #[arg(long, value_name = "IP:PORT")]
    pub listen: Option<SocketAddr>,
    /// Address that others use, if it differs from --listen; give it again for another one.
    #[arg(long, value_name = "HOST:PORT")]
    pub announce: Vec<Address>,
    /// Do not listen: carry packets on the links that this relay opens itself, for a line without
    /// an open port.
    #[arg(long, conflicts_with_all = ["listen", "tor", "tor_only"])]
    pub dials_only: bool,
    /// The router.
    #[command(flatten)]
    pub map_port: MapPortArgs,
    /// Region tag.
    #[arg(long)]
    pub region: Option<String>,
    /// Tag of its owner: no path leads over two nodes of one.
    #[arg(long)]
    pub owner: Option<String>,
    /// The network.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Confine this process with landlock and seccomp to its --dir and harmless system calls.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = SandboxArg::On)]
    pub sandbox: SandboxArg,
    /// Tor.
    #[command(flatten)]
    pub onion: OnionArgs,
}

impl RelayArgs {
    /// Whether it listens on this machine.
    pub(crate) fn listens(&self, settings: &RelayConfig) -> bool {
        !(self.dials_only || settings.dials_only || self.onion.tor_only)
    }
}

/// Runs a relay until it is stopped.
///
/// # Errors
/// An invalid setting, a port in use, a state directory that cannot be written.
pub async fn run(mut args: RelayArgs) -> Result<(), Failure> {
    if args.print_config {
        print!("{RELAY_EXAMPLE}");
        return Ok(());
    }
    let mut settings: RelayConfig = config_file::load(args.config.as_deref())?;
    if let Some(listen) = args.listen {
        settings.listen = listen;
    }
    if !args.announce.is_empty() {
        settings.announce = std::mem::take(&mut args.announce);
    }
    let listens = args.listens(&settings);
    args.map_port.prepare(settings.map_port, listens)?;
    let region = config::tag(args.region.as_deref().or(settings.region.as_deref())).or_fail()?;
    let owner = config::tag(args.owner.as_deref().or(settings.owner.as_deref())).or_fail()?;
    let (pointer, token) = network::read(&args.network).await?;
    let stop = settings::stopped();
    tokio::pin!(stop);
    let mut onion = args.onion.start(&args.dir, &[RELAY_PORT]).await?;
    let door = onion.as_mut().map(|o| o.door(RELAY_PORT)).transpose()?;
    let mut node = server::relay::start(NodeConfig {
        role: Role::Relay,
        listen: listens.then_some(settings.listen),
        onion: door,
        dialer: args.onion.dialer(onion.as_ref()),
        map_port: args.map_port.routes(),
        announce: settings.announce,
        region,
        owner,
        rate: settings.rate,
        max_connections: settings.max_connections,
        processing: settings.processing,
        pointer,
        token,
        dir: args.dir,
    })
    .await
    .or_fail()?;
    if node.addresses.is_empty() {
        eprintln!("relay {} listens nowhere and dials the others", node.id.short());
    } else {
        eprintln!("relay {} listens on {}", node.id.short(), addresses(&node));
    }
    let telling = map_port::tell("relay", node.port_reports());
    tokio::pin!(telling);
    let mut rotate = rotations();
    let mut told = false;
    loop {
        tokio::select! {
            () = &mut stop => break,
            () = &mut telling => {}
            () = node.admitted(), if !told => {
                told = true;
                eprintln!("admitted by the directory");
            }
            Some(()) = rotate.recv() => {
                node.rotate_keys().await;
                eprintln!("made new keys for the coming epochs");
            }
        }
    }
    node.stop().await;
    drop(onion);
    Ok(())
}

/// Sends a message for each SIGHUP, which asks for new keys.
fn rotations() -> tokio::sync::mpsc::Receiver<()> {
    let (tx, rx) = tokio::sync::mpsc::channel(1);
    #[cfg(unix)]
    if let Ok(mut hangup) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()) {
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                if tx.send(()).await.is_err() {
                    return;
                }
            }
        });
    }
    rx
}
