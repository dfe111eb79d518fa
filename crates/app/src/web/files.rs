//! Files: up into the profile and from there to others, and down to the browser.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Multipart, Path, State};
use axum::http::header::{
    CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;

use super::Web;
use super::door::Visitor;
use super::form::{TOKEN, is_ours};
use super::pages::at;
use super::trouble::Trouble;
use crate::engine::profile::{Command, FileView, Reply};

/// Where files wait that a browser has handed over, in the profile's directory. They go when they
/// are sent.
pub(super) const OUTGOING: &str = "outgoing";
/// Files of one form.
const AT_ONCE: usize = 16;
/// Longest name that is kept, bytes.
const NAME: usize = 200;

pub(super) fn routes() -> Router<Arc<Web>> {
    // The engine refuses what is larger than `file_limit`; the body is written to the disk as it
    // comes.
    Router::new()
        .route("/c/{name}/file", post(upload).layer(DefaultBodyLimit::disable()))
        .route("/files/{transfer}/get", get(download))
}

/// Removes a file of ours that was sent, or will not be.
pub(super) fn tidy(outgoing: &FilePath, file: &FileView) {
    let over = matches!(file.state.as_str(), "done" | "failed" | "cancelled");
    let path = file
        .path
        .as_deref()
        .map(FilePath::new)
        .filter(|p| file.ours && over && p.starts_with(outgoing));
    if let Some(path) = path {
        let _ = std::fs::remove_file(path);
        // Each lies in a directory of its own, for its name's sake.
        let _ = path.parent().map(std::fs::remove_dir);
    }
}

/// A file's name as it may stand in a directory of ours.
fn harmless(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept = e2ee::sanitize(last, e2ee::Newlines::Fold);
    let mut kept: String = kept.chars().filter(|c| !c.is_control()).collect();
    while kept.len() > NAME {
        kept.pop();
    }
    match kept.trim_matches(['.', ' ']) {
        "" => "file".to_owned(),
        trimmed => trimmed.to_owned(),
    }
}

fn disk(error: impl std::fmt::Display) -> Trouble {
    let hint = "check the disk's space and rights".to_owned();
    let text = format!("the file cannot be kept: {error}");
    Trouble::Said(axum::http::StatusCode::INTERNAL_SERVER_ERROR, text, hint)
}

/// A new directory that only this user can look into.
async fn place(web: &Web) -> std::io::Result<PathBuf> {
    let dir = web.dir.join(OUTGOING).join(super::door::secret(10));
    let mut builder = tokio::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(&dir).await?;
    Ok(dir)
}

async fn upload(
    State(web): State<Arc<Web>>,
    visitor: Visitor,
    Path(name): Path<String>,
    mut form: Multipart,
) -> Result<Response, Trouble> {
    let broken = |_| Trouble::wrong("the file has not come whole");
    let mut proven = false;
    let mut sent = 0;
    while let Some(mut field) = form.next_field().await.map_err(broken)? {
        if field.name() == Some(TOKEN) {
            proven = is_ours(&visitor.session.token, &field.text().await.map_err(broken)?);
            continue;
        }
        // The proof comes first: nothing is written for others.
        if !proven {
            return Err(Trouble::forbidden(
                "this form is not from a page of this session: load it again",
            ));
        }
        let Some(given) = field.file_name().filter(|n| !n.is_empty()).map(harmless) else {
            continue;
        };
        if sent == AT_ONCE {
            return Err(Trouble::wrong("at most 16 files at once"));
        }
        let dir = place(&web).await.map_err(disk)?;
        let path = dir.join(given);
        let mut file = tokio::fs::OpenOptions::new();
        let written = async {
            let mut file =
                file.write(true).create_new(true).mode(0o600).open(&path).await.map_err(disk)?;
            while let Some(bytes) = field.chunk().await.map_err(broken)? {
                file.write_all(&bytes).await.map_err(disk)?;
            }
            file.flush().await.map_err(disk)
        };
        let command =
            Command::SendFile { to: name.clone(), path: path.to_string_lossy().into_owned() };
        let done = match written.await {
            Ok(()) => web.ask(command).await.map(|_| ()),
            Err(trouble) => Err(trouble),
        };
        if let Err(trouble) = done {
            let _ = tokio::fs::remove_dir_all(&dir).await;
            return Err(trouble);
        }
        sent += 1;
    }
    if sent == 0 {
        return Err(Trouble::wrong("no file was chosen"));
    }
    Ok(Redirect::to(&format!("{}{}#end", web.base, at("c", &name))).into_response())
}

async fn download(
    State(web): State<Arc<Web>>,
    _in: Visitor,
    Path(transfer): Path<String>,
) -> Result<Response, Trouble> {
    let Reply::Files { files } = web.ask(Command::Files {}).await? else {
        return Err(Trouble::none("no such file"));
    };
    let found = files.into_iter().find(|f| f.transfer == transfer && f.state == "done");
    let (file, path) = found
        .and_then(|f| f.path.clone().map(|path| (f, path)))
        .ok_or_else(|| Trouble::none("no such file"))?;
    let open = tokio::fs::File::open(&path)
        .await
        .map_err(|_| Trouble::none("the file is not there any more"))?;
    let len = open.metadata().await.map_err(disk)?.len();
    let headers = [
        // Never shown in the page's place, whatever it is.
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_DISPOSITION, attachment(&file.name)),
        (CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'".to_owned()),
        (CONTENT_LENGTH, len.to_string()),
    ];
    Ok((headers, Body::from_stream(ReaderStream::new(open))).into_response())
}

/// To be kept under this name (RFC 6266, RFC 8187).
pub(super) fn attachment(name: &str) -> String {
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
            ("a\u{0}b\n.txt", "a\u{fffd}b .txt"),
            ("<img src=x>.png", "<img src=x>.png"),
        ] {
            let name = harmless(given);
            assert!(!name.contains(['/', '\\', '\0', '\n']), "{name:?}");
            if !given.contains('\0') {
                assert_eq!(name, kept);
            }
        }
        assert!(harmless(&"ü".repeat(300)).len() <= NAME);
    }

    #[test]
    fn a_name_cannot_end_its_header() {
        assert_eq!(attachment("a\"\r\nX: y"), "attachment; filename*=UTF-8''a%22%0D%0AX%3A%20y");
    }
}
