//! What the actions of the table do.

use api::{GetMesh, GetStatus, ListInvites, ListNetworks, ShowNearby};

use super::{
    conversation, dialog, facts, files, groups, help, lists, messages, movement, pages, rooms,
    settings,
};
use crate::ask;
use crate::dialog::Dialog;
use crate::keys::{Action, Needs};
use crate::state::{App, Effect};

/// How long a person who makes themselves visible on the local network stays so, seconds.
const VISIBLE_S: u32 = 600;

/// Does it. `digit`: the one of the key, if it was one.
pub(super) fn act(app: &mut App, out: &mut Vec<Effect>, action: Action, digit: Option<usize>) {
    match action.needs() {
        Needs::Message => messages::act(app, out, action),
        Needs::Room => rooms::act(app, out, action),
        Needs::Group => groups::act(app, out, action),
        Needs::Talk | Needs::Conversation | Needs::Contact => conversation::act(app, out, action),
        Needs::Nothing | Needs::Key => anywhere(app, out, action, digit),
    }
}

fn anywhere(app: &mut App, out: &mut Vec<Effect>, action: Action, digit: Option<usize>) {
    match action {
        Action::Quit => quit(app, out),
        Action::Redraw => out.push(Effect::Redraw),
        Action::Help => app.dialogs.push(Dialog::Page(help::page())),
        Action::Palette => lists::palette(app),
        Action::Search => lists::search(app),
        Action::Theme => lists::themes(app),
        Action::Mouse => settings::switch(app, out, "mouse", !app.prefs.mouse),
        Action::Notify => settings::switch(app, out, "notify", !app.prefs.notify),
        Action::Name => {
            let name = app.status.as_ref().map(|s| s.name.clone()).unwrap_or_default();
            dialog::prompt(app, pages::name(&name));
        }
        Action::AcceptInvite => dialog::prompt(app, pages::accept_invite("")),
        Action::JoinRoom => dialog::prompt(app, pages::join_room("")),
        Action::NewRoom => dialog::prompt(app, pages::new_room()),
        Action::NewGroup => dialog::prompt(app, pages::new_group()),
        Action::GroupInvites => {
            facts::show_or_say(app, groups::invitations(app), "no pending invitations");
        }
        Action::Transfers => {
            let pick = files::transfers(app);
            app.dialogs.push(Dialog::Pick(Box::new(pick)));
        }
        Action::Invite => pages::invite_somebody(app, out),
        Action::Invites => ask::ask(out, ListInvites {}, |app, _, invites| {
            let pick = lists::invites(app, invites);
            facts::show_or_say(app, pick, "you have not created any invites");
        }),
        Action::Network => {
            ask::ask(out, ListNetworks {}, |app, _, networks| pages::show_networks(app, networks));
        }
        Action::Mesh => ask::ask(out, GetMesh {}, |app, _, mesh| pages::show_mesh(app, &mesh)),
        Action::Show => ask::ask_and_say(
            out,
            ShowNearby { seconds: VISIBLE_S },
            "everyone on the local network sees your name for ten minutes",
        ),
        Action::Settings => settings::ask(out),
        _ => movement::go(app, out, action, digit),
    }
}

/// Asks whether something of this profile is not stored; a second time: ends immediately.
fn quit(app: &mut App, out: &mut Vec<Effect>) {
    if app.leaving {
        out.push(Effect::Quit);
        return;
    }
    app.leaving = true;
    ask::ask_either(out, GetStatus {}, |app, out, answer| {
        // Without an engine there is nothing to wait for.
        let Ok(status) = answer else { return out.push(Effect::Quit) };
        let (unstored, nameless) = (status.unstored, status.name.is_empty());
        app.status = Some(status);
        if unstored == 0 || nameless {
            out.push(Effect::Quit);
        } else {
            app.dialogs.push(Dialog::Page(pages::quit(unstored)));
        }
    });
}
