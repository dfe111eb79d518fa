//! System calls: seccomp.
//!
//! There are two filters. The first lists the calls that are allowed; all others appear not to
//! exist (`ENOSYS`), so that libraries fall back to older calls. The second answers `EPERM` to
//! calls by which a process gains rights or reaches other processes, so that an attack can be told
//! from an old kernel. Neither kills the process: a library's odd call must not end a relay.

mod list;

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule,
};

use crate::error::Refusal;
use crate::{Network, Policy};

/// Calls, each with the conditions of which one must hold; without conditions always.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// One comparison: which argument, how, with what.
type Test = (u8, SeccompCmpOp, u64);

/// `SOCK_PACKET`, the oldest way to raw packets.
const PACKET: i32 = 10;

/// Namespaces that `clone` could make.
const NAMESPACES: u64 = 0x7E02_0000;

/// Filters the calls of all threads. Returns whether the kernel could.
pub(crate) fn restrict(policy: &Policy) -> Result<bool, Refusal> {
    let compiled =
        compile(allowed(policy).map_err(refused)?, SeccompAction::Allow, libc::ENOSYS, true)
            .and_then(|allow| {
                Ok((allow, compile(denied(policy)?, SeccompAction::Allow, libc::EPERM, false)?))
            });
    let (allow, deny) = compiled.map_err(refused)?;
    match seccompiler::apply_filter_all_threads(&allow) {
        Ok(()) => {}
        // Built without filters, or without seccomp at all.
        Err(seccompiler::Error::Seccomp(e))
            if matches!(e.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) =>
        {
            return Ok(false);
        }
        Err(e) => return Err(refused(e)),
    }
    seccompiler::apply_filter_all_threads(&deny).map_err(refused)?;
    Ok(true)
}

/// A filter in which the rules allow and the rest fails (`listed`), or the rules fail and the rest
/// is allowed.
fn compile(
    rules: Rules,
    allow: SeccompAction,
    errno: i32,
    listed: bool,
) -> Result<BpfProgram, BackendError> {
    let fail = SeccompAction::Errno(errno.unsigned_abs());
    let (unlisted, listed) = if listed { (fail, allow) } else { (allow, fail) };
    SeccompFilter::new(rules, unlisted, listed, std::env::consts::ARCH.try_into()?)?.try_into()
}

fn allowed(policy: &Policy) -> Result<Rules, BackendError> {
    let mut rules = always(list::ALLOWED);
    let starts = !policy.exec.is_empty();
    if starts {
        rules.extend(always(list::STARTING));
        let no_namespace = rule(&[(0, masked(NAMESPACES), 0)])?;
        rules.insert(libc::SYS_clone, vec![no_namespace]);
    } else {
        let thread = libc::CLONE_THREAD.unsigned_abs().into();
        rules.insert(libc::SYS_clone, vec![rule(&[(0, masked(NAMESPACES | thread), thread)])?]);
        // Memory is never made executable: all code is here already.
        let exec = libc::PROT_EXEC.unsigned_abs().into();
        for call in [libc::SYS_mmap, libc::SYS_mprotect] {
            rules.insert(call, vec![rule(&[(2, masked(exec), 0)])?]);
        }
    }
    // Limits of this process alone.
    rules.insert(libc::SYS_prlimit64, vec![rule(&[(0, SeccompCmpOp::Eq, 0)])?]);
    let options = list::PRCTL
        .iter()
        .map(|option| rule(&[(0, SeccompCmpOp::Eq, u64::from(option.unsigned_abs()))]));
    rules.insert(libc::SYS_prctl, options.collect::<Result<_, _>>()?);
    // The second filter comes after the first, and closes this.
    rules.insert(libc::SYS_seccomp, Vec::new());
    Ok(rules)
}

fn denied(policy: &Policy) -> Result<Rules, BackendError> {
    let mut rules = always(list::DENIED);
    if policy.exec.is_empty() {
        rules.insert(libc::SYS_execve, Vec::new());
    }
    // Typing into the terminal that started this process.
    let typing =
        [libc::TIOCSTI, libc::TIOCLINUX].map(|request| rule(&[(1, SeccompCmpOp::Eq, request)]));
    rules.insert(libc::SYS_ioctl, typing.into_iter().collect::<Result<_, _>>()?);
    rules.insert(libc::SYS_socket, sockets(&policy.network)?);
    if policy.network != Network::Any {
        // Connecting by sending, which landlock's rules for ports do not always see.
        let fast = libc::MSG_FASTOPEN.unsigned_abs().into();
        for (call, flags) in
            [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)]
        {
            rules.insert(call, vec![rule(&[(flags, masked(fast), fast)])?]);
        }
    }
    Ok(rules)
}

