//! `hushwing chat`.

use e2ee::Nick;
use mix::path::EntryPolicy;
use wire::ErrorKind;
use wire::document::CoverLevel;

use super::args::{ChatArgs, CoverArg, EntryArg, RouteArg};
use super::line::{self, Style};
use crate::engine::{JoinAs, Options, Route, Session};
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
    let nick = match &args.nick {
        None => Nick::random(&mut rand::rng()),
        Some(name) => Nick::new(name).map_err(|e| {
            Failure::new(
                ErrorKind::LocalConfig,
                format!("this is no name: {e}"),
                "1 to 32 visible characters, as in --nick alice",
            )
        })?,
    };
    let style = Style::detect(args.json, args.states, verbose);
    let (commands, events) = Session::start(Options {
        join,
        nick,
        route: match args.route {
            RouteArg::Onion => Route::Onion,
            RouteArg::Direct => Route::Direct,
        },
        cover: args.cover.map(Into::into),
        entry: args.entry.into(),
        dir: args.dir.clone(),
    })?;
    line::run(commands, events, style).await
}
