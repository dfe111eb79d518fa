//! Who gets in, what is refused and in which words, uploads.

mod common;

use std::path::Path;

use api::{ConversationKind, Reason, Refusal};
use axum::http::StatusCode;
use common::{BASE, Site, World, between, conversation, conversation_id, message};
use serde_json::json;
use wire::ErrorKind;

fn with_bob() -> World {
    let conversations = vec![conversation(1, "bob", ConversationKind::Contact)];
    World { conversations, ..World::default() }
}

#[tokio::test]
async fn without_a_session_there_is_only_the_login_page() {
    let site = Site::new(with_bob());
    let stranger = site.stranger();
    let id = conversation_id(1);
    for path in ["./", "settings", "events", &format!("c/{id}"), &format!("c/{id}/export/txt")] {
        let page = stranger.get(path).await;
        assert_eq!((page.status, page.location.as_str()), (StatusCode::SEE_OTHER, "/"), "{path}");
    }
    let forged = stranger.post(&format!("c/{id}/send"), &[("text", "forged")]).await;
    assert_eq!(forged.location, "/");
    assert!(stranger.get("/").await.text.contains("action=\"/login\""));
    assert_eq!(stranger.post("/login", &[("code", "x")]).await.status, StatusCode::FORBIDDEN);
    assert!(site.world().asked.is_empty(), "the engine was asked for a stranger");
}

#[tokio::test]
async fn a_form_needs_the_proof_of_its_own_session() {
    let site = Site::new(with_bob());
    let (ours, other) = (site.browser().await, site.browser().await);
    let path = format!("c/{}", conversation_id(1));
    let form = other.get(&path).await.form("/send");
    for page in [
        ours.post(&format!("{path}/send"), &[("text", "forged")]).await,
        ours.submit(&form, &[("text", "forged")]).await,
    ] {
        assert_eq!(page.status, StatusCode::FORBIDDEN);
    }
    assert!(site.asked("send").is_empty());
    assert!(other.submit(&form, &[("text", "real")]).await.location.starts_with(BASE));
    assert_eq!(site.asked("send").len(), 1);
}

#[tokio::test]
async fn a_refusal_is_a_sentence_with_a_hint_for_this_front_end() {
    let site = Site::new(with_bob());
    let browser = site.browser().await;
    let new = browser.get("new").await;
    let no_network = Refusal::wrong(Reason::NoNetwork, "this profile knows no network");
    site.world().refusals.insert("invite", no_network);
    let over = Refusal::new(ErrorKind::PeerMisbehaved, Reason::InviteOver, "the invite was used");
    site.world().refusals.insert("accept", over);
    for (action, fields, said) in [
        ("invite", [("name", "carol")], "this profile knows no network (accept an invite first"),
        ("accept", [("link", "hushwing:invite#x")], "the invite was used (ask for a new link)"),
    ] {
        let answered = browser.submit(&new.form(action), &fields).await;
        let path = answered.location.strip_prefix(BASE).unwrap();
        let page = browser.get(path.split('#').next().unwrap()).await;
        let flash = between(&page.text, "<p class=\"flash error\" role=\"alert\">", "</p>");
        assert!(flash.starts_with(said), "{flash}");
    }
}

#[tokio::test]
async fn a_link_leads_to_what_it_opens() {
    let site = Site::new(with_bob());
    let browser = site.browser().await;
    let new = browser.get("new").await;
    let opened = json!({ "conversation": conversation_id(1), "label": ".." });
    site.world().replies.insert("accept", opened.clone());
    site.world().replies.insert("create_group", opened);
    site.world().replies.insert("join_room", json!(common::room(9, "..")));
    let link = [("link", " hushwing:invite#a\n b "), ("name", "")];
    let accepted = browser.submit(&new.form("accept"), &link).await;
    assert_eq!(accepted.location, format!("{BASE}c/{}", conversation_id(1)));
    assert_eq!(site.asked("accept"), [json!({ "link": "hushwing:invite#ab", "name": null })]);
    let group = browser.submit(&new.form("group"), &[("title", "..")]).await;
    assert_eq!(group.location, format!("{BASE}c/{}/about", conversation_id(1)));
    let room = [("link", "hushwing:room#a")];
    let joined = browser.submit(&new.form("accept"), &room).await;
    assert_eq!(joined.location, format!("{BASE}r/{}", api::RoomId::new([9; 16])));
}

#[tokio::test]
async fn messages_are_answered_edited_and_deleted_by_their_ids() {
    let id = conversation_id(1);
    let mut world = with_bob();
    world.history = vec![message(7, id, "bob", "hello"), message(8, id, "bob", "typo")];
    world.history[1].you = true;
    let site = Site::new(world);
    let browser = site.browser().await;
    let (theirs, ours) = ("07".repeat(16), "08".repeat(16));
    let page = browser.get(&format!("c/{id}?reply={theirs}")).await;
    browser.submit(&page.form("/send"), &[("text", "hi")]).await;
    assert_eq!(site.asked("send")[0]["reply_to"], json!(theirs));
    let page = browser.get(&format!("c/{id}?edit={ours}")).await;
    browser.submit(&page.form("/send"), &[("text", "better")]).await;
    assert_eq!(
        site.asked("edit"),
        [json!({ "conversation": id, "message": ours, "text": "better" })]
    );
    // Nobody edits what others wrote, and a message that is not here is none to answer.
    for query in [format!("edit={theirs}"), format!("reply={}", "0f".repeat(16)), "reply=x".into()]
    {
        let page = browser.get(&format!("c/{id}?{query}")).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(!page.text.contains("name=\"edit\"") && !page.text.contains("name=\"reply_to\""));
    }
    let deleted = browser.submit(&page.forms("/delete")[0], &[]).await;
    assert_eq!(deleted.location, format!("{BASE}c/{id}#end"));
    assert_eq!(site.asked("delete"), [json!({ "conversation": id, "message": theirs })]);
}

