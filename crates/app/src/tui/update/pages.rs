//! Pages to read, and questions.

use super::super::dialog::{Button, Item, Live, Page, Pick, Press, Prompt, Purpose, Row};
use super::super::keys::{self, Action};
use super::super::message::{ROUTES, State};
use super::super::state::{App, Then};
use crate::cli::profile::show::{bytes, date_time};
use crate::cli::{line, profile};
use crate::engine::profile::{
    CarriedView, Command, FileView, InviteView, MemberView, MeshView, NetworkView, RoomView,
};

/// Title of the help.
pub const HELP: &str = "Help";
/// Title of the list that follows the first question.
pub const FIRST_STEPS: &str = "Whom do you want to talk with?";

fn text(text: impl Into<String>) -> Row {
    Row::Text(text.into())
}

/// A button that closes the page.
pub fn close(label: &str) -> Button {
    Button::new(label, Press::Close)
}

/// The help: keys, marks, slash commands.
pub fn help() -> Page {
    let mut rows = vec![Row::Head("How far a message of yours got".to_owned())];
    rows.extend(
        State::LEGEND
            .map(|(s, what)| Row::Pair(format!("{} {}", s.mark(), s.word()), what.to_owned())),
    );
    rows.extend([
        Row::Dim("“w” on a chosen message says why it is not further.".to_owned()),
        Row::Blank,
        Row::Head("Which route carried a message".to_owned()),
    ]);
    rows.extend(ROUTES.map(|(letter, name, what)| {
        Row::Pair(format!("12:30 {letter}"), format!("{name}: {what}"))
    }));
    rows.extend([
        Row::Blank,
        Row::Head("Marks".to_owned()),
        Row::Pair("• 3 new".to_owned(), "three messages that you have not seen".to_owned()),
        Row::Pair("✓ bob".to_owned(), "verified: you have compared the safety words".to_owned()),
        Row::Pair(
            "? bob".to_owned(),
            "unverified: compare them, face to face or on the phone".to_owned(),
        ),
        Row::Pair(
            "[onion]".to_owned(),
            "the route that works now: onion, tor, tor+onion, direct or lan; [—]: none".to_owned(),
        ),
        Row::Pair(
            "bob~k3m9x2ab".to_owned(),
            "in a room: digits of the key, where two have the same name".to_owned(),
        ),
        Row::Blank,
    ]);
    rows.extend(keys::rows());
    rows.push(Row::Head(
        "Typed commands; ID: first digits of a message's id, or `last`".to_owned(),
    ));
    rows.extend(
        profile::COMMANDS
            .iter()
            .map(|(usage, what)| Row::Pair((*usage).to_owned(), (*what).to_owned())),
    );
    rows.push(Row::Blank);
    rows.push(Row::Head("Typed commands in open rooms".to_owned()));
    rows.extend(
        line::COMMANDS
            .iter()
            .map(|(usage, what)| Row::Pair((*usage).to_owned(), (*what).to_owned())),
    );
    Page::new(HELP, rows, vec![close("close")])
}

/// The first thing that is asked.
pub fn first_name() -> Prompt {
    let note = "This is the name that people see whom you invite, or who invite you. It is kept on this machine and \
                told to nobody else; you can change it later.";
    let prompt =
        Prompt::new("Welcome to Hushwing. What is your name?", note, "", Purpose::FirstName);
    Prompt { must: true, ..prompt }
}

/// What follows the first question.
pub fn first_steps() -> Pick {
    let items = vec![
        Item::new(
            "Use an invite that you were given",
            "paste the link right here",
            Press::Act(Action::AcceptInvite),
        ),
        Item::new(
            "Invite somebody",
            "a link and a QR code, for one person",
            Press::Act(Action::Invite),
        ),
        Item::new("Join an open room", "by its link", Press::Act(Action::JoinRoom)),
        Item::new("Look around first", "", Press::Close),
    ];
    Pick::new(FIRST_STEPS, "", items)
}

/// Asks for the name.
pub fn name(now: &str) -> Prompt {
    Prompt::new("Your name", "New contacts and groups see it.", now, Purpose::Name)
}

