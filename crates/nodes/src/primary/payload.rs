//! The network document as a person or a script reads it: fetched once, unsealed, verified.

use api::Failure;
use data_encoding::HEXLOWER;
use e2ee::NetworkPlace;
use mix::directory::{EnrolmentKey, VerifiedDocument};
use net::Dialer;
use routes::fetch_document;
use serde::Serialize;
use settings::{TorArgs, room_place};
use sha2::{Digest, Sha256};
use wire::ErrorKind;
use wire::document::Role;

#[derive(Debug, Serialize)]
struct Payload {
    network: String,
    epoch: u64,
    revision: u32,
    epoch_ms: u64,
    published_ms: u64,
    valid_until_ms: u64,
    /// By which two clients compare what they were given.
    hash: String,
    /// Whether it came sealed to our key.
    sealed: bool,
    tally: bool,
    min_relays: u8,
    max_relays: u8,
    mean_delay_ms: u32,
    max_delay_ms: u32,
    nodes: Vec<PayloadNode>,
}

#[derive(Debug, Serialize)]
struct PayloadNode {
    role: &'static str,
    id: String,
    addresses: Vec<String>,
    region: Option<String>,
    processing: Option<&'static str>,
    keys: Vec<PayloadKey>,
}

#[derive(Debug, Serialize)]
struct PayloadKey {
    epoch: u64,
    /// SHA-256 of the public key.
    fingerprint: String,
}

/// The document of a room's network, as JSON.
///
/// # Errors
/// A wrong link; no directory that gives a good document to this key.
pub(super) async fn payload(
    link: &str,
    key: Option<&EnrolmentKey>,
    tor: &TorArgs,
) -> Result<serde_json::Value, Failure> {
    let place = room_place(link)?;
    let (dialer, _scratch) = tor.dialer_for(&place).await?;
    fetch_any(&dialer, &place, key).await
}

/// As [`payload`], by a dialer that is there.
///
/// # Errors
/// No directory that gives a good document to this key.
pub(super) async fn fetch_any(
    dialer: &Dialer,
    place: &NetworkPlace,
    key: Option<&EnrolmentKey>,
) -> Result<serde_json::Value, Failure> {
    let mut why = "the link names none".to_owned();
    for directory in &place.directories {
        match fetch_document(dialer, directory, &place.network, key).await {
            Ok(document) => {
                return Ok(serde_json::to_value(describe(&document)).unwrap_or_default());
            }
            Err(error) => why = error.to_string(),
        }
    }
    Err(Failure::new(
        ErrorKind::Network,
        format!("no network document from the directory: {why}"),
        "is the network running, and your key enrolled? `hushwing primary enroll` makes a key",
    ))
}

fn describe(document: &VerifiedDocument) -> Payload {
    let nodes = document.nodes.iter().map(|node| PayloadNode {
        role: match node.role {
            Role::Relay => "relay",
            Role::Hub => "hub",
        },
        id: HEXLOWER.encode(node.id.as_bytes()),
        addresses: node.addresses.iter().map(ToString::to_string).collect(),
        region: node.region.as_ref().map(|r| r.as_str().to_owned()),
        processing: node.processing.map(wire::document::Processing::name),
        keys: node
            .keys
            .iter()
            .map(|k| PayloadKey {
                epoch: k.epoch,
                fingerprint: HEXLOWER.encode(&Sha256::digest(&k.key)),
            })
            .collect(),
    });
    Payload {
        network: HEXLOWER.encode(document.network.as_bytes()),
        epoch: document.epoch,
        revision: document.revision,
        epoch_ms: document.epoch_ms,
        published_ms: document.published.as_millis(),
        valid_until_ms: document.valid_until.as_millis(),
        hash: HEXLOWER.encode(document.hash().as_bytes()),
        sealed: document.sealed,
        tally: document.tally,
        min_relays: document.paths.min_relays,
        max_relays: document.paths.max_relays,
        mean_delay_ms: document.mixing.mean_delay_ms,
        max_delay_ms: document.mixing.max_delay_ms,
        nodes: nodes.collect(),
    }
}
