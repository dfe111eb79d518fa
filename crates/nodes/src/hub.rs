//! `hushwing node hub`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use api::Failure;
use clap::Args;
use data_encoding::HEXLOWER;
use jail::StateDir;
use server::config::{self, HUB_EXAMPLE, HubConfig};
use server::http::{HttpService, HttpSettings};
use server::{HubRole, NodeConfig};
use settings::{NetworkArgs, SandboxArg};
use wire::Address;
use wire::document::Role;

use crate::hub_card::HubCard;
use crate::map_port::{self, MapPortArgs};
use crate::onion::OnionArgs;
use crate::{OrFail, config_file, network};

/// Port of a hub's onion service.
const HUB_PORT: u16 = 6000;
/// Port for HTTP of the hub's onion service, if the hub serves HTTP.
const HTTP_PORT: u16 = 80;

/// Addresses of a node, for its operator's console.
pub(crate) fn addresses(node: &server::Node) -> String {
    node.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

/// Arguments of `node hub`.
#[derive(Debug, Clone, Args)]
pub struct HubArgs {
    /// Directory for keys, state and boxes.
    #[arg(long, default_value = "hushwing-hub")]
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
    /// The router.
    #[command(flatten)]
    pub map_port: MapPortArgs,
    /// Also serve HTTP here: /ping, /onion, /boxes, /metrics. No TLS: keep it on 127.0.0.1 or
    /// behind an onion service.
    #[arg(long, value_name = "IP:PORT")]
    pub http: Option<SocketAddr>,
    /// Region tag.
    #[arg(long)]
    pub region: Option<String>,
    /// Tag of its owner: no path leads over two nodes of one.
    #[arg(long)]
    pub owner: Option<String>,
    /// Start although boxes that the hub held are missing, for example after a disk was damaged.
    #[arg(long)]
    pub accept_loss: bool,
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

/// Runs a hub until it is stopped.
///
/// # Errors
/// An invalid setting, a port in use, a state directory or store that cannot be opened.
pub async fn run(mut args: HubArgs) -> Result<(), Failure> {
    if args.print_config {
        print!("{HUB_EXAMPLE}");
        return Ok(());
    }
    let mut settings: HubConfig = config_file::load(args.config.as_deref())?;
    if let Some(listen) = args.listen {
        settings.listen = listen;
    }
    if !args.announce.is_empty() {
        settings.announce = std::mem::take(&mut args.announce);
    }
    args.map_port.prepare(settings.map_port, !args.onion.tor_only)?;
    settings.accept_loss = args.accept_loss;
    settings.http_listen = args.http.or(settings.http_listen);
    let http = HttpSettings::new(&settings).or_fail()?;
    let region = config::tag(args.region.as_deref().or(settings.region.as_deref())).or_fail()?;
    let owner = config::tag(args.owner.as_deref().or(settings.owner.as_deref())).or_fail()?;
    let (pointer, token) = network::read(&args.network).await?;
    let mut onion = args.onion.start(&args.dir, &[HUB_PORT, HTTP_PORT]).await?;
    let door = onion.as_mut().map(|o| o.door(HUB_PORT)).transpose()?;
    let node = NodeConfig {
        role: Role::Hub,
        listen: (!args.onion.tor_only).then_some(settings.listen),
        onion: door,
        dialer: args.onion.dialer(onion.as_ref()),
        map_port: args.map_port.routes(),
        announce: settings.announce.clone(),
        region,
        owner,
        rate: settings.rate,
        max_connections: settings.max_connections,
        processing: settings.processing,
        pointer,
        token,
        dir: args.dir.clone(),
    };
    let stop = settings::stopped();
    tokio::pin!(stop);
    let mut hub = HubRole::start(node, &settings).await.or_fail()?;
    write_cards(&args.dir, &hub)?;
    eprintln!(
        "hub {} listens on {}; its cards are in {}",
        hub.node.id.short(),
        addresses(&hub.node),
        args.dir.display()
    );
    let service = match http.listen {
        Some(_) => Some(HttpService::start(http, hub.handle()).await.or_fail()?),
        None => None,
    };
    if let Some(address) = service.as_ref().and_then(|service| service.address) {
        write_http_keys(&args.dir, &hub)?;
        eprintln!("HTTP at http://{address}/; its keys are in {}", args.dir.display());
    }
    if let (Some(service), Some(onion)) = (&service, &mut onion) {
        service.set_onion(Some(onion.service.name()));
        service.serve_onion(onion.door(HTTP_PORT)?.incoming);
    }
    let telling = map_port::tell("hub", hub.node.port_reports());
    tokio::pin!(telling);
    let mut told = false;
    loop {
        tokio::select! {
            () = &mut stop => break,
            () = &mut telling => {}
            () = hub.node.admitted(), if !told => {
                told = true;
                eprintln!("admitted by the directory");
            }
        }
    }
    if let Some(service) = service {
        service.stop().await;
    }
    hub.stop().await;
    drop(onion);
    Ok(())
}

/// Writes `http-key` (members) and `http-key-guest` into the hub's directory, as text for an
/// `Authorization` header.
fn write_http_keys(dir: &Path, hub: &HubRole) -> Result<(), Failure> {
    let state = StateDir::open(dir).or_fail()?;
    for (name, access) in [("http-key", hub.member), ("http-key-guest", hub.guest)] {
        state
            .write(name, format!("{}\n", HEXLOWER.encode(access.as_bytes())).as_bytes())
            .or_fail()?;
    }
    Ok(())
}

/// Writes `hub` (members) and `hub-guest` into the hub's directory, for `hushwing room`.
fn write_cards(dir: &Path, hub: &HubRole) -> Result<(), Failure> {
    let state = StateDir::open(dir).or_fail()?;
    for (name, access) in [("hub", hub.member), ("hub-guest", hub.guest)] {
        let card = HubCard { id: hub.node.id, access };
        state.write(name, card.to_text().as_bytes()).or_fail()?;
    }
    Ok(())
}
