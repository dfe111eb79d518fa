//! Running programs of the system.

use std::process::{Command, Stdio};

/// Runs it; its output, or what it complained of.
pub(crate) fn run(program: &str, args: &[&str]) -> Result<String, String> {
    let said = |what: &dyn std::fmt::Display| format!("{program} {}: {what}", args.join(" "));
    let done =
        Command::new(program).args(args).stdin(Stdio::null()).output().map_err(|e| said(&e))?;
    if done.status.success() {
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    } else {
        Err(said(&String::from_utf8_lossy(&done.stderr).trim()))
    }
}

/// Runs it; it must succeed.
#[track_caller]
pub(crate) fn must(program: &str, args: &[&str]) -> String {
    run(program, args).unwrap_or_else(|error| panic!("{error}"))
}
