//! `hushwing self-check`: whether this program is, byte by byte, the one that it should be.
//!
//! It finds damage, and an exchange by somebody who did not think of it. Anyone who can write the
//! program *and* the file that it is compared with changes both; and an altered program need not
//! ask. The threat model says so.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};
use wire::ErrorKind;

use crate::args::SelfCheckArgs;
use api::Failure;

/// Names the file to compare with, at each start.
const VARIABLE: &str = "HUSHWING_SHA256";
/// The file beside the program that each start looks for.
const BESIDE: &str = "hushwing.sha256";
/// Longest list of sums that is read, bytes.
const MAX_LIST: u64 = 1024 * 1024;

#[derive(Debug, Serialize)]
struct Report {
    sha256: String,
    program: String,
    /// What it was compared with.
    against: Option<String>,
    /// `None` when there was nothing to compare with.
    matches: Option<bool>,
}

/// Refuses to go on when there is a file to compare with and the program is another.
///
/// # Errors
/// Exit code 4: another program, or a file that was named and cannot be read.
pub fn at_start() -> Result<(), Failure> {
    let program = program()?;
    match listed(&program) {
        Some(list) => compare(&program, &sum()?, &list),
        None => Ok(()),
    }
}

/// Prints the sum, writes or compares it.
///
/// # Errors
/// Exit code 4: the program is another than the file says; a file that cannot be read or written.
pub fn run(args: &SelfCheckArgs) -> Result<(), Failure> {
    let program = program()?;
    let sum = sum()?;
    let line = format!("{sum}  {}\n", name(&program));
    let against = match &args.write {
        Some(file) => {
            std::fs::write(file, &line).map_err(|e| {
                Failure::new(
                    ErrorKind::LocalStorage,
                    format!("cannot write {}: {e}", file.display()),
                    "choose another file",
                )
            })?;
            None
        }
        None => args.against.clone().or_else(|| listed(&program)),
    };
    let compared = against.as_deref().map(|list| compare(&program, &sum, list));
    let text = if args.json {
        let report = Report {
            sha256: sum,
            program: program.display().to_string(),
            against: against.map(|f| f.display().to_string()),
            matches: compared.as_ref().map(Result::is_ok),
        };
        format!("{}\n", serde_json::to_string(&report).unwrap_or_default())
    } else {
        line
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(Failure::stdout)?;
    match compared {
        Some(Ok(())) => eprintln!("this program matches its checksum"),
        None if args.write.is_none() => {
            eprintln!("nothing to compare with: use --against FILE, or --write FILE to create one");
        }
        _ => {}
    }
    compared.unwrap_or(Ok(()))
}

fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|e| {
        Failure::new(
            ErrorKind::LocalStorage,
            format!("cannot find this program's file: {e}"),
            "is /proc mounted?",
        )
    })
}

fn name(program: &Path) -> String {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    // So the system marks a program that was replaced while it runs.
    name.trim_end_matches(" (deleted)").to_owned()
}

/// The file that says what the program should be, if there is one.
fn listed(program: &Path) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|v| !v.is_empty()) {
        return Some(named.into());
    }
    let beside = program.with_file_name(BESIDE);
    // One that cannot even be looked at is no reason to go on without it.
    (!matches!(beside.symlink_metadata(), Err(e) if e.kind() == std::io::ErrorKind::NotFound))
        .then_some(beside)
}

/// SHA-256 of what runs, in hexadecimal: not of what lies under its name by now.
fn sum() -> Result<String, Failure> {
    let running =
        if cfg!(target_os = "linux") { PathBuf::from("/proc/self/exe") } else { program()? };
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let read = File::open(running).and_then(|mut file| {
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(()),
                n => hasher.update(buffer.get(..n).unwrap_or_default()),
            }
        }
    });
    read.map_err(|e| {
        Failure::new(
            ErrorKind::LocalStorage,
            format!("cannot read this program's file: {e}"),
            "make it readable",
        )
    })?;
    Ok(data_encoding::HEXLOWER.encode(&hasher.finalize()))
}

fn compare(program: &Path, sum: &str, list: &Path) -> Result<(), Failure> {
    let refuse = |what: String, hint: &str| Err(Failure::new(ErrorKind::LocalStorage, what, hint));
    let mut text = String::new();
    if let Err(e) = File::open(list).and_then(|f| f.take(MAX_LIST).read_to_string(&mut text)) {
        return refuse(
            format!("cannot read {}: {e}", list.display()),
            "restore this checksum file, or create a new one with `hushwing self-check --write FILE`",
        );
    }
    match expected(&text, &name(program)) {
        Some(expected) if expected.eq_ignore_ascii_case(sum) => Ok(()),
        Some(_) => refuse(
            format!(
                "this program does not match {}: it was altered, or updated without the checksum file",
                list.display()
            ),
            "do not use it: download both again from a source you trust. If you updated it yourself, run `hushwing self-check --write FILE`",
        ),
        None => refuse(
            format!("{} does not name this program", list.display()),
            "it must contain lines as `sha256sum` writes them: 64 hexadecimal digits, two spaces, the name of the program",
        ),
    }
}

/// The sum of the program `name` in a list as `sha256sum` writes it; a list of one line is taken
/// whatever name is in it.
fn expected<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    let sums: Vec<(&str, &str)> = list.lines().filter_map(entry).collect();
    let named = sums.iter().find(|(_, path)| path.rsplit('/').next() == Some(name));
    named.or(sums.first().filter(|_| sums.len() == 1)).map(|(sum, _)| *sum)
}

fn entry(line: &str) -> Option<(&str, &str)> {
    let (sum, rest) = line.split_once(' ')?;
    let hex = sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_hexdigit());
    hex.then(|| (sum, rest.trim_start_matches([' ', '*']).trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_sums_is_read_as_sha256sum_writes_it() {
        let (a, b) = ("a".repeat(64), "B".repeat(64));
        let list = format!("{a}  other\n# no sum\n{b} *bin/hushwing\nzz  hushwing\n");
        assert_eq!(expected(&list, "hushwing"), Some(b.as_str()));
        assert_eq!(expected(&list, "another"), None);
        assert_eq!(expected(&format!("{a}  hushwing-1.0\n"), "hushwing"), Some(a.as_str()));
        assert_eq!(expected("", "hushwing"), None);
        assert_eq!(expected(&format!("{}  hushwing", "a".repeat(63)), "hushwing"), None);
    }

    #[test]
    fn another_sum_is_refused_with_code_4() {
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("list");
        let (program, right) = (Path::new("/bin/hushwing"), "0".repeat(64));
        let refused = |text: &str| {
            std::fs::write(&list, text).unwrap();
            compare(program, &right, &list).map_err(|f| f.code())
        };
        assert_eq!(refused(&format!("{right}  hushwing\n")), Ok(()));
        assert_eq!(refused(&format!("{}  hushwing\n", "1".repeat(64))), Err(4));
        assert_eq!(refused("nothing"), Err(4));
        std::fs::remove_file(&list).unwrap();
        assert_eq!(compare(program, &right, &list).map_err(|f| f.code()), Err(4));
    }
}
