//! Development tasks: `cargo xtask COMMAND`.
//!
//! # In this crate
//! - `tidy`: the rules of this source tree that no compiler checks
//! - `ci`: every step that continuous integration runs, in order
//! - `fuzz`: builds and runs the fuzz targets with a stable toolchain
//! - `chaos`: faults at random in a network that runs
//! - `earlier`: this program and an earlier one in one network
//! - `licenses`: the list of third-party licences
//!
//! # Not in this crate
//! Anything that ships. No crate depends on this one.
//!
//! # Invariants
//! - A step that cannot run says so; nothing is skipped silently.
//! - Every offence is one line, `file:line: what`, and makes the exit code 1.

mod chaos;
mod ci;
mod earlier;
mod fuzz;
mod graph;
mod licenses;
mod run;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  tidy                            check the rules of the source tree
  ci                              run everything that CI runs, stop at the first failure
  fuzz [TARGET] [--seconds N]     run one fuzz target, or all; N seconds each (default 60)
  chaos [--minutes N] [--seed S] [--households]
                                  faults at random in a network that runs, while people talk;
                                  or changing addresses in three networks of households
  earlier                         build the program of an earlier commit, and let it meet this one
  licenses                        write THIRD-PARTY.md
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["tidy"] => tidy::main(),
        ["ci"] => ci::main(),
        ["fuzz", rest @ ..] => fuzz::main(rest),
        ["chaos", rest @ ..] => chaos::main(rest),
        ["earlier"] => earlier::main(),
        ["licenses"] => licenses::main(),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}
