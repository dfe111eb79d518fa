//! Messages and files on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use settings::{PatienceArgs, duration};

/// Settings of `send`.
#[derive(Debug, Clone, Args)]
pub struct SendArgs {
    /// The contact or group.
    pub name: String,
    /// The text; `-`, or nothing in a pipe: read from stdin.
    #[arg(value_name = "TEXT|-", conflicts_with = "file")]
    pub text: Option<String>,
    /// Send this file.
    #[arg(long, value_name = "PATH", conflicts_with = "reply_to")]
    pub file: Option<PathBuf>,
    /// The message that it answers: its id, or its first digits.
    #[arg(long, value_name = "ID")]
    pub reply_to: Option<String>,
    /// Do not wait until it is stored; it leaves the next time the profile runs.
    #[arg(long)]
    pub queue: bool,
    /// Print the message's id and state as JSON.
    #[arg(long)]
    pub json: bool,
    /// How long to wait until it is stored, as in 30s; default 30s, for files 10m.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
}

/// Settings of `recv`.
#[derive(Debug, Clone, Args)]
pub struct RecvArgs {
    /// Go on until interrupted.
    #[arg(long, short, conflicts_with = "wait")]
    pub follow: bool,
    /// Print JSON, one message a line.
    #[arg(long)]
    pub json: bool,
    /// Only messages of this contact or group.
    #[arg(long, value_name = "NAME")]
    pub from: Option<String>,
    /// Wait so long for messages, as in 30s; default: until nothing more comes.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub wait: Option<Duration>,
    /// Stop after so many messages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
}

/// Settings of `talk`.
#[derive(Debug, Clone, Args)]
pub struct TalkArgs {
    /// The contact or group.
    pub name: String,
}

/// Settings of `history`.
#[derive(Debug, Clone, Args)]
pub struct HistoryArgs {
    /// The contact or group.
    pub name: String,
    /// How many messages at most.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// Only messages with a number below this, as --json shows it.
    #[arg(long, value_name = "N")]
    pub before: Option<i64>,
    /// Print JSON, one message a line.
    #[arg(long)]
    pub json: bool,
}

/// Settings of `search`.
#[derive(Debug, Clone, Args)]
pub struct SearchArgs {
    /// The words.
    #[arg(required = true)]
    pub words: Vec<String>,
    /// Only in this contact's or group's messages.
    #[arg(long = "in", value_name = "NAME")]
    pub conversation: Option<String>,
    /// How many messages at most.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// Print JSON, one message a line.
    #[arg(long)]
    pub json: bool,
}

/// A message on the command line.
#[derive(Debug, Clone, Args)]
pub struct MessageArgs {
    /// The message's id, or its first digits (4 or more), from `hushwing history`.
    pub id: String,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// Settings of `edit`.
#[derive(Debug, Clone, Args)]
pub struct EditArgs {
    /// Which message.
    #[command(flatten)]
    pub message: MessageArgs,
    /// The new text; `-`, or nothing in a pipe: read from stdin.
    #[arg(value_name = "TEXT|-")]
    pub text: Option<String>,
}

/// Settings of `react`.
#[derive(Debug, Clone, Args)]
pub struct ReactArgs {
    /// Which message.
    #[command(flatten)]
    pub message: MessageArgs,
    /// One emoji, or another short text.
    pub emoji: String,
    /// Take it away.
    #[arg(long)]
    pub remove: bool,
}

/// Settings of `fetch`.
#[derive(Debug, Clone, Args)]
pub struct FetchArgs {
    /// The transfer's id, or its first digits, from `hushwing files`.
    pub transfer: String,
    /// Directory for the file; default: the profile's.
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// How long to wait until it is there, as in 30s or 5m.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub timeout: Duration,
}

/// A transfer on the command line.
#[derive(Debug, Clone, Args)]
pub struct TransferArgs {
    /// The transfer's id, or its first digits, from `hushwing files`.
    pub transfer: String,
}

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: a line a message.
    Txt,
    /// For programs: a JSON object a line, with everything that is known.
    Jsonl,
    /// One page for a browser, without scripts.
    Html,
}

/// Settings of `export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// The contact or group.
    pub conversation: String,
    /// What it looks like.
    #[arg(long, value_enum, default_value_t = Format::Txt)]
    pub format: Format,
    /// Write to this file, readable by you only; default: stdout.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace the file if it is there.
    #[arg(long)]
    pub force: bool,
}
