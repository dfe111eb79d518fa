//! What every page shows, and what its forms need.

use std::str::FromStr;
use std::sync::Arc;

use api::{
    ConversationId, ConversationView, GroupInviteView, ListConversations, ListGroupInvites,
    ListRooms, Request, RoomId, RoomView, Status,
};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use maud::{Markup, html};

use crate::error::PageError;
use crate::form::TOKEN;
use crate::place::Place;
use crate::session::Session;
use crate::site::Web;
use crate::visitor::Visitor;

/// A request for a page of somebody who is logged in, with what every page shows.
pub(crate) struct PageContext {
    pub(super) web: Arc<Web>,
    pub(super) session: Arc<Session>,
    pub(super) theme: String,
    pub(super) status: Status,
    pub(super) conversations: Vec<ConversationView>,
    pub(super) rooms: Vec<RoomView>,
    pub(super) group_invites: Vec<GroupInviteView>,
    /// A script asks, for a page that is open already.
    pub(super) script: bool,
    /// A person looks at the page: what it shows counts as seen.
    pub(super) looked_at: bool,
}

impl FromRequestParts<Arc<Web>> for PageContext {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, PageError> {
        let visitor = Visitor::from_request_parts(parts, web).await?;
        let asked = parts.headers.get("x-live").map(axum::http::HeaderValue::as_bytes);
        let (status, mut conversations, rooms, group_invites) = tokio::try_join!(
            web.ask(api::GetStatus {}),
            web.ask(ListConversations {}),
            web.ask(ListRooms {}),
            web.ask(ListGroupInvites {}),
        )?;
        // The newest message first.
        conversations.sort_by_key(|c| std::cmp::Reverse(c.newest.as_ref().map_or(0, |m| m.number)));
        Ok(PageContext {
            web: web.clone(),
            session: visitor.session,
            theme: visitor.theme,
            status,
            conversations,
            rooms,
            group_invites,
            script: asked.is_some(),
            looked_at: asked.is_none_or(|a| a == b"visible"),
        })
    }
}

/// An id in a path. What is no id leads nowhere.
pub(super) fn id<T: FromStr>(text: &str) -> Result<T, PageError> {
    text.parse().map_err(|_| PageError::NotFound)
}

impl PageContext {
    pub(super) async fn ask<R: Request>(&self, request: R) -> Result<R::Reply, PageError> {
        self.web.ask(request).await
    }

    /// The conversation whose id stands in a path.
    pub(super) fn conversation(&self, path: &str) -> Result<&ConversationView, PageError> {
        let id: ConversationId = id(path)?;
        self.conversations.iter().find(|c| c.id == id).ok_or(PageError::NotFound)
    }

    /// The room whose id stands in a path.
    pub(super) fn room(&self, path: &str) -> Result<&RoomView, PageError> {
        let id: RoomId = id(path)?;
        self.rooms.iter().find(|r| r.id == id).ok_or(PageError::NotFound)
    }

    /// Everything unread.
    pub(super) fn unseen(&self) -> u64 {
        let conversations: u64 = self.conversations.iter().map(|c| c.unseen).sum();
        let rooms: u64 = self.rooms.iter().map(|r| r.unseen).sum();
        conversations + rooms + self.group_invites.len() as u64
    }

    /// A text that could not be sent from here, once. A script that refreshes a page shows none.
    pub(super) fn draft(&self, place: Place) -> String {
        if self.script { String::new() } else { self.session.take_draft(place) }
    }

    /// A form that does something, with its proof.
    pub(super) fn form(&self, action: &str, class: &str, body: &Markup) -> Markup {
        html! {
            form method="post" action=(action) class=(class) {
                (self.token())
                (body)
            }
        }
    }

    /// A form of one button.
    pub(super) fn button(
        &self,
        action: &str,
        class: &str,
        fields: &[(&str, &str)],
        label: &str,
    ) -> Markup {
        let body = html! {
            @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
            button class=(class) { (label) }
        };
        self.form(action, "inline", &body)
    }

    /// The proof that a form is from a page of this session.
    pub(super) fn token(&self) -> Markup {
        html! { input type="hidden" name=(TOKEN) value=(self.session.token); }
    }
}
