//! Answers with files.

use std::path::{Path, PathBuf};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use tower_http::services::ServeFile;

use super::{CONTENT_POLICY, INDEX, Site, list, path};
use crate::http::harden;

pub(super) fn router(site: Site) -> Router {
    Router::new().fallback(answer).with_state(site)
}

async fn answer(State(site): State<Site>, request: Request) -> Response {
    let mut response = if matches!(*request.method(), Method::GET | Method::HEAD) {
        read(site, request).await
    } else {
        (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")], "only GET and HEAD\n")
            .into_response()
    };
    let headers = response.headers_mut();
    harden(headers, CONTENT_POLICY);
    // When a file was changed says something about who changed it.
    headers.remove(header::LAST_MODIFIED);
    headers.remove(header::ETAG);
    response
}

/// What an address stands for.
enum Found {
    File(PathBuf),
    /// A folder that was asked for like a file.
    Folder(String),
    List(String),
    Nothing,
}

async fn read(site: Site, request: Request) -> Response {
    let address = request.uri().path().to_owned();
    let request = what_a_file_needs(&request);
    let found = tokio::task::spawn_blocking(move || find(&site, &address)).await;
    match found.unwrap_or(Found::Nothing) {
        Found::File(file) => send(&file, request).await,
        Found::Folder(there) => Redirect::permanent(&there).into_response(),
        Found::List(page) => Html(page).into_response(),
        Found::Nothing => nothing(),
    }
}

fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "not found\n").into_response()
}

fn find(site: &Site, address: &str) -> Found {
    let Some((parts, as_folder)) = path::segments(address) else { return Found::Nothing };
    let relative: PathBuf = parts.iter().collect();
    let Some(real) = path::inside(&site.root, &relative) else { return Found::Nothing };
    if real.is_file() {
        return if as_folder { Found::Nothing } else { Found::File(real) };
    }
    // Pipes, sockets and devices are no files of a site.
    if !real.is_dir() {
        return Found::Nothing;
    }
    let index = path::inside(&site.root, &relative.join(INDEX)).filter(|index| index.is_file());
    if index.is_none() && !site.list {
        return Found::Nothing;
    }
    if !as_folder {
        let encoded: Vec<String> = parts.iter().map(|part| path::encode(part)).collect();
        return Found::Folder(format!("/{}/", encoded.join("/")));
    }
    match index {
        Some(index) => Found::File(index),
        None => list::page(&site.root, &relative).map_or(Found::Nothing, Found::List),
    }
}

/// Of a request only what a file needs: conditions would let a stranger ask for the file's time.
fn what_a_file_needs(request: &Request) -> Request {
    let mut plain = Request::new(Body::empty());
    *plain.method_mut() = request.method().clone();
    if let Some(range) = request.headers().get(header::RANGE) {
        plain.headers_mut().insert(header::RANGE, range.clone());
    }
    plain
}

async fn send(file: &Path, request: Request) -> Response {
    let sent = ServeFile::new(file).ignore_multi_range_requests(true).try_call(request).await;
    let Ok(sent) = sent else { return nothing() };
    let mut response = sent.map(Body::new);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