/// Asks for an invite.
pub fn accept_invite(link: &str) -> Prompt {
    let note = "Paste the link (hushwing:invite#…), then Enter. It works once.";
    Prompt::new("Use an invite", note, link, Purpose::AcceptInvite)
}

/// Asks for a room's link.
pub fn join_room(link: &str) -> Prompt {
    let note =
        "Paste the link (hushwing:room#…), then Enter. Whoever holds it reads what is said there.";
    Prompt::new("Join an open room", note, link, Purpose::JoinRoom)
}

/// Asks for a new room's name.
pub fn new_room() -> Prompt {
    let note =
        "What you call it; only you see that. Whoever gets its link reads what is said there.";
    Prompt::new("New open room", note, "", Purpose::NewRoom)
}

/// Asks for a new group's title.
pub fn new_group() -> Prompt {
    Prompt::new("New group", "Its title; all members see it.", "", Purpose::NewGroup)
}

/// Asks for a conversation's new name.
pub fn rename(name: &str) -> Prompt {
    Prompt::new("Rename", "Only you see this name.", name, Purpose::Rename(name.to_owned()))
}

/// Asks for a group's new title.
pub fn group_title(name: &str) -> Prompt {
    Prompt::new(
        "Rename the group",
        "All members see it.",
        name,
        Purpose::GroupTitle(name.to_owned()),
    )
}

/// Asks for a name in a room.
pub fn nick(room: &RoomView) -> Prompt {
    let now = room.you.split('~').next().unwrap_or_default();
    Prompt::new(
        "Your name in this room",
        "Everybody here sees it.",
        now,
        Purpose::Nick(room.name.clone()),
    )
}

/// While an invite is being made.
pub fn invite_wait() -> Page {
    let rows = vec![text("Making a link for one person; it is there once the hub has answered …")];
    Page::new("Invite", rows, vec![close("close")]).live(Live::Invite)
}

/// An invite: its link whole, and its QR code.
pub fn invite(app: &App, invite: &InviteView) -> Page {
    let mut rows = vec![
        text(format!(
            "For one person, once, until {}. Whoever holds it can use it: give it on a way that you trust.",
            date_time(app.local(invite.expires_ms))
        )),
        Row::Blank,
        Row::Link(invite.link.clone()),
        Row::Blank,
    ];
    rows.extend(qr(&invite.link));
    let revoke = Command::Revoke { invite: invite.id.clone() };
    let buttons = vec![
        close("close"),
        Button::new("copy", Press::Copy(invite.link.clone())),
        Button::new(
            "take it back",
            Press::Ask(Box::new(revoke), Then::Say("taken back".to_owned())),
        ),
    ];
    Page::new("Invite", rows, buttons).live(Live::Invite)
}

/// A link into a room.
pub fn room_link(link: &str) -> Page {
    let mut rows = vec![
        text("Whoever holds this link reads everything from this hour on."),
        Row::Blank,
        Row::Link(link.to_owned()),
        Row::Blank,
    ];
    rows.extend(qr(link));
    Page::new(
        "Link into this room",
        rows,
        vec![close("close"), Button::new("copy", Press::Copy(link.to_owned()))],
    )
}

/// A link as a QR code of half blocks.
fn qr(link: &str) -> Option<Row> {
    let code = qrcode::QrCode::with_error_correction_level(link, qrcode::EcLevel::L).ok()?;
    let picture = code.render::<qrcode::render::unicode::Dense1x2>().build();
    Some(Row::Qr(picture.lines().map(str::to_owned).collect()))
}

/// Safety words.
pub fn words(name: &str, words: &str, verified: bool) -> Page {
    let rows = vec![
        text(format!(
            "Compare these words with {name}, face to face or on the phone. The same words: nobody sits between you."
        )),
        Row::Blank,
        Row::Words(words.to_owned()),
        Row::Blank,
        text(if verified {
            format!("✓ {name} is verified.")
        } else {
            format!("? {name} is unverified.")
        }),
    ];
    let verify = |verified: bool, said: &str| {
        let command = Command::Verify { conversation: name.to_owned(), verified };
        Press::Ask(Box::new(command), Then::Say(format!("{name} is {said} now")))
    };
    let mut buttons =
        vec![close("later"), Button::new("the same: mark as verified", verify(true, "verified"))];
    if verified {
        buttons = vec![
            close("close"),
            Button::new("not the same: take it back", verify(false, "unverified")),
        ];
    }
    Page::new(format!("Safety words with {name}"), rows, buttons)
}

