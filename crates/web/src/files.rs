//! Files: uploads into the profile and from there to others, and downloads to the browser.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use api::{ConversationId, FileState, ListFiles, LocalPath, SendFile, TransferId};
use axum::Router;
use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{DefaultBodyLimit, Multipart, Path, State};
use axum::http::header::{
    CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;

use crate::error::PageError;
use crate::form::{TOKEN, is_ours, not_ours};
use crate::outgoing::OUTGOING;
use crate::place::Place;
use crate::session::secret;
use crate::site::Web;
use crate::visitor::Visitor;

/// Files of one form.
const AT_ONCE: usize = 16;
/// Longest name that is kept, bytes.
const NAME: usize = 200;

pub(crate) fn routes() -> Router<Arc<Web>> {
    // The engine refuses what is larger than `file_limit`; the body is written to the disk as it
    // comes.
    Router::new()
        .route("/c/{id}/file", post(upload).layer(DefaultBodyLimit::disable()))
        .route("/files/{transfer}/get", get(download))
}

/// The last part of a file's name, as it may stand in a directory here. The engine cleans it for
/// the people who are offered the file.
fn harmless(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept = last.chars().map(|c| if c == '\n' { ' ' } else { c });
    let mut kept: String = kept.filter(|c| !c.is_control()).collect();
    while kept.len() > NAME {
        kept.pop();
    }
    match kept.trim_matches(['.', ' ']) {
        "" => "file".to_owned(),
        trimmed => trimmed.to_owned(),
    }
}

fn disk(error: impl std::fmt::Display) -> PageError {
    PageError::disk(format!("cannot save the file: {error}"))
}

#[allow(clippy::needless_pass_by_value, reason = "used as map_err argument")]
fn incomplete(_: MultipartError) -> PageError {
    PageError::wrong("the upload was incomplete")
}

/// A new directory that only this user can look into.
async fn new_directory(web: &Web) -> std::io::Result<PathBuf> {
    let dir = web.dir.join(OUTGOING).join(secret(10));
    let mut builder = tokio::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(&dir).await?;
    Ok(dir)
}

/// `POST c/ID/file`
async fn upload(
    State(web): State<Arc<Web>>,
    visitor: Visitor,
    Path(id): Path<String>,
    mut form: Multipart,
) -> Result<Response, PageError> {
    let conversation: ConversationId = id.parse().map_err(|_| PageError::NotFound)?;
    let mut proven = false;
    let mut sent = 0;
    while let Some(field) = form.next_field().await.map_err(incomplete)? {
        if field.name() == Some(TOKEN) {
            proven = is_ours(&visitor.session.token, &field.text().await.map_err(incomplete)?);
            continue;
        }
        // The proof comes first: nothing is written for others.
        if !proven {
            return Err(not_ours());
        }
        let Some(name) = field.file_name().filter(|n| !n.is_empty()).map(harmless) else {
            continue;
        };
        if sent == AT_ONCE {
            return Err(PageError::wrong("at most 16 files at once"));
        }
        send_one(&web, conversation, &name, field).await?;
        sent += 1;
    }
    if sent == 0 {
        return Err(PageError::wrong("no file was chosen"));
    }
    let end = Place::from(conversation).end();
    Ok(Redirect::to(&format!("{}{end}", web.base)).into_response())
}

/// Keeps one file of the form, and offers it. What was refused does not stay.
async fn send_one(
    web: &Web,
    conversation: ConversationId,
    name: &str,
    field: Field<'_>,
) -> Result<(), PageError> {
    let dir = new_directory(web).await.map_err(disk)?;
    let path = dir.join(name);
    let done = match write(&path, field).await {
        Ok(()) => {
            let path = LocalPath::new(&path);
            web.ask(SendFile { conversation, path }).await.map(|_| ())
        }
        Err(error) => Err(error),
    };
    if done.is_err() {
        let _ = tokio::fs::remove_dir_all(&dir).await;
    }
    done
}

/// Writes a field to a new file that only this user can read.
async fn write(path: &FilePath, mut field: Field<'_>) -> Result<(), PageError> {
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path).await.map_err(disk)?;
    while let Some(bytes) = field.chunk().await.map_err(incomplete)? {
        file.write_all(&bytes).await.map_err(disk)?;
    }
    file.flush().await.map_err(disk)
}

/// `GET files/TRANSFER/get`
async fn download(
    State(web): State<Arc<Web>>,
    _visitor: Visitor,
    Path(transfer): Path<String>,
) -> Result<Response, PageError> {
    let transfer: TransferId = transfer.parse().map_err(|_| PageError::NotFound)?;
    let files = web.ask(ListFiles {}).await?;
    let found = files.into_iter().find(|f| f.transfer == transfer && f.state == FileState::Done);
    let (name, path) = found.and_then(|f| Some((f.name, f.path?))).ok_or(PageError::NotFound)?;
    let open = tokio::fs::File::open(&path)
        .await
        .map_err(|_| PageError::gone("the file no longer exists"))?;
    let len = open.metadata().await.map_err(disk)?.len();
    let headers = [
        // Never shown in the page's place, whatever it is.
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_DISPOSITION, attachment(&name)),
        (CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'".to_owned()),
        (CONTENT_LENGTH, len.to_string()),
    ];
    Ok((headers, Body::from_stream(ReaderStream::new(open))).into_response())
}

/// To be kept under this name (RFC 6266, RFC 8187).
pub(crate) fn attachment(name: &str) -> String {
    let name = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    format!("attachment; filename*=UTF-8''{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_directory() {
        for (given, kept) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\x\\a.txt", "a.txt"),
            ("..", "file"),
            ("", "file"),
            ("a\u{0}b\n.txt", "ab .txt"),
            ("<img src=x>.png", "<img src=x>.png"),
        ] {
            assert_eq!(harmless(given), kept);
        }
        assert!(harmless(&"ü".repeat(300)).len() <= NAME);
    }

    #[test]
    fn a_name_cannot_end_its_header() {
        assert_eq!(attachment("a\"\r\nX: y"), "attachment; filename*=UTF-8''a%22%0D%0AX%3A%20y");
    }
}
