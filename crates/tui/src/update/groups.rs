//! Groups: who is invited, removed or left out, and invitations to groups.

use api::{
    AnswerGroupInvite, ConversationId, ConversationKind, InviteToGroup, ListMembers, MemberView,
    RemoveMember, RestartGroup,
};

use super::{dialog, open, pages};
use crate::ask;
use crate::dialog::{Dialog, Item, Pick, Press};
use crate::keys::Action;
use crate::state::{App, Effect, Fact, MembersFor, Place};

/// Does it to the open group.
pub(super) fn act(app: &mut App, out: &mut Vec<Effect>, action: Action) {
    let open = app.conversation().filter(|c| c.kind == ConversationKind::Group);
    let Some(group) = open.map(|c| c.id) else { return app.say("only for groups") };
    match action {
        Action::GroupInvite => {
            let pick = contacts(app, group);
            app.dialogs.push(Dialog::Pick(Box::new(pick)));
        }
        Action::GroupTitle => {
            let prompt = pages::group_title(app, group);
            dialog::prompt(app, prompt);
        }
        Action::GroupRemove => pick_member(out, group, MembersFor::Remove),
        Action::GroupRestart => pick_member(out, group, MembersFor::Restart),
        _ => {}
    }
}

/// Contacts who can be invited.
fn contacts(app: &App, group: ConversationId) -> Pick {
    let contacts =
        app.conversations.iter().filter(|c| c.kind == ConversationKind::Contact && c.open);
    let items = contacts.map(|c| {
        let request = InviteToGroup { group, contact: c.id };
        let press = Press::ask_and_say(request, format!("{} is invited", c.label));
        Item::new(&c.label, verified(c.verified), press)
    });
    let title =
        format!("Who do you want to invite to “{}”?", app.label(Place::Conversation(group)));
    Pick::new(title, "They join once they accept.", items.collect())
}

const fn verified(yes: bool) -> &'static str {
    if yes { "✓ verified" } else { "? not verified" }
}

fn pick_member(out: &mut Vec<Effect>, group: ConversationId, what: MembersFor) {
    ask::ask(out, ListMembers { conversation: group }, move |app, _, members| {
        let pick = members_for(&app.label(Place::Conversation(group)), group, members, what);
        app.dialogs.push(Dialog::Pick(Box::new(pick)));
    });
}

/// Members of a group, to do something to one of them.
fn members_for(
    name: &str,
    group: ConversationId,
    members: Vec<MemberView>,
    what: MembersFor,
) -> Pick {
    let others = members.into_iter().filter(|m| !m.you);
    let items = others.map(|m| {
        let member = m.id;
        let press = match what {
            MembersFor::Remove => {
                Press::ask_and_say(RemoveMember { group, member }, format!("removing {}", m.name))
            }
            MembersFor::Restart => Press::step(move |app, out| {
                open::ask_and_open(app, out, RestartGroup { group, without: member });
            }),
        };
        Item::new(m.name, verified(m.verified), press)
    });
    let title = match what {
        MembersFor::Remove => format!("Who do you want to remove from “{name}”?"),
        MembersFor::Restart => format!("Continue “{name}” without"),
    };
    Pick::new(title, "", items.collect())
}

/// Invitations that wait for an answer.
pub(super) fn invitations(app: &App) -> Pick {
    let items = app.group_invites.iter().flat_map(|i| {
        [(true, "accept"), (false, "decline")].map(|(accept, word)| {
            let request = AnswerGroupInvite { invite: i.id, accept };
            let said = if accept { format!("joining {}", i.title) } else { "declined".to_owned() };
            let press = Press::ask(request, move |app, _, _| {
                app.say(said.clone());
                app.refresh(Fact::GroupInvites);
                app.refresh(Fact::Conversations);
            });
            Item::new(format!("{word}: {}", i.title), format!("from {}", i.from.label), press)
        })
    });
    Pick::new("Invitations to groups", "", items.collect())
}
