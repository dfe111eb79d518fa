//! The stream of events that an open page listens to.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event as Sse, KeepAlive};
use axum::response::{IntoResponse, Response, Sse as Stream};
use futures::stream;
use tokio::sync::broadcast;

use crate::error::PageError;
use crate::site::Web;
use crate::visitor::Visitor;

/// How often an open page is told that the server is still there.
const ALIVE: Duration = Duration::from_secs(20);

/// `GET events`: server-sent events, for one page.
pub(crate) async fn events(
    State(web): State<Arc<Web>>,
    _in: Visitor,
) -> Result<Response, PageError> {
    let words = web.live.listen().ok_or_else(|| PageError::wrong("too many pages are open"))?;
    let words = stream::unfold(words, |mut words| async move {
        let line = match words.recv().await {
            Ok(line) => line,
            Err(broadcast::error::RecvError::Lagged(_)) => "{}".to_owned(),
            Err(broadcast::error::RecvError::Closed) => return None,
        };
        Some((Ok::<_, Infallible>(Sse::default().data(line)), words))
    });
    Ok(Stream::new(words).keep_alive(KeepAlive::new().interval(ALIVE)).into_response())
}
