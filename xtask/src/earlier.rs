//! The program as it was at an earlier commit, and how that gets along with this one:
//! `crates/app/tests/versions.rs`. The recipe is kept, not the binary.

use std::path::Path;
use std::process::Command;

use crate::run;

/// The newest state that people have in use.
const COMMIT: &str = "b8f17d2ab62173d6a7fe70cb67b81ebff55c6757";

pub(crate) fn main() -> Result<(), String> {
    let dir = run::root().join("target/earlier");
    let (source, build) = (dir.join(COMMIT), dir.join("build"));
    if !source.join("Cargo.lock").exists() {
        unpack(&dir, &source)?;
    }
    let mut cargo = run::cargo();
    cargo.current_dir(&source).args(["build", "--locked", "--bin", "hushwing"]);
    // Neither Tor inside the program nor OpenPGP crosses a link, and speed does not matter.
    cargo.arg("--no-default-features").arg("--target-dir").arg(&build);
    cargo.args(["--config", "profile.dev.package.\"*\".opt-level=1"]);
    cargo.args(["--config", "profile.dev.package.\"*\".debug=false"]);
    run::status(&mut cargo)?;
    let mut nextest = run::cargo();
    nextest.args(["nextest", "run", "--workspace", "--no-capture", "-E", "binary(versions)"]);
    run::status(nextest.env("HUSHWING_EARLIER", build.join("debug/hushwing")))
}

fn unpack(dir: &Path, source: &Path) -> Result<(), String> {
    std::fs::create_dir_all(source).map_err(|e| format!("{}: {e}", source.display()))?;
    let tar = dir.join("source.tar");
    let mut git = Command::new("git");
    git.current_dir(run::root()).args(["archive", "--format=tar", COMMIT, "--output"]).arg(&tar);
    run::status(&mut git)
        .map_err(|why| format!("{why} (a clone without history has no {COMMIT})"))?;
    run::status(Command::new("tar").arg("-xf").arg(&tar).arg("-C").arg(source))
}
