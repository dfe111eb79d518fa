//! Lists to choose from that belong to no one conversation: the palette, searches, invites,
//! colours.

use api::{InviteState, InviteView, Knock, MessageView, PersonView, Search};
use text::{Format, date_time};

use super::{open, pages};
use crate::ask;
use crate::cells;
use crate::dialog::{Dialog, Item, Pick, Press, Prompt, Purpose, Source, text_of};
use crate::keys::{self, Action, Needs};
use crate::log::{Line, LineId};
use crate::state::{App, Effect, Place};
use crate::theme::Theme;

/// Title of the palette.
pub(super) const PALETTE: &str = "Command palette";

/// Messages that a search finds at most.
const FOUND: usize = 50;

/// All actions that make sense now, and all conversations.
pub(super) fn palette(app: &mut App) {
    let fits = |needs: Needs| match needs {
        Needs::Nothing => true,
        Needs::Talk => app.current.is_some(),
        Needs::Conversation => app.conversation().is_some(),
        Needs::Contact => kind(app) == "contact",
        Needs::Group => kind(app) == "group",
        Needs::Room => app.room().is_some(),
        Needs::Message => app.log().is_some_and(|l| l.chosen().is_some()),
        Needs::Key => false,
    };
    let places = app.places().into_iter().map(|place| {
        let what = match place {
            Place::Room(_) => "room",
            Place::Conversation(id) => app.view(id).map_or("", |c| c.kind.word()),
        };
        let detail = match app.unseen(place) {
            0 => what.to_owned(),
            new => format!("{what}, {new} new"),
        };
        Item::new(app.label(place), detail, Press::Open(place))
    });
    let actions = Action::ALL.iter().filter(|a| fits(a.needs()));
    let actions = actions.map(|a| Item::new(a.title(), keys::hint(*a), Press::Act(*a)));
    let items: Vec<Item> = places.chain(actions).collect();
    app.dialogs.push(Dialog::Pick(Box::new(Pick::new(PALETTE, "", items))));
}

/// The kind of the open conversation.
fn kind(app: &App) -> &'static str {
    app.conversation().map_or("", |c| c.kind.word())
}

/// Searches while a person types.
pub(super) fn search(app: &mut App) {
    let note = "Words in the message; Enter opens it in its conversation.";
    let pick =
        Pick { source: Source::Search, ..Pick::new("Search all messages", note, Vec::new()) };
    app.dialogs.push(Dialog::Pick(Box::new(pick)));
}

/// Lets the engine search.
pub(super) fn ask_search(out: &mut Vec<Effect>, typed: &str) {
    if typed.is_empty() {
        return;
    }
    let query = typed.to_owned();
    let request = Search { query: query.clone(), conversation: None, limit: Some(FOUND) };
    ask::ask_either(out, request, move |app, _, answer| {
        // Half a word may be refused; the next letter asks again.
        if let Ok(messages) = answer {
            found(app, &query, messages);
        }
    });
}

/// What a search has found; open rooms are searched here, for their lines are nowhere else.
fn found(app: &mut App, query: &str, messages: Vec<MessageView>) {
    let words: Vec<String> = query.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let mut all: Vec<(u64, Item)> = messages
        .into_iter()
        .map(|m| {
            let place = Place::Conversation(m.conversation);
            (m.sent_ms, hit(app, place, &Line::from(m)))
        })
        .collect();
    for (place, log) in app.logs.iter().filter(|(p, _)| matches!(p, Place::Room(_))) {
        let holds = |l: &&Line| words.iter().all(|w| l.text.to_lowercase().contains(w));
        let lines = log.lines.iter().filter(|l| !l.notice).filter(holds);
        all.extend(lines.map(|l| (l.at_ms, hit(app, *place, l))));
    }
    all.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    if let Some(Dialog::Pick(pick)) = app.dialogs.last_mut()
        && pick.source == Source::Search
        && text_of(&pick.filter).trim() == query
    {
        pick.items = all.into_iter().map(|(_, item)| item).collect();
        pick.at = 0;
    }
}

fn hit(app: &App, place: Place, line: &Line) -> Item {
    let label = format!("{}: {}", line.from, cells::one_line(&line.text));
    let detail = format!("{}  {}", app.label(place), date_time(app.local(line.at_ms)));
    let id: LineId = line.id;
    Item::new(label, detail, Press::Message(place, id))
}

/// Formats of an export.
pub(super) fn export(place: Place, name: &str) -> Pick {
    let items = Format::ALL.map(|format| {
        let what = match format {
            Format::Txt => "one line per message",
            Format::Html => "a page for a browser; it loads nothing from elsewhere",
            Format::Jsonl => "for programs",
        };
        let prompt = Prompt::new(
            "Export to which file?",
            "The file must not exist yet; only you will be able to read it.",
            &format!("hushwing-talk.{}", format.word()),
            Purpose::ExportFile(place, format),
        );
        Item::new(format.word(), what, Press::Prompt(Box::new(prompt)))
    });
    Pick::new(format!("Export “{name}”"), "The file is not encrypted.", items.to_vec())
}

/// Invites that were created.
pub(super) fn invites(app: &App, invites: Vec<InviteView>) -> Pick {
    let items = invites.into_iter().map(|i| {
        let label = i.name.clone().unwrap_or_else(|| "for anyone".to_owned());
        let detail = format!("{}, until {}", i.state, date_time(app.local(i.expires_ms)));
        let press = match i.state {
            InviteState::Open => Press::Page(Box::new(pages::invite(app, &i))),
            _ => Press::Close,
        };
        Item::new(label, detail, press)
    });
    let note = "Enter shows the link and lets you revoke it.";
    Pick::new("Invites you created", note, items.collect())
}

/// People who are visible on the local network.
pub(super) fn nearby(people: Vec<PersonView>) -> Pick {
    let items = people.into_iter().map(|p| {
        let request = Knock { key: p.key, name: None };
        let press = Press::step(move |app, out| open::ask_and_open(app, out, request.clone()));
        Item::new(p.name, format!("heard {} s ago", p.ago_ms / 1_000), press)
    });
    let note = "Names are not verified: anyone can choose any name. Enter knocks; then compare the words you both see.";
    Pick::new("Visible on the local network", note, items.collect())
}

/// The colours.
pub(super) fn themes(app: &mut App) {
    let items = Theme::ALL.map(|t| {
        let mark = if t == app.prefs.theme { "● " } else { "  " };
        Item::new(format!("{mark}{}", t.word()), "", Press::Theme(t))
    });
    let note = if app.colours { "" } else { "NO_COLOR is set: nothing is coloured" };
    app.dialogs.push(Dialog::Pick(Box::new(Pick::new("Colours", note, items.to_vec()))));
}
