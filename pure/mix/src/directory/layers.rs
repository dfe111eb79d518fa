//! Layers of a stratified network. Everybody computes them from the document alone.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};
use wire::NodeId;
use wire::document::NetworkDocument;

/// The layer of the relays that dial only, so that no two of them are on one path (`PATH-008`).
const DIALS_ONLY: u8 = 1;

/// The layer of each relay that others reach: its rank by SHA-256("hushwing layer v1" | epoch |
/// id), modulo the number of layers. So layers have equal sizes and change each epoch. Empty in a
/// free-route network.
#[must_use]
pub fn layers(document: &NetworkDocument) -> BTreeMap<NodeId, u8> {
    let mut ranked: Vec<([u8; 32], NodeId)> = document
        .relays()
        .map(|relay| {
            let mut context = Context::new(&SHA256);
            context.update(b"hushwing layer v1");
            context.update(&document.epoch.to_be_bytes());
            context.update(relay.id.as_bytes());
            (context.finish().as_ref().try_into().unwrap_or_default(), relay.id)
        })
        .collect();
    ranked.sort_unstable();
    let cycle = (0..document.paths.layers).cycle();
    let reached = ranked.into_iter().zip(cycle).map(|((_, id), layer)| (id, layer));
    reached.chain(document.dials_only.iter().map(|relay| (relay.id, DIALS_ONLY))).collect()
}
