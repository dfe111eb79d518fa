//! What the actions of the table do.

use super::super::dialog::{Button, Dialog, Page, Press, Row, field};
use super::super::keys::Action;
use super::super::message::Line;
use super::super::state::{App, Compose, Effect, Members, Pane, Place, Tab, Then};
use super::{lists, open, pages, say, typing};
use crate::engine::profile::Command;

/// Does it. `digit`: the one of the key, if it was one.
pub fn act(app: &mut App, out: &mut Vec<Effect>, action: Action, digit: Option<usize>) {
    match action {
        Action::Up
        | Action::Down
        | Action::Enter
        | Action::PageUp
        | Action::PageDown
        | Action::Top
        | Action::Bottom
        | Action::ChooseUp
        | Action::ChooseDown
        | Action::Next
        | Action::Previous
        | Action::Jump
        | Action::NextUnread
        | Action::Back
        | Action::Newline
        | Action::NextButton
        | Action::PreviousButton
        | Action::Tabs => go(app, out, action, digit),
        Action::Reply
        | Action::Edit
        | Action::Delete
        | Action::React
        | Action::Cancel
        | Action::Why
        | Action::Fetch
        | Action::Refuse
        | Action::Copy => {
            let chosen = app.log().and_then(|l| l.chosen()).cloned();
            match (chosen, app.current.clone()) {
                (Some(line), Some(Place::Conversation(name))) => {
                    on_message(app, out, action, &line, &name)
                }
                (Some(line), Some(Place::Room(_))) if action == Action::Copy => {
                    out.push(Effect::Copy(line.text))
                }
                (Some(_), _) => app.say("open rooms have texts only: nothing of that kind"),
                (None, _) => app.say("choose a message first: Alt+↑, or click it"),
            }
        }
        Action::Quit => quit(app, out),
        Action::Redraw => out.push(Effect::Redraw),
        Action::Help => app.dialogs.push(Dialog::Page(pages::help())),
        Action::Palette => lists::palette(app),
        Action::Search => lists::search(app),
        Action::Theme => lists::themes(app),
        Action::Mouse => set_switch(app, out, "mouse", !app.prefs.mouse),
        Action::Notify => set_switch(app, out, "notify", !app.prefs.notify),
        Action::Name => {
            let name = app.status.as_ref().map(|s| s.name.clone()).unwrap_or_default();
            super::ask(app, pages::name(&name));
        }
        Action::AcceptInvite => super::ask(app, pages::accept_invite("")),
        Action::JoinRoom => super::ask(app, pages::join_room("")),
        Action::NewRoom => super::ask(app, pages::new_room()),
        Action::NewGroup => super::ask(app, pages::new_group()),
        Action::GroupInvites => lists::group_invites(app),
        Action::Transfers => app.dialogs.push(Dialog::Pick(Box::new(lists::transfers(app)))),
        Action::Invite => invite(app, out),
        Action::Invites => out.push(Effect::Ask(Command::Invites {}, Then::Invites)),
        Action::Network => out.push(Effect::Ask(Command::Networks {}, Then::Network)),
        Action::Mesh => out.push(Effect::Ask(Command::Mesh {}, Then::Mesh)),
        Action::Show => out.push(Effect::Ask(
            Command::Show { seconds: 600 },
            Then::Say(
                "your name is shown to everybody on the local network for ten minutes".to_owned(),
            ),
        )),
        Action::Settings => out.push(Effect::Ask(Command::Settings {}, Then::Settings(true))),
        Action::RoomLink
        | Action::RoomNick
        | Action::RoomMute
        | Action::RoomRoute
        | Action::RoomCircuits
        | Action::RoomRekey => in_room(app, out, action),
        Action::SendFile
        | Action::Words
        | Action::Floor
        | Action::Timer
        | Action::Rename
        | Action::Export
        | Action::Refresh
        | Action::CheckOn
        | Action::People
        | Action::GroupInvite
        | Action::GroupRemove
        | Action::GroupTitle
        | Action::GroupRestart
        | Action::Leave
        | Action::Forget => in_talk(app, out, action),
    }
}

