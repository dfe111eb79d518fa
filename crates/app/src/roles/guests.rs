//! `hushwing guests`: a page by which browsers come into an open room.

use std::io::Write;

use mix::path::EntryPolicy;
use net::tor::ServiceSettings;
use server::http::{Door, HttpLimits, OnionStreams};
use tokio::net::TcpListener;
use wire::ErrorKind;
use zeroize::Zeroizing;

use super::web::no_port;
use crate::cli::args_guests::GuestsArgs;
use crate::cli::chat::{nick, parse_link};
use crate::engine::{JoinAs, Options, Route, Shaping};
use crate::exit::Failure;
use crate::web::{Guests, guest_router};

/// Port of the onion service: the one that browsers take.
const ONION_PORT: u16 = 80;

/// Serves the page until it is stopped.
///
/// # Errors
/// The link, the port, Tor.
pub async fn run(args: GuestsArgs) -> Result<(), Failure> {
    let link = link(&args.link)?;
    let join = parse_link(&link)?;
    if matches!(join, JoinAs::Owner(_)) {
        let hint = "give the room's own link, not its owner's: guests must not own it";
        return Err(Failure::new(ErrorKind::LocalConfig, "this is an owner's link", hint));
    }
    let stop = super::stopped();
    let (base, _scratch) = super::up::base(args.dir.as_deref())?;
    let route = args.route.map_or_else(|| Route::hidden(join.place()), Route::from);
    let listener = TcpListener::bind(args.listen).await.map_err(no_port)?;
    let address = listener.local_addr().map_err(no_port)?;
    let mut hosts = args.host.clone();
    hosts.push(address.to_string());
    let tor = match args.onion {
        true => args.tor.start(&base.join("tor")).await?,
        false => args.tor.lazy(&base.join("tor"))?,
    };
    let service = if args.onion {
        let seed = Zeroizing::new(rand::random());
        let settings = ServiceSettings { seed, ports: vec![ONION_PORT], clients: Vec::new() };
        let service = crate::tor::publish(&tor, settings).await?;
        let name = service.address(ONION_PORT).to_string();
        let name = name.strip_suffix(":80").unwrap_or(&name).to_owned();
        hosts.push(name.clone());
        Some((service, name))
    } else {
        None
    };
    let room = Options {
        join,
        nick: nick(None)?,
        route,
        cover: None,
        entry: EntryPolicy::Pinned,
        shaping: Shaping::default(),
        dir: Some(base.join("net")),
        tor: Some(tor),
        key: None,
    };
    let door = Door::new(guest_router(Guests::new(room, args.title.clone()), hosts), HttpLimits::default());
    door.serve(listener);
    say(&format!("http://{address}/"))?;
    let _service = match service {
        None => None,
        Some((mut service, name)) => {
            if let Some(incoming) = service.take(ONION_PORT) {
                door.serve(OnionStreams(incoming));
            }
            say(&format!("http://{name}/"))?;
            Some(service)
        }
    };
    eprintln!(
        "guests come in by this address; you can see what they write, and the page tells them so. Ctrl-C ends it"
    );
    stop.await;
    door.stop().await;
    Ok(())
}

fn say(line: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).map_err(Failure::stdout)
}

fn link(given: &str) -> Result<Zeroizing<String>, Failure> {
    if given != "-" {
        return Ok(Zeroizing::new(given.to_owned()));
    }
    let mut line = Zeroizing::new(String::new());
    std::io::stdin().read_line(&mut line).map_err(|e| {
        Failure::new(ErrorKind::LocalConfig, format!("no link on stdin: {e}"), "one line with the room's link")
    })?;
    Ok(line)
}
