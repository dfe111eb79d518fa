//! Others rename conversations, choose lookalike names, or names that are paths. Pages, forms,
//! drafts and unread marks stay with their conversation, and no name stands in an address.

mod common;

use api::{ConversationKind, Reason, Refusal};
use axum::http::StatusCode;
use common::{
    BASE, Browser, Site, World, between, conversation, conversation_id, member, message, room,
};
use serde_json::json;
use wire::ErrorKind;

/// alice has `family` (1) with mallory and `work` (2) with mallory and eve.
fn two_groups() -> World {
    let group = |n, label| conversation(n, label, ConversationKind::Group);
    World {
        conversations: vec![group(1, "family"), group(2, "work")],
        members: vec![member(0x41, "alice", true), member(0x42, "mallory", false)],
        ..World::default()
    }
}

/// mallory renames: `family` to `kin`, then `work` to `family`.
fn swap(site: &Site) {
    site.world().rename(conversation_id(1), "kin");
    site.world().rename(conversation_id(2), "family");
}

#[tokio::test]
async fn a_form_of_an_open_page_reaches_the_conversation_that_the_page_showed() {
    let site = Site::new(two_groups());
    let browser = site.browser().await;
    let family = conversation_id(1).to_string();
    let open = browser.get(&format!("c/{family}")).await;
    assert!(open.text.contains("<h1 id=\"label\" data-live>family</h1>"), "{}", open.text);
    let form = open.form("/send");
    swap(&site);

    let sent = browser.submit(&form, &[("text", "for two alone")]).await;
    assert_eq!(sent.location, format!("{BASE}c/{family}#end"));
    let asked = site.asked("send");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["conversation"], json!(family));
    assert_eq!(asked[0]["text"], "for two alone");

    // The other forms of that page, too.
    for action in ["/leave", "/timer", "/refresh"] {
        browser.submit(&open.form(action), &[("seconds", "300")]).await;
    }
    for method in ["leave", "set_timer", "refresh"] {
        assert_eq!(site.asked(method)[0]["conversation"], json!(family), "{method}");
    }
    // The page is the same one, under its new name.
    let now = browser.get(&format!("c/{family}")).await;
    assert!(now.text.contains("<h1 id=\"label\" data-live>kin</h1>"), "{}", now.text);
}

#[tokio::test]
async fn a_text_that_was_refused_waits_in_its_own_conversation() {
    let site = Site::new(two_groups());
    let browser = site.browser().await;
    let (family, work) = (conversation_id(1).to_string(), conversation_id(2).to_string());
    let open = browser.get(&format!("c/{family}")).await;
    let full = Refusal::new(ErrorKind::LocalStorage, Reason::QueueFull, "too much waits to leave");
    site.world().refusals.insert("send", full);
    browser.submit(&open.form("/send"), &[("text", "keep <this>")]).await;
    swap(&site);

    let text = |page: &common::Page| {
        let area = between(&page.text, "<textarea id=\"text\"", "</textarea>").to_owned();
        area.split_once('>').unwrap().1.to_owned()
    };
    assert_eq!(text(&browser.get(&format!("c/{work}")).await), "");
    assert_eq!(text(&browser.get(&format!("c/{family}")).await), "keep &lt;this&gt;");
    assert_eq!(text(&browser.get(&format!("c/{family}")).await), "", "it is shown once");
    // What a script keeps in the window is kept by the id as well.
    assert!(open.text.contains(&format!("data-keep=\"c/{family}\"")), "{}", open.text);
}

#[tokio::test]
async fn unread_marks_stay_with_their_conversation() {
    let mut world = two_groups();
    world.conversations[0].unseen = 3;
    world.history = vec![message(7, conversation_id(1), "family", "news")];
    let site = Site::new(world);
    let browser = site.browser().await;
    swap(&site);
    let (family, work) = (conversation_id(1).to_string(), conversation_id(2).to_string());
    let home = browser.get("./").await;
    let item = home.item(&format!("c/{family}"));
    assert!(item.contains("kin") && item.contains("3<span class=\"vh\"> new</span>"), "{item}");
    assert!(!home.item(&format!("c/{work}")).contains("new</span>"));

    browser.get(&format!("c/{work}")).await;
    assert_eq!(site.asked("seen"), Vec::<serde_json::Value>::new());
    browser.get(&format!("c/{family}")).await;
    assert_eq!(site.asked("seen"), [json!({ "conversation": family, "up_to": 7 })]);
}

