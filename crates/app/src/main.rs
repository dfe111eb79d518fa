//! The `hushwing` program: every role and every face of Hushwing.
//!
//! # In this crate
//! - `cli`: the command line and the line mode; `roles`: directory, relay, hub, `up`
//! - `engine`: drives the room over the network; front ends see its `Command` and `Event` only
//! - `demo`, `doctor`, `bench`: shows, finds and measures
//!
//! # Not in this crate
//! Protocol: that is in `pure/`. Sockets: `net`. Services: `server`.
//!
//! # Invariants
//! - stdout is data; everything else goes to stderr.
//! - Every error ends with a `hint:` and a documented exit code.

#![allow(unreachable_pub, reason = "a program exports nothing; `pub` marks what other modules may use")]

mod bench;
mod cli;
mod demo;
mod doctor;
mod engine;
mod exit;
mod roles;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::cli::args::{Cli, Command};
use crate::exit::Failure;

fn main() -> ExitCode {
    harden();
    let cli = Cli::parse();
    init_logging(cli.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the system gives no threads: {error}\nhint: check the limits of this user (ulimit -u)");
            return ExitCode::from(70);
        }
    };
    let result = runtime.block_on(run(cli));
    // A blocked read of stdin must not hold the process for long; but threads that are still busy must not run into the
    // clean-up of C libraries at the process's end.
    runtime.shutdown_timeout(std::time::Duration::from_millis(300));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.code())
        }
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let command = match cli.command {
        Some(command) => command,
        None => cli::ask::command().await?,
    };
    match command {
        Command::Up(args) => roles::up::run(args).await,
        Command::Directory(args) => roles::directory::run(args).await,
        Command::Relay(args) => roles::node::relay(args).await,
        Command::Hub(args) => roles::node::hub(args).await,
        Command::Room(args) => roles::room::run(args).await,
        Command::Chat(args) => cli::chat::run(args, cli.verbose > 0).await,
        Command::Demo(args) => demo::run(args, cli.verbose > 0).await,
        Command::Profile(command) => cli::profile::run(command).await,
        Command::Doctor(args) => doctor::run(args).await,
        Command::Bench(args) => bench::run(args).await,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "hushwing", &mut std::io::stdout());
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

/// No core dump and no debugger may read the keys of a release build (DESIGN invariant 8). Development builds stay open.
fn harden() {
    #[cfg(all(target_os = "linux", not(debug_assertions)))]
    {
        use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
        // Refused only by systems that have neither; they have no such dumps either.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
}

/// Warnings and errors by default; `-v` what happens, `-vv` everything of ours. Never to stdout.
fn init_logging(verbose: u8) {
    let filter = match verbose {
        0 => "warn",
        1 => "info",
        _ => "info,server=debug,net=debug,hushwing=debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("HUSHWING_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(filter));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(cli::line::colours(std::io::stderr().is_terminal()))
        .init();
}
