//! `hushwing chat`.

use std::io::IsTerminal;

use api::{Failure, Profiles};
use cli::line::{self, Style};
use engine::{JoinAs, Session, SessionOptions};
use routes::Route;
use settings::{CreatePolicy, EntryArg, SizesArg, client_key, nick, no_room_link};
use text::{OrFail as _, note};
use tui::Start;
use wire::ErrorKind;

use crate::args::ChatArgs;
use crate::fail::OrFail as _;

/// Reads a room link.
///
/// # Errors
/// The text is not a room link.
pub fn parse_link(text: &str) -> Result<JoinAs, Failure> {
    JoinAs::parse(text).map_err(|e| no_room_link(&e))
}

/// The link, from the arguments or from a file.
fn link(args: &ChatArgs) -> Result<Option<String>, Failure> {
    let Some(file) = &args.link_file else { return Ok(args.link.clone()) };
    let read = std::fs::read_to_string(file).map_err(|e| {
        Failure::new(
            ErrorKind::LocalConfig,
            format!("cannot read {}: {e}", file.display()),
            "give a file that contains the link",
        )
    });
    read.map(Some)
}

fn full_screen(args: &ChatArgs) -> bool {
    // The full screen shows many conversations: settings for one room's session need line mode.
    let (tor, shaping) = (&args.tor, &args.shaping);
    let of_tor = tor.tor_engine.is_some()
        || tor.tor_settings.is_some()
        || tor.tor_socks.or(tor.tor_control).is_some()
        || !tor.bridge.is_empty()
        || !tor.onion_key.is_empty();
    let shaped = shaping.box_sizes != SizesArg::Uniform
        || shaping.send_delay.0.or(shaping.dummies.0).is_some();
    let kept = args.dir.is_some() || args.key.is_some() || args.states;
    let one_room =
        kept || of_tor || shaped || args.cover.is_some() || args.entry != EntryArg::Pinned;
    let line = args.plain || args.json || one_room;
    !line && std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// What the full screen opens first.
fn start(link: &str, args: &ChatArgs) -> Result<Start, Failure> {
    let link = link.trim().to_owned();
    if link.starts_with("hushwing:invite#") {
        return Ok(Start::Invite(link));
    }
    // Errors in links and names are reported before the full screen opens.
    parse_link(&link)?;
    args.nick.as_deref().map(|name| nick(Some(name))).transpose()?;
    let route = args.route.and_then(|route| api::Route::parse(Route::from(route).name()));
    Ok(Start::Room { link, nick: args.nick.clone(), route })
}

/// Runs a chat: on a terminal the full screen, otherwise line mode.
///
/// # Errors
/// An invalid link or name; stdout closed.
pub async fn run(profiles: &dyn Profiles, args: ChatArgs, verbose: bool) -> Result<(), Failure> {
    let text = link(&args)?;
    if full_screen(&args) {
        let open = text.map(|link| start(&link, &args)).transpose()?;
        return show(profiles, &args, open).await;
    }
    let Some(text) = text else {
        return Err(Failure::new(
            ErrorKind::LocalConfig,
            "no room link given",
            "run hushwing chat 'hushwing:room#…'; the network's operator has the link",
        ));
    };
    let join = parse_link(&text)?;
    let nick = nick(args.nick.as_deref())?;
    let route = args.route.map_or_else(|| Route::hidden(join.place()), Route::from);
    // Without --dir, Tor keeps its state in a directory that is deleted with the process. Tor
    // starts when a route needs it.
    let scratch = if args.dir.is_none() { Some(settings::scratch()?) } else { None };
    let base = scratch.as_ref().map_or(args.dir.as_deref(), |s| Some(s.path()));
    let tor = base.map(|dir| args.tor.lazy(&dir.join("tor"))).transpose()?;
    let style = Style::detect(args.json, args.states, verbose);
    let (commands, events) = Session::start(SessionOptions {
        join,
        nick,
        route,
        cover: args.cover.map(Into::into),
        entry: args.entry.into(),
        shaping: args.shaping.into(),
        dir: args.dir.clone(),
        tor,
        key: client_key(args.key.as_deref())?,
    })
    .or_fail()?;
    line::run(commands, events, style).await
}

/// Runs the full screen. Passphrases are asked for before it opens.
async fn show(
    profiles: &dyn Profiles,
    args: &ChatArgs,
    open: Option<Start>,
) -> Result<(), Failure> {
    let options = cli::options(&args.at, CreatePolicy::Passphrase);
    if !profiles.exists(&options.profile).or_fail()? {
        note(
            "Your contacts and messages are kept on this machine, protected by a passphrase. Choose one; it is not shown.",
        );
    }
    let (client, events) = profiles.share(&options).await.or_fail()?;
    tui::run(client, events, open).await
}
