//! Forms about the local network.

use std::sync::Arc;

use api::{AcceptKnock, Knock, KnockId, RefuseKnock, ShowNearby};
use axum::extract::State;

use super::{FormResult, tell};
use crate::form::Sent;
use crate::site::Web;

pub(super) async fn show(State(web): State<Arc<Web>>, form: Sent) -> FormResult {
    let seconds = form.fields.parse("seconds")?;
    let said = if seconds == 0 { "hidden" } else { "you are visible" };
    web.act(&form.session, ShowNearby { seconds }, said, "near").await
}

/// The answer takes as long as a person does: nothing waits for it.
pub(super) async fn knock(State(web): State<Arc<Web>>, form: Sent) -> FormResult {
    let request = Knock { key: form.fields.get("key").to_owned(), name: None };
    let (asking, session) = (web.clone(), form.session.clone());
    tokio::spawn(async move {
        tell(&session, asking.ask(request).await.map(|_| "they accepted you"));
    });
    form.session.say("knocking: compare the words below with theirs");
    Ok(web.to("near"))
}

pub(super) async fn accept(State(web): State<Arc<Web>>, form: Sent) -> FormResult {
    let knock: KnockId = form.fields.parse("knock")?;
    web.live.answered(knock);
    let request = AcceptKnock { knock, name: None };
    let later = "accepted: the conversation appears in a moment";
    web.act_slowly(&form.session, request, "accepted", later, "near").await
}

pub(super) async fn refuse(State(web): State<Arc<Web>>, form: Sent) -> FormResult {
    let knock: KnockId = form.fields.parse("knock")?;
    web.live.answered(knock);
    web.act(&form.session, RefuseKnock { knock }, "declined", "near").await
}
