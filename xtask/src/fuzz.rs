//! Fuzzing with a stable toolchain: libFuzzer needs coverage counters, which LLVM's own pass puts
//! in.

use std::path::Path;
use std::process::Command;

use crate::run;

/// Options of the compiler: counters and compared values for libFuzzer; overflow checks come from
/// the profile.
const RUSTFLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1";

const DEFAULT_SECONDS: u32 = 60;

/// `fuzz [TARGET] [--seconds N]`.
pub(crate) fn main(args: &[&str]) -> Result<(), String> {
    let (target, seconds) = parse(args)?;
    let known = targets()?;
    match target {
        None => all(seconds),
        Some(name) if known.iter().any(|k| k == name) => {
            build(&host()?, &["--bin", name])?;
            fuzz(name, seconds)
        }
        Some(name) => Err(format!("no fuzz target {name}; there are: {}", known.join(", "))),
    }
}

/// Builds and runs every target, `seconds` each.
pub(crate) fn all(seconds: u32) -> Result<(), String> {
    build(&host()?, &["--bins"])?;
    targets()?.iter().try_for_each(|target| fuzz(target, seconds))
}

fn parse<'a>(args: &[&'a str]) -> Result<(Option<&'a str>, u32), String> {
    let (mut target, mut seconds) = (None, DEFAULT_SECONDS);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match *arg {
            "--seconds" => {
                let value = args.next().ok_or("--seconds wants a number")?;
                seconds =
                    value.parse().map_err(|_| format!("--seconds wants a number, not {value}"))?;
            }
            name if !name.starts_with('-') && target.is_none() => target = Some(name),
            other => return Err(format!("fuzz does not know {other}")),
        }
    }
    // Zero would mean "for ever" to libFuzzer.
    if seconds == 0 { Err("--seconds must be at least 1".into()) } else { Ok((target, seconds)) }
}

/// The `[[bin]]` names of fuzz/Cargo.toml.
fn targets() -> Result<Vec<String>, String> {
    let path = run::root().join("fuzz/Cargo.toml");
    let manifest = std::fs::read_to_string(&path).map_err(|e| format!("fuzz/Cargo.toml: {e}"))?;
    let names = bins(&manifest);
    if names.is_empty() { Err("fuzz/Cargo.toml names no target".into()) } else { Ok(names) }
}

fn bins(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut in_bin = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_bin = line.trim() == "[[bin]]";
        }
        if let Some(value) = line.strip_prefix("name = ").filter(|_| in_bin) {
            names.push(value.trim_matches('"').to_owned());
        }
    }
    names
}

/// The host's target triple. Named on the command line, it keeps the options away from build
/// scripts.
fn host() -> Result<String, String> {
    let text = run::output(Command::new("rustc").arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc -vV names no host".into())
}

fn build(host: &str, which: &[&str]) -> Result<(), String> {
    let mut build = run::cargo();
    build.args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml"]).args(which);
    build.args(["--target-dir", "target/fuzz", "--target", host]);
    run::status(build.env("RUSTFLAGS", RUSTFLAGS))
}

fn fuzz(target: &str, seconds: u32) -> Result<(), String> {
    let root = run::root();
    let (corpus, seeds) =
        (root.join("fuzz/corpus").join(target), root.join("fuzz/seeds").join(target));
    let artifacts = root.join("fuzz/artifacts").join(target);
    for dir in [&corpus, &artifacts] {
        std::fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    }
    let program = root.join("target/fuzz").join(host()?).join("release").join(target);
    println!("fuzz {target}: {seconds} s");
    let mut fuzzer = Command::new(&program);
    fuzzer.current_dir(&root).arg(&corpus);
    // libFuzzer writes to the first folder only, so seeds stay as they are.
    if seeds.is_dir() {
        fuzzer.arg(&seeds);
    }
    fuzzer.arg(format!("-max_total_time={seconds}"));
    fuzzer.arg(format!("-artifact_prefix={}/", artifacts.display()));
    fuzzer.args(["-rss_limit_mb=2048", "-timeout=10", "-print_final_stats=1"]);
    let out = fuzzer.output().map_err(|e| format!("{target}: {e}"))?;
    let log = String::from_utf8_lossy(&out.stderr);
    if out.status.success() {
        println!("fuzz {target}: {}", stats(&log));
        return Ok(());
    }
    eprintln!("{}", last_lines(&log, 60));
    let (program, dir) = (shorten(&program, &root), shorten(&artifacts, &root));
    Err(format!(
        "fuzz {target}: {}\nhint: repeat it with `{program} FILE`, FILE being the newest in {dir}",
        out.status
    ))
}

/// `runs 1000, new inputs 7, peak MiB 29`
fn stats(log: &str) -> String {
    let names = [
        ("number_of_executed_units", "runs"),
        ("new_units_added", "new inputs"),
        ("peak_rss_mb", "peak MiB"),
    ];
    let value = |name: &str| {
        let line = log.lines().find_map(|l| l.strip_prefix("stat::")?.strip_prefix(name));
        line.map_or("?", |rest| rest.trim_start_matches(':').trim()).to_owned()
    };
    names.map(|(name, label)| format!("{label} {}", value(name))).join(", ")
}

fn last_lines(log: &str, count: usize) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

fn shorten(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        assert_eq!(parse(&[]), Ok((None, DEFAULT_SECONDS)));
        assert_eq!(parse(&["frame", "--seconds", "5"]), Ok((Some("frame"), 5)));
        assert_eq!(parse(&["--seconds", "5", "frame"]), Ok((Some("frame"), 5)));
        for bad in
            [&["--seconds"][..], &["--seconds", "x"], &["--seconds", "0"], &["a", "b"], &["--fast"]]
        {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn targets_are_the_bins_of_the_manifest() {
        let manifest = "[package]\nname = \"fuzz\"\n[[bin]]\nname = \"a\"\npath = \"a.rs\"\n\n[[bin]]\nname = \"b\"\n[lib]\nname = \"c\"\n";
        assert_eq!(bins(manifest), ["a", "b"]);
        assert!(main(&["no_such_target"]).is_err());
    }

    #[test]
    fn statistics_are_read_from_the_log() {
        let log = "#5 DONE\nstat::number_of_executed_units: 5\nstat::new_units_added:          2\nstat::peak_rss_mb: 30\n";
        assert_eq!(stats(log), "runs 5, new inputs 2, peak MiB 30");
        assert_eq!(stats(""), "runs ?, new inputs ?, peak MiB ?");
        assert_eq!(last_lines("a\nb\nc", 2), "b\nc");
    }

    #[test]
    fn every_target_has_its_source() {
        for target in targets().unwrap() {
            assert!(
                run::root().join("fuzz/targets").join(format!("{target}.rs")).is_file(),
                "{target}"
            );
        }
    }
}