#[tokio::test]
async fn a_lookalike_title_leads_to_its_own_conversation_only() {
    let group = |n, label| conversation(n, label, ConversationKind::Group);
    let twin = format!("f\u{430}mily ~{}", conversation_id(2).short());
    let conversations = vec![group(1, "family"), group(2, &twin)];
    let site = Site::new(World { conversations, ..two_groups() });
    let browser = site.browser().await;
    let home = browser.get("./").await;
    for (id, label) in [(1, "family"), (2, twin.as_str())] {
        let path = format!("c/{}", conversation_id(id));
        assert!(home.item(&path).contains(label), "{label}");
        let page = browser.get(&path).await;
        browser.submit(&page.form("/send"), &[("text", label)]).await;
    }
    let sent = site.asked("send");
    assert_eq!(sent[0]["conversation"], json!(conversation_id(1)));
    assert_eq!(sent[1]["conversation"], json!(conversation_id(2)));
}

#[tokio::test]
async fn others_rename_while_nobody_looks_and_the_next_page_says_so() {
    use futures::StreamExt;

    let site = Site::new(two_groups());
    let browser = site.browser().await;
    let mut open = browser.open("events").await.into_body().into_data_stream();
    let conversation = conversation_id(1);
    let (was, label) = ("family".to_owned(), "<b>kin".to_owned());
    site.events.send(api::Event::Renamed { conversation, was, label }).await.unwrap();
    let word = open.next().await.unwrap().unwrap();
    let word = String::from_utf8(word.to_vec()).unwrap();
    assert_eq!(word.trim(), r#"data: {"text":"family is now called <b>kin"}"#);
    let home = browser.get("./").await;
    assert!(home.text.contains("<li>family is now called &lt;b&gt;kin</li>"), "{}", home.text);
}

/// Paths of all pages that may show a contact's or a room's name.
fn pages(n: u8) -> Vec<String> {
    let (id, message) = (conversation_id(n), api::MessageId::new([7; 16]));
    let own = ["", "/about", &format!("/why/{message}"), &format!("?reply={message}")];
    let mut paths: Vec<String> = own.iter().map(|end| format!("c/{id}{end}")).collect();
    let room = api::RoomId::new([n; 16]);
    paths.extend(["", "/about"].iter().map(|end| format!("r/{room}{end}")));
    let others = ["./", "new", "search", "files", "near", "network", "settings", "help"];
    paths.extend(others.map(str::to_owned));
    paths
}

/// A contact and a room of this name, with everything that could show it.
fn called(name: &str) -> World {
    let contact = conversation(1, name, ConversationKind::Contact);
    let mut replies = std::collections::HashMap::new();
    replies.insert("room_link", json!({ "link": "hushwing:room#x" }));
    replies.insert("why", json!({ "text": "nobody answers", "since_ms": null }));
    let network = json!([{
        "hub": "ab", "route": "onion", "online": true, "text": "connected", "document": null,
        "conversations": [{ "id": contact.id, "label": name }],
    }]);
    replies.insert("networks", network);
    World {
        history: vec![message(7, contact.id, name, "hello")],
        conversations: vec![contact],
        members: vec![member(0x41, "alice", true), member(0x42, name, false)],
        rooms: vec![room(1, name)],
        replies,
        ..World::default()
    }
}

#[tokio::test]
async fn no_name_stands_in_an_address_or_a_title() {
    let name = "Zo\u{eb}mark";
    let site = Site::new(called(name));
    let browser = site.browser().await;
    let home = browser.get("./").await;
    browser.submit(&home.form("search"), &[("q", "hello")]).await;
    let mut shown = 0;
    for path in pages(1) {
        let page = browser.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        shown += usize::from(page.text.contains(name));
        for address in page.addresses() {
            assert!(!address.contains("Zo"), "{path}: {address}");
        }
    }
    assert!(shown > 10, "the name was hardly shown: {shown}");
    for path in [
        format!("c/{}/export/html", conversation_id(1)),
        format!("r/{}/export", api::RoomId::new([1; 16])),
    ] {
        let export = browser.get(&path).await;
        assert_eq!(export.status, StatusCode::OK);
        assert!(!export.disposition.is_empty() && !export.disposition.contains("Zo"));
    }
}

#[tokio::test]
async fn a_contact_whose_name_is_a_path_can_be_opened_left_and_deleted() {
    for name in ["..", ".", "a/b", "?x#y", "%2e%2e", "\" onclick=\"", ""] {
        let site = Site::new(called(name));
        let browser = site.browser().await;
        let id = conversation_id(1).to_string();
        let home = browser.get("./").await;
        home.item(&format!("c/{id}"));
        for path in pages(1) {
            assert_eq!(browser.get(&path).await.status, StatusCode::OK, "{name:?} {path}");
        }
        let about = browser.get(&format!("c/{id}/about")).await;
        let left = browser.submit(&about.form("/leave"), &[]).await;
        assert_eq!(left.location, format!("{BASE}c/{id}#end"));
        let deleted = browser.submit(&about.form("/forget"), &[]).await;
        assert_eq!(deleted.location, BASE);
        assert_eq!(site.asked("leave"), [json!({ "conversation": id })]);
        assert_eq!(site.asked("forget"), [json!({ "conversation": id })]);
    }
}

#[tokio::test]
async fn an_id_that_this_profile_does_not_have_is_a_page_that_is_not_there() {
    let site = Site::new(two_groups());
    let browser = site.browser().await;
    let page = browser.get(&format!("c/{}", conversation_id(1))).await;
    let token = page.text.clone();
    let token = between(&token, "name=\"t\" value=\"", "\"").to_owned();
    let gone = Refusal::no_such(api::Thing::Conversation);
    site.world().refusals.insert("send", gone);
    let strange = conversation_id(3).to_string();
    for id in [strange.as_str(), "family", "%2E%2E", "01", &"0".repeat(31)] {
        for path in [format!("c/{id}"), format!("c/{id}/about"), format!("r/{id}")] {
            let page = browser.get(&path).await;
            assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
            assert!(page.text.contains("not found"), "{}", page.text);
        }
        let path = format!("c/{id}/send");
        let page = browser.post(&path, &[("t", &token), ("text", "astray")]).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
    }
    // Only what is an id was asked for at all.
    assert_eq!(site.asked("send").len(), 1);
}

#[tokio::test]
async fn members_contacts_and_talkers_are_chosen_by_their_ids() {
    let mut world = two_groups();
    world.conversations.push(conversation(3, "eve", ConversationKind::Contact));
    world.members.push(member(0x43, "mallory ~x", false));
    world.rooms = vec![room(9, "table")];
    let site = Site::new(world);
    let browser = site.browser().await;
    let about = browser.get(&format!("c/{}/about", conversation_id(1))).await;
    let remove = about.forms("/remove");
    assert_eq!(remove.len(), 2, "everybody but oneself");
    browser.submit(&remove[1], &[]).await;
    assert_eq!(site.asked("remove_member")[0]["member"], json!("43".repeat(16)));
    let eve = format!("<option value=\"{}\">eve</option>", conversation_id(3));
    assert!(about.text.contains(&eve), "{}", about.text);
    let without = format!("<option value=\"{}\">mallory</option>", "42".repeat(16));
    assert!(about.text.contains(&without), "{}", about.text);

    let room = browser.get(&format!("r/{}", api::RoomId::new([9; 16]))).await;
    browser.submit(&room.form("/mute"), &[]).await;
    let mallory = "52".repeat(16);
    let muted = &site.asked("room_mute")[0];
    assert_eq!((&muted["talker"], &muted["muted"]), (&json!(mallory), &json!(true)));
    assert!(room.text.contains(&format!("name=\"keep\" value=\"{mallory}\"")), "{}", room.text);
    let keys: Vec<(&str, &str)> = vec![("keep", &mallory)];
    browser.submit(&room.form("/rekey"), &keys).await;
    assert_eq!(site.asked("room_rekey")[0]["keep"], json!([mallory]));
}

#[tokio::test]
async fn an_own_name_is_given_and_taken_away() {
    let mut world = two_groups();
    world.conversations[0].own_name = Some("office".to_owned());
    let site = Site::new(world);
    let browser = site.browser().await;
    let id = conversation_id(1).to_string();
    let about = browser.get(&format!("c/{id}/about")).await;
    let field = between(&about.text, "<input id=\"name\"", ">");
    assert!(field.contains("value=\"office\"") && field.contains("placeholder=\"family\""));
    for (typed, name) in [("home", json!("home")), ("  ", json!(null))] {
        browser.submit(&about.form(&format!("c/{id}/name")), &[("name", typed)]).await;
        let asked = site.asked("set_own_name").pop().unwrap();
        assert_eq!(asked, json!({ "conversation": id, "name": name }));
    }
}

#[tokio::test]
async fn what_is_searched_for_stands_in_no_address() {
    let mut world = two_groups();
    world.history = vec![message(7, conversation_id(1), "family", "the secret word")];
    let site = Site::new(world);
    let browser: Browser = site.browser().await;
    let home = browser.get("./").await;
    let found = browser.submit(&home.form("search"), &[("q", "secret word")]).await;
    assert_eq!(found.location, format!("{BASE}search"));
    let results = browser.get("search").await;
    let (id, m) = (conversation_id(1), api::MessageId::new([7; 16]));
    assert!(results.text.contains(&format!("href=\"c/{id}?before=17#m{m}\"")), "{}", results.text);
    assert_eq!(site.asked("search")[0]["query"], "secret word");
}
