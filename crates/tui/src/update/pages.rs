//! Pages to read, and questions.

use api::{
    AcceptKnock, CarriedView, ConversationId, Invite, InviteView, KnockId, LanMode, ListNearby,
    MemberView, MeshView, NetworkView, RefuseKnock, Revoke, RoomView,
};
use text::{bytes, date_time};

use super::{facts, lists, open};
use crate::ask;
use crate::dialog::{Button, Dialog, Item, Live, Page, Pick, Press, Prompt, Purpose, Row};
use crate::keys::Action;
use crate::state::{App, Effect};

/// Title of the list that follows the first question.
pub(super) const FIRST_STEPS: &str = "Who do you want to talk to?";
/// Title of the question before the end.
const QUIT: &str = "Quit?";

fn text(text: impl Into<String>) -> Row {
    Row::Text(text.into())
}

/// A button that closes the page.
pub(super) fn close(label: &str) -> Button {
    Button::new(label, Press::Close)
}

/// Shows a page, in the place of an older one of its kind.
pub(super) fn show(app: &mut App, mut page: Page) {
    for dialog in app.dialogs.iter_mut().rev() {
        if let Dialog::Page(old) = dialog
            && old.live == page.live
        {
            page.scroll = old.scroll;
            page.focus = old.focus.min(page.buttons.len().saturating_sub(1));
            *old = page;
            return;
        }
    }
    app.dialogs.push(Dialog::Page(page));
}

/// The first thing that is asked.
pub(super) fn first_name() -> Prompt {
    let note = "People you invite, and people who invite you, see this name. It stays on this device and \
                nobody else learns it; you can change it later.";
    let prompt =
        Prompt::new("Welcome to Hushwing. What is your name?", note, "", Purpose::FirstName);
    Prompt { must: true, ..prompt }
}

