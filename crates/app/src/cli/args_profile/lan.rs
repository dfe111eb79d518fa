//! The command line of the local network: neighbours, people nearby, bundles.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use settings::{On, PatienceArgs, duration};

/// Settings of `mesh`.
#[derive(Debug, Clone, Args)]
pub struct MeshArgs {
    /// How long to look for neighbours before the answer, as in 10s.
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub time: Duration,
    /// Stay, and carry boxes for others until Ctrl-C.
    #[arg(long, conflicts_with = "json")]
    pub stay: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Settings of `nearby`.
#[derive(Debug, Clone, Args)]
pub struct NearbyArgs {
    /// Show your name to everybody on the local network meanwhile, so that others can knock.
    #[arg(long)]
    pub show: bool,
    /// Knock at whoever shows this name, and wait for their yes.
    #[arg(long, value_name = "NAME")]
    pub knock: Option<String>,
    /// Open to the first who knocks with this name (without it a terminal asks you).
    #[arg(long, value_name = "NAME", requires = "show")]
    pub open: Option<String>,
    /// How long, as in 2m.
    #[arg(long = "for", value_name = "TIME", default_value = "2m", value_parser = duration)]
    pub time: Duration,
    /// Print JSON, one object a line.
    #[arg(long)]
    pub json: bool,
}

/// Commands of `bundle`.
#[derive(Debug, Clone, Subcommand)]
pub enum BundleCommand {
    /// Write a file with what is to reach others.
    Out(On<BundleOutArgs>),
    /// Read a file that somebody brought.
    In(On<BundleInArgs>),
}

/// Settings of `bundle out`.
#[derive(Debug, Clone, Args)]
pub struct BundleOutArgs {
    /// The file; it must not be there yet. `-` writes to stdout.
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
    /// Only what is for this contact or group.
    #[arg(long = "for", value_name = "NAME")]
    pub conversation: Option<String>,
    /// Show it as QR codes too, if it is small: on a terminal one after the other.
    #[arg(long)]
    pub qr: bool,
}

/// Settings of `bundle in`.
#[derive(Debug, Clone, Args)]
pub struct BundleInArgs {
    /// The file; `-` reads stdin.
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
    /// How long to wait for what comes of it.
    #[command(flatten)]
    pub patience: PatienceArgs,
}
