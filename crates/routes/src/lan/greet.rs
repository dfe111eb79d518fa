//! The first words on a link: proofs between those who know each other, a knock between strangers.

use std::net::SocketAddr;
use std::sync::PoisonError;
use std::time::Duration;

use mesh::discovery::{Dial, Known};
use net::{Identity, Link, LinkReader, LinkWriter};
use rand::Rng;
use tokio::sync::{mpsc, oneshot};
use wire::mesh::{Knock, Proof, Welcomed};
use wire::{Frame, NodeId};

use super::{Knocks, LanEvent, MAX_KNOCKS, Shared, link, lock};

/// For the first words.
const PATIENCE: Duration = Duration::from_secs(10);
/// For a person's yes or no.
const KNOCK_PATIENCE: Duration = Duration::from_secs(120);

/// A link on which both know who the other is.
pub(super) struct Greeted {
    pub(super) known: Known,
    pub(super) dialled: bool,
    pub(super) halves: (LinkReader, LinkWriter),
}

/// The words that both ends of a link with a stranger see: another link has others.
fn words_of(dialler: &NodeId, listener: &NodeId) -> String {
    let keys = [dialler.as_bytes().to_vec(), listener.as_bytes().to_vec()];
    e2ee::safety_words(b"hushwing knock v1", &keys).unwrap_or_default()
}

/// Links with a contact whose beacon was heard.
pub(super) async fn dial(
    to: SocketAddr,
    wanted: Dial,
    me: Identity,
    discovery: Shared,
    out: mpsc::Sender<Greeted>,
) {
    let key = wanted.spot.key;
    let Some(greeting) = lock(&discovery).greeting(wanted.account, &key) else { return };
    let Ok(link) = net::lan::dial(to, key, &me, &link::LIMITS).await else { return };
    let (mut reader, mut writer) = link.split();
    if writer.send(&Frame::MeshProof(greeting)).await.is_err() {
        return;
    }
    let Ok(Ok(Some(Frame::MeshProof(answer)))) =
        tokio::time::timeout(PATIENCE, reader.read()).await
    else {
        return;
    };
    let confirmed = lock(&discovery).confirms(wanted.account, &answer, &key);
    if let Some(known) = confirmed {
        let _ = out.send(Greeted { known, dialled: true, halves: (reader, writer) }).await;
    }
}

/// Somebody has dialled us: a contact, or a stranger who may knock while we show ourselves.
pub(super) async fn incoming(
    link: Link,
    me: NodeId,
    discovery: Shared,
    out: mpsc::Sender<Greeted>,
    knocks: Option<Knocks>,
    events: mpsc::Sender<LanEvent>,
) {
    let Some(dialler) = link.peer() else { return };
    let (mut reader, mut writer) = link.split();
    match tokio::time::timeout(PATIENCE, reader.read()).await {
        Ok(Ok(Some(Frame::MeshProof(shown)))) => {
            let known = lock(&discovery).recognise(&shown, &dialler);
            let Some((known, answer)) = known else {
                // A stranger gets noise, and does not learn that it is none of us that they look
                // for.
                let mut noise = [0; 32];
                rand::rng().fill_bytes(&mut noise);
                let _ = writer.send(&Frame::MeshProof(Proof(noise))).await;
                return;
            };
            if writer.send(&Frame::MeshProof(answer)).await.is_ok() {
                let _ = out.send(Greeted { known, dialled: false, halves: (reader, writer) }).await;
            }
        }
        Ok(Ok(Some(Frame::MeshKnock(knock)))) => {
            let Some(knocks) = knocks else { return };
            let words = words_of(&dialler, &me);
            let invite = wait_for_answer(knock, words, &knocks, &events).await.unwrap_or_default();
            let _ =
                writer.send(&Frame::MeshWelcomed(Welcomed { invite: invite.into_bytes() })).await;
            let _ = writer.close().await;
        }
        _ => {}
    }
}

async fn wait_for_answer(
    knock: Knock,
    words: String,
    knocks: &Knocks,
    events: &mpsc::Sender<LanEvent>,
) -> Option<String> {
    let name = String::from_utf8(knock.name).ok()?;
    let number = rand::rng().next_u64();
    let (answer, answered) = oneshot::channel();
    {
        let mut waiting = knocks.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, w| !w.is_closed());
        if waiting.len() >= MAX_KNOCKS {
            return None;
        }
        waiting.insert(number, answer);
    }
    events.send(LanEvent::Knocked { knock: number, name, words }).await.ok()?;
    tokio::time::timeout(KNOCK_PATIENCE, answered).await.ok()?.ok()?
}

/// Knocks at somebody who shows themselves.
pub(super) async fn knock(
    to: SocketAddr,
    key: NodeId,
    me: Identity,
    name: String,
    events: mpsc::Sender<LanEvent>,
) {
    let asked = async {
        let link = net::lan::dial(to, key, &me, &link::LIMITS_OF_A_KNOCK).await.ok()?;
        let (mut reader, mut writer) = link.split();
        writer.send(&Frame::MeshKnock(Knock { name: name.into_bytes() })).await.ok()?;
        let words = words_of(&me.node_id(), &key);
        events.send(LanEvent::Knocking { words }).await.ok()?;
        match tokio::time::timeout(KNOCK_PATIENCE, reader.read()).await {
            Ok(Ok(Some(Frame::MeshWelcomed(welcomed)))) => {
                String::from_utf8(welcomed.invite).ok().filter(|text| !text.is_empty())
            }
            _ => None,
        }
    };
    let invite = asked.await;
    let _ = events.send(LanEvent::Welcomed(invite)).await;
}
