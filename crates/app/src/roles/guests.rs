//! `hushwing guests`: a page by which browsers come into an open room.

use mix::path::EntryPolicy;
use nodes::onion::site;
use routes::{Route, Shaping};
use server::http::{Door, HttpLimits};
use settings::nick;
use tokio::net::TcpListener;
use wire::ErrorKind;
use zeroize::Zeroizing;

use super::web::no_port;
use crate::cli::args_guests::GuestsArgs;
use crate::cli::chat::parse_link;
use crate::cli::profile::given_link;
use crate::cli::profile::show::out;
use crate::engine::{JoinAs, Options};
use crate::exit::Failure;
use crate::web::{Guests, guest_router};

/// Serves the page until it is stopped.
///
/// # Errors
/// The link, the port, Tor.
pub async fn run(args: GuestsArgs) -> Result<(), Failure> {
    let join = parse_link(&given_link(&args.link, "hushwing guests - <FILE")?)?;
    if matches!(join, JoinAs::Owner(_)) {
        let hint = "give the room's own link, not its owner's: guests must not own it";
        return Err(Failure::new(ErrorKind::LocalConfig, "this is an owner's link", hint));
    }
    let stop = settings::stopped();
    let (base, _scratch) = nodes::up::base(args.dir.as_deref())?;
    let route = args.route.map_or_else(|| Route::hidden(join.place()), Route::from);
    let listener = TcpListener::bind(args.listen).await.map_err(no_port)?;
    let address = listener.local_addr().map_err(no_port)?;
    let mut hosts = args.host.clone();
    hosts.push(address.to_string());
    let tor = match args.onion {
        true => args.tor.start(&base.join("tor")).await?,
        false => args.tor.lazy(&base.join("tor"))?,
    };
    let site = if args.onion {
        Some(site(&tor, Zeroizing::new(rand::random()), Vec::new()).await?)
    } else {
        None
    };
    hosts.extend(site.as_ref().map(|site| site.name.to_string()));
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
    let door = Door::new(
        guest_router(Guests::new(room, args.title.clone()), hosts),
        HttpLimits::default(),
    );
    door.serve(listener);
    out(&format!("http://{address}/"))?;
    let _service = match site {
        None => None,
        Some(site) => {
            door.serve(site.streams);
            out(&format!("http://{}/", site.name))?;
            Some(site.service)
        }
    };
    eprintln!(
        "guests come in by this address; you can see what they write, and the page tells them so. Ctrl-C ends it"
    );
    stop.await;
    door.stop().await;
    Ok(())
}
