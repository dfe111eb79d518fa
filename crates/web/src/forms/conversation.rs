//! Forms of one conversation.

use std::sync::Arc;

use api::{
    AcceptFile, AcceptKeys, AllowRoutes, AllowedRoutes, Block, Cancel, CancelFile, CheckOn,
    ConversationId, Delete, Edit, Forget, InviteToGroup, Leave, ListConversations, MessageId,
    React, Refresh, RemoveMember, RenameGroup, RestartGroup, Resume, SendText, SetOwnName,
    SetTimer, Verify,
};
use axum::Router;
use axum::routing::post;

use super::{FormResult, PlaceForm, tell};
use crate::error::PageError;
use crate::site::Web;

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/c/{id}/send", post(send))
        .route("/c/{id}/react", post(react))
        .route("/c/{id}/delete", post(delete))
        .route("/c/{id}/cancel", post(cancel))
        .route("/c/{id}/download", post(download))
        .route("/c/{id}/decline", post(decline))
        .route("/c/{id}/timer", post(timer))
        .route("/c/{id}/routes", post(allow_routes))
        .route("/c/{id}/verify", post(verify))
        .route("/c/{id}/accept-keys", post(accept_keys))
        .route("/c/{id}/block", post(block))
        .route("/c/{id}/resume", post(resume))
        .route("/c/{id}/name", post(name))
        .route("/c/{id}/title", post(title))
        .route("/c/{id}/add", post(add))
        .route("/c/{id}/remove", post(remove))
        .route("/c/{id}/refresh", post(refresh))
        .route("/c/{id}/check", post(check))
        .route("/c/{id}/restart", post(restart))
        .route("/c/{id}/leave", post(leave))
        .route("/c/{id}/forget", post(forget))
}

type ConversationForm = PlaceForm<ConversationId>;

/// A new text, or another one for a message of one's own.
async fn send(on: ConversationForm) -> FormResult {
    let (conversation, text) = (on.id, on.get("text").to_owned());
    let done = if on.get("edit").is_empty() {
        let answers = !on.get("reply_to").is_empty();
        let reply_to = if answers { Some(on.parse("reply_to")?) } else { None };
        on.web.ask(SendText { conversation, text: text.clone(), reply_to }).await.map(|_| ())
    } else {
        let message = on.parse("edit")?;
        on.web.ask(Edit { conversation, message, text: text.clone() }).await.map(|_| ())
    };
    on.sent(&text, done)
}

async fn react(on: ConversationForm) -> FormResult {
    let (message, emoji): (MessageId, _) = (on.parse("message")?, on.get("emoji").to_owned());
    let remove = on.form.fields.yes("remove");
    let request = React { conversation: on.id, message, emoji, remove };
    on.web.act(&on.form.session, request, "", &on.place().message(message)).await
}

async fn delete(on: ConversationForm) -> FormResult {
    on.act(Delete { conversation: on.id, message: on.parse("message")? }, "").await
}

async fn cancel(on: ConversationForm) -> FormResult {
    on.act(Cancel { conversation: on.id, message: on.parse("message")? }, "cancelled").await
}

async fn download(on: ConversationForm) -> FormResult {
    let transfer = on.parse("transfer")?;
    on.act(AcceptFile { transfer, directory: None }, "").await
}

/// Declines a file, or stops it.
async fn decline(on: ConversationForm) -> FormResult {
    on.act(CancelFile { transfer: on.parse("transfer")? }, "").await
}

async fn timer(on: ConversationForm) -> FormResult {
    let seconds = on.parse("seconds")?;
    on.change(SetTimer { conversation: on.id, seconds }, "changed for everyone").await
}

/// What both sides agreed on holds: the routes can be restricted from here alone, and loosened no
/// further than that.
async fn allow_routes(on: ConversationForm) -> FormResult {
    let asked = AllowedRoutes::parse(on.get("routes"));
    let routes = asked.ok_or_else(|| PageError::wrong("unknown routes"))?;
    let done = on.web.ask(AllowRoutes { conversation: on.id, routes }).await;
    let all = on.web.ask(ListConversations {}).await?;
    let now = all.into_iter().find(|c| c.id == on.id).ok_or(PageError::NotFound)?.allowed_routes;
    let held = format!("unchanged: the conversation started with {now}, which cannot be loosened");
    let said = if now == routes { "changed on your side" } else { &held };
    tell(&on.form.session, done.map(|_| said));
    Ok(on.web.to(&on.place().about()))
}

async fn verify(on: ConversationForm) -> FormResult {
    let words = on.form.fields.some("words");
    on.change(Verify { conversation: on.id, words }, "noted").await
}

async fn accept_keys(on: ConversationForm) -> FormResult {
    on.change(AcceptKeys { conversation: on.id }, "the new keys are in use").await
}

async fn block(on: ConversationForm) -> FormResult {
    on.change(Block { conversation: on.id }, "blocked").await
}

async fn resume(on: ConversationForm) -> FormResult {
    on.change(Resume { conversation: on.id }, "resumed").await
}

/// One's own name for it. Empty takes it away: the title or nick is shown again.
async fn name(on: ConversationForm) -> FormResult {
    let name = on.form.fields.some("name");
    on.change(SetOwnName { conversation: on.id, name }, "renamed").await
}

async fn title(on: ConversationForm) -> FormResult {
    let title = on.get("title").trim().to_owned();
    on.change(RenameGroup { group: on.id, title }, "changed for everyone").await
}

async fn add(on: ConversationForm) -> FormResult {
    let contact = on.parse("contact")?;
    on.change(InviteToGroup { group: on.id, contact }, "invitation sent").await
}

async fn remove(on: ConversationForm) -> FormResult {
    let member = on.parse("member")?;
    on.change(RemoveMember { group: on.id, member }, "removed").await
}

async fn refresh(on: ConversationForm) -> FormResult {
    on.change(Refresh { conversation: on.id }, "refreshing keys").await
}

async fn check(on: ConversationForm) -> FormResult {
    let said = "checking for members who need to be re-added";
    on.change(CheckOn { conversation: on.id }, said).await
}

/// Leads to the new group.
async fn restart(on: ConversationForm) -> FormResult {
    let without = on.parse("member")?;
    let place = match on.web.ask(RestartGroup { group: on.id, without }).await {
        Ok(opened) => opened.conversation.into(),
        Err(PageError::NotFound) => return Err(PageError::NotFound),
        Err(error) => {
            tell(&on.form.session, Err(error));
            on.place()
        }
    };
    Ok(on.web.to(&place.about()))
}

async fn leave(on: ConversationForm) -> FormResult {
    on.act(Leave { conversation: on.id }, "left").await
}

async fn forget(on: ConversationForm) -> FormResult {
    let request = Forget { conversation: on.id };
    on.web.act(&on.form.session, request, "deleted from this profile", "").await
}
