//! `crates/app/tests/chaos.rs`, for as long as one likes.

use crate::run;

/// `chaos [--minutes N] [--seed S]`.
pub(crate) fn main(args: &[&str]) -> Result<(), String> {
    let (minutes, seed) = parse(args)?;
    let mut nextest = run::cargo();
    nextest.args(["nextest", "run", "--workspace", "--profile", "chaos", "--no-capture"]);
    nextest.args(["-E", "binary(chaos)"]);
    nextest.env("CHAOS_SECONDS", (minutes * 60).to_string()).env("CHAOS_SEED", seed.to_string());
    run::status(&mut nextest)
}

fn parse(args: &[&str]) -> Result<(u64, u64), String> {
    let (mut minutes, mut seed) = (3, 1);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let value = match *arg {
            "--minutes" => &mut minutes,
            "--seed" => &mut seed,
            other => return Err(format!("chaos does not know {other}")),
        };
        let word = args.next().ok_or_else(|| format!("{arg} wants a number"))?;
        *value = word.parse().map_err(|_| format!("{arg} wants a number, not {word}"))?;
    }
    if minutes == 0 { Err("--minutes must be at least 1".into()) } else { Ok((minutes, seed)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_in_any_order() {
        assert_eq!(parse(&[]), Ok((3, 1)));
        assert_eq!(parse(&["--seed", "7", "--minutes", "60"]), Ok((60, 7)));
        assert!(parse(&["--minutes", "0"]).is_err() && parse(&["--minutes"]).is_err());
        assert!(parse(&["now"]).is_err());
    }
}