/// Why a message is not delivered.
pub fn why(app: &App, reason: Option<&str>, since_ms: Option<u64>) -> Page {
    let mut rows = vec![text(reason.unwrap_or("It is delivered."))];
    rows.extend(since_ms.map(|ms| Row::Dim(format!("since {}", date_time(app.local(ms))))));
    Page::new("Why is it not delivered?", rows, vec![close("close")])
}

/// Who is in a conversation.
pub fn members(name: &str, members: &[MemberView]) -> Page {
    let row = |m: &MemberView| {
        let called = m
            .contact
            .as_ref()
            .filter(|c| **c != m.name)
            .map(|c| format!(", you call them {c}"))
            .unwrap_or_default();
        let mark = match (m.you, m.verified) {
            (true, _) => "you".to_owned(),
            (_, true) => format!("✓ verified{called}"),
            _ => format!("? unverified{called}"),
        };
        Row::Pair(m.name.clone(), mark)
    };
    Page::new(format!("In “{name}”"), members.iter().map(row).collect(), vec![close("close")])
}

/// Who talks in the open room.
pub fn people_of_room(app: &App) -> Page {
    let Some(room) = app.room() else { return Page::new("Room", Vec::new(), vec![close("close")]) };
    let mut rows =
        vec![Row::Dim("Who talks here; readers announce nothing.".to_owned()), Row::Blank];
    rows.extend(room.people.iter().map(|p| {
        let marks = [(p.you, "you"), (p.left, "left"), (p.muted, "muted")];
        let marks: Vec<&str> =
            marks.into_iter().filter(|(on, _)| *on).map(|(_, mark)| mark).collect();
        Row::Pair(p.name.clone(), marks.join(", "))
    }));
    Page::new(format!("In “{}”", room.name), rows, vec![close("close")])
}

/// The networks.
pub fn network(networks: &[NetworkView], connections: &[String]) -> Page {
    let mut rows = Vec::new();
    for n in networks {
        let state = if n.online { "online" } else { "offline" };
        rows.push(Row::Head(format!("hub {}  [{}]  {state}", n.hub, n.route)));
        rows.push(text(n.text.clone()));
        rows.push(Row::Pair(
            "used by".to_owned(),
            if n.conversations.is_empty() {
                "nothing yet".to_owned()
            } else {
                n.conversations.join(", ")
            },
        ));
        if let Some(d) = &n.document {
            let epoch = format!("{}, each {} min", d.epoch, d.epoch_ms / 60_000);
            let cover = match d.cover_kb_per_min {
                0 => "none on this route".to_owned(),
                kb => format!("{kb} kB/min, both directions together"),
            };
            for (name, value) in [
                ("relays", d.relays.to_string()),
                ("relays on a path", format!("{} or more", d.hops)),
                ("epoch", epoch),
                ("delay at each relay", format!("{} ms on average", d.mean_delay_ms)),
                ("cover traffic", cover),
                ("document", d.hash.clone()),
            ] {
                rows.push(Row::Pair(name.to_owned(), value));
            }
        } else {
            rows.push(Row::Dim("no network document yet".to_owned()));
        }
        rows.push(Row::Blank);
    }
    if networks.is_empty() {
        rows.push(text("No hub is in use: it begins with an invite or a room."));
        rows.extend(connections.iter().map(|c| text(c.clone())));
    }
    rows.push(Row::Dim(
        "All of a network see the same document: compare its digits with others.".to_owned(),
    ));
    Page::new("Network", rows, vec![close("close")]).live(Live::Network)
}

