//! The network document for people and scripts: fetched once, unsealed and verified.

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
    /// Hash by which two clients compare what they got.
    hash: String,
    /// Whether it was sealed to our key.
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

/// Fetches the document of a room's network, as JSON.
///
/// # Errors
/// An invalid link; no directory that gives a valid document to this key.
pub(super) async fn payload(
    link: &str,
    key: Option<&EnrolmentKey>,
    tor: &TorArgs,
) -> Result<serde_json::Value, Failure> {
    let place = room_place(link)?;
    let (dialer, _scratch) = tor.dialer_for(&place).await?;
    fetch_any(&dialer, &place, key).await
}

/// Does the same as [`payload`] with an existing dialer.
///
/// # Errors
/// No directory that gives a valid document to this key.
pub(super) async fn fetch_any(
    dialer: &Dialer,
    place: &NetworkPlace,
    key: Option<&EnrolmentKey>,
) -> Result<serde_json::Value, Failure> {
    let mut why = "the link names no directory".to_owned();
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
        "check that the network is running and that your key is enrolled; `hushwing primary enroll` creates one",
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