/// Actions that move.
fn go(app: &mut App, out: &mut Vec<Effect>, action: Action, digit: Option<usize>) {
    let in_list = typing::in_list(app);
    let page = app.drawn.page.max(2) - 1;
    match action {
        Action::Next => open::step(app, out, false),
        Action::Previous => open::step(app, out, true),
        Action::NextUnread => open::next_unread(app, out),
        Action::Jump => {
            let place = digit.and_then(|d| app.places().into_iter().nth(d.saturating_sub(1)));
            if let Some(place) = place {
                open::open(app, out, place);
            }
        }
        Action::Tabs => {
            app.tab = if app.tab == Tab::Chats { Tab::People } else { Tab::Chats };
            app.at = 0;
            app.pane = Pane::List;
        }
        Action::Back => back(app),
        Action::Enter if in_list => {
            if let Some(place) = app.places().into_iter().nth(app.at) {
                open::open(app, out, place);
            }
        }
        Action::Enter => say::enter(app, out),
        Action::Newline => app.input.insert_newline(),
        Action::Up | Action::PageUp if in_list => {
            app.at = app.at.saturating_sub(if action == Action::Up { 1 } else { page });
        }
        Action::Down | Action::PageDown if in_list => {
            let last = app.places().len().saturating_sub(1);
            app.at = (app.at + if action == Action::Down { 1 } else { page }).min(last);
        }
        Action::Up => say::earlier(app, true),
        Action::Down => say::earlier(app, false),
        Action::PageUp => scroll(app, out, page, true),
        Action::PageDown => scroll(app, out, page, false),
        Action::Top => scroll(app, out, usize::MAX / 2, true),
        Action::Bottom => scroll(app, out, usize::MAX, false),
        Action::ChooseUp | Action::ChooseDown => {
            if let Some(log) = app.log_mut() {
                log.choose(action == Action::ChooseUp);
                let first = log.lines.first().map(|l| l.id.clone());
                if log.chosen.is_some() && log.chosen == first {
                    older(app, out);
                }
            }
        }
        _ => {}
    }
}

/// Scrolls the conversation by so many lines.
pub fn scroll(app: &mut App, out: &mut Vec<Effect>, lines: usize, back: bool) {
    let top = app.drawn.top;
    let Some(log) = app.log_mut() else { return };
    log.chosen = None;
    if !back {
        log.scroll = log.scroll.saturating_sub(lines);
        return;
    }
    log.scroll = log.scroll.saturating_add(lines);
    if let Some(top) = top
        && log.scroll >= top
    {
        log.scroll = top;
        older(app, out);
    }
}

fn older(app: &mut App, out: &mut Vec<Effect>) {
    if let Some(place) = app.current.clone() {
        open::fetch(app, out, place, true);
    }
}

fn back(app: &mut App) {
    if app.toast.take_if(|t| t.bad).is_some() {
        return;
    }
    if let Some(log) = app.log_mut()
        && (log.chosen.is_some() || log.scroll > 0)
    {
        (log.chosen, log.scroll) = (None, 0);
    } else if app.compose != Compose::New {
        app.compose = Compose::New;
        app.input = field("");
    } else if app.narrow() {
        app.pane = Pane::List;
        if let Some(at) =
            app.current.as_ref().and_then(|c| app.places().iter().position(|p| p == c))
        {
            app.at = at;
        }
    }
}

/// Asks whether something of ours is not stored; a second time: ends at once.
fn quit(app: &mut App, out: &mut Vec<Effect>) {
    if app.leaving {
        out.push(Effect::Quit);
        return;
    }
    app.leaving = true;
    out.push(Effect::Ask(Command::Status {}, Then::Quit));
}

/// Turns one of the screen's own switches.
fn set_switch(app: &mut App, out: &mut Vec<Effect>, key: &str, on: bool) {
    let value = if on { "true" } else { "false" };
    lists::preference(app, out, key, value);
    app.say(format!("{key}: {}", if on { "on" } else { "off" }));
    out.push(Effect::Ask(
        Command::Set { key: key.to_owned(), value: value.to_owned() },
        Then::Set(key.to_owned()),
    ));
}

