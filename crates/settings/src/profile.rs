//! Which profile a command is for, and options that several such commands share.

use std::time::Duration;

use clap::Args;
use vault::config::LanUse;

/// The arguments of a command, and the profile that it is for.
#[derive(Debug, Clone, Args)]
pub struct On<T: Args> {
    /// The command's own arguments.
    #[command(flatten)]
    pub args: T,
    /// The profile to use.
    #[command(flatten)]
    pub at: ProfileArgs,
}

/// The profile that a command is for.
#[derive(Debug, Clone, Args)]
pub struct ProfileArgs {
    /// Profile to use; each has its own contacts, groups and history.
    #[arg(
        long,
        value_name = "NAME",
        env = "HUSHWING_PROFILE",
        hide_env_values = true,
        default_value = "default"
    )]
    pub profile: String,
    /// Use the local network [default: the profile's settings].
    #[arg(long, value_name = "off|on|only", env = "HUSHWING_LAN", hide_env_values = true, value_parser = lan_use)]
    pub lan: Option<LanUse>,
    /// Use only the local network, like --lan only.
    #[arg(long, conflicts_with = "lan")]
    pub lan_only: bool,
}

impl ProfileArgs {
    /// How the command line says to use the local network, if it does.
    #[must_use]
    pub const fn lan_use(&self) -> Option<LanUse> {
        if self.lan_only { Some(LanUse::Only) } else { self.lan }
    }
}

fn lan_use(word: &str) -> Result<LanUse, String> {
    LanUse::parse(word).ok_or_else(|| "use off, on or only".to_owned())
}

/// An option of commands that create the profile if it does not exist.
#[derive(Debug, Clone, Copy, Args)]
pub struct CreateArgs {
    /// Protect a new profile with a key file instead of a passphrase: anyone who can read your
    /// files can then read it.
    #[arg(long)]
    pub no_passphrase: bool,
}

/// An option of commands that wait for the network.
#[derive(Debug, Clone, Copy, Args)]
pub struct PatienceArgs {
    /// How long to wait for completion, such as 30s or 5m.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub timeout: Duration,
}

/// An option of commands that print lists.
#[derive(Debug, Clone, Copy, Args)]
pub struct ListArgs {
    /// Print JSON, one object per line.
    #[arg(long)]
    pub json: bool,
}

/// Whether a command may create the profile, and how to protect it then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreatePolicy {
    /// The profile must exist.
    Never,
    /// Create it with a passphrase, if there is a way to ask for one.
    Passphrase,
    /// Create it with a key file.
    KeyFile,
}

impl From<CreateArgs> for CreatePolicy {
    fn from(args: CreateArgs) -> Self {
        if args.no_passphrase { CreatePolicy::KeyFile } else { CreatePolicy::Passphrase }
    }
}

/// Parses a time with its unit, such as 90s or 12h; a number alone means seconds.
///
/// # Errors
/// A text that is not a time, in words for `clap`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let bare = text.parse::<u64>().ok().and_then(|s| s.checked_mul(1_000)).filter(|ms| *ms > 0);
    let ms = bare
        .filter(|ms| *ms <= vault::units::MAX_DURATION_MS)
        .or_else(|| vault::units::parse_duration(text));
    ms.map(Duration::from_millis)
        .ok_or_else(|| "use a number and a unit, such as 90s, 15m, 12h, 30d or 4w".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7_200)));
        for bad in ["", "0", "0s", "soon", "-1", "1y", "99999999999999999999", "9999999999999"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
    }
}
