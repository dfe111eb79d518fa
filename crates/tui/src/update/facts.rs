//! What the engine knows: asked for again when it may have changed, each thing once at a time,
//! however often it changes meanwhile.

use api::{
    ConversationView, GetStatus, ListConversations, ListFiles, ListGroupInvites, ListRooms,
    Refusal, Request, Status,
};

use super::{dialog, open, pages};
use crate::ask;
use crate::dialog::{Dialog, Pick};
use crate::state::{App, Effect, Fact, Place};

/// Asks for what was marked with [`App::refresh`] and is not being asked for.
pub(super) fn ask_again(app: &mut App, out: &mut Vec<Effect>) {
    for fact in Fact::ALL {
        let stale = app.stale.entry(fact).or_default();
        if stale.wanted && !stale.asking {
            (stale.wanted, stale.asking) = (false, true);
            ask(out, fact);
        }
    }
}

fn ask(out: &mut Vec<Effect>, fact: Fact) {
    match fact {
        Fact::Status => fetch(out, fact, GetStatus {}, status_came),
        Fact::Conversations => fetch(out, fact, ListConversations {}, conversations_came),
        Fact::Rooms => fetch(out, fact, ListRooms {}, |app, _, rooms| app.rooms = rooms),
        Fact::Files => fetch(out, fact, ListFiles {}, |app, _, files| app.files = files),
        Fact::GroupInvites => {
            fetch(out, fact, ListGroupInvites {}, |app, _, invites| app.group_invites = invites);
        }
    }
}

fn fetch<R: Request>(
    out: &mut Vec<Effect>,
    fact: Fact,
    request: R,
    then: fn(&mut App, &mut Vec<Effect>, R::Reply),
) {
    ask::ask_either(out, request, move |app, out, answer: Result<R::Reply, Refusal>| {
        app.stale.entry(fact).or_default().asking = false;
        match answer {
            Ok(reply) => then(app, out, reply),
            // A profile that only the LAN is used by has no rooms.
            Err(_) if fact == Fact::Rooms => {}
            Err(refusal) => app.refused(&refusal),
        }
    });
}

fn status_came(app: &mut App, out: &mut Vec<Effect>, status: Status) {
    let (nameless, unstored) = (status.name.is_empty(), status.unstored);
    let before = app.status.replace(status);
    if nameless {
        if before.is_none() && !dialog::is_asking(app) {
            dialog::prompt(app, pages::first_name());
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
    if app.leaving && unstored == 0 && pages::asks_to_quit(app) {
        out.push(Effect::Quit);
    }
}

fn conversations_came(app: &mut App, out: &mut Vec<Effect>, conversations: Vec<ConversationView>) {
    app.conversations = conversations;
    let (labels, conversations) = (&mut app.labels, &app.conversations);
    labels.retain(|id, _| !conversations.iter().any(|c| c.id == *id));
    if let Some(place @ Place::Conversation(id)) = app.current
        && app.view(id).is_none()
        && app.logs.get(&place).is_some_and(|l| l.loaded)
    {
        // Another window has removed it, and the event about that was lost.
        open::gone(app, place);
    }
    // A wide screen begins with the most recent conversation; on a narrow one it is chosen first.
    // Later no conversation opens by itself: somebody may be typing.
    if !app.begun
        && app.current.is_none()
        && !app.narrow()
        && app.dialogs.is_empty()
        && let Some(place) = app.places().into_iter().next()
    {
        open::open(app, out, place);
    }
}

/// A list of the engine's that is empty is said, not shown.
pub(super) fn show_or_say(app: &mut App, pick: Pick, empty: &str) {
    if pick.items.is_empty() {
        app.say(empty);
    } else {
        app.dialogs.push(Dialog::Pick(Box::new(pick)));
    }
}
