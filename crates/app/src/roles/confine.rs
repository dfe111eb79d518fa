//! What each role may reach, taken away from it before it starts a thread.

use std::path::{Path, PathBuf};

use jail::{Network, Policy, Scratch, StateDir};
use server::config::{HubConfig, RelayConfig};
use settings::{NetworkArgs, SandboxArg};
use wire::ErrorKind;

use crate::cli::args::{Command, UpArgs};
use crate::exit::{Failure, OrFail};
use crate::roles::onion::OnionArgs;

/// Confines this process as its command says. Call it before the runtime is built: landlock reaches
/// only threads that are started afterwards.
///
/// What a role reads only once (where its network is) is read here, so that it need not stay
/// readable. The directory that is returned goes when it is dropped: after everything else.
///
/// # Errors
/// No directory to write; with `require`, a kernel that lacks a part. Where to find the network,
/// when that is wrong.
pub fn enter(command: &mut Command) -> Result<Option<Scratch>, Failure> {
    match command {
        Command::Directory(args) if !args.print_config => {
            role(args.sandbox, &args.dir, args.config.as_deref(), None, &args.onion)
        }
        Command::Relay(args) if !args.print_config => {
            // A wrong setting is told at once, not after a wait for the network.
            super::settings::<RelayConfig>(args.config.as_deref())?;
            role(
                args.sandbox,
                &args.dir,
                args.config.as_deref(),
                Some(&mut args.network),
                &args.onion,
            )
        }
        Command::Hub(args) if !args.print_config => {
            super::settings::<HubConfig>(args.config.as_deref())?;
            role(
                args.sandbox,
                &args.dir,
                args.config.as_deref(),
                Some(&mut args.network),
                &args.onion,
            )
        }
        Command::Up(args) => up(args),
        _ => Ok(None),
    }
}

fn role(
    how: SandboxArg,
    dir: &Path,
    config: Option<&Path>,
    network: Option<&mut NetworkArgs>,
    onion: &OnionArgs,
) -> Result<Option<Scratch>, Failure> {
    jail::keep_files_private();
    if how == SandboxArg::Off {
        return Ok(None);
    }
    if let Some(network) = network {
        let runtime = settings::small_runtime()?;
        runtime.block_on(super::network::load(network))?;
    }
    StateDir::open(dir).or_fail()?;
    let mut policy = Policy {
        read: config.map(Path::to_owned).into_iter().collect(),
        write: vec![dir.to_owned()],
        network: Network::Any,
        ..Policy::default()
    };
    if onion.wanted() {
        let needs = onion.needs(dir)?;
        policy.read.extend(needs.read);
        policy.exec.extend(needs.exec);
    }
    confine(how, &policy)?;
    Ok(None)
}

fn up(args: &mut UpArgs) -> Result<Option<Scratch>, Failure> {
    jail::keep_files_private();
    let scratch = match args.dir {
        Some(_) => None,
        None => Some(Scratch::new().or_fail()?),
    };
    args.scratch = scratch.as_ref().map(|s| s.path().to_owned());
    if args.sandbox == SandboxArg::Off {
        return Ok(scratch);
    }
    if let Some(dir) = &args.dir {
        StateDir::open(dir).or_fail()?;
    }
    let around = scratch.as_ref().and_then(|s| s.path().parent()).map(Path::to_owned);
    let write: Option<PathBuf> = args.scratch.clone().or_else(|| args.dir.clone());
    confine(
        args.sandbox,
        &Policy {
            write: write.into_iter().collect(),
            empty: around.into_iter().collect(),
            network: Network::Any,
            ..Policy::default()
        },
    )?;
    Ok(scratch)
}

fn confine(how: SandboxArg, policy: &Policy) -> Result<(), Failure> {
    jail::harden();
    let confined = jail::enter(policy).or_fail()?;
    for missing in confined.missing() {
        if how == SandboxArg::Require {
            return Err(Failure::new(
                ErrorKind::LocalConfig,
                format!("cannot be confined: {missing}"),
                "--sandbox on goes on without, with a warning; or use a newer kernel",
            ));
        }
        eprintln!("warning: {missing}");
    }
    Ok(())
}
