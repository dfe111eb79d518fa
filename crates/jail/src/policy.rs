//! What a confined process may still do.

use std::path::PathBuf;

/// What a process may reach after [`crate::enter`]. The default is nothing but memory, threads,
/// time and randomness.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Files and directories, with all below them, that may be read. One that does not exist is
    /// left out.
    pub read: Vec<PathBuf>,
    /// Directories, with all below them, in which files may be read, made, changed and removed.
    /// They must exist.
    pub write: Vec<PathBuf>,
    /// Directories below which *empty* directories may be removed: a process that removes its own
    /// scratch directory needs that right in the directory around it.
    pub empty: Vec<PathBuf>,
    /// Programs that may be started. Libraries of the system become readable with them. Without any
    /// nothing can be started, and no code can be loaded.
    pub exec: Vec<PathBuf>,
    /// Which connections are allowed.
    pub network: Network,
}

/// Which connections a process may make and take.
///
/// No rule here can tell one *address* from another: landlock knows ports, seccomp sees no
/// addresses. So "loopback only" does not exist; a namespace of the network (a container,
/// `PrivateNetwork=`) can do that.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Network {
    /// TCP and UDP to anywhere, and questions to the kernel about interfaces. No raw packets.
    Any,
    /// TCP to these ports and from these ports, nothing else: no UDP, so no DNS either. Needs
    /// landlock of ABI 4 (Linux 6.7).
    Ports {
        /// Ports that may be connected to: those of a local Tor, say.
        connect: Vec<u16>,
        /// Ports that may be listened on; 0 stands for those that the system chooses.
        listen: Vec<u16>,
    },
    /// None at all. Sockets of the local machine (`AF_UNIX`) work.
    #[default]
    None,
}
