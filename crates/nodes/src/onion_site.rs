//! `hushwing onion-site`: static directories as onion services.

mod emit;
mod sites;

use std::io::Write as _;
use std::path::PathBuf;

use api::Failure;
use clap::Args;
use jail::StateDir;
use net::tor::{ServiceSettings, Tor, TorError};
use server::http::{Door, HttpLimits, OnionStreams};
use settings::tor::{self, TorArgs};
use tokio::task::JoinSet;

use self::sites::NamedSite;
use crate::OrFail;

const AFTER_HELP: &str = "\
Each site has its own key in --state, under its name: the same name always gives the same address.
Anyone who has that directory can impersonate your sites.
Prints DIR, a tab and the address of each site on stdout, as soon as it can be found.";

/// Arguments of `onion-site`.
#[derive(Debug, Clone, Args)]
#[command(after_help = AFTER_HELP)]
pub struct OnionSiteArgs {
    /// Directories to serve, one site each; NAME=DIR names the site [default name: the
    /// directory's].
    #[arg(required = true, value_name = "[NAME=]DIR")]
    pub dirs: Vec<String>,
    /// Directory for the sites' keys and Tor's state.
    #[arg(long, value_name = "DIR", default_value = "hushwing-sites")]
    pub state: PathBuf,
    /// Port in the visitors' URL; browsers use 80 by default.
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// List directories that have no index.html.
    #[arg(long)]
    pub list: bool,
    /// Do not serve: write configuration of tor and nginx for the same addresses to this directory.
    #[arg(long, value_name = "DIR")]
    pub emit_config: Option<PathBuf>,
    /// First local port for nginx (with --emit-config).
    #[arg(long, value_name = "PORT", default_value_t = 8080, requires = "emit_config",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub local_port: u16,
    /// Tor's own settings.
    #[command(flatten)]
    pub tor: TorArgs,
}

/// Serves the directories until it is stopped, or writes a configuration for tor and nginx.
///
/// # Errors
/// An invalid directory or name, a state directory that cannot be written, Tor's errors.
pub async fn run(args: OnionSiteArgs) -> Result<(), Failure> {
    let state = StateDir::open(&args.state).or_fail()?;
    let sites = sites::open(&args.dirs, args.list, &state)?;
    if let Some(out) = &args.emit_config {
        emit::write(out, &sites, &args)?;
        for site in &sites {
            say(site, args.port)?;
        }
        return Ok(());
    }
    let stop = settings::stopped();
    let running = args.tor.start(&state.subdir("tor").or_fail()?.join("")).await?;
    tokio::select! {
        served = serve(sites, &running, args.port) => served,
        () = stop => Ok(()),
    }
}

/// Returns only if a site has ended.
async fn serve(sites: Vec<NamedSite>, running: &Tor, port: u16) -> Result<(), Failure> {
    let mut publishing = JoinSet::new();
    for site in sites {
        let running = running.clone();
        publishing.spawn(async move {
            let service =
                ServiceSettings { seed: site.seed.clone(), ports: vec![port], clients: Vec::new() };
            (running.publish(service).await, site)
        });
    }
    // Dropping one of these takes its site away.
    let mut served = Vec::new();
    while let Some(done) = publishing.join_next().await {
        let (published, site) = done.map_err(|_| tor::failure(TorError::Stopped.into()))?;
        let mut service = published.map_err(tor::failure)?;
        let door = Door::new(site.site.clone().router(), HttpLimits::default());
        if let Some(incoming) = service.take(port) {
            door.serve(OnionStreams(incoming));
        }
        say(&site, port)?;
        served.push((service, door));
    }
    std::future::pending().await
}

fn say(site: &NamedSite, port: u16) -> Result<(), Failure> {
    let port = if port == 80 { String::new() } else { format!(":{port}") };
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}\thttp://{}{port}/", site.given, site.onion()).map_err(Failure::stdout)?;
    stdout.flush().map_err(Failure::stdout)
}
