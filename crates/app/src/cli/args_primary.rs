//! The command line of `primary` and `trace`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use settings::{CoverArg, TorArgs};

/// `primary`: runs it, or one of its helpers.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct PrimaryArgs {
    /// A helper.
    #[command(subcommand)]
    pub command: Option<PrimaryCommand>,
    /// Settings of the network.
    #[command(flatten)]
    pub run: PrimaryRunArgs,
}

/// The helpers of `primary`.
#[derive(Debug, Clone, Subcommand)]
pub enum PrimaryCommand {
    /// Make a client key, and print its public half for whoever runs the network.
    Enroll {
        /// Where the secret half goes, mode 0600.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Fetch, unseal and verify the network document, and print it as JSON: the lock-cycle payload.
    Payload {
        /// The room's link.
        link: String,
        /// Your client key, in a network whose document goes to enrolled clients only.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Tor's own settings.
        #[command(flatten)]
        tor: TorArgs,
    },
    /// Show it all at work: payload, a message, a cycle, another message; nothing is left behind.
    Demo,
}

/// Settings of a network with a pool of ephemeral relays.
#[derive(Debug, Clone, Args)]
pub struct PrimaryRunArgs {
    /// Relays at one time, each with its own keys.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub nodes: u8,
    /// After this time new relays come and the old ones go: 90s, 10m, 1h.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub cycle: Duration,
    /// Relays on each path; default 3, or all when there are fewer.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=11))]
    pub hops: Option<u8>,
    /// Mean of the random delay at each hop, ms.
    #[arg(long, value_name = "MS", default_value_t = 50)]
    pub mean_delay: u32,
    /// Cover traffic of the clients.
    #[arg(long, value_enum, default_value_t = CoverArg::Off)]
    pub cover: CoverArg,
    /// Give the network document to these clients only, sealed to their keys: public halves, or
    /// files of them. Repeatable.
    #[arg(long, value_name = "FILE|KEY", num_args = 1..)]
    pub enrolled: Vec<String>,
    /// Keep the directory's and the hub's keys and boxes here, so that links stay good after a
    /// restart; default: nothing is kept. Relays keep nothing in any case.
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Where all of it listens.
    #[arg(long, default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// Port of the hub; 0 lets the system choose.
    #[arg(long, default_value_t = 0)]
    pub hub_port: u16,
    /// Port of the directory; 0 lets the system choose.
    #[arg(long, default_value_t = 0)]
    pub directory_port: u16,
    /// Each role is an onion service of its own and has no other address; the relays' are new at
    /// each cycle.
    #[arg(long)]
    pub tor: bool,
    /// Tor's own settings.
    #[command(flatten)]
    pub tor_settings: TorArgs,
}

/// Settings of `trace`.
#[derive(Debug, Clone, Args)]
pub struct TraceArgs {
    /// The room's link: sends a packet. Or a receipt: verifies it offline.
    #[arg(value_name = "LINK|FILE")]
    pub what: String,
    /// Write the receipt to this file, mode 0600: it names the packet's way.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Your client key, in a network whose document goes to enrolled clients only.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Tor's own settings.
    #[command(flatten)]
    pub tor: TorArgs,
}

/// A time such as `90s`, `10m` or `1h`; a bare number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let bad = || "a time is a number and s, m or h, as in 90s, 10m, 1h".to_owned();
    let digits = text.trim_end_matches(['s', 'm', 'h']);
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(bad()),
    };
    let seconds = digits
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(unit))
        .filter(|n| *n > 0)
        .ok_or_else(bad)?;
    if seconds > 24 * 3_600 {
        Err("at most 24h".to_owned())
    } else {
        Ok(Duration::from_secs(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_write_them() {
        for (text, seconds) in
            [("90", 90), ("90s", 90), ("10m", 600), ("1h", 3_600), ("24h", 86_400)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        for bad in ["", "0", "m", "10x", "1hh", "-5s", "25h", "99999999999999999999h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
