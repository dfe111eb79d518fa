//! Files and ports: landlock.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, PathBeneath, PathFd,
    PathFdError, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope, make_bitflags, path_beneath_rules,
};

use crate::error::{Error, Refusal};
use crate::{Network, Policy};

/// The newest landlock that this code was tried with. An older one enforces what it knows.
const KNOWN: ABI = ABI::V6;

/// What every role needs: randomness; itself, as it stands when it enters; and the name of this run
/// of the machine, by which a relay knows whether its journal is whole.
const ESSENTIAL: [&str; 4] =
    ["/dev/urandom", "/dev/random", "/proc/self", "/proc/sys/kernel/random/boot_id"];

/// What the system's resolver reads to look a name up.
const RESOLVER: [&str; 6] = [
    "/etc/resolv.conf",
    "/run/systemd/resolve",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
];

/// What a started program needs besides itself.
const LIBRARIES: [&str; 5] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache"];

fn reading() -> BitFlags<AccessFs> {
    make_bitflags!(AccessFs::{ReadFile | ReadDir})
}

/// No devices, pipes or links: no role makes any.
fn writing() -> BitFlags<AccessFs> {
    reading()
        | make_bitflags!(AccessFs::{
            WriteFile | Truncate | MakeReg | MakeDir | MakeSock | RemoveFile | RemoveDir | Refer
        })
}

/// Restricts this thread and its future children. Returns the ABI version in force, `None` on a
/// kernel without.
pub(crate) fn restrict(policy: &Policy) -> Result<Option<u32>, Refusal> {
    let mut rules = base(policy).map_err(|e| refused(&e))?;
    for path in &policy.write {
        rules = writable(rules, path)?;
    }
    let status =
        finish(rules, policy).and_then(RulesetCreated::restrict_self).map_err(|e| refused(&e))?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => Ok(None),
        (_, LandlockStatus::Available { effective_abi, kernel_abi }) => {
            Ok(Some(kernel_abi.unwrap_or(effective_abi as i32).unsigned_abs()))
        }
        _ => Ok(None),
    }
}

fn base(policy: &Policy) -> Result<RulesetCreated, RulesetError> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?;
    if policy.network != Network::Any {
        rules = rules.handle_access(AccessNet::from_all(KNOWN))?;
    }
    rules.create()
}

fn writable(rules: RulesetCreated, path: &Path) -> Result<RulesetCreated, Refusal> {
    let open = |e: PathFdError| {
        let PathFdError::OpenCall { source, path, .. } = e else { return refused(&"no path") };
        Refusal::Policy(Error::Path { path, source })
    };
    let fd = PathFd::new(path).map_err(open)?;
    rules.add_rule(PathBeneath::new(fd, writing())).map_err(|e| refused(&e))
}

fn finish(rules: RulesetCreated, policy: &Policy) -> Result<RulesetCreated, RulesetError> {
    let mut rules = rules
        .add_rules(path_beneath_rules(ESSENTIAL, reading()))?
        .add_rules(path_beneath_rules(["/dev/null"], AccessFs::ReadFile | AccessFs::WriteFile))?
        .add_rules(path_beneath_rules(&policy.read, reading()))?
        .add_rules(path_beneath_rules(&policy.empty, AccessFs::RemoveDir))?;
    if !policy.exec.is_empty() {
        let running = reading() | AccessFs::Execute;
        rules = rules.add_rules(path_beneath_rules(
            policy.exec.iter().map(std::path::PathBuf::as_path),
            running,
        ))?;
        rules = rules.add_rules(path_beneath_rules(LIBRARIES, running))?;
    }
    if policy.network == Network::Any {
        rules = rules.add_rules(path_beneath_rules(RESOLVER, reading()))?;
    }
    if let Network::Ports { connect, listen } = &policy.network {
        let ports = |ports: &[u16], access: AccessNet| -> Vec<Result<NetPort, RulesetError>> {
            ports.iter().map(|port| Ok(NetPort::new(*port, access))).collect()
        };
        rules = rules.add_rules(ports(connect, AccessNet::ConnectTcp))?;
        rules = rules.add_rules(ports(listen, AccessNet::BindTcp))?;
    }
    Ok(rules)
}

fn refused(reason: &dyn std::fmt::Display) -> Refusal {
    Refusal::Kernel(reason.to_string())
}
