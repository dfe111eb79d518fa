//! `POST /boxes` and `GET /boxes/{id}`: the hub's two verbs.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, RequestExt};
use serde::Deserialize;
use serde_json::{Value, json};
use wire::hub::{Answer, BoxAddress, BoxBytes, Operation, PutOutcome, Refusal};
use wire::id::AccessKey;
use wire::limits::MAX_GET_DEADLINE_MS;

use super::auth;
use super::json::{self, Posted};
use super::reply::{Trouble, with_headers};
use super::serve::Connection;
use super::service::Shared;

/// How long the hub may take beyond what it was asked to wait.
const PATIENCE: Duration = Duration::from_secs(20);

const CBOR: &str = "application/cbor";
const JSON: &str = "application/json";

/// Stores boxes.
pub(super) async fn put(
    State(shared): State<Shared>,
    Extension(connection): Extension<Connection>,
    request: Request,
) -> Result<Response, Trouble> {
    let access = auth::access(request.headers(), shared.open_key())?;
    let media = media_type(request.headers())?;
    let body = body(request, shared.limits.body).await?;
    let posted = match media {
        Media::Json => json::read(&body).map_err(Trouble::BadRequest)?,
        Media::Cbor => wire::decode(&body, "box")
            .map(Posted::One)
            .map_err(|e| Trouble::BadRequest(e.to_string()))?,
    };
    let (single, boxes) = match posted {
        Posted::One(one) => (true, vec![one]),
        Posted::Many(many) => (false, many),
    };
    let operations = boxes.into_iter().map(Operation::Put).collect();
    let answers = ask(&shared, connection, access, operations, Duration::ZERO).await?;
    let results: Vec<(StatusCode, Value)> =
        answers.iter().map(outcome).collect::<Result<_, _>>()?;
    if single && let Some((status, value)) = results.first() {
        return Ok(with_headers(*status, (*status, Json(value)).into_response()));
    }
    let accepted = results.iter().filter(|(status, _)| status.is_success()).count();
    let results: Vec<Value> = results.into_iter().map(|(_, value)| value).collect();
    Ok(Json(json!({ "accepted": accepted, "results": results })).into_response())
}

/// How a `get` may be asked to wait.
#[derive(Deserialize)]
pub(super) struct Wait {
    /// Seconds.
    wait: Option<u32>,
}

/// Fetches a box.
pub(super) async fn get(
    State(shared): State<Shared>,
    Extension(connection): Extension<Connection>,
    Path(id): Path<String>,
    wait: Result<Query<Wait>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Trouble> {
    let access = auth::access(&headers, shared.open_key())?;
    let wrong_id = || Trouble::BadRequest("an id is 32 bytes in hexadecimal or base64url".into());
    let id = json::id(&id).ok_or_else(wrong_id)?;
    let Query(Wait { wait }) =
        wait.map_err(|_| Trouble::BadRequest("wait is a number of seconds".into()))?;
    let deadline_ms = wait.unwrap_or(0).saturating_mul(1000).min(MAX_GET_DEADLINE_MS);
    let operation = Operation::Get { ids: vec![BoxAddress(id)], deadline_ms, hold: false };
    let longest = Duration::from_millis(deadline_ms.into());
    let answers = ask(&shared, connection, access, vec![operation], longest).await?;
    match answers.into_iter().next() {
        Some(Answer::Boxes(boxes)) => match boxes.into_iter().next() {
            Some(found) => Ok(show(&found, &headers)),
            None => Err(Trouble::NoSuchBox),
        },
        Some(Answer::Refused(Refusal::NotAdmitted)) => Err(Trouble::WrongKey),
        Some(Answer::Refused(Refusal::SlowDown)) => Err(Trouble::SlowDown),
        _ => Err(Trouble::Stopping),
    }
}

async fn ask(
    shared: &Shared,
    connection: Connection,
    access: AccessKey,
    operations: Vec<Operation>,
    longest: Duration,
) -> Result<Vec<Answer>, Trouble> {
    let asking = shared.hub.ask(connection.number, access, operations);
    let answers =
        tokio::time::timeout(longest + PATIENCE, asking).await.map_err(|_| Trouble::SlowDown)?;
    answers.ok_or(Trouble::Stopping)
}

enum Media {
    Json,
    Cbor,
}

fn media_type(headers: &HeaderMap) -> Result<Media, Trouble> {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .ok_or(Trouble::MediaType)?;
    let essence = value.split(';').next().unwrap_or_default().trim();
    match essence {
        e if e.eq_ignore_ascii_case(JSON) => Ok(Media::Json),
        e if e.eq_ignore_ascii_case(CBOR) => Ok(Media::Cbor),
        _ => Err(Trouble::MediaType),
    }
}

/// The whole body, within the router's limit and this time.
async fn body(request: Request, longest: Duration) -> Result<Bytes, Trouble> {
    let reading = Bytes::from_request(request.with_limited_body(), &());
    match tokio::time::timeout(longest, reading).await {
        Err(_) => Err(Trouble::BodyTooSlow),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(refused)) if refused.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(Trouble::TooLarge)
        }
        Ok(Err(_)) => Err(Trouble::BadRequest("the body broke off".into())),
    }
}

/// What a `put` became, as a status and a JSON object.
fn outcome(answer: &Answer) -> Result<(StatusCode, Value), Trouble> {
    let good = |status, word: &str| Ok((status, json!({ "outcome": word })));
    let bad = |status, word: &str, error: &str, hint: &str| {
        Ok((status, json!({ "outcome": word, "error": error, "hint": hint })))
    };
    match answer {
        Answer::Put(PutOutcome::Stored) => good(StatusCode::CREATED, "stored"),
        Answer::Put(PutOutcome::Same) => good(StatusCode::OK, "same"),
        Answer::Put(PutOutcome::Taken) => bad(
            StatusCode::CONFLICT,
            "taken",
            "another box has this id",
            "a box is written once; use the next id",
        ),
        Answer::Put(PutOutcome::Full) => {
            let hint = "wait until older boxes expire, or ask the hub's owner for room";
            bad(
                StatusCode::INSUFFICIENT_STORAGE,
                "full",
                "the storage of this key's class is used up",
                hint,
            )
        }
        Answer::Put(PutOutcome::SlowDown) | Answer::Refused(Refusal::SlowDown) => bad(
            StatusCode::TOO_MANY_REQUESTS,
            "slow-down",
            "too many boxes at a time",
            "try again a little later",
        ),
        Answer::Refused(Refusal::NotAdmitted) => Err(Trouble::WrongKey),
        Answer::Refused(Refusal::BadBox) => {
            let hint = "the signature is the id's, over the ciphertext";
            bad(StatusCode::UNPROCESSABLE_ENTITY, "bad-box", "the signature does not verify", hint)
        }
        _ => Err(Trouble::BadRequest("the hub cannot serve this".into())),
    }
}

fn show(found: &BoxBytes, headers: &HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let place = |of: &str| accept.find(of).unwrap_or(usize::MAX);
    let vary = [(header::VARY, "accept")];
    if place(CBOR) < place(JSON) {
        return (vary, [(header::CONTENT_TYPE, CBOR)], wire::encode(found)).into_response();
    }
    (vary, Json(json::write(found))).into_response()
}
