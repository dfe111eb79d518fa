//! The `hushwing` program: every role and every front end of Hushwing.
//!
//! # In this crate
//! - `cli`: the command line and the line mode; `roles`: nodes that talk or serve pages, too
//! - `tui`: the full-screen front end of a profile
//! - `engine`: drives the room over the network; front ends see its `Command` and `Event` only
//! - `demo`, `doctor`, `bench`: shows, finds and measures; `selfcheck`: is this the program it
//!   should be
//! - `trace`: a packet's way
//!
//! # Not in this crate
//! Protocol: that is in `pure/`. Sockets: `net`. Services: `server`.
//!
//! # Invariants
//! - stdout is data; everything else goes to stderr.
//! - Every error ends with a `hint:` and a documented exit code.

#![allow(
    unreachable_pub,
    reason = "a program exports nothing; `pub` marks what other modules may use"
)]

mod args;
mod bench;
mod chat;
mod demo;
mod doctor;
mod fail;
mod guests;
mod host;
mod menu;
mod primary_demo;
mod profiles;
mod selfcheck;
mod serve_web;
mod tor;
mod trace;

use std::io::IsTerminal;
use std::process::ExitCode;

use api::Failure;
use clap::{CommandFactory, FromArgMatches};
use settings::{no_threads, small_runtime};

use crate::args::{Cli, Command, NodeCommand};

fn main() -> ExitCode {
    #[cfg(not(debug_assertions))]
    jail::harden();
    let matches = Cli::with_headings().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    init_logging(cli.verbose);
    match use_proxy(cli.proxy.as_deref()).and_then(|()| start(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.code())
        }
    }
}

/// Environment variable with the proxy's URL, where no option gives it.
const PROXY_VAR: &str = "HUSHWING_PROXY";

/// Sets the proxy of the process, before anything connects.
fn use_proxy(option: Option<&str>) -> Result<(), Failure> {
    let inherited = std::env::var_os(PROXY_VAR).filter(|url| !url.is_empty());
    let Some(url) = option.map(Into::into).or(inherited) else { return Ok(()) };
    let wrong = |error: &dyn std::fmt::Display| {
        let hint = "for example: --proxy socks5://127.0.0.1:1080";
        Failure::new(wire::ErrorKind::LocalConfig, format!("invalid proxy: {error}"), hint)
    };
    let url = url.to_str().ok_or_else(|| wrong(&"not UTF-8"))?;
    let proxy: net::Proxy = url.parse().map_err(|e| wrong(&e))?;
    proxy.use_for_everything().map_err(|e| wrong(&e))
}

fn start(cli: Cli) -> Result<(), Failure> {
    if !matches!(cli.command, Some(Command::SelfCheck(_))) {
        selfcheck::at_start()?;
    }
    let mut command = match cli.command {
        Some(command) => command,
        None => {
            let runtime = small_runtime()?;
            let command = runtime.block_on(menu::command());
            runtime.shutdown_timeout(PATIENCE);
            command?
        }
    };
    // Before there are threads.
    let scratch = confine(&mut command)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(no_threads)?;
    let result = runtime.block_on(run(command, cli.verbose > 0));
    // A blocked read of stdin must not hold the process for long; but threads that are still busy
    // must not run into the clean-up of C libraries at the process's end.
    runtime.shutdown_timeout(PATIENCE);
    drop(scratch);
    result
}

/// Confines this process as its command says. What is returned is to be dropped after everything
/// else.
fn confine(command: &mut Command) -> Result<Option<jail::Scratch>, Failure> {
    match command {
        Command::Directory(args) | Command::Node(NodeCommand::Directory(args)) => {
            nodes::confine::directory(args).map(|()| None)
        }
        Command::Relay(args) | Command::Node(NodeCommand::Relay(args)) => {
            nodes::confine::relay(args).map(|()| None)
        }
        Command::Hub(args) | Command::Node(NodeCommand::Hub(args)) => {
            nodes::confine::hub(args).map(|()| None)
        }
        Command::Up(args) => nodes::confine::up(args),
        _ => Ok(None),
    }
}

/// Longest wait for threads at the end.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(300);

async fn run(command: Command, verbose: bool) -> Result<(), Failure> {
    match command {
        Command::Up(args) => nodes::up::run(args).await,
        Command::Node(NodeCommand::Directory(args)) => nodes::directory::run(args).await,
        Command::Node(NodeCommand::Relay(args)) => nodes::relay::run(args).await,
        Command::Node(NodeCommand::Hub(args)) => nodes::hub::run(args).await,
        Command::Node(NodeCommand::Rooms(args)) => nodes::hub_rooms::run(args).await,
        Command::Directory(args) => {
            is_now("directory", "node directory");
            nodes::directory::run(args).await
        }
        Command::Relay(args) => {
            is_now("relay", "node relay");
            nodes::relay::run(args).await
        }
        Command::Hub(args) => {
            is_now("hub", "node hub");
            nodes::hub::run(args).await
        }
        Command::Host(args) => host::run(args, verbose).await,
        Command::Guests(args) => guests::run(args).await,
        Command::Tor(args) => tor::run(args).await,
        Command::Web(on) => serve_web::run(profiles::profiles().as_ref(), &on.at, on.args).await,
        Command::OnionSite(args) => nodes::onion_site::run(args).await,
        Command::Primary(args) => {
            nodes::primary::run(args, async |run| primary_demo::run(run, verbose).await).await
        }
        Command::Trace(args) => trace::run(args).await,
        Command::Room(args) => nodes::room::run(args).await,
        Command::Chat(args) => chat::run(profiles::profiles().as_ref(), args, verbose).await,
        Command::Demo(args) => demo::run(args, verbose).await,
        Command::Profile(command) => cli::run(command, profiles::profiles()).await,
        Command::Doctor(args) => doctor::run(args).await,
        Command::Bench(args) => tokio::select! {
            done = bench::run(args) => done,
            () = settings::stopped() => Err(Failure::other("stopped before the end", "let it run to its end for figures")),
        },
        Command::SelfCheck(args) => selfcheck::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut Cli::with_headings(),
                "hushwing",
                &mut std::io::stdout(),
            );
            Ok(())
        }
        Command::Man { dir } => clap_mangen::generate_to(Cli::command(), &dir).map_err(|e| {
            Failure::new(
                wire::ErrorKind::LocalStorage,
                format!("cannot write man pages: {e}"),
                "name an existing directory",
            )
        }),
    }
}

/// Says the new spelling of a command on stderr.
fn is_now(old: &str, new: &str) {
    text::note(&format!("note: `hushwing {old}` is now `hushwing {new}`"));
}

/// Crates that may log.
const OURS: &[&str] = &[
    "hushwing",
    "server",
    "net",
    "vault",
    "messenger",
    "mesh",
    "mix",
    "hub",
    "jail",
    "routes",
    "nodes",
    "engine",
    "web",
];

/// Warnings and errors by default; `-v` what happens, `-vv` everything that this program says.
/// Never to stdout. Other people's crates do not log: what they would say of addresses nobody here
/// checks.
fn init_logging(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter =
        OURS.iter().fold("off".to_owned(), |filter, name| format!("{filter},{name}={level}"));
    let filter = tracing_subscriber::EnvFilter::try_from_env("HUSHWING_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(filter));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| tui::Stderr)
        .with_target(false)
        .with_ansi(text::colours(std::io::stderr().is_terminal()))
        .init();
}
