//! `hushwing guests`: a page that lets browsers join an open room.

use std::net::SocketAddr;
use std::path::PathBuf;

use api::{Failure, Reason, Refusal};
use clap::Args;
use cli::given_link;
use e2ee::Nick;
use engine::{JoinAs, Session, SessionOptions};
use mix::path::EntryPolicy;
use nodes::onion::site;
use rand::RngExt as _;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use routes::{Route, Shaping};
use server::http::{Door, HttpLimits};
use settings::{RouteArg, TorArgs, nick};
use text::out;
use tokio::net::TcpListener;
use web::{Guests, guest_router};
use wire::ErrorKind;
use zeroize::Zeroizing;

use crate::chat::parse_link;
use crate::serve_web::no_port;

const AFTER_HELP: &str = "\
Guests need only a browser. Your program speaks for them, so it sees what they write; the page
tells them that. Guests depend on this page; anyone with the room's own link does not.";

/// Settings of `guests`.
#[derive(Debug, Clone, Args)]
#[command(after_help = AFTER_HELP)]
pub struct GuestsArgs {
    /// Room link, or `-` to read it from stdin (keeps it out of the process list).
    #[arg(value_name = "LINK|-")]
    pub link: String,
    /// Room name shown on the page.
    #[arg(long, value_name = "TEXT", default_value = "Open room")]
    pub title: String,
    /// Address to listen on. There is no TLS: on a LAN anyone in between can read along; beyond it
    /// use --onion.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:42070")]
    pub listen: SocketAddr,
    /// Host name or address that guests use, such as pi.local:42070; repeatable [default: the
    /// address listened on].
    #[arg(long, value_name = "HOST")]
    pub host: Vec<String>,
    /// Also serve as an onion service, with a new address each time.
    #[arg(long)]
    pub onion: bool,
    /// Route for guests' messages [default: a hidden route].
    #[arg(long, value_enum)]
    pub route: Option<RouteArg>,
    /// Keep the network document and the pinned entry relay in this directory [default: keep
    /// nothing].
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Tor's own settings.
    #[command(flatten)]
    pub tor: TorArgs,
}

/// Serves the page until it is stopped.
///
/// # Errors
/// The link, the port, Tor.
pub async fn run(args: GuestsArgs) -> Result<(), Failure> {
    let join = parse_link(&given_link(&args.link, "hushwing guests - <FILE")?)?;
    if matches!(join, JoinAs::Owner(_)) {
        let hint = "use the room link, not the owner's link: guests must not own the room";
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
        Some(site(&tor, Zeroizing::new(UnwrapErr(SysRng).random()), Vec::new()).await?)
    } else {
        None
    };
    hosts.extend(site.as_ref().map(|site| site.name.to_string()));
    let room = SessionOptions {
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
    let shown = api::Route::parse(route.name()).unwrap_or(api::Route::Onion);
    let guests = Guests::new(args.title.clone(), shown, move |nick| enter(&room, nick));
    let door = Door::new(guest_router(guests, hosts), HttpLimits::default());
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
        "guests join at this address; you can see what they write, and the page says so. Press Ctrl-C to stop"
    );
    stop.await;
    door.stop().await;
    Ok(())
}

/// A guest's session in the room.
fn enter(room: &SessionOptions, nick: &str) -> web::Entered {
    let nick = Nick::new(nick)
        .map_err(|e| Refusal::wrong(Reason::BadName, format!("invalid name: {e}")))?;
    Session::start(SessionOptions { nick, ..room.clone() })
        .map_err(|e| Refusal::new(e.kind(), Reason::NoRoute, e.to_string()))
}
