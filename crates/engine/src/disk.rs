//! Files of transfers: what the messenger wants read and written, and what the disk says.

use std::path::Path;

use api::{Answer, Event, Queued, Reason, Refusal};
use e2ee::id::{ConversationId, TransferId};
use messenger::event::FileState;
use messenger::transfer::NewFile;
use tokio::sync::mpsc;
use vault::config::AcceptFiles;

use crate::core::Core;
use crate::files;
use crate::id::Shared;
use crate::refuse::disk;

/// What the disk said.
pub(crate) enum DiskReport {
    /// Size and digest of a file to send.
    Looked(std::io::Result<NewFile>, ConversationId, Answer<Queued>),
    /// A fetched file was checked and named; `None`: its digest is wrong.
    Finished(TransferId, std::io::Result<Option<String>>),
}

/// The part of a profile that works on files. What takes long runs on other threads.
pub(crate) struct Disk {
    reports: mpsc::Receiver<DiskReport>,
    to: mpsc::Sender<DiskReport>,
}

impl Disk {
    pub(crate) fn new() -> Self {
        let (to, reports) = mpsc::channel(64);
        Disk { reports, to }
    }

    /// The next thing that the disk says. Safe to drop while it waits.
    pub(crate) async fn next(&mut self) -> DiskReport {
        match self.reports.recv().await {
            Some(report) => report,
            // Not while a sender is kept here.
            None => std::future::pending().await,
        }
    }

    /// Looks at a file that is to be sent.
    pub(crate) fn send_file(
        &self,
        core: &Core,
        conversation: ConversationId,
        path: &Path,
        answer: Answer<Queued>,
    ) {
        let size = std::fs::metadata(path).map_or(0, |m| m.len());
        if let Err(refusal) = within_limit(core, size) {
            return answer.send(Err(refusal));
        }
        let (path, to) = (path.to_owned(), self.to.clone());
        tokio::task::spawn_blocking(move || {
            let looked = files::look(&path);
            let _ = to.blocking_send(DiskReport::Looked(looked, conversation, answer));
        });
    }

    /// Reads a piece of a file that is being sent.
    pub(crate) fn read_chunk(core: &mut Core, transfer: TransferId, offset: u64, len: usize) {
        let Some(path) = core.messenger.transfer(transfer).map(|t| t.path.clone()) else { return };
        let done = match files::read_chunk(&path, offset, len) {
            Ok(bytes) => core.step(|m, s| m.on_chunk(s, transfer, offset, &bytes)),
            Err(_) => core.step(|m, s| m.on_finished(s, transfer, FileState::Failed, None)),
        };
        core.tell_refusal(done);
    }

    /// Writes a piece of a file that is being fetched.
    pub(crate) fn write_chunk(core: &mut Core, transfer: TransferId, offset: u64, bytes: &[u8]) {
        let Some(directory) = core.messenger.transfer(transfer).map(|t| t.path.clone()) else {
            return;
        };
        let up_to = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let done = match files::write_chunk(&directory, transfer, offset, bytes) {
            Ok(()) => core.step(|m, s| m.on_written(s, transfer, up_to)),
            Err(error) => {
                core.tell(Event::Notice { text: format!("a file cannot be written: {error}") });
                core.step(|m, s| m.on_finished(s, transfer, FileState::Failed, None))
            }
        };
        core.tell_refusal(done);
    }

    /// Checks a file that has come whole, and gives it its name.
    pub(crate) fn finish(&self, core: &Core, transfer: TransferId) {
        let Some(t) = core.messenger.transfer(transfer).cloned() else { return };
        let to = self.to.clone();
        tokio::task::spawn_blocking(move || {
            let done = files::finish(&t.path, transfer, &t.name, &t.sha256);
            let _ = to.blocking_send(DiskReport::Finished(transfer, done));
        });
    }

    /// Takes what the disk said.
    pub(crate) fn on_report(core: &mut Core, report: DiskReport) {
        match report {
            DiskReport::Looked(Ok(file), conversation, answer) => {
                let done = core.step(|m, s| m.send_file(s, conversation, &file));
                answer.send(done.map(|(id, _)| Queued { message: id.other() }));
            }
            DiskReport::Looked(Err(error), _, answer) => {
                answer.send(Err(disk("the file cannot be read", &error)));
            }
            DiskReport::Finished(transfer, Ok(Some(path))) => {
                let done =
                    core.step(|m, s| m.on_finished(s, transfer, FileState::Done, Some(path)));
                core.tell_refusal(done);
            }
            DiskReport::Finished(transfer, failed) => {
                let text = match failed {
                    Err(error) => format!("a fetched file cannot be written: {error}"),
                    Ok(_) => "a fetched file is not what was offered: it was discarded".to_owned(),
                };
                core.tell(Event::Notice { text });
                let done = core.step(|m, s| m.on_finished(s, transfer, FileState::Failed, None));
                core.tell_refusal(done);
            }
        }
    }

    /// A transfer has got further: fetches or refuses by the settings what was offered, and clears
    /// away what came to nothing.
    pub(crate) fn on_moved(
        core: &mut Core,
        transfer: TransferId,
        state: FileState,
    ) -> Option<Event> {
        let found = core.messenger.transfer(transfer)?.clone();
        if state == FileState::Offered && is_wanted(core, &found) {
            let directory = core.downloads().ok()?;
            let done = core.step(|m, s| m.accept_file(s, transfer, directory));
            core.tell_refusal(done);
        }
        if state == FileState::Offered && core.config.accept_files == AcceptFiles::Never {
            let done = core.step(|m, s| m.cancel_file(s, transfer));
            core.tell_refusal(done);
        }
        if !found.ours && matches!(state, FileState::Failed | FileState::Cancelled) {
            files::discard(&found.path, transfer);
        }
        let now = core.messenger.transfer(transfer)?;
        Some(Event::File { file: core.file_view(transfer, now) })
    }
}

/// Whether a file is fetched without asking.
fn is_wanted(core: &Core, file: &messenger::transfer::Transfer) -> bool {
    let verified = core.read(|m, store| {
        Ok(m.overview(store)?.iter().any(|c| c.id == file.conversation && c.direct && c.verified))
    });
    core.config.accept_files == AcceptFiles::Contacts
        && file.size <= core.config.file_limit
        && verified.unwrap_or(false)
}

/// Whether a file of this size may be sent or fetched.
pub(crate) fn within_limit(core: &Core, size: u64) -> Result<(), Refusal> {
    let limit = core.config.file_limit;
    if size <= limit {
        return Ok(());
    }
    let text = format!("the file is larger than the limit of {}", vault::units::show_size(limit));
    Err(Refusal::wrong(Reason::TooLarge { limit }, text))
}
