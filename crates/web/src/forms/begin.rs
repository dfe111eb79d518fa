//! How conversations begin: the first start, links, invites, groups, rooms.

use std::sync::Arc;

use api::{Accept, AnswerGroupInvite, CreateGroup, CreateRoom, Invite, JoinRoom, Revoke, SetName};
use axum::extract::State;
use axum::response::Response;

use super::{FormResult, tell};
use crate::error::PageError;
use crate::form::Sent;
use crate::place::Place;
use crate::session::Session;
use crate::site::Web;

impl Web {
    /// Uses a link of either kind; where it leads.
    async fn use_link(
        &self,
        link: &str,
        name: Option<String>,
        nick: Option<String>,
    ) -> Result<Place, PageError> {
        let link = link.split_whitespace().collect::<String>();
        if link.starts_with("hushwing:room") || link.starts_with("hushwing:owner") {
            let room = self.ask(JoinRoom { link, name, nick, route: None }).await?;
            return Ok(room.id.into());
        }
        Ok(self.ask(Accept { link, name }).await?.conversation.into())
    }

    /// Leads to what has begun; back to New when it was refused.
    fn begun(&self, session: &Session, begun: Result<String, PageError>) -> Response {
        match begun {
            Ok(path) => self.to(&path),
            Err(error) => {
                tell(session, Err(error));
                self.to("new")
            }
        }
    }
}

/// The first start: a name, and perhaps a link.
pub(super) async fn first(State(web): State<Arc<Web>>, form: Sent) -> FormResult {
    let name = form.fields.get("name").trim().to_owned();
    tell(&form.session, web.ask(SetName { name: name.clone() }).await.map(|_| ""));
    match form.fields.some("link") {
        Some(link) => {
            let used = web.use_link(&link, None, Some(name)).await;
            Ok(web.begun(&form.session, used.map(|place| place.to_string())))
        }
        None => Ok(web.to("new")),
    }
}

pub(super) async fn accept(State(web): State<Arc<Web>>, form: Sent) -> FormResult {
    let used = web.use_link(form.fields.get("link"), form.fields.some("name"), None).await;
    Ok(web.begun(&form.session, used.map(|place| place.to_string())))
}

/// An invite is shown when it is ready, which the hub decides.
pub(super) async fn invite(State(web): State<Arc<Web>>, form: Sent) -> FormResult {
    let (name, my_name) = (form.fields.some("name"), form.fields.some("my_name"));
    let request = Invite { name, my_name, expires_s: None, network: None };
    let later = "the link will work as soon as the hub has it";
    web.act_slowly(&form.session, request, "the link is ready to use", later, "new#invites").await
}

pub(super) async fn revoke(State(web): State<Arc<Web>>, form: Sent) -> FormResult {
    let request = Revoke { invite: form.fields.parse("invite")? };
    web.act(&form.session, request, "the link is revoked", "new#invites").await
}

pub(super) async fn group(State(web): State<Arc<Web>>, form: Sent) -> FormResult {
    let title = form.fields.get("title").trim().to_owned();
    let opened = web.ask(CreateGroup { title }).await;
    let about = opened.map(|group| Place::from(group.conversation).about());
    Ok(web.begun(&form.session, about))
}

pub(super) async fn group_answer(State(web): State<Arc<Web>>, form: Sent) -> FormResult {
    let accept = form.fields.yes("accept");
    let request = AnswerGroupInvite { invite: form.fields.parse("invite")?, accept };
    let said = if accept { "the group opens once a member adds you" } else { "declined" };
    web.act(&form.session, request, said, "").await
}

pub(super) async fn room(State(web): State<Arc<Web>>, form: Sent) -> FormResult {
    let (name, nick) = (form.fields.some("name"), form.fields.some("nick"));
    let made = web.ask(CreateRoom { name, nick, network: None }).await;
    Ok(web.begun(&form.session, made.map(|room| Place::from(room.id).to_string())))
}
