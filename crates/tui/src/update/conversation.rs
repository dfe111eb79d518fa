//! Actions on the open conversation or room.

use api::{
    AcceptKeys, AllowRoutes, AllowedRoutes, Block, CheckOn, ConversationId, ConversationKind,
    Forget, GetSafetyWords, Leave, LeaveRoom, ListMembers, Refresh, Request, Resume,
    SafetyWordsView, SetTimer, Verify,
};

use super::{dialog, files, lists, open, pages, rooms};
use crate::ask;
use crate::dialog::{Button, Dialog, Item, Page, Pick, Press, Prompt, Purpose, Row};
use crate::keys::Action;
use crate::state::{App, Effect, Place};

/// What each choice allows and hides. None is better than another in itself: they hide different
/// things.
const ROUTES: [(AllowedRoutes, &str); 5] = [
    (AllowedRoutes::Hidden, "onion, tor or lan: the hub never sees your IP address"),
    (AllowedRoutes::Onion, "relays only: hides who talks to whom, and when; slower"),
    (AllowedRoutes::Tor, "Tor only: hides where you are; the hub sees when you talk"),
    (
        AllowedRoutes::Lan,
        "nothing leaves the local network; others carry messages to people who are away",
    ),
    (AllowedRoutes::Anywhere, "also directly to the hub, which sees your IP address; fast"),
];

/// Does it.
pub(super) fn act(app: &mut App, out: &mut Vec<Effect>, action: Action) {
    let Some(place) = app.current else {
        return app.say("open a conversation first");
    };
    match (place, action) {
        (_, Action::Export) => {
            let pick = lists::export(place, &app.label(place));
            app.dialogs.push(Dialog::Pick(Box::new(pick)));
        }
        (Place::Room(_), Action::People) => {
            app.dialogs.push(Dialog::Page(rooms::people(app)));
        }
        (Place::Room(room), Action::Leave) => {
            let rows = vec![Row::Text(
                "You leave once your messages are stored. To come back, you need a link."
                    .to_owned(),
            )];
            let leave = Press::ask(LeaveRoom { room }, move |app, _, _| open::gone(app, place));
            sure(app, "Leave this room?", rows, "leave", leave);
        }
        (Place::Room(_), _) => app.say("only for contacts and groups"),
        (Place::Conversation(id), action) => in_conversation(app, out, action, id),
    }
}

fn in_conversation(app: &mut App, out: &mut Vec<Effect>, action: Action, id: ConversationId) {
    let (conversation, place) = (id, Place::Conversation(id));
    match action {
        Action::SendFile => files::pick(out, id, None),
        Action::Words => words(app, out, id),
        Action::Routes => {
            let pick = routes(app, id);
            app.dialogs.push(Dialog::Pick(Box::new(pick)));
        }
        Action::Timer => app.dialogs.push(Dialog::Pick(Box::new(timers(id)))),
        Action::Rename => {
            let prompt = pages::own_name(app, id);
            dialog::prompt(app, prompt);
        }
        Action::Refresh => ask::ask_and_say(out, Refresh { conversation }, "refreshing keys"),
        Action::CheckOn => {
            let said = "checking for members who need to be re-added";
            ask::ask_and_say(out, CheckOn { conversation }, said);
        }
        Action::People => ask::ask(out, ListMembers { conversation }, move |app, _, members| {
            let page = pages::members(&app.label(place), &members);
            app.dialogs.push(Dialog::Page(page));
        }),
        Action::Leave => {
            let rows = vec![Row::Text(
                "The other members are told. The history stays here until you delete it."
                    .to_owned(),
            )];
            let leave = Press::ask_and_say(Leave { conversation }, "left");
            sure(app, "Leave this conversation?", rows, "leave", leave);
        }
        Action::Forget => {
            let text = "This deletes the conversation and its history, and cannot be undone.";
            let rows = vec![Row::Text(text.to_owned())];
            let forget =
                Press::ask(Forget { conversation }, move |app, _, _| open::gone(app, place));
            sure(app, "Delete this conversation?", rows, "delete", forget);
        }
        _ => {}
    }
}

/// Asks before something that cannot be undone: Enter alone changes nothing.
pub(super) fn sure(app: &mut App, title: &str, rows: Vec<Row>, yes: &str, press: Press) {
    let mut page = Page::new(title, rows, vec![Button::new(yes, press), pages::close("cancel")]);
    page.focus = 1;
    app.dialogs.push(Dialog::Page(page));
}

fn words(app: &mut App, out: &mut Vec<Effect>, id: ConversationId) {
    if app.view(id).is_some_and(|c| c.kind != ConversationKind::Contact) {
        return app.say("only for contacts");
    }
    ask::ask(out, GetSafetyWords { conversation: id }, move |app, _, words| {
        let page = words_page(&app.label(Place::Conversation(id)), id, &words);
        app.dialogs.push(Dialog::Page(page));
    });
}

