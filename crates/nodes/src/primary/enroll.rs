//! Client keys: made, and read from files of public halves.

use std::io::Write;
use std::path::Path;

use api::Failure;
use mix::directory::EnrolmentKey;
use mix::directory::sealed::PUBLIC_SCHEME;
use wire::ErrorKind;

/// Longest file of public halves that is read, bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Makes a client key and prints its public half.
///
/// # Errors
/// A file that exists already or cannot be written.
pub(super) fn run(out: &Path) -> Result<(), Failure> {
    let key = EnrolmentKey::generate(&mut rand::rng())
        .map_err(|e| Failure::new(ErrorKind::Bug, e, "please report this"))?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(out).and_then(|mut f| writeln!(f, "{}", key.to_text().as_str())).map_err(|e| {
        Failure::new(
            ErrorKind::LocalStorage,
            format!("cannot write {}: {e}", out.display()),
            "name a file that does not exist yet with --out",
        )
    })?;
    eprintln!(
        "the secret half is in {}; give this public half to whoever runs the network:",
        out.display()
    );
    println!("{}", key.public().to_text());
    Ok(())
}

/// Public halves from the command line: each is one, or a file with one a line.
///
/// # Errors
/// A file that cannot be read, or holds none.
pub(super) fn read(given: &[String]) -> Result<Vec<String>, Failure> {
    let mut keys = Vec::new();
    for one in given {
        if one.starts_with(PUBLIC_SCHEME) {
            keys.push(one.clone());
            continue;
        }
        let bad = |why: String| {
            Failure::new(
                ErrorKind::LocalConfig,
                format!("no client keys in {one}: {why}"),
                "give what `hushwing primary enroll` printed, or a file of such lines",
            )
        };
        let file = std::fs::File::open(one).map_err(|e| bad(e.to_string()))?;
        let text = std::io::read_to_string(std::io::Read::take(file, MAX_FILE))
            .map_err(|e| bad(e.to_string()))?;
        let before = keys.len();
        keys.extend(
            text.lines()
                .map(str::trim)
                .filter(|l| !l.is_empty() && !l.starts_with("# "))
                .map(str::to_owned),
        );
        if keys.len() == before {
            return Err(bad("it is empty".to_owned()));
        }
    }
    Ok(keys)
}
