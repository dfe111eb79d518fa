//! Files: picking one to send, transfers, accepting and declining.

use std::path::{Path, PathBuf};

use api::{
    AcceptFile, CancelFile, ConversationId, FileState, FileView, LocalPath, SendFile, TransferId,
};
use text::bytes;

use super::pages;
use crate::ask;
use crate::cells;
use crate::dialog::{Button, Dialog, Item, Live, Page, Pick, Press, Row, Source};
use crate::state::{App, Effect, Found};

/// Lists a directory, to pick a file for a conversation.
pub(super) fn pick(out: &mut Vec<Effect>, to: ConversationId, path: Option<PathBuf>) {
    out.push(Effect::ReadDir(to, path));
}

/// A directory was read: the file picker shows it.
pub(super) fn directory(
    app: &mut App,
    to: ConversationId,
    path: &Path,
    found: Result<Vec<Found>, String>,
) {
    let found = match found {
        Ok(found) => found,
        Err(why) => return app.complain(why),
    };
    let mut items: Vec<Item> = Vec::new();
    if let Some(up) = path.parent() {
        items.push(Item::new("../", "up", Press::Dir(to, up.to_owned())));
    }
    items.extend(found.into_iter().map(|f| entry(to, path, &f)));
    let note = cells::one_line(&path.display().to_string());
    let pick = Pick { source: Source::Dir, ..Pick::new("Send which file?", note, items) };
    // Going from directory to directory is one dialog.
    if let Some(Dialog::Pick(old)) = app.dialogs.last()
        && old.source == Source::Dir
    {
        app.dialogs.pop();
    }
    app.dialogs.push(Dialog::Pick(Box::new(pick)));
}

fn entry(to: ConversationId, path: &Path, found: &Found) -> Item {
    let whole = path.join(&found.name);
    let name = cells::one_line(&found.name);
    if found.dir {
        return Item::new(format!("{name}/"), "", Press::Dir(to, whole));
    }
    Item::new(name, bytes(found.bytes), Press::File(to, whole))
}

/// Offers a file.
pub(super) fn send(out: &mut Vec<Effect>, to: ConversationId, path: impl AsRef<Path>) {
    let request = SendFile { conversation: to, path: LocalPath::new(path) };
    ask::ask_and_say(out, request, "file offered; it is sent once they accept");
}

/// Fetches an offered file.
pub(super) fn accept(out: &mut Vec<Effect>, transfer: TransferId) {
    let request = AcceptFile { transfer, directory: None };
    ask::ask_and_say(out, request, "fetching the file");
}

/// Declines a file, or cancels its transfer.
pub(super) fn decline(out: &mut Vec<Effect>, transfer: TransferId) {
    ask::ask_and_say(out, CancelFile { transfer }, "cancelled");
}

/// Transfers of files, the newest first.
pub(super) fn transfers(app: &App) -> Pick {
    let items = app.files.iter().rev().map(|f| {
        let bar = cells::bar(f.done, f.size, 10);
        let detail = format!("{bar}  {} {}  {}", direction(f), f.label, f.state);
        let page = Press::Page(Box::new(transfer(f)));
        Item::new(format!("{} ({})", f.name, bytes(f.size)), detail, page)
    });
    Pick::new("File transfers", "", items.collect())
}

const fn direction(file: &FileView) -> &'static str {
    if file.ours { "to" } else { "from" }
}

/// A file transfer.
pub(super) fn transfer(file: &FileView) -> Page {
    let mut rows = vec![
        Row::Pair("file".to_owned(), file.name.clone()),
        Row::Pair("size".to_owned(), bytes(file.size)),
        Row::Pair(direction(file).to_owned(), file.label.clone()),
        Row::Pair("state".to_owned(), file.state.word().to_owned()),
        Row::Bar(file.done, file.size),
    ];
    rows.extend(file.path.as_ref().map(|p| Row::Pair("path".to_owned(), p.clone())));
    let mut buttons = vec![pages::close("close")];
    let transfer = file.transfer;
    let stop = Press::step(move |_, out| decline(out, transfer));
    match (file.state, file.ours) {
        (FileState::Offered, false) => {
            let accept = Press::step(move |_, out| accept(out, transfer));
            buttons.push(Button::new("accept", accept));
            buttons.push(Button::new("decline", stop));
        }
        (FileState::Offered | FileState::Moving, _) => {
            buttons.push(Button::new("cancel the transfer", stop));
        }
        (FileState::Done | FileState::Failed | FileState::Cancelled, _) => {}
    }
    Page::new("File transfer", rows, buttons).live(Live::Transfer(transfer))
}
