//! Guests of an open room: a name, and they are in.

mod common;

use std::sync::{Arc, Mutex};

use api::{Reason, Refusal, RoomCommand, RoomEvent, Route, TalkerId};
use axum::http::StatusCode;
use common::{Browser, between};
use tokio::sync::mpsc;
use web::{Entered, Guests, guest_router};

/// Rooms' sessions that were started, by the name that their guest took.
type Started = Arc<Mutex<Vec<String>>>;

/// A room in which everybody hears themselves.
fn enter(nick: &str, started: &Started) -> Entered {
    if nick.is_empty() {
        return Err(Refusal::wrong(Reason::BadName, "not a name"));
    }
    started.lock().unwrap().push(nick.to_owned());
    let (commands, mut asked) = mpsc::channel(8);
    let (events, told) = mpsc::channel(8);
    let nick = nick.to_owned();
    tokio::spawn(async move {
        let _ = events.send(RoomEvent::Joined { you: nick.clone() }).await;
        while let Some(command) = asked.recv().await {
            if let RoomCommand::Say(text) = command {
                let (talker, from) = (TalkerId::new([1; 16]), nick.clone());
                let said = RoomEvent::Message { talker, from, text, at_ms: 0, you: true };
                let _ = events.send(said).await;
            }
        }
    });
    Ok((commands, told))
}

fn page() -> (Browser, Started) {
    let started = Started::default();
    let names = started.clone();
    let enter = move |nick: &str| enter(nick, &names);
    let guests = Guests::new("Workshop <b>".to_owned(), Route::Onion, enter);
    let router = guest_router(guests, vec!["127.0.0.1:42069".to_owned()]);
    (Browser::new(router), started)
}

#[tokio::test]
async fn a_guest_is_told_who_sees_what_then_talks_and_leaves() {
    let (mut guest, started) = page();
    let entrance = guest.get("/").await;
    assert!(entrance.text.contains("can see what you write here and your IP address"));
    assert!(entrance.text.contains("<h1>Workshop &lt;b&gt;</h1>"), "{}", entrance.text);
    let nameless = guest.post("/enter", &[("nick", "  ")]).await;
    assert_eq!(nameless.status, StatusCode::BAD_REQUEST);
    assert!(nameless.text.contains("invalid name: use 1 to 32 visible characters"));

    let entered = guest.post("/enter", &[("nick", " dora ")]).await;
    assert_eq!(entered.location, "/");
    guest.keep(&entered);
    assert_eq!(*started.lock().unwrap(), ["dora"]);
    let room = guest.get("/").await;
    let said = guest.submit(&room.form("/say"), &[("text", "hello <i>")]).await;
    assert_eq!(said.location, "/");
    let room = guest.get("/").await;
    assert_eq!(between(&room.text, "<p class=\"text\">", "</p>"), "hello &lt;i&gt;");

    let forged = guest.post("/say", &[("text", "forged")]).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    guest.submit(&room.form("/leave"), &[]).await;
    let gone = guest.submit(&room.form("/say"), &[("text", "still here?")]).await;
    assert_eq!(gone.location, "/");
    assert!(guest.get("/").await.text.contains("Join as a guest"));
}

#[tokio::test]
async fn a_guest_sees_their_name_before_the_room_has_answered() {
    let (commands, _asked) = mpsc::channel(8);
    let silent = move |_: &str| -> Entered { Ok((commands.clone(), mpsc::channel(8).1)) };
    let guests = Guests::new("Workshop".to_owned(), Route::Onion, silent);
    let mut guest = Browser::new(guest_router(guests, vec!["127.0.0.1:42069".to_owned()]));
    let entered = guest.post("/enter", &[("nick", " dora ")]).await;
    guest.keep(&entered);
    let room = guest.get("/").await;
    assert!(room.text.contains("placeholder=\"Message to everyone, as dora\""), "{}", room.text);
}

#[tokio::test]
async fn a_full_page_starts_no_further_session() {
    let (guest, started) = page();
    for n in 0..32 {
        let entered = guest.post("/enter", &[("nick", &format!("guest {n}"))]).await;
        assert_eq!(entered.location, "/");
    }
    let full = guest.post("/enter", &[("nick", "one more")]).await;
    assert!(full.text.contains("the page is full: try again later"), "{}", full.text);
    assert_eq!(started.lock().unwrap().len(), 32);
}
