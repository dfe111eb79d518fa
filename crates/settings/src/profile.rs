//! Which profile a command is for, and what commands of a profile share.

use std::time::Duration;

use clap::Args;
use vault::config::LanUse;

/// A command with the profile that it is for.
#[derive(Debug, Clone, Args)]
pub struct On<T: Args> {
    /// Its own arguments.
    #[command(flatten)]
    pub args: T,
    /// Which profile.
    #[command(flatten)]
    pub at: ProfileArgs,
}

/// Which profile a command is for.
#[derive(Debug, Clone, Args)]
pub struct ProfileArgs {
    /// The profile: contacts, groups and history of their own.
    #[arg(
        long,
        value_name = "NAME",
        env = "HUSHWING_PROFILE",
        hide_env_values = true,
        default_value = "default"
    )]
    pub profile: String,
    /// Whether to look for neighbours on the local network; default: as the profile's settings say.
    #[arg(long, value_name = "off|on|only", env = "HUSHWING_LAN", hide_env_values = true, value_parser = lan_use)]
    pub lan: Option<LanUse>,
    /// Use the local network and nothing else: the same as --lan only.
    #[arg(long, conflicts_with = "lan")]
    pub lan_only: bool,
}

impl ProfileArgs {
    /// What the command line says about the local network.
    #[must_use]
    pub const fn lan_use(&self) -> Option<LanUse> {
        if self.lan_only { Some(LanUse::Only) } else { self.lan }
    }
}

fn lan_use(word: &str) -> Result<LanUse, String> {
    LanUse::parse(word).ok_or_else(|| "off, on or only".to_owned())
}

/// For commands that may make the profile.
#[derive(Debug, Clone, Copy, Args)]
pub struct CreateArgs {
    /// Lock a new profile with a key file instead of a passphrase: whoever can read your files can
    /// read it.
    #[arg(long)]
    pub no_passphrase: bool,
}

/// How long to wait for the network.
#[derive(Debug, Clone, Copy, Args)]
pub struct PatienceArgs {
    /// How long to wait until it is done, as in 30s or 5m.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub timeout: Duration,
}

/// For commands that print lists.
#[derive(Debug, Clone, Copy, Args)]
pub struct ListArgs {
    /// Print JSON, one object a line.
    #[arg(long)]
    pub json: bool,
}

/// Whether a command may make the profile, and how it is locked then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreatePolicy {
    /// It must be there.
    Never,
    /// Locked by a passphrase, if there is a way to ask for one.
    Passphrase,
    /// Locked by a key file.
    KeyFile,
}

impl From<CreateArgs> for CreatePolicy {
    fn from(args: CreateArgs) -> Self {
        if args.no_passphrase { CreatePolicy::KeyFile } else { CreatePolicy::Passphrase }
    }
}

/// A time with its unit, as in 90s or 12h; a bare number is seconds.
///
/// # Errors
/// A text that is no time, in words for `clap`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let bare = text.parse::<u64>().ok().and_then(|s| s.checked_mul(1_000)).filter(|ms| *ms > 0);
    let ms = bare
        .filter(|ms| *ms <= vault::units::MAX_DURATION_MS)
        .or_else(|| vault::units::parse_duration(text));
    ms.map(Duration::from_millis)
        .ok_or_else(|| "a number and a unit, as in 90s, 15m, 12h, 30d or 4w".to_owned())
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