fn words_page(name: &str, id: ConversationId, words: &SafetyWordsView) -> Page {
    let rows = vec![
        Row::Text(format!(
            "Compare these words with {name} in person or by phone. If they match, nobody is in between."
        )),
        Row::Blank,
        Row::Words(words.words.clone()),
        Row::Blank,
        Row::Text(if words.verified {
            format!("✓ {name} is verified.")
        } else {
            format!("? {name} is not verified.")
        }),
    ];
    let verify =
        |words: Option<String>| Press::step(move |_, out| self::verify(out, id, words.clone()));
    let buttons = if words.verified {
        let label = "they do not match: mark as not verified";
        vec![pages::close("close"), Button::new(label, verify(None))]
    } else {
        let label = "they match: mark as verified";
        vec![pages::close("later"), Button::new(label, verify(Some(words.words.clone())))]
    };
    Page::new(format!("Safety words with {name}"), rows, buttons)
}

/// Marks a contact as verified by these words, or as not verified.
fn verify(out: &mut Vec<Effect>, conversation: ConversationId, words: Option<String>) {
    let word = if words.is_some() { "verified" } else { "not verified" };
    ask_about(out, Verify { conversation, words }, conversation, move |name| {
        format!("{name} is now {word}")
    });
}

/// Uses a contact's new keys without comparing words.
pub(super) fn accept_keys(out: &mut Vec<Effect>, conversation: ConversationId) {
    ask_about(out, AcceptKeys { conversation }, conversation, |name| {
        format!("messages to {name} use the new keys")
    });
}

/// Blocks a contact.
pub(super) fn block(out: &mut Vec<Effect>, conversation: ConversationId) {
    ask_about(out, Block { conversation }, conversation, |name| format!("{name} is blocked"));
}

/// Unblocks a contact, or resumes a conversation that was stopped.
pub(super) fn resume(out: &mut Vec<Effect>, conversation: ConversationId) {
    ask_about(out, Resume { conversation }, conversation, |name| format!("{name} is back"));
}

/// Asks for something about a conversation, and says this with its name when it is done.
fn ask_about<R: Request>(
    out: &mut Vec<Effect>,
    request: R,
    id: ConversationId,
    said: impl FnOnce(&str) -> String + Send + 'static,
) {
    ask::ask(out, request, move |app, _, _| {
        let said = said(&app.label(Place::Conversation(id)));
        app.say(said);
        app.refresh(crate::state::Fact::Conversations);
    });
}

/// Allows these routes in a conversation.
pub(super) fn allow(out: &mut Vec<Effect>, conversation: ConversationId, routes: AllowedRoutes) {
    let said = format!("allowed routes: {routes}");
    ask::ask_and_say(out, AllowRoutes { conversation, routes }, said);
}

/// Which routes the conversation may use.
fn routes(app: &App, id: ConversationId) -> Pick {
    let now = app.view(id).map(|c| c.allowed_routes);
    let items = ROUTES.map(|(routes, what)| {
        let mark = if now == Some(routes) { "● " } else { "  " };
        let press = Press::step(move |_, out| allow(out, id, routes));
        Item::new(format!("{mark}{routes}"), what, press)
    });
    let note = "Each hides something different. This applies to what leaves this device; when no allowed route works, messages wait.";
    let title = format!("Allowed routes for “{}”", app.label(Place::Conversation(id)));
    let mut pick = Pick::new(title, note, items.to_vec());
    pick.at = ROUTES.iter().position(|(r, _)| now == Some(*r)).unwrap_or(0);
    pick
}

/// Lets messages disappear after a time.
pub(super) fn set_timer(out: &mut Vec<Effect>, conversation: ConversationId, seconds: u32) {
    let said = format!("messages disappear: {}", text::timer(Some(seconds)));
    ask::ask_and_say(out, SetTimer { conversation, seconds }, said);
}

/// Times after which messages disappear.
fn timers(id: ConversationId) -> Pick {
    let times = [
        ("off", 0_u32),
        ("5 minutes", 300),
        ("1 hour", 3_600),
        ("1 day", 86_400),
        ("1 week", 604_800),
        ("4 weeks", 2_419_200),
    ];
    let mut items: Vec<Item> = times
        .into_iter()
        .map(|(label, seconds)| {
            Item::new(label, "", Press::step(move |_, out| set_timer(out, id, seconds)))
        })
        .collect();
    let prompt = Prompt::new(
        "Messages disappear after",
        "a time such as 10m, 12h, 1d or 4w, or off",
        "",
        Purpose::Timer(id),
    );
    items.push(Item::new("another time …", "", Press::Prompt(Box::new(prompt))));
    Pick::new(
        "Disappearing messages",
        "New messages disappear after this time, for all members.",
        items,
    )
}