/// The local network.
pub fn mesh(mesh: &MeshView) -> Page {
    let amount = |c: &CarriedView| format!("{} boxes, {}", c.boxes, bytes(c.bytes));
    let mut rows = Vec::new();
    if mesh.lan == "off" {
        rows.push(text("The local network is not used: set `lan` to `on` in the settings, or start with --lan on."));
    } else {
        rows.push(Row::Pair("use".to_owned(), mesh.lan.clone()));
        rows.push(Row::Pair(
            "interfaces".to_owned(),
            if mesh.interfaces.is_empty() { "none".to_owned() } else { mesh.interfaces.join(", ") },
        ));
        rows.push(Row::Blank);
        rows.push(Row::Head("Contacts who are near".to_owned()));
        for n in &mesh.neighbours {
            rows.push(Row::Pair(
                n.name.clone(),
                format!("received {}; given {}", amount(&n.received), amount(&n.given)),
            ));
        }
        if mesh.neighbours.is_empty() {
            rows.push(Row::Dim("nobody you know".to_owned()));
        }
    }
    rows.push(Row::Blank);
    rows.push(Row::Head("Carried".to_owned()));
    rows.push(Row::Pair("yours".to_owned(), amount(&mesh.ours)));
    rows.push(Row::Pair("others'".to_owned(), amount(&mesh.others)));
    let buttons = vec![
        close("close"),
        Button::new("who shows themselves", Press::Ask(Box::new(Command::Nearby {}), Then::Nearby)),
        Button::new("show yourself", Press::Act(Action::Show)),
    ];
    Page::new("Local network", rows, buttons).live(Live::Mesh)
}

/// A file transfer.
pub fn transfer(file: &FileView) -> Page {
    let way = if file.ours { "to" } else { "from" };
    let mut rows = vec![
        Row::Pair("file".to_owned(), file.name.clone()),
        Row::Pair("size".to_owned(), bytes(file.size)),
        Row::Pair(way.to_owned(), file.conversation.clone()),
        Row::Pair("state".to_owned(), file.state.clone()),
        Row::Bar(file.transfer.clone(), file.done, file.size),
    ];
    rows.extend(file.path.as_ref().map(|p| Row::Pair("path".to_owned(), p.clone())));
    let mut buttons = vec![close("close")];
    let transfer = file.transfer.clone();
    let stop = Press::Ask(
        Box::new(Command::CancelFile { transfer: transfer.clone() }),
        Then::Say("stopped".to_owned()),
    );
    match (file.state.as_str(), file.ours) {
        ("offered", false) => {
            let accept = Command::AcceptFile { transfer, directory: None };
            buttons.push(Button::new(
                "accept",
                Press::Ask(Box::new(accept), Then::Say("fetching the file".to_owned())),
            ));
            buttons.push(Button::new("refuse", stop));
        }
        ("offered" | "moving", _) => buttons.push(Button::new("stop", stop)),
        _ => {}
    }
    Page::new("File transfer", rows, buttons).live(Live::Transfers)
}

/// Before leaving with something that is not stored.
pub fn quit(unstored: usize) -> Page {
    let rows = vec![
        text(format!("{unstored} message(s) of yours are not at the hub yet.")),
        Row::Blank,
        text(
            "The program leaves by itself as soon as they are. If you leave now, what is in contacts and groups leaves the next time the profile runs; what was said in open rooms is lost.",
        ),
    ];
    Page::new("Leave?", rows, vec![close("stay"), Button::new("leave now", Press::Quit)])
}

/// Somebody knocks on the local network.
pub fn knock(knock: &str, name: &str, words: &str) -> Page {
    let rows = vec![
        text(format!(
            "“{name}” wants to become your contact. Anybody can give any name: ask them which words they see."
        )),
        Row::Blank,
        Row::Words(words.to_owned()),
    ];
    let answer =
        |accept| Box::new(Command::AnswerKnock { knock: knock.to_owned(), accept, name: None });
    let buttons = vec![
        close("later"),
        Button::new("the same words: accept", Press::Ask(answer(true), Then::Open)),
        Button::new("refuse", Press::Ask(answer(false), Then::Say("refused".to_owned()))),
    ];
    Page::new("Somebody knocks", rows, buttons)
}

/// Words to compare while one knocks.
pub fn knocking(words: &str) -> Page {
    let rows =
        vec![text("They should see these words too:"), Row::Blank, Row::Words(words.to_owned())];
    Page::new("You knock", rows, vec![close("close")])
}