#[tokio::test]
async fn routes_that_were_agreed_on_cannot_be_loosened() {
    let site = Site::new(with_bob());
    let browser = site.browser().await;
    let path = format!("c/{}/about", conversation_id(1));
    let forms = browser.get(&path).await.forms("/routes");
    browser.submit(&forms[0], &[]).await;
    assert_eq!(site.asked("allow_routes")[0]["routes"], "anywhere");
    let said = browser.get(&path).await.text;
    assert!(said.contains("unchanged: the conversation started with hidden"), "{said}");
    assert!(said.contains("Hidden routes only: <strong>ON</strong> (only: hidden)"), "{said}");
    browser.submit(&forms[1], &[("routes", "hidden")]).await;
    assert!(browser.get(&path).await.text.contains("changed on your side"));
    let unknown = browser.submit(&forms[1], &[("routes", "everywhere")]).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
}

fn multipart(parts: &[(&str, Option<&str>, &str)]) -> String {
    let mut body = String::new();
    for (name, file, text) in parts {
        let file = file.map(|f| format!("; filename=\"{f}\"")).unwrap_or_default();
        body += &format!(
            "--frontier\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{text}\r\n"
        );
    }
    body + "--frontier--\r\n"
}

#[tokio::test]
async fn an_upload_is_offered_where_its_page_was_and_stays_only_if_it_is() {
    const KIND: &str = "multipart/form-data; boundary=frontier";
    let site = Site::new(with_bob());
    let browser = site.browser().await;
    let id = conversation_id(1);
    let page = browser.get(&format!("c/{id}")).await;
    let token = between(&page.text, "name=\"t\" value=\"", "\"");
    let path = format!("c/{id}/file");
    let file = ("file", Some("../../a.txt"), "what is in the file");
    let body = multipart(&[("t", None, token), file]);

    let sent = browser.post_as(&path, KIND, body.clone()).await;
    assert_eq!(sent.location, format!("{BASE}c/{id}#end"));
    let asked = site.asked("send_file").pop().unwrap();
    assert_eq!(asked["conversation"], json!(id));
    let kept = Path::new(asked["path"].as_str().unwrap()).to_owned();
    assert!(kept.starts_with(site.dir.path().join("outgoing")) && kept.ends_with("a.txt"));
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "what is in the file");

    let too_large = Refusal::wrong(Reason::TooLarge { limit: 5 }, "the file is too large");
    site.world().refusals.insert("send_file", too_large);
    let refused = browser.post_as(&path, KIND, body).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(refused.text.contains("Hint: send less at once"), "{}", refused.text);
    // Without the proof, or with it too late, nothing is written.
    let late = multipart(&[file, ("t", None, token)]);
    assert_eq!(browser.post_as(&path, KIND, late).await.status, StatusCode::FORBIDDEN);
    let left = std::fs::read_dir(site.dir.path().join("outgoing")).unwrap().count();
    assert_eq!(left, 1);
}

#[tokio::test]
async fn an_upload_stays_in_its_own_directory_whatever_it_is_called() {
    const KIND: &str = "multipart/form-data; boundary=frontier";
    let site = Site::new(with_bob());
    let browser = site.browser().await;
    let id = conversation_id(1);
    let page = browser.get(&format!("c/{id}")).await;
    let token = between(&page.text, "name=\"t\" value=\"", "\"");
    let outgoing = site.dir.path().join("outgoing");
    for (given, kept) in [
        ("../../../etc/passwd", "passwd"),
        ("..", "file"),
        ("/etc/cron.d/job", "job"),
        ("a/..", "file"),
        ("C:\\Users\\me\\b.txt", "b.txt"),
        (".bashrc", "bashrc"),
        ("tab\there.txt", "tabhere.txt"),
        ("next\u{85}line.txt", "nextline.txt"),
    ] {
        let body = multipart(&[("t", None, token), ("file", Some(given), given)]);
        let sent = browser.post_as(&format!("c/{id}/file"), KIND, body).await;
        assert_eq!(sent.location, format!("{BASE}c/{id}#end"), "{given:?}: {}", sent.text);
        let asked = site.asked("send_file").pop().unwrap();
        let path = Path::new(asked["path"].as_str().unwrap()).to_owned();
        let inside: Vec<_> = path.strip_prefix(&outgoing).unwrap().iter().collect();
        assert_eq!(inside.len(), 2, "{given:?}: {path:?}");
        assert_eq!(inside[1], kept, "{given:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), given);
    }
}
