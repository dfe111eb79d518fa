//! `hushwing chat`.

use e2ee::Nick;
use mix::path::EntryPolicy;
use wire::ErrorKind;
use wire::document::CoverLevel;

use super::args::{ChatArgs, CoverArg, EntryArg, RouteArg, ShapingArgs, SizesArg};
use super::line::{self, Style};
use crate::engine::{JoinAs, Options, Route, Session, Shaping};
use crate::exit::Failure;

impl From<CoverArg> for CoverLevel {
    fn from(arg: CoverArg) -> Self {
        match arg {
            CoverArg::Off => CoverLevel::Off,
            CoverArg::Low => CoverLevel::Low,
            CoverArg::Normal => CoverLevel::Normal,
        }
    }
}

impl From<EntryArg> for EntryPolicy {
    fn from(arg: EntryArg) -> Self {
        match arg {
            EntryArg::Pinned => EntryPolicy::Pinned,
            EntryArg::Random => EntryPolicy::Random,
        }
    }
}

impl From<ShapingArgs> for Shaping {
    fn from(args: ShapingArgs) -> Self {
        Shaping {
            sizes: match args.box_sizes {
                SizesArg::Uniform => streams::Sizes::Uniform,
                SizesArg::Ladder => streams::Sizes::Ladder,
            },
            send_delay: args.send_delay.0,
            dummies: args.dummies.0,
        }
    }
}

/// Reads a room link.
///
/// # Errors
/// When it is none.
pub fn parse_link(text: &str) -> Result<JoinAs, Failure> {
    JoinAs::parse(text).map_err(|e| {
        Failure::new(
            ErrorKind::LocalConfig,
            format!("this is no room link: {e}"),
            "a link begins with hushwing:room# and must be copied whole; quote it, for the shell takes # for a comment",
        )
    })
}

/// A nick that a person gave, or a random one.
///
/// # Errors
/// A name that is none.
pub fn nick(name: Option<&str>) -> Result<Nick, Failure> {
    let Some(name) = name else { return Ok(Nick::random(&mut rand::rng())) };
    Nick::new(name).map_err(|e| {
        Failure::new(
            ErrorKind::LocalConfig,
            format!("this is no name: {e}"),
            "1 to 32 visible characters, as in --nick alice",
        )
    })
}

impl From<RouteArg> for Route {
    fn from(arg: RouteArg) -> Self {
        match arg {
            RouteArg::Onion => Route::Onion,
            RouteArg::Direct => Route::Direct,
            RouteArg::Tor => Route::Tor,
            RouteArg::TorOnion => Route::TorOnion,
        }
    }
}

/// Runs a chat in line mode.
///
/// # Errors
/// A link or a name that is none; stdout gone.
pub async fn run(args: ChatArgs, verbose: bool) -> Result<(), Failure> {
    let text = match (&args.link, &args.link_file) {
        (Some(link), _) => link.clone(),
        (None, Some(file)) => std::fs::read_to_string(file).map_err(|e| {
            Failure::new(
                ErrorKind::LocalConfig,
                format!("cannot read {}: {e}", file.display()),
                "name a file that holds the link",
            )
        })?,
        (None, None) => {
            return Err(Failure::new(
                ErrorKind::LocalConfig,
                "no room link given",
                "hushwing chat 'hushwing:room#…' — whoever runs the network has the link",
            ));
        }
    };
    let join = parse_link(&text)?;
    let nick = nick(args.nick.as_deref())?;
    let route = args.route.map_or_else(|| Route::hidden(join.place()), Route::from);
    // Without a directory for its state Tor gets one that goes with the process. It starts when a route needs it.
    let scratch = if args.dir.is_none() { Some(crate::roles::scratch()?) } else { None };
    let base = scratch.as_ref().map_or(args.dir.as_deref(), |s| Some(s.path()));
    let tor = base.map(|dir| args.tor.lazy(&dir.join("tor"))).transpose()?;
    let style = Style::detect(args.json, args.states, verbose);
    let (commands, events) = Session::start(Options {
        join,
        nick,
        route,
        cover: args.cover.map(Into::into),
        entry: args.entry.into(),
        shaping: args.shaping.into(),
        dir: args.dir.clone(),
        tor,
        key: super::client_key(args.key.as_deref())?,
    })?;
    line::run(commands, events, style).await
}
