//! Lists to choose from.

use std::path::{Path, PathBuf};

use super::super::dialog::{Dialog, Item, Pick, Press, Prompt, Purpose, Source};
use super::super::keys::{self, Action, Needs};
use super::super::message::Line;
use super::super::state::{App, Effect, Found, Members, Place, Then};
use super::super::text;
use super::super::theme::Theme;
use super::pages;
use crate::cli::args_profile::Format;
use crate::cli::profile::show::{bytes, date_time};
use crate::engine::profile::{
    Command, InviteView, MemberView, MessageView, PersonView, RoomView, SettingView,
};

/// Title of the palette.
pub const PALETTE: &str = "Do anything, go anywhere";

/// What each floor allows and hides; none is better than another in itself: they hide different
/// things.
pub const FLOORS: [(&str, &str); 5] = [
    ("hidden", "onion, tor or lan: the hub never sees this machine's address"),
    ("onion", "relays only: hides who talks to whom, and when; slower"),
    ("tor", "Tor only: hides where you are; the hub sees when you talk"),
    ("lan", "nothing leaves the local network; others carry it to who is away"),
    ("anywhere", "also straight to the hub, which sees this machine's address; fast"),
];

/// All actions that make sense now, and all conversations.
pub fn palette(app: &mut App) {
    let kind = app.conversation().map(|c| c.kind.clone());
    let fits = |needs: Needs| match needs {
        Needs::Nothing => true,
        Needs::Talk => app.current.is_some(),
        Needs::Conversation => kind.is_some(),
        Needs::Contact => kind.as_deref() == Some("contact"),
        Needs::Group => kind.as_deref() == Some("group"),
        Needs::Room => app.room().is_some(),
        Needs::Message => app.log().is_some_and(|l| l.chosen().is_some()),
        Needs::Key => false,
    };
    let places = app.places().into_iter().map(|place| {
        let what = match &place {
            Place::Room(_) => "room".to_owned(),
            Place::Conversation(name) => app
                .conversations
                .iter()
                .find(|c| c.name == *name)
                .map(|c| c.kind.clone())
                .unwrap_or_default(),
        };
        let new = app.unseen(&place);
        let detail = if new > 0 { format!("{what}, {new} new") } else { what };
        Item::new(place.name(), detail, Press::Open(place.clone()))
    });
    let actions = Action::ALL.iter().filter(|a| fits(a.needs()));
    let actions = actions.map(|a| Item::new(a.title(), keys::hint(*a), Press::Act(*a)));
    // Whoever has few conversations looks for actions; typing finds either.
    let items: Vec<Item> = places.chain(actions).collect();
    app.dialogs.push(Dialog::Pick(Box::new(Pick::new(PALETTE, "", items))));
}

/// Searches as one types.
pub fn search(app: &mut App) {
    let note = "Words that the message holds; Enter shows it where it was said.";
    let pick =
        Pick { source: Source::Search, ..Pick::new("Search all messages", note, Vec::new()) };
    app.dialogs.push(Dialog::Pick(Box::new(pick)));
}

/// Lets the engine search.
pub fn ask_search(out: &mut Vec<Effect>, typed: &str) {
    if typed.is_empty() {
        return;
    }
    let command = Command::Search { query: typed.to_owned(), conversation: None, limit: Some(50) };
    out.push(Effect::Ask(command, Then::Search(typed.to_owned())));
}

/// What a search has found; open rooms are searched here, for their lines are nowhere else.
pub fn found(app: &mut App, query: &str, messages: Vec<MessageView>) {
    let words: Vec<String> = query.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let mut all: Vec<(u64, Item)> = messages
        .into_iter()
        .map(|m| {
            let place = Place::Conversation(m.conversation.clone());
            (m.sent_ms, hit(app, &m.from, &m.text, m.sent_ms, place, m.id))
        })
        .collect();
    for (place, log) in app.logs.iter().filter(|(p, _)| matches!(p, Place::Room(_))) {
        let holds = |l: &&Line| words.iter().all(|w| l.text.to_lowercase().contains(w));
        let lines = log.lines.iter().filter(|l| !l.notice).filter(holds);
        all.extend(
            lines.map(|l| {
                (l.at_ms, hit(app, &l.from, &l.text, l.at_ms, place.clone(), l.id.clone()))
            }),
        );
    }
    all.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    if let Some(Dialog::Pick(pick)) = app.dialogs.last_mut()
        && pick.source == Source::Search
        && super::super::dialog::text_of(&pick.filter).trim() == query
    {
        pick.items = all.into_iter().map(|(_, item)| item).collect();
        pick.at = 0;
    }
}

