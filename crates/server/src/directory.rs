//! The directory role: admits relays and hubs, signs the network document, hands it out.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mix::directory::{Assembler, AssemblerConfig, AuthorityKey};
use net::{Identity, Incoming, Listener};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::frame::RefusedReason;
use wire::id::{AdmissionToken, DocumentHash};
use wire::{Address, DirectoryPointer, Frame, NetworkPointer, NodeId};

use crate::Error;
use crate::accept::accept;
use crate::config::DirectoryConfig;
use crate::node::Clock;
use crate::state::StateDir;

/// How often the assembler is asked whether a document is due.
const TICK: Duration = Duration::from_millis(50);

/// A signed document, ready to be sent.
#[derive(Debug)]
struct Published {
    bytes: Vec<u8>,
    hash: DocumentHash,
    relays: usize,
    hubs: usize,
}

/// A running directory.
#[derive(Debug)]
pub struct Directory {
    /// What nodes and links need to know of it.
    pub pointer: NetworkPointer,
    /// The token that admits nodes.
    pub token: AdmissionToken,
    published: watch::Receiver<Option<Arc<Published>>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

struct Shared {
    assembler: Mutex<Assembler>,
    /// Links per registered node: a node is present while it has one.
    links: Mutex<HashMap<NodeId, u32>>,
    published: watch::Sender<Option<Arc<Published>>>,
    clock: Clock,
}

impl Shared {
    fn assembler(&self) -> MutexGuard<'_, Assembler> {
        self.assembler.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn links(&self) -> MutexGuard<'_, HashMap<NodeId, u32>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory {
    /// Starts a directory; `network` and `token` in its state directory are what nodes need.
    ///
    /// # Errors
    /// See [`Error`]: a setting out of range, a taken port, an unusable state directory.
    pub async fn start(dir: &Path, config: &DirectoryConfig) -> Result<Directory, Error> {
        let (geometry, mixing, paths) = config.parameters()?;
        let state = StateDir::open(dir)?;
        let identity = Identity::from_seed(&*state.secret32("identity")?);
        let token = AdmissionToken::new(*state.secret32("admission")?);
        let authority = authority_key(&state)?;
        let limits = net::ListenerLimits { max_connections: 8192, ..Default::default() };
        let listener = Listener::bind(config.listen, &identity, limits).await?;
        let address: Address = config.announce.unwrap_or_else(|| listener.local_addr()).into();
        let set = mix::directory::authority_set(1, std::slice::from_ref(&authority));
        let network = mix::directory::network_id(&set);
        let pointer =
            NetworkPointer { network, directories: vec![DirectoryPointer { id: identity.node_id(), address }] };
        let token_text = data_encoding::HEXLOWER.encode(token.as_bytes());
        state.write("token", token_text.as_bytes())?;
        state.write("network", pointer.to_text().as_bytes())?;

        let clock = Clock::start();
        let assembler = Assembler::new(AssemblerConfig {
            network,
            tokens: vec![token],
            epoch_ms: config.epoch_seconds.saturating_mul(1000),
            geometry,
            mixing,
            paths,
            last_published: last_published(&state, config.epoch_seconds.saturating_mul(1000))?,
        });
        let shared = Arc::new(Shared {
            assembler: Mutex::new(assembler),
            links: Mutex::new(HashMap::new()),
            published: watch::channel(None).0,
            clock,
        });
        let published = shared.published.subscribe();
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        tasks.spawn(publish(shared.clone(), authority, set, state, stop.clone()));
        tasks.spawn(accept(listener, tasks.clone(), stop.clone(), move |incoming| {
            let shared = shared.clone();
            async move { serve(incoming, &shared).await }
        }));
        Ok(Directory { pointer, token, published, stop, tasks })
    }

    /// Returns when a document lists at least so many relays and hubs.
    pub async fn lists(&self, relays: usize, hubs: usize) {
        let mut published = self.published.clone();
        let enough = |p: &Option<Arc<Published>>| p.as_ref().is_some_and(|p| p.relays >= relays && p.hubs >= hubs);
        // The sender lives as long as the directory's tasks.
        let _ = published.wait_for(enough).await;
    }

