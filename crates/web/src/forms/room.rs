//! Forms of one open room.

use std::sync::Arc;

use api::{
    LeaveRoom, MuteTalker, RekeyRoom, RenewRoomCircuits, RoomId, Route, Say, SetRoomNick,
    SetRoomRoute,
};
use axum::Router;
use axum::routing::post;

use super::{FormResult, PlaceForm};
use crate::error::PageError;
use crate::site::Web;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/r/{id}/say", post(say))
        .route("/r/{id}/nick", post(nick))
        .route("/r/{id}/route", post(route))
        .route("/r/{id}/mute", post(mute))
        .route("/r/{id}/circuits", post(circuits))
        .route("/r/{id}/rekey", post(rekey))
        .route("/r/{id}/leave", post(leave))
}

type RoomForm = PlaceForm<RoomId>;

async fn say(on: RoomForm) -> FormResult {
    let text = on.get("text").to_owned();
    let done = on.web.ask(Say { room: on.id, text: text.clone() }).await;
    on.sent(&text, done.map(|_| ()))
}

async fn nick(on: RoomForm) -> FormResult {
    let nick = on.get("nick").trim().to_owned();
    on.change(SetRoomNick { room: on.id, nick }, "").await
}

async fn route(on: RoomForm) -> FormResult {
    let asked = Route::parse(on.get("route"));
    let route = asked.ok_or_else(|| PageError::wrong("unknown route"))?;
    on.change(SetRoomRoute { room: on.id, route }, "").await
}

async fn mute(on: RoomForm) -> FormResult {
    let talker = on.parse("talker")?;
    let muted = on.form.fields.yes("muted");
    on.change(MuteTalker { room: on.id, talker, muted }, "").await
}

async fn circuits(on: RoomForm) -> FormResult {
    on.change(RenewRoomCircuits { room: on.id }, "moving to new circuits").await
}

async fn rekey(on: RoomForm) -> FormResult {
    let keep = on.form.fields.parse_all("keep")?;
    let said = "changing keys; earlier links stop working";
    on.change(RekeyRoom { room: on.id, keep }, said).await
}

async fn leave(on: RoomForm) -> FormResult {
    let said = "you leave once your messages are stored";
    on.web.act(&on.form.session, LeaveRoom { room: on.id }, said, "").await
}