fn hit(app: &App, from: &str, said: &str, at_ms: u64, place: Place, id: String) -> Item {
    let label = format!("{from}: {}", text::one_line(said));
    let detail = format!("{}  {}", place.name(), date_time(app.local(at_ms)));
    Item::new(label, detail, Press::Message(place, id))
}

/// Which routes the open conversation may use.
pub fn floors(app: &App) -> Pick {
    let (name, now) =
        app.conversation().map(|c| (c.name.clone(), c.floor.clone())).unwrap_or_default();
    let items = FLOORS.map(|(floor, what)| {
        let mark = if floor == now { "● " } else { "  " };
        let command = Command::Floor { conversation: name.clone(), floor: floor.to_owned() };
        Item::new(
            format!("{mark}{floor}"),
            what,
            Press::Ask(Box::new(command), Then::Say(format!("floor: {floor}"))),
        )
    });
    let note = "Each hides something else. The floor holds for what leaves this machine; when no allowed route works, messages wait.";
    let mut pick =
        Pick::new(format!("Floor: which routes may “{name}” use from here?"), note, items.to_vec());
    pick.at = FLOORS.iter().position(|(f, _)| *f == now).unwrap_or(0);
    pick
}

/// Route to an open room.
pub fn routes(room: &RoomView) -> Pick {
    let routes = [
        ("onion", "relays: hides who talks to whom, and when"),
        ("tor", "hides where you are; the hub sees when you talk"),
        ("tor+onion", "through Tor to the first relay, and on through the relays"),
        ("direct", "the hub sees this machine's address; fastest"),
    ];
    let items = routes.map(|(route, what)| {
        let mark = if route == room.route { "● " } else { "  " };
        let command = Command::RoomRoute { room: room.name.clone(), route: route.to_owned() };
        Item::new(
            format!("{mark}{route}"),
            what,
            Press::Ask(Box::new(command), Then::Say(format!("route: {route}"))),
        )
    });
    Pick::new(format!("Route to “{}”", room.name), "Each hides something else.", items.to_vec())
}

/// Times after which messages disappear.
pub fn timers(name: &str) -> Pick {
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
            let command = Command::SetTimer { conversation: name.to_owned(), seconds };
            Item::new(
                label,
                "",
                Press::Ask(Box::new(command), Then::Say(format!("messages disappear: {label}"))),
            )
        })
        .collect();
    let prompt = Prompt::new(
        "Messages disappear after",
        "as in 10m, 12h, 1d or 4w; or off",
        "",
        Purpose::Timer(name.to_owned()),
    );
    items.push(Item::new("another time …", "", Press::Prompt(Box::new(prompt))));
    Pick::new(
        "Disappearing messages",
        "New messages of all members go away after this time, everywhere.",
        items,
    )
}

/// What one can think of a message.
pub fn reactions(line: &Line, name: &str) -> Pick {
    let react = |emoji: &str, remove| {
        let (conversation, message) = (name.to_owned(), line.id.clone());
        Press::Ask(
            Box::new(Command::React { conversation, message, emoji: emoji.to_owned(), remove }),
            Then::Nothing,
        )
    };
    let mut items: Vec<Item> = ["👍", "❤️", "😂", "😮", "😢", "🎉", "ok", "?"]
        .map(|e| Item::new(e, "", react(e, false)))
        .to_vec();
    let mine = line.reactions.iter().filter(|r| r.you).map(|r| &r.emoji);
    items.extend(mine.map(|e| Item::new(format!("take {e} back"), "", react(e, true))));
    let prompt = Prompt::new(
        "Your reaction",
        "a short text, most often one emoji",
        "",
        Purpose::React(name.to_owned(), line.id.clone()),
    );
    items.push(Item::new("something else …", "", Press::Prompt(Box::new(prompt))));
    Pick::new("React", text::clip(&line.text, 60), items)
}