    /// Stops.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn authority_key(state: &StateDir) -> Result<AuthorityKey, Error> {
    if let Some(bytes) = state.read("authority")? {
        return AuthorityKey::from_bytes(&bytes).map_err(|_| Error::Damaged("authority"));
    }
    let key = AuthorityKey::generate(&mut rand::rng())?;
    state.write("authority", key.to_bytes().as_ref())?;
    Ok(key)
}

/// Epoch and revision that were last signed: a restart must not sign the same pair twice. Epochs are counted in their own
/// length, so that a network keeps the length it began with.
fn last_published(state: &StateDir, epoch_ms: u64) -> Result<Option<(u64, u32)>, Error> {
    let Some(bytes) = state.read("published")? else { return Ok(None) };
    let (epoch, revision, length): (u64, u32, u64) =
        wire::decode(&bytes, "published").map_err(|_| Error::Damaged("published"))?;
    if length != epoch_ms {
        return Err(Error::Config(format!(
            "the epochs of this network last {} s and cannot be changed; keep that, or begin a new network in another --dir",
            length / 1000
        )));
    }
    Ok(Some((epoch, revision)))
}

async fn publish(
    shared: Arc<Shared>,
    authority: AuthorityKey,
    set: wire::document::AuthoritySet,
    state: StateDir,
    stop: CancellationToken,
) {
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let due = shared.assembler().poll(shared.clock.now());
        let Some(document) = due else { continue };
        let last = wire::encode(&(document.epoch, document.revision, document.epoch_ms));
        if let Err(error) = state.write("published", &last) {
            tracing::error!(%error, "no document is published");
            continue;
        }
        match mix::directory::sign_document(&document, &set, &[(0, &authority)]) {
            Ok(signed) => {
                let hash = mix::directory::document_hash(&signed.document);
                let bytes = wire::encode(&signed);
                let (relays, hubs) = (document.relays().count(), document.hubs().count());
                tracing::info!(
                    epoch = document.epoch,
                    revision = document.revision,
                    relays,
                    hubs,
                    "document published"
                );
                shared.published.send_replace(Some(Arc::new(Published { bytes, hash, relays, hubs })));
            }
            Err(error) => tracing::error!(%error, "cannot sign"),
        }
    }
}

/// Removes a registered node's presence when its link ends, however it ends.
struct Presence<'a> {
    shared: &'a Shared,
    node: NodeId,
}

impl<'a> Presence<'a> {
    fn new(shared: &'a Shared, node: NodeId) -> Self {
        let mut links = shared.links();
        let count = links.entry(node).or_insert(0);
        *count += 1;
        Presence { shared, node }
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        let mut links = self.shared.links();
        let left = links.get(&self.node).map_or(0, |n| n.saturating_sub(1));
        if left == 0 {
            links.remove(&self.node);
            self.shared.assembler().presence(self.shared.clock.now(), self.node, false);
        } else {
            links.insert(self.node, left);
        }
    }
}

async fn serve(incoming: Incoming, shared: &Shared) {
    let peer = incoming.peer;
    let (mut reader, mut writer) = incoming.link.split();
    let mut published = shared.published.subscribe();
    let mut subscribed = false;
    let mut presence: Option<Presence<'_>> = None;
    loop {
        let answer = tokio::select! {
            changed = published.changed(), if subscribed => {
                if changed.is_err() { return }
                published.borrow_and_update().as_ref().map(|p| Frame::Document(p.bytes.clone()))
            }
            frame = reader.read() => match frame {
                Ok(Some(Frame::GetDocument(known))) => {
                    // Whoever has asked once is told of each newer document while the link lasts.
                    subscribed = true;
                    Some(match published.borrow_and_update().as_ref() {
                        None => Frame::Refused(RefusedReason::NotReady),
                        Some(p) if known == Some(p.hash) => Frame::NotModified,
                        Some(p) => Frame::Document(p.bytes.clone()),
                    })
                }
                Ok(Some(Frame::Register { token, descriptor })) => {
                    let answer = register(shared, peer, &token, &descriptor);
                    if let (Frame::Registered(_), Some(node), None) = (&answer, peer, &presence) {
                        presence = Some(Presence::new(shared, node));
                    }
                    Some(answer)
                }
                Ok(Some(Frame::Ping)) => Some(Frame::Pong),
                Ok(Some(Frame::Pong)) => None,
                Ok(Some(_)) => Some(Frame::Refused(RefusedReason::NotHere)),
                Ok(None) | Err(_) => return,
            },
        };
        if let Some(frame) = answer
            && writer.send(&frame).await.is_err()
        {
            return;
        }
    }
}

fn register(shared: &Shared, peer: Option<NodeId>, token: &AdmissionToken, descriptor: &[u8]) -> Frame {
    let now = shared.clock.now();
    let Ok(signed) = wire::decode(descriptor, "descriptor") else {
        return Frame::Refused(RefusedReason::BadDescriptor);
    };
    let mut assembler = shared.assembler();
    match assembler.register(now, token, &signed) {
        // The link proves the identity that the descriptor claims, or nobody could be marked present.
        Ok(node) if Some(node) == peer => {
            assembler.presence(now, node, true);
            Frame::Registered(assembler.epoch(now))
        }
        Ok(_) => Frame::Refused(RefusedReason::BadDescriptor),
        Err(reason) => Frame::Refused(reason),
    }
}