/// What follows the first question.
pub(super) fn first_steps() -> Pick {
    let items = vec![
        Item::new(
            "Accept an invite",
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
pub(super) fn name(now: &str) -> Prompt {
    Prompt::new("Your name", "New contacts and groups see it.", now, Purpose::Name)
}

/// Asks for an invite.
pub(super) fn accept_invite(link: &str) -> Prompt {
    let note = "Paste the link (hushwing:invite#…) and press Enter. It works once.";
    Prompt::new("Accept an invite", note, link, Purpose::AcceptInvite)
}

/// Asks for a room's link.
pub(super) fn join_room(link: &str) -> Prompt {
    let note =
        "Paste the link (hushwing:room#…) and press Enter. Anyone with the link can read the room.";
    Prompt::new("Join an open room", note, link, Purpose::JoinRoom)
}

/// Asks for a new room's name.
pub(super) fn new_room() -> Prompt {
    let note = "Your name for the room; only you see it. Anyone with the room's link can read it.";
    Prompt::new("New open room", note, "", Purpose::NewRoom)
}

/// Asks for a new group's title.
pub(super) fn new_group() -> Prompt {
    Prompt::new("New group", "Its title; all members see it.", "", Purpose::NewGroup)
}

/// Asks for an own name of a conversation.
pub(super) fn own_name(app: &App, id: ConversationId) -> Prompt {
    let now = app.view(id).map(|c| c.own_name.as_ref().unwrap_or(&c.title).clone());
    let note = "Only you see this name, and nobody else can change it. Leave it empty to show their name or title again.";
    Prompt::new("Rename", note, &now.unwrap_or_default(), Purpose::OwnName(id))
}

/// Asks for a group's new title.
pub(super) fn group_title(app: &App, id: ConversationId) -> Prompt {
    let now = app.view(id).map(|c| c.title.clone()).unwrap_or_default();
    Prompt::new("Rename the group", "All members see it.", &now, Purpose::GroupTitle(id))
}

/// Asks for a name in a room.
pub(super) fn nick(room: &RoomView) -> Prompt {
    let now = room.you.split('~').next().unwrap_or_default();
    let purpose = Purpose::Nick(room.id);
    Prompt::new("Your name in this room", "Everyone here sees it.", now, purpose)
}

/// Creates an invite, and shows its link.
pub(super) fn invite_somebody(app: &mut App, out: &mut Vec<Effect>) {
    let rows = vec![text("Creating a link for one person …")];
    let wait = Page::new("Invite", rows, vec![close("close")]).live(Live::Invite(None));
    app.dialogs.push(Dialog::Page(wait));
    let request = Invite { name: None, my_name: None, expires_s: None, network: None };
    ask::ask_either(out, request, |app, _, answer| {
        let waits = |d: &Dialog| matches!(d, Dialog::Page(p) if p.live == Live::Invite(None));
        let waiting = app.dialogs.iter().position(waits);
        if let Some(at) = waiting {
            app.dialogs.remove(at);
        }
        match answer {
            Ok(made) => {
                let page = Dialog::Page(invite(app, &made));
                app.dialogs.insert(waiting.unwrap_or(app.dialogs.len()), page);
            }
            Err(refusal) => app.refused(&refusal),
        }
    });
}

/// An invite: its link whole, and its QR code.
pub(super) fn invite(app: &App, invite: &InviteView) -> Page {
    let until = date_time(app.local(invite.expires_ms));
    let mut rows = vec![
        text(format!(
            "For one person, once, until {until}. Anyone who has it can use it: send it through a channel you trust."
        )),
        Row::Blank,
        Row::Link(invite.link.clone()),
        Row::Blank,
    ];
    rows.extend(qr(&invite.link));
    let revoke = Press::ask_and_say(Revoke { invite: invite.id }, "revoked");
    let buttons = vec![
        close("close"),
        Button::new("copy", Press::Copy(invite.link.clone())),
        Button::new("revoke", revoke),
    ];
    Page::new("Invite", rows, buttons).live(Live::Invite(Some(invite.id)))
}

/// A link as a QR code of half blocks.
pub(super) fn qr(link: &str) -> Option<Row> {
    let code = qrcode::QrCode::with_error_correction_level(link, qrcode::EcLevel::L).ok()?;
    let picture = code.render::<qrcode::render::unicode::Dense1x2>().build();
    Some(Row::Qr(picture.lines().map(str::to_owned).collect()))
}

/// Who is in a conversation.
pub(super) fn members(name: &str, members: &[MemberView]) -> Page {
    let row = |m: &MemberView| {
        let called = m
            .contact
            .as_ref()
            .filter(|c| c.label != m.name)
            .map(|c| format!(", you call them {}", c.label))
            .unwrap_or_default();
        let mark = match (m.you, m.verified) {
            (true, _) => "you".to_owned(),
            (_, true) => format!("✓ verified{called}"),
            _ => format!("? not verified{called}"),
        };
        Row::Pair(m.name.clone(), mark)
    };
    Page::new(format!("In “{name}”"), members.iter().map(row).collect(), vec![close("close")])
}

/// Shows the networks.
pub(super) fn show_networks(app: &mut App, networks: Vec<NetworkView>) {
    let connections = app.status.as_ref().map_or(&[][..], |s| &s.connections);
    let page = network_page(&networks, connections);
    app.networks = networks;
    show(app, page);
}

fn network_page(networks: &[NetworkView], connections: &[String]) -> Page {
    let mut rows: Vec<Row> = networks.iter().flat_map(network).collect();
    if networks.is_empty() {
        rows.push(text("No hub is in use yet. Accept an invite or join a room to begin."));
        rows.extend(connections.iter().map(|c| text(c.clone())));
    }
    rows.push(Row::Dim(
        "Everyone on a network sees the same document: compare its digits with others.".to_owned(),
    ));
    Page::new("Network", rows, vec![close("close")]).live(Live::Network)
}

fn network(n: &NetworkView) -> Vec<Row> {
    let pair = |name: &str, value: String| Row::Pair(name.to_owned(), value);
    let state = if n.online { "online" } else { "offline" };
    let used: Vec<&str> = n.conversations.iter().map(|c| c.label.as_str()).collect();
    let mut rows = vec![
        Row::Head(format!("hub {}  [{}]  {state}", n.hub, n.route)),
        text(n.text.clone()),
        pair("used by", if used.is_empty() { "nothing yet".to_owned() } else { used.join(", ") }),
    ];
    if let Some(d) = &n.document {
        let cover = match d.cover_kb_per_min {
            0 => "none on this route".to_owned(),
            kb => format!("{kb} kB/min, both directions together"),
        };
        rows.extend([
            pair("relays", d.relays.to_string()),
            pair("relays on a path", format!("{} or more", d.hops)),
            pair("epoch", format!("{}, each {} min", d.epoch, d.epoch_ms / 60_000)),
            pair("delay at each relay", format!("{} ms on average", d.mean_delay_ms)),
            pair("cover traffic", cover),
            pair("document", d.hash.clone()),
        ]);
    } else {
        rows.push(Row::Dim("no network document yet".to_owned()));
    }
    rows.push(Row::Blank);
    rows
}

/// Shows the local network.
pub(super) fn show_mesh(app: &mut App, mesh: &MeshView) {
    show(app, mesh_page(mesh));
}

fn mesh_page(mesh: &MeshView) -> Page {
    let amount = |c: &CarriedView| format!("{} boxes, {}", c.boxes, bytes(c.bytes));
    let mut rows = Vec::new();
    if mesh.lan == LanMode::Off {
        rows.push(text(
            "The local network is off: set `lan` to `on` in the settings, or start with --lan on.",
        ));
    } else {
        rows.push(Row::Pair("use".to_owned(), mesh.lan.word().to_owned()));
        rows.push(Row::Pair(
            "interfaces".to_owned(),
            if mesh.interfaces.is_empty() { "none".to_owned() } else { mesh.interfaces.join(", ") },
        ));
        rows.push(Row::Blank);
        rows.push(Row::Head("Nearby contacts".to_owned()));
        for n in &mesh.neighbours {
            rows.push(Row::Pair(
                n.label.clone(),
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
        Button::new(
            "who is visible",
            Press::ask(ListNearby {}, |app, _, people| {
                let empty = "nobody is visible on the local network";
                facts::show_or_say(app, lists::nearby(people), empty);
            }),
        ),
        Button::new("become visible", Press::Act(Action::Show)),
    ];
    Page::new("Local network", rows, buttons).live(Live::Mesh)
}

/// Before leaving with something that is not stored.
pub(super) fn quit(unstored: usize) -> Page {
    let rows = vec![
        text(format!("{unstored} message(s) not at the hub yet.")),
        Row::Blank,
        text(
            "The program quits by itself once they are. If you quit now, messages to contacts and groups are sent the next time the profile runs; messages to open rooms are lost.",
        ),
    ];
    Page::new(QUIT, rows, vec![close("stay"), Button::new("leave now", Press::Quit)])
}

/// Whether the question before the end is on the screen.
pub(super) fn asks_to_quit(app: &App) -> bool {
    matches!(app.dialogs.last(), Some(Dialog::Page(p)) if p.title == QUIT)
}

/// Somebody knocks on the local network.
pub(super) fn knock(knock: KnockId, name: &str, words: &str) -> Page {
    let rows = vec![
        text(format!(
            "“{name}” wants to become your contact. Anyone can choose any name: ask them which words they see."
        )),
        Row::Blank,
        Row::Words(words.to_owned()),
    ];
    let accept = Press::step(move |app, out| {
        open::ask_and_open(app, out, AcceptKnock { knock, name: None });
    });
    let refuse = Press::ask_and_say(RefuseKnock { knock }, "declined");
    let buttons = vec![
        close("later"),
        Button::new("words match: accept", accept),
        Button::new("decline", refuse),
    ];
    Page::new("Somebody knocks", rows, buttons)
}

/// Words to compare while one knocks.
pub(super) fn knocking(words: &str) -> Page {
    let rows =
        vec![text("They should see these words too:"), Row::Blank, Row::Words(words.to_owned())];
    Page::new("You knock", rows, vec![close("close")])
}
