//! What the engine answers.

use super::super::dialog::{Dialog, Live, Page, Source};
use super::super::message::Line;
use super::super::state::{App, Effect, Members, Place, Then};
use super::{lists, open, pages, say};
use crate::engine::profile::{ConversationView, Refusal, Reply, SettingView, Status};

/// It has answered.
pub fn reply(app: &mut App, out: &mut Vec<Effect>, then: Then, answer: Result<Reply, Refusal>) {
    settle(app, &then);
    match answer {
        Ok(answer) => good(app, out, then, answer),
        Err(refusal) => bad(app, out, &then, &refusal),
    }
}

/// What was being asked is being asked no more.
fn settle(app: &mut App, then: &Then) {
    let what = match then {
        Then::Status => "status",
        Then::Conversations => "conversations",
        Then::Rooms => "rooms",
        Then::Files => "files",
        Then::GroupInvites => "invites",
        _ => return,
    };
    app.stale.entry(what).or_default().asking = false;
}

fn bad(app: &mut App, out: &mut Vec<Effect>, then: &Then, refusal: &Refusal) {
    match then {
        // These are asked again, or do without.
        Then::Settings(false) | Then::Rooms | Then::Search(_) => return,
        Then::Quit => out.push(Effect::Quit),
        Then::Sent { place, text } => say::give_back(app, out, place, text),
        Then::History { place, .. } => {
            if let Some(log) = app.logs.get_mut(place) {
                log.asking = false;
            }
        }
        Then::Invite => {
            if matches!(app.dialogs.last(), Some(Dialog::Page(p)) if p.live == Live::Invite) {
                app.dialogs.pop();
            }
        }
        Then::Named if app.status.as_ref().is_some_and(|s| s.name.is_empty()) => {
            super::ask(app, pages::first_name());
        }
        // The screen's own settings count for this time at least.
        Then::Set(key) if matches!(key.as_str(), "theme" | "mouse" | "notify") => return,
        _ => {}
    }
    app.complain(format!("{} — {}", refusal.text, refusal.hint));
}

fn good(app: &mut App, out: &mut Vec<Effect>, then: Then, answer: Reply) {
    match (then, answer) {
        (Then::Say(text), _) => {
            app.say(text);
            app.refresh("conversations");
        }
        (Then::Status, Reply::Status(status)) => status_came(app, out, &status),
        (Then::Quit, Reply::Status(status)) => {
            let unstored = status.unstored;
            app.status = Some(status);
            if unstored == 0 || app.status.as_ref().is_some_and(|s| s.name.is_empty()) {
                out.push(Effect::Quit);
            } else {
                app.dialogs.push(Dialog::Page(pages::quit(unstored)));
            }
        }
        (Then::Conversations, Reply::Conversations { conversations }) => {
            conversations_came(app, out, conversations)
        }
        (Then::Rooms, Reply::Rooms { rooms }) => {
            app.rooms = rooms;
        }
        (Then::Files, Reply::Files { files }) => app.files = files,
        (Then::GroupInvites, Reply::GroupInvites { invites }) => app.group_invites = invites,
        (Then::History { place, older }, Reply::Messages { messages }) => {
            let whole = messages.len() < open::PAGE;
            page(app, &place, older, whole, messages.into_iter().map(Line::from).collect());
        }
        (Then::History { place, older }, Reply::RoomLines { lines }) => {
            page(app, &place, older, true, lines.into_iter().map(Line::from).collect());
        }
        (Then::Named, _) => {
            app.say("this is your name now");
            app.refresh("status");
        }
        (Then::Open, Reply::Contact { name }) => there(app, out, Place::Conversation(name)),
        (Then::Open, Reply::Room(room)) => {
            let place = Place::Room(room.name.clone());
            app.rooms.retain(|r| r.name != room.name);
            app.rooms.push(room);
            there(app, out, place);
        }
        (Then::NewName { old, new }, _) => {
            let new = Place::Conversation(new);
            if let Some(entry) = app.conversations.iter_mut().find(|c| c.name == old.name()) {
                new.name().clone_into(&mut entry.name);
            }
            open::renamed(app, &old, new);
            app.refresh("conversations");
        }
        (Then::Gone(place), _) => open::gone(app, &place),
        (then, answer) => shown(app, then, answer),
    }
}

