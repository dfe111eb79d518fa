//! Entering the jail, and what the kernel enforces afterwards.

use std::fmt;

use crate::error::{Error, Refusal};
use crate::{Network, Policy};

/// What confines this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confined {
    landlock: Option<u32>,
    seccomp: bool,
    missing: Vec<Missing>,
}

/// A part of the policy that is not enforced here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// The kernel has no landlock, or it is switched off: files are protected by their permissions
    /// alone.
    Landlock,
    /// The kernel or the architecture has no seccomp: all system calls are open.
    Seccomp,
    /// Landlock is too old to know ports: connections go anywhere.
    Ports,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Missing::Landlock => {
                "no landlock in this kernel: only permissions protect other files from this process"
            }
            Missing::Seccomp => "no seccomp here: all system calls are open to this process",
            Missing::Ports => {
                "landlock of this kernel knows no ports: this process can connect anywhere"
            }
        })
    }
}

impl Confined {
    /// ABI version of the landlock that is active; `None` without.
    #[must_use]
    pub const fn landlock(&self) -> Option<u32> {
        self.landlock
    }

    /// Whether system calls are filtered.
    #[must_use]
    pub const fn seccomp(&self) -> bool {
        self.seccomp
    }

    /// The parts that are not enforced, for a warning.
    #[must_use]
    pub fn missing(&self) -> &[Missing] {
        &self.missing
    }
}

impl fmt::Display for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.landlock {
            Some(abi) => write!(f, "landlock (ABI {abi})")?,
            None => f.write_str("no landlock")?,
        }
        f.write_str(if self.seccomp { ", seccomp" } else { ", no seccomp" })
    }
}

/// Confines this thread, all threads that it starts, and with seccomp all other threads of the
/// process, for good.
///
/// Call it before other threads start, since landlock does not reach threads that run already.
///
/// # Errors
/// [`Error::Path`] when a directory to be written cannot be opened; then nothing is confined. A
/// kernel that lacks the means, or a container that refuses them, is no error: see
/// [`Confined::missing`].
pub fn enter(policy: &Policy) -> Result<Confined, Error> {
    let mut missing = Vec::new();
    let landlock = given(landlock(policy))?.flatten();
    match landlock {
        None => missing.push(Missing::Landlock),
        Some(abi) if abi < 4 && matches!(policy.network, Network::Ports { .. }) => {
            missing.push(Missing::Ports);
        }
        Some(_) => {}
    }
    // Last, because it refuses the calls that landlock needs.
    let seccomp = given(seccomp(policy))?.unwrap_or(false);
    if !seccomp {
        missing.push(Missing::Seccomp);
    }
    let confined = Confined { landlock, seccomp, missing };
    tracing::info!(%confined, "confined");
    Ok(confined)
}

/// The result, or `None` when the kernel refused.
fn given<T>(answer: Result<T, Refusal>) -> Result<Option<T>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Refusal::Policy(error)) => Err(error),
        Err(Refusal::Kernel(reason)) => {
            tracing::warn!(reason, "confinement refused");
            Ok(None)
        }
    }
}

#[cfg(target_os = "linux")]
fn landlock(policy: &Policy) -> Result<Option<u32>, Refusal> {
    crate::paths::restrict(policy)
}

#[cfg(not(target_os = "linux"))]
fn landlock(_: &Policy) -> Result<Option<u32>, Refusal> {
    Ok(None)
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn seccomp(policy: &Policy) -> Result<bool, Refusal> {
    crate::calls::restrict(policy)
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn seccomp(_: &Policy) -> Result<bool, Refusal> {
    Ok(false)
}