/// Formats of an export.
pub fn export(place: &Place) -> Pick {
    let formats = [
        (Format::Txt, "txt", "a line for each message"),
        (Format::Html, "html", "a page for a browser; it loads nothing from elsewhere"),
        (Format::Jsonl, "jsonl", "for programs"),
    ];
    let items = formats.map(|(format, ending, what)| {
        let file = format!("hushwing-talk.{ending}");
        let prompt = Prompt::new(
            "Export to which file?",
            "It must not be there yet; only you can read it.",
            &file,
            Purpose::ExportFile(place.clone(), format),
        );
        Item::new(ending, what, Press::Prompt(Box::new(prompt)))
    });
    Pick::new(format!("Export “{}”", place.name()), "The file is not encrypted.", items.to_vec())
}

/// Contacts who can be invited into a group.
pub fn contacts_for(app: &App, group: &str) -> Pick {
    let contacts = app.conversations.iter().filter(|c| c.kind == "contact" && c.open);
    let items = contacts.map(|c| {
        let command = Command::InviteToGroup { group: group.to_owned(), contact: c.name.clone() };
        let detail = if c.verified { "✓ verified" } else { "unverified" };
        Item::new(
            &c.name,
            detail,
            Press::Ask(Box::new(command), Then::Say(format!("{} is invited", c.name))),
        )
    });
    Pick::new(
        format!("Invite whom into “{group}”?"),
        "They are in once they say yes.",
        items.collect(),
    )
}

/// Members of a group, to do something to one of them.
pub fn members(group: &str, members: Vec<MemberView>, what: Members) -> Pick {
    let others = members.into_iter().filter(|m| !m.you);
    let items = others.map(|m| {
        let detail = if m.verified { "✓ verified" } else { "unverified" };
        let press = if what == Members::Remove {
            let command = Command::RemoveMember { group: group.to_owned(), member: m.name.clone() };
            Press::Ask(Box::new(command), Then::Say(format!("removing {}", m.name)))
        } else {
            let command =
                Command::RestartGroup { group: group.to_owned(), without: m.name.clone() };
            Press::Ask(Box::new(command), Then::Open)
        };
        Item::new(&m.name, detail, press)
    });
    let title = if what == Members::Remove { "Remove whom" } else { "Go on without whom" };
    Pick::new(format!("{title}? (“{group}”)"), "", items.collect())
}

/// Talkers of a room, to mute one of them.
pub fn mute(room: &RoomView) -> Pick {
    let others = room.people.iter().filter(|p| !p.you);
    let items = others.map(|p| {
        let command =
            Command::RoomMute { room: room.name.clone(), name: p.name.clone(), muted: !p.muted };
        let detail = if p.muted { "muted: show again" } else { "mute" };
        Item::new(&p.name, detail, Press::Ask(Box::new(command), Then::Nothing))
    });
    Pick::new("Mute whom?", "Muting hides somebody from everybody here.", items.collect())
}

/// Invitations into groups.
pub fn group_invites(app: &mut App) {
    let items = app.group_invites.iter().flat_map(|i| {
        [(true, "accept"), (false, "refuse")].map(|(accept, word)| {
            let command = Command::AnswerGroupInvite { token: i.token.clone(), accept };
            let said = if accept { format!("joining {}", i.title) } else { "refused".to_owned() };
            Item::new(
                format!("{word}: {}", i.title),
                format!("from {}", i.from),
                Press::Ask(Box::new(command), Then::Say(said)),
            )
        })
    });
    let items: Vec<Item> = items.collect();
    if items.is_empty() {
        app.say("no invitation waits");
        return;
    }
    app.dialogs.push(Dialog::Pick(Box::new(Pick::new("Invitations into groups", "", items))));
}

/// Invites that were made.
pub fn invites(app: &App, invites: Vec<InviteView>) -> Pick {
    let items = invites.into_iter().map(|i| {
        let label = i.name.clone().unwrap_or_else(|| "for anybody".to_owned());
        let detail = format!("{}, until {}", i.state, date_time(app.local(i.expires_ms)));
        let press = if i.state == "open" {
            Press::Page(Box::new(pages::invite(app, &i)))
        } else {
            Press::Close
        };
        Item::new(label, detail, press)
    });
    Pick::new(
        "Invites that you made",
        "Enter shows the link, and takes it back if you wish.",
        items.collect(),
    )
}

/// Transfers of files, the newest first.
pub fn transfers(app: &App) -> Pick {
    let items = app.files.iter().rev().map(|f| {
        let way = if f.ours { "to" } else { "from" };
        let detail = format!("{}  {way} {}  {}", bar(f.done, f.size, 10), f.conversation, f.state);
        Item::new(
            format!("{} ({})", f.name, bytes(f.size)),
            detail,
            Press::Page(Box::new(pages::transfer(f))),
        )
    });
    Pick { source: Source::Asked, ..Pick::new("File transfers", "", items.collect()) }
}