/// Which sockets are refused.
fn sockets(network: &Network) -> Result<Vec<SeccompRule>, BackendError> {
    let other_than = |domains: &[i32]| {
        rule(
            &domains
                .iter()
                .map(|d| (0, SeccompCmpOp::Ne, d.unsigned_abs().into()))
                .collect::<Vec<_>>(),
        )
    };
    let of = |domain: i32, more: &[Test]| {
        rule(&[&[(0, SeccompCmpOp::Eq, domain.unsigned_abs().into())], more].concat())
    };
    // Below the flags for not blocking and for closing.
    let kind = |kind: i32| (1, masked(0xF), u64::from(kind.unsigned_abs()));
    let mut rules = Vec::new();
    match network {
        Network::None => rules.push(other_than(&[libc::AF_UNIX])?),
        Network::Any => {
            rules.push(other_than(&[
                libc::AF_UNIX,
                libc::AF_INET,
                libc::AF_INET6,
                libc::AF_NETLINK,
            ])?);
            for domain in [libc::AF_INET, libc::AF_INET6] {
                for raw in [libc::SOCK_RAW, PACKET] {
                    rules.push(of(domain, &[kind(raw)])?);
                }
            }
            rules.push(of(
                libc::AF_NETLINK,
                &[(2, SeccompCmpOp::Ne, libc::NETLINK_ROUTE.unsigned_abs().into())],
            )?);
        }
        Network::Ports { .. } => {
            rules.push(other_than(&[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6])?);
            let tcp = libc::IPPROTO_TCP.unsigned_abs().into();
            for domain in [libc::AF_INET, libc::AF_INET6] {
                for other in [
                    libc::SOCK_DGRAM,
                    libc::SOCK_RAW,
                    libc::SOCK_SEQPACKET,
                    libc::SOCK_DCCP,
                    PACKET,
                ] {
                    rules.push(of(domain, &[kind(other)])?);
                }
                // Multipath TCP and similar streams, which landlock does not check.
                rules.push(of(domain, &[(2, SeccompCmpOp::Ne, 0), (2, SeccompCmpOp::Ne, tcp)])?);
            }
        }
    }
    Ok(rules)
}

fn always(calls: &[&[i64]]) -> Rules {
    calls.iter().copied().flatten().map(|call| (*call, Vec::new())).collect()
}

fn masked(mask: u64) -> SeccompCmpOp {
    SeccompCmpOp::MaskedEq(mask)
}

/// A rule of comparisons that must all hold. Only the lower half of an argument counts: the kernel
/// looks no further in these calls.
fn rule(tests: &[Test]) -> Result<SeccompRule, BackendError> {
    let conditions = tests.iter().map(|(argument, how, value)| {
        SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, how.clone(), *value)
    });
    SeccompRule::new(conditions.collect::<Result<_, _>>()?)
}

#[allow(clippy::needless_pass_by_value, reason = "used as map_err argument")]
fn refused(reason: impl ToString) -> Refusal {
    Refusal::Kernel(reason.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_compiles_and_fits() {
        let ports = Network::Ports { connect: vec![9050], listen: vec![0] };
        for network in [Network::Any, ports, Network::None] {
            for exec in [vec![], vec!["/usr/bin/tor".into()]] {
                let policy = Policy { network: network.clone(), exec, ..Policy::default() };
                let allow =
                    compile(allowed(&policy).unwrap(), SeccompAction::Allow, libc::ENOSYS, true)
                        .unwrap();
                let deny =
                    compile(denied(&policy).unwrap(), SeccompAction::Allow, libc::EPERM, false)
                        .unwrap();
                // The kernel takes 4096 instructions in a filter.
                assert!(allow.len() < 1500 && deny.len() < 1500, "{} {}", allow.len(), deny.len());
            }
        }
    }

    #[test]
    fn nothing_dangerous_is_on_the_list_of_what_is_allowed() {
        let policy = Policy {
            exec: vec!["/usr/bin/tor".into()],
            network: Network::Any,
            ..Policy::default()
        };
        let allowed = allowed(&policy).unwrap();
        let denied = always(list::DENIED);
        let both: Vec<_> = denied.keys().filter(|call| allowed.contains_key(*call)).collect();
        assert_eq!(both, [&libc::SYS_seccomp]);
    }
}
