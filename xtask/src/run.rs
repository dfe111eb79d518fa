//! Processes: the root of the tree, commands with their output passed through or collected.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The root of the source tree.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}

/// `cargo`, as the one that started this program.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs to the end and returns what was written to stdout.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let name = describe(command);
    let out = command.stderr(Stdio::inherit()).output().map_err(|e| format!("{name}: {e}"))?;
    if !out.status.success() {
        return Err(format!("{name}: {}", out.status));
    }
    String::from_utf8(out.stdout).map_err(|_| format!("{name}: the output is not UTF-8"))
}

/// Runs to the end with the output passed through.
pub(crate) fn status(command: &mut Command) -> Result<(), String> {
    let name = describe(command);
    let status = command.status().map_err(|e| format!("{name}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name}: {status}")) }
}

/// Runs to the end, passes the output through and keeps the lines that `keep` wants.
pub(crate) fn status_keeping(
    command: &mut Command,
    keep: fn(&str) -> bool,
) -> Result<Vec<String>, String> {
    let name = describe(command);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{name}: {e}"))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let kept = std::thread::scope(|scope| {
        let side = scope.spawn(|| err.map_or(Vec::new(), |e| tee(e, &mut std::io::stderr(), keep)));
        let mut kept = out.map_or(Vec::new(), |o| tee(o, &mut std::io::stdout(), keep));
        kept.extend(side.join().unwrap_or_default());
        kept
    });
    let status = child.wait().map_err(|e| format!("{name}: {e}"))?;
    if status.success() { Ok(kept) } else { Err(format!("{name}: {status}")) }
}

fn tee(from: impl Read, to: &mut impl Write, keep: fn(&str) -> bool) -> Vec<String> {
    let mut kept = Vec::new();
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        // The reader of a closed pipe does not matter to the step itself.
        let _ = writeln!(to, "{line}");
        if keep(&line) {
            kept.push(line.trim().to_owned());
        }
    }
    kept
}

/// Whether a program of this name stands on the search path.
pub(crate) fn installed(program: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else { return false };
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

fn describe(command: &Command) -> String {
    let mut text = PathBuf::from(command.get_program())
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace() {
        let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
    }

    #[test]
    fn wanted_lines_are_kept_from_both_streams() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo '  two kept'; echo 'three kept' >&2"]);
        let kept = status_keeping(&mut command, |line| line.contains("kept")).unwrap();
        assert_eq!(kept, ["two kept", "three kept"]);
    }

    #[test]
    fn a_failing_command_is_an_error_that_names_it() {
        let mut command = Command::new("sh");
        command.args(["-c", "exit 3"]);
        assert!(status(&mut command).unwrap_err().starts_with("sh -c exit 3: "));
        assert!(output(&mut command).is_err());
        assert!(status_keeping(&mut command, |_| true).is_err());
        assert!(status(&mut Command::new("no-such-program-here")).is_err());
    }

    #[test]
    fn installed_tells_what_is_there() {
        assert!(installed("sh"));
        assert!(!installed("no-such-program-here"));
    }
}
