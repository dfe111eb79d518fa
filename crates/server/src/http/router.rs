//! What is where.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde_json::json;
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::reply::Trouble;
use super::serve::Connection;
use super::service::Shared;
use super::{boxes, headers, metrics};

/// Bytes of a request's body: 64 standard boxes in JSON, or a few bulk boxes.
pub(super) const MAX_BODY: usize = 256 * 1024;
/// How long a browser may remember what CORS allows.
const CORS_AGE: Duration = Duration::from_secs(600);

pub(super) fn router(shared: Shared) -> Router {
    let cors = cors(&shared.cors);
    let mut router = Router::new()
        .route("/ping", get(ping))
        .route("/onion", get(onion))
        .route("/metrics", get(show_metrics))
        .route("/boxes", post(boxes::put))
        .route("/boxes/{id}", get(boxes::get))
        .fallback(nothing)
        .method_not_allowed_fallback(not_so)
        .layer(DefaultBodyLimit::max(MAX_BODY));
    if let Some(cors) = cors {
        router = router.layer(cors);
    }
    router.layer(from_fn_with_state(shared.clone(), around)).with_state(shared)
}

/// Whether the hub takes boxes.
async fn ping(State(shared): State<Shared>) -> Response {
    let ok = !shared.hub.hub.failing.load(Ordering::Relaxed);
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ok": ok }))).into_response()
}

async fn onion(State(shared): State<Shared>) -> Response {
    let name = shared.onion.borrow().map(|name| name.to_string());
    let status = if name.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    (status, Json(json!({ "onion": name }))).into_response()
}

async fn show_metrics(
    State(shared): State<Shared>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
) -> Result<Response, Trouble> {
    if !metrics::may_see(shared.metrics, connection.origin, &headers) {
        return Err(Trouble::NotFound);
    }
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, metrics::text(&shared.hub, &shared.stats)).into_response())
}

async fn nothing() -> Trouble {
    Trouble::NotFound
}

async fn not_so() -> Trouble {
    Trouble::MethodNotAllowed
}

/// Around every request: counters, headers, and one line at the debug level that says nothing about
/// anybody.
async fn around(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let (method, pattern) = (method(request.method()), pattern(request.uri().path()));
    let mut response = next.run(request).await;
    let status = response.status();
    shared.stats.count(status);
    tracing::debug!(method, pattern, status = status.as_u16(), "http");
    let headers = response.headers_mut();
    headers::harden(headers, "default-src 'none'; frame-ancestors 'none'");
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A method's name, or none: a client may invent methods.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The route, never the address itself: that may hold an id.
fn pattern(path: &str) -> &'static str {
    match path {
        "/ping" => "/ping",
        "/onion" => "/onion",
        "/metrics" => "/metrics",
        "/boxes" => "/boxes",
        _ if path.starts_with("/boxes/") => "/boxes/{id}",
        _ => "none",
    }
}

fn cors(origins: &[HeaderValue]) -> Option<CorsLayer> {
    let origin = match origins {
        [] => return None,
        list if list.iter().any(|o| o == "*") => AllowOrigin::any(),
        list => AllowOrigin::list(list.iter().cloned()),
    };
    Some(
        CorsLayer::new()
            .allow_origin(origin)
            .allow_methods([Method::GET, Method::HEAD, Method::POST])
            .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT])
            .expose_headers([header::RETRY_AFTER])
            .max_age(CORS_AGE),
    )
}
