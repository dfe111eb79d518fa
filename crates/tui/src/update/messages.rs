//! Actions on the selected message.

use api::{Cancel, ConversationId, Delete, FileState, GetWhy, MessageId, React, WhyView};
use text::date_time;

use super::{files, pages};
use crate::ask;
use crate::cells;
use crate::dialog::{Button, Dialog, Item, Page, Pick, Press, Prompt, Purpose, Row, field};
use crate::keys::Action;
use crate::log::Line;
use crate::state::{App, Compose, Effect, Place};

/// Does it.
pub(super) fn act(app: &mut App, out: &mut Vec<Effect>, action: Action) {
    let Some(line) = app.log().and_then(|l| l.chosen()).cloned() else {
        return app.say("select a message first: press Alt+↑ or click it");
    };
    match (app.current, line.message()) {
        _ if action == Action::Copy => out.push(Effect::Copy(line.text)),
        _ if line.notice => app.say("this is a notice, not a message"),
        (Some(Place::Conversation(conversation)), Some(message)) => {
            on_message(app, out, action, &line, conversation, message);
        }
        _ => app.say("not available in open rooms, which have only text messages"),
    }
}

fn on_message(
    app: &mut App,
    out: &mut Vec<Effect>,
    action: Action,
    line: &Line,
    conversation: ConversationId,
    message: MessageId,
) {
    match action {
        Action::Reply => {
            app.compose = Compose::Reply(message);
            unselect(app);
        }
        Action::Edit if line.you && line.file.is_none() && !line.deleted => {
            app.compose = Compose::Edit(message);
            app.input = field(&line.text);
            unselect(app);
        }
        Action::React => {
            let pick = reactions(line, conversation, message);
            app.dialogs.push(Dialog::Pick(Box::new(pick)));
        }
        Action::Delete => {
            app.dialogs.push(Dialog::Page(delete_page(line, conversation, message)));
        }
        Action::Cancel if line.you => {
            ask::ask_and_say(out, Cancel { conversation, message }, "cancelled");
        }
        Action::Why if line.you => why(out, conversation, message),
        Action::Fetch => match &line.file {
            Some(file) if !file.ours && file.state == FileState::Offered => {
                files::accept(out, file.transfer);
            }
            _ => app.say("no file is offered in this message"),
        },
        Action::Decline => match &line.file {
            Some(file) => files::decline(out, file.transfer),
            None => app.say("there is no file in this message"),
        },
        _ => app.say("only for your own messages"),
    }
}

fn unselect(app: &mut App) {
    if let Some(log) = app.log_mut() {
        (log.chosen, log.scroll) = (None, 0);
    }
}

fn delete_page(line: &Line, conversation: ConversationId, message: MessageId) -> Page {
    let what =
        if line.you { "It will be deleted for everyone." } else { "It will be deleted only here." };
    let rows =
        vec![Row::Text(cells::clip(&line.text, 200)), Row::Blank, Row::Text(what.to_owned())];
    let delete = Press::ask(Delete { conversation, message }, |_, _, _| {});
    let buttons = vec![Button::new("delete", delete), pages::close("keep")];
    Page::new("Delete this message?", rows, buttons)
}

/// Shows why a message is not delivered yet.
pub(super) fn why(out: &mut Vec<Effect>, conversation: ConversationId, message: MessageId) {
    ask::ask(out, GetWhy { conversation, message }, |app, _, why| {
        let page = why_page(app, &why);
        app.dialogs.push(Dialog::Page(page));
    });
}

fn why_page(app: &App, why: &WhyView) -> Page {
    let text = why.text.as_deref().unwrap_or("This message was delivered.");
    let mut rows = vec![Row::Text(text.to_owned())];
    rows.extend(why.since_ms.map(|ms| Row::Dim(format!("since {}", date_time(app.local(ms))))));
    Page::new("Why is it not delivered?", rows, vec![pages::close("close")])
}

/// Adds a reaction, or removes it.
pub(super) fn react(
    out: &mut Vec<Effect>,
    conversation: ConversationId,
    message: MessageId,
    emoji: String,
    remove: bool,
) {
    ask::ask(out, React { conversation, message, emoji, remove }, |_, _, _| {});
}

fn reactions(line: &Line, conversation: ConversationId, message: MessageId) -> Pick {
    let press = |emoji: &str, remove| {
        let emoji = emoji.to_owned();
        Press::step(move |_, out| react(out, conversation, message, emoji.clone(), remove))
    };
    let mut items: Vec<Item> = ["👍", "❤️", "😂", "😮", "😢", "🎉", "ok", "?"]
        .map(|e| Item::new(e, "", press(e, false)))
        .to_vec();
    let mine = line.reactions.iter().filter(|r| r.you).map(|r| &r.emoji);
    items.extend(mine.map(|e| Item::new(format!("remove {e}"), "", press(e, true))));
    let prompt = Prompt::new(
        "Your reaction",
        "a short text, most often one emoji",
        "",
        Purpose::React(conversation, message),
    );
    items.push(Item::new("something else …", "", Press::Prompt(Box::new(prompt))));
    Pick::new("React", cells::clip(&line.text, 60), items)
}