fn invite(app: &mut App, out: &mut Vec<Effect>) {
    app.dialogs.push(Dialog::Page(pages::invite_wait()));
    let command = Command::Invite { name: None, my_name: None, expires_s: None, network: None };
    out.push(Effect::Ask(command, Then::Invite));
}

fn on_message(app: &mut App, out: &mut Vec<Effect>, action: Action, line: &Line, name: &str) {
    let (conversation, message) = (name.to_owned(), line.id.clone());
    let not_ours = "that is for messages of yours only";
    match action {
        Action::Copy => out.push(Effect::Copy(line.text.clone())),
        _ if line.notice => app.say("this is a remark, not a message"),
        Action::Reply => {
            app.compose = Compose::Reply(message);
            unchoose(app);
        }
        Action::Edit if line.you && line.file.is_none() && !line.deleted => {
            app.compose = Compose::Edit(message);
            app.input = field(&line.text);
            unchoose(app);
        }
        Action::React => app.dialogs.push(Dialog::Pick(Box::new(lists::reactions(line, name)))),
        Action::Delete => {
            let what = if line.you {
                "It is deleted here and with everybody."
            } else {
                "It is deleted here only."
            };
            let command = Command::Delete { conversation, message };
            let delete = Button::new("delete", Press::Ask(Box::new(command), Then::Nothing));
            let rows = vec![
                Row::Text(super::super::text::clip(&line.text, 200)),
                Row::Blank,
                Row::Text(what.to_owned()),
            ];
            app.dialogs.push(Dialog::Page(Page::new(
                "Delete this message?",
                rows,
                vec![delete, pages::close("keep")],
            )));
        }
        Action::Cancel if line.you => {
            let done = Then::Say("taken back".to_owned());
            out.push(Effect::Ask(Command::Cancel { conversation, message }, done));
        }
        Action::Why if line.you => {
            out.push(Effect::Ask(Command::Why { conversation, message }, Then::Why))
        }
        Action::Fetch => match &line.file {
            Some(file) if !file.ours && file.state == "offered" => fetch(out, &file.transfer),
            _ => app.say("no file is offered in this message"),
        },
        Action::Refuse => match &line.file {
            Some(file) => refuse(out, &file.transfer),
            None => app.say("there is no file in this message"),
        },
        _ => app.say(not_ours),
    }
}

fn unchoose(app: &mut App) {
    if let Some(log) = app.log_mut() {
        (log.chosen, log.scroll) = (None, 0);
    }
}

/// Fetches an offered file.
pub fn fetch(out: &mut Vec<Effect>, transfer: &str) {
    let command = Command::AcceptFile { transfer: transfer.to_owned(), directory: None };
    out.push(Effect::Ask(command, Then::Say("fetching the file".to_owned())));
}

/// Refuses a file, or stops its transfer.
pub fn refuse(out: &mut Vec<Effect>, transfer: &str) {
    let command = Command::CancelFile { transfer: transfer.to_owned() };
    out.push(Effect::Ask(command, Then::Say("stopped".to_owned())));
}

