//! What forms do. Each answers with a redirect to a page, which says how it went.

mod begin;
mod conversation;
mod near;
mod profile;
mod room;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use api::Request;
use axum::Router;
use axum::extract::{FromRequest, FromRequestParts, Path, Request as HttpRequest};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;

use crate::error::PageError;
use crate::form::Sent;
use crate::place::Place;
use crate::session::{Flash, Session};
use crate::site::Web;

type FormResult = Result<Response, PageError>;

/// How long a form waits for something that may take as long as a network does.
const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/first", post(begin::first))
        .route("/accept", post(begin::accept))
        .route("/invite", post(begin::invite))
        .route("/revoke", post(begin::revoke))
        .route("/group", post(begin::group))
        .route("/group/answer", post(begin::group_answer))
        .route("/room", post(begin::room))
        .route("/near/show", post(near::show))
        .route("/near/knock", post(near::knock))
        .route("/near/accept", post(near::accept))
        .route("/near/refuse", post(near::refuse))
        .route("/name", post(profile::name))
        .route("/search", post(profile::search))
        .route("/settings/set", post(profile::set))
        .route("/theme", post(profile::theme))
        .route("/notices/clear", post(profile::clear))
        .route("/another", post(profile::another))
        .route("/out", post(profile::log_out))
        .route("/quit", post(profile::quit))
        .merge(conversation::routes())
        .merge(room::routes())
}

impl Web {
    /// Leads to a page, by its path from the base.
    fn to(&self, path: &str) -> Response {
        Redirect::to(&format!("{}{path}", self.base)).into_response()
    }

    /// Asks for something, tells on the next page how it went, and leads there. What this profile
    /// does not have is no page to lead to.
    async fn act<R: Request>(
        &self,
        session: &Session,
        request: R,
        said: &str,
        path: &str,
    ) -> FormResult {
        match self.ask(request).await {
            Err(PageError::NotFound) => return Err(PageError::NotFound),
            done => tell(session, done.map(|_| said)),
        }
        Ok(self.to(path))
    }

    /// Asks for something that may take long: waits a little, then leads on all the same. What
    /// comes of it later is told on the page that is loaded next.
    async fn act_slowly<R: Request>(
        self: &Arc<Self>,
        session: &Arc<Session>,
        request: R,
        said: &'static str,
        later: &'static str,
        path: &str,
    ) -> FormResult {
        let (web, to) = (self.clone(), session.clone());
        let asked = tokio::spawn(async move { tell(&to, web.ask(request).await.map(|_| said)) });
        if tokio::time::timeout(PATIENCE, asked).await.is_err() {
            tell(session, Ok(later));
        }
        Ok(self.to(path))
    }
}

/// Shows a line on the next page: what was done, unless that is empty, or why it was not.
fn tell(session: &Session, done: Result<&str, PageError>) {
    match done {
        Ok("") => {}
        Ok(text) => session.say(text),
        Err(error) => session.flash(Flash { text: error.to_string(), error: true }),
    }
}

/// A form of the page of one conversation or room. Which one is in the path, by its id: whatever it
/// is called by now, the form of an open page reaches the one that the page showed.
struct PlaceForm<Id> {
    web: Arc<Web>,
    id: Id,
    form: Sent,
}

impl<Id: FromStr> FromRequest<Arc<Web>> for PlaceForm<Id> {
    type Rejection = PageError;

    async fn from_request(request: HttpRequest, web: &Arc<Web>) -> Result<Self, PageError> {
        let (mut parts, body) = request.into_parts();
        let path = Path::<String>::from_request_parts(&mut parts, web).await;
        // What there is and what not is only for those who are logged in to know.
        let form = Sent::from_request(HttpRequest::from_parts(parts, body), web).await?;
        let id = path.ok().and_then(|Path(id)| id.parse().ok()).ok_or(PageError::NotFound)?;
        Ok(PlaceForm { web: web.clone(), id, form })
    }
}

impl<Id: Copy + Into<Place>> PlaceForm<Id> {
    fn place(&self) -> Place {
        self.id.into()
    }

    fn get(&self, name: &str) -> &str {
        self.form.fields.get(name)
    }

    fn parse<T: FromStr>(&self, name: &str) -> Result<T, PageError> {
        self.form.fields.parse(name)
    }

    /// Leads to the newest message.
    async fn act<R: Request>(&self, request: R, said: &str) -> FormResult {
        self.web.act(&self.form.session, request, said, &self.place().end()).await
    }

    /// Leads to what there is to set.
    async fn change<R: Request>(&self, request: R, said: &str) -> FormResult {
        self.web.act(&self.form.session, request, said, &self.place().about()).await
    }

    /// After a text was sent, or was not: then it stands in the line to write in again.
    fn sent(&self, text: &str, done: Result<(), PageError>) -> FormResult {
        match done {
            Err(PageError::NotFound) => return Err(PageError::NotFound),
            Err(error) => {
                self.form.session.keep_draft(self.place(), text);
                tell(&self.form.session, Err(error));
            }
            Ok(()) => {}
        }
        Ok(self.web.to(&self.place().end()))
    }
}
