//! Names of the network under test, as the resolver of its programs sees them.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// The file that stands in for `/etc/hosts`, once somebody needs one.
static HOSTS: OnceLock<tempfile::NamedTempFile> = OnceLock::new();

/// From now on all roles' names stand for this address, also in programs that run already.
pub fn say(ip: Ipv4Addr) {
    let file = HOSTS.get_or_init(|| tempfile::NamedTempFile::new().expect("a temporary file"));
    let mut text = "127.0.0.1 localhost\n".to_owned();
    for name in ["directory", "hub", "relay-1", "relay-2", "relay-3"] {
        let _ = writeln!(text, "{ip} {name}.hushwing.example");
    }
    // Into the same file: it is mounted.
    std::fs::write(file.path(), text).expect("names");
}

/// Starts a program, which sees these names if there are any.
pub fn command(program: impl AsRef<Path>) -> Command {
    let Some(file) = HOSTS.get() else { return Command::new(program.as_ref()) };
    let mut command = Command::new("unshare");
    let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
    command.args(["--mount", "sh", "-c", script]).arg(file.path()).arg(program.as_ref());
    command
}