/// Actions on the open conversation or room.
fn in_talk(app: &mut App, out: &mut Vec<Effect>, action: Action) {
    let Some(place) = app.current.clone() else {
        return app.say("open a conversation first");
    };
    let name = place.name().to_owned();
    match (&place, action) {
        (_, Action::Export) => app.dialogs.push(Dialog::Pick(Box::new(lists::export(&place)))),
        (Place::Room(_), Action::People) => {
            app.dialogs.push(Dialog::Page(pages::people_of_room(app)))
        }
        (Place::Room(_), Action::Leave) => {
            let command = Command::LeaveRoom { room: name };
            let rows = vec![Row::Text(
                "It ends once what you said there is stored. To come back you need a link."
                    .to_owned(),
            )];
            sure(app, "Leave this room?", rows, "leave", command, Then::Gone(place));
        }
        (Place::Room(_), _) => app.say("that is for contacts and groups"),
        (_, Action::SendFile) => out.push(Effect::ReadDir(None)),
        (_, Action::Words) => {
            out.push(Effect::Ask(
                Command::SafetyWords { conversation: name.clone() },
                Then::Words(name),
            ));
        }
        (_, Action::Floor) => app.dialogs.push(Dialog::Pick(Box::new(lists::floors(app)))),
        (_, Action::Timer) => app.dialogs.push(Dialog::Pick(Box::new(lists::timers(&name)))),
        (_, Action::Rename) => super::ask(app, pages::rename(&name)),
        (_, Action::Refresh) => {
            let done = Then::Say("new keys are being drawn".to_owned());
            out.push(Effect::Ask(Command::Refresh { conversation: name }, done));
        }
        (_, Action::CheckOn) => {
            let done = Then::Say("looking whether somebody has lost their place".to_owned());
            out.push(Effect::Ask(Command::CheckOn { conversation: name }, done));
        }
        (_, Action::People) => members(out, name, Members::Show),
        (_, Action::Leave) => {
            let command = Command::Leave { conversation: name };
            let rows = vec![Row::Text(
                "The others are told. The history stays here until you forget it.".to_owned(),
            )];
            sure(
                app,
                "Leave this conversation?",
                rows,
                "leave",
                command,
                Then::Say("left".to_owned()),
            );
        }
        (_, Action::Forget) => {
            let command = Command::Forget { conversation: name };
            let rows = vec![Row::Text("Nothing brings it and its history back.".to_owned())];
            sure(app, "Forget this conversation?", rows, "forget", command, Then::Gone(place));
        }
        (_, group) => in_group(app, out, group, name),
    }
}

fn in_group(app: &mut App, out: &mut Vec<Effect>, action: Action, name: String) {
    if app.conversation().is_none_or(|c| c.kind != "group") {
        return app.say("that is for groups");
    }
    match action {
        Action::GroupInvite => {
            app.dialogs.push(Dialog::Pick(Box::new(lists::contacts_for(app, &name))))
        }
        Action::GroupTitle => super::ask(app, pages::group_title(&name)),
        Action::GroupRemove => members(out, name, Members::Remove),
        Action::GroupRestart => members(out, name, Members::Restart),
        _ => {}
    }
}

fn members(out: &mut Vec<Effect>, name: String, what: Members) {
    out.push(Effect::Ask(
        Command::Members { conversation: name.clone() },
        Then::Members(name, what),
    ));
}

/// Asks before something that cannot be taken back.
pub fn sure(app: &mut App, title: &str, rows: Vec<Row>, yes: &str, command: Command, then: Then) {
    let button = Button::new(yes, Press::Ask(Box::new(command), then));
    // Enter alone changes nothing.
    let mut page = Page::new(title, rows, vec![button, pages::close("stay")]);
    page.focus = 1;
    app.dialogs.push(Dialog::Page(page));
}

fn in_room(app: &mut App, out: &mut Vec<Effect>, action: Action) {
    let Some(room) = app.room().cloned() else { return app.say("that is for open rooms") };
    let name = room.name.clone();
    match action {
        Action::RoomLink => out.push(Effect::Ask(Command::RoomLink { room: name }, Then::Link)),
        Action::RoomNick => super::ask(app, pages::nick(&room)),
        Action::RoomRoute => app.dialogs.push(Dialog::Pick(Box::new(lists::routes(&room)))),
        Action::RoomCircuits => {
            let done = Then::Say("new circuits".to_owned());
            out.push(Effect::Ask(Command::RoomCircuits { room: name }, done));
        }
        _ if !room.owner => app.say("only the room's owner can do that"),
        Action::RoomMute => app.dialogs.push(Dialog::Pick(Box::new(lists::mute(&room)))),
        Action::RoomRekey => {
            let others = room.people.iter().filter(|p| !p.you && !p.left && !p.muted);
            let names: Vec<String> = others.map(|p| p.name.clone()).collect();
            let rows = vec![
                Row::Text("Whoever talks here now gets new keys; all other links die, and readers who never said anything are left out.".to_owned()),
                Row::Blank,
                Row::Text(format!("They stay: {}", if names.is_empty() { "nobody".to_owned() } else { names.join(", ") })),
            ];
            let command = Command::RoomRekey { room: name, names };
            sure(
                app,
                "New keys for this room?",
                rows,
                "new keys",
                command,
                Then::Say("new keys".to_owned()),
            );
        }
        _ => {}
    }
}
