//! What continuous integration runs, in order, up to the first failure.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::run::{self, cargo, installed};
use crate::{fuzz, tidy};

/// Seconds that each fuzz target runs.
const FUZZ_SECONDS: u32 = 10;

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// Done; lines worth repeating at the end.
    Passed(Vec<String>),
    /// Not run, and why.
    Skipped(String),
}

type Step = (&'static str, fn() -> Result<Outcome, String>);

const STEPS: &[Step] = &[
    ("fmt", || pass(cargo().args(["fmt", "--all", "--check"]))),
    ("tidy", || tidy::main().map(|()| Outcome::Passed(Vec::new()))),
    ("clippy", || {
        pass(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    }),
    ("features", features),
    ("typos", || with_tool("typos", in_root("typos", &[]))),
    ("deny", || with_tool("cargo-deny", deny("Cargo.toml"))),
    ("deny-fuzz", || with_tool("cargo-deny", deny("fuzz/Cargo.toml"))),
    ("test", test),
    ("doctest", doctest),
    ("doc", || pass(&mut doc())),
    ("book", || with_tool("mdbook", in_root("mdbook", &["build", "docs"]))),
    ("fuzz", || fuzz::all(FUZZ_SECONDS).map(|()| Outcome::Passed(Vec::new()))),
];

/// Runs all steps.
pub(crate) fn main() -> Result<(), String> {
    run_steps(
        STEPS,
        "advisories are not checked: their database is fetched by git; run `cargo deny check advisories`",
    )
}

fn run_steps(steps: &[Step], note: &str) -> Result<(), String> {
    let mut table = Vec::new();
    let mut repeat = Vec::new();
    let mut failure = None;
    for (name, step) in steps {
        println!("==> {name}");
        let begun = Instant::now();
        let result = step();
        let (word, why) = match &result {
            Ok(Outcome::Passed(lines)) => {
                repeat.extend(lines.iter().cloned());
                ("ok", String::new())
            }
            Ok(Outcome::Skipped(why)) => ("SKIPPED", why.clone()),
            Err(why) => ("FAILED", why.clone()),
        };
        table.push(row(name, word, begun.elapsed(), &why));
        if let Err(why) = result {
            failure = Some(format!("step {name}: {why}"));
            break;
        }
    }
    for (name, _) in steps.iter().skip(table.len()) {
        table.push(row(name, "not run", Duration::ZERO, ""));
    }
    println!("\n{}\nnote: {note}", table.join("\n"));
    for line in repeat {
        println!("{line}");
    }
    failure.map_or(Ok(()), Err)
}

fn row(name: &str, word: &str, time: Duration, why: &str) -> String {
    format!("{name:<10} {word:<8} {:>7.1} s  {why}", time.as_secs_f64()).trim_end().to_owned()
}

fn pass(command: &mut Command) -> Result<Outcome, String> {
    run::status(command).map(|()| Outcome::Passed(Vec::new()))
}

fn in_root(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(run::root()).args(args);
    command
}

fn deny(manifest: &str) -> Command {
    let mut deny = cargo();
    deny.args(["deny", "--config", "deny.toml", "--manifest-path", manifest]);
    deny.args(["check", "licenses", "bans", "sources"]);
    deny
}

/// A step whose tool may be absent on a developer's machine, but not in CI.
fn with_tool(tool: &str, mut command: Command) -> Result<Outcome, String> {
    if installed(tool) {
        pass(&mut command)
    } else {
        absent(tool, std::env::var("CI").is_ok_and(|ci| ci == "true"))
    }
}

fn absent(tool: &str, in_ci: bool) -> Result<Outcome, String> {
    let why = format!("{tool} is not installed");
    if in_ci { Err(why) } else { Ok(Outcome::Skipped(why)) }
}

/// The program without what the features `arti` and `pgp` bring: neither, and each alone. Both
/// together are the default, which every other step builds.
fn features() -> Result<Outcome, String> {
    for features in ["", "arti", "pgp"] {
        println!("features: {}", if features.is_empty() { "none" } else { features });
        let mut clippy = cargo();
        clippy.args(["clippy", "--package", "hushwing", "--no-default-features"]);
        clippy.args(["--features", features, "--", "-D", "warnings"]);
        run::status(&mut clippy)?;
    }
    Ok(Outcome::Passed(Vec::new()))
}

/// Pages of our own crates; their links are what is checked.
fn doc() -> Command {
    let mut doc = cargo();
    doc.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
    doc
}

fn test() -> Result<Outcome, String> {
    if !installed("cargo-nextest") {
        return Err("cargo-nextest is not installed (cargo install --locked cargo-nextest)".into());
    }
    let mut nextest = cargo();
    nextest.args(["nextest", "run", "--workspace", "--profile", "ci"]);
    let summary = run::status_keeping(&mut nextest, is_nextest_summary)?;
    Ok(Outcome::Passed(summary))
}

/// `Summary [  12.345s] 321 tests run: 321 passed, 2 skipped`
fn is_nextest_summary(line: &str) -> bool {
    line.trim_start().starts_with("Summary [") && line.contains("run:")
}

fn doctest() -> Result<Outcome, String> {
    let results =
        run::status_keeping(cargo().args(["test", "--doc", "--workspace"]), is_doctest_result)?;
    let passed: u64 = results.iter().filter_map(|line| passed_in(line)).sum();
    Ok(Outcome::Passed(vec![format!("{passed} documentation tests passed")]))
}

fn is_doctest_result(line: &str) -> bool {
    line.starts_with("test result: ok.")
}

/// The count in `test result: ok. 3 passed; 0 failed; …`.
fn passed_in(line: &str) -> Option<u64> {
    line.strip_prefix("test result: ok. ")?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_stop_at_the_first_failure() {
        let steps: &[Step] = &[
            ("one", || Ok(Outcome::Passed(Vec::new()))),
            ("two", || Err("broken".into())),
            ("three", || unreachable!("runs after a failure")),
        ];
        assert_eq!(run_steps(steps, "").unwrap_err(), "step two: broken");
        assert!(run_steps(&steps[..1], "").is_ok());
    }

    #[test]
    fn a_missing_tool_is_a_notice_at_home_and_a_failure_in_ci() {
        assert_eq!(absent("typos", false), Ok(Outcome::Skipped("typos is not installed".into())));
        assert!(absent("typos", true).is_err());
    }

    #[test]
    fn summaries_are_recognised() {
        assert!(is_nextest_summary("     Summary [   4.321s] 12 tests run: 12 passed, 1 skipped"));
        assert!(is_nextest_summary(
            "Summary [   4.321s] 3/12 tests run: 2 passed, 1 failed, 1 skipped"
        ));
        assert!(!is_nextest_summary("        PASS [   0.004s] wire summary"));
        assert_eq!(passed_in("test result: ok. 3 passed; 0 failed; 0 ignored"), Some(3));
        assert!(!is_doctest_result("test result: FAILED. 1 passed; 1 failed"));
    }

    #[test]
    fn a_row_names_step_result_time_and_reason() {
        let row = row("fmt", "FAILED", Duration::from_millis(1500), "why");
        assert_eq!(
            row.split_whitespace().collect::<Vec<_>>(),
            ["fmt", "FAILED", "1.5", "s", "why"]
        );
    }
}
