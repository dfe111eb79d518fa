//! Confinement of each role, which happens before it starts a thread.

use std::path::{Path, PathBuf};

use api::Failure;
use jail::{Network, Policy, Scratch, StateDir};
use server::config::{DirectoryConfig, HubConfig, RelayConfig};
use settings::{NetworkArgs, SandboxArg};
use wire::ErrorKind;

use crate::directory::DirectoryArgs;
use crate::hub::HubArgs;
use crate::onion::OnionArgs;
use crate::relay::RelayArgs;
use crate::up::UpArgs;
use crate::{OrFail, config_file, network};

/// Confines a directory. Like all functions here, call it before the runtime is built: landlock
/// reaches only threads that are started afterwards.
///
/// # Errors
/// A state directory that cannot be written; with `require`, a kernel without landlock or seccomp.
pub fn directory(args: &mut DirectoryArgs) -> Result<(), Failure> {
    if args.print_config {
        return Ok(());
    }
    // A card is read and written once, from wherever the operator keeps it.
    if args.what.is_some() {
        jail::keep_files_private();
        return Ok(());
    }
    let settings = config_file::load::<DirectoryConfig>(args.config.as_deref())?;
    args.map_port.prepare(settings.map_port, !args.onion.tor_only)?;
    role(args.sandbox, &args.dir, args.config.as_deref(), None, &args.onion)
}

/// Confines a relay, after reading the files that `--network` and `--token` name: they need not
/// stay readable.
///
/// # Errors
/// As [`directory`]; an invalid setting, network pointer or token.
pub fn relay(args: &mut RelayArgs) -> Result<(), Failure> {
    if args.print_config {
        return Ok(());
    }
    // A wrong setting is told at once, not after a wait for the network.
    let settings = config_file::load::<RelayConfig>(args.config.as_deref())?;
    args.map_port.prepare(settings.map_port, args.listens(&settings))?;
    role(args.sandbox, &args.dir, args.config.as_deref(), Some(&mut args.network), &args.onion)
}

/// Confines a hub in the same way as [`relay`].
///
/// # Errors
/// As [`relay`].
pub fn hub(args: &mut HubArgs) -> Result<(), Failure> {
    if args.print_config {
        return Ok(());
    }
    let settings = config_file::load::<HubConfig>(args.config.as_deref())?;
    args.map_port.prepare(settings.map_port, !args.onion.tor_only)?;
    role(args.sandbox, &args.dir, args.config.as_deref(), Some(&mut args.network), &args.onion)
}

/// Confines a whole network in one process. If nothing is kept, it returns the temporary directory,
/// which is removed when it is dropped: drop it after everything else.
///
/// # Errors
/// As [`directory`].
pub fn up(args: &mut UpArgs) -> Result<Option<Scratch>, Failure> {
    args.map_port.prepare(false, true)?;
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

fn role(
    how: SandboxArg,
    dir: &Path,
    config: Option<&Path>,
    network: Option<&mut NetworkArgs>,
    onion: &OnionArgs,
) -> Result<(), Failure> {
    jail::keep_files_private();
    if how == SandboxArg::Off {
        return Ok(());
    }
    if let Some(network) = network {
        let runtime = settings::small_runtime()?;
        runtime.block_on(network::load(network))?;
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
    confine(how, &policy)
}

fn confine(how: SandboxArg, policy: &Policy) -> Result<(), Failure> {
    jail::harden();
    let confined = jail::enter(policy).or_fail()?;
    for missing in confined.missing() {
        if how == SandboxArg::Require {
            return Err(Failure::new(
                ErrorKind::LocalConfig,
                format!("cannot confine this process: {missing}"),
                "use --sandbox on to continue with a warning, or a newer kernel",
            ));
        }
        eprintln!("warning: {missing}");
    }
    Ok(())
}
