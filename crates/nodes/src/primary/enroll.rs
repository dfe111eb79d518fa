//! Client keys: creates them, and reads files of public halves.

use std::io::Write;
use std::path::Path;

use api::Failure;
use mix::directory::EnrolmentKey;
use mix::directory::sealed::PUBLIC_SCHEME;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use wire::ErrorKind;

/// Longest file of public halves that is read, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Creates a client key and prints its public half.
///
/// # Errors
/// A file that exists already or cannot be written.
pub(super) fn run(out: &Path) -> Result<(), Failure> {
    let key = EnrolmentKey::generate(&mut UnwrapErr(SysRng))
        .map_err(|e| Failure::new(ErrorKind::Bug, e, "report this as a bug"))?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(out).and_then(|mut f| writeln!(f, "{}", key.to_text().as_str())).map_err(|e| {
        Failure::new(
            ErrorKind::LocalStorage,
            format!("cannot write {}: {e}", out.display()),
            "use --out with a file that does not exist yet",
        )
    })?;
    eprintln!(
        "the secret half is in {}; give this public half to the operator of the network:",
        out.display()
    );
    println!("{}", key.public().to_text());
    Ok(())
}

/// Reads public halves from the command line: each text is one, or a file with one per line.
///
/// # Errors
/// A file that cannot be read or contains none.
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
                "use what `hushwing primary enroll` printed, or a file of such lines",
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
