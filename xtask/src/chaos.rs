//! `crates/app/tests/chaos`, for as long as one likes; or `crates/app/tests/households.rs`.

use crate::run;

#[derive(Debug, PartialEq, Eq)]
struct Asked {
    minutes: u64,
    seed: u64,
    households: bool,
}

/// `chaos [--minutes N] [--seed S] [--households]`.
pub(crate) fn main(args: &[&str]) -> Result<(), String> {
    let Asked { minutes, seed, households } = parse(args)?;
    let mut nextest = run::cargo();
    nextest.args(["nextest", "run", "--workspace", "--profile", "chaos", "--no-capture"]);
    nextest.args(["-E", if households { "binary(households)" } else { "binary(chaos)" }]);
    let seconds = (minutes * 60).to_string();
    nextest.env("HOUSEHOLDS_SECONDS", &seconds);
    nextest.env("CHAOS_SECONDS", &seconds).env("CHAOS_SEED", seed.to_string());
    run::status(&mut nextest)
}

fn parse(args: &[&str]) -> Result<Asked, String> {
    let mut asked = Asked { minutes: 3, seed: 1, households: false };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let value = match *arg {
            "--households" => {
                asked.households = true;
                continue;
            }
            "--minutes" => &mut asked.minutes,
            "--seed" => &mut asked.seed,
            other => return Err(format!("chaos does not know {other}")),
        };
        let word = args.next().ok_or_else(|| format!("{arg} wants a number"))?;
        *value = word.parse().map_err(|_| format!("{arg} wants a number, not {word}"))?;
    }
    if asked.minutes == 0 { Err("--minutes must be at least 1".into()) } else { Ok(asked) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_in_any_order() {
        let asked = |minutes, seed, households| Ok(Asked { minutes, seed, households });
        assert_eq!(parse(&[]), asked(3, 1, false));
        assert_eq!(parse(&["--seed", "7", "--minutes", "60"]), asked(60, 7, false));
        assert_eq!(parse(&["--minutes", "60", "--households"]), asked(60, 1, true));
        assert!(parse(&["--minutes", "0"]).is_err() && parse(&["--minutes"]).is_err());
        assert!(parse(&["now"]).is_err());
    }
}
