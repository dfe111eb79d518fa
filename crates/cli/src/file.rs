//! `file …`: transfers.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use api::{AcceptFile, CancelFile, Failure, FileState, FileView, LocalPath};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use settings::{ListArgs, On, ProfileArgs, duration};
use text::{OrFail, json, out};
use tokio::time::Instant;
use wire::ErrorKind;

use crate::send::wait_for_file;
use crate::session::{ProfileSession, SharedProfiles, existing, with};

/// Commands about files.
#[derive(Debug, Clone, Subcommand)]
pub enum FileCommand {
    /// List file transfers.
    List(On<ListArgs>),
    /// Download a file that was offered to you.
    Fetch(On<FetchArgs>),
    /// Decline a file, or cancel a transfer.
    Refuse(On<TransferArgs>),
}

/// Arguments of `file fetch`.
#[derive(Debug, Clone, Args)]
pub struct FetchArgs {
    /// Id of the transfer (see `hushwing file list`), or `last`.
    pub transfer: String,
    /// Directory for the file [default: the profile's].
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// How long to wait for the file, such as 30s or 5m.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub timeout: Duration,
}

/// A transfer on the command line.
#[derive(Debug, Clone, Args)]
pub struct TransferArgs {
    /// Id of the transfer (see `hushwing file list`).
    pub transfer: String,
}

pub(crate) async fn run(profiles: &SharedProfiles, command: FileCommand) -> Result<(), Failure> {
    match command {
        FileCommand::List(on) => list(profiles, &on.at, on.args).await,
        FileCommand::Fetch(on) => fetch(profiles, &on.at, on.args).await,
        FileCommand::Refuse(on) => refuse(profiles, &on.at, on.args).await,
    }
}

/// A bar on stderr while a file moves; nothing unless that is a terminal.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(name: &str, size: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(size), ProgressDrawTarget::stderr());
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let template = "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(name.to_owned());
        Progress(bar)
    }

    pub(crate) fn at(&self, done: u64) {
        self.0.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

async fn list(profiles: &SharedProfiles, at: &ProfileArgs, args: ListArgs) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        for one in session.files().await? {
            if args.json { json(&one)? } else { out(&text::file(&one))? }
        }
        Ok(())
    })
    .await
}

async fn find(session: &mut ProfileSession, typed: &str) -> Result<FileView, Failure> {
    text::meant(typed, session.files().await?).or_fail()
}

async fn fetch(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: FetchArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let found = find(session, &args.transfer).await?;
        let (transfer, end) = (found.transfer, Instant::now() + args.timeout);
        if !found.ours && found.state == FileState::Offered {
            let directory = args.to.as_ref().map(LocalPath::new);
            session.ask(AcceptFile { transfer, directory }).await?;
        }
        let progress = Progress::new(&found.name, found.size);
        loop {
            let now = find(session, &transfer.to_string()).await?;
            progress.at(now.done);
            let hint = "ask the sender to send it again";
            match now.state {
                FileState::Offered | FileState::Moving => {}
                FileState::Done => {
                    drop(progress);
                    return out(now.path.as_deref().unwrap_or_default());
                }
                FileState::Failed => {
                    let text = "the file does not match what was offered";
                    return Err(Failure::new(ErrorKind::PeerMisbehaved, text, hint));
                }
                FileState::Cancelled => {
                    let text = "this transfer was cancelled";
                    return Err(Failure::new(ErrorKind::LocalConfig, text, hint));
                }
            }
            if Instant::now() >= end {
                let what = format!("received {} of {} bytes", now.done, now.size);
                return Err(session.late(&what, "run the command again to resume").await);
            }
            wait_for_file(session, transfer, end).await;
        }
    })
    .await
}

async fn refuse(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: TransferArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let transfer = find(session, &args.transfer).await?.transfer;
        session.ask(CancelFile { transfer }).await?;
        Ok(())
    })
    .await
}
