//! `hushwing onion-site`: static folders as onion services.

mod emit;
mod sites;

use std::io::Write as _;

use jail::StateDir;
use net::tor::{ServiceSettings, Tor, TorError};
use server::http::{Door, HttpLimits, OnionStreams};
use tokio::task::JoinSet;

use self::sites::NamedSite;
use crate::cli::args_site::OnionSiteArgs;
use crate::exit::{Failure, OrFail};
use settings::tor;

/// Serves the folders until it is stopped, or writes a configuration for others to do so.
///
/// # Errors
/// Folders, names, state directory, Tor.
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

/// Never returns while all is well.
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
