//! `files`, `fetch`, `refuse`.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use settings::{CreatePolicy, ProfileArgs};
use tokio::time::Instant;
use wire::ErrorKind;

use super::here::{Here, by_prefix, with};
use super::send::wait_for_file;
use super::show::{file, json, out};
use crate::cli::args_profile::{FetchArgs, TransferArgs};
use crate::engine::profile::{Command, FileView};
use crate::exit::Failure;

const WHERE: &str = "`hushwing files` lists them";

/// A bar on stderr while a file moves; nothing unless that is a terminal.
pub struct Progress(ProgressBar);

impl Progress {
    pub fn new(name: &str, size: u64) -> Self {
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

    pub fn at(&self, done: u64) {
        self.0.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

pub async fn list(at: &ProfileArgs, as_json: bool) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        for one in here.files().await? {
            if as_json { json(&one)? } else { out(&file(&one))? }
        }
        Ok(())
    })
    .await
}

async fn find(here: &mut Here, id: &str) -> Result<FileView, Failure> {
    by_prefix(here.files().await?, |f| &f.transfer, id, "file", WHERE)
}

pub async fn fetch(at: &ProfileArgs, args: FetchArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        let found = find(here, &args.transfer).await?;
        let end = Instant::now() + args.timeout;
        if !found.ours && found.state == "offered" {
            let directory = args.to.as_ref().map(|d| d.to_string_lossy().into_owned());
            here.do_it(Command::AcceptFile { transfer: found.transfer.clone(), directory }).await?;
        }
        let progress = Progress::new(&found.name, found.size);
        loop {
            let now = find(here, &found.transfer).await?;
            progress.at(now.done);
            match now.state.as_str() {
                "done" => {
                    drop(progress);
                    return out(now.path.as_deref().unwrap_or_default());
                }
                "failed" => {
                    let hint = "ask for it to be sent again";
                    return Err(Failure::new(
                        ErrorKind::PeerMisbehaved,
                        "the file did not arrive as it was offered",
                        hint,
                    ));
                }
                "cancelled" => {
                    let hint = "ask for it to be sent again";
                    return Err(Failure::new(
                        ErrorKind::LocalConfig,
                        "this transfer was cancelled",
                        hint,
                    ));
                }
                _ => {}
            }
            if Instant::now() >= end {
                let what = format!("{} of {} bytes are here", now.done, now.size);
                return Err(here.late(&what, "say it again: it goes on where it was").await);
            }
            wait_for_file(here, &found.transfer, end).await;
        }
    })
    .await
}

pub async fn refuse(at: &ProfileArgs, args: TransferArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        let transfer = find(here, &args.transfer).await?.transfer;
        here.do_it(Command::CancelFile { transfer }).await
    })
    .await
}