/// A bar of so many cells, and the share in per cent.
pub fn bar(done: u64, size: u64, cells: usize) -> String {
    let share = (done.min(size) * 100).checked_div(size).unwrap_or(100);
    let full = usize::try_from(share).unwrap_or(0) * cells / 100;
    format!("{}{} {share:>3} %", "█".repeat(full), "░".repeat(cells - full))
}

/// People who show themselves on the local network.
pub fn nearby(people: Vec<PersonView>) -> Pick {
    let items = people.into_iter().map(|p| {
        let command = Command::Knock { key: p.key, name: None };
        Item::new(
            p.name,
            format!("heard {} s ago", p.ago_ms / 1_000),
            Press::Ask(Box::new(command), Then::Open),
        )
    });
    let note =
        "Anybody can show any name. Enter knocks: compare the words that both of you see then.";
    Pick::new("Who shows themselves on the local network", note, items.collect())
}

/// The colours.
pub fn themes(app: &mut App) {
    let items = Theme::ALL.map(|t| {
        let mark = if t == app.prefs.theme { "● " } else { "  " };
        Item::new(format!("{mark}{}", t.word()), "", Press::Theme(t))
    });
    let note = if app.colours { "" } else { "NO_COLOR is set: nothing is coloured" };
    app.dialogs.push(Dialog::Pick(Box::new(Pick::new("Colours", note, items.to_vec()))));
}

/// The settings.
pub fn settings(settings: Vec<SettingView>) -> Pick {
    let items = settings.into_iter().map(|s| {
        let value = if s.value.is_empty() { "—" } else { &s.value };
        Item::new(
            format!("{} = {}", s.key, text::clip(value, 40)),
            &s.help,
            Press::Setting(Box::new(s.clone())),
        )
    });
    Pick::new("Settings", "They are kept in config.toml of the profile.", items.collect())
}

/// The values that a setting can have.
pub fn choices(setting: &SettingView) -> Pick {
    let items = setting.choices.iter().map(|value| {
        let mark = if *value == setting.value { "● " } else { "  " };
        let command = Command::Set { key: setting.key.clone(), value: value.clone() };
        Item::new(
            format!("{mark}{value}"),
            "",
            Press::Ask(Box::new(command), Then::Set(setting.key.clone())),
        )
    });
    Pick::new(&setting.key, &setting.help, items.collect())
}

/// A setting that is the screen's own counts at once.
pub fn preference(app: &mut App, out: &mut Vec<Effect>, key: &str, value: &str) {
    let on = matches!(value, "true" | "on" | "yes");
    match key {
        "theme" => app.prefs.theme = Theme::parse(value).unwrap_or(app.prefs.theme),
        "notify" => app.prefs.notify = on,
        "mouse" if app.prefs.mouse != on => {
            app.prefs.mouse = on;
            out.push(Effect::Mouse(on));
        }
        _ => {}
    }
}

/// A directory was read: the file picker shows it.
pub fn directory(app: &mut App, path: PathBuf, found: Result<Vec<Found>, String>) {
    let found = match found {
        Ok(found) => found,
        Err(why) => return app.complain(why),
    };
    let mut items: Vec<Item> = Vec::new();
    if let Some(up) = path.parent() {
        items.push(Item::new("../", "up", Press::Dir(up.to_owned())));
    }
    items.extend(found.into_iter().map(|f| entry(&path, &f)));
    let note = text::one_line(&path.display().to_string());
    let pick = Pick { source: Source::Dir(path), ..Pick::new("Send which file?", note, items) };
    // Going from directory to directory is one dialog.
    if let Some(Dialog::Pick(old)) = app.dialogs.last()
        && matches!(old.source, Source::Dir(_))
    {
        app.dialogs.pop();
    }
    app.dialogs.push(Dialog::Pick(Box::new(pick)));
}

fn entry(path: &Path, found: &Found) -> Item {
    let whole = path.join(&found.name);
    let name = text::one_line(&found.name);
    if found.dir {
        return Item::new(format!("{name}/"), "", Press::Dir(whole));
    }
    Item::new(name, bytes(found.bytes), Press::File(whole))
}