/// Answers that are shown.
fn shown(app: &mut App, then: Then, answer: Reply) {
    match (then, answer) {
        (Then::Invite, Reply::Invite(made)) => {
            replace(app, Live::Invite, pages::invite(app, &made))
        }
        (Then::Invites, Reply::Invites { invites }) => {
            if invites.is_empty() {
                app.say("you have made no invites");
            } else {
                app.dialogs.push(Dialog::Pick(Box::new(lists::invites(app, invites))));
            }
        }
        (Then::Words(name), Reply::Words { words, verified }) => {
            app.dialogs.push(Dialog::Page(pages::words(&name, &words, verified)));
        }
        (Then::Members(name, what), Reply::Members { members }) => app.dialogs.push(match what {
            Members::Show => Dialog::Page(pages::members(&name, &members)),
            what => Dialog::Pick(Box::new(lists::members(&name, members, what))),
        }),
        (Then::Why, Reply::Why { text, since_ms }) => {
            let page = pages::why(app, text.as_deref(), since_ms);
            app.dialogs.push(Dialog::Page(page));
        }
        (Then::Search(query), Reply::Messages { messages }) => lists::found(app, &query, messages),
        (Then::Network, Reply::Networks { networks }) => {
            let connections =
                app.status.as_ref().map(|s| s.connections.clone()).unwrap_or_default();
            replace(app, Live::Network, pages::network(&networks, &connections));
            app.networks = networks;
        }
        (Then::Mesh, Reply::Mesh(mesh)) => replace(app, Live::Mesh, pages::mesh(&mesh)),
        (Then::Nearby, Reply::Nearby { people }) => {
            if people.is_empty() {
                app.say("nobody shows themselves on the local network");
            } else {
                app.dialogs.push(Dialog::Pick(Box::new(lists::nearby(people))));
            }
        }
        (Then::Settings(show), Reply::Settings { settings }) => settings_came(app, show, settings),
        (Then::Set(key), Reply::Set { restart: true }) => {
            app.say(format!("{key}: it counts when the program starts again"));
        }
        (Then::Set(key), _) => app.say(format!("{key}: changed")),
        (Then::Link, Reply::Link { link }) => {
            app.dialogs.push(Dialog::Page(pages::room_link(&link)))
        }
        _ => {}
    }
}

/// Shows a page, in the place of an older one of its kind; one that was closed meanwhile comes anew
/// only if it was asked for by hand.
fn replace(app: &mut App, live: Live, mut page: Page) {
    for dialog in app.dialogs.iter_mut().rev() {
        if let Dialog::Page(old) = dialog
            && old.live == live
        {
            page.scroll = old.scroll;
            page.focus = old.focus.min(page.buttons.len().saturating_sub(1));
            *old = page;
            return;
        }
    }
    app.dialogs.push(Dialog::Page(page));
}

fn status_came(app: &mut App, out: &mut Vec<Effect>, status: &Status) {
    let before = app.status.replace(status.clone());
    if status.name.is_empty() {
        if before.is_none() && !say::asked(app) {
            super::ask(app, pages::first_name());
        }
    } else if let Some(link) = app.invite.take() {
        open::accept(app, out, &link);
    } else if before.is_some_and(|b| b.name.is_empty())
        && app.conversations.is_empty()
        && app.dialogs.is_empty()
    {
        app.toast = None;
        app.dialogs.push(Dialog::Pick(Box::new(pages::first_steps())));
    }
    if app.leaving && status.unstored == 0 && asked_to_leave(app) {
        out.push(Effect::Quit);
    }
}

/// Whether the question about leaving is on the screen.
fn asked_to_leave(app: &App) -> bool {
    matches!(app.dialogs.last(), Some(Dialog::Page(p)) if p.title == pages::quit(0).title)
}

fn conversations_came(app: &mut App, out: &mut Vec<Effect>, conversations: Vec<ConversationView>) {
    app.conversations = conversations;
    if let Some(Place::Conversation(name)) = &app.current
        && !app.conversations.iter().any(|c| c.name == *name)
        && app.logs.get(&Place::Conversation(name.clone())).is_some_and(|l| l.loaded)
    {
        // Another window has renamed or forgotten it.
        let place = Place::Conversation(name.clone());
        open::gone(app, &place);
    }
    // A wide screen shows the conversation that is most recent; on a narrow one it is chosen first.
    if app.current.is_none()
        && !app.narrow()
        && app.dialogs.is_empty()
        && let Some(place) = app.places().into_iter().next()
    {
        open::open(app, out, place);
    }
}

fn page(app: &mut App, place: &Place, older: bool, whole: bool, lines: Vec<Line>) {
    let Some(log) = app.logs.get_mut(place) else { return };
    log.asking = false;
    if whole || lines.is_empty() {
        log.whole = true;
    }
    for line in lines {
        log.put(line);
    }
    let first = !log.loaded;
    if !older {
        log.loaded = true;
    }
    if first {
        open::mark_new(app, place);
    }
}

/// Something new is opened at once.
fn there(app: &mut App, out: &mut Vec<Effect>, place: Place) {
    app.toast = None;
    app.active.insert(place.clone(), app.now_ms);
    app.refresh("conversations");
    if !say::asked(app) {
        app.dialogs.clear();
    }
    open::open(app, out, place);
}

fn settings_came(app: &mut App, show: bool, settings: Vec<SettingView>) {
    let mut out = Vec::new();
    for setting in settings.iter().filter(|_| !show) {
        lists::preference(app, &mut out, &setting.key, &setting.value);
    }
    if show {
        let mut pick = lists::settings(settings);
        pick.source = Source::Asked;
        app.dialogs.push(Dialog::Pick(Box::new(pick)));
    }
}
